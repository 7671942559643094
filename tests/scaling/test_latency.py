import json
from dataclasses import replace

import pytest
from latency_profiles import made_profile
from strategies import tiny
from study_builders import a_recipe

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError
from edgenext_search.scaling.latency import keep_profile, latency_conditions, scaling_deployment, timed
from edgenext_search.search.store.run_folder import RunFolder

SMALL = published_variant("edgenext_small").candidate


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "board.json"
    path.write_text(json.dumps(made_profile().to_dict()))
    return path


def test_a_profile_adds_the_latency_to_the_costs(profile):
    plain = Deployment()
    assert timed(plain, None) is plain
    assert latency_conditions(plain, [SMALL]) is None
    known = timed(plain, profile)
    assert known == plain  # the same classes and pixels
    assert cost(SMALL, known).latency is not None
    assert {**cost(SMALL, known).to_dict(), "latency": None} == {**cost(SMALL, plain).to_dict(), "latency": None}
    facts = latency_conditions(known, [SMALL, tiny()])
    assert facts.interpolated == 1
    assert facts.device == "host"
    assert facts.held_out == made_profile().held_out


def test_a_profile_of_another_deployment_is_refused(profile):
    with pytest.raises(UserError, match="was measured for 1000 classes"):
        timed(Deployment(num_classes=10), profile)


def test_a_run_keeps_its_profile(profile, tmp_path):
    run, recipe = RunFolder(tmp_path / "run"), a_recipe()
    recipe = replace(recipe, deployment=replace(recipe.deployment, num_classes=1000, img_size=256))
    run.create(recipe, storage=None)
    assert scaling_deployment(run, recipe).latency_model is None
    keep_profile(run, None)
    assert not run.latency_profile.exists()
    keep_profile(run, profile)
    keep_profile(run, run.latency_profile)
    assert run.latency_profile.read_text() == profile.read_text()
    assert scaling_deployment(run, recipe).latency_model is not None
