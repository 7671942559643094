"""Full training of a winner: recipe, plan, epochs, checkpoints, the delivered model folder."""
