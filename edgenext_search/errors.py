"""Kinds of failure, and the exceptions that carry a message for the user."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class FailureKind(StrEnum):
    """Whose failure it is, and so what helps. Of exceptions of libraries, ``failures.classify`` finds the kind."""

    INPUT = "input"
    """What the user gave: a value, a path. Another one helps."""
    DATA = "data"
    """What a file of the user holds: damaged, or not what it should be."""
    HOST = "host"
    """Disk, memory, limits, network. The same work may succeed when it is tried again."""
    DEVICE = "device"
    """A GPU or a board."""
    DEPENDENCY = "dependency"
    """A library that is missing, broken, or of a version that does not fit."""
    STUDY = "study"
    """The work came to nothing: a loss that is not finite, trials that all failed."""
    OURS = "ours"
    """A bug of this program; the only kind that asks for a report."""


class ExplainedError(Exception):
    """An exception of ours: its message is for the user and names the next step.

    Attributes:
        kind: Whose failure it is.
    """

    kind: ClassVar[FailureKind]


class UserError(ExplainedError, ValueError):
    """Something the user gave cannot be used.

    The message names the offending value, the rule it breaks and the next step. The command line prints it
    without a traceback and exits with code 2.
    """

    kind = FailureKind.INPUT


class DataError(UserError):
    """A file of the user holds something that cannot be used."""

    kind = FailureKind.DATA


class HostError(ExplainedError, RuntimeError):
    """The host failed: a full disk, no memory, a lost GPU. What was finished is kept; exit code 1."""

    kind = FailureKind.HOST


class StudyFailedError(ExplainedError, RuntimeError):
    """A study or training that cannot go on, with the reason; exit code 1."""

    kind = FailureKind.STUDY
