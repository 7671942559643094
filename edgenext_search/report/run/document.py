"""The report of a run as one document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from edgenext_search.report.audit.section import audit_section
from edgenext_search.report.document import Document, Paragraph
from edgenext_search.report.notices import notices
from edgenext_search.report.run.choices import choices_section
from edgenext_search.report.run.conditions import conditions_section
from edgenext_search.report.run.errors import errors_section
from edgenext_search.report.run.finalists import finalists_conditions, finalists_section, finalists_table
from edgenext_search.report.run.front import pareto_section
from edgenext_search.report.run.latency import latency_conditions, latency_section
from edgenext_search.report.run.progress import history_section
from edgenext_search.report.run.sizes import sizes_section
from edgenext_search.report.run.trials import trials_section
from edgenext_search.report.run.verdict import answer_and_qualifiers
from edgenext_search.report.run.winner import architecture_section, key_section, model_section
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import budget_text, duration_text
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.texts import command_line


def run_document(summary: RunSummary, trials: Sequence[TrialRecord]) -> Document:
    """The report of a run; one without winner, baseline or finalists is reported all the same."""
    study = Study(summary, trials)
    answer, *qualifiers = answer_and_qualifiers(summary)
    sections = (
        key_section(summary),
        architecture_section(summary),
        model_section(summary),
        pareto_section(study),
        history_section(study),
        finalists_section(summary),
        latency_section(summary, trials),
        choices_section(study),
        errors_section(study),
        audit_section(summary),
        sizes_section(summary),
        trials_section(trials),
        conditions_section(summary),
    )
    table, latency = finalists_table(summary), latency_conditions(summary)
    brief = (
        table,
        finalists_conditions(summary) if table else None,
        Paragraph(text=latency, style="caption") if table and latency else None,
    )
    return Document(
        topic=(summary.study, budget_text(summary.budget)),
        answer=answer,
        qualifiers=tuple(qualifiers),
        notices=notices(
            summary.status,
            resume=command_line("resume", PurePath(summary.run)),
            demonstration=summary.data is not None and summary.data.demonstration,
        ),
        sections=tuple(filter(None, sections)),
        brief=tuple(filter(None, brief)),
        paths=_paths(summary),
        live=summary.status == "running",
    )


def _paths(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    models = [folder for folder in (summary.model_dir, *(row.model_dir for row in summary.front[1:])) if folder]
    return (
        *(("" if place else "model", folder) for place, folder in enumerate(models)),
        ("report", summary.report),
        ("run", summary.run),
        ("took", duration_text(summary.seconds)),
    )
