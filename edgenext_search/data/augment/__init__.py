"""Batched augmentation, a pure function of seed, epoch and image."""
