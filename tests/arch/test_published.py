import pytest

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError


def test_all_of_them_each_norm_act_smallest_first():
    variants = published_variants()
    assert [(v.name, v.params, v.madds, v.imagenet_top1) for v in variants.values()] == [
        ("edgenext_xx_small", 1_327_216, 260_576_008, 71.23),
        ("edgenext_x_small", 2_336_804, 537_995_712, 74.96),
        ("edgenext_small", 5_586_832, 1_260_588_656, 79.41),
        ("edgenext_base", 18_511_292, 3_840_925_224, 82.47),
        ("edgenext_xx_small_bn_hs", 1_326_184, 259_531_200, 70.33),
        ("edgenext_x_small_bn_hs", 2_335_008, 535_844_352, 74.87),
        ("edgenext_small_bn_hs", 5_584_000, 1_257_279_616, 78.39),
    ]
    assert list(variants) == [variant.name for variant in variants.values()]


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
