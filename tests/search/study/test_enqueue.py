import json

import pytest
from strategies import tiny
from study_builders import FIRST, Lab, a_recipe, projection_of

from edgenext_search.arch.cost import cost
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml
from edgenext_search.search.recipe import StudyRecipe
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.enqueue import ENQUEUED, enqueue_notes, find_enqueued, starts
from edgenext_search.search.study.summary import summarize

SMALL = published_variants()["edgenext_small"].candidate


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    """The folder of a finished run, and its finalists but for the baseline."""
    lab = Lab(a_recipe(finalists=3, seed=1))
    lab.run()
    folder = RunFolder(tmp_path_factory.mktemp("former") / "run")
    folder.create(lab.recipe, storage=None)
    folder.write_summary(summarize(folder, lab.recipe, lab.store()))
    return folder.path, [finalist.candidate for finalist in lab.finalists() if finalist.trial]


def test_entries_of_every_kind(former, tmp_path):
    path, finalists = former
    (tmp_path / "mine.yaml").write_text(dump_yaml(tiny().to_dict()))
    found = find_enqueued(
        [str(tmp_path / "mine.yaml"), tiny(depths=(2, 2, 1, 1)).to_dict(), "edgenext_small", str(path)]
    )
    assert found == [tiny(), tiny(depths=(2, 2, 1, 1)), SMALL, *finalists]
    assert len(finalists) >= 2


def test_each_candidate_counts_once():
    assert find_enqueued(["edgenext_small", tiny().to_dict(), SMALL.to_dict(), "edgenext_small"]) == [SMALL, tiny()]
    assert find_enqueued([]) == []


def test_a_run_without_a_finalist_of_its_own_or_without_a_summary(tmp_path):
    lab = Lab(a_recipe(trials=1))
    lab.run()
    folder = RunFolder(tmp_path / "run")
    folder.create(lab.recipe, storage=None)
    with pytest.raises(UserError, match=r"search\.enqueue\.2: .*has no summary yet; `edgenext-search resume"):
        find_enqueued(["edgenext_small", str(folder.path)])
    folder.write_summary(summarize(folder, lab.recipe, lab.store()))
    with pytest.raises(UserError, match=r"search\.enqueue\.1: The run .* has no finalist but its baseline"):
        find_enqueued([str(folder.path)])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("nowhere.yaml", r"search\.enqueue\.1: There is no 'nowhere\.yaml'"),
        ({}, r"search\.enqueue\.1: A candidate needs the key"),
        ({**tiny().to_dict(), "heads": [3, 4, 4, 8], "sdta_blocks": [1, 1, 0, 1]}, r"search\.enqueue\.1: heads must"),
        ({**tiny().to_dict(), "width": 3}, r"search\.enqueue\.1: A candidate has no key 'width'"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_place(entry, message):
    with pytest.raises(UserError, match=message):
        a_recipe(enqueue=[entry])


def test_a_resolved_study_stands_by_itself(former, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(tiny().to_dict()))
    recipe = a_recipe(enqueue=[str(tmp_path / "mine.json"), str(former[0])], trials=16)
    (tmp_path / "mine.json").unlink()
    assert recipe.load_enqueued() == [tiny(), *former[1]]
    assert recipe.search.enqueue[0] == tiny().to_dict()
    assert recipe.resolved() == recipe
    folder = RunFolder(tmp_path / "run")
    folder.create(recipe, storage=None)
    assert folder.recipe() == recipe


def test_more_than_the_study_scores_are_refused():
    few = [tiny(depths=(1, 2, depth, 1)).to_dict() for depth in (1, 2, 3)]
    assert len(a_recipe(enqueue=few, trials=4).load_enqueued()) == 3
    with pytest.raises(UserError, match=r"has 3 candidates, which with the baseline are more than search\.trials=3"):
        a_recipe(enqueue=few, trials=3)


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


def test_one_entry_needs_no_list():
    recipe = StudyRecipe.load("demo", flags={"budget": "1.3M"}, settings=["search.enqueue=edgenext_small"])
    assert recipe.load_enqueued() == [published_variant("edgenext_small").candidate]
