"""The answer to the question of a run: is its winner better than the published shape?"""

from __future__ import annotations

from enum import StrEnum

from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.report.run.latency import latency_sentences, none_holds
from edgenext_search.report.run.words import is_same, objective_costs, objectives_text
from edgenext_search.report.wording import finite, is_published, points, score_text, sentence, variant_text
from edgenext_search.search.results import Finalist, Gain, RunSummary


class Verdict(StrEnum):
    """What a run has found."""

    BETTER = "better"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"
    NO_INTERVAL = "no interval"
    NOT_COMPARABLE = "not comparable"
    BASELINE = "baseline"
    NO_BASELINE = "no baseline"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ALL_FAILED = "all failed"
    NONE_COMPLETE = "none complete"


_SENTENCES = {
    Verdict.BETTER: ("{winner} beats {baseline}, by {size} points of top-1 ({interval}, {seeds}).",),
    Verdict.WORSE: (
        "{winner} scores {difference} {baseline} ({interval}, {seeds}).",
        "The interval lies below zero: the baseline is the better choice.",
    ),
    Verdict.INCONCLUSIVE: (
        "{winner} scores {difference} {baseline} ({interval}, {seeds}).",
        "The interval includes zero, so the difference is not established.",
    ),
    Verdict.NO_INTERVAL: (
        "{winner} scores {difference} {baseline} ({seeds}).",
        "Without more seeds there is no interval, so the difference is not established.",
    ),
    Verdict.NOT_COMPARABLE: (
        "{winner} comes first, before {baseline}.",
        "Their scores cannot be compared: one of them is not a number.",
    ),
    Verdict.BASELINE: ("no candidate beat {baseline}: it comes first itself, with a top-1 of {score}.",),
    Verdict.NO_BASELINE: (
        "{winner} scores best, with a top-1 of {score}.",
        "There is no baseline to compare it with.",
    ),
    Verdict.RUNNING: ("No winner yet: the study is still running ({counts}).",),
    Verdict.INTERRUPTED: ("No winner yet: the study was interrupted before its finalists were scored ({counts}).",),
    Verdict.ALL_FAILED: ("No winner: all trials failed ({counts}).", "The table of trials gives each reason."),
    Verdict.NONE_COMPLETE: ("No winner: no candidate was trained through the last rung ({counts}).",),
}
"""The answer, and where needed a sentence that qualifies it."""


def verdict_of(summary: RunSummary) -> Verdict:
    """What a run has found, by its interval alone."""
    winner, baseline = summary.winner, summary.baseline
    if winner is None:
        return _without_winner(summary)
    if baseline is None:
        return Verdict.NO_BASELINE
    if is_same(winner, baseline):
        return Verdict.BASELINE
    if summary.gain is None or finite(summary.gain.mean) is None:
        return Verdict.NOT_COMPARABLE
    low, high = finite(summary.gain.low), finite(summary.gain.high)
    if low is None or high is None:
        return Verdict.NO_INTERVAL
    return Verdict.BETTER if low > 0 else Verdict.WORSE if high < 0 else Verdict.INCONCLUSIVE


def answer_and_qualifiers(summary: RunSummary) -> tuple[str, ...]:
    """The answer, then what qualifies it: the interval, the latency, the front.

    Where latency is capped and no measured candidate holds the cap, that is the answer.
    """
    answer, *rest = _said(summary)
    qualifiers = (*latency_sentences(summary), *front_sentences(summary))
    if (refused := none_holds(summary)) is None:
        return (sentence(answer), *rest, *qualifiers)
    return (refused, f"By accuracy alone: {answer}", *rest, *qualifiers)


