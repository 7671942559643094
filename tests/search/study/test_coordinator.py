import contextlib
import hashlib
import itertools
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_builders import (
    FIRST,
    MANY_DUPLICATES,
    FakeExecutor,
    Killed,
    Lab,
    a_recipe,
    fails_for,
    projection_of,
    score_of,
)

from edgenext_search.arch.cost import cost
from edgenext_search.arch.published import published_variants
from edgenext_search.errors import HostError, StudyFailedError
from edgenext_search.execution.executor import Lost
from edgenext_search.search.objectives import costs_in, losses_of
from edgenext_search.search.sampler.front import non_dominated_ranks
from edgenext_search.search.store.records import Score
from edgenext_search.search.study import coordinator as coordinator_module
from edgenext_search.search.study.cohort.halving import survivors
from edgenext_search.search.study.cohorts import SPARE
from edgenext_search.search.study.expectation import expectations
from edgenext_search.search.study.finalists import choosing_seeds, rematch_seeds
from edgenext_search.search.study.listener import Listener
from edgenext_search.training.proxy.job import Failed, Trained


@pytest.fixture(scope="module")
def finished():
    """A study of two cohorts of four, and the executor that trained it."""
    lab = Lab(a_recipe())
    return lab, lab.run()


def test_the_first_trials_are_the_published_shapes_nearest_first(finished):
    lab, _ = finished
    projection = projection_of(lab.recipe)
    origins = [trial.origin for trial in lab.trials()]
    assert origins[0] == FIRST
    published = origins[: origins.index("sampler")]
    assert published == [variant.name for variant in projection.nearest_published()][: len(published)]
    assert set(origins[len(published) :]) == {"sampler"}
    for trial in lab.trials()[: len(published)]:
        assert trial.candidate == projection.published(published_variants()[trial.origin])
        assert trial.cohort == 0


def test_published_shapes_that_become_one_candidate_are_one_trial():
    lab = Lab(a_recipe(space=MANY_DUPLICATES, trials=4))
    lab.run()
    published = [trial for trial in lab.trials() if trial.origin != "sampler"]
    assert len({trial.candidate for trial in published}) == len(published)


def test_every_candidate_is_within_the_budget_and_uses_it(finished):
    lab, _ = finished
    budget, deployment = lab.recipe.budget, lab.recipe.deployment
    for trial in lab.trials():
        assert trial.cost == cost(trial.candidate, deployment)
        assert 0.95 <= budget.usage(trial.cost) <= 1


def test_a_cohort_is_halved_at_its_rung(finished):
    lab, executor = finished
    trials = lab.trials()
    assert [trial.cohort for trial in trials] == [0] * 4 + [1] * 4
    for cohort in (0, 1):
        members = [trial for trial in trials if trial.cohort == cohort]
        at_rung = {trial.number: dict(trial.curve)[2] for trial in members}
        best = set(sorted(at_rung, key=lambda number: -at_rung[number])[:2]) | ({0} if cohort == 0 else set())
        assert {trial.number for trial in members if trial.state == "complete"} == best
        assert {trial.state for trial in members if trial.number not in best} == {"pruned"}
    assert all(trial.epochs == (4 if trial.state == "complete" else 2) for trial in trials)
    assert Counter(until for _, seed, until in executor.given if seed == lab.recipe.search.seed)[2] == 8


def test_the_baseline_is_never_stopped():
    first = projection_of(a_recipe()).published(published_variants()[FIRST]).fingerprint

    def worst_for_the_first(job):
        score = 0.01 if job.candidate.fingerprint == first else score_of(job)
        return Trained(score=score, seconds=0.5)

    lab = Lab(a_recipe())
    lab.run(FakeExecutor(worst_for_the_first))
    cohort = [trial for trial in lab.trials() if trial.cohort == 0]
    assert cohort[0].state == "complete"
    assert [trial.state for trial in cohort].count("complete") == 3  # the better half, and the baseline
    assert lab.finalists()[-1].trial == 0


def test_three_rungs_leave_a_quarter():
    lab = Lab(a_recipe(rungs=(0.25, 0.5, 1.0), trials=16, cohort=8))
    lab.run()
    reached = Counter(trial.epochs for trial in lab.trials() if trial.cohort == 1)
    assert reached == {1: 4, 2: 2, 4: 2}


