"""Knowledge distillation: the softened outputs of a teacher beside the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from edgenext_search.errors import UserError
from edgenext_search.files import expanded
from edgenext_search.models.folder import load_model_folder
from edgenext_search.texts import nearest

if TYPE_CHECKING:
    from edgenext_search.training.engine.trainer import Objective

STUDENT_MEAN, STUDENT_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # normalisation of the loaders


class Teacher(nn.Module):
    """A trained network that classifies the student's images, normalised as in its own training.

    A network with a fixed input size, as some transformers, gets the images resized to it.

    Args:
        network: The trained network, with timm's ``pretrained_cfg``.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        config: dict[str, Any] = dict(getattr(network, "pretrained_cfg", {}))
        mean = torch.tensor(config.get("mean", STUDENT_MEAN))
        std = torch.tensor(config.get("std", STUDENT_STD))
        own_mean, own_std = torch.tensor(STUDENT_MEAN), torch.tensor(STUDENT_STD)
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.register_buffer("scale", (own_std / std).view(1, -1, 1, 1))
        self.register_buffer("shift", ((own_mean - mean) / std).view(1, -1, 1, 1))
        self.size = tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None

    def train(self, mode: bool = True) -> Teacher:  # noqa: ARG002 - torch's signature
        """A teacher stays in evaluation mode."""
        return super().train(mode=False)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [b, classes] of the student's images [b, 3, h, w]."""
        own = images * self.scale + self.shift
        if self.size is not None and own.shape[2:] != self.size:
            own = functional.interpolate(own, self.size, mode="bicubic", antialias=True)
        logits: torch.Tensor = self.network(own)
        return logits.float()


def open_teacher(what: str, *, num_classes: int) -> Teacher:
    """Open a teacher by name or path.

    Args:
        what: A model folder, or a model of timm with trained weights, such as ``tresnet_l``.
        num_classes: Outputs of the student.

    Raises:
        UserError: There is no such teacher, its weights cannot be loaded, or its classes are not the student's.
    """
    import timm

    import edgenext_search.models.bn_hs  # noqa: F401 - registers those networks with timm

    if (folder := expanded(what)).is_dir():
        network = load_model_folder(folder)
    elif timm.is_model(what) or what.startswith(("hf_hub:", "hf-hub:")):
        try:
            network = timm.create_model(what, pretrained=True)
        except Exception as error:  # of the connection, of the hub, of a model without weights
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"The weights of the teacher {what} cannot be loaded: {reason}.") from error
    else:
        raise UserError(
            f"There is no teacher {what!r}: it is neither a model folder nor a model of timm."
            f"{nearest(what, timm.list_models())}"
        )
    outputs = getattr(network, "num_classes", None)
    if outputs != num_classes:
        raise UserError(
            f"A teacher must have the classes of the data, but {what} has {outputs} and the data {num_classes}; "
            "train one on this data first, or leave --teacher out."
        )
    return Teacher(network)


def distillation(teacher: nn.Module, *, weight: float, temperature: float, label_smoothing: float) -> Objective:
    """The loss of USI (Ridnik et al., arXiv 2204.03475), which has weight 5 and temperature T = 1.

    ``CE(student, labels) + weight * T^2 * KL(softmax(teacher / T) || softmax(student / T))``, in nats, the mean over
    the images; T^2 keeps the size of the gradients (Hinton et al., arXiv 1503.02531).
    """
    labelled = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def objective(images: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = functional.log_softmax(teacher(images) / temperature, dim=1)
        given = functional.log_softmax(logits / temperature, dim=1)
        divergence = functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
        loss: torch.Tensor = labelled(logits, targets) + weight * temperature**2 * divergence
        return loss

    return objective
