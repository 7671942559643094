import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.data.loading.multi_scale import MultiScaleSampler, image_sizes, share
from edgenext_search.data.loading.shard import Shard

seeds = st.integers(0, 2**32)


def sampler(n=1000, *, batch_size=64, img_size=256, sizes=(160, 192, 256, 288, 320), seed=0):
    return MultiScaleSampler(n, batch_size=batch_size, img_size=img_size, sizes=sizes, seed=seed)


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ((160, 320, 5), (160, 192, 256, 288, 320)),  # as EdgeNeXt was trained
        ((160, 320, 6), (160, 192, 224, 256, 288, 320)),
        ((160, 320, 99), (160, 192, 224, 256, 288, 320)),
        ((256, 256, 5), (256,)),
        ((16, 40, 2), (32,)),
    ],
)
def test_sizes_are_spread_evenly_over_the_multiples(arguments, sizes):
    least, most, n = arguments
    assert image_sizes(least, most, n=n) == sizes


def test_a_batch_has_the_same_pixels_at_every_size():
    assert sampler().batch_sizes == {160: 163, 192: 113, 256: 64, 288: 50, 320: 40}


@given(
    n=st.integers(1, 300),
    batch_size=st.integers(1, 80),
    sizes=st.lists(st.sampled_from([32, 64, 96, 128]), min_size=1, unique=True),
    seed=seeds,
    epoch=st.integers(0, 400),
)
def test_an_epoch_has_each_image_once_at_most_and_leaves_out_less_than_a_batch(n, batch_size, sizes, seed, epoch):
    batches = MultiScaleSampler(n, batch_size=batch_size, img_size=64, sizes=sizes, seed=seed)
    drawn = list(batches.epoch(epoch))
    rows = np.concatenate([batch.rows for batch in drawn])
    assert len(drawn) == batches.steps(epoch) >= 1
    assert len(np.unique(rows)) == len(rows)
    assert n - len(rows) < max(batches.batch_sizes.values())
    assert all(len(batch.rows) == batches.batch_sizes[batch.size] for batch in drawn)


@given(start=st.integers(0, 30), seed=seeds, epoch=st.integers(0, 400))
def test_an_epoch_taken_up_in_the_middle_goes_on_alike(start, seed, epoch):
    whole = list(sampler(seed=seed).epoch(epoch))
    rest = list(sampler(seed=seed).epoch(epoch, start))
    assert [batch.size for batch in rest] == [batch.size for batch in whole[start:]]
    for batch, same in zip(rest, whole[start:], strict=True):
        np.testing.assert_array_equal(batch.rows, same.rows)


def test_epochs_and_seeds_differ():
    def order(seed, epoch):
        return [(batch.size, *batch.rows) for batch in sampler(seed=seed).epoch(epoch)]

    assert len({tuple(order(*which)) for which in ((0, 0), (0, 1), (1, 0))}) == 3


def test_every_size_is_drawn_equally_often():
    drawn = [batch.size for epoch in range(60) for batch in sampler(4000).epoch(epoch)]
    sizes, counts = np.unique(drawn, return_counts=True)
    assert sizes.tolist() == [160, 192, 256, 288, 320]
    expected = len(drawn) / 5
    assert np.sum((counts - expected) ** 2 / expected) < 18.5  # chi square, 4 degrees of freedom, p = 0.001


def test_one_size_is_an_ordinary_sampler():
    batches = list(sampler(sizes=(256,)).epoch(0))
    assert [(batch.size, len(batch.rows)) for batch in batches] == [(256, 64)] * 15


@given(batch=st.integers(1, 70), world=st.integers(1, 9), pairs=st.booleans())
def test_shares_are_the_batch_and_about_equal(batch, world, pairs):
    shares = [share(batch, Shard(rank, world), pairs=pairs) for rank in range(world)]
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), np.arange(batch))
    lengths = [len(one) for one in shares]
    assert max(lengths) - min(lengths) <= (2 if pairs else 1)


@given(batch=st.integers(1, 70), world=st.integers(1, 9))
def test_a_share_read_backwards_is_its_partners(batch, world):
    for rank in range(world):
        mine = share(batch, Shard(rank, world), pairs=True)
        np.testing.assert_array_equal(mine[::-1], batch - 1 - mine)
