"""Model folders of winners, and the weights that a complete run keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgenext_search.arch.candidate import Candidate
from edgenext_search.data import PreparedData
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.coordinator import Coordinator
from edgenext_search.search.study.finalists import choosing_seeds
from edgenext_search.training.proxy.job import TrainJob


def write_winner(
    run: RunFolder, recipe: ResolvedRecipe, coordinator: Coordinator, candidate: Candidate, data: PreparedData
) -> None:
    """Write the model folder of a winner with the weights of its first fresh seed, or else of the search.

    Where no weights are left, an existing folder stays as it is.
    """
    from safetensors.torch import load_file

    from edgenext_search.models.build import build
    from edgenext_search.models.export import export_onnx
    from edgenext_search.models.folder import save_model_folder

    folder = run.winners / candidate.fingerprint
    job = weights_of(candidate, recipe, coordinator)
    if job is None:
        return
    model = build(candidate, num_classes=len(data.classes)).eval()
    model.load_state_dict(load_file(job.weights_file))
    deployment = recipe.deployment
    save_model_folder(
        model,
        candidate,
        folder,
        deployment=deployment,
        trained_size=recipe.proxy.img_size,
        class_names=data.classes,
        about={
            "from": "proxy training, not full training",
            "data": data.name,
            "epochs": recipe.proxy.epochs,
            "seed": job.seed,
        },
    )
    export_onnx(model, folder / "model.onnx", img_size=deployment.img_size)


def weights_of(candidate: Candidate, recipe: ResolvedRecipe, coordinator: Coordinator) -> TrainJob | None:
    """The training that provides a candidate's weights: its first fresh seed with weights, or else the search."""
    seeds = [*choosing_seeds(recipe.search), recipe.search.seed]
    jobs = (coordinator.job(candidate, seed=seed, until=recipe.proxy.epochs) for seed in seeds)
    return next((job for job in jobs if job.weights_file.is_file()), None)


def clean_scratch(scratch: Path, kept: Sequence[Path]) -> None:
    """Remove the files that a complete run no longer needs.

    The weights of all candidates with fresh seeds are kept, since another of them may win once trials are added.
    """
    for path in scratch.glob("*"):
        if path not in kept:
            path.unlink()
    if scratch.is_dir() and not any(scratch.iterdir()):
        scratch.rmdir()
