"""The conditions under which the numbers of a run hold, and the method behind them."""

from __future__ import annotations

from edgenext_search.execution.conditions import RunConditions
from edgenext_search.report.document import Facts, Group, Paragraph, Section, Strong, section
from edgenext_search.report.run.words import (
    is_rescored,
    objective_costs,
    objectives_text,
    rematch_text,
    seeds_text,
)
from edgenext_search.report.wording import (
    NONE,
    RANKING_METRICS,
    budget_text,
    count_or_none,
    deployment_text,
    duration_text,
    fidelity_text,
    versions_text,
)
from edgenext_search.search.results import RunSummary
from edgenext_search.texts import counted


def conditions_section(summary: RunSummary) -> Section:
    """The method in a few sentences, the conditions as a list."""
    pairs = tuple((label, text) for label, text in _conditions(summary) if text)
    return section(
        "conditions",
        "Conditions",
        "Conditions and method",
        Group(blocks=(Group(blocks=_method(summary), layout="prose"), Facts(pairs=pairs)), layout="split"),
    )


def _conditions(summary: RunSummary) -> list[tuple[str, str]]:
    data, fidelity, conditions = summary.data, summary.fidelity, summary.conditions
    costs, counts = objective_costs(summary), summary.trials.to_dict()
    generated = " (generated)" if data and data.demonstration else ""
    return [
        ("Study", f"{summary.study}, space {summary.space}"),
        ("Budget", budget_text(summary.budget)),
        ("Objectives", objectives_text(costs) if costs else ""),
        ("Deployment", deployment_text(summary.deployment)),
        ("Data", f"{data.name}{generated}, {data.classes} classes" if data else NONE),
        ("Fidelity", f"{fidelity_text(fidelity)}, {count_or_none(fidelity.train_images)} training images"),
        ("Scored on", f"{count_or_none(fidelity.val_images)} held-out training images"),
        ("Rungs", f"after epochs {', '.join(map(str, fidelity.rungs))}"),
        ("Ranked by", RANKING_METRICS[fidelity.rank_by]),
        ("Trials", ", ".join(f"{count} {state}" for state, count in counts.items())),
        ("Seeds", f"study {summary.seed}; finalists {seeds_text(summary)}"),
        ("Device", _device(conditions) if conditions else ""),
        ("Versions", versions_text(conditions.versions) if conditions else ""),
        ("Time", duration_text(summary.seconds)),
        ("Run", summary.run),
    ]


def _device(conditions: RunConditions) -> str:
    processes = conditions.devices_per_trial
    parts = [
        conditions.device,
        f"{conditions.parallel} at once",
        f"{counted(conditions.threads, 'thread')} each",
        f"{processes} processes each trial" if processes > 1 else "",
        conditions.numerics,
        f"{conditions.host_cores} cores in the host",
    ]
    return ", ".join(filter(None, parts))


def _method(summary: RunSummary) -> tuple[Paragraph, ...]:
    images = summary.fidelity.val_images
    grain = f" One image of these {images:,} is {100 / images:.2f} points." if images else ""
    further = (
        "Further seeds, which decided nothing, tell how much better the winner is. " if rematch_text(summary) else ""
    )
    score = (
        "Top-1 on a held-out part of the training images, stratified and seeded. The data’s validation images were "
        f"never used to choose a candidate.{grain}"
    )
    search = f"Every candidate’s widths were solved so that it fits the budget. {_halving(summary)}"
    decision = (
        f"The best candidates and the baseline {'were' if is_rescored(summary) else 'are'} trained again with fresh "
        "seeds, and those scores decide: the best of many noisy scores is lucky as well as good. "
        f"{further}The baseline is the published EdgeNeXt shape, scaled to the same budget and trained in the same way."
    )
    limits = "A short training on small images ranks candidates; it does not tell the accuracy after full training."
    named = {"Score. ": score, "Search. ": search, "Decision. ": decision, "Limits. ": limits}
    return tuple(Paragraph(text=(Strong(name), text)) for name, text in named.items())


def _halving(summary: RunSummary) -> str:
    """How candidates are stopped early."""
    if len(summary.fidelity.rungs) == 1:
        return "Each is trained to the end; none stops early."
    costs = " and costs" if objective_costs(summary) else ""
    return (
        "A cohort trains rung by rung. At each rung but the last the weaker half stops, by "
        f"{RANKING_METRICS[summary.fidelity.rank_by]}{costs}, and is shown as pruned. Scores compare only at the same "
        "number of epochs."
    )
