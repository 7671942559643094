"""Whether scores of runs may be held against each other."""

from types import SimpleNamespace

import pytest

from edgenext_search.search.comparability import Difference, conditions_of, differences
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.records import DataFacts, StudyFacts


def a_store(fingerprint):
    data = DataFacts(name="birds", classes=2, train_images=1200, val_images=800, fingerprint=fingerprint)
    return SimpleNamespace(facts=lambda: StudyFacts(data=data))


STORE = a_store("abc")


def conditions(store=STORE, **flags):
    names = {key.replace("__", "."): value for key, value in flags.items()}
    return conditions_of(load_study("demo", flags={"budget": "1.3M", **names}), store)


@pytest.mark.parametrize(
    "flags",
    [{}, {"budget": "2M"}, {"search__trials": 64}, {"search__sampler": "random"}, {"proxy__precision": "bf16"}],
)
def test_what_is_searched_and_how_fast_may_differ(flags):
    assert differences([conditions(), conditions(**flags)]) == []


@pytest.mark.parametrize(
    ("flags", "topic", "key"),
    [
        ({"proxy__img_size": 32}, "fidelity", "img_size"),
        ({"search__seed": 7}, "seeds", "finalists"),
        ({"search__rescore_seeds": 5}, "seeds", "finalists"),
        ({"data__seed": 3}, "data", "seed"),
        ({"deployment__num_classes": 10}, "deployment", "num_classes"),
    ],
)
def test_what_scores_depend_on_may_not(flags, topic, key):
    found = differences([conditions(), conditions(**flags)])
    assert (topic, key) in {(one.topic, one.key) for one in found}
    assert all(len(one.values) == 2 for one in found)


def test_other_images_are_told():
    (found,) = differences([conditions(), conditions(a_store("xyz"))])
    assert found == Difference(topic="data", key="images", values=("abc", "xyz"))


def test_none():
    assert differences([]) == []
