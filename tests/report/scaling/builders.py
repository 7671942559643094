"""Scaling studies made up for the tests of their reports."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.scaling import parse_budgets
from edgenext_search.arch.spaces.space import Space
from edgenext_search.scaling.plan import Plan, entries
from edgenext_search.scaling.records import ScalingResult
from edgenext_search.scaling.summary import _comparison, _study
from edgenext_search.search.resolver import load_study

SPACE, PAPER = (Space.load(name).to_dict() for name in ("edgenext", "paper"))
RECIPE = load_study("scaling", flags={"budget": "120k"})
COMMON = {
    "run": "runs/x", "report": "runs/x/report/index.html", "status": "complete", "study": "scaling", "seed": 0,
    "asked": {"shapes": 5, "seeds": 2}, "open": 0, "failed": [], "deployment": {"num_classes": 10, "img_size": 64},
    "data": {"name": "fashion", "classes": 10, "train_images": 4000, "val_images": 2000},
    "fidelity": {"img_size": 32, "epochs": 4, "train_images": 4000, "val_images": 2000},
    "seconds": 61.0,
    "conditions": {"device": "cpu", "parallel": 1, "threads": 1, "host_cores": 2, "versions": {"torch": "2"}},
}  # fmt: skip


def a_study(budgets: str = "40k,60k,120k", missing: Any = (), **changes: Any) -> ScalingResult:
    """Five shapes at some sizes, those with the numbers in ``missing`` without a score."""
    plan = Plan(kind="study", budgets=tuple(parse_budgets(budgets)), shapes=5, seeds=2, spaces=(SPACE,))
    return _result(plan, _study, missing, changes)


def a_comparison(missing: Any = (), **changes: Any) -> ScalingResult:
    """Five candidates of each of two spaces."""
    plan = Plan(kind="compare", budgets=tuple(parse_budgets("60k")), shapes=5, seeds=2, spaces=(SPACE, PAPER))
    return _result(plan, _comparison, missing, changes)


def _result(plan: Plan, function: Any, missing: Any, changes: dict[str, Any]) -> ScalingResult:
    wanted = entries(plan, Deployment(num_classes=10, img_size=64), seed=0)
    scores = [
        [float("nan")] * 2 if n in missing else [0.7 + 0.05 * e.budget + 0.01 * e.shape + 0.001 * s for s in range(2)]
        for n, e in enumerate(wanted)
    ]
    findings = function(plan, wanted, scores, RECIPE)
    values = {
        **COMMON,
        "kind": plan.kind,
        "spaces": [space["name"] for space in plan.spaces],
        "budgets": [budget.to_dict() for budget in plan.budgets],
        **{field.name: getattr(findings, field.name) for field in fields(findings)},
    }
    return ScalingResult.model_validate({**values, **changes})
