"""The answer to the user's question, in a sentence or two: did the search beat the published shape?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.arch.budget import TIMES
from edgenext_search.report.latency_words import latency_sentences, refusal
from edgenext_search.report.wording import (
    COST_LABELS,
    cost_text,
    costs_of_front,
    fresh_seeds,
    is_published,
    is_same,
    known_cost,
    listed,
    number_or_none,
    origin_text,
    points,
    score_text,
    shown_score,
)


def verdict(summary: Mapping[str, Any]) -> str:
    """What the study found, in plain words.

    Args:
        summary: The run's summary.

    Returns:
        One sentence, and a second one where the first could be read as more than it is.
    """
    return " ".join(verdict_sentences(summary))


def verdict_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """:func:`verdict`, the answer first and what qualifies it after.

    Where latency is capped and no measured candidate holds the cap, that is the answer.
    """
    answer = _scores(summary)
    if (refused := refusal(summary)) is None:
        return (*answer, *latency_sentences(summary))
    first, *rest = answer
    first = first if first.startswith("EdgeNeXt") else f"{first[0].lower()}{first[1:]}"
    return refused, f"By accuracy alone, {first}", *rest, *latency_sentences(summary)


def _scores(summary: Mapping[str, Any]) -> tuple[str, ...]:
    winner, baseline = summary.get("winner"), summary.get("baseline")
    if winner is None:
        return _no_winner(summary)
    so_far = "So far, " if summary.get("status") in ("interrupted", "running") else ""
    if baseline is None:
        return (
            _sentence(f"{so_far}{_name(winner)} scores best, {score_text(winner['score'])} % top-1."),
            "There is no baseline to compare it with.",
        )
    if is_same(winner, baseline):
        text = f"{so_far}no candidate beat the baseline: {_shape(baseline)} itself comes first, with a top-1 of "
        return (_sentence(f"{text}{_percent_score(baseline)}."),)
    return _comparison(summary, winner, baseline, so_far)


def front_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Which finalists are on the front of accuracy and costs, one sentence each; none for accuracy alone.

    Args:
        summary: The run's summary.
    """
    costs, front = costs_of_front(summary), summary.get("front") or []
    if not costs or not front:
        return ()
    what = listed(["top-1", *(COST_LABELS[name] for name in costs)])
    if not front[1:]:
        return (_sentence(f"{_name(front[0])} is at least as good as every other finalist in {what}."),)
    count = f"{len(front)} of the {len(summary.get('finalists') or front)} finalists"
    return (
        f"{count} are on the front of {what}: none is better in one without being worse in another.",
        *(_sentence(f"{_name(row)}: {_percent_score(row)}, {_costs(row, costs)}.") for row in front),
    )


def _costs(row: Mapping[str, Any], names: Sequence[str]) -> str:
    texts = []
    for name in names:
        predicted = ", predicted" if name in TIMES and not row.get("measured") else ""
        texts.append(f"{cost_text(name, known_cost(name, row) or 0.0)}{predicted}")
    return ", ".join(texts)


def is_established(summary: Mapping[str, Any]) -> bool:
    """Whether the winner's gain over the baseline has an interval and the interval lies above zero."""
    low = number_or_none((summary.get("gain") or {}).get("low"))
    high = number_or_none((summary.get("gain") or {}).get("high"))
    return low is not None and high is not None and low > 0


def gain_of(summary: Mapping[str, Any]) -> float | None:
    """The winner's mean score less the baseline's; None where one is missing or not a number."""
    mean = number_or_none((summary.get("gain") or {}).get("mean"))
    winner, baseline = summary.get("winner"), summary.get("baseline")
    if mean is not None or winner is None or baseline is None:
        return mean
    mine, theirs = (number_or_none(shown_score(side)["mean"]) for side in (winner, baseline))
    return None if mine is None or theirs is None else mine - theirs


