"""Notices that reports of runs and of scaling studies share."""

from __future__ import annotations

from edgenext_search.report.document import Notice
from edgenext_search.search.results import Status

DEMONSTRATION = Notice(
    title="A demonstration.",
    text="The images are generated, so the ranking says little about photographs. For an answer of your own, give your "
    "images:",
    command="--data FOLDER",
)
_RUNNING = Notice(title="This study is still running.", text="These are the results so far.", urgent=True)


def notices(status: Status, *, resume: str, demonstration: bool) -> tuple[Notice, ...]:
    """What a reader must know before the numbers."""
    shown = []
    if status == "interrupted":
        text = "Nothing finished is lost. Go on with"
        shown.append(Notice(title="This study was interrupted.", text=text, command=resume, urgent=True))
    if status == "running":
        shown.append(_RUNNING)
    if demonstration:
        shown.append(DEMONSTRATION)
    return tuple(shown)
