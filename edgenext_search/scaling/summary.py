"""What a scaling study has found so far, from its record alone."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from edgenext_search.scaling.latency import latency_facts, scaling_deployment
from edgenext_search.scaling.plan import Entry, Plan, entries
from edgenext_search.scaling.progress import open_trainings, plan_of
from edgenext_search.search.ranking.references import reference_seeds
from edgenext_search.search.store.kind import SCALING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.run_folder import RunFolder
    from edgenext_search.search.store.store import StudyStore

COSTS = ("params", "madds", "acts", "latency")


def scaling_summary(
    run: RunFolder, recipe: ResolvedRecipe, store: StudyStore, *, running: bool = False
) -> dict[str, Any]:
    """The result of a scaling study, as ``--json`` prints it; ``docs/json.md`` describes its keys.

    Args:
        run: Its folder.
        recipe: Its study.
        store: Its record.
        running: Whether another process works on it.

    Raises:
        UserError: It is no scaling study.
    """
    plan = plan_of(run, store)
    deployment = scaling_deployment(run, recipe)
    wanted = entries(plan, deployment, seed=recipe.search.seed)
    seeds = reference_seeds(recipe.search.seed, plan.seeds)
    results = {
        (fingerprint, seed): result
        for (fingerprint, epochs, seed), result in store.references().items()
        if epochs == recipe.proxy.epochs
    }
    open_ = open_trainings(store, recipe, plan)
    data, fact = store.fact("data") or {}, store.fact(SCALING)
    failed = [
        {**_named(plan, entry), "seed": seed, "reason": result}
        for entry in wanted
        for seed in seeds
        if isinstance(result := results.get((entry.candidate.fingerprint, seed)), str)
    ]
    table = [
        [score if isinstance(score := results.get((entry.candidate.fingerprint, seed)), float) else math.nan
         for seed in seeds]
        for entry in wanted
    ]  # fmt: skip
    found = _study(plan, wanted, table, recipe) if plan.kind == "study" else _comparison(plan, wanted, table, recipe)
    return {
        "run": str(run.path),
        "report": str(run.report_file),
        "kind": plan.kind,
        "status": "complete" if not open_ else "running" if running else "interrupted",
        "study": recipe.name,
        "seed": recipe.search.seed,
        "spaces": [space["name"] for space in plan.spaces],
        "budgets": [budget.to_dict() for budget in plan.budgets],
        "asked": {"shapes": plan.shapes, "seeds": plan.seeds},
        "open": open_,
        "failed": failed,
        "deployment": recipe.deployment.to_dict(),
        "latency": latency_facts(deployment, [entry.candidate for entry in wanted]),
        "data": {key: value for key, value in data.items() if key != "fingerprint"},
        "fidelity": {
            "img_size": recipe.proxy.img_size,
            "epochs": recipe.proxy.epochs,
            "train_images": data.get("train_images"),
            "val_images": data.get("val_images"),
        },
        **found,
        "seconds": round(fact["seconds"], 1),
        "conditions": fact["conditions"],
    }


def _named(plan: Plan, entry: Entry) -> dict[str, Any]:
    return {
        "space": plan.spaces[entry.space]["name"],
        "shape": entry.shape,
        "budget": plan.budgets[entry.budget].to_dict(),
        "fingerprint": entry.candidate.fingerprint,
    }


def _row(plan: Plan, entry: Entry, scores: Sequence[float]) -> dict[str, Any]:
    """A candidate with its scores."""
    known = [score for score in scores if math.isfinite(score)]
    return {
        **_named(plan, entry),
        "origin": entry.origin,
        "candidate": entry.candidate.to_dict(),
        **{name: value for name in COSTS if (value := getattr(entry.cost, name)) is not None},
        "scores": known,
        "mean": statistics.fmean(known) if known else None,
        "std": statistics.stdev(known) if len(known) > 1 else None,
    }


def _study(
    plan: Plan, wanted: Sequence[Entry], table: Sequence[Sequence[float]], recipe: ResolvedRecipe
) -> dict[str, Any]:
    from edgenext_search.scaling.statistics import laws, rank_agreement

    rows = [_row(plan, entry, scores) for entry, scores in zip(wanted, table, strict=True)]
    sizes = range(len(plan.budgets))
    by_shape = [
        [next(i for i, entry in enumerate(wanted) if (entry.shape, entry.budget) == (shape, size)) for size in sizes]
        for shape in range(plan.shapes)
    ]
    whole = [places for places in by_shape if all(rows[i]["mean"] is not None for i in places)]
    scores = [[list(table[i]) for i in places] for places in whole]
    costs = {name: [[float(rows[i][name]) for i in places] for places in whole] for name in COSTS if name in rows[0]}
    budgets = []
    for size in sizes:
        means = [rows[places[size]]["mean"] for places in whole]
        best = max((rows[places[size]] for places in whole), key=lambda row: row["mean"], default=None)
        budgets.append(
            {
                "budget": plan.budgets[size].to_dict(),
                "n": len(means),
                "mean": statistics.fmean(means) if means else None,
                "median": statistics.median(means) if means else None,
                "std": statistics.stdev(means) if len(means) > 1 else None,
                **{
                    name: statistics.geometric_mean([row[size] for row in costs[name]]) if whole else None
                    for name in costs
                },
                "best": None
                if best is None
                else {key: best[key] for key in ("shape", "origin", "fingerprint", "mean")},
            }
        )
    seed = recipe.search.seed
    return {
        "n": len(whole),
        "sizes": budgets,
        "laws": laws(costs, scores, seed=seed) if whole else [],
        "ranks": rank_agreement(scores, seed=seed) if whole else {"pairs": [], "seeds": []},
        "candidates": rows,
    }


def _comparison(
    plan: Plan, wanted: Sequence[Entry], table: Sequence[Sequence[float]], recipe: ResolvedRecipe
) -> dict[str, Any]:
    from edgenext_search.scaling.statistics import compare

    rows = [_row(plan, entry, scores) for entry, scores in zip(wanted, table, strict=True)]
    sides = [
        [100 * (1 - row["mean"]) for entry, row in zip(wanted, rows, strict=True)
         if entry.space == place and row["mean"] is not None]
        for place in range(2)
    ]  # fmt: skip
    names = [str(space["name"]) for space in plan.spaces]
    return {"comparison": compare(names, sides, seed=recipe.search.seed), "candidates": rows}
