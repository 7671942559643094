"""Scaling studies: how error falls with cost, and how two spaces compare."""
