"""Latency of the finalists on the study's device: the verdict, the table, the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.document import Block, Cell, Column, Figure, Group, Paragraph, Row, Section, Table, section
from edgenext_search.report.plot import Plot, Series, Style
from edgenext_search.report.run.words import score_label, shown_score
from edgenext_search.report.trials.pareto import rows_of
from edgenext_search.report.wording import finite, origin_text, score_text
from edgenext_search.search.results import Finalist, MeasuredLatency, RunSummary
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.texts import counted

LABELS = {"pass": "holds the cap", "fail": "exceeds the cap", "undecided": "undecided"}
_COLORS = {"pass": "winner", "fail": "failed", "undecided": "published"}
_BANDS = (0.10, 0.05)
_TIME = METRICS["latency"]


class LatencyVerdict(StrEnum):
    """Whether the winner holds the budget's cap on latency."""

    HOLDS = "holds"
    EXCEEDS = "exceeds"
    UNDECIDED = "undecided"
    NO_CAP = "no cap"
    PREDICTED = "predicted"
    NOT_KNOWN = "not known"


_SENTENCES = {
    LatencyVerdict.HOLDS: "On {device} it takes {time}: it holds the cap of {cap}.",
    LatencyVerdict.EXCEEDS: "On {device} it takes {time}: it exceeds the cap of {cap}.",
    LatencyVerdict.UNDECIDED: "On {device} it takes {time}: whether it holds the cap of {cap} is undecided.",
    LatencyVerdict.NO_CAP: "On {device} it takes {time}.",
    LatencyVerdict.PREDICTED: "The winner’s latency on {device} is predicted, not measured: {predicted}{under}.",
    LatencyVerdict.NOT_KNOWN: "The winner’s latency on {device} was not measured.",
}
_OF_MEASUREMENT = {"pass": LatencyVerdict.HOLDS, "fail": LatencyVerdict.EXCEEDS, "undecided": LatencyVerdict.UNDECIDED}


def latency_verdict(winner: Finalist) -> LatencyVerdict:
    """What is known of the winner's latency."""
    if winner.measured is None:
        return LatencyVerdict.NOT_KNOWN if winner.latency is None else LatencyVerdict.PREDICTED
    return _OF_MEASUREMENT[winner.measured.verdict] if winner.measured.verdict else LatencyVerdict.NO_CAP


def none_holds(summary: RunSummary) -> str | None:
    """The answer where latency is capped and no measured candidate holds the cap; else None."""
    latency = summary.latency
    if latency is None or latency.cap is None or not latency.measured or latency.passed != 0:
        return None
    who = "The only candidate" if latency.measured == 1 else f"None of the {latency.measured} candidates"
    verb = "does not hold" if latency.measured == 1 else "holds"
    return f"{who} measured {verb} {_TIME.format_exact(latency.cap)} on {latency.device}."


def latency_sentences(summary: RunSummary) -> tuple[str, ...]:
    """What the device found of the winner; empty where the study does not ask for latency or has no winner."""
    latency, winner = summary.latency, summary.winner
    if latency is None or winner is None:
        return ()
    cap = "" if latency.cap is None else _TIME.format_exact(latency.cap)
    said = _SENTENCES[latency_verdict(winner)].format(
        device=latency.device,
        time=_interval(winner.measured) if winner.measured else "",
        cap=cap,
        predicted="" if winner.latency is None else _TIME.text(winner.latency),
        under=f", under a cap of {cap}" if cap else "",
    )
    return (said, *_against_baseline(winner, summary.baseline))


def short_latency(finalist: Finalist) -> str:
    """A finalist's latency for a narrow column: measured, with its verdict; else predicted, with a tilde."""
    if (measured := finalist.measured) is not None:
        return f"{_TIME.text(measured.p50)}{f' {measured.verdict}' if measured.verdict else ''}"
    return "" if finalist.latency is None else f"~{_TIME.text(finalist.latency)}"