def test_one_rung_stops_nobody():
    lab = Lab(a_recipe(rungs=(1.0,)))
    lab.run()
    assert {trial.state for trial in lab.trials()} == {"complete"}


def test_the_last_cohort_may_be_smaller():
    lab = Lab(a_recipe(trials=6))
    lab.run()
    assert [trial.cohort for trial in lab.trials()] == [0] * 4 + [1] * 2


def test_a_study_may_be_smaller_than_the_published_shapes():
    lab = Lab(a_recipe(trials=1))
    lab.run()
    (trial,) = lab.trials()
    assert (trial.origin, trial.state) == (FIRST, "complete")
    assert [finalist.trial for finalist in lab.finalists()] == [0]


def test_scores_reach_optunas_storage_as_values(finished):
    lab, _ = finished
    study = optuna.load_study(study_name="study", storage=lab.storage)
    complete = [trial for trial in lab.trials() if trial.state == "complete"]
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.best_value == max(trial.score for trial in complete)
    assert [trial.value for trial in study.trials] == [trial.score for trial in lab.trials()]


# Duplicates


@pytest.fixture(scope="module")
def repeated():
    """A study in a space of eight candidates, so that most proposals repeat one."""
    lab = Lab(a_recipe(space=MANY_DUPLICATES, trials=24, cohort=6))
    return lab, lab.run()


def test_no_candidate_is_trained_twice_with_one_seed(repeated):
    lab, executor = repeated
    assert len(lab.trials()) == 24
    assert len({trial.candidate for trial in lab.trials()}) < 16
    assert max(Counter(executor.given).values()) == 1


def test_a_repeated_candidate_shares_the_scores_of_the_first(repeated):
    lab, _ = repeated
    trials = lab.trials()
    duplicates = [trial for trial in trials if trial.duplicate_of is not None]
    assert {trials[trial.duplicate_of].cohort == trial.cohort for trial in duplicates} == {True, False}
    for trial in duplicates:
        first = trials[trial.duplicate_of]
        assert first.number == min(t.number for t in trials if t.candidate == trial.candidate)
        assert (trial.state, trial.curve) == (first.state, first.curve)
        assert trial.seconds == 0
    assert all(trial.number not in {finalist.trial for finalist in lab.finalists()} for trial in duplicates)


def test_a_repeated_candidate_shares_the_failure_of_the_first(repeated):
    counts = Counter(trial.candidate.fingerprint for trial in repeated[0].trials())
    unlucky = counts.most_common(1)[0][0]
    lab = Lab(a_recipe(space=MANY_DUPLICATES, trials=24, cohort=6))
    executor = lab.run(FakeExecutor(fails_for(unlucky)))
    failed = [trial for trial in lab.trials() if trial.candidate.fingerprint == unlucky]
    assert len(failed) > 1
    assert {(trial.state, trial.reason) for trial in failed} == {("failed", "ValueError: no luck")}
    assert [fingerprint for fingerprint, _, _ in executor.given].count(unlucky) == 1


# Failures


def test_a_failure_is_recorded_and_the_study_goes_on(finished):
    victim = finished[0].trials()[5].candidate.fingerprint
    lab = Lab(a_recipe())
    lab.run(FakeExecutor(fails_for(victim, reason="TrainingDivergedError: the loss is nan")))
    trials = lab.trials()
    assert len(trials) == 8
    assert [trial.number for trial in trials if trial.state == "failed"] == [5]
    assert trials[5].reason == "TrainingDivergedError: the loss is nan"
    assert trials[5].score is None
    others = [trial.state for trial in trials if trial.cohort == 1 and trial.number != 5]
    assert sorted(others) == ["complete", "complete", "pruned"]  # the better half of three, rounded up


def test_a_failure_at_a_later_rung_keeps_the_curve_and_is_no_finalist(finished):
    best = max((t for t in finished[0].trials() if t.state == "complete" and t.number), key=lambda t: t.score)

    def fails_late(job):
        if job.candidate == best.candidate and job.until == 4:
            return Failed(reason="out of memory: late")
        return Trained(score=score_of(job), seconds=0.5)

    lab = Lab(a_recipe())
    lab.run(FakeExecutor(fails_late))
    trial = lab.trials()[best.number]
    assert (trial.state, trial.reason, trial.epochs) == ("failed", "out of memory: late", 2)
    assert best.number not in [finalist.trial for finalist in lab.finalists()]


