"""One study from start to end: cohorts, rungs, finalists, winner, summary."""
