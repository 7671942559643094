"""The winner at other sizes on the page."""

from __future__ import annotations

import re

import pytest

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.scaling import RULES, scale_family
from edgenext_search.report.family_section import STEPS, family_section

from .builders import HOSTILE, a_summary, some_trials

SUMMARY = a_summary(some_trials(24))


def sizes(text):
    """Parameters by name, in the order of the rows."""
    units = {"k": 1e3, "M": 1e6}
    found = re.findall(r'<th scope="row">(.*?)</th><td class="n">([\d.]+)([kM])</td>', text)
    return {name: float(number) * units[unit] for name, number, unit in found}


def test_the_winner_stands_among_its_sizes_and_the_published_ones():
    text = family_section(SUMMARY)
    found = sizes(text)
    assert list(found.values()) == sorted(found.values())
    winner = cost(Candidate.from_dict(SUMMARY["winner"]["candidate"]), Deployment(**SUMMARY["deployment"]))
    assert found["The winner"] == pytest.approx(winner.params, rel=1e-3)
    assert found["EdgeNeXt-XXS"] == pytest.approx(1_327_216, rel=1e-3)
    for step in STEPS:
        assert 0.95 * step * 1.3e6 <= found[f"× {step:g}"] <= step * 1.3e6  # noqa: RUF001
    assert text.count('class="win"') == 1
    assert "--budgets 650k,2.6M,5.2M --out family" in text


def test_without_a_cap_on_parameters_the_winners_own_size_counts():
    found = sizes(family_section({**SUMMARY, "budget": {"madds": 300_000_000}}))
    assert 0.95 * 2 * SUMMARY["winner"]["params"] <= found["× 2"] <= 2 * SUMMARY["winner"]["params"]  # noqa: RUF001


def test_widths_are_multiples_of_what_the_space_wants():
    coarse = sizes(family_section({**SUMMARY, "width_multiple": 32}))
    for step in STEPS:
        (member,) = scale_family(
            Candidate.from_dict(SUMMARY["winner"]["candidate"]),
            [Budget(params=round(step * 1.3e6))],
            RULES["width"],
            Deployment(**SUMMARY["deployment"]),
            width_multiple=32,
        )
        assert coarse[f"× {step:g}"] == pytest.approx(member.cost.params, rel=1e-3)  # noqa: RUF001
    assert coarse != sizes(family_section(SUMMARY))


def test_sizes_that_the_winner_does_not_fit_are_left_out():
    small = {**SUMMARY, "budget": {"params": 20_000}}
    found = sizes(family_section(small))
    assert "× 0.5" not in found  # noqa: RUF001
    assert "The winner" in found


def test_nothing_without_a_winner_or_with_html_in_its_path():
    assert family_section({**SUMMARY, "winner": None}) is None
    assert family_section({**SUMMARY, "deployment": {"num_classes": "many", "img_size": 256}}) is None
    assert "<img" not in family_section({**SUMMARY, "run": HOSTILE})
