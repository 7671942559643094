"""From a budget to a trained, exported EdgeNeXt variant."""

__version__ = "0.1.0"
