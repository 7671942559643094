from dataclasses import replace

import pytest
import torch
from strategies import tiny

from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.proxy import probe as module
from edgenext_search.training.proxy.probe import choose, options, probe
from edgenext_search.training.proxy.probe_request import ProbeRequest, Timing
from edgenext_search.training.proxy.recipe import TrainRecipe

PLAIN, LAST, BF16 = Numerics(), Numerics(channels_last=True), Numerics(precision="bf16")
COMPILED = Numerics(compile=True)
CPU = torch.device("cpu")


def a_request(steps=10, **recipe):
    return ProbeRequest(
        candidates=(tiny(), tiny()),
        recipe=TrainRecipe(img_size=32, batch_size=4, **recipe),
        num_classes=3,
        device="cpu",
        threads=1,
        steps_of_a_trial=steps,
    )


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({}, ["fp32", "fp32, channels_last", "bf16", "bf16, channels_last"]),
        ({"precision": "fp32"}, ["fp32", "fp32, channels_last"]),
        ({"channels_last": True}, ["fp32, channels_last", "bf16, channels_last"]),
        ({"precision": "fp16", "channels_last": False}, ["fp16"]),
        ({"precision": "bf16", "channels_last": False, "compile": True}, ["bf16, compiled"]),
    ],
)
def test_options_are_what_the_recipe_leaves_open(recipe, expected):
    assert [str(numerics) for numerics in options(TrainRecipe(**recipe), CPU)] == expected


def test_a_gpu_is_also_asked_for_fp16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    found = options(TrainRecipe(channels_last=False), torch.device("cuda"))
    assert [numerics.precision for numerics in found] == ["fp32", "fp16"]


def timing(numerics, ratio, agrees=True):
    return Timing(numerics=numerics, ratio=ratio, agrees=agrees)


@pytest.mark.parametrize(
    ("timings", "chosen"),
    [
        ([timing(PLAIN, 1.0)], PLAIN),
        ([timing(PLAIN, 1.0), timing(LAST, 0.5), timing(BF16, 0.4)], BF16),
        ([timing(PLAIN, 1.0), timing(LAST, 0.5), timing(BF16, 0.4, agrees=False)], LAST),
        ([timing(PLAIN, 1.0), timing(LAST, 0.97), timing(BF16, None)], PLAIN),  # too little to gain
        ([timing(PLAIN, 1.0), timing(LAST, 1.4)], PLAIN),
        ([timing(LAST, 1.0), timing(BF16, 0.97)], LAST),
        ([timing(LAST, None), timing(BF16, 0.97)], BF16),
        ([timing(BF16, 2.0, agrees=False)], BF16),  # the recipe leaves no other
    ],
)
def test_the_fastest_that_agrees_is_chosen_if_it_is_worth_it(timings, chosen):
    assert choose(timings) == chosen


def test_a_probe_times_every_option_on_real_steps():
    found = probe(a_request())
    assert found.timings[0].numerics == PLAIN
    assert {str(timing.numerics) for timing in found.timings} == {
        "fp32", "fp32, channels_last", "bf16", "bf16, channels_last"
    }  # fmt: skip
    assert found.timings[0].ratio == 1.0
    assert found.timings[0].agrees
    assert all(timing.ratio is None or timing.ratio > 0 for timing in found.timings)
    assert found.chosen in [timing.numerics for timing in found.timings]
    assert 0 < found.step_seconds < 60
    assert found.gpu_bytes == 0


class Clock:
    """Steps that take what the test says, whatever the machine is doing."""

    def __init__(self, monkeypatch, seconds, losses=None):
        self.seconds, self.losses, self.steps = seconds, losses or {}, []

        def step(run):
            numerics = run.trainer.numerics
            self.steps.append(numerics)
            run.loss = self.losses.get(numerics, 1.0)
            return seconds[numerics]

        monkeypatch.setattr(module._Run, "step", step)


def test_the_faster_layout_is_taken(monkeypatch):
    Clock(monkeypatch, {PLAIN: 1.0, LAST: 0.8})
    assert probe(a_request(precision="fp32")).chosen == LAST


def test_losses_that_differ_are_not_taken(monkeypatch):
    Clock(monkeypatch, {PLAIN: 1.0, LAST: 0.8}, losses={LAST: 1.03})
    found = probe(a_request(precision="fp32"))
    assert found.chosen == PLAIN
    assert [timing.agrees for timing in found.timings] == [True, False]


def test_a_loss_that_is_no_number_is_not_taken(monkeypatch):
    Clock(monkeypatch, {PLAIN: 1.0, LAST: 0.8}, losses={LAST: float("nan")})
    assert probe(a_request(precision="fp32")).chosen == PLAIN


def test_what_is_far_behind_is_given_up(monkeypatch):
    clock = Clock(monkeypatch, {PLAIN: 1.0, LAST: 1.6})
    found = probe(a_request(precision="fp32"))
    assert found.timings[1].ratio is None
    assert clock.steps.count(LAST) == 2 * (module.WARMUP + 1)  # of two candidates
    assert clock.steps.count(PLAIN) == 2 * (module.WARMUP + module.STEPS)


def test_the_reference_is_timed_even_where_the_recipe_excludes_it(monkeypatch):
    Clock(monkeypatch, {PLAIN: 10.0, BF16: 0.6, replace(BF16, channels_last=True): 0.5})
    found = probe(a_request(precision="bf16"))
    assert found.chosen == Numerics(precision="bf16", channels_last=True)
    assert [timing.ratio for timing in found.timings] == [1.0, 0.06, 0.05]


@pytest.mark.parametrize(("steps", "compiled"), [(500, False), (5000, True)])
def test_compilation_is_tried_only_for_trials_that_are_long_enough(monkeypatch, steps, compiled):
    monkeypatch.setattr(torch, "compile", lambda model: model)
    clock = Clock(monkeypatch, {PLAIN: 1.0, LAST: 1.0, COMPILED: 0.5})
    assert (probe(a_request(steps, precision="fp32")).chosen == COMPILED) == compiled
    assert (COMPILED in clock.steps) == compiled


def test_a_compilation_has_to_pay_for_itself(monkeypatch):
    found = []

    def step(run):
        found.append(run.trainer.numerics)
        run.loss = 1.0
        first = found.count(Numerics(compile=True)) == 1
        return 10_000.0 if run.trainer.numerics.compile and first else 0.5 if run.trainer.numerics.compile else 1.0

    monkeypatch.setattr(torch, "compile", lambda model: model)
    monkeypatch.setattr(module._Run, "step", step)
    result = probe(a_request(5000, precision="fp32", channels_last=False))
    assert result.chosen == PLAIN
    assert result.timings[-1] == Timing(numerics=Numerics(compile=True), ratio=0.5 + 2.0, agrees=True)
