from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.memory import block_peak
from edgenext_search.arch.published import published_variant

sizes = st.integers(1, 512)


def test_the_smallest_published_variant():
    """24 channels on 64 x 64 pixels; the block's input, and 4 x 24 channels before and after GELU; 4 bytes each."""
    assert cost(published_variant("edgenext_xx_small").candidate, Deployment()).memory == 24 * 64 * 64 * (1 + 4 + 4) * 4


def test_narrow_bottlenecks_leave_the_peak_to_attention():
    assert block_peak(8, 100, 1, 0) == 3 * 800
    assert block_peak(8, 100, 1, 2) == 7 * 800 + 2 * 4 * 4
    assert block_peak(8, 100, 4, 2) == 9 * 800


@given(width=sizes, pixels=sizes, expand_ratio=st.integers(1, 6), heads=st.integers(0, 8))
def test_more_of_anything_but_heads_takes_no_less(width, pixels, expand_ratio, heads):
    peak = block_peak(width, pixels, expand_ratio, heads)
    assert block_peak(width + 8, pixels, expand_ratio, heads) > peak
    assert block_peak(width, pixels + 1, expand_ratio, heads) > peak
    assert block_peak(width, pixels, expand_ratio + 1, heads) >= peak
    assert peak >= block_peak(width, pixels, expand_ratio, 0)
