"""What several runs say together, as ``report RUN RUN --json`` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from edgenext_search.report.run.words import shown_score
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import finite
from edgenext_search.results import Result
from edgenext_search.search.comparability import Difference
from edgenext_search.search.results import Finalist, Gain, Status
from edgenext_search.search.store.records import Score

SIGNIFICANCE = 0.05


class ComparedRun(Result):
    """One of the runs; the keys are those of a run's summary."""

    name: str
    """Name among the runs."""
    run: str
    """Path of the run folder."""
    status: Status
    """As in a run's summary."""
    study: str
    """Name of the study."""
    budget: dict[str, int]
    """Caps by cost."""
    winner: Finalist | None
    """The best finalist; null before there is one."""
    baseline: Finalist | None
    """The published shape that was scaled to the budget; null before it is scored."""
    gain: Gain | None
    """Winner against baseline; null where one is missing."""


class ComparisonResult(Result):
    """What several runs say together."""

    comparable: bool
    """Whether the winners may be ranked: same images and split, proxy training, seeds and deployment."""
    differences: tuple[Difference, ...]
    """What forbids a ranking."""
    ranking: tuple[str, ...] | None
    """Names of the runs with a winner that fresh seeds have scored, best first; null where they may not be ranked."""
    runs: tuple[ComparedRun, ...]
    """The runs, in the order given."""
    report: str = ""
    """Path of the page."""


class Outcome(StrEnum):
    """Which of several runs has the best winner; ``AHEAD`` where chance may have put it before the second."""

    NOT_COMPARABLE = "not comparable"
    NO_WINNER = "no winner"
    ONLY_WINNER = "only winner"
    BEST = "best"
    AHEAD = "ahead"
    LEVEL = "level"


def compare_runs(runs: Sequence[Study], differences: Sequence[Difference]) -> ComparisonResult:
    """Rank the winners of several runs, where that is allowed.

    Runs are ranked by the score over the seeds that chose nothing, where winners had a re-match.
    """
    ranked = [run.name for run in sorted(filter(_is_scored, runs), key=lambda run: -_mean(run))]
    return ComparisonResult(
        comparable=not differences,
        differences=tuple(differences),
        ranking=None if differences else tuple(ranked),
        runs=tuple(
            ComparedRun(
                name=run.name,
                **{field: getattr(run.summary, field) for field in ComparedRun.model_fields if field != "name"},
            )
            for run in runs
        ),
    )


def outcome(result: ComparisonResult) -> Outcome:
    """Which of the runs has the best winner."""
    if result.ranking is None:
        return Outcome.NOT_COMPARABLE
    if len(result.ranking) < 2:
        return Outcome.ONLY_WINNER if result.ranking else Outcome.NO_WINNER
    if len(best_runs(result)) > 1:
        return Outcome.LEVEL
    first, second = (shown_score(run.winner) for run in ranked_runs(result)[:2] if run.winner)
    return Outcome.BEST if _established(first, second) else Outcome.AHEAD


def ranked_runs(result: ComparisonResult) -> list[ComparedRun]:
    """The runs of the ranking, best first."""
    by_name = {run.name: run for run in result.runs}
    return [by_name[name] for name in result.ranking or ()]


def best_runs(result: ComparisonResult) -> list[ComparedRun]:
    """The runs whose winners have the best score."""
    ranked = ranked_runs(result)
    return [run for run in ranked if _score(run.winner) == _score(ranked[0].winner)]


def _is_scored(run: Study) -> bool:
    """Whether the winner's score is no longer that of the search, which chose it and flatters it."""
    winner = run.summary.winner
    return winner is not None and _score(winner) is not None and winner.fresh_seeds > 0


def _mean(run: Study) -> float:
    return _score(run.summary.winner) or 0.0


def _score(winner: Finalist | None) -> float | None:
    return None if winner is None else finite(shown_score(winner).mean)


def _established(first: Score, second: Score) -> bool:
    """Whether two mean scores differ by Welch's t test at the 5 % level; False where one has a single seed."""
    if first.std is None or second.std is None:
        return False
    from scipy.stats import ttest_ind_from_stats

    sides = (first.mean, first.std, first.n), (second.mean, second.std, second.n)
    return bool(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue < SIGNIFICANCE)
