import copy

import pytest
import torch
from hypothesis import given, settings
from strategies import candidates
from torch import nn

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.published import published_variant
from edgenext_search.models.build import build
from edgenext_search.models.fold import fold_batch_norms


def with_statistics(model: nn.Module) -> nn.Module:
    """As after training: norms that do something."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(generator=generator)
    return model.eval()


@given(candidates(max_depth=2))
@settings(max_examples=10, deadline=None)
def test_outputs_are_equal(candidate):
    batch_normed = Candidate.from_dict({**candidate.to_dict(), "norm_act": "bn_hs"})
    model = with_statistics(build(batch_normed, num_classes=5, layer_scale_init=0.5))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(model(images), fold_batch_norms(model)(images), atol=1e-4)


def test_what_can_be_folded_is_and_the_network_itself_stays():
    model = with_statistics(build(published_variant("edgenext_xx_small_bn_hs").candidate, num_classes=5))
    before = copy.deepcopy(model.state_dict())
    folded = fold_batch_norms(model)
    left = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["stages.1.blocks.1.norm_xca", "stages.2.blocks.5.norm_xca", "stages.3.blocks.1.norm_xca"]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_network_without_batch_norm_comes_back_as_it_is():
    model = build(published_variant("edgenext_xx_small").candidate, num_classes=5)
    assert fold_batch_norms(model) is model


def test_training_mode_is_refused():
    model = build(published_variant("edgenext_xx_small_bn_hs").candidate, num_classes=5)
    with pytest.raises(ValueError, match=r"model.eval\(\)"):
        fold_batch_norms(model)
