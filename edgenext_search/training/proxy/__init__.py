"""Proxy training: one rung of a candidate, from the state after the rung before to a score."""
