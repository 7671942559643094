from hypothesis import given
from strategies import candidates, deployments, tiny

from edgenext_search.arch.blocks import KINDS, BlockMemo, blocks_of, walk
from edgenext_search.arch.cost import Deployment, block_counts, cost


@given(candidate=candidates(), deployment=deployments())
def test_blocks_sum_to_the_costs_of_the_network(candidate, deployment):
    blocks = blocks_of(candidate, deployment)
    sums = [sum(n * block_counts(block)[i] for block, n in blocks.items()) for i in range(3)]
    there = cost(candidate, deployment)
    assert sums == [there.params, there.madds, there.acts]


@given(candidate=candidates(), deployment=deployments())
def test_blocks_come_in_the_order_of_the_network_and_number_its_depths(candidate, deployment):
    blocks = blocks_of(candidate, deployment)
    kinds = [block.kind for block in blocks]
    assert set(kinds) <= set(KINDS)
    assert (kinds[0], kinds[-1], kinds.count("downsample")) == ("stem", "head", 3)
    assert [block.stage for block in blocks] == sorted(block.stage for block in blocks)
    for stage in range(1, 5):
        own = {block.kind: n for block, n in blocks.items() if block.stage == stage}
        assert own.get("conv", 0) + own.get("sdta", 0) == candidate.depths[stage - 1]
        assert own.get("sdta", 0) == candidate.sdta_blocks[stage - 1]


def test_values_of_blocks_are_computed_once(monkeypatch):
    monkeypatch.setattr("edgenext_search.arch.blocks.MOST_REMEMBERED", 3)
    computed = []
    memo = BlockMemo(lambda block: computed.append(block) or block.width)
    first, second, third, fourth, *_ = (block for block, _ in walk(tiny(), Deployment()))
    assert [memo[block] for block in (first, first, second)] == [first.width, first.width, second.width]
    assert computed == [first, second]
    for block in (third, fourth):
        memo[block]
    assert list(memo) == [fourth]  # it begins again where it holds too much


def test_the_blocks_of_a_small_network():
    blocks = list(blocks_of(tiny(), Deployment(num_classes=10, img_size=70)))
    assert [(block.kind, block.stage, block.side) for block in blocks] == [
        ("stem", 1, 70),
        ("conv", 1, 17),
        ("downsample", 2, 17),
        ("conv", 2, 8),
        ("sdta", 2, 8),
        ("downsample", 3, 8),
        ("conv", 3, 4),
        ("downsample", 4, 4),
        ("sdta", 4, 2),
        ("head", 4, 2),
    ]
    assert blocks[0].width_in == 3
    assert (blocks[2].width_in, blocks[2].width) == (8, 16)
    assert blocks[4].pos_emb
    assert (blocks[8].sdta_splits, blocks[8].heads, blocks[8].kernel_size) == (4, 8, 0)
    assert blocks[9].num_classes == 10
