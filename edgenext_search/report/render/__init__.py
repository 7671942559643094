"""Documents rendered for a terminal, as an HTML page and as Markdown; figures as files."""
