import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import assignments, deployments, groups, tiny

from edgenext_search.arch.cost import cost
from edgenext_search.arch.published import published_variants
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.space import Space

SPACE = Space.load("edgenext")
shapes = assignments(SPACE).map(SPACE.shape)
scales = st.floats(0, 500)


@given(shapes, scales)
def test_widths_are_legal_multiples(shape, scale):
    widths = shape.widths_at(scale)
    for width, heads, sdta, splits in zip(widths, shape.heads, shape.sdta_blocks, shape.sdta_splits, strict=True):
        assert width > 0
        assert width % 8 == 0
        if sdta:
            assert width % heads == 0
            assert groups(width, splits) == splits
    assert shape.candidate_at(widths).widths == widths


@given(shapes, scales, scales)
def test_no_stage_gets_narrower_as_the_scale_grows(shape, one, other):
    narrow, wide = shape.widths_at(min(one, other)), shape.widths_at(max(one, other))
    assert all(a <= b for a, b in zip(narrow, wide, strict=True))


@given(shapes, scales)
def test_widths_are_the_closest_legal_ones(shape, scale):
    for stage, width in enumerate(shape.widths_at(scale)):
        wanted = scale * shape.proportions[stage]
        legal = [
            w
            for w in range(8, int(wanted) + 200, 8)
            if not shape.sdta_blocks[stage]
            or (w % shape.heads[stage] == 0 and groups(w, shape.sdta_splits[stage]) == shape.sdta_splits[stage])
        ]
        if math.isclose(abs(width - wanted), min(abs(w - wanted) for w in legal)):
            continue
        # The multiple of 8 next to the wanted width leaves a channel group empty, so the next wider one is taken.
        assert width == min(w for w in legal if w > wanted - 4)


@given(shapes, scales, deployments())
def test_the_cost_of_widths_is_that_of_the_candidate(shape, scale, deployment):
    widths = shape.widths_at(scale)
    assert shape.cost_at(widths, deployment) == cost(shape.candidate_at(widths), deployment)


@pytest.mark.parametrize(
    ("heads", "sdta_blocks", "width_multiple", "steps"),
    [
        ((4, 4, 4, 4), (0, 1, 1, 1), 8, (8, 8, 8, 8)),
        ((4, 6, 16, 3), (0, 1, 1, 1), 8, (8, 24, 16, 24)),
        ((16, 16, 16, 16), (0, 0, 0, 1), 8, (8, 8, 8, 16)),  # heads of a stage without attention do not count
        ((4, 4, 4, 8), (0, 1, 1, 1), 1, (1, 4, 4, 8)),
    ],
)
def test_steps_of_the_widths(heads, sdta_blocks, width_multiple, steps):
    shape = Shape(
        proportions=(1.0, 2.0, 3.0, 4.0),
        depths=(1, 1, 1, 1),
        kernel_sizes=(3, 3, 3, 3),
        sdta_splits=(2, 2, 2, 2),
        sdta_blocks=sdta_blocks,
        heads=heads,
        expand_ratio=4,
        pos_emb=(False,) * 4,
        norm_act="ln_gelu",
        width_multiple=width_multiple,
    )
    assert shape.steps == steps


def test_empty_channel_groups_make_a_width_grow():
    shape = Shape.of(tiny(widths=(8, 20, 24, 32), sdta_splits=(2, 5, 3, 4)))
    assert shape.legal_width(1, 8) == 24  # 8 and 16 leave the fifth group empty: 2 2 2 2, 4 4 4 4
    assert shape.legal_width(0, 8) == 8  # no attention, no groups
    assert shape.legal_width(1, 25) == 25  # a legal width stays what it is


@pytest.mark.parametrize("variant", published_variants().values(), ids=lambda variant: variant.name)
def test_published_widths_come_back_from_their_shapes(variant):
    shape = Shape.of(variant.candidate, width_multiple=4)
    assert shape.widths_at(variant.candidate.widths[0]) == variant.candidate.widths
    assert shape.candidate_at(variant.candidate.widths) == variant.candidate
    assert shape.distortion(variant.candidate.widths) == pytest.approx(0, abs=1e-12)


@given(shapes, st.floats(0.01, 100), st.floats(1.05, 3), st.integers(0, 3))
def test_distortion_measures_proportions_alone(shape, scale, stretch, stage):
    exact = tuple(scale * proportion for proportion in shape.proportions)
    stretched = tuple(w * stretch if i == stage else w for i, w in enumerate(exact))
    more = tuple(w * stretch**2 if i == stage else w for i, w in enumerate(exact))
    assert shape.distortion(exact) == pytest.approx(0, abs=1e-12)
    assert 0 < shape.distortion(stretched) < shape.distortion(more)
    doubled = tuple(2 * width for width in stretched)
    assert shape.distortion(doubled) == pytest.approx(shape.distortion(stretched))


def test_distortion_of_one_doubled_stage():
    shape = Shape.of(tiny(widths=(8, 16, 24, 32)))
    # log 2 in one stage of four: mean log(2)/4, variance log(2)^2 * (1/4 - 1/16)
    assert shape.distortion((16, 16, 24, 32)) == pytest.approx(0.4804530 * 0.1875)
