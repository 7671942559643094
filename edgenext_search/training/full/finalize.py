"""The end of a full training: a model folder that plain timm loads, evaluated and exported, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.results import DeploymentResult
from edgenext_search.models.build import build
from edgenext_search.models.folder import CONFIG_FILE, RAW_WEIGHTS_FILE, save_model_folder
from edgenext_search.training.evaluation.evaluate import evaluate_folder
from edgenext_search.training.evaluation.export import export_folder
from edgenext_search.training.full.summary import BestEpoch, TrainConditions, TrainSummary

if TYPE_CHECKING:
    from torch import nn

    from edgenext_search.training.engine.trainer import Trainer
    from edgenext_search.training.full.folder import TrainingFolder
    from edgenext_search.training.full.job import FullJob
    from edgenext_search.training.full.metrics import EpochMetrics
    from edgenext_search.training.full.plan import Plan


def finalize(
    job: FullJob, plan: Plan, folder: TrainingFolder, *, trainer: Trainer, rows: Sequence[EpochMetrics]
) -> TrainSummary:
    """Write the model folder, evaluate it, export it and write the summary."""
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
            "top1": rows[-1].accuracy(recipe.weights).top1,
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
    costs = cost(job.candidate, deployment)
    best = max(rows, key=lambda row: row.accuracy(recipe.weights).top1)
    summary = TrainSummary(
        out=str(folder.path),
        model_dir=str(folder.model),
        name=job.name,
        fingerprint=job.candidate.fingerprint,
        candidate=job.candidate,
        deployment=DeploymentResult(num_classes=len(classes), img_size=recipe.img_size),
        params=costs.params,
        madds=costs.madds,
        acts=costs.acts,
        memory=costs.memory,
        footprint=costs.footprint,
        data=plan.record.data,
        epochs=recipe.epochs,
        seed=recipe.seed,
        weights=recipe.weights,
        top1=evaluation.top1,
        top5=evaluation.top5,
        loss=evaluation.loss,
        raw=rows[-1].accuracy("last"),
        ema=rows[-1].accuracy("ema"),
        best=BestEpoch(epoch=best.epoch, **dict(best.accuracy(recipe.weights))),
        onnx=export_folder(folder.model, data=job.data, data_dir=job.data_dir),
        seconds=rows[-1].seconds,
        conditions=TrainConditions(
            batch=str(plan.shares),
            lr=recipe.peak_lr,
            device=trainer.device.type,
            numerics=str(trainer.numerics),
            processes=trainer.ranks.world,
            torch=torch.__version__,
        ),
    )
    folder.write_summary(summary)
    return summary


def _on_cpu(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
