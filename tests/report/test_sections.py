"""Headline, key figures and the model on the page."""

from __future__ import annotations

from edgenext_search.report import sections

from .builders import a_summary, some_trials, unscored

TRIALS = some_trials(24)
SUMMARY = a_summary(TRIALS)


def test_cards_compare_with_the_baseline_and_the_cap():
    text = sections.cards(SUMMARY)
    winner, baseline = SUMMARY["winner"], SUMMARY["baseline"]
    assert text.count("<dt>") == 4
    assert f"{100 * winner['params'] / 1_300_000:.1f}% of 1.3M" in text
    assert f"{100 * abs(winner['madds'] / baseline['madds'] - 1):.1f}%" in text
    assert text.count("of 1.3M") == 1


def test_a_gain_is_marked_as_one_only_where_it_is_established():
    assert "delta gain" in sections.cards(SUMMARY)
    unsure = {**SUMMARY, "gain": {**SUMMARY["gain"], "low": -0.01}}
    assert "delta gain" not in sections.cards(unsure)


def test_an_equal_cost_is_said_in_words():
    baseline = {**SUMMARY["baseline"], "acts": SUMMARY["winner"]["acts"]}
    text = sections.cards({**SUMMARY, "baseline": baseline})
    assert "as the baseline" in text


def test_members_of_a_front_are_said_and_their_folders_named():
    run = SUMMARY["run"]
    front = [{**row, "model_dir": f"{run}/winners/{row['fingerprint']}"} for row in SUMMARY["finalists"][:3]]
    summary = {**SUMMARY, "objectives": ["accuracy", "madds"], "front": front}
    assert "3 of the 4 finalists are on the front" in sections.header(summary)
    assert f"<code>winners/{front[2]['fingerprint']}</code>." in sections.model_section(summary)
    for part in (sections.header, sections.model_section):
        assert "front" not in part(SUMMARY)


def test_a_batch_norm_network_needs_an_import_before_timm_reads_it():
    plain = sections.model_section(SUMMARY)
    assert "timm alone reads it" in plain
    assert "bn_hs" not in plain
    winner, other = (
        {**row, "candidate": {**row["candidate"], "norm_act": "bn_hs"}} for row in SUMMARY["finalists"][:2]
    )
    text = sections.model_section({**SUMMARY, "winner": winner})
    assert "import timm\nimport edgenext_search.models.bn_hs\nmodel = timm.create_model" in text
    assert "timm alone" not in text
    front = [SUMMARY["front"][0], {**other, "model_dir": f"{SUMMARY['run']}/winners/other"}]
    text = sections.model_section({**SUMMARY, "front": front})
    assert "timm alone reads it" in text
    assert "Those with BatchNorm need <code>import edgenext_search.models.bn_hs</code> first." in text


def test_nothing_without_a_winner():
    empty = a_summary()
    assert sections.cards(empty) is None
    assert sections.model_section(empty) is None


def test_the_searchs_score_is_called_so():
    assert "<dd>mean ± std of 3 seeds</dd>" in sections.cards(SUMMARY)
    assert "<dd>one seed, in the search</dd>" in sections.cards(unscored(SUMMARY))
