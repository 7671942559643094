"""An audit of a run: a sample of its candidates trained longer, to check how well the search ranks."""
