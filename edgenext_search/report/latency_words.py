"""What the device said of the finalists, in words and as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.wording import cap_of, is_same, latency_text, number_or_none

VERDICTS = {"pass": "holds the cap", "fail": "exceeds the cap", "undecided": "undecided"}


def none_holds(summary: Mapping[str, Any]) -> bool:
    """Whether latency is capped, and none of those that were measured holds the cap."""
    latency = summary.get("latency") or {}
    return bool(latency.get("cap") and latency.get("measured") and latency.get("passed") == 0)


def refusal(summary: Mapping[str, Any]) -> str | None:
    """The answer where :func:`none_holds`; else None."""
    if not none_holds(summary):
        return None
    latency = summary["latency"]
    count = (
        "The only candidate that was" if latency["measured"] == 1 else f"None of the {latency['measured']} candidates"
    )
    verb = "measured does not hold" if latency["measured"] == 1 else "measured holds"
    return f"{count} {verb} {cap_of('latency', latency['cap'])} on {latency['device']}."


def latency_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What the device said of the winner; empty where the study did not ask for latency or has no winner.

    Args:
        summary: The run's summary.
    """
    latency, winner = summary.get("latency"), summary.get("winner")
    if not latency or not winner:
        return ()
    cap = latency.get("cap")
    measured = winner.get("measured")
    if not measured:
        predicted = f"The winner’s latency on {latency['device']} is predicted, not measured"  # noqa: RUF001
        text = f"{predicted}: {latency_text(winner['latency'])}" if winner.get("latency") else predicted
        under = f", under a cap of {cap_of('latency', cap)}" if cap else ""
        return (f"{text}{under}.",)
    time = f"On {latency['device']} it takes {_interval(measured)}"
    said = {
        "pass": f"{time}: it holds the cap of {cap_of('latency', cap or 0)}.",
        "fail": f"{time}: it exceeds the cap of {cap_of('latency', cap or 0)}.",
        "undecided": f"{time}: whether it holds the cap of {cap_of('latency', cap or 0)} is undecided.",
    }.get(measured.get("verdict") or "", f"{time}.")
    return (said, *_against_baseline(summary))


def latency_rows(summary: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Sequence[str]]]:
    """For each finalist with a latency: predicted, measured with its interval, how far off, runs, verdict."""
    rows: list[tuple[Mapping[str, Any], Sequence[str]]] = []
    for row in summary.get("finalists") or []:
        measured, predicted = row.get("measured"), number_or_none(row.get("latency"))
        if measured is None and predicted is None:
            continue
        off = "" if not measured or not predicted else f"{100 * (predicted / measured['p50'] - 1):+.1f} %"
        cells = (
            "" if predicted is None else latency_text(predicted),
            _interval(measured, n=False) if measured else "",
            off.replace("-", "−"),  # noqa: RUF001 - aligns with plus
            latency_text(measured["p90"]) if measured else "",
            str(measured["n"]) if measured else "",
            VERDICTS.get(measured.get("verdict") or "", "") if measured else "not measured",
        )
        rows.append((row, cells))
    return rows


def short_latency(row: Mapping[str, Any]) -> str:
    """A finalist's latency for a narrow column: measured, with its verdict; else predicted, with a tilde."""
    measured = row.get("measured")
    if measured:
        verdict = measured.get("verdict")
        return f"{latency_text(measured['p50'])}{f' {verdict}' if verdict else ''}"
    predicted = number_or_none(row.get("latency"))
    return "" if predicted is None else f"~{latency_text(predicted)}"


def latency_conditions(summary: Mapping[str, Any]) -> str:
    """How it was measured and what the predictions were worth, for small print."""
    latency = summary.get("latency") or {}
    measured = next((row["measured"] for row in summary.get("finalists") or [] if row.get("measured")), None)
    parts = ["One image at a time; intervals are of the median, 95 %."]
    if measured:
        conditions = {name: value for name, value in (measured.get("conditions") or {}).items() if value is not None}
        parts.append(", ".join(f"{name} {value}" for name, value in conditions.items()) + "." if conditions else "")
    if latency.get("aim") and latency.get("cap"):
        parts.append(
            f"Candidates were projected into {latency_text(latency['aim'])}, the cap less the margin "
            f"({latency['margin']:.3f}) by which measured times exceed predicted ones."
        )
    held_out = (latency.get("profile") or {}).get("held_out")
    if isinstance(held_out, Mapping) and held_out:
        said = ", ".join(f"{name} {value:.4g}" for name, value in held_out.items() if isinstance(value, (int, float)))
        parts.append(f"The predictor on networks that it had not seen: {said}." if said else "")
    return " ".join(part for part in parts if part)


def _interval(measured: Mapping[str, Any], *, n: bool = True) -> str:
    low, high = latency_text(measured["low"]).removesuffix(" ms"), latency_text(measured["high"]).removesuffix(" ms")
    count = f", n = {measured['n']}" if n else ""
    return f"{latency_text(measured['p50'])} ({low} to {high}{count})"


def _against_baseline(summary: Mapping[str, Any]) -> tuple[str, ...]:
    winner, baseline = summary["winner"], summary.get("baseline")
    measured = winner["measured"]
    low, high = number_or_none(measured.get("ratio_low")), number_or_none(measured.get("ratio_high"))
    if baseline is None or is_same(winner, baseline) or low is None or high is None:
        return ()
    ratio = f"{measured['ratio']:.2f} of the baseline’s time ({low:.2f} to {high:.2f}, taken in turns)"  # noqa: RUF001
    if low <= 1 <= high:
        return (f"Against the baseline no difference in time is shown: {ratio}.",)
    return (f"It takes {ratio}.",)
