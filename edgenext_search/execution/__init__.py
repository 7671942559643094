"""Where and how trainings run: executors, processes, placement, numerics. Knows no Optuna."""
