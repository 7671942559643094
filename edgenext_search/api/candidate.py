"""Candidates that build themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenext_search.arch import candidate as shape
from edgenext_search.arch.cost import PUBLISHED, cost
from edgenext_search.arch.metrics import METRICS, CostName
from edgenext_search.arch.published import published_variants
from edgenext_search.errors import UserError
from edgenext_search.models.find import find_candidate

if TYPE_CHECKING:
    from torch import nn

_ROWS = {"widths": "Widths", "depths": "Depths", "kernel_sizes": "Kernels", "sdta_blocks": "SDTA blocks"}
_COSTS: tuple[CostName, ...] = ("params", "madds", "memory")


class Candidate(shape.Candidate):
    """One EdgeNeXt network, as :class:`edgenext_search.arch.candidate.Candidate`, that builds and shows itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, shape.Candidate) and self.to_dict() == other.to_dict()

    __hash__ = shape.Candidate.__hash__

    @classmethod
    def of(cls, candidate: shape.Candidate) -> Candidate:
        """The same network as this class."""
        return cls.from_dict(candidate.to_dict())

    def build(self, *, num_classes: int = PUBLISHED.num_classes, pretrained: bool = False) -> nn.Module:
        """The network as a module of timm, from images [batch, 3, height, width] to logits [batch, num_classes].

        Args:
            num_classes: Outputs of the classifier.
            pretrained: Whether to download timm's weights, which published variants have; a classifier of another
                number of outputs begins with random weights.

        Raises:
            UserError: Weights are asked for, and this is no published variant.
        """
        if not pretrained:
            from edgenext_search.models.build import build

            return build(self, num_classes=num_classes)
        names = [name for name, variant in published_variants().items() if self == variant.candidate]
        if not names:
            raise UserError(
                f"Candidate {self.fingerprint} has no published weights; {', '.join(published_variants())} have. "
                "Leave out pretrained, or load a trained model folder with timm."
            )
        import timm

        import edgenext_search.models.bn_hs  # noqa: F401 - registers those networks with timm

        model: nn.Module = timm.create_model(names[0], pretrained=True, num_classes=num_classes)
        return model

    def _repr_html_(self) -> str:
        """A table of the stages and the costs, for notebooks."""
        heads = "".join(f"<th>stage {stage}</th>" for stage in range(1, shape.STAGES + 1))
        rows = "".join(
            f"<tr><th>{label}</th>" + "".join(f"<td>{value}</td>" for value in getattr(self, name)) + "</tr>"
            for name, label in _ROWS.items()
        )
        counted = cost(self).to_dict()
        costs = ", ".join(f"{METRICS[name].text(counted[name])} {METRICS[name].words}" for name in _COSTS)
        return (
            f"<table><caption><code>{self.fingerprint}</code>: {costs} ({PUBLISHED})</caption>"
            f"<tr><th></th>{heads}</tr>{rows}</table>"
        )


def load_candidate(what: str) -> Candidate:
    """The candidate that a name or path stands for.

    Args:
        what: A published variant (``edgenext_xx_small``), a YAML or JSON file with a candidate's fields, or a model
            folder.

    Raises:
        UserError: There is no such thing, or it holds no legal candidate.
    """
    return Candidate.of(find_candidate(what))
