"""How the report says a number, a network and its conditions: one wording for terminal, figures and page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.arch.budget import SIZES, TIMES
from edgenext_search.arch.candidate import Candidate

NONE = "–"  # noqa: RUF001 - a dash stands where there is no value
UNUSED = "x"  # a stage's field that no block of the stage uses, in compact text
COST_LABELS = {
    "params": "parameters",
    "madds": "MAdds",
    "acts": "activations",
    "memory": "peak activation memory",
    "footprint": "weights and peak activations",
    "latency": "latency",
}
_READINGS = {
    "combined": "top-1, held-out loss and training loss together",
    "loss": "held-out loss",
    "top1": "top-1",
    "train_loss": "mean training loss",
}
_SIZES = {"xx_small": "XXS", "x_small": "XS", "small": "S", "base": "B"}
_SIZES |= {f"{name}_bn_hs": f"{size}-BN" for name, size in _SIZES.items()}
_PUBLISHED = "edgenext_"
_MINUS = "−"  # noqa: RUF001 - a true minus aligns with plus


def number_or_none(value: float | None) -> float | None:
    """A finite number as it is; None for None, NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def count_text(count: float) -> str:
    """A count in four significant digits: ``1.290M``."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            scaled = count / unit
            return f"{scaled:.{max(0, 3 - int(math.log10(scaled)))}f}{suffix}"
    return f"{count:g}"


def cap_text(cap: float) -> str:
    """A budget's cap as short as it can be said exactly: ``1.3M``, or ``1,327,216``."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        short = f"{cap / unit:.4g}"
        if cap >= unit and math.isclose(float(short) * unit, cap, rel_tol=1e-12):
            return f"{short}{suffix}"
    return f"{cap:,}"


def budget_text(budget: Mapping[str, Any]) -> str:
    """All caps of a budget: ``≤ 1.3M parameters, ≤ 260M MAdds``."""
    return ", ".join(f"≤ {cap_of(name, cap)} {COST_LABELS.get(name, name)}" for name, cap in budget.items())


def cap_of(name: str, cap: float) -> str:
    """A cap with its unit: ``1.3M``, ``2MB``, ``10 ms``."""
    if name in TIMES:
        return f"{cap / 1000:g} ms"
    return f"{cap_text(cap)}{'B' if name in SIZES else ''}"


def latency_text(microseconds: float) -> str:
    """A time in milliseconds, in three significant digits or whole: ``8.91 ms``, ``0.52 ms``, ``1234 ms``."""
    value = microseconds / 1000
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} ms"


def percent(score: float | None) -> str:
    """A score in percent without its sign: ``71.0``."""
    return NONE if number_or_none(score) is None else f"{100 * (score or 0.0):.1f}"


def points(difference: float | None, *, signed: bool = True) -> str:
    """A difference of two scores in points: ``+5.0``; a second decimal where one would show zero."""
    if (value := number_or_none(difference)) is None:
        return NONE
    value *= 100
    decimals = 2 if 0 < abs(value) < 0.05 else 1
    sign = "" if not signed or round(value, decimals) == 0 else _MINUS if value < 0 else "+"
    return f"{sign}{abs(value):.{decimals}f}"


def score_text(score: Mapping[str, Any]) -> str:
    """A score with its spread and number of seeds: ``71.0 ± 1.2 (n = 2)``."""
    std = number_or_none(score.get("std"))
    spread = "" if std is None else f" ± {100 * std:.1f}"
    return f"{percent(score.get('mean'))}{spread} (n = {score.get('n', 1)})"


def costs_of_front(summary: Mapping[str, Any]) -> list[str]:
    """Names of the costs among a study's objectives; none where it looked for accuracy alone."""
    return [name for name in summary.get("objectives") or [] if name in COST_LABELS]


def cost_text(name: str, value: float) -> str:
    """A cost with its name: ``260.6M MAdds``, ``2.097MB peak activation memory``."""
    if name in TIMES:
        return f"{latency_text(value)} {COST_LABELS[name]}"
    return f"{count_text(value)}{'B' if name in SIZES else ''} {COST_LABELS.get(name, name)}"


def known_cost(name: str, finalist: Mapping[str, Any]) -> float | None:
    """A finalist's cost; of its latency what was measured, where it was."""
    if name in TIMES and finalist.get("measured"):
        return float(finalist["measured"]["p50"])
    return finalist.get(name)


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def is_published(origin: str) -> bool:
    """Whether an origin names a published shape."""
    return origin.startswith(_PUBLISHED)


def size_text(origin: str) -> str:
    """The size of a published shape: ``XXS``; an unknown origin as it is."""
    return _SIZES.get(origin.removeprefix(_PUBLISHED), origin)


def origin_text(origin: str) -> str:
    """Where a candidate comes from: ``EdgeNeXt-XXS, scaled`` or ``search``."""
    if is_published(origin):
        size = _SIZES.get(origin.removeprefix(_PUBLISHED))
        return f"EdgeNeXt-{size}, scaled" if size else f"{origin}, scaled"
    return "search" if origin == "sampler" else origin


