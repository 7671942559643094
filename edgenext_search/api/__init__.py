"""The Python interface, which the command line uses too: candidates, spaces and searches."""
