"""Long trainings of an audit: which candidates, which seeds, and what the scores of the search say about them."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgenext_search.arch.candidate import Candidate
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.ranking.results import (
    AuditCandidate,
    AuditFailure,
    AuditFidelity,
    AuditPoint,
    AuditResult,
    AuditSeries,
    AuditSize,
    SeedScore,
)
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import BASELINE, AuditFacts, Score, TrialRecord
from edgenext_search.search.store.store import StudyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A candidate that is trained longer.

    Attributes:
        trial: The trial that it is from.
        scores: Top-1 by seed, in [0, 1].
        reasons: By seed, why there is no score.
    """

    trial: TrialRecord
    scores: dict[int, float]
    reasons: dict[int, str]

    def result(self, ranking_scores: Mapping[int, float]) -> AuditCandidate:
        """The candidate with its references, of which there is one at least.

        Args:
            ranking_scores: Its ranking score at each rung that it finished, by epoch.
        """
        trial = self.trial
        return AuditCandidate(
            fingerprint=trial.candidate.fingerprint,
            trial=trial.number,
            origin=trial.origin,
            params=trial.cost.params,
            madds=trial.cost.madds,
            curve=tuple(
                AuditPoint(epochs=epochs, score=score, ranking_score=ranking_scores[epochs])
                for epochs, score in trial.curve
            ),
            reference=Score.of([*self.scores.values()]),
            scores=tuple(SeedScore(seed=seed, score=score) for seed, score in self.scores.items()),
        )


def can_be_audited(trial: TrialRecord) -> bool:
    """Whether a trial has a score of its own, and did not fail later."""
    return trial.score is not None and trial.duplicate_of is None and trial.reason is None


def sample(trials: Sequence[TrialRecord], n: int, *, seed: int) -> list[TrialRecord]:
    """A stratified sample of the trials that can be audited, in which every smaller one is contained.

    Trials stand in a line, those trained equally long together, by score. The sample is the baseline, then one trial
    after another: the nearest that is left to the next point of van der Corput's sequence, shifted at random. Any
    number of its first points are spread evenly, so is the sample: over how long was trained, and over the scores.

    Args:
        trials: All trials of the study.
        n: How many, with the baseline; all that there are, where they are fewer.
        seed: Of the shift.
    """
    from scipy.stats import qmc

    line = sorted(filter(can_be_audited, trials), key=lambda t: (t.epochs, t.score or 0.0, t.number))
    chosen = [trial for trial in line if trial.number == BASELINE][:n]
    left = [index for index, trial in enumerate(line) if trial.number != BASELINE]
    shift, count = random.Random(seed).random(), len(line)
    for offset in qmc.Halton(d=1, scramble=False).random(min(n, count) - len(chosen)).ravel():  # van der Corput's
        point = (float(offset) + shift) % 1.0 * count - 0.5
        at = bisect.bisect_left(left, point)
        near = [i for i in (at - 1, at) if 0 <= i < len(left)]
        chosen.append(line[left.pop(min(near, key=lambda i: abs(left[i] - point)))])
    return chosen


def reference_seeds(seed: int, n: int) -> list[int]:
    """Training seeds of ``n`` long trainings: never that of the search, nor one of its finalists' fresh seeds."""
    return [seed + 500_000 + 1_000_000 * index for index in range(n)]


def drawn(store: StudyStore, recipe: ResolvedRecipe, n: int) -> list[int]:
    """Numbers of the :func:`sample` of today's trials."""
    return [trial.number for trial in sample(store.records(), n, seed=recipe.search.seed)]


def drawn_by(facts: AuditFacts, store: StudyStore, recipe: ResolvedRecipe) -> list[int]:
    """Numbers of the trials that an audit drew when it began; where it did not record them, drawn anew."""
    return drawn(store, recipe, facts.n) if facts.trials is None else list(facts.trials)


def sampled(store: StudyStore, numbers: Container[int]) -> dict[Candidate, str]:
    """Names of the candidates that an audit drew, by candidate."""
    trials = [trial for trial in filter(can_be_audited, store.records()) if trial.number in numbers]
    return {trial.candidate: f"trial {trial.number}" for trial in trials}


def pending(
    store: StudyStore, candidates: Iterable[Candidate], *, epochs: int, seeds: Sequence[int]
) -> list[tuple[Candidate, int]]:
    """Long trainings that are still to do: the first seed of all candidates before the second of any."""
    trained = {(fingerprint, seed) for fingerprint, of, seed in store.references() if of == epochs}
    return [
        (candidate, seed) for seed in seeds for candidate in candidates if (candidate.fingerprint, seed) not in trained
    ]


def forget_failures(store: StudyStore, epochs: int) -> None:
    """Take back the failures of trainings of so many epochs where nothing else came of any: they are tried again.

    Whatever made the first trainings all fail stopped the series, and is mended when somebody goes on with it.
    """
    results = {key: result for key, result in store.references().items() if key[1] == epochs}
    if not any(isinstance(result, float) for result in results.values()):
        for fingerprint, _, seed in results:
            store.add_reference(fingerprint, epochs, seed, None)


