"""How a training ends without a result."""


class TrainingDivergedError(RuntimeError):
    """The loss or a weight is not a finite number."""


class TrainingInterruptedError(RuntimeError):
    """A signal came; what was trained until then is saved."""


class PeerFailedError(RuntimeError):
    """Another process of the training failed and says why; what was trained until then is saved."""
