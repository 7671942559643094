"""Initial weights of a training, for other classes than they were trained on if need be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.errors import DataError, UserError
from edgenext_search.models.checkpoint import read_checkpoint, repository_name
from edgenext_search.models.folder import CONFIG_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from torch import Tensor, nn

HEAD = "head.fc."
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class InitWeights:
    """Trained weights to begin with.

    Attributes:
        path: Their source.
        weights: Tensors under timm's names, or under those of the EdgeNeXt repository.
        classes: Names of the outputs; None where they are not known.
    """

    path: Path
    weights: Mapping[str, Tensor]
    classes: tuple[str, ...] | None = None

    def fill(self, model: nn.Module, classes: Sequence[str]) -> bool:
        """Copy the weights into a network; the classifier keeps its own where it has other classes.

        Returns:
            Whether the classifier was copied too.

        Raises:
            UserError: They belong to another network.
        """
        own = model.state_dict()
        names = {name: name if name in self.weights else repository_name(name) for name in own}
        wrong = [
            f"{name} {_shape(tensor)}"
            + (f", here {_shape(self.weights[names[name]])}" if names[name] in self.weights else "")
            for name, tensor in own.items()
            if not name.startswith(HEAD)
            and (names[name] not in self.weights or self.weights[names[name]].shape != tensor.shape)
        ]
        if wrong:
            more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
            raise DataError(
                f"{self.path} has the weights of another network: {'; '.join(wrong[:_MOST_NAMED])}{more} do not fit. "
                "Train the candidate that they belong to, such as the model folder itself."
            )
        same = self.classes is None or tuple(classes) == self.classes
        heads = [name for name in own if name.startswith(HEAD)]
        fits = same and all(
            names[name] in self.weights and self.weights[names[name]].shape == own[name].shape for name in heads
        )
        taken = {name: own[name] if name in heads and not fits else self.weights[names[name]] for name in own}
        model.load_state_dict(taken)
        return fits


def read_init_weights(path: Path) -> InitWeights:
    """The weights in a model folder or a checkpoint, the averaged ones where it has any.

    Raises:
        UserError: There are no weights.
    """
    from safetensors.torch import load_file

    if path.is_dir():
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            if not (path / name).is_file():
                raise UserError(f"{path} is not a model folder: it has no {name}; --init takes one, or a checkpoint.")
        try:
            names = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8")).get("label_names")
            weights = load_file(path / WEIGHTS_FILE)
        except Exception as error:  # whatever a damaged file does to its reader
            raise DataError(f"{path} is damaged: {' '.join(str(error).split())[:200]}.") from error
        return InitWeights(path=path, weights=weights, classes=tuple(names) if names else None)
    checkpoint = read_checkpoint(path)
    return InitWeights(path=path, weights=checkpoint.weights, classes=checkpoint.classes)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
