import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.training.full.batch_shares import MOST_AT_ONCE, BatchShares, share_batch


@pytest.mark.parametrize(
    ("world", "each", "accumulate", "shares"),
    [
        (8, None, None, (256, 8, 2)),  # the published one
        (1, None, None, (256, 1, 16)),
        (16, None, None, (256, 16, 1)),
        (8, None, 4, (128, 8, 4)),
        (8, 100, None, (100, 8, 1)),
        (2, 100, 3, (100, 2, 3)),
    ],
)
def test_shares_of_the_published_batch(world, each, accumulate, shares):
    found = share_batch(4096, world=world, each=each, accumulate=accumulate, device="cuda")
    assert (found.each, found.world, found.accumulate) == shares
    assert found.total == (4096 if each is None else shares[0] * shares[1] * shares[2])


@given(st.integers(1, 5000), st.integers(1, 9))
def test_what_can_be_shared_equally_is(batch_size, world):
    if batch_size % world:
        with pytest.raises(UserError, match="must be a multiple of"):
            share_batch(batch_size, world=world, each=None, accumulate=None, device="cpu")
    else:
        shares = share_batch(batch_size, world=world, each=None, accumulate=None, device="cpu")
        assert shares.total == batch_size
        assert shares.each <= MOST_AT_ONCE["cpu"]


def test_unequal_shares_are_refused():
    with pytest.raises(UserError, match=r"a multiple of 8 processes x --accumulate 3, but is 4096; give --batch-size"):
        share_batch(4096, world=8, each=None, accumulate=3, device="cuda")


def test_shares_in_words():
    assert str(BatchShares(each=32, world=1, accumulate=1)) == "32 images x 1 process"
    assert str(BatchShares(each=32, world=2, accumulate=4)) == "32 images x 2 processes x 4 accumulated"
