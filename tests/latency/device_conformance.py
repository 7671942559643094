"""What every device has to do: inherit, give the fixture ``device``, and the tests come for free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import Measurement, MeasureSettings

from .networks import convolutions

QUICK = MeasureSettings(seconds=0.4, warmup_seconds=0.02, precision=0.02)


class DeviceConformance:
    """The promises of :class:`edgenext_search.latency.devices.device.Device`.

    A subclass gives ``device``, and may give ``left_behind``: a function that lists what a measurement has left.
    """

    @pytest.fixture
    def device(self):
        """The device under test."""
        raise NotImplementedError

    @pytest.fixture
    def left_behind(self):
        """Names of temporary files on the device."""
        return list

    @pytest.fixture
    def models(self, tmp_path):
        """A network of one convolution, and one of twelve."""
        folder = tmp_path / "models of a device's tests"  # a path with blanks
        folder.mkdir()
        return [convolutions(folder / "it's small.onnx", 1), convolutions(folder / "large.onnx", 12)]

    def test_its_name_is_canonical(self, device):
        again = open_device(device.name)
        assert type(again) is type(device)
        assert again.name == device.name
        assert again == device

    def test_it_says_what_it_is(self, device):
        info = device.check()
        assert info.name == device.name
        assert info.runtime == "onnxruntime"
        assert info.version
        assert info.machine
        assert info.threads == 1

    def test_it_measures_in_order(self, device, models, left_behind):
        calls = []
        measured = device.measure(models, settings=QUICK, progress=lambda *counts: calls.append(counts))
        small, large = measured
        assert large.p50 > 3 * small.p50
        assert calls[-1] == (2, 2)
        assert [done for done, _ in calls] == sorted(done for done, _ in calls)
        for one in measured:
            assert one.min <= one.low <= one.p50 <= one.high
            assert one.n >= 3
            assert one.ratio is None
            assert one.conditions.device == device.name
            assert one.conditions.runtime == "onnxruntime"
            assert one.conditions.threads == 1
            assert Measurement.read(one.to_dict(), where="") == one
        assert left_behind() == []

    def test_beside_a_reference(self, device, models):
        small, large = models
        (measured,) = device.measure([large], reference=small, settings=replace(QUICK, seconds=1.0))
        assert measured.ratio > 3
        assert measured.reference_p50 < measured.p50
        if measured.ratio_low is not None:  # a slow machine may not make turns enough in a second
            assert measured.ratio_low <= measured.ratio <= measured.ratio_high

    def test_nothing_to_measure(self, device):
        assert device.measure([], settings=QUICK) == []

    def test_a_model_that_is_not_there_is_found_before_any_work(self, device, models, tmp_path):
        def progress(*_counts):
            pytest.fail("the first model was measured")

        with pytest.raises(UserError, match="There is no model"):
            device.measure([models[0], tmp_path / "none.onnx"], settings=QUICK, progress=progress)

    def test_a_model_that_cannot_run(self, device, models, tmp_path, left_behind):
        broken = tmp_path / "broken.onnx"
        broken.write_bytes(b"this is no network")
        with pytest.raises(DeviceError) as raised:
            device.measure([models[0], broken], settings=QUICK)
        assert device.name in str(raised.value)
        assert not raised.value.transient
        assert len(str(raised.value).splitlines()) == 1
        assert left_behind() == []
