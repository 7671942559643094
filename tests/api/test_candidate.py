import pytest
import torch

import edgenext_search as es
from edgenext_search.arch.published import published_variant


def test_a_candidate_builds_itself():
    candidate = es.load_space("paper").sample("500k", seed=3)
    model = candidate.build(num_classes=7)
    assert sum(p.numel() for p in model.parameters()) == es.cost(candidate, es.Deployment(num_classes=7)).params
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 7)


def test_it_is_the_network_that_the_package_knows():
    ours, theirs = es.load_candidate("edgenext_x_small"), published_variant("edgenext_x_small").candidate
    assert ours == theirs
    assert theirs == ours
    assert len({ours, theirs}) == 1
    assert ours.fingerprint == theirs.fingerprint
    assert es.cost(ours).params == published_variant("edgenext_x_small").params
    assert isinstance(es.Candidate.from_dict(ours.to_dict()), es.Candidate)


def test_weights_are_those_of_published_variants(monkeypatch):
    asked = []
    monkeypatch.setattr("timm.create_model", lambda name, **options: asked.append((name, options)))
    es.load_candidate("edgenext_small").build(pretrained=True, num_classes=5)
    assert asked == [("edgenext_small", {"pretrained": True, "num_classes": 5})]
    with pytest.raises(es.UserError, match=r"no published weights; edgenext_xx_small.* have\. Leave out pretrained"):
        es.load_space("paper").sample("500k").build(pretrained=True)


def test_a_notebook_shows_stages_and_costs():
    text = es.load_candidate("edgenext_xx_small")._repr_html_()
    assert "1.327M parameters" in text
    assert text.count("<td>") == 16
