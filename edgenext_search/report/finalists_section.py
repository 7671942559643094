"""The finalists on the page: a table, best first, and what chose and scored them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.latency_words import short_latency
from edgenext_search.report.markup import Markup, element, join
from edgenext_search.report.parts import scroller, section
from edgenext_search.report.wording import (
    chosen_text,
    costs_of_front,
    count_text,
    fidelity_text,
    fresh_seeds,
    is_rescored,
    is_same,
    origin_text,
    percent,
    ranked,
    rematch_text,
    score_text,
    seeds_text,
    stages_text,
)


def finalists_section(summary: Mapping[str, Any]) -> Markup | None:
    """The finalists, best first, scored again with fresh seeds as far as that is done."""
    rows = ranked(summary)
    if not rows:
        return None
    heads = [
        ("#", True),
        ("Candidate", False),
        ("Top-1, % (n)", True),
        ("vs baseline, points", True),
        ("In the search, %", True),
        ("Params", True),
        ("MAdds", True),
        *([("Latency", True)] if summary.get("latency") else []),
        ("Origin", False),
        ("Widths", False),
        ("Depths", False),
        ("Kernels", False),
        ("SDTA", False),
    ]
    head = element("tr", *(element("th", name, scope="col", class_="n" if right else None) for name, right in heads))
    body = [_finalist_row(summary, *row) for row in rows]
    fresh = any(fresh_seeds(row) for _, row, _ in rows)
    scored = "mean ± standard deviation" if fresh else "that of the search"
    table = element("table", element("thead", head), element("tbody", *body))
    reading = (summary.get("fidelity") or {}).get("rank_by")
    search = (
        "the score in the search is of one seed"
        if reading in {"loss", "train_loss"}
        else "the score in the search had a part in that and is optimistic for that reason"
    )
    return section(
        "finalists",
        "Finalists, scored again" if is_rescored(summary) else "Finalists so far",
        scroller(table, "Finalists"),
        element(
            "p",
            f"Top-1 is {scored}, {seeds_text(summary)}, {fidelity_text(summary)}. {chosen_text(summary)}; {search}. "
            f"{rematch_text(summary)}".strip(),
            class_="caption",
        ),
    )


def _finalist_row(summary: Mapping[str, Any], rank: str, row: Mapping[str, Any], difference: str) -> Markup:
    candidate = Candidate.from_dict(row["candidate"])
    badge = None
    if is_same(row, summary.get("winner")):
        badge = element("span", "winner", class_="badge win")
    elif is_same(row, summary.get("baseline")):
        badge = element("span", "baseline", class_="badge")
    if costs_of_front(summary) and any(is_same(row, member) for member in summary.get("front") or []):
        badge = join(badge, element("span", "front", class_="badge"))
    numbers: tuple[str, ...] = (
        difference,
        percent(row["search_score"]),
        count_text(row["params"]),
        count_text(row["madds"]),
    )
    if summary.get("latency"):
        numbers = (*numbers, short_latency(row))
    shape = (stages_text(candidate, name) for name in ("widths", "depths", "kernel_sizes", "sdta_blocks"))
    return element(
        "tr",
        element("td", rank, class_="n"),
        element("th", element("code", row["fingerprint"]), badge, scope="row"),
        element("td", score_text(row["score"]), class_="n"),
        *(element("td", text, class_="n") for text in numbers),
        element("td", origin_text(row["origin"])),
        *(element("td", text, class_="num") for text in shape),
        class_="win" if is_same(row, summary.get("winner")) else None,
    )
