import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latency_profiles import DEPLOYMENT, INFO, made_profile, true_microseconds
from strategies import seeded, tiny

from edgenext_search.arch.blocks import blocks_of
from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.shape import Shape
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.latency.profile.measurement_plan import Target, draw_networks
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.latency.profile.profile import Profile

SPACE = Space.load("edgenext")
PROJECTION = Projection(SPACE, Budget.parse("2M"), DEPLOYMENT)


@pytest.fixture(scope="module")
def predictor():
    return Predictor(made_profile())


def candidate_of(seed, budget="2M"):
    projection = PROJECTION if budget == "2M" else Projection(SPACE, Budget.parse(budget), DEPLOYMENT)
    return projection.candidate(SPACE.draw(seeded(seed)))


@given(seed=st.integers(0, 10**6))
def test_the_fast_path_is_the_prediction_and_the_sum_of_its_blocks(predictor, seed):
    candidate = candidate_of(seed)
    value = predictor.predict(candidate).microseconds
    assert predictor.microseconds(candidate) == value
    blocks = blocks_of(candidate, DEPLOYMENT)
    total = predictor.profile.rates["run"][0] + sum(n * predictor.block_microseconds(b) for b, n in blocks.items())
    assert value == pytest.approx(total)


@given(seed=st.integers(0, 10**6), stage=st.integers(0, 3), steps=st.integers(1, 20))
def test_no_network_is_predicted_faster_as_a_stage_gets_wider(predictor, seed, stage, steps):
    candidate = candidate_of(seed)
    shape = Shape.of(candidate)
    widths = list(candidate.widths)
    widths[stage] = shape.legal_width(stage, widths[stage] + steps * shape.steps[stage])
    wider = shape.candidate_at(tuple(widths))
    assert predictor.microseconds(wider) >= predictor.microseconds(candidate)


@given(seed=st.integers(0, 10**6))
def test_the_interval_is_that_of_the_held_out_check(predictor, seed):
    prediction = predictor.predict(candidate_of(seed))
    assert prediction.low < prediction.microseconds < prediction.high
    assert prediction.high / prediction.microseconds == pytest.approx(predictor.held_out.high)


def test_new_networks_are_predicted_as_the_profile_says(predictor):
    drawn = list(draw_networks(SPACE, DEPLOYMENT, 60, seeded(99)))
    truth = [true_microseconds(Target(what="network", candidate=candidate)) for candidate in drawn]
    found = [predictor.predict(candidate) for candidate in drawn]
    inside = sum(own.low <= time <= own.high for own, time in zip(found, truth, strict=True))
    below = sum(time <= own.microseconds * predictor.margin for own, time in zip(found, truth, strict=True))
    assert inside >= 54
    assert below >= 54
    assert sum(own.interpolated for own in found) <= 6


def test_what_lies_outside_of_the_measured_widths_is_marked(predictor):
    usual = published_variant("edgenext_xx_small").candidate
    assert not predictor.predict(usual).interpolated
    wide = predictor.predict(Candidate.from_dict(usual.to_dict() | {"widths": [24, 48, 88, 2000]}))
    assert wide.interpolated
    assert any("width 2000 is outside of the measured" in note for note in wide.notes)
    assert wide.microseconds > predictor.predict(usual).microseconds


def test_a_kernel_between_measured_ones_is_marked_and_lies_between_their_times():
    values = made_profile().to_dict()
    values["covered"] = [
        own | {"options": own["options"] | {"kernel_size": [3, 7, 9]}} if own["kind"] == "conv" else own
        for own in values["covered"]
    ]
    predictor = Predictor(Profile.read(values, where=""))
    usual = published_variant("edgenext_xx_small").candidate.to_dict()
    small, between, large = (
        predictor.predict(Candidate.from_dict(usual | {"kernel_sizes": [3, kernel, 7, 9]})) for kernel in (3, 5, 7)
    )
    assert small.microseconds < between.microseconds < large.microseconds
    assert (small.interpolated, between.interpolated, large.interpolated) == (False, True, False)
    assert between.notes == ("conv block of stage 2: kernel_size 5 is estimated from 3, 7, 9",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_sizes": (3, 5, 7, 11), "sdta_blocks": (0, 1, 1, 0)}, "kernel_size 3, 5, 7, 9, but not with 11"),
        ({"kernel_sizes": (1, 5, 7, 9)}, "not with 1"),
        ({"expand_ratio": 6}, "expand_ratio 2, 3, 4, but not with 6"),
        ({"sdta_blocks": (1, 1, 0, 1)}, "has no sdta block of stage 1"),
        ({"norm_act": "bn_hs"}, "has no stem with bn_hs"),
        ({"pos_emb": (False, True, False, True)}, "pos_emb 0, but not with 1"),
    ],
)
def test_blocks_that_the_profile_knows_nothing_like_are_refused(predictor, changes, message):
    candidate = tiny(**changes)
    for call in (lambda: predictor.predict(candidate), lambda: Predictor(made_profile()).microseconds(candidate)):
        with pytest.raises(UserError, match=message) as error:
            call()
        assert "profile a space that has it" in str(error.value)


def test_another_deployment_is_refused_unless_it_is_rescaled_and_then_marked(predictor):
    smaller = Deployment(img_size=192)
    with pytest.raises(UserError, match="not for 1000 classes, 192x192 px"):
        Predictor(made_profile(), deployment=smaller)
    rescaled = Predictor(made_profile(), deployment=smaller, rescale=True)
    candidate = published_variant("edgenext_xx_small").candidate
    there, here = rescaled.predict(candidate), predictor.predict(candidate)
    assert there.interpolated
    assert there.notes[0] == "re-scaled from 1000 classes, 256x256 px"
    assert 0.4 * here.microseconds < there.microseconds < 0.7 * here.microseconds


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "1.3.0"), ("threads", 4), ("runtime", "tensorrt"), ("machine", "another"), ("name", "ssh://a@b")],
)
def test_a_device_that_has_changed_is_refused(predictor, field, value):
    predictor.check_device(INFO)
    with pytest.raises(UserError, match=f"with {field} .* but the device has {field} {value}: profile it again"):
        predictor.check_device(INFO.model_copy(update={field: value}))


def test_the_example_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    guide = (Path(__file__).resolve().parents[3] / "docs" / "latency-predictor.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    (tmp_path / "host.json").write_text(json.dumps(made_profile().to_dict()), "utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "a guide", "exec"), {})  # noqa: S102 - our own guide
    value, low, high, interpolated = capsys.readouterr().out.split()
    assert float(low) < float(value) < float(high)
    assert interpolated == "False"
