"""The result as Markdown, for pull requests and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.latency_words import short_latency
from edgenext_search.report.verdict import front_sentences, verdict_sentences
from edgenext_search.report.wording import (
    budget_text,
    count_text,
    deployment_text,
    fidelity_text,
    is_same,
    origin_text,
    ranked,
    rematch_text,
    score_text,
    seeds_text,
    stages_text,
)

_SPECIAL = "\\`*_[]<>|#"


def markdown(summary: Mapping[str, Any]) -> str:
    """What a run found: the answer, the finalists as a table, the conditions.

    Args:
        summary: The run's summary.
    """
    answer, *rest = verdict_sentences(summary)
    question = f"{summary.get('study', 'study')}, {budget_text(summary.get('budget') or {})}"
    parts = [f"### EdgeNeXt search: {escaped(question)}", f"**{escaped(answer)}**"]
    if said := [*rest, *front_sentences(summary)]:
        parts.append(escaped(" ".join(said)))
    if (summary.get("data") or {}).get("demonstration"):
        parts.append("The images are generated: the ranking is a demonstration.")
    if rows := ranked(summary):
        parts.append(_finalists(summary, rows))
        parts.append(escaped(_conditions(summary)))
    return "\n\n".join(parts) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; cells must be Markdown already.

    Args:
        heads: Headings.
        rows: As many cells each.
        right: Columns that are aligned to the right.
    """
    rule = ["--:" if index in right else "---" for index in range(len(heads))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *rows))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "".join(f"\\{sign}" if sign in _SPECIAL else " " if sign in "\r\n" else sign for sign in text)


def _finalists(summary: Mapping[str, Any], rows: Sequence[tuple[str, Mapping[str, Any], str]]) -> str:
    timed = bool(summary.get("latency"))
    heads = ["#", "candidate", "top-1, % (n)", "vs baseline", "params", "MAdds", *(["latency"] if timed else [])]
    lines = []
    for rank, row, difference in rows:
        candidate = Candidate.from_dict(row["candidate"])
        name = f"`{row['fingerprint']}`"
        role = "winner" if is_same(row, summary.get("winner")) else ""
        role = role or ("baseline" if is_same(row, summary.get("baseline")) else "")
        shape = [stages_text(candidate, field) for field in ("widths", "depths", "kernel_sizes", "sdta_blocks")]
        cells = [
            rank,
            f"**{name}** ({role})" if role == "winner" else f"{name} ({role})" if role else name,
            escaped(score_text(row["score"])),
            escaped(difference),
            count_text(row["params"]),
            count_text(row["madds"]),
            *([escaped(short_latency(row))] if timed else []),
            *shape,
            escaped(origin_text(row["origin"])),
        ]
        lines.append(cells)
    heads += ["widths", "depths", "kernels", "SDTA", "origin"]
    return table(heads, lines, right=range(2, 7 if timed else 6))


def _conditions(summary: Mapping[str, Any]) -> str:
    data, fidelity = summary.get("data") or {}, summary.get("fidelity") or {}
    again = rematch_text(summary)
    return (
        f"Top-1 on {fidelity.get('val_images', '?')} held-out training images of {data.get('name', '?')} "
        f"({data.get('classes', '?')} classes), {fidelity_text(summary)}, {seeds_text(summary)}. "
        f"{f'{again} ' if again else ''}Costs at {deployment_text(summary)}."
    )
