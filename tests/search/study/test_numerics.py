import json
from dataclasses import replace

import pytest
import worker_stubs
from study_builders import a_recipe

from edgenext_search.arch.projection import Projection
from edgenext_search.search.study import numerics as module
from edgenext_search.search.study.numerics import fixed_numerics, probe_host, probes, trials_that_fit
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy.job import Placement
from edgenext_search.training.proxy.recipe import TrainRecipe

GIB = 2**30


@pytest.fixture
def asked(tmp_path):
    def ask(*, changes=None, place=None, should_stop=lambda: False, train_images=100):
        recipe = a_recipe()
        recipe = replace(recipe, proxy=TrainRecipe(img_size=32, batch_size=4, **(changes or {})))
        projection = Projection(recipe.space, recipe.budget, recipe.deployment)
        return probe_host(
            recipe,
            projection,
            place or Placement(),
            num_classes=3,
            train_images=train_images,
            cache_dir=tmp_path / "cache",
            should_stop=should_stop,
        )

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
def test_what_a_recipe_fixes_needs_no_probe(recipe, fixed):
    assert fixed_numerics(TrainRecipe(**recipe)) == fixed


def test_a_host_is_probed_once(asked, tmp_path, monkeypatch):
    first = asked()
    assert first.note is None
    (facts,) = probes(tmp_path / "cache")
    assert facts["chosen"] == first.numerics.to_dict()
    assert facts["timings"][0] == {**Numerics().to_dict(), "ratio": 1.0, "agrees": True}
    assert facts["img_size"] == 32
    monkeypatch.setattr(module, "_run", lambda *_: pytest.fail("probed again"))
    assert asked() == first


@pytest.mark.parametrize(
    "other",
    [
        {"changes": {"precision": "fp32"}},
        {"changes": {"lr": 1e-4}},
        {"place": Placement(threads=2)},
        {"train_images": 10_000},
    ],
)
def test_other_work_is_probed_anew(asked, tmp_path, monkeypatch, other):
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
        (worker_stubs.probe_fails, "so fp32: ValueError: no"),
        (worker_stubs.probe_dies, "so fp32: its process ended with exit code -9"),
    ],
)
def test_a_probe_that_fails_leaves_fp32_and_says_so(asked, tmp_path, monkeypatch, stub, note):
    monkeypatch.setattr(module, "run_probe", stub)
    found = asked()
    assert found.numerics == Numerics()
    assert found.note.endswith(note)
    assert probes(tmp_path / "cache") == []


def test_a_probe_that_hangs_is_ended(asked, monkeypatch):
    monkeypatch.setattr(module, "run_probe", worker_stubs.probe_hangs)
    monkeypatch.setattr(module, "LONGEST", 1.0)
    assert asked().note.endswith("it took longer than 1 s")


def test_a_stop_ends_a_probe(asked, monkeypatch):
    monkeypatch.setattr(module, "run_probe", worker_stubs.probe_hangs)
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
