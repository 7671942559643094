"""The training loop and its parts, shared by proxy and full training."""
