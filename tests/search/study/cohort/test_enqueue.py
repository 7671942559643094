from strategies import tiny
from study_builders import FIRST, Lab, a_recipe, projection_of

from edgenext_search.arch.cost import cost
from edgenext_search.arch.published import published_variants
from edgenext_search.search.study.cohort.enqueue import ENQUEUED, enqueue_notes, starts

SMALL = published_variants()["edgenext_small"].candidate


def test_the_baseline_comes_first_then_what_is_enqueued_then_the_published_shapes():
    projection = projection_of(a_recipe())
    fits = tiny(kernel_sizes=(11, 11, 11, 9))  # no kernel of the space
    assert projection.budget.holds(cost(fits, projection.deployment))
    firm, others = starts(projection, [fits])
    assert [origin for origin, _, _ in firm] == [FIRST, ENQUEUED]
    assert firm[1][2] == fits
    assert firm[1][1] == projection.space.nearest(fits)[0]
    assert [origin for origin, _, _ in others][:2] == [v.name for v in projection.nearest_published()[1:3]]
    assert starts(projection, []) == (firm[:1], others)


def test_one_that_breaks_the_budget_is_scaled_into_it_with_a_note():
    projection = projection_of(a_recipe())
    firm, others = starts(projection, [SMALL, tiny()])
    scaled = projection.published(published_variants()["edgenext_small"])
    assert [(origin, candidate) for origin, _, candidate in firm[1:]] == [(ENQUEUED, scaled), (ENQUEUED, tiny())]
    assert "edgenext_small" not in [origin for origin, _, _ in others]  # it is there already
    (note,) = enqueue_notes(projection, [SMALL, tiny()])
    assert note.startswith(f"The enqueued candidate {SMALL.fingerprint} takes ")
    assert "% of the tightest cap of params=60k" in note
    assert note.endswith(f"scaled into the budget as {scaled.fingerprint}.")


def test_what_is_the_baseline_already_is_no_other_trial():
    projection = projection_of(a_recipe())
    baseline = projection.published(published_variants()[FIRST])
    assert [origin for origin, _, _ in starts(projection, [baseline])[0]] == [FIRST]


# In the study


def enqueued(count):
    """Candidates within the budget."""
    return [tiny(depths=(1, 1 + number % 3, 1 + number // 3, 1)) for number in range(count)]


def test_the_first_cohort_contains_what_is_enqueued():
    given = enqueued(2)
    lab = Lab(a_recipe(enqueue=[candidate.to_dict() for candidate in given]))
    lab.run()
    trials = lab.trials()
    assert [trial.origin for trial in trials[:4]] == [FIRST, ENQUEUED, ENQUEUED, trials[3].origin]
    assert trials[3].origin.startswith("edgenext_")
    assert [trial.candidate for trial in trials[1:3]] == given
    assert {trial.origin for trial in trials[4:]} == {"sampler"}


def test_what_the_first_cohort_cannot_hold_goes_on_into_the_next_ones():
    given = enqueued(6)
    lab = Lab(a_recipe(enqueue=[candidate.to_dict() for candidate in given], trials=12))
    lab.run()
    trials = lab.trials()
    assert [trial.origin for trial in trials] == [FIRST, *[ENQUEUED] * 6, *["sampler"] * 5]
    assert [trial.candidate for trial in trials[1:7]] == given
    assert [trial.cohort for trial in trials] == [0] * 4 + [1] * 4 + [2] * 4


def test_more_trials_later_lose_none_of_them():
    given = [candidate.to_dict() for candidate in enqueued(6)]
    undisturbed = Lab(a_recipe(enqueue=given, trials=16))
    undisturbed.run()
    lab = Lab(a_recipe(enqueue=given, trials=8))
    lab.run()
    lab.recipe = a_recipe(enqueue=given, trials=16)
    lab.run()
    assert lab.trials() == undisturbed.trials()
