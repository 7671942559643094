import pytest
from strategies import tiny

from edgenext_search.models.build import build
from edgenext_search.training.engine.param_groups import decays, parameter_groups

SPARED = {"gamma", "gamma_xca", "bias", "temperature"}  # by the last part of a name


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_kernels_and_matrices_decay_and_nothing_else(norm_act):
    model = build(tiny(norm_act=norm_act), num_classes=3)
    named = dict(model.named_parameters())
    spared = {name for name, parameter in named.items() if not decays(name, parameter)}
    norms = {f"{name}.weight" for name, module in model.named_modules() if "Norm" in type(module).__name__}
    by_name = {name for name in named if name.rpartition(".")[2] in SPARED}
    assert spared == (norms & named.keys()) | by_name
    assert {name.rpartition(".")[2] for name in spared} == {*SPARED, "weight"}
    assert sum("temperature" in name for name in spared) == 2  # one for each SDTA block


def test_every_parameter_is_in_one_group():
    model = build(tiny(), num_classes=3)
    groups = {group["name"]: group for group in parameter_groups(model, 0.05)}
    assert [groups[name]["weight_decay"] for name in ("decay", "no_decay")] == [0.05, 0.0]
    found = [parameter for group in groups.values() for parameter in group["params"]]
    assert len(found) == len({id(parameter) for parameter in found}) == len(list(model.parameters()))
