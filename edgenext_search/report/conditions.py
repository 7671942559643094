"""The last section of the page: under which conditions the numbers hold, and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.parts import section
from edgenext_search.report.wording import (
    COST_LABELS,
    NONE,
    budget_text,
    costs_of_front,
    deployment_text,
    duration_text,
    fidelity_text,
    is_rescored,
    listed,
    number_or_none,
    ranked_by,
    rematch_text,
    seeds_text,
)


def conditions_section(summary: Mapping[str, Any]) -> Markup:
    """Conditions as a list, the method in a few sentences."""
    pairs = [(label, str(text)) for label, text in _conditions(summary) if text]
    facts = element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in pairs), class_="facts")
    steps = element("div", *(element("p", text) for text in _method(summary)), class_="prose")
    return section("conditions", "Conditions and method", element("div", steps, facts, class_="split"))


def _conditions(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    conditions = summary.get("conditions") or {}
    data, fidelity = summary.get("data") or {}, summary.get("fidelity") or {}
    trials = summary.get("trials") or {}
    versions = conditions.get("versions") or {}
    seconds = number_or_none(summary.get("seconds"))
    costs = costs_of_front(summary)
    rungs = ", ".join(str(rung) for rung in fidelity.get("rungs") or [])
    generated = " (generated)" if data.get("demonstration") else ""
    return [
        ("Study", f"{summary.get('study', NONE)}, space {summary.get('space', NONE)}"),
        ("Budget", budget_text(summary.get("budget") or {})),
        ("Objectives", listed(["top-1", *(COST_LABELS[name] for name in costs)]) if costs else None),
        ("Deployment", deployment_text(summary)),
        ("Data", f"{data.get('name', NONE)}{generated}, {data.get('classes', NONE)} classes"),
        ("Fidelity", f"{fidelity_text(summary)}, {_count(fidelity.get('train_images'))} training images"),
        ("Scored on", f"{_count(fidelity.get('val_images'))} held-out training images"),
        ("Rungs", f"after epochs {rungs}" if rungs else None),
        ("Ranked by", ranked_by(summary)),
        ("Trials", ", ".join(f"{count} {state}" for state, count in trials.items())),
        ("Seeds", f"study {summary.get('seed', NONE)}; finalists {seeds_text(summary)}"),
        ("Device", _device(conditions)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Time", None if seconds is None else duration_text(seconds)),
        ("Run", summary.get("run")),
    ]


def _device(conditions: Mapping[str, Any]) -> str:
    parts = [str(conditions.get("device", NONE))]
    if "parallel" in conditions:
        parts.append(f"{conditions['parallel']} at once")
    if "threads" in conditions:
        parts.append(f"{conditions['threads']} thread{'' if conditions['threads'] == 1 else 's'} each")
    if conditions.get("devices_per_trial", 1) > 1:
        parts.append(f"{conditions['devices_per_trial']} processes each trial")
    if "numerics" in conditions:
        parts.append(str(conditions["numerics"]))
    if "host_cores" in conditions:
        parts.append(f"{conditions['host_cores']} cores in the host")
    return ", ".join(parts)


def _method(summary: Mapping[str, Any]) -> list[Markup | str]:
    images = (summary.get("fidelity") or {}).get("val_images")
    grain = (
        f" One image of these {images:,} is {100 / images:.2f} points." if isinstance(images, int) and images else ""
    )
    further = (
        "How much better the winner is, further seeds of both say, which decided nothing. "
        if rematch_text(summary)
        else ""
    )
    return [
        join(
            element("b", "Score. "),
            "Top-1 on a held-out part of the training images, stratified and seeded. The data’s validation "  # noqa: RUF001
            f"images were never used to choose a candidate.{grain}",
        ),
        join(
            element("b", "Search. "),
            f"Every candidate’s widths were solved so that it fits the budget. {_halving(summary)}",  # noqa: RUF001
        ),
        join(
            element("b", "Decision. "),
            f"The best candidates and the baseline {'were' if is_rescored(summary) else 'are'} trained again with "
            "fresh seeds, and those scores decide: the best of many noisy scores is lucky as well as good. "
            f"{further}The baseline is the published EdgeNeXt shape, scaled to the same budget and trained in the same "
            "way.",
        ),
        join(
            element("b", "Limits. "),
            "A short training on small images ranks candidates; it does not tell the accuracy after full training.",
        ),
    ]


def _halving(summary: Mapping[str, Any]) -> str:
    """How candidates are stopped early, and by what."""
    if len((summary.get("fidelity") or {}).get("rungs") or []) == 1:
        return "Each is trained to the end; none stops early."
    costs = " and costs" if costs_of_front(summary) else ""
    return (
        "A cohort trains rung by rung; the weaker half stops at each rung but the last and is shown as pruned. Which "
        f"half is weaker is read off the {ranked_by(summary) or 'score'}{costs}. Scores compare only at the same "
        "number of epochs."
    )


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else NONE