def front_sentences(summary: RunSummary) -> tuple[str, ...]:
    """Which finalists are on the front of accuracy and costs, one sentence each; none for accuracy alone."""
    costs, front = objective_costs(summary), summary.front
    if not costs or not front:
        return ()
    what = objectives_text(costs)
    if not front[1:]:
        return (sentence(f"{_name(front[0])} is at least as good as every other finalist in {what}."),)
    return (
        (
            f"{len(front)} of the {len(summary.finalists)} finalists are on the front of {what}: none is better in one "
            "without being worse in another."
        ),
        *(sentence(f"{_name(row)}: {_costs(row, costs)}.") for row in front),
    )


def gain_text(gain: Gain | None) -> str | None:
    """``95 % interval +1.0 to +9.0 points``; None if there is no interval."""
    if gain is None or finite(gain.low) is None or finite(gain.high) is None:
        return None
    return f"{100 * gain.confidence:g} % interval {points(gain.low)} to {points(gain.high)} points"


def known_cost(finalist: Finalist, name: CostName) -> int | float | None:
    """A cost of a finalist; the latency as measured where it was."""
    if name == "latency" and finalist.measured:
        return finalist.measured.p50
    value: int | None = getattr(finalist, name)
    return value


def _said(summary: RunSummary) -> list[str]:
    verdict, winner, baseline, gain = verdict_of(summary), summary.winner, summary.baseline, summary.gain
    size = points(gain.mean if gain else None, signed=False)
    level = gain is not None and finite(gain.mean) is not None and float(size) == 0
    side = "above" if gain is not None and gain.mean > 0 else "below"
    counts = ", ".join(f"{count} {state}" for state, count in summary.trials.to_dict().items())
    texts = [
        text.format(
            winner=_name(winner) if winner else "",
            baseline=f"the baseline, {_shape(baseline)}" if baseline else "",
            score=_score(winner) if winner else "",
            size=size,
            difference="level with" if level else f"{size} points of top-1 {side}",
            interval=gain_text(gain),
            seeds=_seeds(winner, baseline, gain) if winner and baseline else "",
            counts=counts,
        )
        for text in _SENTENCES[verdict]
    ]
    if winner is not None and summary.status != "complete":
        texts[0] = f"so far, {texts[0]}"
    return texts


def _without_winner(summary: RunSummary) -> Verdict:
    trials = summary.trials
    if summary.status == "running":
        return Verdict.RUNNING
    if trials.failed and trials.failed == trials.complete + trials.pruned + trials.failed + trials.open:
        return Verdict.ALL_FAILED
    return Verdict.INTERRUPTED if summary.status == "interrupted" else Verdict.NONE_COMPLETE


def _costs(finalist: Finalist, names: list[CostName]) -> str:
    texts = [f"{_score(finalist)} top-1"]
    for name in names:
        if (value := known_cost(finalist, name)) is not None:
            predicted = ", predicted" if name == "latency" and finalist.measured is None else ""
            texts.append(f"{METRICS[name].text(value)} {METRICS[name].words}{predicted}")
    return ", ".join(texts)


def _name(finalist: Finalist) -> str:
    if is_published(finalist.origin):
        return f"{_shape(finalist)} ({finalist.fingerprint})"
    return f"candidate {finalist.fingerprint}"


def _shape(finalist: Finalist) -> str:
    return f"{variant_text(finalist.origin)} scaled to the budget"


def _score(finalist: Finalist) -> str:
    mean, _, conditions = score_text(finalist.score).partition(" (")
    return f"{mean} % ({conditions}"


def _seeds(winner: Finalist, baseline: Finalist, gain: Gain | None) -> str:
    """How many seeds are behind the comparison."""
    if gain is not None and gain.n:
        return "one further seed each" if gain.n == 1 else f"{gain.n} further seeds each"
    fresh = [side.fresh_seeds > 0 for side in (winner, baseline)]
    if not all(fresh):
        return "fresh seeds against one of the search" if any(fresh) else "one seed each, in the search"
    mine, theirs = winner.score.n, baseline.score.n
    if mine == theirs:
        return "one seed each" if mine == 1 else f"n = {mine} seeds each"
    return f"n = {mine} seeds against {theirs}"
