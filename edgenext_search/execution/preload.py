"""Imported once by the server that processes are forked from, so that each of them starts at once."""

import signal
import warnings

# Ctrl-C reaches this process too, and the import would end in a traceback; the coordinator decides what ends. So does
# SIGHUP, when the terminal is lost; where it was ignored before, as by nohup, it stays so.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # libraries that warn of each other's deprecations when imported
    import timm  # noqa: F401
    import torch  # noqa: F401

    import edgenext_search.training.proxy.rung  # noqa: F401

signal.signal(signal.SIGINT, _handler)