@pytest.mark.parametrize("victim", [0, 2, 5])
def test_what_the_host_fails_is_trained_again_and_changes_nothing(finished, victim):
    candidate = finished[0].trials()[victim].candidate

    def has_no_disk(job):
        if job.candidate == candidate:
            return Lost(job, "No space left on device; free some space.")
        return Trained(score=score_of(job), seconds=0.5)

    lab = Lab(a_recipe())
    for _ in range(2):
        with pytest.raises(HostError, match=r"^Trial \d could not be trained: No space left .*; free some space"):
            lab.run(FakeExecutor(has_no_disk))
        assert all(trial.reason is None for trial in lab.trials())
    lab.run()
    assert lab.result() == finished[0].result()


def test_three_failures_at_the_start_stop_the_study_with_the_reason():
    lab = Lab(a_recipe())
    executor = FakeExecutor(lambda _: Failed(reason="ImportError: no module named timm"))
    with pytest.raises(StudyFailedError, match=r"first 3 trials all failed.*ImportError: no module named timm"):
        lab.run(executor)
    assert len(executor.given) == 3


def test_a_study_that_stopped_for_failures_starts_again_once_the_cause_is_gone(finished):
    lab = Lab(a_recipe())
    with pytest.raises(StudyFailedError):
        lab.run(FakeExecutor(lambda _: Failed(reason="broken")))
    assert [trial.reason for trial in lab.trials()[:3]] == ["broken"] * 3  # until somebody goes on, a report has them
    lab.run()
    assert lab.result() == finished[0].result()  # the baseline, which was among them, is there too


def test_three_failures_after_a_success_stop_nothing(finished):
    trials = finished[0].trials()
    lab = Lab(a_recipe())
    lab.run(FakeExecutor(fails_for(*(trial.candidate.fingerprint for trial in trials[1:7]))))
    assert [trial.state for trial in lab.trials()].count("failed") == 6
    assert lab.trials()[7].state == "complete"


def test_a_cohort_where_all_fail_is_told_and_the_next_one_is_asked(finished):
    second = [trial.candidate.fingerprint for trial in finished[0].trials() if trial.cohort == 1]
    lab = Lab(a_recipe(trials=12))
    lab.run(FakeExecutor(fails_for(*second)))
    states = [trial.state for trial in lab.trials()]
    assert states[4:8] == ["failed"] * 4
    assert "complete" in states[8:]


def test_a_finalist_that_fails_with_one_seed_is_judged_by_the_others():
    lab = Lab(a_recipe(rescore_seeds=3))

    def fails_once(job):
        if job.seed == lab_seeds[0] and job.candidate == lab.trials()[0].candidate:
            return Failed(reason="killed")
        return Trained(score=score_of(job), seconds=0.5)

    lab_seeds = sorted({1_000_000, 2_000_000, 3_000_000})
    lab.run(FakeExecutor(fails_once))
    by_trial = {finalist.trial: finalist for finalist in lab.finalists()}
    assert by_trial[0].fresh_seeds == 2
    assert all(finalist.fresh_seeds == 3 for number, finalist in by_trial.items() if number)
    assert "killed" in lab.store().rescores().values()


# Finalists


def test_finalists_are_trained_with_fresh_seeds_that_all_share(finished):
    lab, executor = finished
    again = [given for given in executor.given if given[1] != lab.recipe.search.seed]
    assert {until for _, _, until in again} == {4}
    expected = expectations(lab.store(), lab.recipe)
    best = sorted((t for t in lab.trials() if t.state == "complete"), key=lambda t: -expected[t.number].mean)
    chosen = {trial.candidate.fingerprint for trial in best[:2]} | {lab.trials()[0].candidate.fingerprint}
    seeds = choosing_seeds(lab.recipe.search)
    trained = {(fingerprint, seed) for fingerprint, seed, _ in again}
    assert {pair for pair in trained if pair[1] in seeds} == set(itertools.product(chosen, seeds))
    for finalist in lab.finalists():
        job = lab.coordinator(FakeExecutor()).job(finalist.candidate, seed=0, until=4)
        assert finalist.score == Score.of([score_of(replace(job, seed=seed)) for seed in seeds])


