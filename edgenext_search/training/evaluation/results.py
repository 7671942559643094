"""The results of an evaluation and of an export."""

from __future__ import annotations

from typing import Literal

from edgenext_search.results import Result


class EvaluationResult(Result):
    """Accuracy of a model folder on validation images."""

    folder: str
    """Path of the model folder or checkpoint."""
    top1: float
    """Top-1 accuracy, in [0, 1]."""
    top5: float | None
    """Top-5 accuracy, in [0, 1]; null with five classes or fewer."""
    loss: float
    """Mean cross-entropy without label smoothing, in nats."""
    n: int
    """Number of evaluated images."""
    unreadable: int
    """Number of images that could not be decoded, and are left out."""
    images_per_second: float
    """Throughput, loading included."""
    img_size: int
    """Height and width of the images, in pixels."""
    crop_pct: float
    """Share of the resized image's side that is kept."""
    weights: Literal["ema", "raw"] | None
    """Averaged weights or those of the last step; null where the source does not say, and for an ONNX file."""
    data: str
    """Name of the image set."""
    classes: int
    """Number of classes of the network."""
    evaluated_classes: int
    """Number of classes that the images are of; fewer where the data hold a part of the classes."""
    fingerprint: str
    """Short stable name of the network."""
    device: str
    """Device of the evaluation."""
    onnx: str | None = None
    """The ONNX file that ran in place of the folder's network; null for the network itself."""
    versions: dict[str, str]
    """Installed versions by package."""


class OnnxOutput(Result):
    """The output of an ONNX file."""

    name: str
    """Name of the tensor."""
    shape: tuple[int, ...]
    """Its shape."""


class OnnxInput(OnnxOutput):
    """The input of an ONNX file."""

    type: Literal["float32", "uint8"]
    """Its element type."""


class PreprocessingResult(Result):
    """Preparation of images for an ONNX file."""

    resize: int
    """Length that the shorter side is resized to, in pixels."""
    interpolation: str
    """Interpolation of the resized image."""
    crop_mode: str
    """timm's crop mode."""
    crop: int
    """Side of the square that is cut out, in pixels."""
    mean: tuple[float, float, float] | None
    """Mean of R, G, B in [0, 1] for normalisation; null where the file normalises."""
    std: tuple[float, float, float] | None
    """Standard deviation of R, G, B in [0, 1] for normalisation; null where the file normalises."""


class ParityResult(Result):
    """Agreement of an ONNX file with its network on validation images."""

    data: str
    """Name of the image set."""
    images: int
    """Number of images."""
    top1_agreement: float
    """Share of the images that both put into the same class, in [0, 1]."""
    largest_difference: float
    """Largest absolute difference of a logit."""


class ExportResult(Result):
    """An exported ONNX file."""

    onnx: str
    """Path of the file."""
    fingerprint: str
    """Short stable name of the network."""
    input: OnnxInput
    """Its input."""
    output: OnnxOutput
    """Its output."""
    opset: int
    """Version of ONNX's operators."""
    bytes: int
    """Size of the file."""
    preprocessing: PreprocessingResult
    """Preparation of its images."""
    random_image_difference: float
    """Largest absolute difference of a logit from the network's, on a random image."""
    parity: ParityResult | None = None
    """Agreement on validation images; null where none were given."""
