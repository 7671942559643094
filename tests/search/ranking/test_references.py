from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import FakeExecutor, Lab, a_candidate, a_recipe, a_record, score_of

from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.ranking.references import (
    audit_summary,
    audited,
    can_be_audited,
    drawn,
    pending,
    reference_seeds,
    sample,
    sampled,
)
from edgenext_search.search.ranking.results import AuditResult
from edgenext_search.search.store.records import StudyFacts
from edgenext_search.search.study.finalists import fresh_seeds
from edgenext_search.training.proxy.job import Trained


@st.composite
def studies(draw):
    """Trials of which some stopped at the first rung, failed, or are duplicates."""
    trials = []
    for number in range(draw(st.integers(1, 40))):
        scores = draw(st.lists(st.integers(0, 99).map(lambda n: n / 100), min_size=1, max_size=2))
        trials.append(a_record(number, scores=scores))
        fate = draw(st.integers(0, 9))
        if number and fate == 0:
            trials[-1] = replace(trials[-1], reason="no luck", state="failed")
        elif number and fate == 1:
            trials[-1] = replace(trials[-1], duplicate_of=0)
    return trials


@given(studies(), st.integers(1, 50), st.integers(0, 9))
def test_a_sample_is_of_scored_candidates_each_once_with_the_baseline(trials, n, seed):
    chosen = sample(trials, n, seed=seed)
    assert all(can_be_audited(trial) for trial in chosen)
    assert len({trial.number for trial in chosen}) == len(chosen) == min(n, sum(map(can_be_audited, trials)))
    assert chosen[0].number == 0
    assert sample(trials, n, seed=seed) == chosen
    assert sample(trials, n + 1, seed=seed)[: len(chosen)] == chosen  # a larger one only adds


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_is_spread_over_the_scores_of_those_trained_equally_long(seed):
    """64 stopped at the first rung and 64 that did not: of each eighth by score of either, about one of sixteen."""
    trials = [a_record(number, scores=(number % 64 / 64, 0.9)[: 1 + number // 64]) for number in range(128)]
    trials[64:] = [replace(t, curve=(t.curve[0], (4, 0.5 + t.number / 1000))) for t in trials[64:]]
    chosen = [trial for trial in sample(trials, 17, seed=seed) if trial.number]
    eighths = [trial.number // 8 for trial in chosen]
    assert len(chosen) == 16
    assert all(abs(eighths.count(eighth) - 1) <= 1 for eighth in range(16))
    assert abs(sum(trial.number < 64 for trial in chosen) - 8) <= 1


def test_samples_of_two_studies_differ():
    trials = [a_record(number, scores=(number / 40,)) for number in range(40)]
    assert len({tuple(t.number for t in sample(trials, 8, seed=seed)) for seed in range(5)}) > 1


def test_seeds_are_never_those_of_the_search_or_its_finalists():
    for seed in (0, 7):
        assert not set(reference_seeds(seed, 50)) & {seed, *fresh_seeds(seed, 200)}
        assert len(set(reference_seeds(seed, 50))) == 50
        assert reference_seeds(seed, 3) == reference_seeds(seed, 50)[:3]


@pytest.fixture
def lab():
    lab = Lab(a_recipe())
    lab.run()
    return lab


def test_without_an_audit_there_is_nothing_to_say(lab):
    assert audit_summary(lab.store(), lab.recipe) is None


def asked(store, **changes):
    store.record_facts(StudyFacts(audit={"epochs": 16, "n": 8, "seeds": 2, "seconds": 1.25, **changes}))


def test_an_audit_that_has_only_begun(lab):
    store = lab.store()
    asked(store)
    found = audit_summary(store, lab.recipe)
    assert AuditResult.read(found.to_dict(), where="x") == found
    assert (found.status, found.n, found.open, found.series) == ("interrupted", 0, 16, ())
    assert audit_summary(store, lab.recipe, running=True).status == "running"


def test_what_an_audit_found(lab):
    store = lab.store()
    asked(store)
    one, other = reference_seeds(0, 2)
    for rank, trial in enumerate(trial for trial in lab.trials() if trial.number != 3):
        store.add_reference(trial.candidate.fingerprint, 16, one, rank / 10)
        store.add_reference(trial.candidate.fingerprint, 16, other, rank / 10 + 0.01)
        store.add_reference(trial.candidate.fingerprint, 8, one, 0.99)  # of another audit
    store.add_reference(lab.trials()[3].candidate.fingerprint, 16, one, "no luck")
    store.add_reference(lab.trials()[3].candidate.fingerprint, 16, other, "no luck")
    found = audit_summary(store, lab.recipe)
    assert AuditResult.read(found.to_dict(), where="x") == found
    assert (found.status, found.n, found.seeds, found.open) == ("complete", 7, 2, 0)
    assert found.fidelity.epochs == 16
    assert [(row.trial, row.reason) for row in found.failed] == [(3, "no luck")] * 2
    assert [series.name for series in found.series] == ["rung:2", "rung:4", "params", "madds"]
    assert [series.cost_ratio for series in found.series] == [0.125, 0.25, 0, 0]
    first, last = found.series[:2]
    assert first.n == 7
    assert last.n == sum(len(row.curve) == 2 for row in found.candidates) < 7
    assert first.params_pairwise_accuracy == found.series[2].pairwise_accuracy
    assert first.noise_ceiling.tau.value == pytest.approx(1)
    assert found.seeds_agree.value == pytest.approx(1)
    row = found.candidates[1]
    assert row.fingerprint == lab.trials()[row.trial].candidate.fingerprint
    assert row.reference.mean == pytest.approx(0.105)
    assert (row.reference.std, row.reference.n) == (pytest.approx(0.00707, abs=1e-4), 2)
    assert found.series[0].partial_tau is not None


@pytest.mark.parametrize("rank_by", ["top1", "train_loss"])
def test_what_ranks_in_the_search_is_what_is_judged(rank_by):
    """Losses in the opposite order of the scores: they decide where the search ranks by them."""

    def outcome(job):
        score = score_of(job)
        return Trained(score=score, seconds=0.5, loss=score, train_loss=score)

    lab = Lab(a_recipe(rank_by=rank_by))
    lab.run(FakeExecutor(outcome))
    store = lab.store()
    asked(store, seeds=1)
    for trial in lab.trials():
        store.add_reference(trial.candidate.fingerprint, 16, reference_seeds(0, 1)[0], trial.curve[0][1])
    found = audit_summary(store, lab.recipe)
    assert found.fidelity.rank_by == rank_by
    assert found.series[0].pairwise_accuracy.value == pytest.approx(1.0 if rank_by == "top1" else 0.0)
    known = ranking_scores(lab.trials(), rank_by)
    for row in found.candidates:
        assert {point.epochs: point.ranking_score for point in row.curve} == pytest.approx(known[row.trial])
        assert all((point.ranking_score == point.score) == (rank_by == "top1") for point in row.curve)


def test_who_was_trained_by_an_earlier_audit_stays_in(lab):
    store = lab.store()
    small = set(drawn(store, lab.recipe, 4))
    outside = next(trial for trial in lab.trials() if trial.number not in small)
    store.add_reference(outside.candidate.fingerprint, 16, 5, 0.5)
    assert {item.trial.number for item in audited(store, small, epochs=16)} == small | {outside.number}
    assert {item.trial.number for item in audited(store, small, epochs=17)} == small


def test_a_reference_of_nobody_in_the_study_is_no_candidate(lab):
    store = lab.store()
    store.add_reference(a_candidate(3).fingerprint, 16, 5, 0.5)
    assert len(audited(store, drawn(store, lab.recipe, 4), epochs=16)) == 4


def test_what_an_audit_drew_is_what_it_waits_for_whatever_trials_are_added(lab):
    store = lab.store()
    trials = drawn(store, lab.recipe, 4)
    asked(store, n=4, seeds=1, trials=trials)
    for item in audited(store, trials, epochs=16):
        store.add_reference(item.trial.candidate.fingerprint, 16, reference_seeds(0, 1)[0], 0.5)
    before = audit_summary(store, lab.recipe)
    assert (before.status, before.open) == ("complete", 0)
    more = Lab(a_recipe(trials=16), lab.storage)
    more.run()
    assert set(drawn(more.store(), more.recipe, 4)) != set(trials)
    assert audit_summary(more.store(), more.recipe) == before


def test_an_audit_that_recorded_no_sample_draws_it_anew(lab):
    store = lab.store()
    asked(store, n=4, seeds=1)
    for number in drawn(store, lab.recipe, 4):
        store.add_reference(store.records()[number].candidate.fingerprint, 16, reference_seeds(0, 1)[0], 0.5)
    assert audit_summary(store, lab.recipe).status == "complete"


def test_only_those_that_were_drawn_are_waited_for(lab):
    """16 candidates of one seed, then two seeds of a few: the rest are not asked for a second."""
    store, (one, other) = lab.store(), reference_seeds(0, 2)
    for trial in lab.trials():
        store.add_reference(trial.candidate.fingerprint, 16, one, trial.score)
    trials = drawn(store, lab.recipe, 4)
    candidates = sampled(store, trials)
    left = pending(store, candidates, epochs=16, seeds=[one, other])
    assert [(candidates[candidate], seed) for candidate, seed in left] == [
        (f"trial {number}", other) for number in sorted(trials)
    ]
    asked(store, n=4, seeds=2, trials=trials)
    found = audit_summary(store, lab.recipe)
    assert (found.open, found.n, found.series[0].n) == (4, 8, 8)
