"""Model folders in timm's own format, so that plain timm loads a winner with no trace of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import STRIDE, Deployment, cost
from edgenext_search.arch.published import published_variants
from edgenext_search.errors import DataError, UserError
from edgenext_search.files import dump_yaml, expanded, read_yaml
from edgenext_search.models.build import TIMM_ARCHITECTURE, candidate_of, timm_args
from edgenext_search.temporary import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

CANDIDATE_FILE = "candidate.yaml"
TRAINED = "model"  # the model folder in the folder of a full training
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
RAW_WEIGHTS_FILE = "raw.safetensors"  # of the last step, where WEIGHTS_FILE holds their average

_PREPARATION = {  # of images of evaluation, here and in timm
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}


def save_model_folder(
    model: nn.Module,
    candidate: Candidate,
    folder: Path,
    *,
    deployment: Deployment,
    trained_size: int,
    class_names: Sequence[str],
    about: Mapping[str, Any],
) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``candidate.yaml``; the folder appears whole or not at all.

    Args:
        model: The network that :func:`~edgenext_search.models.build.build` made of ``candidate``.
        candidate: Its architecture.
        folder: Where to write; an existing folder is replaced.
        deployment: What the costs in ``candidate.yaml`` are counted for.
        trained_size: Height and width of the images that the weights were trained on, in pixels.
        class_names: Name of each output of the model.
        about: Facts on the weights for ``candidate.yaml``, such as where they come from.
    """
    from safetensors import torch as safetensors

    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder) as name:
        new = name / "folder"
        new.mkdir()
        safetensors.save_file(model.state_dict(), new / WEIGHTS_FILE)
        config = _timm_config(candidate, class_names=class_names, trained_size=trained_size)
        (new / CONFIG_FILE).write_text(json.dumps(config, indent=2), encoding="utf-8")
        (new / WEIGHTS_FILE).chmod((new / CONFIG_FILE).stat().st_mode)  # safetensors lets its owner alone read it
        weights = {"num_classes": len(class_names), "img_size": trained_size, **about}
        text = candidate_text(candidate, deployment, weights=weights)
        (new / CANDIDATE_FILE).write_text(text, encoding="utf-8")
        if folder.exists():
            folder.rename(name / "replaced")
        new.rename(folder)


def _timm_config(candidate: Candidate, *, class_names: Sequence[str], trained_size: int) -> dict[str, object]:
    """What ``config.json`` holds, in timm's format.

    Every key is set here, so that none has the value of the published network whose entry point builds this one.
    """
    return {
        "architecture": TIMM_ARCHITECTURE[candidate.norm_act],
        "num_classes": len(class_names),
        "num_features": candidate.widths[-1],
        "global_pool": "avg",
        "label_names": list(class_names),
        "model_args": timm_args(candidate),
        "pretrained_cfg": pretrained_cfg(candidate, num_classes=len(class_names), trained_size=trained_size),
    }