def latency_conditions(summary: RunSummary) -> str:
    """How latency was measured, and how good the predictions are."""
    latency = summary.latency
    if latency is None:
        return ""
    parts = [
        f"Latency on {latency.device}, ~ where predicted. One image at a time; intervals are of the median, 95 %.",
        *next((_how(finalist.measured) for finalist in summary.finalists if finalist.measured), ()),
    ]
    if latency.effective_cap is not None:
        parts.append(
            f"Candidates were projected into {_TIME.text(latency.effective_cap)}, the cap less the margin "
            f"({latency.margin:.3f}) by which measured times exceed predicted ones."
        )
    held_out = latency.profile.held_out
    if held_out.n and finite(held_out.mean_error) is not None:
        parts.append(
            f"On {held_out.n} networks outside of the profile, the mean error of predictions was "
            f"{100 * held_out.mean_error:.1f} %; {100 * held_out.within_5:.0f} % were within 5 %."
        )
    return " ".join(parts)


def latency_section(summary: RunSummary, trials: Sequence[TrialRecord]) -> Section | None:
    """The finalists' latency on the device; None where the study does not ask for it."""
    if summary.latency is None:
        return None
    said = filter(None, (none_holds(summary), *latency_sentences(summary)))
    figures = _figures(summary, trials)
    return section(
        "latency",
        "Latency",
        "Latency on the device",
        Group(blocks=tuple(Paragraph(text=text) for text in said), layout="prose"),
        Group(blocks=figures, layout="pair") if figures else None,
        latency_table(summary),
        Paragraph(text=latency_conditions(summary), style="caption"),
    )


def latency_table(summary: RunSummary) -> Table | None:
    """Predicted and measured latency of the finalists; None where none has any."""
    rows = [_row(row, summary) for row in summary.finalists if row.measured or row.latency is not None]
    if not rows:
        return None
    heads = ("Predicted", "Measured, median (95 % interval)", "Prediction off by", "90 % within", "Runs")
    return Table(
        label="Latency of the finalists",
        columns=(
            Column(label="Candidate"),
            *(Column(label=head, right=True) for head in heads),
            Column(label="Verdict"),
        ),
        rows=tuple(rows),
    )


def _row(finalist: Finalist, summary: RunSummary) -> Row:
    measured, predicted = finalist.measured, finalist.latency
    off = measured and predicted and f"{100 * (predicted / measured.p50 - 1):+.1f} %".replace("-", "−")
    verdict = measured.verdict if measured else None
    cells = (
        Cell(text=finalist.fingerprint, code=True),
        Cell(text="" if predicted is None else _TIME.text(predicted)),
        Cell(text=_interval(measured, n=False) if measured else ""),
        Cell(text=off or ""),
        Cell(text=_TIME.text(measured.p90) if measured else ""),
        Cell(text=str(measured.n) if measured else ""),
        Cell(
            text=(LABELS[verdict] if verdict else "") if measured else "not measured",
            tone="good" if verdict == "pass" else "bad" if verdict == "fail" else None,
        ),
    )
    winner = summary.winner is not None and finalist.fingerprint == summary.winner.fingerprint
    return Row(cells=cells, strong=winner)


def _figures(summary: RunSummary, trials: Sequence[TrialRecord]) -> tuple[Block, ...]:
    latency = summary.latency
    measured = [(row, row.measured) for row in summary.finalists if row.measured is not None]
    if latency is None or not measured:
        return ()
    places = rows_of(trials)
    accuracy = Plot(
        title="Accuracy against measured latency",
        x_label=f"Median latency on {latency.device}, ms",
        y_label=score_label(summary),
        series=_by_verdict(measured, places, x=lambda _, its: its.p50 / 1e3, y=lambda row, _: _percent(row)),
        marks=() if latency.cap is None else ((latency.cap / 1e3, f"cap {_TIME.format_exact(latency.cap)}"),),
    )
    figures = [Figure(identifier="fig-latency-accuracy", plot=accuracy, source="summary.json")]
    if predicted := [(row, its) for row, its in measured if row.latency]:
        plot = _against_prediction(predicted, places, latency.device)
        figures.append(Figure(identifier="fig-latency-predicted", plot=plot, source="summary.json"))
    return tuple(figures)


