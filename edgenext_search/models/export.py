"""A trained network as ``model.onnx``, checked against the network that it came from."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING

from edgenext_search.arch.cost import IN_CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

TOLERANCE = 1e-3  # on logits; fp32 kernels of two runtimes differ by about 1e-6 to 1e-5


class ExportError(RuntimeError):
    """The ONNX model does not compute what the network computes."""


def export_onnx(model: nn.Module, path: Path, *, img_size: int) -> float:
    """Write a network as ONNX with one image of fixed size as its input, and run both on the same image.

    Fixed shapes let device compilers fold the positional encoding into a constant and plan their memory.

    Args:
        model: A network in evaluation mode, on the CPU.
        path: The file to write, with batch norms folded away where that is exact;
            input ``image`` [1, 3, img_size, img_size], output ``logits`` [1, classes].
        img_size: Height and width of the input, in pixels.

    Returns:
        Largest absolute difference of the logits between ONNX Runtime and torch.

    Raises:
        ExportError: The difference exceeds :data:`TOLERANCE`; the file is removed.
    """
    import onnxruntime
    import torch

    from edgenext_search.models.fold import fold_batch_norms

    image = torch.randn(1, IN_CHANNELS, img_size, img_size, generator=torch.Generator().manual_seed(0))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter's own progress
        warnings.simplefilter("ignore")
        torch.onnx.export(
            fold_batch_norms(model),
            (image,),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": image.numpy()})
    with torch.inference_mode():
        difference = float((torch.from_numpy(logits) - model(image)).abs().max())
    if not difference <= TOLERANCE:  # NaN too
        path.unlink()
        raise ExportError(f"ONNX logits must equal torch's to {TOLERANCE}, but differ by {difference:.2g}.")
    return difference
