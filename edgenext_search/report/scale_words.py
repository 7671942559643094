"""What a scaling study found, in sentences and rows; terminal and page share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgenext_search.report.wording import (
    NONE,
    cap_of,
    count_text,
    epochs_text,
    latency_text,
    listed,
    number_or_none,
    percent,
    size_text,
)

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
SHORT = {"params": "params", "madds": "MAdds", "acts": "acts", "latency": "latency"}
COST_NAMES = {"params": "parameters", "madds": "multiply-adds", "acts": "activations", "latency": "latency"}
FEW = 8  # candidates below which orders and tests say little


def cap_texts(budget: Mapping[str, Any]) -> str:
    """A budget in a table's cell: ``1.3M``, ``madds 0.3G``, or ``12 ms``."""
    plain = {"params", "latency"} if len(budget) == 1 else set()
    return ", ".join(f"{'' if name in plain else f'{name} '}{cap_of(name, cap)}" for name, cap in budget.items())


def amount_text(name: str, value: float) -> str:
    """A cost as a number: ``1.290M``, or ``8.91 ms``."""
    return latency_text(value) if name == "latency" else count_text(value)


def range_text(values: Mapping[str, Any] | None, decimals: int = 2, key: str = "value") -> str:
    """A value with its interval: ``0.71 (0.52 to 0.84)``."""
    if values is None or number_or_none(values.get(key)) is None:
        return NONE
    low, high = number_or_none(values.get("low")), number_or_none(values.get("high"))
    interval = "" if low is None or high is None else f" ({low:.{decimals}f} to {high:.{decimals}f})"
    return f"{values[key]:.{decimals}f}{interval}"


def scaling_sentences(summary: Mapping[str, Any]) -> list[str]:
    """What was found, the answer first."""
    found = _of_study(summary) if summary["kind"] == "study" else _of_comparison(summary)
    if summary["open"]:
        count = summary["open"]
        found.append(f"{count} training{' is' if count == 1 else 's are'} still to do.")
    if summary["failed"]:
        count = len(summary["failed"])
        found.append(f"{count} training{'' if count == 1 else 's'} failed, and what they were part of is left out.")
    return found


def _of_study(summary: Mapping[str, Any]) -> list[str]:
    if not summary["laws"]:
        return ["No shape has been trained at every size yet."]
    law = summary["laws"][0]
    after, largest = law["next"], law["largest"]
    sizes = listed([cap_texts(row["budget"]) for row in summary["sizes"]])
    middles = listed([_error(row) for row in summary["sizes"]])
    found = [
        (
            f"The next size, {amount_text(law['cost'], after['cost'])} {COST_NAMES[law['cost']]}, is expected to err "
            f"{range_text(after, 1, 'predicted')} %, the median of {summary['n']} shapes."
        ),
        (
            f"At {sizes} the median error is {middles} %. From the smaller sizes alone, that of the largest was "
            f"expected at {range_text(largest, 1, 'predicted')} %: the 90 % interval "
            f"{'holds' if largest['covered'] else 'misses'} it."
        ),
    ]
    return [*found, *_ranks(summary)]


def _ranks(summary: Mapping[str, Any]) -> list[str]:
    every = summary["ranks"]["pairs"]
    pairs = [pair for pair in every if pair["tau"]]
    if not pairs:
        return [f"The order of {summary['n']} shapes says too little to be compared between sizes."]
    texts = [
        f"{cap_texts(summary['budgets'][small])} and {cap_texts(summary['budgets'][large])} {range_text(pair['tau'])}"
        for pair in pairs
        for small, large in [pair["sizes"]]
    ]
    return [f"Kendall's tau between sizes: {listed(texts)}; {_held(summary['n'], every)}."]


def _held(n: int, pairs: Sequence[Mapping[str, Any]]) -> str:
    """What the rank correlations of ``n`` shapes show, as the end of a sentence."""
    if n < FEW:
        return f"the order of {n} shapes says too little to tell whether they rank alike"
    if all(_surely_positive(pair["tau"]) for pair in pairs):
        return "the orders agree better than chance at each pair of sizes"
    return "that the orders agree at each pair of sizes is not established"


def _surely_positive(tau: Mapping[str, Any] | None) -> bool:
    """Whether a correlation is above 0 with its whole interval; one of 1 has none, as every resample orders alike."""
    return tau is not None and (tau["value"] == 1 or (number_or_none(tau["low"]) or 0.0) > 0)


