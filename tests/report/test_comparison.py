"""Winner and baseline, stage by stage."""

from __future__ import annotations

from edgenext_search.arch.candidate import Candidate
from edgenext_search.report.comparison import architecture_section

from .builders import a_finalist, a_summary, a_trial


def a_network(**changes):
    values = {
        "widths": (24, 48, 88, 168),
        "depths": (2, 2, 6, 2),
        "kernel_sizes": (3, 5, 7, 9),
        "sdta_splits": (2, 2, 3, 4),
        "sdta_blocks": (0, 1, 1, 1),
        "heads": (4, 4, 4, 4),
    }
    return Candidate(**{**values, **changes})


def drawn(winner, baseline):
    rows = [
        a_finalist(a_trial(number, candidate=network), mean=0.5) for number, network in enumerate((winner, baseline))
    ]
    return architecture_section(a_summary(winner=rows[0], baseline=rows[1], finalists=rows))


def test_every_block_is_drawn():
    text = drawn(a_network(depths=(1, 2, 9, 2), sdta_blocks=(0, 1, 2, 2)), a_network())
    assert text.count("<i") == 14 + 12 + 2  # two in the key
    assert text.count('class="sdta"') == 5 + 3 + 1


def test_differences_stand_out_and_unused_fields_are_dashes():
    text = drawn(a_network(widths=(32, 48, 88, 168), sdta_blocks=(0, 1, 1, 2)), a_network())
    assert "<span>24 → </span><b>32</b>" in text
    assert "<td>48</td>" in text
    assert "<span>9 → </span><b>–</b>" in text  # noqa: RUF001


def test_what_holds_everywhere_is_said_once():
    assert "Everywhere: expand ratio 4, LayerNorm and GELU." in drawn(a_network(widths=(32, 48, 88, 168)), a_network())
    text = drawn(a_network(expand_ratio=3), a_network())
    assert "expand ratio 3, LayerNorm and GELU (baseline: expand ratio 4, LayerNorm and GELU)" in text


def test_a_winning_baseline_is_drawn_once():
    text = drawn(a_network(), a_network())
    assert text.count("<figure") == 1
    assert "→" not in text
    assert architecture_section(a_summary()) is None
