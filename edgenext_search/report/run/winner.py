"""The winner of a run: its key figures, its architecture, and how to use it."""

from __future__ import annotations

import json
from pathlib import PurePath

from edgenext_search.arch.candidate import STAGES, Candidate
from edgenext_search.arch.metrics import METRICS, Metric
from edgenext_search.report.document import (
    Cell,
    Code,
    Column,
    Command,
    Good,
    Group,
    KeyFigure,
    KeyFigures,
    Network,
    Networks,
    Paragraph,
    Row,
    Section,
    Strong,
    Table,
    Text,
    section,
)
from edgenext_search.report.run.verdict import Verdict, gain_text, known_cost, verdict_of
from edgenext_search.report.run.words import is_same, shown_score
from edgenext_search.report.wording import (
    NONE,
    deployment_text,
    fidelity_text,
    finite,
    number,
    origin_text,
    percent,
    points,
    stage_values,
)
from edgenext_search.search.results import Finalist, RunSummary
from edgenext_search.texts import command_line

_BASELINE = "vs\N{NO-BREAK SPACE}baseline"
_EQUAL = 0.05  # percent of difference that one decimal does not show
_FIELDS = {
    "widths": "Width, channels",
    "depths": "Blocks",
    "sdta_blocks": "of which SDTA",
    "kernel_sizes": "Kernel size",
    "sdta_splits": "SDTA splits",
    "heads": "Heads",
    "pos_emb": "Positional encoding",
}
_NORM_ACTS = {"ln_gelu": "LayerNorm and GELU", "bn_hs": "BatchNorm and Hard-Swish"}


def key_section(summary: RunSummary) -> Section | None:
    """The winner's score and costs, each beside the baseline's; None without a winner."""
    winner, baseline = summary.winner, summary.baseline
    if winner is None:
        return None
    other = None if is_same(winner, baseline) else baseline
    costs = [_cost(metric, winner, other, summary.budget.get(metric.key)) for metric in _shown(summary, winner)]
    who = "Winner and baseline" if other else "The winner" if baseline is None else "The winner, which is the baseline"
    conditions = f"Costs at {deployment_text(summary.deployment)}. Top-1 at {fidelity_text(summary.fidelity)}."
    return section(
        "key",
        "",
        who,
        KeyFigures(figures=(_score(summary, winner, other), *costs)),
        Paragraph(text=conditions, style="caption"),
    )


def architecture_section(summary: RunSummary) -> Section | None:
    """The winner's architecture beside the baseline's; None without a winner."""
    winner, baseline = summary.winner, summary.baseline
    if winner is None:
        return None
    shown = [("Winner", winner)]
    if baseline and not is_same(winner, baseline):
        shown.append(("Baseline", baseline))
    networks = tuple(Network(role=role, origin=origin_text(row.origin), candidate=row.candidate) for role, row in shown)
    mine, theirs = winner.candidate, shown[-1][1].candidate
    both = "Baseline → winner; one value where both agree. " if len(shown) > 1 else ""
    everywhere = f"Everywhere: {_everywhere(mine)}"
    if _everywhere(theirs) != _everywhere(mine):
        everywhere += f" (baseline: {_everywhere(theirs)})"
    return section(
        "architecture",
        "Architecture",
        "The architecture, stage by stage",
        Networks(networks=networks),
        _stages_table(mine, theirs),
        Paragraph(text=f"{both}{NONE} where no block uses the field. {everywhere}.", style="caption"),
    )


def model_section(summary: RunSummary) -> Section | None:
    """How to train and load the winner; None without a model folder."""
    if summary.model_dir is None or summary.winner is None:
        return None
    run = PurePath(summary.run)
    name = _inside(run, summary.model_dir)
    batch_norm = _is_batch_norm(summary.winner)
    first = "import timm\nimport edgenext_search.models.bn_hs" if batch_norm else "import timm"
    path = json.dumps(f"local-dir:{name}", ensure_ascii=False)
    code = f"{first}\nmodel = timm.create_model({path}, pretrained=True).eval()"
    needs = "timm needs that import to read a BatchNorm network" if batch_norm else "timm alone reads it"
    where: tuple[str, ...] = (" Run it in the run folder, ", Code(run.as_posix()), ".")
    inside = PurePath(summary.model_dir).is_relative_to(run)
    classes = f", {summary.data.classes} classes" if summary.data else ""
    weights = (
        f"Its weights are those of the proxy training ({fidelity_text(summary.fidelity)}{classes}), not of a full "
        f"training. The costs above are those of the deployment, {deployment_text(summary.deployment)}; model.onnx "
        "takes one image of that size."
    )
    loading = (f"Load it: the model folder is in timm’s own format, and {needs}.", *(where if inside else ()))
    train = command_line("train", run, "--data", "FOLDER", "--out", "trained")
    return section(
        "model",
        "Use it",
        "Use the winner",
        Group(
            blocks=(
                Group(
                    blocks=(Paragraph(text="Train it in full, on all your images:"), Command(text=train)),
                    layout="prose",
                ),
                Group(blocks=(Paragraph(text=loading), Command(text=code)), layout="prose"),
            ),
            layout="split",
        ),
        _rest_of_front(summary, run),
        Paragraph(text=weights, style="caption"),
    )


