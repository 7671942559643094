"""The finalists of a run, best first."""

from __future__ import annotations

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.document import Cell, Column, Paragraph, Row, Section, Table, section
from edgenext_search.report.run.latency import short_latency
from edgenext_search.report.run.words import choice_text, is_rescored, is_same, objective_costs, scores_text
from edgenext_search.report.wording import (
    NONE,
    UNUSED,
    origin_text,
    percent,
    points,
    spread_text,
    stages_text,
)
from edgenext_search.search.results import Finalist, RunSummary

SHAPE = ("widths", "depths", "kernel_sizes", "sdta_blocks")


def finalists_section(summary: RunSummary) -> Section | None:
    """The table of finalists, what their scores are and what chose them; None without finalists."""
    table = finalists_table(summary)
    if table is None:
        return None
    search = (
        "The score in the search is of one seed."
        if summary.fidelity.rank_by in {"loss", "train_loss", "recent_loss"}
        else "The score in the search had a part in that, and is optimistic for that reason."
    )
    return section(
        "finalists",
        "Finalists",
        "Finalists, scored again" if is_rescored(summary) else "Finalists so far",
        table,
        finalists_conditions(summary),
        Paragraph(text=f"{choice_text(summary)} {search}", style="caption"),
    )


def finalists_table(summary: RunSummary) -> Table | None:
    """The finalists, best first, and the baseline, without a rank if it is none of them; None without any."""
    rows: list[tuple[str, Finalist]] = [(str(rank), row) for rank, row in enumerate(summary.finalists, start=1)]
    if summary.baseline and not any(is_same(row, summary.baseline) for row in summary.finalists):
        rows.append((NONE, summary.baseline))
    if not rows:
        return None
    latency = [Column(label="Latency", right=True, narrow="below")] if summary.latency else []
    return Table(
        label="Finalists",
        columns=(
            Column(label="#", right=True),
            Column(label="Candidate", main=True),
            Column(label="Origin", narrow="below"),
            Column(label="Top-1, %", right=True, main=True),
            Column(label="Gain", right=True, main=True),
            Column(label="In the search, %", right=True, page_only=True),
            Column(label="Params", right=True),
            Column(label="MAdds", right=True, narrow="below"),
            *latency,
            Column(label="Widths"),
            Column(label="Depths", narrow="below"),
            Column(label="Kernels", narrow="beside"),
            Column(label="SDTA", narrow="beside"),
        ),
        rows=tuple(_row(summary, rank, row) for rank, row in rows),
    )


def finalists_conditions(summary: RunSummary) -> Paragraph:
    """What scores and costs of the finalists are, as small print."""
    unused = any(UNUSED in stages_text(row.candidate, "kernel_sizes") for row in summary.finalists)
    note = f" {UNUSED}: no convolution block in that stage." if unused else ""
    return Paragraph(text=f"{scores_text(summary)}{note}", style="caption")


def _row(summary: RunSummary, rank: str, finalist: Finalist) -> Row:
    winner = is_same(finalist, summary.winner)
    return Row(
        cells=(
            Cell(text=rank),
            Cell(text=finalist.fingerprint, code=True, badges=_badges(summary, finalist)),
            Cell(text=origin_text(finalist.origin)),
            Cell(text=percent(finalist.score.mean), note=spread_text(finalist.score)),
            Cell(text=_difference(finalist, summary.baseline)),
            Cell(text=percent(finalist.search_score)),
            Cell(text=METRICS["params"].text(finalist.params)),
            Cell(text=METRICS["madds"].text(finalist.madds)),
            *([Cell(text=short_latency(finalist))] if summary.latency else []),
            *(Cell(text=stages_text(finalist.candidate, name)) for name in SHAPE),
        ),
        strong=winner,
    )


def _badges(summary: RunSummary, finalist: Finalist) -> tuple[str, ...]:
    badges = []
    if is_same(finalist, summary.winner):
        badges.append("winner")
    elif is_same(finalist, summary.baseline):
        badges.append("baseline")
    if objective_costs(summary) and any(is_same(finalist, member) for member in summary.front):
        badges.append("front")
    return tuple(badges)


def _difference(finalist: Finalist, baseline: Finalist | None) -> str:
    if baseline is None or is_same(finalist, baseline):
        return NONE
    return points(finalist.score.mean - baseline.score.mean)