def pretrained_cfg(candidate: Candidate, *, num_classes: int, trained_size: int) -> dict[str, object]:
    """What timm has to know of weights, and of the images that they are evaluated on."""
    input_size = (IN_CHANNELS, trained_size, trained_size)
    return {
        "tag": candidate.fingerprint,
        "custom_load": False,
        "input_size": input_size,
        "test_input_size": input_size,
        "fixed_input_size": False,
        **_PREPARATION,
        "num_classes": num_classes,
        "pool_size": (trained_size // STRIDE, trained_size // STRIDE),
        "first_conv": "stem.0",
        "classifier": "head.fc",
    }


def candidate_text(candidate: Candidate, deployment: Deployment, **more: object) -> str:
    """What ``candidate.yaml`` holds: the candidate, its costs and more facts; :func:`read_candidate` reads it."""
    facts = {
        "fingerprint": candidate.fingerprint,
        "candidate": candidate.to_dict(),
        "deployment": {"num_classes": deployment.num_classes, "img_size": deployment.img_size},
        **cost(candidate, deployment).to_dict(),
    }
    return dump_yaml(facts | more)


def load_model_folder(folder: Path) -> nn.Module:
    """The trained network in a model folder, in evaluation mode.

    Raises:
        UserError: The folder does not hold a model folder.
    """
    import timm

    import edgenext_search.models.bn_hs  # noqa: F401 - registers those networks with timm

    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise UserError(f"{folder} is not a model folder: it has no {name}.")
    model: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    return model.eval()


def class_names(folder: Path) -> tuple[str, ...] | None:
    """Names of a model folder's outputs, without importing torch; None where its ``config.json`` has none.

    Raises:
        UserError: The folder does not hold a model folder.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise UserError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    names = read_yaml(path).get("label_names")  # JSON is YAML too
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def model_folder(path: Path) -> Path:
    """The model folder at a path: itself, that of a full training, or that of a run's winner.

    Where there is none the path itself, whose reader then says what is missing.

    Raises:
        UserError: There is nothing at the path.
    """
    if not path.exists():
        name = str(path)
        hint = (
            f" {name} is a published variant, whose weights do not come with this package: `edgenext-search import "
            f"CHECKPOINT --variant {name} --out FOLDER` makes a model folder of a checkpoint."
        )
        raise UserError(f"There is no {name}.{hint if name in published_variants() else ''}")
    if (path / CONFIG_FILE).is_file() or (path / CANDIDATE_FILE).is_file():
        return path
    if (path / TRAINED / CONFIG_FILE).is_file():
        return path / TRAINED
    try:
        winner = json.loads((path / "summary.json").read_text("utf-8"))["winner"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return path
    winner_folder = path / "winners" / str(winner)
    return winner_folder if (winner_folder / CONFIG_FILE).is_file() else path


def deployment_of(what: str | Path) -> Deployment | None:
    """The classes and image size of a model folder or of a file in one; None where it does not say, or is none.

    ``candidate.yaml`` says what a folder was written for; a folder of timm's has ``config.json`` alone.

    Raises:
        UserError: The file cannot be read, or what it says cannot be used.
    """
    path = expanded(what) if isinstance(what, str) else what
    if path.is_dir():
        folder = model_folder(path)
        path = next((folder / name for name in (CANDIDATE_FILE, CONFIG_FILE) if (folder / name).is_file()), folder)
    if path.name not in (CANDIDATE_FILE, CONFIG_FILE) or not path.is_file():
        return None
    values = read_yaml(path)  # JSON is YAML too
    stated = values.get("deployment") if path.name == CANDIDATE_FILE else _timm_deployment(values)
    if not isinstance(stated, dict):
        return None
    known = Deployment().to_dict()
    for name, value in stated.items():
        if name not in known or type(value) is not int:
            raise DataError(f"{path}: {name} must be a whole number and one of {', '.join(known)}.")
        known[name] = value
    try:
        return Deployment(num_classes=known["num_classes"], img_size=known["img_size"])
    except UserError as error:
        raise DataError(f"{path}: {error}") from error


def _timm_deployment(config: Mapping[str, object]) -> dict[str, object]:
    """What timm takes of a ``config.json``; its older form has all keys at the top."""
    args, cfg = (config.get(key) for key in ("model_args", "pretrained_cfg"))
    said = [values for values in (args, config, cfg) if isinstance(values, dict)]
    classes = next((values["num_classes"] for values in said if values.get("num_classes") is not None), None)
    size = next((values["input_size"] for values in said if values.get("input_size") is not None), None)
    found = {"num_classes": classes, "img_size": size[-1] if isinstance(size, list) and size else size}
    return {name: value for name, value in found.items() if value is not None}


def read_candidate(path: Path) -> Candidate:
    """The candidate that a file or a model folder describes, without importing torch.

    Args:
        path: A model folder, its ``config.json``, or a YAML or JSON file with a candidate's fields, at its top or
            under ``candidate``.

    Raises:
        UserError: There is no candidate to read, or it is not legal.
    """
    if path.is_dir():
        path = model_folder(path)
        files = [path / name for name in (CANDIDATE_FILE, CONFIG_FILE) if (path / name).is_file()]
        if not files:
            raise UserError(f"{path} is not a model folder: it has neither {CANDIDATE_FILE} nor {CONFIG_FILE}.")
        return read_candidate(files[0])
    if path.suffix == ".onnx":
        raise UserError(
            f"{path} is an ONNX file, which does not say of which candidate it is; give its model folder, or time it "
            "as it is by `edgenext-search latency measure`."
        )
    values = read_yaml(path)  # JSON is YAML too
    if path.name == CONFIG_FILE and "architecture" in values:
        try:
            return candidate_of(values.get("model_args") or {}, architecture=str(values["architecture"]))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    candidate = values.get("candidate", values)
    if not isinstance(candidate, dict):
        raise UserError(f"{path}: candidate must be a mapping of fields, but got {json.dumps(candidate)}.")
    try:
        return Candidate.from_dict(candidate)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
