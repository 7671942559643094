"""A trained network as ONNX, checked against the network that it came from."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.errors import UserError
from edgenext_search.models.onnx_session import open_onnx

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import torch
    from torch import nn

TOLERANCE = 1e-3  # on logits; fp32 kernels of two runtimes differ by about 1e-6 to 1e-5
LEAST_OPSET = 18  # of torch's exporter


class ExportError(RuntimeError):
    """The ONNX model does not compute what the network computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """What a network's images are normalised by.

    Attributes:
        mean: Of R, G, B in [0, 1].
        std: Of R, G, B in [0, 1].
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def apply(self, pixels: torch.Tensor) -> torch.Tensor:
        """Values 0..255 of any type [b, 3, h, w], as the network takes them: float32 of the same shape."""
        mean, std = self._of_bytes(pixels.device)
        return (pixels.float() - mean) * std.reciprocal()

    def undo(self, images: torch.Tensor) -> torch.Tensor:
        """Values 0..255, but for rounding, of images float32 [b, 3, h, w] as :meth:`apply` gives them."""
        mean, std = self._of_bytes(images.device)
        return images * std + mean

    def _of_bytes(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of values 0..255; float32 [1, 3, 1, 1] each."""
        import torch

        mean, std = (torch.tensor(values, device=device).mul(255).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return mean, std


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How an ONNX model and the network that it came from agree.

    Attributes:
        images: Number of images that both were run on.
        top1_agreement: Share of them that both put into the same class, in [0, 1].
        largest_difference: Largest absolute difference of a logit.
    """

    images: int
    top1_agreement: float
    largest_difference: float


def export_onnx(
    model: nn.Module, path: Path, *, img_size: int, uint8: Normalisation | None = None, opset: int | None = None
) -> float:
    """Write a network as ONNX with one image of fixed size as its input, and run both on the same random image.

    Fixed shapes let device compilers fold the positional encoding into a constant and plan their memory.

    Args:
        model: A network in evaluation mode, on the CPU.
        path: The file to write, with batch norms folded away where that is exact; output ``logits`` [1, classes].
            Input ``image``: normalised float32 [1, 3, img_size, img_size], or what ``uint8`` says.
        img_size: Height and width of the input, in pixels.
        uint8: Take uint8 [1, img_size, img_size, 3], R, G, B, as cameras and decoders lay pixels out, and normalise
            them inside; None for an image that is normalised already.
        opset: Version of ONNX's operators, at least :data:`LEAST_OPSET`; None for the exporter's own.

    Returns:
        Largest absolute difference of the logits between ONNX Runtime and torch.

    Raises:
        ExportError: The difference exceeds :data:`TOLERANCE`; the file is removed.
        UserError: The exporter cannot write this opset.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    if uint8 is None:
        image = torch.randn(1, IN_CHANNELS, img_size, img_size, generator=generator)
    else:
        image = torch.randint(256, (1, img_size, img_size, IN_CHANNELS), generator=generator, dtype=torch.uint8)
    _write(model, path, image, uint8=uint8, opset=opset)
    pixels = image if uint8 is None else image.permute(0, 3, 1, 2)
    return check_parity(model, path, [pixels], normalisation=uint8).largest_difference


def check_parity(
    model: nn.Module, path: Path, images: Iterable[torch.Tensor], *, normalisation: Normalisation | None = None
) -> Parity:
    """Run an ONNX model and its network on the same images.

    Args:
        model: The network, in evaluation mode, on the CPU.
        path: The ONNX model, which takes one image at a time.
        images: Batches [b, 3, h, w]: as the network takes them, or with a normalisation values 0..255.
        normalisation: What the network's images are normalised by; inside the ONNX model where that takes uint8.

    Raises:
        ExportError: A logit differs by more than :data:`TOLERANCE` or is no number; the file is removed.
    """
    import torch

    session = open_onnx(path)
    takes_bytes = session.get_inputs()[0].type == "tensor(uint8)"
    count = agreeing = 0
    largest = 0.0
    with torch.inference_mode():
        for image in (one for batch in images for one in torch.split(batch, 1)):
            normalised = image if normalisation is None else normalisation.apply(image)
            given = image.permute(0, 2, 3, 1).contiguous() if takes_bytes else normalised
            logits = torch.from_numpy(session.run(None, {"image": given.numpy()})[0])
            expected = model(normalised)
            difference = float((logits - expected).abs().max())
            if not difference <= TOLERANCE:  # NaN too
                path.unlink()
                raise ExportError(f"ONNX logits must equal torch's to {TOLERANCE}, but differ by {difference:.2g}.")
            largest = max(largest, difference)
            agreeing += int(logits.argmax() == expected.argmax())
            count += 1
    return Parity(images=count, top1_agreement=agreeing / max(count, 1), largest_difference=largest)


def _write(
    model: nn.Module, path: Path, image: torch.Tensor, *, uint8: Normalisation | None, opset: int | None
) -> None:
    import onnx
    import torch
    from torch import nn

    from edgenext_search.models.fold import fold_batch_norms

    class FromBytes(nn.Module):
        """A network behind its normalisation."""

        def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
            super().__init__()
            self.network, self.normalisation = network, normalisation

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            """Logits of uint8 [1, h, w, 3]."""
            logits: torch.Tensor = self.network(self.normalisation.apply(image.permute(0, 3, 1, 2)))
            return logits

    if opset is not None and not LEAST_OPSET <= opset <= (most := onnx.defs.onnx_opset_version()):
        raise UserError(f"The opset must lie between {LEAST_OPSET} and {most}, this onnx's, but got {opset}.")
    folded = fold_batch_norms(model)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.CRITICAL)  # what it cannot convert is said below
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter's own progress
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded if uint8 is None else FromBytes(folded, uint8).eval(),
            (image,),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            dynamo=True,
            external_data=False,
            verbose=False,
            opset_version=opset,
        )
    written = onnx.load(path)
    version = next(entry.version for entry in written.opset_import if not entry.domain)
    if opset is not None and version != opset:
        path.unlink()
        raise UserError(f"torch's exporter cannot write opset {opset}, it wrote {version}; give --opset {version}.")
    # The exporter notes the shapes of weights twice; ONNX Runtime's quantizer, which transposes some, trips over it.
    weights = {tensor.name for tensor in written.graph.initializer}
    shapes = [value for value in written.graph.value_info if value.name not in weights]
    del written.graph.value_info[:]
    written.graph.value_info.extend(shapes)
    # It also notes the Python code behind each operator, with paths of this machine: a seventh of a small file.
    for noted in (*written.graph.node, *written.graph.value_info):
        noted.ClearField("metadata_props")
    onnx.save(written, path)