def interval_text(summary: Mapping[str, Any]) -> str | None:
    """``95% interval +1.0 to +9.0 points``; None where there is no interval."""
    gain = summary.get("gain") or {}
    low, high = number_or_none(gain.get("low")), number_or_none(gain.get("high"))
    if low is None or high is None:
        return None
    return f"{100 * gain.get('confidence', 0.95):g}% interval {points(low)} to {points(high)} points"


def _comparison(
    summary: Mapping[str, Any], winner: Mapping[str, Any], baseline: Mapping[str, Any], so_far: str
) -> tuple[str, ...]:
    mean, interval = gain_of(summary), interval_text(summary)
    pairs = (summary.get("gain") or {}).get("n", 0)
    against = f"the baseline, {_shape(baseline)}"
    seeds = (
        f"{pairs} further seeds each" if pairs > 1 else "one further seed each" if pairs else _seeds(winner, baseline)
    )
    if mean is None:
        return (
            _sentence(f"{so_far}{_name(winner)} comes first, before {against}."),
            "Their scores cannot be compared: one of them is not a number.",
        )
    size = points(mean, signed=False)
    if float(size) == 0:
        text = f"{so_far}{_name(winner)} scores level with {against}"
    elif is_established(summary):
        text = f"{so_far}{_name(winner)} beats {against}, by {size} points of top-1"
    else:
        text = f"{so_far}{_name(winner)} scores {size} points of top-1 {'above' if mean > 0 else 'below'} {against}"
    if interval is None:
        return (
            _sentence(f"{text} ({seeds})."),
            "Without more seeds there is no interval, so the difference is not established.",
        )
    answer = _sentence(f"{text} ({interval}, {seeds}).")
    if is_established(summary):
        return (answer,)
    if (number_or_none(summary["gain"]["high"]) or 0.0) < 0:
        return answer, "The interval lies below zero: the baseline is the better choice."
    return answer, "The interval includes zero, so the difference is not established."


def _no_winner(summary: Mapping[str, Any]) -> tuple[str, ...]:
    trials = summary.get("trials") or {}
    complete, failed = trials.get("complete", 0), trials.get("failed", 0)
    total = sum(trials.values())
    counts = ", ".join(f"{count} {state}" for state, count in trials.items()) or "no trials"
    if summary.get("status") == "running":
        return (f"No winner yet: the study is still running ({counts}).",)
    yet = "No winner yet" if summary.get("status") == "interrupted" else "No winner"
    if total and failed == total:
        what = "its only trial" if total == 1 else f"all {total} trials"
        return f"{yet}: {what} failed.", "The table of trials gives each reason."
    if summary.get("status") != "interrupted":
        return (f"{yet}: no candidate was trained through the last rung ({counts}).",)
    if complete:
        return (f"{yet}: the study was interrupted before its finalists were scored again ({counts}).",)
    return (f"{yet}: the study was interrupted before any candidate was trained through the last rung ({counts}).",)


def _name(finalist: Mapping[str, Any]) -> str:
    if is_published(finalist["origin"]):
        return f"{_shape(finalist)} ({finalist['fingerprint']})"
    return f"candidate {finalist['fingerprint']}"


def _shape(finalist: Mapping[str, Any]) -> str:
    return f"{origin_text(finalist['origin']).removesuffix(', scaled')} scaled to the budget"


def _percent_score(finalist: Mapping[str, Any]) -> str:
    mean, _, conditions = score_text(finalist["score"]).partition(" (")
    return f"{mean}% ({conditions}"


def _seeds(winner: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    fresh = [fresh_seeds(side) for side in (winner, baseline)]
    if not all(fresh):
        return "fresh seeds against one of the search" if any(fresh) else "one seed each, in the search"
    mine, theirs = winner["score"]["n"], baseline["score"]["n"]
    if mine == theirs:
        return "one seed each" if mine == 1 else f"n = {mine} seeds each"
    return f"n = {mine} seeds against {theirs}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
