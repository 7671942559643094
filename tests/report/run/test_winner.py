"""The winner: key figures, architecture, model."""

from dataclasses import replace

from edgenext_search.report.document import Good, plain
from edgenext_search.report.run.winner import architecture_section, key_section, model_section

from ..builders import a_summary, changed, some_trials, text_of, unscored

TRIALS = some_trials(24)
SUMMARY = a_summary(TRIALS)


def key_figures(summary):
    return key_section(summary).blocks[0].figures


def batch_norm(finalist):
    return replace(finalist.candidate, norm_act="bn_hs")


def test_key_figures_compare_with_the_baseline_and_the_cap():
    score, params, madds, acts = key_figures(SUMMARY)
    winner, baseline = SUMMARY.winner, SUMMARY.baseline
    assert params.share == winner.params / 1_300_000
    assert madds.share is None
    assert f"{100 * abs(winner.madds / baseline.madds - 1):.1f} %" in plain(madds.lines[0])
    assert [figure.label for figure in (score, acts)] == ["Top-1", "Activations"]
    same = changed(SUMMARY, baseline, acts=winner.acts)
    assert "same as baseline" in plain(key_figures(same)[3].lines[0])


def test_a_gain_is_good_news_only_where_it_is_established():
    assert isinstance(key_figures(SUMMARY)[0].lines[1][0], Good)
    unsure = SUMMARY.model_copy(update={"gain": SUMMARY.gain.model_copy(update={"low": -0.01})})
    assert not isinstance(key_figures(unsure)[0].lines[1][0], Good)


def test_the_score_of_the_search_is_called_so():
    assert key_figures(SUMMARY)[0].lines[0] == "mean ± std of 3 seeds"
    assert key_figures(unscored(SUMMARY))[0].lines[0] == "one seed, in the search"


def test_the_architecture_shows_what_differs():
    networks, table, _ = architecture_section(SUMMARY).blocks
    assert [network.role for network in networks.networks] == ["Winner", "Baseline"]
    widths = table.rows[0].cells[1:]
    assert [cell.text for cell in widths] == list(map(str, SUMMARY.winner.candidate.widths))
    assert [cell.before or cell.text for cell in widths] == list(map(str, SUMMARY.baseline.candidate.widths))
    alone = a_summary(some_trials(1))
    assert len(architecture_section(alone).blocks[0].networks) == 1
    assert "→" not in text_of(architecture_section(alone))


def test_the_model_is_loaded_from_the_run_folder():
    fingerprint = SUMMARY.winner.fingerprint
    text = text_of(model_section(SUMMARY))
    assert f'timm.create_model("local-dir:winners/{fingerprint}", pretrained=True)' in text
    assert "timm alone reads it" in text
    elsewhere = text_of(model_section(SUMMARY.model_copy(update={"model_dir": "/models/best"})))
    assert 'timm.create_model("local-dir:/models/best", pretrained=True)' in elsewhere
    assert "Run it in the run folder" not in elsewhere


def test_a_batch_norm_network_needs_an_import():
    assert "bn_hs" not in text_of(model_section(SUMMARY))
    winner = changed(SUMMARY, SUMMARY.winner, candidate=batch_norm(SUMMARY.winner))
    assert "import edgenext_search.models.bn_hs model = " in text_of(model_section(winner))
    other = SUMMARY.finalists[1]
    folder = f"{SUMMARY.run}/winners/other"
    member = other.model_copy(update={"candidate": batch_norm(other), "model_dir": folder})
    front = SUMMARY.model_copy(update={"front": (*SUMMARY.front, member)})
    text = text_of(model_section(front))
    assert "winners/other. Those with BatchNorm need import edgenext_search.models.bn_hs first." in text


def test_nothing_without_a_winner():
    empty = a_summary()
    assert key_section(empty) is architecture_section(empty) is model_section(empty) is None
