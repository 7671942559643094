"""Time on a device: devices, the measuring protocol, and what a measurement says."""
