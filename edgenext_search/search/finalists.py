"""Who is trained again with fresh seeds, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.search.records import Finalist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.search.recipe import StudyRecipe
    from edgenext_search.search.records import Expected, TrialRecord
    from edgenext_search.search.store import StudyStore

BASELINE = 0  # number of the trial that the search has to beat
Rescores = dict[tuple[str, int], float | str]  # by fingerprint and seed: a score, or why there is none


def choose_finalists(
    trials: Sequence[TrialRecord], n: int, expected: Mapping[int, Expected] | None = None
) -> list[TrialRecord]:
    """The ``n`` best complete trials and the baseline, each candidate once.

    Best is what all trials together lead to expect most of; of equals the one with fewer multiply-adds, then the
    earlier. A trial's own score stands in where nothing is expected of it.

    Args:
        trials: All trials.
        n: How many.
        expected: By number of the trial.
    """

    def order(trial: TrialRecord) -> tuple[float, int, int]:
        known = (expected or {}).get(trial.number)
        return -(known.mean if known else trial.score or 0.0), trial.cost.madds, trial.number

    ranked = sorted((t for t in trials if t.state == "complete" and t.duplicate_of is None), key=order)
    return ranked[:n] + [trial for trial in ranked[n:] if trial.number == BASELINE]


def finalists_of(store: StudyStore, recipe: StudyRecipe) -> list[Finalist]:
    """The finalists of a study as far as they are scored, best first."""
    from edgenext_search.search.expectation import expectations

    expected = expectations(store, recipe)
    return rank_finalists(
        choose_finalists(store.records(), recipe.search.finalists, expected), store.rescores(), expected
    )


def rank_finalists(
    chosen: Sequence[TrialRecord], rescores: Rescores, expected: Mapping[int, Expected] | None = None
) -> list[Finalist]:
    """The finalists as far as they are scored, best first: by mean score, then by fewer multiply-adds.

    Those that no fresh seed has scored come last, because the score that the search chose them for is optimistic.
    """
    finalists = [
        Finalist(
            trial=trial.number,
            origin=trial.origin,
            candidate=trial.candidate,
            cost=trial.cost,
            search_score=trial.score or 0.0,
            scores=_scores(trial.candidate.fingerprint, rescores),
            expected=(expected or {}).get(trial.number),
        )
        for trial in chosen
    ]
    return sorted(finalists, key=lambda f: (not f.scores, -f.score.mean, f.cost.madds, f.trial))


def _scores(fingerprint: str, rescores: Mapping[tuple[str, int], float | str]) -> tuple[float, ...]:
    results = [result for (owner, _), result in sorted(rescores.items()) if owner == fingerprint]
    return tuple(result for result in results if isinstance(result, float))


def fresh_seeds(seed: int, n: int) -> list[int]:
    """The training seeds of a finalist's ``n`` repetitions: never that of the search, the same for all finalists."""
    return [seed + 1_000_000 * (index + 1) for index in range(n)]
