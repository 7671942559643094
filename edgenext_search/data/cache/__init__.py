"""Images decoded and resized once, memory-mapped by every trial."""
