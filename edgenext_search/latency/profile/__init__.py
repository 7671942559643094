"""The latency profile of a device, and the predictor fitted to it."""
