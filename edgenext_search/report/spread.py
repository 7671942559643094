"""How good the candidates of a search were as a whole: the distribution of their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.pareto import full_fidelity
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.wording import fidelity_text, is_published, number_or_none
from edgenext_search.search.store.records import TrialRecord

LEAST = 8  # candidates of a half: below, it says nothing


def edf(errors: Sequence[float]) -> tuple[list[float], list[float]]:
    """The empirical distribution function: for each error in ascending order the share of candidates up to it, in %.

    Radosavovic et al., "Designing Network Design Spaces" (arXiv 2003.13678), equation 1.
    """
    ordered = sorted(errors)
    return ordered, [100 * (rank + 1) / len(ordered) for rank in range(len(ordered))]


def edf_figure(trials: Sequence[TrialRecord], summary: Mapping[str, Any]) -> Plot | None:
    """Which share of the fully trained candidates had at most an error; the study's halves beside each other.

    Published shapes and candidates of the user are no draws of the sampler and do not count. A study whose second half
    lies to the left has learnt something.

    Returns:
        The figure; None where the sampler has no fully trained candidate.
    """
    drawn = [trial for trial in full_fidelity(trials) if trial.origin == "sampler" and trial.duplicate_of is None]
    if not drawn:
        return None
    series = [_line(f"all, n = {len(drawn)}", drawn, Style(kind="step", color="search"))]
    middle = len(drawn) // 2
    if middle >= LEAST:
        series += [
            _line(f"first half, n = {middle}", drawn[:middle], Style(kind="step", color="quiet", dashed=True)),
            _line(f"second half, n = {len(drawn) - middle}", drawn[middle:], Style(kind="step", color="winner")),
        ]
    baseline = next(
        (trial for trial in full_fidelity(trials) if trial.number == 0 and is_published(trial.origin)), None
    )
    score = None if baseline is None else number_or_none(baseline.score)
    return Plot(
        title="Errors of the candidates",
        x_label=f"Error at most, % ({fidelity_text(summary)})",
        y_label="Share of the fully trained candidates of the sampler, %",
        series=series,
        marks=() if score is None else ((100 * (1 - score), "baseline"),),
        y_range=(0, 100),
    )


def _line(name: str, trials: Sequence[TrialRecord], style: Style) -> Series:
    x, y = edf([100 * (1 - (trial.score or 0.0)) for trial in trials])
    return Series(name=name, style=style, x=[x[0], *x], y=[0.0, *y])
