import json

import pytest
import worker_stubs
from strategies import tiny

from edgenext_search.execution import numerics as module
from edgenext_search.execution.numerics import TimingResult, fixed_numerics, probe_host, probes, trials_that_fit
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.probe_request import ProbeRequest
from edgenext_search.training.proxy.recipe import TrainRecipe

GIB = 2**30


@pytest.fixture
def asked(tmp_path):
    def ask(*, changes=None, threads=1, should_stop=lambda: False, steps=100):
        request = ProbeRequest(
            candidates=(tiny(), tiny(expand_ratio=3)),
            recipe=TrainRecipe(img_size=32, batch_size=4, **(changes or {})),
            num_classes=3,
            device="cpu",
            threads=threads,
            steps_of_a_trial=steps,
        )
        return probe_host(request, cache_dir=tmp_path / "cache", should_stop=should_stop)

    return ask


@pytest.mark.parametrize(
    ("recipe", "fixed"),
    [
        ({}, None),
        ({"precision": "bf16"}, None),
        ({"precision": "bf16", "channels_last": True}, None),
        (
            {"precision": "bf16", "channels_last": True, "compile": False},
            Numerics(precision="bf16", channels_last=True),
        ),
        ({"channels_last": True, "compile": False}, None),
    ],
)
def test_fixed_numerics_need_no_probe(recipe, fixed):
    assert fixed_numerics(TrainRecipe(**recipe)) == fixed


def test_a_host_is_probed_once(asked, tmp_path, monkeypatch):
    first = asked()
    assert first.note is None
    (record,) = probes(tmp_path / "cache")
    assert record.chosen.numerics == first.numerics
    assert record.timings[0] == TimingResult(**Numerics().to_dict(), ratio=1.0, agrees=True)
    assert record.img_size == 32
    monkeypatch.setattr(module, "ProcessGroup", lambda *_, **__: pytest.fail("probed again"))
    assert asked() == first


@pytest.mark.parametrize(
    "other",
    [
        {"changes": {"precision": "fp32"}},
        {"changes": {"lr": 1e-4}},
        {"threads": 2},
        {"steps": 10_000},
    ],
)
def test_each_kind_of_work_has_its_probe(asked, tmp_path, monkeypatch, other):
    monkeypatch.setattr(module, "run_probe", worker_stubs.probed)
    asked()
    asked()
    assert len(probes(tmp_path / "cache")) == 1
    asked(**other)
    assert len(probes(tmp_path / "cache")) == 2


def test_a_damaged_record_is_probed_anew(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "run_probe", worker_stubs.probed)
    first = asked()
    (file,) = (tmp_path / "cache" / module.FOLDER).iterdir()
    for text in ("", "{", "[]", json.dumps({"chosen": {"speed": 3}, "gpu_bytes": 0})):
        file.write_text(text)
        assert asked() == first
        assert json.loads(file.read_text())["chosen"] == first.numerics.to_dict()


@pytest.mark.parametrize(
    ("stub", "note"),
    [
        (worker_stubs.fails, "so fp32: ValueError: no"),
        (worker_stubs.is_killed, "so fp32: probe was killed by SIGKILL"),
    ],
)
def test_a_probe_that_fails_leaves_fp32_and_says_so(asked, tmp_path, monkeypatch, stub, note):
    monkeypatch.setattr(module, "run_probe", stub)
    found = asked()
    assert found.numerics == Numerics()
    assert note in found.note
    assert probes(tmp_path / "cache") == []


def test_a_probe_that_hangs_is_ended(asked, monkeypatch):
    monkeypatch.setattr(module, "run_probe", worker_stubs.hangs)
    monkeypatch.setattr(module, "LONGEST", 1.0)
    assert asked().note.endswith("it took longer than 1 s")


def test_a_stop_ends_a_probe(asked, monkeypatch):
    monkeypatch.setattr(module, "run_probe", worker_stubs.hangs)
    assert asked(should_stop=lambda: True).note.endswith("it was stopped")


@pytest.mark.parametrize(
    ("gpu_bytes", "total", "count"),
    [
        (0, 80 * GIB, 1),  # unknown
        (GIB, 80 * GIB, 8),  # never more than eight
        (10 * GIB, 80 * GIB, 6),
        (60 * GIB, 80 * GIB, 1),
        (90 * GIB, 80 * GIB, 1),  # micro-batches will be needed
    ],
)
def test_how_many_trials_share_a_gpu(gpu_bytes, total, count):
    assert trials_that_fit(gpu_bytes, total) == count
