"""The trials of a study: the table and its files, the data of the page's script, the Pareto fronts."""
