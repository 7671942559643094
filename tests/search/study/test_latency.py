"""Latency in a study, with a device that is a script; the device itself is tested in tests/latency."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from latency_profiles import INFO, MadeUpDevice, made_profile
from strategies import ByMadds
from study_builders import Lab, a_measurement, a_recipe

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.profile.prediction_error import prediction_errors
from edgenext_search.latency.profile.profile import ProfileConditions, Reference
from edgenext_search.models import measurable
from edgenext_search.search.store.records import BASELINE, StudyFacts
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study import latency
from edgenext_search.search.study.latency import FinalistTimer, StudyDevice
from edgenext_search.search.study.listener import Listener
from edgenext_search.search.study.summary import summarize

CAP = 1_000  # microseconds of :class:`ByMadds`, a little above what the space's smallest candidates take


def latency_recipe(**search):
    recipe = a_recipe(trials=8, **search)
    return replace(recipe, budget=Budget(params=60_000, latency=CAP))


class Notes(Listener):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


class ScriptedDevice:
    """A device whose latencies are a function of the model's file name, which is the candidate's fingerprint."""

    name = "host"

    def __init__(self, latency_of, fails=None):
        self.latency_of = latency_of
        self.fails = fails
        self.asked = []

    def measure(self, models, *, reference=None, settings=None, progress=None):
        if self.fails:
            raise self.fails
        assert reference.is_file()
        assert (settings.precision, settings.seconds, settings.warmup_seconds) == (0.01, 20.0, 0.3)
        names = [path.stem for path in models]
        progress(len(names), len(names))
        self.asked += names
        return [a_measurement(self.latency_of(name)) for name in names]


class StubPredictor(ByMadds):
    margin = 1.25

    class profile:  # noqa: N801 - an attribute
        reference = Reference(
            candidate=published_variant("edgenext_xx_small").candidate, microseconds=500.0, range=(500.0, 500.0)
        )
        conditions = ProfileConditions(seed=7)
        held_out = prediction_errors([1.0, 2.0, 3.0], [1.1, 1.9, 3.0])


@pytest.fixture(autouse=True)
def _no_networks(monkeypatch):
    monkeypatch.setattr(measurable, "export_for_measuring", lambda _c, _d, path: Path(path).write_bytes(b"model"))


def finalist_timer(lab, device, *, listener=None, should_stop=lambda: False):
    study_device = StudyDevice(device=device, predictor=StubPredictor(), profile=Path())
    return FinalistTimer(study_device, lab.recipe, lab.store(), listener or Listener(), should_stop=should_stop)


def searched(recipe):
    lab = Lab(recipe)
    lab.coordinator(_executor()).search()
    return lab


def _executor():
    from study_builders import FakeExecutor

    return FakeExecutor()


def finish(lab, device, **others):
    measure = finalist_timer(lab, device, **others)
    lab.coordinator(_executor(), measure=lambda _store, trials: measure(trials)).rescore()
    return lab.finalists()


def test_finalists_are_measured_and_their_verdict_kept():
    lab = searched(latency_recipe())
    device = ScriptedDevice(lambda _: 900.0)
    notes = Notes()
    finalists = finish(lab, device, listener=notes)
    assert sorted(device.asked) == sorted(f.candidate.fingerprint for f in finalists)
    assert {f.measured.verdict for f in finalists} == {"pass"}
    assert finalists[0].to_dict()["measured"]["p50"] == 900.0
    assert notes.said[0] == f"Measuring {len(finalists)} finalists on host"
    assert any(text.endswith("0.90 ms (0.89 to 0.91): pass at 1 ms") for text in notes.said)


def test_a_busy_machine_slows_the_reference_alike(monkeypatch):
    lab, notes = searched(latency_recipe()), Notes()
    device = ScriptedDevice(lambda _: 1800.0)
    seen = ScriptedDevice.measure

    def measure(self, models, **others):
        return [
            found.model_copy(update={"ratio": 1.8, "ratio_low": 1.79, "ratio_high": 1.81, "reference_p50": 1000.0})
            for found in seen(self, models, **others)
        ]

    monkeypatch.setattr(ScriptedDevice, "measure", measure)
    finalists = finish(lab, device, listener=notes)
    measured = finalists[0].measured
    assert (measured.p50, measured.verdict) == (pytest.approx(900.0), "pass")
    assert measured.conditions.seen_p50 == 1800.0
    assert any("2.00 times as slow as when it was profiled" in text for text in notes.said)


def test_a_finalist_that_fails_is_replaced_by_the_next_best():
    lab = searched(latency_recipe())
    plain = [f.candidate.fingerprint for f in lab.finalists()]
    complete = {t.candidate.fingerprint for t in lab.trials() if t.state == "complete" and t.duplicate_of is None}
    assert len(complete) > len(plain)  # there is a next best
    best = plain[0]
    device = ScriptedDevice(lambda name: 2000.0 if name == best else 900.0)
    finalists = finish(lab, device)
    names = [f.candidate.fingerprint for f in finalists]
    baseline = lab.trials()[BASELINE].candidate.fingerprint
    assert best not in names or best == baseline
    assert sum(not f.measured.rejected for f in finalists) >= lab.recipe.search.finalists
    assert finalists[0].measured.verdict == "pass"
    assert len(device.asked) == len(set(device.asked))  # none is measured twice


def test_undecided_is_no_pass():
    lab = searched(latency_recipe())
    device = ScriptedDevice(lambda _: CAP * 0.999)
    finalists = finish(lab, device)
    complete = {t.candidate.fingerprint for t in lab.trials() if t.state == "complete"}
    assert set(device.asked) == complete  # all were tried
    assert {f.measured.verdict for f in finalists} == {"undecided"}


def test_where_none_passes_the_fastest_are_finalists_and_the_summary_says_so(tmp_path):
    lab = searched(latency_recipe())
    speeds = {}
    device = ScriptedDevice(lambda name: speeds.setdefault(name, 2000.0 + 100 * len(speeds)))
    finalists = finish(lab, device)
    fastest = sorted(speeds, key=speeds.get)[: lab.recipe.search.finalists]
    assert set(fastest) <= {f.candidate.fingerprint for f in finalists}
    study_device = StudyDevice(device=device, predictor=StubPredictor(), profile=Path())
    lab.store().record_facts(StudyFacts(latency=study_device.facts(lab.recipe.budget)))
    said = summarize(RunFolder(tmp_path), lab.recipe, lab.store()).latency
    assert (said.measured, said.passed) == (len(speeds), 0)


def test_a_baseline_that_fails_cannot_win():
    lab = searched(latency_recipe())
    baseline = lab.trials()[BASELINE].candidate.fingerprint
    finalists = finish(lab, ScriptedDevice(lambda name: 2000.0 if name == baseline else 900.0))
    assert finalists[-1].trial == BASELINE
    assert finalists[0].measured.verdict == "pass"


def test_as_an_objective_without_a_cap_nobody_is_refused():
    recipe = a_recipe(trials=8, objectives=["accuracy", "latency"])
    lab = searched(recipe)
    assert all(trial.cost.latency for trial in lab.trials())
    finalists = finish(lab, ScriptedDevice(lambda _: 5000.0))
    assert {f.measured.verdict for f in finalists} == {None}
    assert {f.true_cost.latency for f in finalists} == {5000}


def test_a_resumed_run_measures_nothing_twice():
    lab = searched(latency_recipe())
    first = ScriptedDevice(lambda _: 900.0)
    finish(lab, first)
    again = ScriptedDevice(lambda _: 5000.0)
    before = lab.result()
    finish(lab, again)
    assert again.asked == []
    assert lab.result() == before


def test_a_board_that_is_gone_pauses_the_study_and_loses_nothing():
    lab = searched(latency_recipe())
    trials = lab.trials()
    with pytest.raises(DeviceError, match="gone"):
        finish(lab, ScriptedDevice(None, fails=DeviceError("The board is gone.", transient=True)))
    assert lab.trials() == trials
    assert finish(lab, ScriptedDevice(lambda _: 900.0))[0].measured.verdict == "pass"


def test_or_the_study_goes_by_predictions_where_its_file_says_so():
    recipe = latency_recipe()
    recipe = replace(recipe, latency=recipe.latency.model_copy(update={"unreachable": "predict"}))
    lab, notes = searched(recipe), Notes()
    finalists = finish(lab, ScriptedDevice(None, fails=DeviceError("Gone.", transient=True)), listener=notes)
    assert {f.measured for f in finalists} == {None}
    assert all(f.fresh_seeds for f in finalists)
    assert "Note: Gone. Finalists go by their predicted latencies." in notes.said


def test_what_no_waiting_mends_stops_the_study_whatever_its_file_says():
    recipe = latency_recipe()
    recipe = replace(recipe, latency=recipe.latency.model_copy(update={"unreachable": "predict"}))
    with pytest.raises(DeviceError):
        finish(searched(recipe), ScriptedDevice(None, fails=DeviceError("No onnxruntime.", transient=False)))


def test_it_stops_between_networks_when_asked():
    lab = searched(latency_recipe())
    device = ScriptedDevice(lambda _: 900.0)
    assert not finalist_timer(lab, device, should_stop=lambda: True)(lab.trials())
    assert device.asked == []


def test_what_was_measured_before_it_should_stop_is_kept():
    lab, begun = searched(latency_recipe()), []

    class Slow(ScriptedDevice):
        def measure(self, models, **others):
            begun.append(models[0].stem)
            return super().measure(models, **others)

    device = Slow(lambda _: 900.0)
    trials = [trial for trial in lab.trials() if trial.duplicate_of is None][:3]
    assert not finalist_timer(lab, device, should_stop=lambda: len(begun) == 2)(trials)
    assert begun == [trial.candidate.fingerprint for trial in trials[:2]]
    assert list(lab.store().latencies()) == device.asked == begun[:1]  # the second was cut off


def test_a_short_measurement_has_a_shorter_warm_up():
    recipe = latency_recipe()
    lab = searched(replace(recipe, latency=recipe.latency.model_copy(update={"seconds": 0.2})))
    seen = []

    class Device(ScriptedDevice):
        def measure(self, models, *, settings, progress, **_):
            seen.append(settings.warmup_seconds)
            return [a_measurement(900.0) for _ in models]

    assert finalist_timer(lab, Device(None))(lab.trials()[:1])
    assert seen == [0.05]


class World:
    """A device that ``open_study_device`` meets, and the profiles that it measures."""

    def __init__(self, path, monkeypatch):
        self.device, self.profiled, self.notes = MadeUpDevice(), [], Notes()
        self.run, self.cache = RunFolder(path / "run"), path / "cache"
        self.run.path.mkdir()
        self.recipe = latency_recipe()
        monkeypatch.setattr(latency, "open_device", lambda _: self.device)
        monkeypatch.setattr("edgenext_search.latency.profile.profiler.measure_profile", self._measure)

    def _measure(self, device, _space, _deployment, out, *, progress):
        self.profiled.append(out)
        self.write(out, device.info)

    def write(self, path, info=INFO):
        profile = made_profile(deployment=self.recipe.deployment).model_copy(update={"device": info})
        path.write_text(json.dumps(profile.to_dict()), "utf-8")
        return path

    def unreachable(self):
        self.device.check = self._gone

    def _gone(self):
        raise DeviceError("The board is gone.", transient=True)

    def open(self, *, measures=True, **keys):
        recipe = replace(self.recipe, latency=self.recipe.latency.model_copy(update=keys))
        return latency.open_study_device(self.run, recipe, self.notes, cache_dir=self.cache, measures=measures)


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_a_profile_is_measured_once_for_each_runtime(world):
    first = world.open().profile
    assert world.open().profile == first
    assert world.profiled == [first]
    world.device.info = INFO.model_copy(update={"version": "1.2.4"})
    second = world.open().profile
    assert world.profiled == [first, second]
    world.device.info = INFO
    assert world.open().profile == first
    assert len(world.profiled) == 2


def test_a_profile_that_a_study_names_is_refused_for_another_runtime(world, tmp_path):
    path = world.write(tmp_path / "mine.json")
    assert world.open(profile=str(path)).profile == path
    world.device.info = INFO.model_copy(update={"version": "1.2.4"})
    with pytest.raises(UserError, match=r"version 1\.2\.3, but the device has version 1\.2\.4"):
        world.open(profile=str(path))
    assert world.profiled == []


@pytest.mark.parametrize("where", ["run", "file", "cache"])
def test_a_board_out_of_reach_is_predicted_by_whatever_profile_there_is(world, tmp_path, where):
    keys = {"unreachable": "predict"}
    if where == "run":
        world.write(world.run.latency_profile)
    elif where == "file":
        keys["profile"] = str(world.write(tmp_path / "mine.json"))
    else:
        world.open()
    world.unreachable()
    assert world.open(**keys).profile.is_file()
    assert world.notes.said[-1] == "Note: The board is gone. The study goes by predicted latencies."
    with pytest.raises(DeviceError, match="gone"):
        world.open(**{**keys, "unreachable": "pause"})


def test_without_any_profile_a_board_has_to_be_there(world):
    world.unreachable()
    with pytest.raises(DeviceError, match="gone"):
        world.open(unreachable="predict")


def test_who_measures_nothing_asks_no_device(world):
    world.unreachable()
    assert world.open(measures=False) is None
    world.write(world.run.latency_profile)
    assert world.open(measures=False).profile == world.run.latency_profile
    assert world.notes.said == []


def test_candidates_aim_below_the_cap_by_the_margin():
    study_device = StudyDevice(device=ScriptedDevice(None), predictor=StubPredictor(), profile=Path())
    assert study_device.effective_budget(Budget(params=10_000, latency=1000)) == Budget(params=10_000, latency=800)
    assert study_device.effective_budget(Budget(params=10_000)) == Budget(params=10_000)
    assert study_device.facts(Budget(latency=1000)).effective_cap == 800


def test_a_study_without_latency_needs_no_device(tmp_path):
    assert latency.open_study_device(RunFolder(tmp_path), a_recipe(), Listener(), cache_dir=None) is None


def test_a_device_that_is_none_is_refused_at_once(tmp_path):
    recipe = latency_recipe()
    recipe = replace(recipe, latency=recipe.latency.model_copy(update={"device": "toaster"}))
    with pytest.raises(UserError, match="no device 'toaster'"):
        latency.open_study_device(RunFolder(tmp_path), recipe, Listener(), cache_dir=None)
