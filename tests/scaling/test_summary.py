import pytest
from scaling_plans import STUDY
from study_builders import FakeExecutor, Killed, fails_for

from edgenext_search.scaling.summary import scaling_summary
from edgenext_search.search.store.run_folder import RunFolder


def test_shapes_of_which_a_training_failed_are_left_out(scaled, tmp_path):
    whole, _ = scaled(tmp_path / "whole", STUDY)
    failing = whole.candidates[2]
    summary, _ = scaled(tmp_path / "run", STUDY, FakeExecutor(fails_for(failing.fingerprint)))
    assert (summary.status, summary.n) == ("complete", 3)
    assert [row.reason for row in summary.failed] == ["ValueError: no luck"] * 2
    assert summary.ranks.pairs[0].tau is None


def test_a_summary_before_anything_was_trained(scaled, recipe, tmp_path):
    with pytest.raises(Killed):
        scaled(tmp_path / "run", STUDY, FakeExecutor(killed_at=1))
    run = RunFolder(tmp_path / "run")
    summary = scaling_summary(run, recipe, run.open_store(recipe), running=True)
    assert (summary.status, summary.n, summary.laws, summary.open) == ("running", 0, (), 16)
    assert summary.sizes[0].mean is summary.sizes[0].params is None
