"""An ONNX file as a torch module, in place of the network that it was exported from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgenext_search.arch.blocks import IN_CHANNELS
from edgenext_search.errors import UserError
from edgenext_search.models.export import Normalisation
from edgenext_search.models.onnx_session import open_onnx

TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(uint8)": torch.uint8}
REASON = 200  # characters of ONNX Runtime's reason that a message shows


class OnnxNetwork(nn.Module):
    """A classifier that ONNX Runtime runs on the CPU: a model folder's, as exported or as another tool has changed it.

    Args:
        path: The file: one image input, float [b, 3, h, w] that is normalised, or uint8 [b, h, w, 3] that is not; its
            first output logits [b, classes]. ``b`` may be fixed: batches go through in parts of that many images.
        normalisation: Normalisation of the images that :meth:`forward` is given.

    Attributes:
        img_size: Height and width that the file takes, in pixels; None where it takes any.

    Raises:
        UserError: There is no such file, ONNX Runtime cannot run it, or it is no classifier of images.
    """

    def __init__(self, path: Path, normalisation: Normalisation) -> None:
        super().__init__()
        if not path.is_file():
            raise UserError(f"There is no ONNX file {path}; `edgenext-search export` writes one of a model folder.")
        try:
            self._session = open_onnx(path)
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            raise _cannot_run(path, error) from error
        inputs = self._session.get_inputs()
        shape, kind = (inputs[0].shape, TYPES.get(inputs[0].type)) if inputs else ([], None)
        bytewise = kind == torch.uint8
        if len(inputs) != 1 or kind is None or len(shape) != 4 or shape[3 if bytewise else 1] != IN_CHANNELS:
            said = ", ".join(f"{one.name} {one.type.removeprefix('tensor')}{one.shape}" for one in inputs) or "none"
            raise UserError(
                f"{path} must have one input, a float image [b, 3, h, w] or a uint8 one [b, h, w, 3], but has {said}."
            )
        height, width = shape[1:3] if bytewise else shape[2:4]
        if isinstance(height, int) and isinstance(width, int) and height != width:
            raise UserError(f"{path} must take square images, but takes {height}x{width} px.")
        self._path, self._name, self._kind, self._normalisation = path, inputs[0].name, kind, normalisation
        self._batch = shape[0] if isinstance(shape[0], int) else None
        self.img_size: int | None = height if isinstance(height, int) else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32 [b, classes] of normalised images [b, 3, h, w], on the images' device."""
        parts = [self._run(part) for part in torch.split(images.cpu(), self._batch or len(images))]
        return torch.cat(parts).to(images.device)

    def _run(self, images: torch.Tensor) -> torch.Tensor:
        if self._kind == torch.uint8:
            images = self._normalisation.undo(images).round().clamp(0, 255).permute(0, 2, 3, 1)
        missing = (self._batch or len(images)) - len(images)  # the last part of a batch may be smaller
        if missing:
            images = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])])
        given = images.to(self._kind).contiguous().numpy()
        try:
            logits = np.asarray(self._session.run(None, {self._name: given})[0])
        except Exception as error:
            raise _cannot_run(self._path, error) from error
        if logits.dtype.kind != "f" or logits.ndim != 2 or len(logits) != len(given):
            raise UserError(
                f"{self._path} must answer {len(given)} images with float logits [{len(given)}, classes], but its "
                f"output is {logits.dtype} {[*logits.shape]}."
            )
        return torch.from_numpy(logits).float()[: len(logits) - missing]


def _cannot_run(path: Path, error: Exception) -> UserError:
    return UserError(f"ONNX Runtime cannot run {path}: {' '.join(str(error).split())[:REASON]}")
