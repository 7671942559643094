"""Who is trained again with fresh seeds, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.search.records import Finalist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.search.records import TrialRecord

BASELINE = 0  # number of the trial that the search has to beat
Rescores = dict[tuple[str, int], float | str]  # by fingerprint and seed: a score, or why there is none


def choose_finalists(trials: Sequence[TrialRecord], n: int) -> list[TrialRecord]:
    """The ``n`` best complete trials and the baseline, each candidate once."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.duplicate_of is None]
    ranked = sorted(complete, key=lambda trial: (-(trial.score or 0.0), trial.number))
    return ranked[:n] + [trial for trial in ranked[n:] if trial.number == BASELINE]


def rank_finalists(chosen: Sequence[TrialRecord], rescores: Rescores) -> list[Finalist]:
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
