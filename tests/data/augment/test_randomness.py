import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.data.augment.randomness import Draws, Stream, _mixed

MANY = np.arange(20_000)


def splitmix(state):
    """The published generator's output for a state, in Python's integers."""
    word = 2**64 - 1
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & word
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & word
    return state ^ (state >> 31)


@given(st.integers(0, 2**64 - 1))
def test_words_are_mixed_as_published(word):
    assert int(_mixed(np.array([word], dtype=np.uint64))[0]) == splitmix(word)


def test_splitmix_gives_its_published_first_number():
    assert splitmix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF


@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 10_000),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=9, unique=True),
    st.sampled_from(Stream),
    st.integers(1, 5),
)
def test_a_number_depends_on_its_address_alone(seed, epoch, images, stream, n):
    together = Draws(seed, epoch, np.array(images)).uniform(stream, n)
    assert together.shape == (len(images), n)
    for image, numbers in zip(images, together, strict=True):
        alone = Draws(seed, epoch, np.array([image]))
        assert np.array_equal(alone.uniform(stream, n + 2)[0, :n], numbers)


def test_every_part_of_the_address_matters():
    first = Draws(0, 0, MANY).uniform(Stream.CROP, 2)
    others = [Draws(1, 0, MANY).uniform(Stream.CROP, 2), Draws(0, 1, MANY).uniform(Stream.CROP, 2)]
    others += [Draws(0, 0, MANY).uniform(stream, 2) for stream in Stream if stream is not Stream.CROP]
    others += [Draws(0, 0, MANY + 20_000).uniform(Stream.CROP, 2)]
    numbers = np.concatenate([first, *others])
    assert len(np.unique(numbers)) == numbers.size
    for other in others:
        assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 0.03  # 4 standard errors
    assert abs(np.corrcoef(first[:, 0], first[:, 1])[0, 1]) < 0.03


@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_numbers_are_uniform(seed):
    numbers = Draws(seed, 3, MANY).uniform(Stream.FLIP, 4).ravel()
    assert ((numbers >= 0) & (numbers < 1)).all()
    counts = np.histogram(numbers, bins=64, range=(0, 1))[0]
    expected = numbers.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)  # chi-squared, five deviations


def test_integers_reach_every_value_below_their_limits():
    integers = Draws(0, 0, MANY).integers(Stream.CROP, 1, 7, 1025)
    assert integers.dtype == np.int64
    assert [set(column) for column in integers.T[:2].tolist()] == [{0}, set(range(7))]
    assert (integers[:, 2].min(), integers[:, 2].max()) == (0, 1024)