def test_winner_and_baseline_meet_again(finished):
    lab, executor = finished
    winner, *others = lab.finalists()
    baseline = next(finalist for finalist in others if finalist.trial == 0)
    seeds = rematch_seeds(lab.recipe.search)
    trained = {(fingerprint, seed) for fingerprint, seed, _ in executor.given if seed in seeds}
    sides = (winner.candidate.fingerprint, baseline.candidate.fingerprint)
    assert trained == set(itertools.product(sides, seeds))
    assert len(seeds) == 2
    for side in (winner, baseline):
        job = lab.coordinator(FakeExecutor()).job(side.candidate, seed=0, until=4)
        assert side.rematch == Score.of([score_of(replace(job, seed=seed)) for seed in seeds])
    assert all(finalist.rematch is None for finalist in others if finalist is not baseline)


def test_the_baseline_does_not_meet_itself():
    lab = Lab(a_recipe())
    best = FakeExecutor(lambda job: Trained(score=0.9 if job.label.startswith("trial 0") else 0.1, seconds=1.0))
    lab.run(best)
    assert lab.finalists()[0].trial == 0
    assert not {job.seed for job in best.jobs} & set(rematch_seeds(lab.recipe.search))


def test_what_is_rescored_is_not_rescored_again(finished):
    lab, _ = finished
    executor = FakeExecutor()
    lab.coordinator(executor).rescore()
    assert executor.given == []


# Order and interruption


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_the_order_of_outcomes_changes_nothing(order):
    assert _in_order(order) == _undisturbed()


def _in_order(order):
    lab = Lab(_disturbable())
    lab.run(FakeExecutor(_hard_life(), shuffle=random.Random(order), places=9))
    return lab.result()


def _disturbable(sampler="tpe"):
    """A study with duplicates and a failure, whose second cohort hangs on what came of the first."""
    return a_recipe(space=MANY_DUPLICATES, trials=9, cohort=5, sampler=sampler)


_known: dict[str, object] = {}


def _hard_life():
    """Outcomes where the second candidate's training fails at the last rung."""
    if "victim" not in _known:
        lab = Lab(_disturbable())
        lab.run()
        complete = [trial for trial in lab.trials() if trial.state == "complete" and trial.number]
        _known["victim"] = complete[0].candidate

    def outcome(job):
        if job.candidate == _known["victim"] and job.until == 4 and job.seed == 0:
            return Failed(reason="RuntimeError: bad luck")
        return Trained(score=score_of(job), seconds=0.5)

    return outcome


def _undisturbed():
    if "result" not in _known:
        lab = Lab(_disturbable())
        _known["given"] = lab.run(FakeExecutor(_hard_life())).given
        _known["result"] = lab.result()
        states = {trial.state for trial in lab.trials()}
        assert states == {"complete", "pruned", "failed"}
        assert any(trial.duplicate_of is not None for trial in lab.trials())
        assert len(lab.finalists()) >= 2
    return _known["result"]


def test_killed_after_any_outcome_it_resumes_as_if_undisturbed():
    expected = _undisturbed()
    for k in range(1, len(_known["given"]) + 1):
        lab = Lab(_disturbable())
        first = FakeExecutor(_hard_life(), killed_at=k)
        with pytest.raises(Killed):
            lab.run(first)
        second = lab.run(FakeExecutor(_hard_life()))
        assert lab.result() == expected, k
        assert Counter(first.given + second.given) == Counter(_known["given"]), k


def test_killed_after_the_baseline_failed_at_a_later_rung_it_resumes_as_if_undisturbed(finished):
    unlucky, recipe = finished[0].trials()[0].candidate, finished[0].recipe

    def outcome(job):
        if job.candidate == unlucky and job.until == 4:
            return Failed(reason="RuntimeError: bad luck")
        return Trained(score=score_of(job), seconds=0.5)

    lab = Lab(recipe)
    given = len(lab.run(FakeExecutor(outcome)).given)
    expected = lab.result()
    for k in range(1, given + 1):
        lab = Lab(recipe)
        with pytest.raises(Killed):
            lab.run(FakeExecutor(outcome, killed_at=k))
        lab.run(FakeExecutor(outcome))
        assert lab.result() == expected, k


