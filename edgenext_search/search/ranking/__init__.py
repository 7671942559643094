"""The metric that ranks candidates during a search, and how well it agrees with longer training."""
