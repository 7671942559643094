import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import ByMadds, candidates, deployments, groups, tiny

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Cost, Deployment, block_peak, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError

GOLDEN = [
    # name, parameters, multiply-adds at 256x256 px and 1000 classes (measured on the paper's own networks)
    ("edgenext_xx_small", 1_327_216, 260_576_008),
    ("edgenext_x_small", 2_336_804, 537_995_712),
    ("edgenext_small", 5_586_832, 1_260_588_656),
    ("edgenext_base", 18_511_292, 3_840_925_224),
]
sizes = st.integers(1, 512)
COSTS = ("params", "madds", "acts", "memory", "footprint")


def _costs(candidate, deployment):
    there = cost(candidate, deployment)
    return there.params, there.madds, there.acts


def _with(candidate, field, stage, value):
    values = list(getattr(candidate, field))
    values[stage] = value
    return Candidate(**{**candidate.to_dict(), field: values})


@pytest.mark.parametrize(("name", "params", "madds"), GOLDEN)
def test_published_costs_to_the_digit(name, params, madds):
    there = cost(published_variant(name).candidate, Deployment())
    assert (there.params, there.madds) == (params, madds)


@pytest.mark.parametrize(("name", "params", "madds"), GOLDEN)
def test_classes_change_the_head_alone(name, params, madds):
    candidate = published_variant(name).candidate
    last = {"edgenext_xx_small": 168, "edgenext_x_small": 192, "edgenext_small": 304, "edgenext_base": 584}[name]
    ten = cost(candidate, Deployment(num_classes=10))
    assert ten.params == params + (10 - 1000) * (last + 1)
    assert ten.madds == madds + (10 - 1000) * last
    assert ten.acts == cost(candidate, Deployment()).acts - 990


def test_a_network_counted_by_hand():
    """One block a stage, width 1, kernel 1, 32 px: 8x8, 4x4, 2x2 and 1x1 pixels; each layer on a line."""
    candidate = Candidate(
        widths=(1, 1, 1, 1),
        depths=(1, 1, 1, 1),
        kernel_sizes=(1, 1, 1, 1),
        sdta_splits=(2, 2, 2, 2),
        sdta_blocks=(0, 0, 0, 0),
        heads=(1, 1, 1, 1),
        expand_ratio=1,
    )
    stem = (48 + 1 + 2, 48 * 64, 64)  # 4x4x3 weights, bias, LayerNorm
    block = (1 + 1 + 2 + 2 + 2 + 1, 1 + 5 + 1 + 1, 3)  # depthwise, LayerNorm, two linear layers, layer scale; a pixel
    down = (2 + 4 + 1, 4, 1)  # LayerNorm, 2x2 weights, bias; a pixel
    head = (2 + 7 + 7, 5 + 7, 7)  # LayerNorm, 7 weights, 7 biases
    assert _costs(candidate, Deployment(num_classes=7, img_size=32)) == (
        stem[0] + 4 * block[0] + 3 * down[0] + head[0],
        stem[1] + (64 + 16 + 4 + 1) * block[1] + (16 + 4 + 1) * down[1] + head[1],
        stem[2] + (64 + 16 + 4 + 1) * block[2] + (16 + 4 + 1) * down[2] + head[2],
    )
    assert cost(candidate, Deployment(img_size=32)).memory == 64 * (1 + 1 + 1) * 4  # input, before and after GELU


@given(candidates(), deployments(), st.integers(0, 3), st.integers(1, 6))
def test_wider_costs_more(candidate, deployment, stage, steps):
    heads = candidate.heads[stage] if candidate.sdta_blocks[stage] else 1
    width = candidate.widths[stage] + steps * heads
    if candidate.sdta_blocks[stage]:
        splits = candidate.sdta_splits[stage]
        assume(groups(width, splits) == splits)
    wider = _with(candidate, "widths", stage, width)
    assert all(a < b for a, b in zip(_costs(candidate, deployment), _costs(wider, deployment), strict=True))


@given(candidates(), deployments(), st.integers(0, 3))
def test_deeper_costs_more(candidate, deployment, stage):
    deeper = _with(candidate, "depths", stage, candidate.depths[stage] + 1)
    if candidate.sdta_blocks[stage] == candidate.depths[stage]:
        deeper = _with(deeper, "kernel_sizes", stage, 1)
    assert all(a < b for a, b in zip(_costs(candidate, deployment), _costs(deeper, deployment), strict=True))


@given(candidates(), deployments(), st.integers(0, 3), st.integers(1, 4))
def test_larger_kernels_cost_more_where_they_are_used(candidate, deployment, stage, steps):
    larger = _with(candidate, "kernel_sizes", stage, candidate.kernel_sizes[stage] + 2 * steps)
    before, after = cost(candidate, deployment), cost(larger, deployment)
    if candidate.sdta_blocks[stage] == candidate.depths[stage]:
        assert after == before
    else:
        assert after.params > before.params
        assert after.madds > before.madds
        assert after.acts == before.acts


@given(candidates(), deployments())
def test_wider_bottlenecks_cost_more(candidate, deployment):
    larger = Candidate(**{**candidate.to_dict(), "expand_ratio": candidate.expand_ratio + 1})
    assert all(a < b for a, b in zip(_costs(candidate, deployment), _costs(larger, deployment), strict=True))


@given(candidates(), deployments())
def test_larger_images_cost_more_but_no_parameters(candidate, deployment):
    larger = Deployment(num_classes=deployment.num_classes, img_size=deployment.img_size + 4)
    before, after = cost(candidate, deployment), cost(candidate, larger)
    assert after.params == before.params
    assert after.madds > before.madds
    assert after.acts > before.acts


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_classes": 0}, "num_classes must be >= 1, but got 0"),
        ({"num_classes": 10**12}, "num_classes must be at most 10,000,000, but got 1000000000000"),
        ({"img_size": 10**12}, "img_size must be at most 65,536, but got 1000000000000"),
        ({"img_size": 31}, r"img_size must be >= 32 \(EdgeNeXt's stride\), but got 31"),
    ],
)
def test_refuses_impossible_deployments(fields, message):
    with pytest.raises(UserError, match=message):
        Deployment(**fields)


def test_a_deployment_says_what_it_is():
    assert str(Deployment()) == "1000 classes, 256x256 px"
    assert str(Deployment(num_classes=10, img_size=96)) == "10 classes, 96x96 px"


def test_costs_by_name():
    there = Cost(params=1, madds=2, acts=3, memory=4)
    assert there.to_dict() == {"params": 1, "madds": 2, "acts": 3, "memory": 4, "footprint": 8}
    assert Cost.from_dict(there.to_dict()) == there
    assert tuple(cost(tiny(), Deployment()).to_dict()) == COSTS


def test_a_latency_is_among_the_costs_where_it_is_predicted():
    there = cost(tiny(), Deployment(latency_model=ByMadds(rate=1)))
    assert there.latency == cost(tiny(), Deployment(num_classes=1)).madds
    assert tuple(there.to_dict()) == (*COSTS, "latency")
    assert Cost.from_dict(there.to_dict()) == there


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