class DyingStorage(optuna.storages.InMemoryStorage):
    """A storage in front of which the coordinator is killed before its k-th write, counted from 1."""

    def __init__(self):
        super().__init__()
        self.writes, self.killed_at = 0, None

    def _count(self):
        self.writes += 1
        if self.writes == self.killed_at:
            raise Killed

    def create_new_trial(self, *args, **others):
        self._count()
        return super().create_new_trial(*args, **others)

    def set_trial_user_attr(self, *args, **others):
        self._count()
        return super().set_trial_user_attr(*args, **others)

    def set_trial_intermediate_value(self, *args, **others):
        self._count()
        return super().set_trial_intermediate_value(*args, **others)

    def set_trial_state_values(self, *args, **others):
        self._count()
        return super().set_trial_state_values(*args, **others)

    def set_study_user_attr(self, *args, **others):
        self._count()
        return super().set_study_user_attr(*args, **others)


def test_killed_before_any_write_it_resumes_as_if_undisturbed():
    expected = _undisturbed()
    lab = Lab(_disturbable(), DyingStorage())
    lab.run(FakeExecutor(_hard_life()))
    writes = lab.storage.writes
    assert writes > 40
    for k in range(1, writes + 1):
        lab = Lab(_disturbable(), DyingStorage())
        lab.storage.killed_at = k
        first = FakeExecutor(_hard_life())
        with pytest.raises(Killed):
            lab.run(first)
        second = lab.run(FakeExecutor(_hard_life()))
        assert lab.result() == expected, k
        again = Counter(first.given + second.given) - Counter(_known["given"])
        assert sum(again.values()) <= 1, k  # at most the one whose score was just being written


def test_killed_again_and_again_it_ends_the_same():
    expected = _undisturbed()
    lab = Lab(_disturbable())
    for _ in range(len(_known["given"])):
        with pytest.raises(Killed):
            lab.run(FakeExecutor(_hard_life(), killed_at=2))
        if len(lab.store().rescores()) == len(_known["result"][2]) - 1:
            break
    lab.run(FakeExecutor(_hard_life()))
    assert lab.result() == expected


