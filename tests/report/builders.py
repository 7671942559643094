"""Studies made up for the tests of the report: trials and summaries without any training."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.report.document import (
    Block,
    Cell,
    Code,
    Column,
    Command,
    Document,
    Facts,
    Figure,
    Group,
    KeyFigure,
    KeyFigures,
    Listing,
    Network,
    Networks,
    Notice,
    Paragraph,
    Section,
    Strong,
    Table,
    Tabs,
    TrialsTable,
    row,
    section,
)
from edgenext_search.report.plot import Plot
from edgenext_search.report.render.html import render
from edgenext_search.search.ranking.results import AuditResult
from edgenext_search.search.results import Finalist, MeasuredLatency, RunSummary
from edgenext_search.search.store.records import Score, TrialRecord

RUNGS = (2, 6)
HELD_OUT = {  # errors of a latency predictor
    "n": 100, "mean_error": 0.02, "within_5": 0.9, "within_10": 1.0, "spearman": 0.9, "bias": 0.0, "margin": 1.05,
    "low": 0.9, "high": 1.1,
}  # fmt: skip
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'${verdict}"


def a_candidate(rng: random.Random) -> Candidate:
    heads = 4
    widths = sorted(heads * rng.randint(5, 44) for _ in range(4))
    depths = [rng.randint(1, 4), rng.randint(1, 4), rng.randint(2, 9), rng.randint(1, 4)]
    return Candidate(
        widths=tuple(widths),
        depths=tuple(depths),
        kernel_sizes=tuple(rng.choice([3, 5, 7, 9]) for _ in range(4)),
        sdta_splits=(2, 2, 3, 4),
        sdta_blocks=tuple(0 if stage == 0 else min(rng.randint(0, 2), depths[stage]) for stage in range(4)),
        heads=(heads,) * 4,
    )


def a_trial(number: int = 0, *, scores: Sequence[float] = (0.4, 0.7), **changes: Any) -> TrialRecord:
    candidate = changes.pop("candidate", None) or a_candidate(random.Random(number))
    complete = len(scores) == len(RUNGS)
    values: dict[str, Any] = {
        "number": number,
        "state": "complete" if complete else "pruned",
        "cohort": number // 8,
        "origin": "sampler",
        "candidate": candidate,
        "cost": cost(candidate, Deployment()),
        "curve": tuple(zip(RUNGS, scores, strict=False)),
        "seconds": 3.25,
        "seed": 1000 + number,
    }
    return TrialRecord(**{**values, **changes})


def some_trials(count: int, *, seed: int = 0, failed: int = 0) -> list[TrialRecord]:
    """A study's worth of trials: published shapes first, the weaker half stopped, the last ``failed`` failed."""
    rng = random.Random(seed)
    trials = []
    for number in range(count):
        origin, candidate = "sampler", a_candidate(rng)
        if number < 3:
            origin = ("edgenext_xx_small", "edgenext_x_small", "edgenext_small")[number]
            candidate = published_variant("edgenext_xx_small").candidate
            widths = tuple(width - 4 * number for width in candidate.widths)
            candidate = replace(candidate, widths=widths, depths=(2, 2, 6 - number, 2))
        full = cost(candidate, Deployment())
        params = int(1_300_000 * rng.uniform(0.95, 1.0))
        counted = replace(full, params=params, madds=int(full.madds * params / full.params))
        scores = (rng.gauss(0.42, 0.06), rng.gauss(0.68, 0.03) + 0.02 * number / count)
        stopped = rng.random() < 0.5 and number != 0
        trials.append(
            a_trial(number, scores=scores[:1] if stopped else scores, origin=origin, candidate=candidate, cost=counted)
        )
    for number in range(count - failed, count):
        reason = "RuntimeError: the worker ended with exit code -9 (out of memory?)"
        trials[number] = replace(trials[number], state="failed", curve=(), reason=reason)
    return trials


def a_finalist(trial: TrialRecord, *, mean: float, std: float | None = 0.012, n: int = 3, **changes: Any) -> Finalist:
    values = {
        **trial.cost.to_dict(),
        "fingerprint": trial.candidate.fingerprint,
        "trial": trial.number,
        "origin": trial.origin,
        "candidate": trial.candidate,
        "score": {"mean": mean, "std": std, "n": n},
        "fresh_seeds": n,
        "search_score": trial.score or 0.0,
    }
    return Finalist.model_validate({**values, **changes})


def changed(summary: RunSummary, finalist: Finalist, **changes: Any) -> RunSummary:
    """A summary with other values of one finalist, wherever it stands."""
    new = finalist.model_copy(update=changes)

    def swap(old: Finalist | None) -> Finalist | None:
        return new if old is not None and old.fingerprint == new.fingerprint else old

    return summary.model_copy(
        update={
            "finalists": tuple(map(swap, summary.finalists)),
            "front": tuple(map(swap, summary.front)),
            "winner": swap(summary.winner),
            "baseline": swap(summary.baseline),
        }
    )


