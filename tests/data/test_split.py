import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.data.split import stratified_split, stratified_subset
from edgenext_search.errors import UserError

SEEDS = st.integers(0, 2**32 - 1)
FRACTIONS = st.floats(0.01, 0.99)


@st.composite
def label_arrays(draw, smallest_class=1):
    """Labels of 1 to 8 classes, some indices unused, in any order."""
    present = draw(st.lists(st.integers(0, 20), min_size=1, max_size=8, unique=True))
    labels = [label for label in present for _ in range(draw(st.integers(smallest_class, 30)))]
    return np.array(draw(st.permutations(labels)), dtype=np.int64)


@given(label_arrays(smallest_class=2), FRACTIONS, SEEDS)
def test_a_split_is_a_partition_with_every_class_on_both_sides(labels, fraction, seed):
    train, val = stratified_split(labels, val_fraction=fraction, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([train, val])), np.arange(len(labels)))
    for part in (train, val):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.unique(part))
        assert set(labels[part]) == set(labels)


@given(label_arrays(smallest_class=2), FRACTIONS, SEEDS)
def test_each_class_gives_its_fraction_within_half_an_image_or_the_bounds(labels, fraction, seed):
    _, val = stratified_split(labels, val_fraction=fraction, seed=seed)
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        held_out = (labels[val] == label).sum()
        assert held_out == 1 or held_out == count - 1 or abs(held_out - count * fraction) <= 0.5


@given(label_arrays(smallest_class=2), FRACTIONS, SEEDS)
def test_a_split_is_a_function_of_its_arguments(labels, fraction, seed):
    once = stratified_split(labels, val_fraction=fraction, seed=seed)
    again = stratified_split(labels.copy(), val_fraction=fraction, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_another_seed_holds_out_other_images():
    labels = np.repeat(np.arange(4), 50)
    assert not np.array_equal(
        stratified_split(labels, val_fraction=0.2, seed=0)[1], stratified_split(labels, val_fraction=0.2, seed=1)[1]
    )


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(UserError, match=r"between 0 and 1, but val_fraction is"):
        stratified_split(np.array([0, 0, 1, 1]), val_fraction=fraction, seed=0)


def test_a_class_of_one_image_is_refused():
    with pytest.raises(UserError, match="class index 7"):
        stratified_split(np.array([0, 0, 7, 1, 1]), val_fraction=0.5, seed=0)


@given(label_arrays(), st.integers(1, 300), SEEDS)
def test_a_subset_has_the_size_asked_for_and_every_class_from_there_being_room(labels, n, seed):
    subset = stratified_subset(labels, n=n, seed=seed)
    assert len(subset) == min(n, len(labels))
    assert np.array_equal(subset, np.unique(subset))
    n_classes = len(set(labels))
    assert len(set(labels[subset])) == min(n, n_classes)


@given(label_arrays(), st.integers(1, 100), st.integers(0, 100), SEEDS)
def test_subsets_are_nested(labels, n, more, seed):
    small, large = (set(stratified_subset(labels, n=size, seed=seed)) for size in (n, n + more))
    assert small <= large


@given(st.integers(10, 400), SEEDS)
def test_a_subset_keeps_the_proportions_within_one_image(n, seed):
    labels = np.repeat(np.arange(3), [100, 200, 300])
    counts = np.bincount(labels[stratified_subset(labels, n=n, seed=seed)], minlength=3)
    assert np.abs(counts - n * np.array([1, 2, 3]) / 6).max() <= 1.5


@pytest.mark.parametrize("n", [0, -5])
def test_an_empty_subset_is_refused(n):
    with pytest.raises(UserError, match=f"but {n} were asked for"):
        stratified_subset(np.array([0, 1]), n=n, seed=0)
