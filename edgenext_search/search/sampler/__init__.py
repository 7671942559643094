"""What to propose next: features, surrogate, acquisition."""
