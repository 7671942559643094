import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CHANGES, TINY, candidates, tiny

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError
from edgenext_search.models.build import TIMM_ARCHITECTURE, build, candidate_of, timm_args


def shapes(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def timm_network(fields, num_classes=5):
    """timm's network of bare fields, legal or not, canonical or not: the candidate's checks have no say."""
    return timm.create_model(
        "edgenext_xx_small",
        num_classes=num_classes,
        dims=fields["widths"],
        depths=fields["depths"],
        kernel_sizes=fields["kernel_sizes"],
        d2_scales=fields["sdta_splits"],
        global_block_counts=fields["sdta_blocks"],
        heads=fields["heads"],
        expand_ratio=fields["expand_ratio"],
        use_pos_emb=fields["pos_emb"],
    )


def forward(model, size=32):
    with torch.inference_mode():
        return model.eval()(torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", published_variants())
def test_published_candidates_are_timms_own_networks(name):
    built = build(published_variant(name).candidate, num_classes=1000)
    assert shapes(built) == shapes(timm.create_model(name))


@settings(max_examples=15)
@given(candidates(max_width=48, max_depth=2), st.integers(1, 30), st.integers(32, 70))
def test_every_legal_candidate_runs(candidate, num_classes, size):
    logits = forward(build(candidate, num_classes=num_classes), size)
    assert logits.shape == (2, num_classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (1, 1, 1, 1), "sdta_blocks": (0, 0, 0, 0), "expand_ratio": 1},  # as narrow as it gets
        {"widths": (8, 2, 24, 32), "heads": (1, 1, 1, 1)},  # two groups of one channel
        {"widths": (8, 16, 24, 13), "heads": (4, 4, 4, 13), "sdta_splits": (2, 2, 3, 5)},  # 3 3 3 3 1, a head a channel
        {"widths": (8, 16, 24, 32), "sdta_splits": (2, 16, 3, 4)},  # one channel a group
        {"depths": (1, 1, 1, 1), "sdta_blocks": (1, 1, 1, 1), "pos_emb": (True, True, True, True)},  # SDTA alone
        {"kernel_sizes": (1, 1, 1, 15)},  # kernels larger than the image
    ],
    ids=["narrow", "two channels", "uneven groups", "16 groups", "only SDTA", "kernels"],
)
def test_edges_of_the_law_run(change):
    assert forward(build(tiny(**change), num_classes=3)).shape == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"heads": (4, 3, 4, 8)},  # width 16
        {"heads": (4, 32, 4, 8)},  # more heads than channels
        {"sdta_splits": (2, 1, 3, 4)},
        {"sdta_splits": (2, 5, 3, 4)},  # 4 4 4 4 and nothing
        {"sdta_splits": (2, 17, 3, 4)},  # more groups than channels
        {"widths": (8, 16, 24, 40), "sdta_splits": (2, 2, 3, 7)},  # 6 6 6 6 6 6 4: legal ...
        {"widths": (8, 16, 24, 40), "sdta_splits": (2, 2, 3, 9)},  # ... 5 * 8 and nothing
        {"kernel_sizes": (3, 4, 7, 9)},
    ],
    ids=str,
)
def test_a_candidate_is_refused_exactly_where_timm_crashes(change):
    fields = {**TINY, **change}
    try:
        tiny(**change)
        legal = True
    except UserError:
        legal = False
    try:
        runs = forward(timm_network(fields)).shape == (2, 5)
    except (RuntimeError, ZeroDivisionError, IndexError, ValueError):
        runs = False
    assert runs == legal
    assert legal == (change.get("sdta_splits") == (2, 2, 3, 7))


def test_more_sdta_blocks_than_blocks_is_another_name_for_a_network():
    """timm builds it silently; the candidate refuses it, so that one network has one name."""
    fields = {**TINY, "sdta_blocks": (0, 5, 0, 1)}
    assert shapes(timm_network(fields)) == shapes(timm_network({**TINY, "sdta_blocks": (0, 2, 0, 1)}))
    with pytest.raises(UserError, match="sdta_blocks must be <= depths"):
        tiny(sdta_blocks=(0, 5, 0, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"heads": (8, 4, 3, 8)},
        {"sdta_splits": (9, 2, 9, 4)},
        {"pos_emb": (True, True, True, False)},
        {"kernel_sizes": (3, 5, 7, 3)},
    ],
    ids=str,
)
def test_equal_candidates_build_the_same_network(change):
    """timm with the fields as written, and the canonical candidate: unused fields leave no trace."""
    candidate = tiny(**change)
    assert candidate == tiny()
    assert shapes(timm_network({**TINY, **change})) == shapes(build(candidate, num_classes=5))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_different_candidates_build_different_networks(change):
    assert shapes(build(tiny(**change), num_classes=5)) != shapes(build(tiny(), num_classes=5))


def test_settings_of_training_reach_the_network():
    model = build(tiny(), num_classes=7, drop_path=0.3, layer_scale_init=0.5)
    rates = [m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"]
    assert max(rates) == pytest.approx(0.3)
    assert model.stages[0].blocks[0].gamma.unique().tolist() == [0.5]
    assert not any(type(m).__name__ == "DropPath" for m in build(tiny(), num_classes=7).modules())
    assert build(tiny(), num_classes=7).stages[0].blocks[0].gamma.unique().item() == pytest.approx(1e-6)


@given(candidates())
def test_timms_words_and_back(candidate):
    architecture = TIMM_ARCHITECTURE[candidate.norm_act]
    assert candidate_of(timm_args(candidate), architecture=architecture) == candidate


@pytest.mark.parametrize("name", published_variants())
def test_an_architecture_without_arguments_is_the_published_one(name):
    assert candidate_of({}, architecture=name) == published_variant(name).candidate


def test_arguments_override_the_architecture_as_in_timm():
    args = {"dims": [48, 96, 160, 320], "global_block_counts": [1, 1, 1, 1]}
    candidate = candidate_of(args, architecture="edgenext_small")
    assert isinstance(candidate, Candidate)
    assert shapes(build(candidate, num_classes=4)) == shapes(timm.create_model("edgenext_small", num_classes=4, **args))


@pytest.mark.parametrize(
    ("args", "architecture", "message"),
    [
        ({}, "resnet18", "no published variant 'resnet18'"),
        ({}, "edgenext_small_rw", "no published variant 'edgenext_small_rw'"),  # other blocks than the paper's
        ({"downsample_block": True}, "edgenext_small", "downsample_block must be False, .* but got True"),
        ({"stem_type": "overlap"}, "edgenext_small", "stem_type must be 'patch'"),
        ({"heads": (3, 3, 3, 3)}, "edgenext_small", "heads must divide the width"),
        ({"dims": 8}, "edgenext_small", "widths must have one item for each of the 4 stages, but got 8"),
    ],
)
def test_refuses_networks_that_are_no_candidates(args, architecture, message):
    with pytest.raises(UserError, match=message):
        candidate_of(args, architecture=architecture)
