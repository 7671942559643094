"""The study: ask, project, cost, score, tell. The only room that imports Optuna."""
