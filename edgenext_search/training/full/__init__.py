"""Full training of a winner: recipe, plan, epochs, checkpoints, model folder and summary."""
