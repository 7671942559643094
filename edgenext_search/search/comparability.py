"""Whether the scores of several runs may be held against each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue

from edgenext_search.results import Result
from edgenext_search.search.study.finalists import choosing_seeds, rematch_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgenext_search.search.recipe import ResolvedRecipe
    from edgenext_search.search.store.store import StudyStore

Conditions: TypeAlias = "Mapping[str, Mapping[str, JsonValue]]"  # by topic and key
_SPEED = ("precision", "channels_last", "compile")  # change scores by rounding alone


class Difference(Result):
    """A condition that differs between runs."""

    topic: str
    """``data``, ``fidelity``, ``seeds`` or ``deployment``."""
    key: str
    """Key of the condition."""
    values: tuple[JsonValue, ...]
    """Its value in each run, in the order given."""


def conditions_of(recipe: ResolvedRecipe, store: StudyStore) -> Conditions:
    """What has to be alike for the winners of runs to be ranked, by topic.

    Returns:
        ``data``: which images, and how they were split; ``fidelity``: all keys of the proxy training, but for those
        that change speed; ``seeds``: those that score finalists; ``deployment``: what costs are counted for.
    """
    data = store.facts().data
    keys = recipe.to_dict()
    return {
        "data": {
            "images": data and data.fingerprint,
            "train_images": data and data.train_images,
            "val_images": data and data.val_images,
            "seed": keys["data"].get("seed"),
        },
        "fidelity": {name: value for name, value in keys["proxy"].items() if name not in _SPEED},
        "seeds": {
            "finalists": choosing_seeds(recipe.search),
            "re-match": rematch_seeds(recipe.search),
        },
        "deployment": recipe.deployment.to_dict(),
    }


def differences(conditions: Sequence[Conditions]) -> list[Difference]:
    """Where the conditions of runs differ.

    Returns:
        The differences; empty if the runs may be ranked.
    """
    differing = []
    for topic in conditions[0] if conditions else ():
        keys = dict.fromkeys(key for run in conditions for key in run[topic])
        for key in keys:
            values = [run[topic].get(key) for run in conditions]
            if len({json.dumps(value, sort_keys=True) for value in values}) > 1:
                differing.append(Difference(topic=topic, key=key, values=tuple(values)))
    return differing
