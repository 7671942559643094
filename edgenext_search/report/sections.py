"""The sections of the page that say what was found: headline, notices, key figures, the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from edgenext_search.arch.budget import SIZES, TIMES
from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.parts import command, section
from edgenext_search.report.verdict import front_sentences, gain_of, interval_text, is_established, verdict_sentences
from edgenext_search.report.wording import (
    budget_text,
    cap_of,
    count_text,
    deployment_text,
    fidelity_text,
    fresh_seeds,
    is_same,
    known_cost,
    latency_text,
    number_or_none,
    percent,
    points,
    shown_score,
)
from edgenext_search.texts import command_line

_CARDS = {
    "params": "Parameters",
    "madds": "MAdds",
    "acts": "Activations",
    "memory": "Peak memory",
    "footprint": "Weights and peak memory",
    "latency": "Latency",
}


def header(summary: Mapping[str, Any]) -> Markup:
    """The answer, with the question above it in small print."""
    answer, *rest = verdict_sentences(summary)
    question = [str(summary.get("study", "study")), budget_text(summary.get("budget") or {})]
    return headline(question, answer, [*rest, *front_sentences(summary)])


def headline(question: Sequence[str], answer: str, rest: Sequence[str]) -> Markup:
    """An answer as the page's title, what was asked above it, what qualifies it beneath."""
    buttons = [
        element("button", text, type="button", id=name) for name, text in (("theme", "Theme"), ("print", "Print"))
    ]
    eyebrow = element("p", "EdgeNeXt search", *(element("span", text) for text in question if text), class_="eyebrow")
    return element(
        "header",
        element("div", eyebrow, element("span", *buttons, class_="tools"), class_="top"),
        element("h1", _unbroken(answer)),
        *(element("p", text, class_="lead") for text in rest),
    )


def _unbroken(text: str) -> str:
    """A title whose lines break neither in ``n = 3`` nor in ``top-1``."""
    equal = text.replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    return equal.replace("top-1", "top-\N{WORD JOINER}1")


CONTENTS = "<!-- contents -->"
_LINKS = {
    "winners": "Winners",
    "spaces": "Spaces",
    "sizes": "Sizes",
    "laws": "Next size",
    "ranks": "Ranks",
    "candidates": "Candidates",
    "failed": "Failures",
    "architecture": "Architecture",
    "model": "Use it",
    "pareto": "Fronts",
    "history": "Course",
    "finalists": "Finalists",
    "latency": "Latency",
    "choices": "Choices",
    "errors": "Errors",
    "audit": "Audit",
    "trials": "Trials",
    "conditions": "Conditions",
}


def contents() -> Markup:
    """Where :func:`links` go, once it is known which sections there are."""
    return Markup(CONTENTS)


def links(body: str) -> Markup:
    """Links to the sections that a page has."""
    there = [name for name in _LINKS if f'<section id="{name}"' in body]
    return element("nav", *(element("a", _LINKS[name], href=f"#{name}") for name in there), class_="contents")


def notices(summary: Mapping[str, Any]) -> Markup:
    """What a reader must know before the numbers: an interrupted run, a demonstration."""
    boxes = []
    if summary.get("status") == "interrupted":
        command = command_line("resume", summary["run"])
        boxes.append(
            element(
                "aside",
                element("strong", "This study was interrupted."),
                " Nothing finished is lost. Go on with ",
                element("code", command),
                class_="notice stop",
            )
        )
    if summary.get("status") == "running":
        boxes.append(
            element(
                "aside",
                element("strong", "This study is still running."),
                " What follows is what it has so far.",
                class_="notice stop",
            )
        )
    if (summary.get("data") or {}).get("demonstration"):
        boxes.append(
            element(
                "aside",
                element("strong", "A demonstration."),
                " The images are generated, so the ranking says little about photographs. For an answer of your "
                "own, give your images: ",
                element("code", "--data FOLDER"),
                class_="notice",
            )
        )
    return join(*boxes)


def cards(summary: Mapping[str, Any]) -> Markup | None:
    """The winner's key figures, each beside the baseline's."""
    winner, baseline = summary.get("winner"), summary.get("baseline")
    if winner is None:
        return None
    other = None if is_same(winner, baseline) else baseline
    items = [_score_card(summary, winner, other)]
    budget = summary.get("budget") or {}
    items += [
        _cost_card(label, name, winner, other, budget.get(name))
        for name, label in _CARDS.items()
        if winner.get(name) is not None and (name not in SIZES or name in budget)
    ]
    who = "Winner and baseline" if other else "The winner" if baseline is None else "The winner, which is the baseline"
    names = element("p", f"Costs at {deployment_text(summary)}. Top-1 at {fidelity_text(summary)}.", class_="caption")
    return section("key", who, element("dl", *items, class_="cards", style=f"--others: {len(items) - 1}"), names)


