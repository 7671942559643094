import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_builders import a_record

from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.store.records import Losses


def trials_with(rows, epoch=4):
    """Trials of (top-1, held-out loss, training loss) at one rung."""
    return [
        a_record(number, scores=(top1,), rungs=(epoch,), losses=((epoch, Losses(held_out=held_out, train=train)),))
        for number, (top1, held_out, train) in enumerate(rows)
    ]


def test_top1_is_taken_as_it_is():
    trials = [a_record(0, scores=(0.2, 0.5)), a_record(1, scores=(0.3,)), a_record(2, scores=())]
    assert ranking_scores(trials, "top1") == {0: {2: 0.2, 4: 0.5}, 1: {2: 0.3}, 2: {}}


def test_losses_on_the_scale_of_top1():
    """Means 0.5 and 2, standard deviations 0.1 and 1: a loss that is 1 lower is worth 0.1."""
    trials = trials_with([(0.4, 2.0, 7), (0.5, 3.0, 9), (0.6, 1.0, 8)])
    assert {n: m[4] for n, m in ranking_scores(trials, "loss").items()} == pytest.approx({0: 0.5, 1: 0.4, 2: 0.6})
    assert {n: m[4] for n, m in ranking_scores(trials, "train_loss").items()} == pytest.approx({0: 0.6, 1: 0.4, 2: 0.5})


def test_the_loss_since_the_previous_rung_ranks_by_itself():
    losses = [Losses(train=train, recent=recent) for train, recent in ((2.0, 1.0), (1.0, 3.0), (3.0, 2.0))]
    trials = [
        a_record(number, scores=(top1,), rungs=(4,), losses=((4, loss),))
        for number, (top1, loss) in enumerate(zip((0.4, 0.5, 0.6), losses, strict=True))
    ]
    assert {n: m[4] for n, m in ranking_scores(trials, "recent_loss").items()} == pytest.approx(
        {0: 0.6, 1: 0.4, 2: 0.5}
    )


def test_all_readings_together():
    trials = trials_with([(0.4, 2.0, 7), (0.5, 3.0, 9), (0.6, 1.0, 8)])
    assert {n: m[4] for n, m in ranking_scores(trials, "combined").items()} == pytest.approx(
        {0: (0.4 + 0.5 + 0.6) / 3, 1: (0.5 + 0.4 + 0.4) / 3, 2: (0.6 + 0.6 + 0.5) / 3}
    )
    assert ranking_scores([a_record(0, scores=(0.2, 0.5))], "combined") == {0: {2: pytest.approx(0.2), 4: 0.5}}


def test_each_rung_has_a_line_of_its_own():
    losses = ((2, Losses(held_out=5.0)), (4, Losses(held_out=3.0)))
    trials = [a_record(0, scores=(0.1, 0.5), losses=losses), a_record(1, scores=(0.2,), losses=losses[:1])]
    assert ranking_scores(trials, "loss") == {0: {2: pytest.approx(0.15), 4: 0.5}, 1: {2: pytest.approx(0.15)}}


@pytest.mark.parametrize(
    ("rows", "right"),
    [
        ([(0.5, None, None)], [0.5]),  # as recorded before losses were
        ([(0.5, 2.0, None)], [0.5]),
        ([(0.5, 2.0, 0), (0.5, 1.0, 0)], [0.0, 1.0]),  # too few for a line
        ([(0.5, 2.0, 0), (0.5, 1.0, 0), (0.5, 3.0, 0)], [0.5, 1.5, -0.5]),  # of one top-1
        ([(0.4, 2.0, 0), (0.5, 2.0, 0), (0.6, 2.0, 0)], [0.5, 0.5, 0.5]),  # of one loss
        ([(0.4, math.nan, 0), (0.5, math.inf, 0), (0.6, 2.0, 0)], [0.4, 0.5, 0.6]),
    ],
)
def test_where_there_is_no_line(rows, right):
    found = ranking_scores(trials_with(rows), "loss")
    assert [found[number][4] for number in range(len(rows))] == pytest.approx(right)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 9), st.floats(0.01, 9)), min_size=1, max_size=12))
def test_the_lower_loss_ranks_higher_and_the_mean_stays(rows):
    trials = trials_with(rows)
    found = {number: curve[4] for number, curve in ranking_scores(trials, "loss").items()}
    for a, (_, loss_a, _) in enumerate(rows):
        for b, (_, loss_b, _) in enumerate(rows):
            if loss_a < loss_b:
                assert found[a] >= found[b]
    assert statistics.fmean(found.values()) == pytest.approx(statistics.fmean(row[0] for row in rows), abs=1e-9)
    assert ranking_scores(trials[::-1], "loss").keys() == found.keys()
