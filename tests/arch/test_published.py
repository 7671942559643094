import pytest

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError


def test_all_of_them_each_norm_act_smallest_first():
    variants = published_variants()
    assert list(variants) == [
        "edgenext_xx_small",
        "edgenext_x_small",
        "edgenext_small",
        "edgenext_base",
        "edgenext_xx_small_bn_hs",
        "edgenext_x_small_bn_hs",
        "edgenext_small_bn_hs",
    ]
    assert [variant.params for variant in variants.values()] == [
        1_327_216,
        2_336_804,
        5_586_832,
        18_511_292,
        1_326_184,
        2_335_008,
        5_584_000,
    ]
    assert [variant.madds for variant in variants.values()] == [
        260_576_008,
        537_995_712,
        1_260_588_656,
        3_840_925_224,
        259_531_200,
        535_844_352,
        1_257_279_616,
    ]
    assert [variant.imagenet_top1 for variant in variants.values()] == [71.23, 74.96, 79.41, 82.47, 70.33, 74.87, 78.39]
    assert all(name == variant.name for name, variant in variants.items())


def test_one_variant_field_by_field():
    assert published_variant("edgenext_small").candidate == Candidate(
        widths=(48, 96, 160, 304),
        depths=(3, 3, 9, 3),
        kernel_sizes=(3, 5, 7, 9),
        sdta_splits=(2, 2, 3, 4),
        sdta_blocks=(0, 1, 1, 1),
        heads=(8, 8, 8, 8),
        expand_ratio=4,
        pos_emb=(False, True, False, False),
    )


def test_a_miss_lists_what_exists():
    with pytest.raises(UserError, match="no published variant 'edgenext_tiny'; there are edgenext_xx_small, edgenext_"):
        published_variant("edgenext_tiny")
