"""What a full training ends with: a model folder that plain timm loads, evaluated and exported, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.models.build import build
from edgenext_search.models.folder import CONFIG_FILE, RAW_WEIGHTS_FILE, save_model_folder
from edgenext_search.training.evaluation.evaluate import evaluate_folder
from edgenext_search.training.evaluation.export import export_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from edgenext_search.training.engine.loop import Trainer
    from edgenext_search.training.full.folder import TrainingFolder
    from edgenext_search.training.full.job import FullJob
    from edgenext_search.training.full.metrics import Row
    from edgenext_search.training.full.plan import Plan

EMA = "ema_"


def deliver(
    job: FullJob,
    plan: Plan,
    folder: TrainingFolder,
    *,
    trainer: Trainer,
    rows: Sequence[Row],
    best: int,
    where: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the model folder, evaluate it and export it.

    Args:
        job: What was trained.
        plan: How.
        folder: The training's folder.
        trainer: The networks.
        rows: What was measured after each epoch.
        best: Which of them scored best.
        where: What it was trained with, for the summary.

    Returns:
        The summary; ``docs/json.md`` describes its keys.
    """
    recipe, classes = plan.recipe, plan.data.classes
    model = build(job.candidate, num_classes=len(classes))
    model.load_state_dict(_on_cpu(trainer.scored))
    deployment = Deployment(num_classes=len(classes), img_size=recipe.img_size)
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
            "top1": _scores(rows[-1], recipe.weights)["top1"],
            "teacher": job.teacher,
        },
    )
    if recipe.weights == "ema":
        raw = folder.model / RAW_WEIGHTS_FILE
        save_file(_on_cpu(trainer.model), raw)
        raw.chmod((folder.model / CONFIG_FILE).stat().st_mode)  # safetensors lets its owner alone read it
    evaluation = evaluate_folder(
        folder.model,
        job.data,
        data_dir=job.data_dir,
        classes_file=job.classes_file,
        batch_size=plan.shares.each,
        workers=job.workers,
        device=trainer.device,
    )
    onnx = export_folder(folder.model, data=job.data, data_dir=job.data_dir)
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
        "top1": evaluation.top1,
        "top5": evaluation.top5,
        "loss": evaluation.loss,
        "raw": _scores(rows[-1], "last"),
        "ema": _scores(rows[-1], "ema"),
        "best": {"epoch": int(rows[best]["epoch"]), **_scores(rows[best], recipe.weights)},
        "onnx": onnx,
        "seconds": rows[-1]["seconds"],
        "conditions": {"batch": str(plan.shares), "lr": recipe.peak_lr, **where},
    }


def _on_cpu(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}


def _scores(row: Row, weights: str) -> dict[str, float]:
    prefix = EMA if weights == "ema" else ""
    return {name: row[f"{prefix}{name}"] for name in ("top1", "top5", "loss")}
