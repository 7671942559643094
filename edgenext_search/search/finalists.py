"""Who is trained again with fresh seeds, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.search.records import Finalist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.search.recipe import SearchKeys, StudyRecipe
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
    chosen = choose_finalists(store.records(), recipe.search.finalists, expected)
    return rank_finalists(chosen, store.rescores(), expected, seeds=choosing_seeds(recipe.search))


def rank_finalists(
    chosen: Sequence[TrialRecord],
    rescores: Rescores,
    expected: Mapping[int, Expected] | None = None,
    *,
    seeds: Sequence[int],
) -> list[Finalist]:
    """The finalists as far as they are scored, best first: by mean score, then by fewer multiply-adds.

    Those that no fresh seed has scored come last, because the score that the search chose them for is optimistic.

    Args:
        chosen: The finalists' trials.
        rescores: All that fresh seeds have come to.
        expected: By number of the trial.
        seeds: The seeds that decide; what others came to is the re-match.
    """
    finalists = [
        Finalist(
            trial=trial.number,
            origin=trial.origin,
            candidate=trial.candidate,
            cost=trial.cost,
            search_score=trial.score or 0.0,
            scores=tuple(score for seed, score in found.items() if seed in seeds),
            expected=(expected or {}).get(trial.number),
            rematch=tuple((seed, score) for seed, score in found.items() if seed not in seeds),
        )
        for trial in chosen
        for found in (_scores(trial.candidate.fingerprint, rescores),)
    ]
    return sorted(finalists, key=lambda f: (not f.scores, -f.score.mean, f.cost.madds, f.trial))


def choosing_seeds(search: SearchKeys) -> list[int]:
    """The fresh seeds that each finalist is trained with, and that choose the winner."""
    return fresh_seeds(search.seed, search.rescore_seeds)


def rematch_seeds(search: SearchKeys) -> list[int]:
    """The seeds that winner and baseline are trained with once the winner is chosen."""
    return fresh_seeds(search.seed, search.rescore_seeds + search.rematch_seeds)[search.rescore_seeds :]


def fresh_seeds(seed: int, n: int) -> list[int]:
    """``n`` training seeds that are never the search's own, the same for all finalists."""
    return [seed + 1_000_000 * (index + 1) for index in range(n)]


def _scores(fingerprint: str, rescores: Rescores) -> dict[int, float]:
    results = {seed: result for (owner, seed), result in sorted(rescores.items()) if owner == fingerprint}
    return {seed: result for seed, result in results.items() if isinstance(result, float)}
