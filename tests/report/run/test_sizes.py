"""The winner at other sizes."""

import pytest

from edgenext_search.report.run.sizes import STEPS, sizes_section

from ..builders import a_summary, some_trials

SUMMARY = a_summary(some_trials(24))


def sizes(summary):
    """Parameters by name, in the order of the rows."""
    units = {"k": 1e3, "M": 1e6}
    texts = {row.cells[0].text: row.cells[1].text for row in sizes_section(summary).blocks[0].rows}
    return {name: float(text[:-1]) * units[text[-1]] for name, text in texts.items()}


def test_the_winner_stands_among_its_sizes_and_the_published_ones():
    found = sizes(SUMMARY)
    assert list(found.values()) == sorted(found.values())
    assert found["EdgeNeXt-XXS"] == pytest.approx(1_327_216, rel=1e-3)
    for step in STEPS:
        assert 0.95 * step * 1.3e6 <= found[f"× {step:g}"] <= step * 1.3e6
    section = sizes_section(SUMMARY)
    assert [row.cells[0].text for row in section.blocks[0].rows if row.strong] == ["The winner"]
    assert section.blocks[-1].text.endswith("--budgets 650k,2.6M,5.2M --out family")


def test_without_a_cap_on_parameters_the_winners_own_size_counts():
    found = sizes(SUMMARY.model_copy(update={"budget": {"madds": 300_000_000}}))
    assert 0.95 * 2 * SUMMARY.winner.params <= found["× 2"] <= 2 * SUMMARY.winner.params


def test_widths_are_multiples_of_what_the_space_wants():
    assert sizes(SUMMARY.model_copy(update={"width_multiple": 32})) != sizes(SUMMARY)


def test_sizes_that_the_winner_does_not_fit_are_left_out():
    found = sizes(SUMMARY.model_copy(update={"budget": {"params": 20_000}}))
    assert "× 0.5" not in found
    assert "The winner" in found


def test_nothing_without_a_winner():
    assert sizes_section(a_summary()) is None
