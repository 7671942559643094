"""How good the candidates of a search were as a whole: the distribution of their errors."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.report.document import Figure, Paragraph, Section, section
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.trials.pareto import full_fidelity, score_of
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import fidelity_text, is_published
from edgenext_search.search.store.records import TrialRecord

LEAST = 8  # candidates of each half of a study that is split


def errors_section(study: Study) -> Section | None:
    """The distribution of errors; None if the sampler has no fully trained candidate."""
    plot = errors_figure(study)
    if plot is None:
        return None
    caption = (
        "Further to the left is better. Published shapes and candidates of yours are not counted, nor are candidates "
        "that stopped early, so this is the better part of what was tried."
    )
    return section(
        "errors",
        "Errors",
        "How good the candidates were as a whole",
        Figure(identifier="fig-edf", plot=plot),
        Paragraph(text=caption, style="caption"),
    )


def errors_figure(study: Study) -> Plot | None:
    """Share of the fully trained candidates of the sampler with at most an error, also of the study's two halves.

    Radosavovic et al., "Designing Network Design Spaces" (arXiv 2003.13678), equation 1. A sampler that learns has its
    second half further to the left.
    """
    drawn = drawn_trials(study.trials)
    if not drawn:
        return None
    series = [errors_line("all", drawn, Style(kind="step", color="search"))]
    middle = len(drawn) // 2
    if middle >= LEAST:
        series += [
            errors_line("first half", drawn[:middle], Style(kind="step", color="quiet", dashed=True)),
            errors_line("second half", drawn[middle:], Style(kind="step", color="winner")),
        ]
    baseline = [trial for trial in full_fidelity(study.trials) if trial.number == 0 and is_published(trial.origin)]
    return Plot(
        title="Errors of the candidates",
        x_label=f"Error at most, % ({fidelity_text(study.summary.fidelity)})",
        y_label="Share of the fully trained candidates of the sampler, %",
        series=series,
        marks=[(100 * (1 - score_of(trial)), "baseline") for trial in baseline],
        y_range=(0, 100),
    )


def drawn_trials(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The fully trained candidates that the sampler proposed, each network once."""
    return [trial for trial in full_fidelity(trials) if trial.origin == "sampler" and trial.duplicate_of is None]


def errors_line(name: str, trials: Sequence[TrialRecord], style: Style) -> Series:
    """The empirical distribution function of errors, in percent."""
    errors = sorted(100 * (1 - score_of(trial)) for trial in trials)
    shares = [100 * rank / len(errors) for rank in range(1, len(errors) + 1)]
    return Series(name=f"{name}, n = {len(errors)}", style=style, x=[errors[0], *errors], y=[0.0, *shares])
