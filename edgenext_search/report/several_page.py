"""Several runs beside each other: the page, the Markdown and the words in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report import sections
from edgenext_search.report.html import write_page
from edgenext_search.report.latency_words import short_latency
from edgenext_search.report.markdown import escaped, table
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.page_data import joined, trials_data
from edgenext_search.report.parts import figure, scroller, section
from edgenext_search.report.plot import Plot
from edgenext_search.report.several import RunReport, comparison_sentences, several_figures
from edgenext_search.report.terminal import print_lines, print_rows
from edgenext_search.report.verdict import gain_of, interval_text
from edgenext_search.report.wording import (
    NONE,
    budget_text,
    count_text,
    deployment_text,
    fidelity_text,
    points,
    score_text,
    shown_score,
    stages_text,
)

if TYPE_CHECKING:
    from rich.console import Console

_HEADS = (
    "#", "Run", "Budget", "Winner", "Top-1, % (n)", "vs its baseline, points", "Params", "MAdds", "Latency", "Widths",
    "Depths", "Kernels", "SDTA", "Fidelity", "Status",
)  # fmt: skip
_SHORT = {
    "#": "#", "Run": "Run", "Winner": "Winner", "Top-1, % (n)": "Top-1, % (n)",
    "vs its baseline, points": "vs baseline", "Params": "Params", "MAdds": "MAdds",
}  # fmt: skip
_RIGHT = (0, 4, 5, 6, 7, 8)
_LONGEST = 60  # characters of a value that differs


def write_comparison(runs: Sequence[RunReport], found: Mapping[str, Any], path: Path) -> None:
    """Write the page of several runs, atomically.

    Args:
        runs: In the order given.
        found: Of :func:`~edgenext_search.report.several.comparison`.
        path: The HTML file to write or replace.
    """
    figures = several_figures(runs)
    answer, *rest = comparison_sentences(runs, found)
    total = sum(len(run.trials) for run in runs)
    body = join(
        sections.headline(["several runs", *(run.name for run in runs)], answer, rest),
        sections.contents(),
        section(
            "winners",
            "The winners",
            scroller(_html_table(_HEADS, _rows(runs, found)), "The winners"),
            element("p", _note(runs, found), class_="caption"),
        ),
        _conditions(runs, found),
        _figures(figures),
        section("trials", f"All {total} trials", element("div", id="trials-table")) if total else None,
    )
    data = joined([trials_data(run.trials, run.summary) for run in runs], [run.name for run in runs])
    title = join("several runs")
    write_page(path, title=title, body=body, figures=figures, trials=data, live=False)


def comparison_markdown(runs: Sequence[RunReport], found: Mapping[str, Any]) -> str:
    """What several runs say together, as Markdown."""
    answer, *rest = comparison_sentences(runs, found)
    rows = [[escaped(cell) for cell in row] for row in _rows(runs, found)]
    parts = [f"### EdgeNeXt search: {len(runs)} runs", f"**{escaped(answer)}**", escaped(" ".join(rest))]
    parts += [table(_HEADS, rows, right=_RIGHT), escaped(_note(runs, found))]
    if found["differences"]:
        parts.append(table(["differs", *(escaped(run.name) for run in runs)], _differing(found, escaped)))
    return "\n\n".join(part for part in parts if part) + "\n"


def print_comparison(runs: Sequence[RunReport], found: Mapping[str, Any], console: Console) -> None:
    """Print what several runs say together.

    Args:
        runs: In the order given.
        found: Of :func:`~edgenext_search.report.several.comparison`, with the page's path as ``report``.
        console: Where to print.
    """
    places = [_HEADS.index(name) for name in _SHORT]
    rows = [[row[place] for place in places] for row in _rows(runs, found)]
    print_rows(list(_SHORT.values()), rows, console, left=(1, 2))
    if found["differences"]:
        names = [run.name for run in runs]
        print_rows(["differs", *names], _differing(found, str), console, left=range(len(names) + 1))
    print_lines([*comparison_sentences(runs, found), _note(runs, found)], console)
    console.print(f"report   {found['report']}", highlight=False, markup=False, soft_wrap=True)


def _rows(runs: Sequence[RunReport], found: Mapping[str, Any]) -> list[list[str]]:
    ranking = found["ranking"] or []
    ranks = {name: str(place) for place, name in enumerate(ranking, start=1)}
    ordered = sorted(runs, key=lambda run: ranking.index(run.name) if run.name in ranks else len(ranking))
    return [[ranks.get(run.name, NONE), *_row(run)] for run in ordered]


def _row(run: RunReport) -> list[str]:
    winner, summary = run.summary.get("winner"), run.summary
    first = [run.name, budget_text(summary.get("budget") or {})]
    last = [fidelity_text(summary), str(summary.get("status"))]
    if not winner:
        return [*first, "no winner yet", *[NONE] * 9, *last]
    candidate = Candidate.from_dict(winner["candidate"])
    gain, interval = points(gain_of(summary)), interval_text(summary)
    interval = (interval or "").removeprefix("95% interval ").removesuffix(" points")
    return [
        *first,
        winner["fingerprint"],
        score_text(shown_score(winner)),
        f"{gain} ({interval})" if interval else gain,
        count_text(winner["params"]),
        count_text(winner["madds"]),
        short_latency(winner) or NONE,
        *(stages_text(candidate, name) for name in ("widths", "depths", "kernel_sizes", "sdta_blocks")),
        *last,
    ]


def _note(runs: Sequence[RunReport], found: Mapping[str, Any]) -> str:
    order = "Not ranked" if found["ranking"] is None else "Ranked by top-1"
    deployments = list(dict.fromkeys(deployment_text(run.summary) for run in runs))
    return (
        f"{order}. Top-1 is that of the re-match, whose seeds chose nothing, where there was one; its mean ± standard "
        f"deviation over n seeds. Costs at {' or '.join(deployments)}."
    )


def _conditions(runs: Sequence[RunReport], found: Mapping[str, Any]) -> Markup:
    if not found["differences"]:
        text = "The runs have the same images, the same split of them, the same proxy training and the same seeds."
        return section("conditions", "May they be ranked?", element("p", text))
    heads = ("Differs", *(run.name for run in runs))
    text = "Scores of different trainings, images or seeds say nothing about which candidate is better."
    rows = _html_table(heads, _differing(found, str))
    return section("conditions", "May they be ranked?", element("p", text), scroller(rows, "Differences"))


def _differing(found: Mapping[str, Any], spell: Any) -> list[list[str]]:  # noqa: ANN401 - a function of text
    return [
        [spell(f"{one['topic']}: {one['key']}"), *(spell(_short(value)) for value in one["values"])]
        for one in found["differences"]
    ]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _figures(figures: Mapping[str, Plot]) -> Markup | None:
    if not figures:
        return None
    drawn = [
        element("div", *(figure(name, figures[name]) for name in names), class_="pair") for names in _pairs(figures)
    ]
    return section("pareto", "Fronts and courses", *(element("div", pair, class_="below") for pair in drawn))


def _pairs(figures: Mapping[str, Plot]) -> list[list[str]]:
    names = list(figures)
    return [names[at : at + 2] for at in range(0, len(names), 2)]


def _html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    right = _RIGHT if heads is _HEADS else ()
    head = [element("th", name, scope="col", class_="n" if at in right else None) for at, name in enumerate(heads)]
    body = [
        element("tr", *(element("td", cell, class_="n" if at in right else None) for at, cell in enumerate(row)))
        for row in rows
    ]
    return element("table", element("thead", element("tr", *head)), element("tbody", *body))
