"""What each decision may know: laws of the schedule, and that knowledge goes by position alone."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import a_record

from edgenext_search.search.study.cohort.schedule import Stage, known_to, may_propose, rungs_known, stage_of

RUNGS = (1, 2, 4)


def cohort_of(*curves, failed=(), first=0, cohort=0):
    return [
        a_record(
            first + index,
            scores=curve,
            rungs=RUNGS,
            cohort=cohort,
            state="open",
            reason="no" if index in failed else None,
        )
        for index, curve in enumerate(curves)
    ]


def stage(members):
    return stage_of(members, RUNGS, rank_by="top1", objectives=["accuracy"])


@pytest.mark.parametrize(
    ("curves", "failed", "expected"),
    [
        ([(), (), ()], (), Stage(0, frozenset({0, 1, 2}))),
        ([(0.1,), (), (0.3,)], (), Stage(0, frozenset({1}))),
        ([(0.1,), (), (0.3,)], (1,), Stage(1, frozenset({0, 2}))),  # the baseline goes on
        ([(0.5,), (0.4,), (0.3,), (0.2,)], (), Stage(1, frozenset({0, 1}))),
        ([(0.5, 0.6), (0.4, 0.7), (0.3,), (0.2,)], (), Stage(2, frozenset({0, 1}))),
        ([(0.5, 0.6), (0.4,), (0.3,), (0.2,)], (1,), Stage(2, frozenset({0}))),
        ([(0.5, 0.6, 0.7), (0.4, 0.7, 0.8), (0.3,), (0.2,)], (), Stage(3)),
        ([(), (), ()], (0, 1, 2), Stage(3)),
    ],
)
def test_how_far_a_cohort_has_come(curves, failed, expected):
    assert stage(cohort_of(*curves, failed=failed)) == expected


def test_a_duplicate_is_not_waited_for():
    members = cohort_of((0.1,), (0.2,))
    assert stage([*members, replace(a_record(2, scores=(), rungs=RUNGS), duplicate_of=1)]).rung == 1


@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_whatever_the_order_of_outcomes_a_cohort_ends_alike(n, draw):
    scores = [[random.Random(f"{index} {epoch}").random() for epoch in RUNGS] for index in range(n)]

    def finish(draw):
        curves, trained = [()] * n, 0
        while (now := stage(cohort_of(*curves))).waiting:
            number = draw.choice(sorted(now.waiting))
            assert len(curves[number]) == now.rung
            curves[number] = tuple(scores[number][: now.rung + 1])
            trained += 1
        return curves

    assert finish(draw) == finish(random.Random(0))


@pytest.mark.parametrize(
    ("overlap", "rungs", "known"),
    [
        (0, 4, [4, 4, 4]),
        (1, 4, [2, 4, 4]),
        (2, 4, [1, 2, 4]),
        (3, 4, [1, 2, 3, 4]),
        (4, 4, [1, 1, 2, 3, 4]),
        (2, 2, [1, 1, 2]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_older_cohorts_are_known_further(overlap, rungs, known):
    ages = range(1, len(known) + 1)
    assert [rungs_known(age, overlap=overlap, rungs=rungs) for age in ages] == known


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 4))
def test_a_cohort_waits_for_what_it_may_know_and_for_no_more(rungs, overlap):
    cohort = len(rungs)
    allowed = may_propose(cohort, [Stage(rung) for rung in rungs], overlap=overlap, rungs=3)
    needed = [rungs_known(cohort - earlier, overlap=overlap, rungs=3) for earlier in range(cohort)]
    assert allowed == all(there >= wanted for there, wanted in zip(rungs, needed, strict=True))
    assert needed == sorted(needed, reverse=True)


@given(st.integers(0, 5), st.integers(0, 4), st.randoms(use_true_random=False))
def test_what_is_known_does_not_depend_on_what_has_come_early(cohort, overlap, draw):
    """Later rungs of late cohorts may be there or not, trials told or open, failed since or not."""
    whole = [
        replace(trial, state="complete")
        for index in range(6)
        for trial in cohort_of((0.1, 0.2, 0.3), (0.2, 0.3, 0.4), (0.3,), first=3 * index, cohort=index)
    ]
    whole[4] = replace(whole[4], duplicate_of=1)

    def known(trial):
        return rungs_known(cohort - trial.cohort, overlap=overlap, rungs=len(RUNGS)) if trial.cohort < cohort else 1

    def cut(trial):
        keep = draw.randint(min(known(trial), len(trial.curve)), len(trial.curve))
        reason = draw.choice([None, "failed later"]) if known(trial) <= keep < len(RUNGS) else None
        return replace(trial, curve=trial.curve[:keep], state=draw.choice(["open", "pruned"]), reason=reason)

    partial = [trial if known(trial) == len(RUNGS) or trial.duplicate_of is not None else cut(trial) for trial in whole]
    seen = known_to(cohort, partial, overlap=overlap, rungs=RUNGS)
    assert seen == known_to(cohort, whole, overlap=overlap, rungs=RUNGS)
    assert [trial.number for trial in seen] == list(range(3 * cohort))
    for trial in seen:
        if trial.duplicate_of is not None and known(trial) < len(RUNGS):
            assert trial.curve == seen[trial.duplicate_of].curve
        elif known(trial) < len(RUNGS):
            assert trial.epochs <= RUNGS[known(trial) - 1]
    assert overlap or seen == whole[: 3 * cohort]


def test_a_failure_at_the_first_rung_is_known():
    members = cohort_of((), (0.2,), failed=(0, 1))
    seen = known_to(1, members, overlap=1, rungs=RUNGS)
    assert [(trial.state, trial.reason) for trial in seen] == [("failed", "no"), ("open", None)]
