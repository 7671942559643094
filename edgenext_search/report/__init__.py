"""What people look at: Pareto fronts, the table of trials, figures, one HTML page, the terminal's summary."""
