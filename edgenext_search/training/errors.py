"""How a training ends without a result."""


class TrainingDivergedError(RuntimeError):
    """The loss or a weight is not a finite number."""


class TrainingInterruptedError(RuntimeError):
    """A signal came; what was trained until then is saved."""
