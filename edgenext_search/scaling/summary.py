"""What a scaling study has found so far, from its record alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.metrics import CostName
from edgenext_search.scaling.latency import latency_conditions, scaling_deployment
from edgenext_search.scaling.plan import Entry, Plan, entries
from edgenext_search.scaling.progress import open_trainings, plan_of
from edgenext_search.scaling.records import (
    BestShape,
    LawResult,
    RanksResult,
    ScalingCandidate,
    ScalingFailure,
    ScalingResult,
    ScalingSize,
    SizeResult,
    SpacesComparison,
)
from edgenext_search.search.ranking.references import reference_seeds
from edgenext_search.search.ranking.results import TrainingFidelity
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.records import DataSummary
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.store.store import StudyStore

COSTS: tuple[CostName, ...] = ("params", "madds", "acts", "latency")


def scaling_summary(
    run: RunFolder, recipe: ResolvedRecipe, store: StudyStore, *, running: bool = False
) -> ScalingResult:
    """The result of a scaling study.

    Raises:
        UserError: It is no scaling study.
    """
    plan, seed = plan_of(run, store), recipe.search.seed
    deployment = scaling_deployment(run, recipe)
    planned = entries(plan, deployment, seed=seed)
    seeds = reference_seeds(seed, plan.seeds)
    results = {
        (fingerprint, of): result
        for (fingerprint, epochs, of), result in store.references().items()
        if epochs == recipe.proxy.epochs
    }
    table = [[results.get((entry.candidate.fingerprint, of)) for of in seeds] for entry in planned]
    scores = [[score if isinstance(score, float) else math.nan for score in row] for row in table]
    findings = (_study if plan.kind == "study" else _comparison)(plan, planned, scores, recipe)
    open_, study_facts = open_trainings(store, recipe, plan), store.facts()
    data, facts = study_facts.data, study_facts.scaling
    return ScalingResult(
        run=str(run.path),
        report=str(run.report_file),
        kind=plan.kind,
        status="complete" if not open_ else "running" if running else "interrupted",
        study=recipe.name,
        seed=seed,
        spaces=tuple(str(space["name"]) for space in plan.spaces),
        budgets=tuple(budget.to_dict() for budget in plan.budgets),
        asked=ScalingSize(shapes=plan.shapes, seeds=plan.seeds),
        open=open_,
        failed=tuple(
            ScalingFailure(
                space=_space(plan, entry),
                shape=entry.shape,
                budget=plan.budgets[entry.budget].to_dict(),
                fingerprint=entry.candidate.fingerprint,
                seed=of,
                reason=result,
            )
            for entry, row in zip(planned, table, strict=True)
            for of, result in zip(seeds, row, strict=True)
            if isinstance(result, str)
        ),
        deployment=recipe.deployment.to_dict(),
        latency=latency_conditions(deployment, [entry.candidate for entry in planned]),
        data=data and DataSummary.model_validate(data.to_dict()),
        fidelity=TrainingFidelity(
            img_size=recipe.proxy.img_size,
            epochs=recipe.proxy.epochs,
            train_images=data and data.train_images,
            val_images=data and data.val_images,
        ),
        candidates=findings.candidates,
        n=findings.n,
        sizes=findings.sizes,
        laws=findings.laws,
        ranks=findings.ranks,
        comparison=findings.comparison,
        seconds=study_facts.seconds_so_far(facts.seconds if facts else 0.0, running=running and bool(open_)),
        conditions=facts and facts.conditions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What a study or a comparison finds; see :class:`ScalingResult` for the fields."""

    candidates: tuple[ScalingCandidate, ...]
    n: int = 0
    sizes: tuple[SizeResult, ...] = ()
    laws: tuple[LawResult, ...] = ()
    ranks: RanksResult = field(default_factory=RanksResult)
    comparison: SpacesComparison | None = None


def _space(plan: Plan, entry: Entry) -> str:
    return str(plan.spaces[entry.space]["name"])


def _candidates(
    plan: Plan, planned: Sequence[Entry], scores: Sequence[Sequence[float]]
) -> tuple[ScalingCandidate, ...]:
    return tuple(_candidate(plan, entry, row) for entry, row in zip(planned, scores, strict=True))


def _candidate(plan: Plan, entry: Entry, scores: Sequence[float]) -> ScalingCandidate:
    """A candidate with the scores that it has."""
    finite = tuple(score for score in scores if math.isfinite(score))
    return ScalingCandidate(
        space=_space(plan, entry),
        shape=entry.shape,
        budget=plan.budgets[entry.budget].to_dict(),
        fingerprint=entry.candidate.fingerprint,
        **{name: getattr(entry.cost, name) for name in COSTS},
        origin=entry.origin,
        candidate=entry.candidate,
        scores=finite,
        mean=statistics.fmean(finite) if finite else None,
        std=statistics.stdev(finite) if len(finite) > 1 else None,
    )


def _study(
    plan: Plan, planned: Sequence[Entry], scores: Sequence[Sequence[float]], recipe: ResolvedRecipe
) -> _Findings:
    """What a study of one space finds, from shapes that have a score at every size."""
    rows = _candidates(plan, planned, scores)
    places = {(entry.shape, entry.budget): place for place, entry in enumerate(planned)}
    by_shape = [[places[shape, size] for size in range(len(plan.budgets))] for shape in range(plan.shapes)]
    whole = [shape for shape in by_shape if all(rows[place].mean is not None for place in shape)]
    sizes = tuple(_size(budget, [rows[shape[size]] for shape in whole]) for size, budget in enumerate(plan.budgets))
    if not whole:
        return _Findings(candidates=rows, sizes=sizes)
    from edgenext_search.scaling.statistics import laws, rank_agreement

    costs: dict[CostName, list[list[float]]] = {
        name: [[float(getattr(rows[place], name)) for place in shape] for shape in whole]
        for name in COSTS
        if getattr(rows[0], name) is not None
    }
    table, seed = [[scores[place] for place in shape] for shape in whole], recipe.search.seed
    return _Findings(
        candidates=rows,
        n=len(whole),
        sizes=sizes,
        laws=tuple(laws(costs, table, seed=seed)),
        ranks=rank_agreement(table, seed=seed),
    )


def _size(budget: Budget, rows: Sequence[ScalingCandidate]) -> SizeResult:
    """The shapes at one size."""
    means = [row.mean for row in rows if row.mean is not None]
    best = max(rows, key=lambda row: row.mean or 0.0, default=None)
    return SizeResult(
        budget=budget.to_dict(),
        n=len(means),
        mean=statistics.fmean(means) if means else None,
        median=statistics.median(means) if means else None,
        std=statistics.stdev(means) if len(means) > 1 else None,
        **{
            name: statistics.geometric_mean(counts)
            for name in COSTS
            if (counts := [count for row in rows if (count := getattr(row, name)) is not None])
        },
        best=best and BestShape(shape=best.shape, origin=best.origin, fingerprint=best.fingerprint, mean=best.mean),
    )


def _comparison(
    plan: Plan, planned: Sequence[Entry], scores: Sequence[Sequence[float]], recipe: ResolvedRecipe
) -> _Findings:
    """What a comparison of two spaces finds."""
    from edgenext_search.scaling.statistics import compare

    rows = _candidates(plan, planned, scores)
    sides = [
        [100 * (1 - row.mean) for entry, row in zip(planned, rows, strict=True)
         if entry.space == place and row.mean is not None]
        for place in range(2)
    ]  # fmt: skip
    names = [str(space["name"]) for space in plan.spaces]
    return _Findings(candidates=rows, comparison=compare(names, sides, seed=recipe.search.seed))
