"""The report of several runs as one document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edgenext_search.arch.metrics import METRICS
from edgenext_search.report.comparison.figures import comparison_figures
from edgenext_search.report.comparison.results import ComparisonResult, Outcome, best_runs, outcome, ranked_runs
from edgenext_search.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Figure,
    Group,
    Paragraph,
    Row,
    Table,
    TrialsTable,
    row,
    section,
)
from edgenext_search.report.run.finalists import SHAPE
from edgenext_search.report.run.latency import short_latency
from edgenext_search.report.run.verdict import gain_text
from edgenext_search.report.run.words import shown_score
from edgenext_search.report.trials.study import Study
from edgenext_search.report.wording import (
    NONE,
    budget_text,
    deployment_text,
    fidelity_text,
    listed,
    percent,
    points,
    score_text,
    spread_text,
    stages_text,
)

_TOPICS = {
    "data": "the images that they were trained and scored on",
    "fidelity": "the proxy training",
    "seeds": "the seeds that scored their finalists",
    "deployment": "the deployment that costs are counted for",
}
_OUTCOMES = {
    Outcome.NOT_COMPARABLE: "These {n} runs cannot be ranked: they differ in {topics}.",
    Outcome.NO_WINNER: "None of these runs has a winner yet that fresh seeds have scored.",
    Outcome.ONLY_WINNER: "{best} alone has a winner that fresh seeds have scored: {score} % top-1, budget {budget}.",
    Outcome.BEST: "{best} has the best winner: {score} % top-1, budget {budget}.",
    Outcome.AHEAD: (
        "{best} has the highest score, {score} % top-1, budget {budget}, but its lead over {second} is not established."
    ),
    Outcome.LEVEL: "{best} come out level: {score} % top-1.",
}
_LONGEST = 60  # characters of a value that differs


def comparison_document(runs: Sequence[Study], result: ComparisonResult) -> Document:
    """The report of several runs."""
    answer, *rest = comparison_sentences(result)
    winners, note, differences = _winners(runs, result), _note(runs, result), _differences(result)
    figures = tuple(Figure(identifier=name, plot=made) for name, made in comparison_figures(runs).items())
    pairs = (Group(blocks=figures[at : at + 2], layout="pair") for at in range(0, len(figures), 2))
    total = sum(len(run.trials) for run in runs)
    same = "The runs have the same images, the same split of them, the same proxy training and the same seeds."
    why = "Scores of different trainings, images or seeds say nothing about which candidate is better."
    sections = [
        section("winners", "Winners", "The winners", winners, note),
        section(
            "conditions",
            "Conditions",
            "May they be ranked?",
            Paragraph(text=why if differences else same),
            differences,
        ),
        section("pareto", "Fronts", "Fronts and courses", *pairs) if figures else None,
        section("trials", "Trials", f"All {total} trials", TrialsTable()) if total else None,
    ]
    brief: tuple[Block | None, ...] = (winners, differences, note)
    return Document(
        topic=(f"{len(runs)} runs", *(run.name for run in runs)),
        answer=answer,
        qualifiers=tuple(rest),
        sections=tuple(filter(None, sections)),
        brief=tuple(filter(None, brief)),
        paths=(("report", result.report),),
    )


def comparison_sentences(result: ComparisonResult) -> tuple[str, ...]:
    """The answer, and what qualifies it."""
    verdict, best, ranked = outcome(result), best_runs(result), ranked_runs(result)
    topics = listed([_TOPICS[topic] for topic in dict.fromkeys(one.topic for one in result.differences)])
    winner = best[0].winner if best else None
    said = [
        _OUTCOMES[verdict].format(
            n=len(result.runs),
            topics=topics,
            best=listed([run.name for run in best]),
            second=ranked[1].name if ranked[1:] else "",
            score=score_text(shown_score(winner)) if winner else "",
            budget=budget_text(best[0].budget) if best else "",
        )
    ]
    if verdict is Outcome.NOT_COMPARABLE:
        return (*said, "Each run's own comparison of its winner with its baseline holds all the same.")
    if verdict is Outcome.NO_WINNER:
        return tuple(said)
    if len({budget_text(run.budget) for run in result.runs}) > 1:
        said.append("The runs have different budgets: look at the fronts before you call one better.")
    if unfinished := [run.name for run in result.runs if run.status != "complete"]:
        said.append(f"Not complete yet: {listed(unfinished)}.")
    return (*said, "Few seeds differ by chance: a lead is established if Welch's t test says so at the 5 % level.")


def _winners(runs: Sequence[Study], result: ComparisonResult) -> Table:
    ranking = list(result.ranking or ())
    ordered = sorted(runs, key=lambda run: ranking.index(run.name) if run.name in ranking else len(ranking))
    ranks = {name: str(place) for place, name in enumerate(ranking, start=1)}
    latency = any(run.summary.winner and short_latency(run.summary.winner) for run in runs)
    return Table(
        label="The winners",
        columns=(
            Column(label="#", right=True),
            Column(label="Run", main=True),
            Column(label="Winner", narrow="below"),
            Column(label="Budget", narrow="drop"),
            Column(label="Top-1, %", right=True, main=True),
            Column(label="vs its baseline, points", right=True, main=True),
            Column(label="Params", right=True),
            Column(label="MAdds", right=True, narrow="below"),
            *((Column(label="Latency", right=True, narrow="below"),) if latency else ()),
            Column(label="Widths", narrow="drop"),
            Column(label="Depths", narrow="drop"),
            Column(label="Kernels", narrow="drop"),
            Column(label="SDTA", narrow="drop"),
            Column(label="Fidelity", narrow="drop"),
            Column(label="Status", narrow="drop"),
        ),
        rows=tuple(_row(run, ranks.get(run.name, NONE), latency=latency) for run in ordered),
    )


def _row(run: Study, rank: str, *, latency: bool) -> Row:
    winner, summary = run.summary.winner, run.summary
    budget, fidelity = budget_text(summary.budget), fidelity_text(summary.fidelity)
    if winner is None:
        return row(rank, run.name, "no winner yet", budget, *[NONE] * (8 + latency), fidelity, summary.status)
    score, gain = shown_score(winner), summary.gain
    interval = (gain_text(gain) or "").removeprefix("95 % interval ").removesuffix(" points")
    return row(
        rank,
        run.name,
        Cell(text=winner.fingerprint, code=True),
        budget,
        Cell(text=percent(score.mean), note=spread_text(score)),
        Cell(text=points(gain.mean if gain else None), note=interval and f"({interval})"),
        METRICS["params"].text(winner.params),
        METRICS["madds"].text(winner.madds),
        *((short_latency(winner) or NONE,) if latency else ()),
        *(stages_text(winner.candidate, name) for name in SHAPE),
        fidelity,
        summary.status,
    )


def _note(runs: Sequence[Study], result: ComparisonResult) -> Paragraph:
    order = "Not ranked" if result.ranking is None else "Ranked by top-1"
    deployments = dict.fromkeys(deployment_text(run.summary.deployment) for run in runs)
    text = (
        f"{order}. Top-1: mean ± standard deviation over n seeds, those of the re-match where there was one. Costs at "
        f"{' or '.join(deployments)}."
    )
    return Paragraph(text=text, style="caption")


def _differences(result: ComparisonResult) -> Table | None:
    if not result.differences:
        return None
    return Table(
        label="Differences",
        columns=tuple(Column(label=label) for label in ("Differs", *(run.name for run in result.runs))),
        rows=tuple(row(f"{one.topic}: {one.key}", *map(_short, one.values)) for one in result.differences),
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
