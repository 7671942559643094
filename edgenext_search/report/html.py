"""The report as one HTML page that needs nothing beside itself, nor any network: data, style and script are inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from edgenext_search.files import write_text
from edgenext_search.report import sections
from edgenext_search.report.all_figures import AUDIT, all_figures
from edgenext_search.report.audit_section import audit_section
from edgenext_search.report.comparison import architecture_section
from edgenext_search.report.conditions import conditions_section
from edgenext_search.report.family_section import family_section
from edgenext_search.report.figure_sections import (
    choices_section,
    history_section,
    pareto_section,
    spread_section,
)
from edgenext_search.report.finalists_section import finalists_section
from edgenext_search.report.latency_section import latency_section
from edgenext_search.report.markup import Markup, join, json_script
from edgenext_search.report.page_data import trials_data
from edgenext_search.report.plot import Plot
from edgenext_search.report.trials_section import trials_section
from edgenext_search.report.wording import budget_text
from edgenext_search.search.store.records import TrialRecord

_SCRIPTS = ("dom.js", "chart.js", "candidate.js", "table.js", "page.js")


def write_report(summary: Mapping[str, Any], trials: Sequence[TrialRecord], path: Path) -> None:
    """Write the report of a run as one page, atomically.

    Args:
        summary: The run's summary; a run without winner, baseline or finalists is reported all the same.
        trials: All trials of the study.
        path: The HTML file to write or replace.
    """
    figures = all_figures(trials, summary)
    measured = {name: plot for name, plot in figures.items() if name.startswith("fig-latency-")}
    body = join(
        sections.header(summary),
        sections.notices(summary),
        sections.contents(),
        sections.cards(summary),
        architecture_section(summary),
        sections.model_section(summary),
        pareto_section(trials, figures),
        history_section(figures, summary),
        finalists_section(summary),
        latency_section(summary, measured),
        choices_section(figures, summary),
        spread_section(figures),
        audit_section(summary, AUDIT, figures.get(AUDIT)),
        family_section(summary),
        trials_section(trials),
        conditions_section(summary),
    )
    title = join(f"{summary.get('study', 'study')}: {budget_text(summary.get('budget') or {})}")
    data = trials_data(trials, summary)
    write_page(path, title=title, body=body, figures=figures, trials=data, live=summary.get("status") == "running")


def write_page(
    path: Path, *, title: Markup, body: Markup, figures: Mapping[str, Plot], trials: Mapping[str, Any], live: bool
) -> None:
    """Write a page of the report's look, atomically.

    Args:
        path: The HTML file to write or replace.
        title: Of the window.
        body: What the page says; each figure has its place there, see :func:`~edgenext_search.report.parts.figure`.
        figures: By identifier.
        trials: Of :func:`~edgenext_search.report.page_data.trials_data`.
        live: Whether the page loads itself again each minute, because the run goes on.
    """
    text = Template(_resource("page.html")).substitute(
        title=title,
        body=Markup(body.replace(sections.CONTENTS, sections.links(body))),
        attributes=Markup(' data-live="yes"' if live else ""),
        style=Markup(_resource("style.css").rstrip()),
        figures=json_script("data-figures", {name: plot.to_dict() for name, plot in figures.items()}),
        trials=json_script("data-trials", trials),
        script=Markup("\n".join(_resource(name).rstrip() for name in _SCRIPTS)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _resource(name: str) -> str:
    return resources.files("edgenext_search.report").joinpath("page", name).read_text(encoding="utf-8")
