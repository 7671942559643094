"""Imported once by the server that trial processes are forked from, so that each of them starts at once."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # libraries that warn of each other's deprecations when imported
    import timm  # noqa: F401
    import torch  # noqa: F401

    import edgenext_search.training.rung  # noqa: F401
