from hypothesis import given
from hypothesis import strategies as st
from strategies import candidates, deployments

from edgenext_search.arch.blocks import Block, blocks_of
from edgenext_search.latency.profile.features import LANES, block_features, depthwise, padded


@given(candidate=candidates(), deployment=deployments(), more=st.integers(0, 64))
def test_no_term_of_a_block_falls_as_it_gets_wider(candidate, deployment, more):
    for block in blocks_of(candidate, deployment):
        wider = block._replace(width=block.width + more)
        narrow, wide = block_features(block), block_features(wider)
        assert narrow.keys() == wide.keys()
        assert all(wide[name] >= amount >= 0 for name, amount in narrow.items())
        assert any(wide[name] > amount for name, amount in narrow.items()) or not more


@given(channels=st.integers(1, 2000))
def test_kernels_see_whole_groups_of_lanes(channels):
    assert padded(channels) % LANES == 0
    assert 0 <= padded(channels) - channels < LANES


def test_a_convolutional_block_by_hand():
    block = Block(kind="conv", stage=2, side=3, width_in=20, width=20, kernel_size=5, expand_ratio=2)
    assert block_features(block) == {
        "conv_blocks": 1,
        "pixels": 9,
        depthwise(5): 32 * 9,
        "dense": 2 * 20 * 40 * 9,
        "dense_lanes": (20 * 48 + 40 * 32) * 9,
        "dense_tiles": (20 * 64 + 40 * 64) * 9,
        "weights": 2 * 20 * 40,
        "activation_ln_gelu": 40 * 9,
        "elements_ln_gelu": 2 * 20 * 9,
    }


def test_a_positional_encoding_is_a_term_of_its_own():
    block = Block(
        kind="sdta", stage=3, side=4, width_in=24, width=24, sdta_splits=3, heads=4, pos_emb=True, expand_ratio=2
    )
    assert block_features(block).keys() - block_features(block._replace(pos_emb=False)).keys() == {"position"}
    assert block_features(block)["splits"] == 2
    assert block_features(block)["attention"] == 2 * 24 * 6 * 16