def stage_values(candidate: Candidate, name: str, unused: str = UNUSED) -> list[str]:
    """One field of each stage, with ``unused`` where no block of the stage uses it.

    Args:
        candidate: The network.
        name: A field with four items.
        unused: What stands for a field that does nothing.

    Returns:
        Four short texts.
    """
    used = [True] * len(candidate.depths)
    if name == "kernel_sizes":
        used = [sdta < depth for sdta, depth in zip(candidate.sdta_blocks, candidate.depths, strict=True)]
    elif name in {"sdta_splits", "heads", "pos_emb"}:
        used = [sdta > 0 for sdta in candidate.sdta_blocks]
    texts = [("yes" if value else "no") if name == "pos_emb" else str(value) for value in getattr(candidate, name)]
    return [text if use else unused for text, use in zip(texts, used, strict=True)]


def stages_text(candidate: Candidate, name: str) -> str:
    """One field of all stages: ``24-48-88-168``, with ``x`` where a stage does not use it."""
    return "-".join(stage_values(candidate, name))


def fidelity_text(summary: Mapping[str, Any]) -> str:
    """What the proxy trained on: ``48 px, 6 epochs``."""
    fidelity = summary.get("fidelity") or {}
    return f"{fidelity.get('img_size', '?')} px, {epochs_text(fidelity.get('epochs', '?'))}"


def ranked_by(summary: Mapping[str, Any]) -> str | None:
    """What a study ranks its candidates by: ``mean training loss``; None where the summary does not say."""
    reading: str | None = (summary.get("fidelity") or {}).get("rank_by")
    return _READINGS.get(reading or "", reading)


def chosen_text(summary: Mapping[str, Any]) -> str:
    """By what finalists are chosen, in a sentence without its end."""
    costs = " and by costs" if costs_of_front(summary) else ""
    return f"Finalists are chosen by the {ranked_by(summary) or 'score'} that all trials together lead to expect{costs}"


def epochs_text(epochs: object) -> str:
    """``1 epoch``, ``6 epochs``."""
    return f"{epochs} epoch{'' if epochs == 1 else 's'}"


def deployment_text(summary: Mapping[str, Any]) -> str:
    """Whose costs are printed: ``1000 classes, 256x256 px``."""
    deployment = summary.get("deployment") or {}
    size = deployment.get("img_size", "?")
    return f"{deployment.get('num_classes', '?')} classes, {size}x{size} px"


def fresh_seeds(finalist: Mapping[str, Any]) -> int:
    """How many fresh seeds stand behind a finalist's score; none where it is that of the search."""
    return int(finalist.get("fresh_seeds", finalist["score"]["n"]))


def is_rescored(summary: Mapping[str, Any]) -> bool:
    """Whether every finalist has been scored with a fresh seed; in a complete study some, as trainings may fail."""
    fresh = [fresh_seeds(row) > 0 for row in summary.get("finalists") or []]
    return any(fresh) and (all(fresh) or summary.get("status") == "complete")


def seeds_text(summary: Mapping[str, Any]) -> str:
    """How many seeds stand behind the finalists' scores: ``2 fresh seeds each``."""
    counts = sorted({fresh_seeds(row) for row in summary.get("finalists") or []})
    if counts in ([], [0]):
        return "not scored again with fresh seeds"
    if counts == [1]:
        return "one fresh seed each"
    return f"{' to '.join(str(count) for count in (counts[0], counts[-1])[: len(counts)])} fresh seeds each"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: ``2 min 52 s``."""
    whole = round(seconds)
    for unit, name, smaller, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // smaller} {small_name}"
    return f"{seconds:.1f} s"


def shown_score(finalist: Mapping[str, Any]) -> Mapping[str, Any]:
    """The score that says how good a finalist is: the re-match's, which chose nothing, where there was one."""
    score: Mapping[str, Any] = finalist.get("rematch") or finalist["score"]
    return score


def rematch_text(summary: Mapping[str, Any]) -> str:
    """How winner and baseline did in the re-match, in a sentence; empty where there was none."""
    winner, baseline = (summary.get(side) or {} for side in ("winner", "baseline"))
    mine, theirs = winner.get("rematch"), baseline.get("rematch")
    if not mine or not theirs or is_same(winner, baseline):
        return ""
    return f"Re-match on further seeds: winner {score_text(mine)}, baseline {score_text(theirs)}."


def ranked(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    """The finalists as rows (rank, finalist, difference to the baseline in points), best first.

    A baseline that is not among them comes last, without a rank.
    """
    finalists: Sequence[Mapping[str, Any]] = summary.get("finalists") or []
    baseline = summary.get("baseline")
    rows = [(str(rank), finalist) for rank, finalist in enumerate(finalists, start=1)]
    if baseline and not any(is_same(finalist, baseline) for finalist in finalists):
        rows.append((NONE, baseline))
    return [(rank, row, _difference(row, baseline)) for rank, row in rows]


def is_same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two finalists are the same network; False where one is missing."""
    return bool(one and other) and (one or {}).get("fingerprint") == (other or {}).get("fingerprint")


def _difference(row: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str:
    if baseline is None or is_same(row, baseline):
        return NONE
    mine, theirs = number_or_none(row["score"]["mean"]), number_or_none(baseline["score"]["mean"])
    return NONE if mine is None or theirs is None else points(mine - theirs)
