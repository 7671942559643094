"""All trials on the page: why some failed, and where the script makes the table."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.report.markup import Markup, element
from edgenext_search.report.parts import section
from edgenext_search.search.store.records import TrialRecord

_SHOWN_REASONS = 5
_SHOWN_NUMBERS = 12


def trials_section(trials: Sequence[TrialRecord]) -> Markup:
    """All trials; the page's script fills in the table, which is sorted, filtered and saved there."""
    if not trials:
        return section("trials", "All trials", element("p", "No trial was asked yet."))
    without_script = element("noscript", "The table needs JavaScript; trials.csv beside this page has all trials.")
    caption = "Compare scores only at equal epochs. Shape columns have one number a stage, x where no block uses it."
    return section(
        "trials",
        f"All {len(trials)} trials" if len(trials) > 1 else "The only trial",
        element("p", caption, class_="caption"),
        failures(trials),
        element("div", without_script, id="trials-table"),
    )


def failures(trials: Sequence[TrialRecord]) -> Markup | None:
    """Why trials failed, the commonest reason first."""
    numbers: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state == "failed":
            numbers.setdefault(trial.reason or "no reason is recorded", []).append(str(trial.number))
    if not numbers:
        return None
    reasons = sorted(numbers, key=lambda reason: -len(numbers[reason]))
    items = []
    for reason in reasons[:_SHOWN_REASONS]:
        which = numbers[reason]
        some = ", ".join(which[:_SHOWN_NUMBERS]) + (", ..." if len(which) > _SHOWN_NUMBERS else "")
        items.append(element("li", element("b", f"Trial{'s' * (len(which) > 1)} {some} failed: "), reason))
    if len(reasons) > _SHOWN_REASONS:
        items.append(element("li", "The table has the other reasons, in its last column."))
    return element("ul", *items, class_="failures")
