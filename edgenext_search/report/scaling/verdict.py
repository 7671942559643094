"""What a scaling study says: the error at the next size, whether shapes rank alike, which of two spaces is better."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.wording import caps_text, finite, listed, percent, range_text
from edgenext_search.scaling.records import PredictedError, RankPair, ScalingResult, SizeResult, SpacesComparison
from edgenext_search.search.ranking.results import EstimateResult
from edgenext_search.texts import counted

FEW = 8  # candidates below which orders and tests say little


class RankAgreement(StrEnum):
    """Whether shapes rank alike at different sizes."""

    TOO_FEW = "too few shapes"
    ALIKE = "alike"
    NOT_ESTABLISHED = "not established"


class Spaces(StrEnum):
    """Whether one of two spaces is better."""

    TOO_FEW = "too few candidates"
    BETTER = "better"
    NOT_ESTABLISHED = "not established"


_RANKS = {
    RankAgreement.TOO_FEW: "the order of {n} shapes says too little to tell whether they rank alike",
    RankAgreement.ALIKE: "the orders agree better than chance at each pair of sizes",
    RankAgreement.NOT_ESTABLISHED: "that the orders agree at each pair of sizes is not established",
}
_SPACES = {
    Spaces.TOO_FEW: "{first} has {n_first} scored candidates and {second} {n_second}: too few to compare.",
    Spaces.BETTER: "{better} is the better space here.",
    Spaces.NOT_ESTABLISHED: "Which space is better is not established.",
}


def ranks_verdict(n: int, pairs: Sequence[RankPair]) -> RankAgreement:
    """Whether ``n`` shapes rank alike at each pair of sizes, by the intervals of Kendall's tau."""
    if n < FEW:
        return RankAgreement.TOO_FEW
    return RankAgreement.ALIKE if all(map(_surely_positive, pairs)) else RankAgreement.NOT_ESTABLISHED


def spaces_verdict(comparison: SpacesComparison) -> Spaces:
    """Whether one of two spaces is better, by the test of Mann and Whitney."""
    if comparison.superiority is None:
        return Spaces.TOO_FEW
    return Spaces.NOT_ESTABLISHED if comparison.better is None else Spaces.BETTER


def scaling_sentences(result: ScalingResult) -> list[str]:
    """What was found, the answer first."""
    sentences = _of_study(result) if result.comparison is None else _of_spaces(result.comparison)
    if result.open:
        sentences.append(f"{counted(result.open, 'training is', 'trainings are')} still to do.")
    if result.failed:
        sentences.append(f"{counted(len(result.failed), 'training')} failed, and what they were part of is left out.")
    return sentences


def expected(error: PredictedError) -> EstimateResult:
    """A predicted error with its interval."""
    return EstimateResult(value=error.predicted, low=error.low, high=error.high)


def error_text(size: SizeResult) -> str:
    """The median error of the shapes at a size, in percent."""
    return percent(None if size.median is None else 1 - size.median)


def _of_study(result: ScalingResult) -> list[str]:
    if not result.laws:
        return ["No shape has been trained at every size yet."]
    law = result.laws[0]
    metric, following, largest = METRICS[law.cost], law.next, law.largest
    sizes = listed([caps_text(size.budget) for size in result.sizes])
    return [
        (
            f"The next size, {metric.text(following.cost)} {metric.words}, is expected to have an error of "
            f"{range_text(expected(following), 1)} %, the median of {result.n} shapes."
        ),
        (
            f"At {sizes} the median error is {listed([error_text(size) for size in result.sizes])} %. From the smaller "
            f"sizes alone, {range_text(expected(largest), 1)} % was expected at the largest: the 90 % interval "
            f"{'holds' if largest.covered else 'misses'} it."
        ),
        _ranks(result),
    ]


def _ranks(result: ScalingResult) -> str:
    n, pairs = result.n, result.ranks.pairs
    texts = [
        f"{' and '.join(caps_text(result.budgets[place]) for place in pair.sizes)} {range_text(pair.tau)}"
        for pair in pairs
        if pair.tau
    ]
    verdict = _RANKS[ranks_verdict(n, pairs)].format(n=n)
    return f"Kendall's tau between sizes: {listed(texts)}; {verdict}." if texts else f"{verdict.capitalize()}."


def _surely_positive(pair: RankPair) -> bool:
    """Whether tau is above 0 with its whole interval; a tau of 1 has none, as every resample has the same order."""
    return pair.tau is not None and (pair.tau.value == 1 or (finite(pair.tau.low) or 0.0) > 0)


def _of_spaces(comparison: SpacesComparison) -> list[str]:
    first, second = comparison.spaces
    answer = _SPACES[spaces_verdict(comparison)].format(
        first=first.name, second=second.name, n_first=first.n, n_second=second.n, better=comparison.better
    )
    if comparison.superiority is None:
        return [answer]
    wins = comparison.superiority
    low, high = (f"{100 * end:.0f}" for end in (wins.low, wins.high))
    sentences = [
        answer,
        (
            f"A random candidate of {first.name} beats one of {second.name} in {100 * wins.value:.0f} ({low} to "
            f"{high}) % of pairs (Mann-Whitney p = {wins.p:.2g})."
        ),
        (
            f"Mean errors are {first.mean:.1f} % and {second.mean:.1f} %, a difference of "
            f"{range_text(comparison.difference, 1)} points; the best of {first.n} and {second.n} have "
            f"{first.best:.1f} % and {second.best:.1f} %."
        ),
    ]
    if (n := min(first.n, second.n)) < FEW:
        sentences.append(f"With {n} candidates a test finds large differences only.")
    return sentences
