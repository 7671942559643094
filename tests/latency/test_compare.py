import json
from pathlib import Path

import pytest
from strategies import seeded

from edgenext_search.errors import UserError
from edgenext_search.latency.compare import compare
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import Measurement

from .networks import convolutions

A, B = Path("a.onnx"), Path("b.onnx")


class Noisy:
    """A device on which each process is luckier with one of the two models, and the second one pays ``second``."""

    name = "noisy"

    def __init__(self, times, noise, second=1.0):
        self.times, self.noise, self.second, self.rng, self.calls = times, noise, second, seeded(0), []

    def measure(self, models, *, reference=None, settings=None, progress=None):
        (model,) = models
        self.calls.append((model, reference, settings.seconds))
        ratio = self.times[model] / self.times[reference] / self.second * (1 + self.rng.gauss(0, self.noise))
        time = self.times[model]
        return [
            Measurement(
                p50=time,
                p90=time,
                min=time,
                low=time,
                high=time,
                n=99,
                ratio=ratio,
                reference_p50=self.times[reference],
            )
        ]


def test_a_difference_is_found_with_its_sign():
    device = Noisy({A: 900.0, B: 1000.0}, 0.01)
    found = compare(device, A, B, seconds=16)
    assert found.finding == "faster"
    assert found.low < 0.9 < found.high
    assert (found.a_p50, found.b_p50, found.rounds) == (900, 1000, 8)
    assert compare(device, B, A, seconds=16).finding == "slower"
    assert {seconds for _, _, seconds in device.calls} == {2.0}


def test_the_places_change_so_that_a_bias_of_the_place_cancels():
    device = Noisy({A: 1000.0, B: 1000.0}, 0.0, second=1.05)
    found = compare(device, A, B)
    assert found.ratio == pytest.approx(1)
    assert found.finding == "no difference shown"
    assert [call[:2] for call in device.calls] == [(A, B), (B, A)] * 4


def test_equal_models_are_seldom_told_apart():
    device = Noisy({A: 1000.0, B: 1000.0}, 0.02)
    findings = [compare(device, A, B).finding for _ in range(200)]
    assert findings.count("no difference shown") >= 180


def test_a_model_against_itself():
    assert compare(Noisy({A: 1000.0}, 0.0), A, A).ratio == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [({"rounds": 3}, "even number >= 4"), ({"rounds": 2}, "even number >= 4"), ({"seconds": 1}, "from 4 to 86400")],
)
def test_what_cannot_be_compared(values, message):
    with pytest.raises(UserError, match=message):
        compare(Noisy({A: 1.0, B: 1.0}, 0), A, B, **values)


def test_on_this_host(tmp_path):
    one, five = convolutions(tmp_path / "1.onnx", 1), convolutions(tmp_path / "5.onnx", 5)
    calls = []
    found = compare(
        open_device("host"), one, five, seconds=4, rounds=4, progress=lambda done, total: calls.append((done, total))
    )
    assert found.finding == "faster"
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert json.loads(json.dumps(found.to_dict()))["finding"] == "faster"