def unscored(summary: RunSummary) -> RunSummary:
    """A study whose finalists no fresh seed has scored yet."""
    for finalist in summary.finalists:
        score = Score(mean=finalist.search_score, std=None, n=1)
        summary = changed(summary, finalist, score=score, fresh_seeds=0, rematch=None)
    return summary.model_copy(update={"status": "interrupted", "gain": None})


def a_summary(trials: Sequence[TrialRecord] = (), /, **changes: Any) -> RunSummary:
    """A finished study over ``trials``; the keyword arguments replace its entries."""
    complete = sorted((t for t in trials if t.state == "complete"), key=lambda t: -(t.score or 0.0))
    finalists = {trial.number: a_finalist(trial, mean=(trial.score or 0.0) - 0.02) for trial in complete[:3]}
    finalists |= {t.number: a_finalist(t, mean=(t.score or 0.0) - 0.01) for t in complete if t.number == 0}
    rows = sorted(finalists.values(), key=lambda row: -row.score.mean)
    winner, baseline = rows[0] if rows else None, finalists.get(0)
    gain = None
    if winner and baseline:
        mean = winner.score.mean - baseline.score.mean
        gain = {"mean": mean, "low": mean - 0.022, "high": mean + 0.022, "confidence": 0.95}
    states = [trial.state for trial in trials]
    run = "runs/demo-params1.3M-20261122-110500"
    model_dir = f"{run}/winners/{winner.fingerprint}" if winner else None
    values = {
        "run": run,
        "status": "complete",
        "study": "demo",
        "space": "edgenext",
        "budget": {"params": 1_300_000},
        "deployment": {"num_classes": 1000, "img_size": 256},
        "data": {
            "name": "built-in",
            "classes": 16,
            "train_images": 3277,
            "val_images": 819,
            "demonstration": True,
        },
        "fidelity": {"img_size": 48, "epochs": 6, "rungs": [2, 6], "train_images": 3277, "val_images": 819},
        "seed": 0,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed")},
        "winner": winner,
        "baseline": baseline,
        "finalists": rows,
        "objectives": ["accuracy"],
        "front": [winner.model_copy(update={"model_dir": model_dir})] if winner else [],
        "gain": gain,
        "report": f"{run}/report/index.html",
        "model_dir": model_dir,
        "seconds": 172.4,
        "conditions": {
            "device": "cpu",
            "parallel": 2,
            "threads": 1,
            "versions": {"edgenext-search": "0.1.0", "python": "3.11.7", "torch": "2.15.0", "timm": "1.0.31"},
            "host_cores": 2,
        },
    }
    return RunSummary.model_validate({**values, **changes})


def an_estimate(value: float, half: float = 0.1) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def an_audit(
    trials: Sequence[TrialRecord], *, seeds: int = 2, noise: float = 0.02, n: int = 12, rank_by: str = "top1"
) -> AuditResult:
    """A finished audit of the first ``n`` scored trials, judged as a real one is; noise is that of a long training."""
    from edgenext_search.search.ranking.agreement import judge, seeds_agree

    rng = random.Random(1)
    chosen = [trial for trial in trials if trial.score is not None][:n]
    truths = [0.2 + 0.9 * trial.curve[0][1] + rng.gauss(0, 0.01) for trial in chosen]
    table = [[truth + rng.gauss(0, noise) for _ in range(seeds)] for truth in truths]
    covariates = [[float(trial.cost.params), float(trial.cost.madds)] for trial in chosen]
    series: list[dict[str, Any]] = []
    for epochs in RUNGS:
        scores = [dict(trial.curve).get(epochs, float("nan")) for trial in chosen]
        counted = {f"{name}_pairwise_accuracy": an_estimate(0.5) for name in ("params", "madds")}
        judged = judge(scores, table, covariates, resamples=200).to_fields()
        series.append({"name": f"rung:{epochs}", "epochs": epochs, "cost_ratio": epochs / 24, **judged, **counted})
    for index, name in enumerate(("params", "madds")):
        judged = judge([row[index] for row in covariates], table, resamples=200).to_fields()
        series.append({"name": name, "epochs": 0, "cost_ratio": 0.0, **judged})
    agreed = seeds_agree(table, resamples=200)
    rows = [
        {
            "fingerprint": trial.candidate.fingerprint,
            "trial": trial.number,
            "origin": trial.origin,
            "params": trial.cost.params,
            "madds": trial.cost.madds,
            "curve": [{"epochs": epochs, "score": score, "ranking_score": score} for epochs, score in trial.curve],
            "reference": Score.of(scores).to_dict(),
            "scores": [{"seed": 500_000 + index, "score": score} for index, score in enumerate(scores)],
        }
        for trial, scores in zip(chosen, table, strict=True)
    ]
    values = {
        "status": "complete",
        "fidelity": {"img_size": 48, "epochs": 24, "train_images": 3277, "val_images": 819, "rank_by": rank_by},
        "asked": {"n": n, "seeds": seeds},
        "n": len(rows),
        "seeds": seeds,
        "open": 0,
        "failed": [],
        "candidates": rows,
        "seeds_agree": agreed,
        "series": series,
        "seconds": 812.5,
    }
    return AuditResult.model_validate(values)


