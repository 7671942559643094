"""Against a stub of the adb client, which says that it is one: no Android device takes part."""

import pytest

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.open import open_device

from ..device_conformance import QUICK, DeviceConformance
from ..networks import convolutions


class TestAdbStub(DeviceConformance):
    @pytest.fixture
    def device(self, adb_root, bench):
        return open_device(f"adb://PHONE1?program={bench}")

    @pytest.fixture
    def left_behind(self, adb_root):
        return lambda: [path.name for path in adb_root.iterdir()]


@pytest.mark.parametrize(
    ("serial", "message", "transient"),
    [("GONE", "it is not connected; see adb devices", True), ("LOCKED", "unlock it and allow USB debugging", False)],
)
def test_a_device_that_is_not_ready(adb_root, bench, serial, message, transient):
    with pytest.raises(DeviceError, match=message) as raised:
        open_device(f"adb://{serial}?program={bench}").check()
    assert raised.value.transient is transient


def test_a_full_device(adb_root, bench, tmp_path):
    (adb_root / "full").touch()
    with pytest.raises(DeviceError, match="it has no room for the model") as raised:
        open_device(f"adb://PHONE1?program={bench}").measure([convolutions(tmp_path / "m.onnx", 1)], settings=QUICK)
    assert not raised.value.transient
    assert [path.name for path in adb_root.iterdir()] == ["full"]


def test_without_the_client(bench, monkeypatch, tmp_path):
    device = open_device(f"adb://PHONE1?program={bench}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="install the Android platform tools"):
        device.check()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adb:PHONE1", "is written adb://serial"),
        ("adb://", "is written adb://serial"),
        ("adb://-x?program=sh", "is written adb://serial"),
        ("adb://PHONE1", "needs a benchmark program to copy there"),
        ("adb://PHONE1?threads=2", "no option 'threads'"),
        ("adb://PHONE1?program=./none", "There is no program"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(UserError, match=message):
        open_device(text)


def test_a_network_serial(bench):
    assert open_device(f"adb://192.168.1.5:5555?program={bench}").name == f"adb://192.168.1.5:5555?program={bench}"
