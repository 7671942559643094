"""The table, the figure and the section of an audit, and the document of an audit alone."""

from __future__ import annotations

from collections.abc import Sequence

from edgenext_search.report import plot
from edgenext_search.report.audit.verdict import against_text, audit_sentences, metric_text, rungs
from edgenext_search.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Figure,
    Group,
    Listing,
    Paragraph,
    Row,
    Section,
    Strong,
    Table,
    section,
)
from edgenext_search.report.plot import Plot, Series
from edgenext_search.report.wording import (
    NONE,
    budget_text,
    epochs_text,
    finite,
    interval_text,
    is_published,
    number,
    origin_text,
    percent,
    points,
    score_text,
)
from edgenext_search.search.ranking.results import AuditCandidate, AuditPoint, AuditResult, AuditSeries, EstimateResult
from edgenext_search.search.results import RunSummary

_COLUMNS = (
    Column(label="Score"),
    Column(label="n", right=True),
    Column(label="Pairwise accuracy, %", right=True, main=True),
    Column(label="Kendall’s tau-b", right=True),
    Column(label="Share of ceiling", right=True),
    Column(label="Regret of top 1/3/5, points", right=True),
)
_COSTS = {"params": "params alone", "madds": "MAdds alone"}


def audit_section(summary: RunSummary) -> Section | None:
    """Whether the scores can be trusted: in words, as a figure and as a table; None without an audit."""
    if (audit := summary.audit) is None:
        return None
    words = Group(blocks=tuple(Paragraph(text=text) for text in audit_sentences(summary, audit)), layout="prose")
    figure = audit_figure(summary, audit)
    drawn = None if figure is None else Figure(identifier="fig-audit", plot=figure, source="summary.json")
    return section(
        "audit",
        "Audit",
        "Can the scores be trusted?",
        words if drawn is None else Group(blocks=(drawn, words), layout="pair"),
        *audit_blocks(audit),
    )


def audit_document(summary: RunSummary, audit: AuditResult) -> Document:
    """What an audit found, for a terminal."""
    answer, *rest = audit_sentences(summary, audit)
    return Document(
        topic=(summary.study, budget_text(summary.budget), "audit"),
        answer=answer,
        qualifiers=tuple(rest),
        brief=audit_blocks(audit),
        paths=(("report", summary.report),),
    )


def audit_blocks(audit: AuditResult) -> tuple[Block, ...]:
    """The table, its conditions, and what failed."""
    if not audit.candidates:
        return ()
    failed = tuple((Strong(f"Trial {row.trial}, seed {row.seed} failed: "), row.reason) for row in audit.failed)
    return (
        audit_table(audit),
        Paragraph(text=audit_conditions(audit), style="caption"),
        *([Listing(items=failed)] if failed else []),
    )


def audit_table(audit: AuditResult) -> Table:
    """How well each rung, each cost and a long training rank the candidates."""
    costs = [series for series in audit.series if not series.epochs]
    rows = [_row(audit, series) for series in [*rungs(audit), *costs]]
    ceilings = [series.noise_ceiling for series in rungs(audit) if series.noise_ceiling]
    for ceiling in ceilings[:1]:
        name = Cell(text="long training", note=f"vs {against_text(ceiling).removeprefix('a ').removeprefix('the ')}")
        estimates = (_estimate(ceiling.pairwise_accuracy, 100), _estimate(ceiling.tau))
        rows.append(Row(cells=(name, Cell(text=str(ceiling.n)), *estimates, Cell(text=number(1, 2)), Cell(text=NONE))))
    return Table(label="Agreement of scores and long scores", columns=_COLUMNS, rows=tuple(rows))


def audit_conditions(audit: AuditResult) -> str:
    """The conditions under which the table holds."""
    text = (
        f"Long score: top-1 after {epochs_text(audit.fidelity.epochs)} in one learning-rate cycle, "
        f"{audit.fidelity.img_size} px, {seeds_text(audit)}, {audit.n} candidates from the whole range of scores. 95 % "
        "intervals are bootstraps over candidates."
    )
    if failed := len(audit.failed):
        text += f" {failed} long training{' is' if failed == 1 else 's are'} left out that failed."
    return text


