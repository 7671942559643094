"""What a full training ends with: a model folder that plain timm loads, ``model.onnx`` and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.models.build import build
from edgenext_search.models.export import export_onnx
from edgenext_search.models.folder import save_model_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from edgenext_search.training.full_folder import TrainingFolder
    from edgenext_search.training.full_job import FullJob
    from edgenext_search.training.full_plan import Plan
    from edgenext_search.training.metrics import Row

EMA = "ema_"


def deliver(
    job: FullJob,
    plan: Plan,
    folder: TrainingFolder,
    *,
    weights: Mapping[str, Tensor],
    rows: Sequence[Row],
    best: int,
    where: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the model folder.

    Args:
        job: What was trained.
        plan: How.
        folder: The training's folder.
        weights: State of the network that is delivered.
        rows: What was measured after each epoch.
        best: Which of them scored best.
        where: What it was trained with, for the summary.

    Returns:
        The summary; ``docs/json.md`` describes its keys.
    """
    recipe, classes = plan.recipe, plan.data.classes
    model = build(job.candidate, num_classes=len(classes))
    model.load_state_dict({name: tensor.cpu() for name, tensor in weights.items()})
    model.eval()
    deployment = Deployment(num_classes=len(classes), img_size=recipe.img_size)
    score = _scores(rows[-1], recipe.weights)
    save_model_folder(
        model,
        job.candidate,
        folder.model,
        deployment=deployment,
        trained_size=recipe.img_size,
        class_names=classes,
        about={
            "from": "full training",
            "data": plan.data.name,
            "epochs": recipe.epochs,
            "seed": recipe.seed,
            "which": recipe.weights,
            "top1": score["top1"],
            "teacher": job.teacher,
        },
    )
    difference = export_onnx(model, folder.model / "model.onnx", img_size=recipe.img_size)
    return {
        "out": str(folder.path),
        "model_dir": str(folder.model),
        "name": job.name,
        "fingerprint": job.candidate.fingerprint,
        "candidate": job.candidate.to_dict(),
        "deployment": {"num_classes": len(classes), "img_size": recipe.img_size},
        **cost(job.candidate, deployment).to_dict(),
        "data": plan.training["data"],
        "epochs": recipe.epochs,
        "seed": recipe.seed,
        "weights": recipe.weights,
        **score,
        "raw": _scores(rows[-1], "last"),
        "ema": _scores(rows[-1], "ema"),
        "best": {"epoch": int(rows[best]["epoch"]), **_scores(rows[best], recipe.weights)},
        "onnx_difference": difference,
        "seconds": rows[-1]["seconds"],
        "conditions": {"batch": str(plan.shares), "lr": recipe.peak_lr, **where},
    }


def _scores(row: Row, weights: str) -> dict[str, float]:
    prefix = EMA if weights == "ema" else ""
    return {name: row[f"{prefix}{name}"] for name in ("top1", "top5", "loss")}