_Measured = Sequence[tuple[Finalist, MeasuredLatency]]
_Axis = Callable[[Finalist, MeasuredLatency], float]


def _percent(finalist: Finalist) -> float:
    return 100 * shown_score(finalist).mean


def _predicted(finalist: Finalist, _: MeasuredLatency | None = None) -> float:
    return (finalist.latency or 0) / 1e3


def _against_prediction(measured: _Measured, places: Mapping[int, int], device: str) -> Plot:
    ends = [_predicted(row) for row, _ in measured]
    span = [0.92 * min(ends), 1.08 * max(ends)]
    bands = [
        Series(
            name=f"within {100 * share:g} %",
            style=Style(kind="area", color="search"),
            x=span,
            y=span,
            low=[(1 - share) * x for x in span],
            high=[(1 + share) * x for x in span],
        )
        for share in _BANDS
    ]
    line = Series(name="as predicted", style=Style(kind="line", color="quiet", dashed=True), x=span, y=span)
    points = _by_verdict(measured, places, x=_predicted, y=lambda _, its: its.p50 / 1e3, interval=True)
    return Plot(
        title="Predicted and measured latency",
        x_label="Predicted latency, ms",
        y_label=f"Median latency on {device} with its 95 % interval, ms",
        series=[*bands, line, *points],
    )


def _by_verdict(
    measured: _Measured, places: Mapping[int, int], *, x: _Axis, y: _Axis, interval: bool = False
) -> list[Series]:
    series = []
    for verdict in dict.fromkeys(its.verdict for _, its in measured):
        here = [(row, its) for row, its in measured if its.verdict == verdict]
        series.append(
            Series(
                name=LABELS[verdict] if verdict else "finalist",
                style=Style(kind="points", color=_COLORS[verdict] if verdict else "search", size=9),
                x=[x(*pair) for pair in here],
                y=[y(*pair) for pair in here],
                low=[its.low / 1e3 for _, its in here] if interval else None,
                high=[its.high / 1e3 for _, its in here] if interval else None,
                rows=[places.get(row.trial, -1) for row, _ in here],
                notes=[_note(*pair) for pair in here],
            )
        )
    return series


def _note(finalist: Finalist, measured: MeasuredLatency) -> str:
    predicted = "" if finalist.latency is None else f"predicted {_TIME.text(finalist.latency)}\n"
    return (
        f"{finalist.fingerprint}, {origin_text(finalist.origin)}\ntop-1 {score_text(shown_score(finalist))} %\n"
        f"{predicted}measured {_interval(measured)}"
    )


def _how(measured: MeasuredLatency) -> list[str]:
    """Runtime and state of the device behind a measurement."""
    conditions = measured.conditions
    means = [
        " ".join(filter(None, (conditions.runtime, conditions.version))),
        conditions.cpu or conditions.machine or "",
        counted(conditions.threads, "thread") if conditions.threads else "",
    ]
    parts = [f"Measured by {', '.join(filter(None, means))}."] if any(means) else []
    if (slower := finite(conditions.slower)) is not None:
        parts.append(
            f"Times are at the speed that the device was profiled at; when measured, it was {slower:.2f} times as slow."
        )
    return parts


def _interval(measured: MeasuredLatency, *, n: bool = True) -> str:
    low, high = (_TIME.number_and_unit(end)[0] for end in (measured.low, measured.high))
    return f"{_TIME.text(measured.p50)} ({low} to {high}{f', n = {measured.n}' if n else ''})"


def _against_baseline(winner: Finalist, baseline: Finalist | None) -> tuple[str, ...]:
    mine, theirs = winner.measured, baseline.measured if baseline else None
    if mine is None or theirs is None or baseline is None or winner.fingerprint == baseline.fingerprint:
        return ()
    low, high = mine.low / theirs.high, mine.high / theirs.low
    ratio = f"{mine.p50 / theirs.p50:.2f} of the baseline’s time (at least {low:.2f}, at most {high:.2f})"
    if low <= 1 <= high:
        return (f"Against the baseline no difference in time is shown: {ratio}.",)
    return (f"It takes {ratio}.",)