def test_killed_with_sqlite_and_the_gaussian_process(tmp_path):
    recipe = _disturbable("gp")
    undisturbed = Lab(recipe)
    given = undisturbed.run().given
    lab = Lab(recipe, f"sqlite:///{tmp_path}/study.db")
    for _ in range(2):
        with pytest.raises(Killed):
            lab.run(FakeExecutor(killed_at=len(given) // 2 - 1))
    lab.run()
    assert lab.result() == undisturbed.result()


def test_stopped_after_any_outcome_it_resumes_as_if_undisturbed():
    expected = _undisturbed()
    for k in range(len(_known["given"]) + 1):
        lab = Lab(_disturbable())
        first = FakeExecutor(_hard_life())
        lab.run(first, should_stop=lambda first=first, k=k: len(first.given) >= k)
        assert len(first.given) == k
        second = lab.run(FakeExecutor(_hard_life()))
        assert lab.result() == expected, k
        assert first.given + second.given == _known["given"], k


# Overlapping cohorts


def _overlapping(overlap=2, **search):
    return a_recipe(
        **{"trials": 24, "cohort": 4, "sampler": "bayes", "overlap": overlap, "rungs": (0.25, 0.5, 1.0), **search}
    )


def _known_by_some(job):
    """A failure in one of the cohorts, late in its training."""
    if int(job.candidate.fingerprint, 16) % 7 == 0 and job.until == 4:
        return Failed(reason="RuntimeError: bad luck")
    return Trained(score=score_of(job), seconds=0.5)


@pytest.fixture(scope="module")
def overlapped():
    """A study of six cohorts, of which three are under way at once, on one place."""
    lab = Lab(_overlapping())
    return lab.run(FakeExecutor(_known_by_some)).given, lab.result()


@pytest.mark.parametrize(("places", "order"), [(1, 1), (2, 2), (8, 3), (100, 4)])
def test_overlapping_cohorts_end_alike_on_any_number_of_places(overlapped, places, order):
    lab = Lab(_overlapping())
    executor = lab.run(FakeExecutor(_known_by_some, shuffle=random.Random(order), places=places))
    assert lab.result() == overlapped[1]
    assert max(Counter(executor.given).values()) == 1
    assert Counter(overlapped[0]) <= Counter(executor.given)


def test_overlap_changes_what_later_cohorts_know(overlapped):
    alone = Lab(_overlapping(overlap=0))
    alone.run(FakeExecutor(_known_by_some))
    ours, theirs = overlapped[1][0], alone.trials()
    assert [trial.candidate for trial in ours[:4]] == [trial.candidate for trial in theirs[:4]]
    assert [trial.candidate for trial in ours] != [trial.candidate for trial in theirs]


def test_several_cohorts_are_under_way_at_once():
    heard = Notebook()
    Lab(_overlapping()).run(FakeExecutor(_known_by_some, shuffle=random.Random(1), places=100), listener=heard)
    events = [(kind, what) for kind, what, *_ in heard.heard if kind in ("cohort", "jobs")]
    assert events.index(("cohort", [4, 5, 6, 7])) < events.index(("jobs", "Cohort 0, rung 3 of 3"))
    assert ("jobs", "Ahead of the finalists") in events


@pytest.mark.parametrize("places", [1, 5])
def test_overlapping_cohorts_killed_after_any_outcome_resume_as_if_undisturbed(overlapped, places):
    for k in range(2, len(overlapped[0]) + 1, 7):
        lab = Lab(_overlapping())
        with pytest.raises(Killed):
            lab.run(FakeExecutor(_known_by_some, shuffle=random.Random(k), places=places, killed_at=k))
        lab.run(FakeExecutor(_known_by_some, shuffle=random.Random(k + 1), places=6 - places))
        assert lab.result() == overlapped[1], k


def test_overlapping_cohorts_killed_before_any_write_resume_as_if_undisturbed():
    recipe = a_recipe(space=MANY_DUPLICATES, trials=9, cohort=3, overlap=2)
    undisturbed = Lab(recipe, DyingStorage())
    undisturbed.run(FakeExecutor(places=4))
    for k in range(1, undisturbed.storage.writes + 1, 3):
        lab = Lab(recipe, DyingStorage())
        lab.storage.killed_at = k
        with contextlib.suppress(Killed):  # what is trained ahead, and its writes, depend on the order
            lab.run(FakeExecutor(shuffle=random.Random(k), places=4))
        lab.storage.killed_at = None
        lab.run(FakeExecutor(places=2))
        assert lab.result() == undisturbed.result(), k


# Several objectives


def _of_two(**search):
    return a_recipe(**{"trials": 12, "cohort": 6, "sampler": "bayes", "objectives": ["accuracy", "madds"], **search})


@pytest.fixture(scope="module")
def of_two():
    lab = Lab(_of_two())
    return lab, lab.run()


def test_a_cohort_of_several_objectives_keeps_its_front(of_two):
    lab, _ = of_two
    for cohort in (0, 1):
        members = [trial for trial in lab.trials() if trial.cohort == cohort and trial.duplicate_of is None]
        scores = {trial.number: dict(trial.curve)[2] for trial in members}
        costs = {trial.number: (trial.cost.madds,) for trial in members}
        kept = {trial.number for trial in members if trial.state == "complete"}
        assert kept == survivors(scores, costs, always={0})
        assert min(members, key=lambda trial: (trial.cost.madds, -scores[trial.number])).number in kept
        assert max(members, key=lambda trial: scores[trial.number]).number in kept


def test_the_front_of_the_study_is_optunas(of_two):
    lab, _ = of_two
    study = optuna.load_study(study_name="study", storage=lab.storage)
    complete = [trial for trial in lab.trials() if trial.state == "complete"]
    objectives = lab.recipe.search.objectives
    ranks = non_dominated_ranks(np.array([losses_of(t.score, costs_in(t.cost, objectives)) for t in complete]))
    ours = {trial.number for trial, rank in zip(complete, ranks, strict=True) if rank == 0}
    assert {trial.number for trial in study.best_trials} == ours


@pytest.mark.parametrize("sampler", ["bayes", "nsga2"])
def test_killed_with_several_objectives_it_resumes_as_if_undisturbed(of_two, sampler):
    recipe = _of_two(sampler=sampler)
    undisturbed = Lab(recipe)
    given = undisturbed.run().given
    assert sampler == "nsga2" or undisturbed.result() == of_two[0].result()
    for k in range(2, len(given) + 1, 6):
        lab = Lab(recipe)
        with pytest.raises(Killed):
            lab.run(FakeExecutor(killed_at=k))
        lab.run(FakeExecutor(shuffle=random.Random(k), places=9))
        assert lab.result() == undisturbed.result(), k


def test_killed_before_any_write_of_several_objectives_it_resumes_as_if_undisturbed():
    recipe = a_recipe(space=MANY_DUPLICATES, trials=7, cohort=4, objectives=["accuracy", "acts", "memory"])
    undisturbed = Lab(recipe, DyingStorage())
    undisturbed.run()
    for k in range(1, undisturbed.storage.writes + 1):
        lab = Lab(recipe, DyingStorage())
        lab.storage.killed_at = k
        with pytest.raises(Killed):
            lab.run()
        lab.run()
        assert lab.result() == undisturbed.result(), k


def test_a_finished_study_is_left_as_it_is():
    lab = Lab(_disturbable())
    lab.run(FakeExecutor(_hard_life()))
    before = lab.result()
    assert lab.run(FakeExecutor(_hard_life())).given == []
    assert lab.result() == before


def test_another_seed_is_another_study(finished):
    lab = Lab(a_recipe(seed=1))
    executor = lab.run()
    ours, other = ([t.candidate for t in lab.trials()] for lab in (lab, finished[0]))
    assert ours[:4] == other[:4] or ours[0] == other[0]  # the published shapes stay
    assert ours != other
    assert {seed for _, seed, _ in executor.given}.isdisjoint({seed for _, seed, _ in finished[1].given} - {1})


# More trials, and time


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_more_trials_go_on_from_the_same_ones(sampler):
    longer = Lab(a_recipe(trials=12, sampler=sampler))
    longer.run()
    lab = Lab(a_recipe(trials=8, sampler=sampler))
    first = lab.run()
    lab.recipe = a_recipe(trials=12, sampler=sampler)
    second = lab.run()
    assert lab.trials() == longer.trials()
    assert not set(first.given) & set(second.given)


def test_more_trials_after_a_crash_in_the_middle_of_telling():
    """The cohort that is told in part was decided already: it is closed as it is, the new trials come after it."""
    short, long = a_recipe(trials=3, cohort=8), a_recipe(trials=16, cohort=8)

    def worse_and_worse():
        """Of three trials the second is stopped; among eight it would have gone on."""

        def outcome(job):
            number = int(job.label.split(",")[0].removeprefix("trial "))
            return Trained(score=(0.9, 0.5, 0.6)[number] if number < 3 else 0.1 / number, seconds=0.5)

        return FakeExecutor(outcome)

    undisturbed = Lab(short)
    undisturbed.run(worse_and_worse())
    assert [trial.state for trial in undisturbed.trials()] == ["complete", "pruned", "complete"]
    cut_off = 0
    for k in itertools.count(1):
        lab, executor = Lab(short, DyingStorage()), worse_and_worse()
        lab.storage.killed_at = k
        try:
            lab.run(executor)
            break
        except Killed:
            pass
        if {trial.state for trial in lab.trials()} > {"open"}:
            lab.recipe = long
            lab.run(executor)
            assert lab.trials()[:3] == undisturbed.trials()
            assert [trial.cohort for trial in lab.trials()] == [0] * 3 + [1] * 8 + [2] * 5
            cut_off += 1
    assert cut_off


class Clock:
    """Time that passes as told."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_no_cohort_is_asked_once_the_time_is_up(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(coordinator_module, "time", clock)

    def takes_a_minute(job):
        clock.now += 60
        return Trained(score=score_of(job), seconds=60.0)

    lab = Lab(a_recipe(trials=100, time="9m"))
    executor = lab.run(FakeExecutor(takes_a_minute))
    assert [trial.cohort for trial in lab.trials()] == [0] * 4 + [1] * 4  # 6 or 7 minutes each; the second is finished
    assert {trial.state for trial in lab.trials()} == {"complete", "pruned"}
    assert any(seed for _, seed, _ in executor.given)  # the finalists follow

    lab.recipe = a_recipe(trials=100, time="20m")
    lab.run(FakeExecutor(takes_a_minute))
    assert max(trial.cohort for trial in lab.trials()) in (2, 3)  # what was spent before counts


def test_no_time_at_all():
    lab = Lab(a_recipe(time="0s"))
    assert lab.run().given == []
    assert lab.trials() == []
    assert lab.finalists() == []


# Scratch and listeners


class WritingExecutor(FakeExecutor):
    """Leaves the files that a training leaves."""

    def after_outcome(self, job):
        job.folder.mkdir(exist_ok=True)
        job.written(job.state_file).write_text("")
        if job.until == job.recipe.epochs:
            job.written(job.weights_file).write_text("")


def luck(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


@pytest.mark.parametrize("objectives", [["accuracy"], ["accuracy", "madds"]])
@pytest.mark.parametrize("seed", range(4))
def test_whoever_may_become_a_finalist_keeps_its_weights(tmp_path, seed, objectives):
    """Top-1 and what ranks have nothing to do with each other, and the best changes with every cohort."""

    def outcome(job):
        name = f"{job.candidate.fingerprint} {job.until}"
        return Trained(score=luck(name), seconds=0.5, loss=luck(f"{name} held out"), train_loss=luck(f"{name} train"))

    recipe = a_recipe(trials=40, cohort=4, seed=seed, objectives=objectives, rank_by="train_loss", finalists=2)
    lab = Lab(recipe, scratch=tmp_path / "scratch")
    coordinator = lab.coordinator(WritingExecutor(outcome))
    coordinator.search()
    left = {path.name for path in lab.scratch.iterdir()}
    wanted = {f"{finalist.candidate.fingerprint}-{seed}.safetensors" for finalist in lab.finalists()}
    assert wanted <= left
    assert len(left) <= SPARE * 2 + 1 < sum(trial.state == "complete" for trial in lab.trials())
    coordinator.rescore()
    kept = {path.name for path in lab.scratch.glob("*.safetensors")}
    seeds = choosing_seeds(recipe.search)
    assert kept >= {f"{f.candidate.fingerprint}-{fresh}.safetensors" for f in lab.finalists() for fresh in seeds}


class Notebook(Listener):
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def cohort_started(self, trials, total_trials):
        self.heard.append(("cohort", [trial.number for trial in trials], total_trials))

    def jobs_started(self, what, jobs, *, since, until):
        self.heard.append(("jobs", what, list(jobs), since, until))

    def job_progress(self, job, share):
        self.heard.append(("progress", job, share))

    def job_finished(self, job, score, reason):
        self.heard.append(("finished", job, score, reason))


def test_the_listener_hears_of_every_job():
    lab = Lab(a_recipe(trials=4, finalists=1, rescore_seeds=1, rematch_seeds=0))
    unlucky = []

    def outcome(job):
        unlucky.append(job.candidate)
        return Failed(reason="bad") if job.candidate == unlucky[-1] == unlucky[0] and job.seed else _fine(job)

    def _fine(job):
        return Trained(score=score_of(job), seconds=0.5)

    notebook = Notebook()
    executor = lab.run(FakeExecutor(outcome), listener=notebook)
    assert notebook.heard[0] == ("cohort", [0, 1, 2, 3], 4)
    groups = [entry for entry in notebook.heard if entry[0] == "jobs"]
    assert [(what, since, until) for _, what, _, since, until in groups] == [
        ("Cohort 0, rung 1 of 2", 0, 2),
        ("Cohort 0, rung 2 of 2", 2, 4),
        ("Finalists", 0, 4),
    ]
    longest_first = sorted(lab.trials(), key=lambda trial: -trial.cost.madds)
    assert groups[0][2] == [f"trial {trial.number}" for trial in longest_first]
    finished = [entry for entry in notebook.heard if entry[0] == "finished"]
    assert [job for _, job, _, _ in finished] == [job for _, _, jobs, _, _ in groups for job in jobs]
    assert len(finished) == len(executor.given)
    assert all((score is None) != (reason is None) for _, _, score, reason in finished)
    assert [entry for entry in notebook.heard if entry[0] == "progress"]
