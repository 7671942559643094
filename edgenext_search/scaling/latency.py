"""Latency among the costs of a scaling study: predicted by the profile that lies in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.files import write_bytes
from edgenext_search.scaling.records import LatencyConditions

if TYPE_CHECKING:
    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.run_folder import RunFolder


def timed(deployment: Deployment, profile: Path | None) -> Deployment:
    """A deployment with the latency that a profile predicts among its costs; as it is without a profile.

    Raises:
        UserError: The file is no profile, or one of another deployment.
    """
    if profile is None:
        return deployment
    from edgenext_search.latency.profile.predictor import Predictor

    return replace(deployment, latency_model=Predictor.load(profile, deployment=deployment))


def scaling_deployment(run: RunFolder, recipe: ResolvedRecipe) -> Deployment:
    """What the costs of a scaling study are counted for."""
    profile = run.latency_profile
    return timed(recipe.deployment, profile if profile.is_file() else None)


def keep_profile(run: RunFolder, profile: Path | None) -> None:
    """Lay a profile into a run's folder, in place of the one there: it changes no training."""
    if profile is not None and profile.resolve() != run.latency_profile.resolve():
        write_bytes(run.latency_profile, profile.read_bytes())


def latency_conditions(deployment: Deployment, candidates: Iterable[Candidate]) -> LatencyConditions | None:
    """Where the latencies of networks come from; None where there are none.

    Args:
        deployment: As :func:`timed` gives it.
        candidates: Networks whose latencies are shown.
    """
    from edgenext_search.latency.profile.predictor import Predictor

    model = deployment.latency_model
    if not isinstance(model, Predictor):
        return None
    return LatencyConditions(
        device=model.device,
        interpolated=sum(model.predict(candidate).interpolated for candidate in candidates),
        conditions=model.profile.conditions,
        held_out=model.held_out,
    )