def _shown(summary: RunSummary, winner: Finalist) -> list[Metric]:
    """The costs with a key figure: memory only where it is capped."""
    return [
        metric
        for metric in METRICS.values()
        if known_cost(winner, metric.key) is not None and (not metric.bytes or metric.key in summary.budget)
    ]


def _score(summary: RunSummary, winner: Finalist, other: Finalist | None) -> KeyFigure:
    score = shown_score(winner)
    std = finite(score.std)
    further = " further" if winner.rematch else ""
    one = f"one{further} seed" if winner.fresh_seeds else "one seed, in the search"
    lines: list[Text] = [one if score.n == 1 else f"mean ± std of {score.n}{further} seeds"]
    if other:
        gain = f"{points(summary.gain.mean if summary.gain else None)} points"
        better = verdict_of(summary) == Verdict.BETTER
        theirs = f" {_BASELINE} {percent(shown_score(other).mean)} %"
        lines += [(Good(gain) if better else Strong(gain), theirs), gain_text(summary.gain) or "no interval"]
    return KeyFigure(
        label="Top-1",
        value=percent(score.mean),
        unit=" %",
        spread="" if std is None else f"± {100 * std:.1f}",
        lines=tuple(lines),
    )


def _cost(metric: Metric, winner: Finalist, other: Finalist | None, cap: int | None) -> KeyFigure:
    mine, theirs = known_cost(winner, metric.key) or 0, other and known_cost(other, metric.key)
    value, unit = metric.number_and_unit(mine)
    how = f", {'measured' if winner.measured else 'predicted'}" if metric.key == "latency" else ""
    lines: list[Text] = []
    if cap:
        lines.append(f"{100 * mine / cap:.1f} % of {metric.format_exact(cap)}")
    if theirs:
        change = 100 * (mine / theirs - 1)
        equal = abs(change) < _EQUAL
        text = "same" if equal else f"{'+' if change > 0 else ''}{number(change, 1)} %"
        lines.append((Strong(text), f" {'as baseline' if equal else _BASELINE} {metric.text(theirs)}"))
    return KeyFigure(
        label=f"{metric.label}{how}",
        value=value,
        unit=unit,
        exact=f"{mine:,}",
        share=mine / cap if cap else None,
        lines=tuple(lines),
    )


def _stages_table(mine: Candidate, theirs: Candidate) -> Table:
    rows = []
    for name, label in _FIELDS.items():
        pairs = zip(stage_values(mine, name, NONE), stage_values(theirs, name, NONE), strict=True)
        cells = (Cell(text=value, before="" if value == other else other) for value, other in pairs)
        rows.append(Row(cells=(Cell(text=label), *cells)))
    stages = (Column(label=f"Stage {stage + 1}") for stage in range(STAGES))
    return Table(label="Architecture", columns=(Column(label=""), *stages), rows=tuple(rows), fixed=True)


def _everywhere(candidate: Candidate) -> str:
    return f"expand ratio {candidate.expand_ratio}, {_NORM_ACTS[candidate.norm_act]}"


def _rest_of_front(summary: RunSummary, run: PurePath) -> Paragraph | None:
    """Where the model folders of the front's other members are."""
    rows = [row for row in summary.front[1:] if row.model_dir is not None]
    if not rows:
        return None
    text: list[str] = ["The other networks of the front: "]
    for place, row in enumerate(rows):
        text += [", "] * bool(place) + [Code(_inside(run, row.model_dir or ""))]
    text.append(".")
    if any(map(_is_batch_norm, rows)):
        text += [" Those with BatchNorm need ", Code("import edgenext_search.models.bn_hs"), " first."]
    return Paragraph(text=tuple(text))


def _inside(run: PurePath, model_dir: str) -> str:
    """A model folder by its path inside the run folder, where it is there."""
    folder = PurePath(model_dir)
    return (folder.relative_to(run) if folder.is_relative_to(run) else folder).as_posix()


def _is_batch_norm(finalist: Finalist) -> bool:
    """Whether its network is not one of timm's own, and loads after an import of this package."""
    return finalist.candidate.norm_act == "bn_hs"
