"""The sections of the page that are figures: fronts, the study's course, choices, the spread of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from edgenext_search.report.all_figures import CHOICE, EDF, HISTORY, IMPORTANCE, front_id
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.pareto import COST_NAMES, CostName, front_trials, full_fidelity
from edgenext_search.report.parts import figure, section, tabs
from edgenext_search.report.plot import Plot
from edgenext_search.report.progress import BY_IMAGES, BY_TRIALS, hypervolume_costs
from edgenext_search.report.wording import COST_LABELS, chosen_text, listed, ranked_by
from edgenext_search.search.store.records import TrialRecord

_TAB_LABELS: dict[CostName, str] = {
    "params": "Parameters",
    "madds": "Multiply-adds",
    "acts": "Activations",
    "memory": "Peak memory",
    "footprint": "Weights and memory",
    "latency": "Latency",
}
_FRONT_WORDS = {"params": "parameters", "madds": "multiply-adds", "acts": "activations"}
_PAIR = 2


def pareto_section(trials: Sequence[TrialRecord], figures: Mapping[str, Plot]) -> Markup | None:
    """Accuracy against each cost, two figures at a time; None where no trial has a score."""
    shown = [name for key in figures for name in COST_NAMES if front_id(name) == key]
    if not shown:
        return None
    pairs = [shown[at : at + _PAIR] for at in range(0, len(shown), _PAIR)]
    panels = [
        (
            " and ".join(_TAB_LABELS[name] if not at else _lower(name) for at, name in enumerate(pair)),
            element("div", *(figure(front_id(name), figures[front_id(name)]) for name in pair), class_="pair"),
        )
        for pair in pairs
    ]
    complete = full_fidelity(trials)
    networks = len({trial.candidate for trial in complete})
    sizes = {name: len({trial.candidate for trial in front_trials(trials, name)}) for name in shown}
    on = [f"{size} for {_FRONT_WORDS.get(name, COST_LABELS[name])}" for name, size in sizes.items()]
    caption = (
        f"Fully trained networks: {networks}. On the front are {listed(on)}: no other is as good for as little. Hollow "
        "marks were stopped early, so their scores rank only among marks of the same number of epochs."
        if complete
        else "No candidate was trained through the last rung, so there is no front."
    )
    how = "Hover over a mark for its candidate, click to pin it; drag to zoom, double-click to see all again."
    return section(
        "pareto",
        "Accuracy for the cost",
        tabs("fronts", "Cost", panels),
        element("p", caption, " ", element("span", how, class_="screen"), class_="caption"),
    )


def history_section(figures: Mapping[str, Plot], summary: Mapping[str, Any]) -> Markup | None:
    """Best score and hypervolume against trials and images, and every trial in its order."""
    if HISTORY not in figures:
        return None
    ways = []
    for way, suffix in ((BY_TRIALS, ""), (BY_IMAGES, "-images")):
        names = [f"fig-{kind}{suffix}" for kind in ("best", "hypervolume") if f"fig-{kind}{suffix}" in figures]
        if names:
            ways.append((way, element("div", *(figure(name, figures[name]) for name in names), class_="pair")))
    against = listed(["top-1", *(COST_LABELS[name] for name in hypervolume_costs(summary))])
    explained = (
        f"Hypervolume: what the front of {against} dominates, as a share of the box from the best of every "
        "objective to a tenth of the range beyond the worst; costs count by their logarithm. "
        if ways
        else ""
    )
    return section(
        "history",
        "How the study went",
        tabs("course", "Against", ways) if ways else None,
        element("div", figure(HISTORY, figures[HISTORY]), class_="below")
        if ways
        else figure(HISTORY, figures[HISTORY]),
        element(
            "p",
            f"{explained}The lines count fully trained candidates alone. {chosen_text(summary)}; fresh seeds decide "
            "between them.",
            class_="caption",
        ),
    )


def choices_section(figures: Mapping[str, Plot], summary: Mapping[str, Any]) -> Markup | None:
    """Which choices paid: importance, and the mean score of each value; None where nothing varied or scored."""
    names = [name for name in figures if name.startswith(CHOICE)]
    if not names and IMPORTANCE not in figures:
        return None
    groups = []
    for label, members in groupby(names, key=lambda name: figures[name].title.partition(", stage")[0]):
        plots = [figure(name, figures[name], title=_stage(figures[name].title)) for name in members]
        groups.append(join(element("h3", label), element("div", *plots, class_="small-plots")))
    caption = (
        "Mean top-1 of the networks that have a value, with its 95 % interval (from three networks on), all on one "
        "scale. A network that stopped early counts with its score plus what others gained from there to the last "
        "rung. The sampler tries more of what it likes, and values come together with others, so a difference is a "
        "hint, not an effect."
    )
    found = summary.get("importance") or {}
    by = f", the best by {reading}" if (reading := ranked_by(summary)) else ""
    method = (
        f" Importance: {found['method']} (Watanabe et al. 2023) on {found['n']} networks{by}; with few, small shares "
        "are chance."
        if found
        else ""
    )
    importance = figure(IMPORTANCE, figures[IMPORTANCE], "summary.json") if IMPORTANCE in figures else None
    return section(
        "choices",
        "Which choices paid",
        importance,
        element("div", *groups, class_="choices") if groups else None,
        element("p", (caption if groups else "") + method, class_="caption"),
    )


def spread_section(figures: Mapping[str, Plot]) -> Markup | None:
    """The distribution of errors; None where the sampler has no fully trained candidate."""
    if EDF not in figures:
        return None
    return section(
        "errors",
        "How good the candidates were as a whole",
        figure(EDF, figures[EDF]),
        element(
            "p",
            "A line further to the left is a better lot. Published shapes and candidates of yours are not among them; "
            "those that stopped early are not either, so this is the better part of what was tried.",
            class_="caption",
        ),
    )


def _stage(title: str) -> str:
    """``Stage 2`` of ``Kernel size, stage 2``; what varies in all stages alike as ``All stages``."""
    return title.rpartition(", ")[2].capitalize() if ", stage" in title else "All stages"


def _lower(name: CostName) -> str:
    return _TAB_LABELS[name][0].lower() + _TAB_LABELS[name][1:]
