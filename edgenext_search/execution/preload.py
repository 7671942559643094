"""Imported once by the server that processes are forked from, so that each of them starts at once."""

import signal
import warnings

# Ctrl-C reaches this process too, and the import would end in a traceback; the coordinator decides what ends. So do
# SIGHUP, when the terminal is lost, and SIGTERM, which batch systems send to all processes; what was ignored before, as
# by nohup, stays so.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
FORMER = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGTERM)}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # libraries that warn of each other's deprecations when imported
    import timm  # noqa: F401
    import torch  # noqa: F401

    import edgenext_search.training.proxy.rung  # noqa: F401

signal.signal(signal.SIGINT, _handler)
