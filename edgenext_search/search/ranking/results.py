"""What an audit found."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from edgenext_search.results import Result


class AuditResult(Result):
    """The latest audit of a run; keys without a field are kept as they are."""

    model_config = ConfigDict(extra="allow")

    status: Literal["complete", "interrupted", "running"]
    """Whether all reference trainings that were asked for are done, were interrupted, or are under way."""
