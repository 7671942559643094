import json
import math
import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from latency_profiles import DEPLOYMENT, NETWORKS, REFERENCE, STAGES, made_profile, measurement, profile_of

from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.latency.profile.measurement_plan import make_plan
from edgenext_search.latency.profile.predictor import Predictor
from edgenext_search.latency.profile.profile import Profile

from ..damage import assert_one_line, damaged_bytes, damaged_json


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "board.json"
    path.write_text(json.dumps(made_profile().to_dict()), "utf-8")
    return path


def test_a_profile_survives_its_file(path):
    read = Profile.load(path)
    assert read.to_dict() == made_profile().to_dict()
    assert read.rates == made_profile().rates


def test_a_profile_says_what_it_was_made_of(path):
    values = json.loads(path.read_text("utf-8"))
    assert values["device"] == {
        "name": "host",
        "runtime": "onnxruntime",
        "version": "1.2.3",
        "machine": "made up",
        "threads": 1,
    }
    assert values["deployment"] == {"num_classes": 1000, "img_size": 256}
    assert values["space"]["name"] == "edgenext"
    assert len(values["measured"]) == NETWORKS + STAGES
    assert {"n", "within_5", "within_10", "spearman", "mean_error", "margin"} <= set(values["held_out"])


def test_networks_of_another_nature_than_our_terms_are_still_predicted():
    held_out = made_profile().held_out
    assert held_out.n == NETWORKS
    assert held_out.within_10 >= 0.95
    assert held_out.spearman > 0.99
    assert 1 < held_out.margin < 1.1


def test_every_kind_of_block_is_covered_with_its_options():
    covered = {(own.kind, own.stage): own for own in made_profile().covered}
    assert covered.keys() == {
        ("stem", 1), ("conv", 1), ("head", 4),
        *((kind, stage) for kind in ("downsample", "conv", "sdta") for stage in (2, 3, 4)),
    }  # fmt: skip
    assert covered["conv", 3].options["kernel_size"] == (3, 5, 7, 9)
    assert covered["sdta", 2].options["pos_emb"] == (1,)
    assert covered["stem", 1].width_in == (3, 3)
    low, high = covered["conv", 4].width
    assert low <= 64
    assert high >= 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is not a latency profile of format 1"),
        ("{", "is not JSON"),
        ("{}", "is not a latency profile of format 1"),
        ('{"format": 1}', "damaged"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "board.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        Profile.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        Profile.load(tmp_path / "none.json")


@pytest.mark.parametrize("key", ["device", "rates", "held_out", "reference", "measured", "covered"])
def test_a_damaged_file_is_refused(path, key):
    values = json.loads(path.read_text("utf-8"))
    values[key] = [{}] if isinstance(values[key], list) else {"x": "y"}
    path.write_text(json.dumps(values), "utf-8")
    with pytest.raises(UserError, match="damaged"):
        Profile.load(path)


def few_models():
    """The profile with three of its measured models, to be read quickly."""
    values = made_profile().to_dict()
    return values | {"measured": values["measured"][:3]}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged_json(few_models()) | damaged_bytes(json.dumps(few_models()).encode()))
@example(content=b'{"format":' * 100_000)
@example(content=b'{"format": 1' + b"0" * 5000 + b"}")
@example(content=json.dumps(few_models() | {"seconds": float("nan")}).encode())
@example(content=json.dumps(few_models() | {"rates": {}}).encode())
def test_any_file_predicts_or_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "profile.json"
    file.write_bytes(content)
    try:
        prediction = Predictor.load(file, rescale=True).predict(REFERENCE)
    except UserError as error:
        assert_one_line(str(error))
    else:
        assert 0 < prediction.low <= prediction.microseconds * 1e6
        assert math.isfinite(prediction.high)


def test_a_busy_spell_does_little_harm():
    rng = random.Random(0)
    plan = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=60, stages=24, seed=0)
    measured = [
        (
            target,
            measurement(target, noise=rng.choice([0.95, 1.05]), speed=1.6)
            if rng.random() < 0.3
            else measurement(target),
        )
        for target in plan
    ]
    found = profile_of(measured)
    assert found.reference.microseconds == pytest.approx(made_profile().reference.microseconds, rel=0.02)
    ours, theirs = (Predictor(own).predict(REFERENCE).microseconds for own in (found, made_profile()))
    assert ours == pytest.approx(theirs, rel=0.03)
    assert found.reference.range[1] == pytest.approx(1.6 * found.reference.microseconds, rel=0.03)


def test_too_few_networks_make_no_profile():
    plan = make_plan(Space.load("edgenext"), DEPLOYMENT, networks=24, stages=0, seed=0)[:23]
    with pytest.raises(UserError, match="needs at least 24 measured networks, but has 23"):
        profile_of([(target, measurement(target)) for target in plan])
