"""The report of an audit: whether the scores of a run rank its candidates."""
