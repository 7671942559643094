"""A study as reports read it: its summary and its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import TrialRecord


@dataclass(frozen=True, slots=True)
class Study:
    """A study: its summary, all its trials, and its name among several studies."""

    summary: RunSummary
    trials: Sequence[TrialRecord]
    name: str = ""
