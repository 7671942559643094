"""The report of a run, topic by topic."""