def _score_card(summary: Mapping[str, Any], winner: Mapping[str, Any], other: Mapping[str, Any] | None) -> Markup:
    score = shown_score(winner)
    std = number_or_none(score.get("std"))
    note = join(element("small", f" ± {100 * std:.1f}")) if std is not None else None
    lines = [element("dd", percent(score["mean"]), element("small", "%"), note, class_="value")]
    further = " further" if winner.get("rematch") else ""
    one = f"one{further} seed" if fresh_seeds(winner) else "one seed, in the search"
    lines.append(element("dd", one if score["n"] == 1 else f"mean ± std of {score['n']}{further} seeds"))
    if other:
        gain = points(gain_of(summary))
        sure = " gain" if is_established(summary) else ""
        delta = element("b", f"{gain} points", class_=f"delta{sure}")
        lines.append(element("dd", delta, f" on the baseline’s {percent(shown_score(other)['mean'])}%"))  # noqa: RUF001
        lines.append(element("dd", interval_text(summary) or "no interval"))
    return element("div", element("dt", "Top-1"), *lines, class_="card main")


def _cost_card(
    label: str, name: str, winner: Mapping[str, Any], other: Mapping[str, Any] | None, cap: float | None
) -> Markup:
    mine, theirs = known_cost(name, winner), None if other is None else known_cost(name, other)
    number, unit = _number_and_unit(name, mine or 0.0)
    lines = [element("dd", number, element("small", unit), class_="value", title=f"{mine:,}")]
    if cap and mine is not None:
        share = mine / cap
        meter = element("span", element("i", style=f"width:{100 * min(share, 1):.1f}%"), class_="meter")
        lines.append(element("dd", meter, f"{100 * share:.1f}% of {cap_of(name, cap)}"))
    if mine is not None and theirs is not None:
        change = 100 * (mine / theirs - 1)
        equal = abs(change) < 0.05
        text = "as much" if equal else f"{'+' if change > 0 else '−'}{abs(change):.1f}%"  # noqa: RUF001
        rest = f" {'as' if equal else 'on'} the baseline’s {''.join(_number_and_unit(name, theirs))}"  # noqa: RUF001
        lines.append(element("dd", element("b", text, class_="delta"), rest))
    how = f"{label}, {'measured' if winner.get('measured') else 'predicted'}" if name in TIMES else label
    return element("div", element("dt", how), *lines, class_="card")


def _number_and_unit(name: str, value: float) -> tuple[str, str]:
    if name in TIMES:
        number, _, unit = latency_text(value).partition(" ")
        return number, f" {unit}"
    byte = "B" if name in SIZES else ""
    text = count_text(value)
    return (text[:-1], text[-1] + byte) if text[-1].isalpha() else (text, byte)


def model_section(summary: Mapping[str, Any]) -> Markup | None:
    """How to train and load the winner."""
    if not summary.get("model_dir") or not summary.get("winner"):
        return None
    run, folder = PurePath(str(summary.get("run", ""))), PurePath(str(summary["model_dir"]))
    inside = folder.is_relative_to(run) and bool(run.parts)
    path = json.dumps(f"local-dir:{(folder.relative_to(run) if inside else folder).as_posix()}", ensure_ascii=False)
    batch_norm = _is_batch_norm(summary["winner"])
    first = "import timm\nimport edgenext_search.models.bn_hs" if batch_norm else "import timm"
    code = f"{first}\nmodel = timm.create_model({path}, pretrained=True).eval()"
    where = join(" Run it in the run folder, ", element("code", run.as_posix()), ".") if inside else None
    data = summary.get("data") or {}
    weights = (
        f"Its weights are those of the proxy training ({fidelity_text(summary)}, {data.get('classes')} classes), not "
        f"of a full training. The costs above are those of the deployment, {deployment_text(summary)}; model.onnx "
        "takes one image of that size."
    )
    train = command_line("train", run, "--data", "FOLDER", "--out", "trained")
    reads = (
        "timm reads it once edgenext-search has told it of the BatchNorm network"
        if batch_norm
        else "timm alone reads it"
    )
    loaded = element("p", f"Load it: the model folder is in timm’s own format, and {reads}.", where)  # noqa: RUF001
    return section(
        "model",
        "Use the winner",
        element(
            "div",
            element("div", element("p", "Train it in full, on all your images:"), command(train)),
            element("div", loaded, command(code)),
            class_="split",
        ),
        _rest_of_front(summary, run),
        element("p", weights, class_="caption"),
    )


def _rest_of_front(summary: Mapping[str, Any], run: PurePath) -> Markup | None:
    """Where the model folders of the front's other members are."""
    rows = [row for row in (summary.get("front") or [])[1:] if row.get("model_dir")]
    if not rows:
        return None
    folders = [PurePath(str(row["model_dir"])) for row in rows]
    names = [folder.relative_to(run) if folder.is_relative_to(run) else folder for folder in folders]
    codes = [join(", " if place else None, element("code", name.as_posix())) for place, name in enumerate(names)]
    first = join(" Those with BatchNorm need ", element("code", "import edgenext_search.models.bn_hs"), " first.")
    return element(
        "p", "The other networks of the front: ", *codes, ".", first if any(map(_is_batch_norm, rows)) else None
    )


def _is_batch_norm(finalist: Mapping[str, Any]) -> bool:
    """Whether its network is none of timm's own, and loads after an import of this package."""
    return Candidate.from_dict(finalist["candidate"]).norm_act == "bn_hs"
