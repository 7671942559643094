"""The one exception for what a user can mend."""


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message names the offending value, the rule it breaks and the next step. The command line prints it
    without a traceback and exits with code 2.
    """


class StudyFailedError(RuntimeError):
    """A study that cannot go on, with the reason; the command line exits with code 1."""
