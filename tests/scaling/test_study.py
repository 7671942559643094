from dataclasses import replace

import pytest
from scaling_plans import COMPARISON, STUDY
from study_builders import FakeExecutor, Killed

from edgenext_search.arch.scaling import parse_budgets
from edgenext_search.errors import StudyFailedError, UserError
from edgenext_search.scaling.records import ScalingResult
from edgenext_search.search.ranking.references import reference_seeds
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.training.proxy.job import Failed


def without_times(summary):
    return summary.model_copy(update={"run": "", "report": "", "seconds": 0.0})


def test_every_candidate_is_trained_in_full_with_every_seed(scaled, recipe, tmp_path):
    summary, executor = scaled(tmp_path / "run", STUDY)
    assert len(executor.jobs) == 16
    assert [job.seed for job in executor.jobs] == sorted(job.seed for job in executor.jobs)
    assert {job.seed for job in executor.jobs} == set(reference_seeds(0, 2))
    assert {job.until for job in executor.jobs} == {4}
    assert executor.jobs[0].recipe == recipe.proxy.model_copy(update={"rungs": [1.0]})
    assert (summary.status, summary.kind, summary.n, summary.open) == ("complete", "study", 4, 0)
    assert summary == RunFolder(tmp_path / "run").read_summary(ScalingResult)
    assert [row.n for row in summary.sizes] == [4, 4]
    assert {law.cost for law in summary.laws} == {"params", "madds", "acts"}
    assert len(summary.candidates) == 8
    assert summary.candidates[0].origin == "edgenext_xx_small"
    assert len(summary.candidates[0].scores) == 2
    assert summary.conditions.parallel == 1
    assert not (tmp_path / "run" / "scratch").exists()


def test_what_was_killed_ends_as_what_was_not(scaled, tmp_path):
    for plan in (STUDY, COMPARISON):
        whole, _ = scaled(tmp_path / f"{plan.kind}-whole", plan)
        path, given = tmp_path / f"{plan.kind}-killed", []
        for killed_at in (1, 3, 2):
            executor = FakeExecutor(killed_at=killed_at)
            with pytest.raises(Killed):
                scaled(path, plan, executor)
            given += executor.given
        again, executor = scaled(path, None)
        given += executor.given
        assert len(set(given)) == len(given)
        assert without_times(again) == without_times(whole)
        assert scaled(path, plan)[1].given == []


def test_a_comparison_of_two_spaces(scaled, tmp_path):
    summary, executor = scaled(tmp_path / "run", COMPARISON)
    assert len(executor.jobs) == 8
    assert [space.n for space in summary.comparison.spaces] == [4, 4]
    assert 0 <= summary.comparison.superiority.p <= 1


def test_trainings_that_all_fail_end_it(scaled, tmp_path):
    with pytest.raises(StudyFailedError, match=r"The first 3 trainings all failed.*out of luck"):
        scaled(tmp_path / "run", STUDY, FakeExecutor(lambda _: Failed(reason="out of luck")))
    summary, _ = scaled(tmp_path / "run", STUDY)  # once the cause is gone
    assert (summary.failed, summary.n) == ((), 4)


def test_nothing_is_left_of_what_is_refused(scaled, tmp_path):
    with pytest.raises(UserError, match="cannot be reached"):
        scaled(tmp_path / "run", replace(STUDY, budgets=tuple(parse_budgets("1k,60k"))))
    assert not (tmp_path / "run").exists()
