"""All trials of a run, and why some failed."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.report.document import Listing, Paragraph, Section, Strong, TrialsTable, section
from edgenext_search.search.store.records import TrialRecord

_SHOWN_REASONS = 5
_SHOWN_NUMBERS = 12
_CAPTION = "Compare scores only at equal epochs. Shape columns have one number a stage, x where no block uses it."


def trials_section(trials: Sequence[TrialRecord]) -> Section:
    """All trials; the page's script fills in the table."""
    if not trials:
        return section("trials", "Trials", "All trials", Paragraph(text="No trial was asked yet."))
    title = f"All {len(trials)} trials" if len(trials) > 1 else "The only trial"
    return section(
        "trials", "Trials", title, Paragraph(text=_CAPTION, style="caption"), failures(trials), TrialsTable()
    )


def failures(trials: Sequence[TrialRecord]) -> Listing | None:
    """Why trials failed, the commonest reason first; None if none failed."""
    numbers: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state == "failed":
            numbers.setdefault(trial.reason or "no reason is recorded", []).append(str(trial.number))
    if not numbers:
        return None
    reasons = sorted(numbers, key=lambda reason: -len(numbers[reason]))
    items: list[str | tuple[str, ...]] = []
    for reason in reasons[:_SHOWN_REASONS]:
        which = numbers[reason]
        some = ", ".join(which[:_SHOWN_NUMBERS]) + (", ..." if len(which) > _SHOWN_NUMBERS else "")
        items.append((Strong(f"Trial{'s' * (len(which) > 1)} {some} failed: "), reason))
    if len(reasons) > _SHOWN_REASONS:
        items.append("The table has the other reasons, in its last column.")
    return Listing(items=tuple(items))
