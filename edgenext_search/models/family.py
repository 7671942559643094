"""A family of candidates beside the published variants, and on disk: one ``candidate.yaml`` a member."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.arch.budget import Budget
from edgenext_search.errors import UserError
from edgenext_search.files import write_output
from edgenext_search.models.folder import CANDIDATE_FILE, candidate_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgenext_search.arch.scaling import Member, ScalingRule


def save_family(members: Sequence[Member], rule: ScalingRule, folder: Path) -> list[Path]:
    """Write ``FOLDER/<budget>/candidate.yaml`` for each member.

    Args:
        members: Of one family.
        rule: That it was scaled by.
        folder: Made where it is missing; members that lie there already are replaced.

    Returns:
        The members' folders, which every command takes that takes a candidate.

    Raises:
        UserError: Nothing can be written there, or something else than a family lies there.
    """
    inside = list(folder.iterdir()) if folder.is_dir() else [folder] if folder.exists() else []
    if not all((place / CANDIDATE_FILE).is_file() for place in inside):
        raise UserError(f"{folder} exists and holds something else than a family; give another folder with --out.")
    places = [folder / budget_name(member.budget) for member in members]
    for member, place in zip(members, places, strict=True):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{place} cannot be written: {error.strerror}; give another folder with --out.") from error
        scaling = {"budget": member.budget.to_dict(), "rule": str(rule), "growth": round(member.growth, 6)}
        write_output(place / CANDIDATE_FILE, candidate_text(member.candidate, member.deployment, scaling=scaling))
    return places


def budget_name(budget: Budget) -> str:
    """A budget as part of a path: ``1.3M``, ``madds0.3G-acts2M``."""
    text = str(budget)
    plain = text.removeprefix("params=") if "," not in text else text
    return plain.replace(",", "-").replace("=", "")
