"""Families and laws in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenext_search.report.scale_words import (
    SHORT,
    amount_text,
    cap_texts,
    law_rows,
    predicted_text,
    scaling_conditions,
    scaling_sentences,
    size_rows,
    space_rows,
)
from edgenext_search.report.terminal import print_lines, print_rows, speller
from edgenext_search.report.wording import size_text
from edgenext_search.texts import counted

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 120  # columns that the whole table of laws needs
FAMILY_WIDE = 110  # columns that the whole table of a family needs
_UNITS = {"gmacs": "GMACs", "params_m": "M params", "macts": "M acts"}


def print_fit(found: Mapping[str, Any], console: Console) -> None:
    """Print what the law foretells of each family's largest member.

    Args:
        found: What :func:`~edgenext_search.scaling.families.fit_families` returns.
        console: Where to print.
    """
    from edgenext_search.scaling.law import law_text

    wide = console.width >= WIDE
    rows = []
    for name, row in found["families"].items():
        interval = f"{row['low']:.2f} to {row['high']:.2f}{'' if row['covered'] else ' !'}"
        cells = (f"{row['cost']:g}", f"{row['top1']:.2f}", f"{row['predicted']:.2f}", interval, f"{row['error']:+.2f}")
        rows.append((name, row["model"], *cells, law_text(row["law"])) if wide else (name, *cells))
    numbers = (_UNITS[found["by"]], "top-1", "predicted", "90 % interval", "error")
    heads = ("family", "largest", *numbers, "law, error in %") if wide else ("family", *numbers)
    print_rows(heads, rows, console, left=(0, 1, 7) if wide else (0,))
    missed = " An interval marked ! misses." if any(not row["covered"] for row in found["families"].values()) else ""
    error, families = found["median_abs_error"], found["n"]
    lines = [f"Largest members, predicted from the smaller ones: median error {error:.2f} points, {families} families."]
    lines.append(
        f"90 % intervals cover {100 * found['coverage_90']:.0f} % of {found['left_out']} left-out members, each "
        f"predicted from all smaller ones, and {100 * found['coverage_90_largest']:.0f} % of the largest.{missed}"
    )
    lines += [f"{row['family']} is left out: {row['reason']}." for row in found["skipped"]]
    print_lines(lines, console)


def print_family(found: Mapping[str, Any], console: Console) -> None:
    """Print a family and the published variants, by parameters.

    Args:
        found: What :func:`~edgenext_search.models.family.family_facts` returns.
        console: Where to print.
    """
    rule = found["rule"]
    wide = console.width >= FAMILY_WIDE
    timed = all("latency" in row for row in found["members"])
    costs = ["params", "madds", *(["acts"] if wide or not timed else []), *(["latency"] if timed else [])]
    rows = []
    for row in found["members"]:
        named = (row["fingerprint"],) if wide else ()
        cells = (cap_texts(row["budget"]), f"{100 * row['usage']:.1f} %", *named, *_costs(row, costs), "")
        rows.append((row["params"], cells))
    for row in found["published"]:
        cells = (
            size_text(row["name"]),
            "",
            *([""] if wide else []),
            *_costs(row, costs),
            f"{row['imagenet_top1']:.2f}",
        )
        rows.append((row["params"], cells))
    heads = [
        "size",
        "used",
        *(["candidate"] if wide else []),
        *(SHORT[name] for name in costs),
        "px",
        "widths",
        "depths",
    ]
    left = [place for place, head in enumerate(heads) if head in ("size", "candidate", "widths", "depths")]
    ordered = [cells for _, cells in sorted(rows, key=lambda row: row[0])]
    print_rows([*heads, "ImageNet" if wide else "top-1"], ordered, console, left=left)
    sizes = counted(len(found["members"]), "size")
    shares = ", ".join(f"{name} {rule[name]:.2f}" for name in ("depth", "width", "size"))
    lines = [
        f"{sizes} of {found['fingerprint']} by the rule {rule['name']} (shares: {shares}).",
        f"Costs at {found['num_classes']} classes and the pixels of each row. Top-1 is the published one on ImageNet.",
    ]
    if text := predicted_text(found):
        lines.append(f"{text[:1].upper()}{text[1:]}; `latency measure` tells whether they hold.")
    if saved := [row["path"] for row in found["members"] if row["path"]]:
        lines.append(f"Saved: {', '.join(saved)}")
    else:
        lines.append("--out DIR saves the members as candidates.")
    print_lines(lines, console)


def _costs(row: Mapping[str, Any], costs: Sequence[str]) -> tuple[str, ...]:
    counts = (amount_text(name, row[name]) for name in costs)
    layout = ("-".join(map(str, row["candidate"][name])) for name in ("widths", "depths"))
    return (*counts, str(row["img_size"]), *layout)


def print_scaling(summary: Mapping[str, Any], console: Console) -> None:
    """Print what a scaling study found.

    Args:
        summary: What :func:`~edgenext_search.scaling.summary.scaling_summary` returns.
        console: Where to print.
    """
    from rich.text import Text

    say = speller(console)
    tables = [size_rows(summary), law_rows(summary)] if summary["kind"] == "study" else [space_rows(summary)]
    for heads, rows in tables:
        if rows:
            print_rows(heads, rows, console)
    console.print(Text(say(scaling_conditions(summary)), style="dim"), highlight=False)
    console.print()
    print_lines(scaling_sentences(summary), console)
    console.print()
    console.print(Text.assemble(("report   ", "dim"), say(str(summary["report"]))), highlight=False, soft_wrap=True)