def _of_comparison(summary: Mapping[str, Any]) -> list[str]:
    found = summary["comparison"]
    first, second = found["spaces"]
    if found["superiority"] is None:
        return [f"{first['name']} has {first['n']} scored candidates and {second['name']} {second['n']}: too few."]
    wins, gap = found["superiority"], found["difference"]
    share = {key: 100 * wins[key] for key in ("value", "low", "high")}
    text = (
        f"A random candidate of {first['name']} beats one of {second['name']} in {range_text(share, 0)} % of pairs "
        f"(Mann-Whitney p = {wins['p']:.2g})."
    )
    better = found["better"]
    answer = f"{better} is the better space here." if better else "Which space is better is not established."
    rest = (
        f"Mean errors are {first['mean']:.1f} % and {second['mean']:.1f} %, a difference of {range_text(gap, 1)} "
        f"points; the best of {first['n']} and {second['n']} have {first['best']:.1f} % and {second['best']:.1f} %."
    )
    few = [f"Of {min(first['n'], second['n'])} candidates a test finds large differences alone."]
    return [answer, text, rest, *(few if min(first["n"], second["n"]) < FEW else [])]


def scaling_conditions(summary: Mapping[str, Any]) -> str:
    """What the numbers hold for, in one line."""
    fidelity, data, seeds = summary["fidelity"], summary["data"], summary["asked"]["seeds"]
    deployment = summary["deployment"]
    where = summary["conditions"].get("device", NONE)
    images = fidelity["train_images"]
    return (
        f"Top-1 on {_number(fidelity['val_images'])} held-out training images of {data.get('name', NONE)}, "
        f"{epochs_text(fidelity['epochs'])} at {fidelity['img_size']} px on {_number(images)} images, "
        f"{seeds} seed{'' if seeds == 1 else 's'}, {where}. Costs at {deployment['num_classes']} classes, "
        f"{deployment['img_size']} px{_predicted(summary)}. Intervals of laws are 90 %, others 95 %."
    )


def _predicted(summary: Mapping[str, Any]) -> str:
    return f"; {text}" if (text := predicted_text(summary)) else ""


def predicted_text(facts: Mapping[str, Any]) -> str:
    """Where latencies come from; nothing where there are none."""
    if not (latency := facts.get("latency")):
        return ""
    few = latency["interpolated"]
    outside = f", {few} of them for networks outside of what its profile measured" if few else ""
    return f"latencies as predicted for {latency['device']}{outside}"


def size_rows(summary: Mapping[str, Any]) -> Table:
    """Heads and rows of the table of sizes."""
    heads = ("budget", "shapes", "median error, %", "spread", "best shape", "its error, %", "seeds agree")
    rows = []
    for row, seeds in zip(summary["sizes"], summary["ranks"]["seeds"] or [None] * len(summary["sizes"]), strict=True):
        best = row["best"]
        shape = NONE if best is None else str(best["shape"])
        if best is not None and best["origin"] != "sampler":
            shape += f" ({size_text(best['origin'])})"
        spread = NONE if row["std"] is None else f"± {100 * row['std']:.1f}"
        its = NONE if best is None else percent(1 - best["mean"])
        rows.append((cap_texts(row["budget"]), str(row["n"]), _error(row), spread, shape, its, range_text(seeds)))
    return heads, rows


def law_rows(summary: Mapping[str, Any]) -> Table:
    """Heads and rows of the table of laws."""
    heads = ("C", "b", "c, %", "largest: expected", "is", "next C", "expected, %")
    rows = []
    for law in summary["laws"]:
        largest, after = law["largest"], law["next"]
        of_law = (range_text(law["law"]["b"]), range_text(law["law"]["c"], 1))
        expected = range_text(largest, 1, "predicted") + ("" if largest["covered"] else " !")
        of_next = (amount_text(law["cost"], after["cost"]), range_text(after, 1, "predicted"))
        rows.append((SHORT[law["cost"]], *of_law, expected, f"{largest['actual']:.1f}", *of_next))
    return heads, rows


def space_rows(summary: Mapping[str, Any]) -> Table:
    """Heads and rows of the table of two spaces."""
    heads = ("space", "candidates", "mean error, %", "median, %", "best, %")
    rows = [
        (
            space["name"],
            str(space["n"]),
            *(NONE if space[key] is None else f"{space[key]:.1f}" for key in ("mean", "median", "best")),
        )
        for space in summary["comparison"]["spaces"]
    ]
    return heads, rows


def candidate_rows(summary: Mapping[str, Any]) -> Table:
    """Heads and rows of the table of all candidates."""
    costs = [name for name in SHORT if any(row.get(name) is not None for row in summary["candidates"])]
    heads = (
        "space", "shape", "budget", "candidate", *(SHORT[name] for name in costs), "error, %", "seeds", "widths",
        "depths",
    )  # fmt: skip
    rows = [
        (
            row["space"], str(row["shape"]) + ("" if row["origin"] == "sampler" else f" ({size_text(row['origin'])})"),
            cap_texts(row["budget"]), row["fingerprint"], *(amount_text(name, row[name]) for name in costs),
            NONE if row["mean"] is None else percent(1 - row["mean"]), str(len(row["scores"])),
            *("-".join(map(str, row["candidate"][name])) for name in ("widths", "depths")),
        )
        for row in summary["candidates"]
    ]  # fmt: skip
    return heads, rows


def _error(row: Mapping[str, Any]) -> str:
    return NONE if row["median"] is None else percent(1 - row["median"])


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else NONE
