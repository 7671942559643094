"""The study's result in the terminal: finalists against the baseline, their conditions, the verdict, the paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.latency_words import latency_conditions, short_latency
from edgenext_search.report.verdict import front_sentences, verdict
from edgenext_search.report.wording import (
    UNUSED,
    count_text,
    deployment_text,
    duration_text,
    fidelity_text,
    is_same,
    number_or_none,
    origin_text,
    percent,
    ranked,
    rematch_text,
    seeds_text,
    stages_text,
)
from edgenext_search.texts import command_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNBOUNDED = 10_000  # columns: what the table would like to have
_ASCII = str.maketrans({"±": "+-", "–": "-", "−": "-", "≤": "<=", "…": "...", "×": "x"})  # noqa: RUF001


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Print what a run found.

    Wide terminals get one line a candidate, narrow ones and pipes two; without colour nothing is lost. Where the
    console cannot show more than ASCII, signs are spelled out.

    Args:
        summary: The run's summary.
        console: Where to print.
    """
    from rich.measure import Measurement
    from rich.text import Text

    say = speller(console)
    if ranked(summary):
        table = _table(summary, say, wide=True)
        unbounded = console.options.update_width(_UNBOUNDED)
        if Measurement.get(console, unbounded, table).maximum > console.width:
            table = _table(summary, say, wide=False)
        console.print(table, highlight=False)
        console.print(Text(say(_conditions(summary)), style="dim"), highlight=False)
        console.print()
    console.print(Text(say(verdict(summary)), style="bold"), highlight=False)
    for text in front_sentences(summary):
        console.print(Text(say(text)), highlight=False)
    if (summary.get("data") or {}).get("demonstration"):
        text = "The images are generated: the ranking is a demonstration. Use your own with --data FOLDER."
        console.print(Text(text, style="yellow"), highlight=False)
    console.print()
    for label, text in _paths(summary):
        line = Text.assemble((f"{label:<9}", "dim"), say(text))
        console.print(line, highlight=False, soft_wrap=True)


def _table(summary: Mapping[str, Any], say: Callable[[str], str], *, wide: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
    if not wide:
        table.leading = 1  # two lines a candidate need air between them
    table.add_column("#", justify="right", no_wrap=True)
    if wide:
        table.add_column("Candidate", no_wrap=True)
        for name in ("Origin", "Widths", "Depths", "Kernels", "SDTA"):
            table.add_column(name, no_wrap=True)
        table.add_column("Params", justify="right", no_wrap=True)
        table.add_column("MAdds", justify="right", no_wrap=True)
        if summary.get("latency"):
            table.add_column("Latency", justify="right", no_wrap=True)
    else:
        table.add_column("Candidate\norigin", overflow="fold")
        table.add_column("Widths\ndepths, kernels, SDTA", overflow="fold")
        costs = "Params\nMAdds\nlatency" if summary.get("latency") else "Params\nMAdds"
        table.add_column(costs, justify="right", no_wrap=True)
    table.add_column("Top-1, %\n± std (n)" if not wide else "Top-1, % ± std (n)", justify="right", no_wrap=True)
    table.add_column("vs\nbase" if not wide else "vs base", justify="right", no_wrap=True)
    for column in table.columns:
        column.header = say(str(column.header))
    for rank, row, difference in ranked(summary):
        texts = [rank, *_cells(row, wide=wide, timed=bool(summary.get("latency"))), difference]
        style = "bold green" if is_same(row, summary.get("winner")) else ""
        table.add_row(*(Text(say(text), style=style) for text in texts))
    return table


def _cells(row: Mapping[str, Any], *, wide: bool, timed: bool) -> list[str]:
    candidate = Candidate.from_dict(row["candidate"])
    names = ("widths", "depths", "kernel_sizes", "sdta_blocks")
    widths, depths, kernels, sdta = (stages_text(candidate, name) for name in names)
    origin, params, madds = origin_text(row["origin"]), count_text(row["params"]), count_text(row["madds"])
    std = number_or_none(row["score"]["std"])
    mean, seeds = percent(row["score"]["mean"]), f"({row['score']['n']})"
    if wide:
        spread = "" if std is None else f" ± {100 * std:.1f}"
        costs = [params, madds, *([short_latency(row)] if timed else [])]
        return [row["fingerprint"], origin, widths, depths, kernels, sdta, *costs, f"{mean}{spread} {seeds}"]
    spread = "" if std is None else f"± {100 * std:.1f} "
    architecture = f"{widths}\n{depths}  {kernels}  {sdta}"
    return [
        f"{row['fingerprint']}\n{origin}",
        architecture,
        "\n".join([params, madds, *([short_latency(row)] if timed else [])]),
        f"{mean}\n{spread}{seeds}",
    ]


def _conditions(summary: Mapping[str, Any]) -> str:
    data, fidelity = summary.get("data") or {}, summary.get("fidelity") or {}
    name = data.get("name", "?")
    kernels = [stages_text(Candidate.from_dict(row["candidate"]), "kernel_sizes") for _, row, _ in ranked(summary)]
    unused = f" {UNUSED}: no convolution block in that stage." if UNUSED in "".join(kernels) else ""
    return (
        f"Top-1 on {fidelity.get('val_images', '?')} held-out training images of {name} "
        f"({data.get('classes', '?')} classes), {fidelity_text(summary)}, {seeds_text(summary)}. "
        f"{f'{again} ' if (again := rematch_text(summary)) else ''}Costs at {deployment_text(summary)}."
        f"{unused}{_latency(summary)}"
    )


def _latency(summary: Mapping[str, Any]) -> str:
    if not summary.get("latency"):
        return ""
    return f" Latency on {summary['latency']['device']}, ~ where predicted. {latency_conditions(summary)}"


def _paths(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if summary.get("model_dir"):
        rows.append(("model", str(summary["model_dir"])))
    rows += [("", str(row["model_dir"])) for row in (summary.get("front") or [])[1:] if row.get("model_dir")]
    if summary.get("report"):
        rows.append(("report", str(summary["report"])))
    if summary.get("status") == "interrupted":
        rows.append(("go on", command_line("resume", summary["run"])))
    else:
        rows.append(("run", str(summary["run"])))
    if (seconds := number_or_none(summary.get("seconds"))) is not None:
        rows.append(("took", duration_text(seconds)))
    return rows


def speller(console: Console) -> Callable[[str], str]:
    """A function that spells a text in what the console can show."""
    if console.encoding.lower().startswith("utf"):
        return str
    return lambda text: text.translate(_ASCII).encode(console.encoding, "replace").decode(console.encoding)


def print_rows(
    heads: Sequence[str], rows: Sequence[Sequence[str]], console: Console, *, left: Sequence[int] = (0,)
) -> None:
    """A table; columns are right-aligned but for ``left``, by place."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    say = speller(console)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(say(head), justify="left" if place in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(say(cell)) for cell in row))
    console.print(table, highlight=False)
    console.print()


def print_lines(lines: Sequence[str], console: Console) -> None:
    """Sentences, one a line; the first stands out."""
    from rich.text import Text

    say = speller(console)
    for index, line in enumerate(lines):
        console.print(Text(say(line), style="" if index else "bold"), highlight=False)
