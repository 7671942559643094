"""How reports spell numbers, networks and their conditions, in every medium alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.metrics import METRICS, Metric, cost_name
from edgenext_search.arch.results import DeploymentResult
from edgenext_search.search.ranking.results import EstimateResult, TrainingFidelity
from edgenext_search.search.store.records import Score
from edgenext_search.texts import counted

NONE = "–"
UNUSED = "x"  # stands where no block of a stage uses a field
RANKING_METRICS = {
    "combined": "top-1, held-out loss and training loss together",
    "loss": "held-out loss",
    "recent_loss": "recent training loss",
    "top1": "top-1",
    "train_loss": "mean training loss",
}
"""What ranks candidates, in words."""

_SIZES = {"xx_small": "XXS", "x_small": "XS", "small": "S", "base": "B"}
_SIZES |= {f"{name}_bn_hs": f"{size}-BN" for name, size in _SIZES.items()}
_PUBLISHED = "edgenext_"
_MINUS = "−"


def finite(value: float | None) -> float | None:
    """A finite number as it is; None for None, NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def budget_text(budget: Mapping[str, int]) -> str:
    """All caps of a budget: ``≤ 1.3M parameters, ≤ 260M multiply-adds``."""
    return ", ".join(
        f"≤ {METRICS[cost_name(name)].format_exact(cap)} {METRICS[cost_name(name)].words}"
        for name, cap in budget.items()
    )


def caps_text(budget: Mapping[str, int]) -> str:
    """A budget in a table's cell: ``1.3M``, ``10ms``, ``params 1.3M, madds 300M``."""
    alone = {"params", "latency"} if len(budget) == 1 else set()
    return ", ".join(
        f"{'' if name in alone else f'{name} '}{METRICS[cost_name(name)].format_exact(cap)}"
        for name, cap in budget.items()
    )


def percent(score: float | None) -> str:
    """A score in percent without its sign: ``71.0``."""
    value = finite(score)
    return NONE if value is None else f"{100 * value:.1f}"


def points(difference: float | None, *, signed: bool = True) -> str:
    """A difference of two scores in points: ``+5.0``; with a second decimal where one would show zero."""
    if (value := finite(difference)) is None:
        return NONE
    value *= 100
    decimals = 2 if 0 < abs(value) < 0.05 else 1
    sign = "" if not signed or round(value, decimals) == 0 else _MINUS if value < 0 else "+"
    return f"{sign}{abs(value):.{decimals}f}"


def spread_text(score: Score) -> str:
    """The spread of a score and its number of seeds: ``± 1.2 (n = 2)``, ``(n = 1)``."""
    std = finite(score.std)
    return f"{'' if std is None else f'± {100 * std:.1f} '}(n = {score.n})"


def score_text(score: Score) -> str:
    """A score in percent with its spread and number of seeds: ``71.0 ± 1.2 (n = 2)``."""
    return f"{percent(score.mean)} {spread_text(score)}"


def interval_text(interval: EstimateResult | None, decimals: int = 2) -> tuple[str, str]:
    """A value, and its interval: ``("0.71", "0.52 to 0.84")``; a dash for no value, nothing for no interval."""
    if interval is None or finite(interval.value) is None:
        return NONE, ""
    low, high = finite(interval.low), finite(interval.high)
    ends = "" if low is None or high is None else f"{number(low, decimals)} to {number(high, decimals)}"
    return number(interval.value, decimals), ends


def range_text(interval: EstimateResult | None, decimals: int = 2) -> str:
    """A value with its interval: ``0.71 (0.52 to 0.84)``."""
    value, ends = interval_text(interval, decimals)
    return f"{value} ({ends})" if ends else value


def number(value: float, decimals: int) -> str:
    """A number with a minus that is as wide as a plus."""
    return f"{value:.{decimals}f}".replace("-", _MINUS)


def count_or_none(count: int | None) -> str:
    """A count with separators; a dash for none."""
    return NONE if count is None else f"{count:,}"


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def sentence(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def is_published(origin: str) -> bool:
    """Whether an origin names a published shape."""
    return origin.startswith(_PUBLISHED)


def size_text(origin: str) -> str:
    """The size of a published shape: ``XXS``; any other origin as it is."""
    return _SIZES.get(origin.removeprefix(_PUBLISHED), origin)


def variant_text(origin: str) -> str:
    """The name of a published shape: ``EdgeNeXt-XXS``; any other origin as it is."""
    size = _SIZES.get(origin.removeprefix(_PUBLISHED))
    return f"EdgeNeXt-{size}" if is_published(origin) and size else origin


def origin_text(origin: str) -> str:
    """Where a candidate comes from: ``EdgeNeXt-XXS, scaled`` or ``search``."""
    if is_published(origin):
        return f"{variant_text(origin)}, scaled"
    return "search" if origin == "sampler" else origin


def stage_values(candidate: Candidate, name: str, unused: str = UNUSED) -> list[str]:
    """One field of each stage.

    Args:
        candidate: The network.
        name: A field with four items.
        unused: Text for a stage without a block that uses the field.
    """
    used = [True] * len(candidate.depths)
    if name == "kernel_sizes":
        used = [sdta < depth for sdta, depth in zip(candidate.sdta_blocks, candidate.depths, strict=True)]
    elif name in {"sdta_splits", "heads", "pos_emb"}:
        used = [sdta > 0 for sdta in candidate.sdta_blocks]
    texts = [("yes" if value else "no") if name == "pos_emb" else str(value) for value in getattr(candidate, name)]
    return [text if use else unused for text, use in zip(texts, used, strict=True)]


def stages_text(candidate: Candidate, name: str) -> str:
    """One field of all stages: ``24-48-88-168``, with ``x`` for a stage without a block that uses it."""
    return "-".join(stage_values(candidate, name))


def epochs_text(epochs: int) -> str:
    """``1 epoch``, ``6 epochs``."""
    return counted(epochs, "epoch")


def fidelity_text(fidelity: TrainingFidelity) -> str:
    """What a proxy training sees: ``48 px, 6 epochs``."""
    return f"{fidelity.img_size} px, {epochs_text(fidelity.epochs)}"


def deployment_text(deployment: DeploymentResult) -> str:
    """What costs are counted for: ``1000 classes, 256x256 px``."""
    return f"{deployment.num_classes} classes, {deployment.img_size}x{deployment.img_size} px"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: ``2 min 52 s``."""
    whole = round(seconds)
    for unit, name, smaller, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // smaller} {small_name}"
    return f"{seconds:.1f} s"


def cost_label(metric: Metric, deployment: DeploymentResult | None) -> str:
    """Label of an axis of costs, with the deployment that they are counted for; None where it is not one."""
    if deployment is None:
        return f"{metric.label}, {metric.unit} (deployments differ)"
    size = "" if metric.key == "params" else f", {deployment.img_size} px"
    name = "Predicted latency" if metric.key == "latency" else metric.label
    return f"{name} at {deployment.num_classes} classes{size}, {metric.unit}"


def versions_text(versions: Mapping[str, str]) -> str:
    """``torch 2.9.0, timm 1.0.22``."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
