"""The record of a study: trials in Optuna's storage, and the run folder."""
