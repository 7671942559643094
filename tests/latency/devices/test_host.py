import sys

import pytest

from edgenext_search.errors import UserError
from edgenext_search.latency.devices import onboard_call as job
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.host import HostDevice
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import MeasureSettings

from ..device_conformance import QUICK, DeviceConformance


class TestHost(DeviceConformance):
    @pytest.fixture
    def device(self):
        return open_device("host")

    def test_the_state_of_the_machine(self, device, models):
        (measured,) = device.measure(models[:1], settings=QUICK)
        conditions = measured.conditions
        assert conditions.opset == 17
        assert conditions.provider == "CPUExecutionProvider"
        assert conditions.spinning is False
        assert conditions.cpu
        assert conditions.before is not None
        assert {"load", "governor", "temperature"} <= conditions.to_dict().keys()

    def test_the_time_is_kept(self, device, models):
        (measured,) = device.measure(
            models[1:], settings=MeasureSettings(seconds=0.3, warmup_seconds=0.01, precision=1e-9)
        )
        assert measured.n * measured.min < 0.4e6

    def test_precision_ends_it_early(self, device, models):
        settings = MeasureSettings(seconds=60, warmup_seconds=0.01, precision=0.9)
        (measured,) = device.measure(models[:1], settings=settings)
        assert measured.n * measured.p50 < 10e6


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("host", "host"),
        (" host ", "host"),
        ("host?", "host"),
        ("host?threads=1", "host"),
        ("host?threads=4", "host?threads=4"),
        ("host?threads=2&provider=CPUExecutionProvider&spinning=on", "host?spinning=on&threads=2"),
        ("host?provider=CUDAExecutionProvider", "host?provider=CUDAExecutionProvider"),
    ],
)
def test_names(text, name):
    assert open_device(text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no device"),
        ("hots", "There is no device 'hots': give host, ssh"),
        ("host:4", "The host is written host"),
        ("host?thread=4", "no option 'thread'; there are threads, provider, spinning. Did you mean threads?"),
        ("host?threads=", "must have a value"),
        ("host?threads=0", "whole number from 1 to 1024, but got '0'"),
        ("host?threads=²", "whole number"),
        ("host?threads=1&threads=2", "given twice"),
        ("host?spinning=maybe", "on or off"),
        ("host?provider=cuda", "such as CPUExecutionProvider"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        open_device(text)


def test_a_provider_that_is_not_there():
    with pytest.raises(DeviceError, match=r"onnxruntime here has .*CPUExecutionProvider") as raised:
        open_device("host?provider=NoSuchExecutionProvider").check()
    assert not raised.value.transient


def test_without_onnxruntime(tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"no usable onnxruntime .*libgomp.*-m pip install onnxruntime") as raised:
        HostDevice().check()
    assert not raised.value.transient


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            'import os; print(\'{"event": "info", "runtime": "o", "version": "1", "cpu": "c"}\'); os._exit(0)',
            "ended in the middle of its reply",
        ),
        ("import sys; sys.exit('Killed')", r"ended in the middle of its reply \(Killed\)"),
        ('print(\'{"event": "measured", "index": 0, "measurement": {"p5\')', "is not JSON"),
        ('print(\'{"event": "measured", "index": 0, "measurement": {"p50": -1}}\')', "p50: must be greater than 0"),
        ("while True: print('x' * 1000)", "printed more than"),
        ("import time; time.sleep(60)", "printed nothing"),
    ],
    ids=["half", "killed", "cut", "wrong", "flood", "silence"],
)
def test_a_reply_that_is_not_whole(models, monkeypatch, program, message):
    monkeypatch.setattr(job, "BOOTSTRAP", program)
    monkeypatch.setattr(job, "SILENT_SECONDS", 0.5)
    with pytest.raises(DeviceError, match=message) as raised:
        HostDevice().measure(models, settings=QUICK)
    assert raised.value.transient


@pytest.fixture
def models(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"never read")
    return [path]


def test_what_runs_here_is_this_python():
    assert HostDevice().check().version == __import__("onnxruntime").__version__
    assert sys.executable
