"""Studies made up for the tests of the report: trials and summaries without any training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.search.store.records import Score, TrialRecord
from edgenext_search.search.study.finalists import as_finalist

RUNGS = (2, 6)
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
    candidate = changes.pop("candidate", None) or a_candidate(random.Random(number))  # noqa: S311
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
    rng = random.Random(seed)  # noqa: S311
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
        price = replace(full, params=params, madds=int(full.madds * params / full.params))
        scores = (rng.gauss(0.42, 0.06), rng.gauss(0.68, 0.03) + 0.02 * number / count)
        stopped = rng.random() < 0.5 and number != 0
        trials.append(
            a_trial(number, scores=scores[:1] if stopped else scores, origin=origin, candidate=candidate, cost=price)
        )
    for number in range(count - failed, count):
        reason = "RuntimeError: the worker ended with exit code -9 (out of memory?)"
        trials[number] = replace(trials[number], state="failed", curve=(), reason=reason)
    return trials


def a_finalist(trial: TrialRecord, *, mean: float, std: float | None = 0.012, n: int = 3) -> dict[str, Any]:
    row = as_finalist(trial, [mean]).to_dict()
    row["score"] = Score(mean=mean, std=std, n=n).to_dict()
    return {**row, "fresh_seeds": n}


def unscored(summary: dict[str, Any]) -> dict[str, Any]:
    """A study whose finalists no fresh seed has scored yet."""
    rows = {
        row["fingerprint"]: {
            **row,
            "score": {"mean": row["search_score"], "std": None, "n": 1},
            "fresh_seeds": 0,
            "rematch": None,
        }
        for row in summary["finalists"]
    }
    sides = {side: rows[summary[side]["fingerprint"]] for side in ("winner", "baseline")}
    return {**summary, "status": "interrupted", "finalists": list(rows.values()), "gain": None, **sides}


def a_summary(trials: Sequence[TrialRecord] = (), /, **changes: Any) -> dict[str, Any]:
    """A finished study over ``trials``; the keyword arguments replace its entries."""
    complete = sorted((t for t in trials if t.state == "complete"), key=lambda t: -(t.score or 0.0))
    finalists = [a_finalist(trial, mean=(trial.score or 0.0) - 0.02) for trial in complete[:3]]
    baseline = next((a_finalist(t, mean=(t.score or 0.0) - 0.01) for t in complete if t.number == 0), None)
    if baseline and all(row["trial"] for row in finalists):
        finalists = [*finalists, baseline]
    elif baseline:
        finalists = [baseline if row["trial"] == 0 else row for row in finalists]
    finalists.sort(key=lambda row: -row["score"]["mean"])
    winner = finalists[0] if finalists else None
    gain = None
    if winner and baseline and winner["trial"]:
        mean = winner["score"]["mean"] - baseline["score"]["mean"]
        gain = {"mean": mean, "low": mean - 0.022, "high": mean + 0.022, "confidence": 0.95}
    states = [trial.state for trial in trials]
    run = "runs/demo-params1.3M-20261122-110500"
    return {
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
        "finalists": finalists,
        "objectives": ["accuracy"],
        "front": [{**winner, "model_dir": f"{run}/winners/{winner['fingerprint']}"}] if winner else [],
        "gain": gain,
        "report": f"{run}/report/index.html",
        "model_dir": f"{run}/winners/{winner['fingerprint']}" if winner else None,
        "seconds": 172.4,
        "conditions": {
            "device": "cpu",
            "parallel": 2,
            "threads": 1,
            "versions": {"edgenext-search": "0.1.0", "python": "3.11.7", "torch": "2.15.0", "timm": "1.0.31"},
            "host_cores": 2,
        },
        **changes,
    }


def an_estimate(value: float, half: float = 0.1) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def an_audit(
    trials: Sequence[TrialRecord], *, seeds: int = 2, noise: float = 0.02, n: int = 12, rank_by: str = "top1"
) -> dict[str, Any]:
    """A finished audit of the first ``n`` scored trials, judged as a real one is; noise is that of a long training."""
    from edgenext_search.search.ranking.agreement import judge, seeds_agree

    rng = random.Random(1)  # noqa: S311
    chosen = [trial for trial in trials if trial.score is not None][:n]
    truths = [0.2 + 0.9 * trial.curve[0][1] + rng.gauss(0, 0.01) for trial in chosen]
    table = [[truth + rng.gauss(0, noise) for _ in range(seeds)] for truth in truths]
    covariates = [[float(trial.cost.params), float(trial.cost.madds)] for trial in chosen]
    series: list[dict[str, Any]] = []
    for epochs in RUNGS:
        scores = [dict(trial.curve).get(epochs, float("nan")) for trial in chosen]
        counted = {f"{name}_pairs_right": an_estimate(0.5) for name in ("params", "madds")}
        judged = judge(scores, table, covariates, resamples=200).to_dict()
        series.append({"name": f"rung:{epochs}", "epochs": epochs, "cost_ratio": epochs / 24, **judged, **counted})
    for index, name in enumerate(("params", "madds")):
        judged = judge([row[index] for row in covariates], table, resamples=200).to_dict()
        series.append({"name": name, "epochs": 0, "cost_ratio": 0.0, **judged})
    agreed = seeds_agree(table, resamples=200)
    rows = [
        {
            "fingerprint": trial.candidate.fingerprint,
            "trial": trial.number,
            "origin": trial.origin,
            "params": trial.cost.params,
            "madds": trial.cost.madds,
            "curve": [{"epochs": epochs, "score": score, "merit": score} for epochs, score in trial.curve],
            "reference": Score.of(scores).to_dict(),
            "scores": [{"seed": 500_000 + index, "score": score} for index, score in enumerate(scores)],
        }
        for trial, scores in zip(chosen, table, strict=True)
    ]
    return {
        "status": "complete",
        "fidelity": {"img_size": 48, "epochs": 24, "train_images": 3277, "val_images": 819, "rank_by": rank_by},
        "asked": {"n": n, "seeds": seeds},
        "n": len(rows),
        "seeds": seeds,
        "open": 0,
        "failed": [],
        "candidates": rows,
        "seeds_agree": agreed.to_dict() if agreed else None,
        "series": series,
        "seconds": 812.5,
        "conditions": {"device": "cpu"},
    }


def a_measurement(p50: float, *, verdict: str | None = "pass", ratio: float | None = 0.9) -> dict[str, Any]:
    """What a device said of a finalist, in microseconds."""
    return {
        "p50": p50,
        "p90": 1.1 * p50,
        "min": 0.95 * p50,
        "low": 0.99 * p50,
        "high": 1.01 * p50,
        "n": 312,
        "drift": 0.0,
        "ratio": ratio,
        "ratio_low": None if ratio is None else ratio - 0.02,
        "ratio_high": None if ratio is None else ratio + 0.02,
        "reference_p50": None if ratio is None else p50 / ratio,
        "conditions": {"device": "board", "threads": 1, "runtime": "onnxruntime", "version": "1.20"},
        "verdict": verdict,
    }


def a_latency(
    trials: Sequence[TrialRecord], *, cap: int | None = 10_000, passed: int | None = None
) -> tuple[dict[str, Any], list[TrialRecord]]:
    """A finished study that asked for latency: its summary, and its trials with predictions. By default all pass."""
    known = [replace(trial, cost=replace(trial.cost, latency=8_000 + 37 * trial.number)) for trial in trials]
    summary = a_summary(known)
    rows = summary["finalists"]
    for place, row in enumerate(rows):
        holds = passed is None or place < passed
        verdict = None if cap is None else "pass" if holds else "fail"
        row["measured"] = a_measurement(row["latency"] * (1.04 if holds else 1.4), verdict=verdict)
    for side in ("winner", "baseline"):
        summary[side] = next(row for row in rows if row["trial"] == summary[side]["trial"])
    summary["latency"] = {
        "device": "board",
        "cap": cap,
        "aim": None if cap is None else int(cap / 1.05),
        "margin": 1.05,
        "profile": {"conditions": {}, "held_out": {"n": 100, "mean_error": 0.02, "within_5": 0.9}},
        "measured": len(rows),
        "passed": None if cap is None else len(rows) if passed is None else passed,
    }
    if cap is not None:
        summary["budget"] = {**summary["budget"], "latency": cap}
    return summary, known
