"""The exceptions that carry a message for the user."""


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message names the offending value, the rule it breaks and the next step. The command line prints it
    without a traceback and exits with code 2.
    """


class HostError(RuntimeError):
    """The host failed: no memory, a process that was killed, a drive that does not answer.

    The message names the next step. The command line prints it without a traceback and exits with code 1.
    """


class StudyFailedError(RuntimeError):
    """A study that cannot go on, with the reason; the command line exits with code 1."""