def audited(store: StudyStore, trials: Container[int], *, epochs: int) -> list[Reference]:
    """Those that an audit drew, and whoever has been trained as long in an earlier one, with what came of it."""
    results_by_candidate: dict[str, dict[int, float | str]] = {}
    for (fingerprint, trained, seed), result in sorted(store.references().items()):
        if trained == epochs:
            results_by_candidate.setdefault(fingerprint, {})[seed] = result
    references = []
    for trial in filter(can_be_audited, store.records()):
        if trial.number not in trials and trial.candidate.fingerprint not in results_by_candidate:
            continue
        results = results_by_candidate.get(trial.candidate.fingerprint, {})
        references.append(
            Reference(
                trial=trial,
                scores={seed: result for seed, result in results.items() if isinstance(result, float)},
                reasons={seed: result for seed, result in results.items() if isinstance(result, str)},
            )
        )
    return references


def audit_summary(store: StudyStore, recipe: ResolvedRecipe, *, running: bool = False) -> AuditResult | None:
    """What the latest audit of a run has found, from the record alone; None without an audit."""
    from edgenext_search.search.ranking.agreement import seeds_agree

    study = store.facts()
    if (facts := study.audit) is None:
        return None
    epochs, data = facts.epochs, study.data
    numbers = drawn_by(facts, store, recipe)
    references = audited(store, numbers, epochs=epochs)
    seeds = reference_seeds(recipe.search.seed, facts.seeds)
    open_ = len(pending(store, sampled(store, numbers), epochs=epochs, seeds=seeds))
    scored = [item for item in references if item.scores]
    by_trial = ranking_scores([item.trial for item in scored], recipe.search.rank_by)
    curves = [by_trial[item.trial.number] for item in scored]
    table = _table(scored)
    return AuditResult(
        status="complete" if not open_ else "running" if running else "interrupted",
        fidelity=AuditFidelity(
            img_size=recipe.proxy.img_size,
            epochs=epochs,
            train_images=data and data.train_images,
            val_images=data and data.val_images,
            rank_by=recipe.search.rank_by,
        ),
        asked=AuditSize(n=facts.n, seeds=facts.seeds),
        n=len(scored),
        seeds=max((len(item.scores) for item in scored), default=0),
        open=open_,
        failed=tuple(
            AuditFailure(
                fingerprint=item.trial.candidate.fingerprint, trial=item.trial.number, seed=seed, reason=reason
            )
            for item in references
            for seed, reason in item.reasons.items()
        ),
        candidates=tuple(item.result(curve) for item, curve in zip(scored, curves, strict=True)),
        seeds_agree=seeds_agree(table, seed=recipe.search.seed) if scored else None,
        series=tuple(_series(scored, curves, table, recipe, epochs)) if scored else (),
        seconds=study.seconds_so_far(facts.seconds, running=running and bool(open_)),
        conditions=facts.conditions,
    )


def _table(references: Sequence[Reference]) -> list[list[float]]:
    """Scores of the references by candidate and seed; NaN where there is none."""
    seeds = sorted({seed for item in references for seed in item.scores})
    return [[item.scores.get(seed, math.nan) for seed in seeds] for item in references]


def _series(
    references: Sequence[Reference],
    curves: Sequence[Mapping[int, float]],
    table: Sequence[Sequence[float]],
    recipe: ResolvedRecipe,
    epochs: int,
) -> Iterator[AuditSeries]:
    """How what ranks at each rung, and the costs alone, agree with the references."""
    from edgenext_search.search.ranking.agreement import judge, pairwise_accuracy

    seed = recipe.search.seed
    params = [float(item.trial.cost.params) for item in references]
    madds = [float(item.trial.cost.madds) for item in references]
    covariates = [[math.log(count) for count in counts] for counts in zip(params, madds, strict=True)]
    for epoch in recipe.proxy.rung_epochs:
        scores = [curve.get(epoch, math.nan) for curve in curves]
        by_cost = [
            pairwise_accuracy([math.nan if math.isnan(score) else count for count, score in pairs], table, seed=seed)
            for pairs in (zip(counts, scores, strict=True) for counts in (params, madds))
        ]
        yield AuditSeries(
            name=f"rung:{epoch}",
            epochs=epoch,
            cost_ratio=epoch / epochs,
            **judge(scores, table, covariates, seed=seed).to_fields(),
            params_pairwise_accuracy=by_cost[0],
            madds_pairwise_accuracy=by_cost[1],
        )
    for name, counts in (("params", params), ("madds", madds)):
        agreement = judge(counts, table, seed=seed)
        yield AuditSeries(name=name, epochs=0, cost_ratio=0.0, **agreement.to_fields())
