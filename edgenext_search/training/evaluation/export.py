"""Export of a model folder as ONNX, compared with the network on validation images if there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from edgenext_search.arch.cost import Deployment
from edgenext_search.data.loading.datasets import open_val_set
from edgenext_search.data.loading.loaders import ValLoader
from edgenext_search.errors import UserError
from edgenext_search.files import write_output
from edgenext_search.models.export import Normalisation, check_parity, export_onnx
from edgenext_search.models.onnx_session import open_onnx
from edgenext_search.models.trained import Weights, open_trained
from edgenext_search.temporary import temporary_folder
from edgenext_search.training.evaluation.evaluate import preprocessing_of, some_of
from edgenext_search.training.evaluation.results import (
    ExportResult,
    OnnxInput,
    OnnxOutput,
    ParityResult,
    PreprocessingResult,
)


def export_folder(
    folder: Path,
    *,
    out: Path | None = None,
    img_size: int | None = None,
    uint8: bool = False,
    opset: int | None = None,
    weights: Weights | None = None,
    data: str | None = None,
    data_dir: Path | None = None,
    images: int = 256,
    note: Callable[[str], None] | None = None,
) -> ExportResult:
    """Write a trained network as ONNX; the file appears only once it computes what the network computes.

    Args:
        folder: The model folder, or a checkpoint, whose network is found from the shapes of its weights.
        out: The file; None for ``model.onnx`` or ``model-uint8.onnx`` in the folder, and for a checkpoint
            ``best.pt`` the file ``best.onnx`` or ``best-uint8.onnx`` beside it. An existing file is replaced.
        img_size: Height and width of the input, in pixels; None for the size trained on.
        uint8: Whether the input is uint8 [1, height, width, 3], with the normalisation inside.
        opset: Version of ONNX's operators; None for the exporter's own.
        weights: Averaged or those of the last step, where there are both.
        data: Validation images to compare on: a folder with ``val/``, or a dataset name of timm. None compares on one
            random image.
        data_dir: Folder of a named dataset.
        images: Number of images to compare on.
        note: Tells people what was left out of the images.

    Raises:
        UserError: It is no model folder or checkpoint, the data are not there, or the file cannot be written.
        ExportError: The ONNX model computes something else.
    """
    if img_size is not None:
        Deployment(img_size=img_size)
    path = out or _beside(folder, uint8=uint8)
    _check_writable(path)
    val = None if data is None else some_of(open_val_set(data, data_dir=data_dir), images)
    if note is not None and val is not None:
        for text in val.source.notes:
            note(text)
    trained = open_trained(folder, weights)
    model = trained.network
    preprocessing = preprocessing_of(model, img_size=img_size)
    size = preprocessing.img_size
    normalisation = Normalisation(mean=preprocessing.mean, std=preprocessing.std)
    with temporary_folder(path) as scratch:
        new = scratch / "model.onnx"
        difference = export_onnx(model, new, img_size=size, uint8=normalisation if uint8 else None, opset=opset)
        parity = None
        if val is not None:
            pixels = ValLoader(val, preprocessing, batch_size=16).pixels()
            agreement = check_parity(model, new, pixels, normalisation=normalisation)
            parity = ParityResult(data=val.source.name, **asdict(agreement))
        input_, output, version = _signature(new)
        new.replace(path)
    return ExportResult(
        onnx=str(path),
        fingerprint=trained.candidate.fingerprint,
        input=input_,
        output=output,
        opset=version,
        bytes=path.stat().st_size,
        preprocessing=PreprocessingResult(
            resize=int(size / preprocessing.crop_pct),
            interpolation=preprocessing.interpolation,
            crop_mode=preprocessing.crop_mode,
            crop=size,
            mean=None if uint8 else preprocessing.mean,
            std=None if uint8 else preprocessing.std,
        ),
        random_image_difference=difference,
        parity=parity,
    )


def _beside(path: Path, *, uint8: bool) -> Path:
    """Where an export goes that was not told where."""
    suffix = "-uint8.onnx" if uint8 else ".onnx"
    return path / f"model{suffix}" if path.is_dir() else path.with_name(f"{path.stem}{suffix}")


def _signature(path: Path) -> tuple[OnnxInput, OnnxOutput, int]:
    """Input, output and opset of an ONNX file."""
    import onnx

    session = open_onnx(path)
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    kind: Literal["float32", "uint8"] = "uint8" if image.type == "tensor(uint8)" else "float32"
    opset = next(entry.version for entry in onnx.load(path).opset_import if not entry.domain)
    return (
        OnnxInput(name=image.name, shape=image.shape, type=kind),
        OnnxOutput(name=logits.name, shape=logits.shape),
        opset,
    )


def _check_writable(path: Path) -> None:
    """Check before the work that the file can be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a file with --out, such as {path / 'model.onnx'}.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}. Make it, or correct --out.")
    probe = path.parent / f".{path.name}-writable"
    write_output(probe, "")
    probe.unlink()
