"""The files of a run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.report.document import Document
    from edgenext_search.search.results import RunSummary
    from edgenext_search.search.store.records import TrialRecord
    from edgenext_search.search.store.run_folder import RunFolder


def write_reports(folder: RunFolder, summary: RunSummary, trials: Sequence[TrialRecord]) -> Document:
    """Write ``summary.json``, ``report/index.html`` and ``report/trials.csv``; returns the report."""
    from edgenext_search.report.render.html import write_page
    from edgenext_search.report.run.document import run_document
    from edgenext_search.report.trials.page_data import trials_data
    from edgenext_search.report.trials.study import Study
    from edgenext_search.report.trials.table import write_csv

    folder.write_summary(summary)
    document = run_document(summary, trials)
    write_page(document, folder.report_file, trials=trials_data([Study(summary, trials)]))
    write_csv(trials, folder.csv_file)
    return document
