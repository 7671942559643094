"""How a training ends without a result."""

from edgenext_search.errors import StudyFailedError


class TrainingDivergedError(StudyFailedError):
    """The loss or a weight is not a finite number."""


class TrainingInterruptedError(RuntimeError):
    """A signal came; what was trained until then is saved."""


class PeerFailedError(StudyFailedError):
    """Another process of the training failed and says why; what was trained until then is saved."""