def a_measurement(p50: float, *, verdict: str | None = "pass") -> MeasuredLatency:
    """What a device said of a finalist, in microseconds."""
    values = {
        "p50": p50,
        "p90": 1.1 * p50,
        "min": 0.95 * p50,
        "low": 0.99 * p50,
        "high": 1.01 * p50,
        "n": 312,
        "conditions": {"device": "board", "threads": 1, "runtime": "onnxruntime", "version": "1.20"},
        "verdict": verdict,
    }
    return MeasuredLatency.model_validate(values)


def a_latency(
    trials: Sequence[TrialRecord], *, cap: int | None = 10_000, passed: int | None = None
) -> tuple[RunSummary, list[TrialRecord]]:
    """A finished study that asked for latency: its summary, and its trials with predictions. By default all pass."""
    known = [replace(trial, cost=replace(trial.cost, latency=8_000 + 37 * trial.number)) for trial in trials]
    summary = a_summary(known)
    for place, finalist in enumerate(summary.finalists):
        holds = passed is None or place < passed
        verdict = None if cap is None else "pass" if holds else "fail"
        measured = a_measurement((finalist.latency or 0) * (1.04 if holds else 1.4), verdict=verdict)
        summary = changed(summary, finalist, measured=measured)
    count = len(summary.finalists)
    latency = {
        "device": "board",
        "cap": cap,
        "effective_cap": None if cap is None else int(cap / 1.05),
        "margin": 1.05,
        "profile": {"conditions": {}, "held_out": HELD_OUT},
        "measured": count,
        "passed": None if cap is None else count if passed is None else passed,
    }
    budget = summary.budget if cap is None else {**summary.budget, "latency": cap}
    return RunSummary.model_validate({**dict(summary), "latency": latency, "budget": budget}), known


class Parsed(HTMLParser):
    """A page as a reader meets it: headings and text in order, tags, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.headings: list[str] = []
        self.words: list[str] = []
        self.open: list[Any] = []
        self.scripts: dict[Any, str] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "link", "img", "input", "hr"}:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag, attrs = self.open[-1] if self.open else ("", {})
        if tag == "script":
            self.scripts[attrs.get("id", len(self.scripts))] = data
        elif tag != "style":
            self.words.append(data)
            if tag in {"h1", "h2"}:
                self.headings.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def text_of(*parts: Section | Block | None) -> str:
    """What a reader reads in sections and blocks."""
    blocks = [block for part in parts if part for block in (part.blocks if isinstance(part, Section) else (part,))]
    return Parsed("".join(map(render, blocks))).text


def a_document(name: str | None = None, path: str = "runs/x") -> Document:
    """A document with a block of every kind; ``name`` replaces every text in it."""

    def say(text: str) -> str:
        return name or text

    plot = Plot(title=say("A"), x_label=say("x"), y_label=say("y"), series=[])
    rows = (
        row(Cell(text=say("abc"), code=True, badges=("winner",)), Cell(text="71.0", note="± 1.2"), strong=True),
        row(say("def"), Cell(text="4", before="3")),
    )
    table = Table(label=say("Table"), columns=(Column(label=say("Name")), Column(label="Score", right=True)), rows=rows)
    paragraph = Paragraph(text=("Run ", Code(say("this")), " ", Strong(say("now")), "."))
    listing = Listing(items=((Strong("Trial 1: "), say("failed")),))
    figures = [Figure(identifier=f"fig-{key}", plot=plot) for key in "ab"]
    key_figure = KeyFigure(label=say("Parameters"), value="1.27", unit="M", share=0.98, lines=(say("98.0 % of it"),))
    network = Network(role=say("Winner"), origin=say("search"), candidate=a_candidate(random.Random(0)))
    blocks = (
        table,
        paragraph,
        listing,
        KeyFigures(figures=(key_figure,)),
        Networks(networks=(network,)),
        Command(text=say("run this")),
        Facts(pairs=((say("Budget"), say("1.3M")),)),
        Tabs(identifier="t", label="Tabs", panels=((say("One"), figures[0]), ("Two", figures[1]))),
        Group(blocks=(paragraph,), layout="prose", title=say("Group")),
        TrialsTable(),
    )
    return Document(
        topic=(say("demo"), "≤ 1.3M"),
        answer=say("It is better."),
        qualifiers=(say("By far."),),
        notices=(Notice(title="A demonstration.", text=say("The images are generated."), command="--data FOLDER"),),
        sections=(section("all", "All", say("Everything"), *blocks),),
        brief=(table, paragraph, listing),
        paths=(("report", path),),
    )
