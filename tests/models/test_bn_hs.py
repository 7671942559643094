import pytest
import timm
import torch
from torch import nn

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.models.bn_hs import BatchNormConvBlock, BatchNormSplitTransposeBlock
from edgenext_search.models.build import build
from edgenext_search.models.count import measure

PUBLISHED = {
    "edgenext_xx_small_bn_hs": (1326184, 259531200),
    "edgenext_x_small_bn_hs": (2335008, 535844352),
    "edgenext_small_bn_hs": (5584000, 1257279616),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_cost_what_was_published(name):
    candidate = published_variant(name).candidate
    counted = cost(candidate, Deployment())
    assert (counted.params, counted.madds) == PUBLISHED[name]
    assert measure(candidate, Deployment()).items() <= counted.to_dict().items()


@pytest.mark.parametrize("name", PUBLISHED)
def test_timm_builds_them_by_name(name):
    model = timm.create_model(name, num_classes=7)
    assert (
        sum(p.numel() for p in model.parameters())
        == cost(published_variant(name).candidate, Deployment(num_classes=7)).params
    )


def test_no_layer_norm_and_no_gelu_are_left():
    model = build(published_variant("edgenext_xx_small_bn_hs").candidate, num_classes=5)
    kinds = {type(module).__name__ for module in model.modules()}
    assert not kinds & {"LayerNorm", "LayerNorm2d", "GELU"}
    assert {"BatchNorm2d", "Hardswish"} <= kinds


def test_every_batch_norm_has_the_published_eps():
    model = build(published_variant("edgenext_xx_small_bn_hs").candidate, num_classes=5)
    assert {module.eps for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-5}


def test_biases_stand_where_the_published_networks_have_them():
    model = build(published_variant("edgenext_xx_small_bn_hs").candidate, num_classes=5)
    assert model.stem[0].bias is None
    for stage in model.stages:
        assert isinstance(stage.downsample, nn.Identity) or stage.downsample[1].bias is None
        for block in stage.blocks:
            if isinstance(block, BatchNormConvBlock):
                assert block.conv_dw.bias is None
            else:
                assert all(conv.bias is not None for conv in block.convs)


def test_the_normed_tensor_is_the_base_of_the_attention_residual():
    """With the bottleneck silent and the attention silent, a block adds nothing; with XCA alone silent, the bottleneck
    sees the twice normed tensor, not the block's input."""
    torch.manual_seed(0)
    block = BatchNormSplitTransposeBlock(8, num_scales=2, num_heads=4, use_pos_emb=False, ls_init_value=1.0).eval()
    x = torch.randn(2, 8, 4, 4)
    with torch.no_grad():
        block.gamma_xca.zero_()
        parts = x.chunk(2, dim=1)
        normed = block.norm_xca(torch.cat([block.convs[0](parts[0]), parts[1]], dim=1))
        expected = x + block.mlp(block.norm(normed).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        assert torch.allclose(block(x), expected, atol=1e-6)
        block.gamma.zero_()
        assert torch.equal(block(x), x)


def test_features_have_the_strides_of_a_backbone():
    features = timm.create_model("edgenext_xx_small_bn_hs", features_only=True)
    shapes = [tuple(f.shape) for f in features(torch.zeros(2, 3, 64, 64))]
    assert shapes == [(2, 24, 16, 16), (2, 48, 8, 8), (2, 88, 4, 4), (2, 168, 2, 2)]
    assert features.feature_info.reduction() == [4, 8, 16, 32]


def test_gradients_reach_every_parameter():
    candidate = Candidate(
        widths=(8, 16, 24, 32),
        depths=(1, 1, 2, 1),
        kernel_sizes=(3, 3, 3, 3),
        sdta_splits=(2, 2, 3, 2),
        sdta_blocks=(0, 1, 1, 1),
        heads=(4, 4, 4, 4),
        norm_act="bn_hs",
    )
    model = build(candidate, num_classes=3, layer_scale_init=0.1)
    model(torch.randn(4, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
