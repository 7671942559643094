import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.search.recipe import ResolvedRecipe, parse_duration
from edgenext_search.search.resolver import load_study


def load(*settings, study="demo", **flags):
    return load_study(study, flags={"budget": "1.3M", **flags}, settings=settings)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("8h", 28_800),
        ("2d", 172_800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("10 m", 600),
        ("0s", 0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "30min", "-5m", "1h30", "1,5h", "5M", "abc", "5m later"])
def test_what_is_no_duration(text):
    with pytest.raises(UserError, match="such as 30m, but got"):
        parse_duration(text)


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days, hours, minutes, seconds):
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def test_differences_name_keys_and_both_values():
    ours, theirs = load("proxy.epochs=77", "budget=params=1.3M"), load("proxy.epochs=78", "proxy.clip_grad=null")
    assert ours.differences(theirs) == ["proxy.clip_grad: 5.0 / None", "proxy.epochs: 77 / 78"]
    assert ours.differences(ours) == []
    assert load(budget="params=1.3M,madds=1G").differences(load()) == ["budget.madds: 1000000000 / None"]
    assert any(text.startswith("space.") for text in load(space="paper").differences(load()))


@pytest.mark.parametrize(
    ("key", "value"),
    [("budget", "1.3M"), ("space", "edgenext"), ("search", {"enqueue": ["edgenext_small"]})],
)
def test_a_resolved_study_names_no_file(key, value):
    with pytest.raises(UserError, match=r"study\.yaml must hold the budget, the space"):
        ResolvedRecipe.read(load().to_dict() | {key: value}, where="study.yaml")


def test_a_recipe_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load().search.seed = 3


@pytest.mark.parametrize(
    ("trials", "cohort", "rungs", "given", "overlap"),
    [
        (128, 16, [0.125, 0.25, 0.5, 1.0], None, 3),
        (48, 12, [0.125, 0.25, 0.5, 1.0], None, 2),
        (4000, 128, [0.25, 1.0], None, 1),
        (8, 8, [0.25, 1.0], None, 0),
        (128, 16, [1.0], None, 0),
        (128, 16, [0.25, 1.0], 3, 3),
        (128, 16, [0.25, 1.0], 0, 0),
    ],
)
def test_cohorts_overlap_by_the_recipe_alone(trials, cohort, rungs, given, overlap):
    flags = {"budget": "60k", "search.trials": trials, "search.cohort": cohort, "search.overlap": given}
    recipe = load_study("imagenet", flags=flags, settings=["proxy.epochs=20", f"proxy.rungs={rungs}"])
    assert (recipe.overlap, recipe.to_dict()["search"]["overlap"]) == (overlap, overlap)