def seeds_text(audit: AuditResult) -> str:
    """How many long trainings the candidates have: ``2 fresh seeds``, ``2 to 3 fresh seeds``."""
    counts = sorted({len(row.scores) for row in audit.candidates}) or [0]
    ends = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return f"{ends} fresh seed{'' if counts[-1] == 1 else 's'}"


def audit_figure(summary: RunSummary, audit: AuditResult) -> Plot | None:
    """Top-1 after a long training against what ranked the candidates in the search; None without candidates.

    One mark for each candidate and rung; error bars are the standard deviation over the seeds of the long trainings.
    """
    if not audit.candidates:
        return None
    metric, winner = metric_text(audit), summary.winner
    epochs = sorted({point.epochs for row in audit.candidates for point in row.curve})
    shown = []
    for rank, epoch in enumerate(epochs):
        here = [(row, point) for row in audit.candidates for point in row.curve if point.epochs == epoch]
        last = epoch == epochs[-1]
        shown.append(_points(here, f"after {epochs_text(epoch)}", plot.FULL if last else plot.early(rank), metric))
        chosen = [pair for pair in here if last and winner and pair[0].fingerprint == winner.fingerprint]
        if chosen:
            shown.append(_points(chosen, "winner", plot.RING, metric, bars=False))
    ranked = "Top-1 in the search, %"
    if metric != "score":
        ranked = f"{metric.capitalize()} in the search, on the scale of top-1, %"
    return Plot(
        title="A long training against the search",
        x_label=ranked,
        y_label=f"Top-1 after {epochs_text(audit.fidelity.epochs)}, %: mean ± std of {seeds_text(audit)}",
        series=shown,
    )


def _points(
    rows: Sequence[tuple[AuditCandidate, AuditPoint]],
    name: str,
    style: plot.Style,
    metric: str,
    *,
    bars: bool = True,
) -> Series:
    means = [100 * row.reference.mean for row, _ in rows]
    spreads = [100 * (finite(row.reference.std) or 0.0) for row, _ in rows]
    return Series(
        name=name,
        style=style,
        x=[100 * point.ranking_score for _, point in rows],
        y=means,
        low=[mean - spread for mean, spread in zip(means, spreads, strict=True)] if bars else None,
        high=[mean + spread for mean, spread in zip(means, spreads, strict=True)] if bars else None,
        rows=[row.trial for row, _ in rows],
        notes=[_note(row, point, metric) for row, point in rows],
    )


def _note(row: AuditCandidate, point: AuditPoint, metric: str) -> str:
    origin = f", {origin_text(row.origin)}" if is_published(row.origin) else ""
    ranked = "" if metric == "score" else f", ranked by the {metric} as {percent(point.ranking_score)} %"
    lines = [
        f"{row.fingerprint}  trial {row.trial}{origin}",
        f"in the search: {percent(point.score)} % after {epochs_text(point.epochs)}{ranked}",
        f"trained long: top-1 {score_text(row.reference)} %",
        f"{row.params:,} parameters",
    ]
    return "\n".join(lines)


def _row(audit: AuditResult, series: AuditSeries) -> Row:
    metric = metric_text(audit)
    share = series.noise_ceiling.share_of_noise_ceiling if series.noise_ceiling else None
    name = (
        Cell(text=f"after {epochs_text(series.epochs)}", note="" if metric == "score" else metric)
        if series.epochs
        else Cell(text=_COSTS.get(series.name, series.name))
    )
    regrets = {int(k): points(value, signed=False) for k, value in series.regret.items()}
    return Row(
        cells=(
            name,
            Cell(text=str(series.n)),
            _estimate(series.pairwise_accuracy, 100),
            _estimate(series.tau),
            Cell(text=NONE if share is None else number(share, 2)),
            Cell(text="/".join(regrets.get(k, NONE) for k in (1, 3, 5))),
        )
    )


def _estimate(estimate: EstimateResult | None, scale: float = 1.0) -> Cell:
    """A value with its interval, as shares of ``scale``."""
    if estimate is None:
        return Cell(text=NONE)
    low, high = (None if end is None else scale * end for end in (estimate.low, estimate.high))
    scaled = EstimateResult(value=scale * estimate.value, low=low, high=high)
    value, ends = interval_text(scaled, 2 if scale == 1 else 0)
    return Cell(text=value, note=ends)
