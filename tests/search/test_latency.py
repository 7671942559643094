"""Latency in a study, with a device that is a script; the device itself is tested in tests/latency."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from strategies import ByMadds

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.published import published_variant
from edgenext_search.errors import UserError
from edgenext_search.latency.device import DeviceError
from edgenext_search.models import measurable
from edgenext_search.search import latency
from edgenext_search.search.finalists import BASELINE
from edgenext_search.search.latency import FinalistGauge, Gauge
from edgenext_search.search.listener import Listener
from edgenext_search.search.summary import summarize

from .builders import Lab, a_measurement, a_recipe

CAP = 1_000  # microseconds of :class:`ByMadds`, a little above what the space's smallest candidates take


def latency_recipe(**search):
    recipe = a_recipe(trials=8, **search)
    return recipe.model_copy(update={"budget": {"params": 60_000, "latency": CAP}})


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
        assert (settings.precision, settings.seconds) == (0.01, 20.0)
        names = [path.stem for path in models]
        self.asked += names
        progress(len(names), len(names))
        return [a_measurement(self.latency_of(name)) for name in names]


class StubPredictor(ByMadds):
    margin = 1.25

    class profile:  # noqa: N801 - an attribute
        reference = published_variant("edgenext_xx_small").candidate
        reference_us = 500.0

    conditions: ClassVar = {"cpu": "a stub"}

    class held_out:  # noqa: N801 - an attribute
        @staticmethod
        def to_dict():
            return {"within_5": 0.9}


@pytest.fixture(autouse=True)
def _no_networks(monkeypatch):
    monkeypatch.setattr(measurable, "export_for_measuring", lambda _c, _d, path: Path(path).write_bytes(b"model"))


def finalist_gauge(lab, device, *, listener=None, should_stop=lambda: False):
    gauge = Gauge(device=device, predictor=StubPredictor(), profile=Path())
    return FinalistGauge(gauge, lab.recipe, lab.store(), listener or Listener(), should_stop=should_stop)


def searched(recipe):
    lab = Lab(recipe)
    lab.coordinator(_executor()).search()
    return lab


def _executor():
    from .builders import FakeExecutor

    return FakeExecutor()


def finish(lab, device, **others):
    measure = finalist_gauge(lab, device, **others)
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
            replace(found, ratio=1.8, ratio_low=1.79, ratio_high=1.81, reference_p50=1000.0)
            for found in seen(self, models, **others)
        ]

    monkeypatch.setattr(ScriptedDevice, "measure", measure)
    finalists = finish(lab, device, listener=notes)
    measured = finalists[0].measured
    assert (measured.measurement.p50, measured.verdict) == (pytest.approx(900.0), "pass")
    assert measured.measurement.conditions["seen_p50"] == 1800.0
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
    assert sum(not f.measured.refused for f in finalists) >= lab.recipe.search.finalists
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
    lab.store().set_fact("latency", {"device": "host", "cap": CAP, "aim": 800, "margin": 1.25})
    from edgenext_search.search.folder import RunFolder

    said = summarize(RunFolder(tmp_path), lab.recipe, lab.store())["latency"]
    assert (said["measured"], said["passed"]) == (len(speeds), 0)


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
    recipe = recipe.model_copy(update={"latency": recipe.latency.model_copy(update={"unreachable": "predict"})})
    lab, notes = searched(recipe), Notes()
    finalists = finish(lab, ScriptedDevice(None, fails=DeviceError("Gone.", transient=True)), listener=notes)
    assert {f.measured for f in finalists} == {None}
    assert all(f.scores for f in finalists)
    assert "Note: Gone. The finalists go by their predicted latencies." in notes.said


def test_what_no_waiting_mends_stops_the_study_whatever_its_file_says():
    recipe = latency_recipe()
    recipe = recipe.model_copy(update={"latency": recipe.latency.model_copy(update={"unreachable": "predict"})})
    with pytest.raises(DeviceError):
        finish(searched(recipe), ScriptedDevice(None, fails=DeviceError("No onnxruntime.", transient=False)))


def test_it_stops_between_networks_when_asked():
    lab = searched(latency_recipe())
    device = ScriptedDevice(lambda _: 900.0)
    assert not finalist_gauge(lab, device, should_stop=lambda: True)(lab.trials())
    assert device.asked == []


def test_candidates_aim_below_the_cap_by_the_margin():
    gauge = Gauge(device=ScriptedDevice(None), predictor=StubPredictor(), profile=Path())
    assert gauge.aim(Budget(params=10_000, latency=1000)) == Budget(params=10_000, latency=800)
    assert gauge.aim(Budget(params=10_000)) == Budget(params=10_000)
    assert gauge.facts(Budget(latency=1000))["aim"] == 800


def test_a_study_without_latency_needs_no_device(tmp_path):
    from edgenext_search.search.folder import RunFolder

    assert latency.open_gauge(RunFolder(tmp_path), a_recipe(), Listener(), cache_dir=None) is None


def test_a_device_that_is_none_is_refused_at_once(tmp_path):
    from edgenext_search.search.folder import RunFolder

    recipe = latency_recipe()
    recipe = recipe.model_copy(update={"latency": recipe.latency.model_copy(update={"device": "toaster"})})
    with pytest.raises(UserError, match="no device 'toaster'"):
        latency.open_gauge(RunFolder(tmp_path), recipe, Listener(), cache_dir=None)
