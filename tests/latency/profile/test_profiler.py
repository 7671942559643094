import json
from dataclasses import replace

import pytest
from latency_profiles import DEPLOYMENT, INFO, MadeUpDevice, export_nothing

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.spaces.space import Space
from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.profile import profiler
from edgenext_search.latency.profile.journal import MOST_TRIES
from edgenext_search.latency.profile.profile import Profile
from edgenext_search.latency.profile.profiler import ProfileSettings, measure_profile

SETTINGS = ProfileSettings(networks=30, stages=8)
SPACE = Space.load("edgenext")


@pytest.fixture(autouse=True)
def _quick_exports(monkeypatch):
    export_nothing(monkeypatch)


def profile(out, device=None, deployment=DEPLOYMENT, **options):
    return measure_profile(device or MadeUpDevice(), SPACE, deployment, out, **{"settings": SETTINGS, **options})


def without_times(profile):
    values = profile.to_dict()
    return {name: value for name, value in values.items() if name not in ("seconds", "conditions")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        export_nothing(patch)
        return profile(tmp_path_factory.mktemp("profile") / "board.json")


def test_a_profile_is_one_file(tmp_path):
    out, heard = tmp_path / "board.json", []
    found = profile(out, progress=lambda done, total: heard.append((done, total)))
    assert Profile.load(out).to_dict() == found.to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["board.json"]
    assert heard[0] == (0, 38)
    assert heard[-1] == (38, 38)
    assert heard == sorted(heard)
    assert found.conditions.networks == 30
    assert found.conditions.stages == 8


def test_times_refer_to_one_speed_though_the_machine_changes_its_own(undisturbed):
    fastest, slowest = undisturbed.reference.range
    assert slowest > 1.05 * fastest
    assert fastest < undisturbed.reference.microseconds < slowest
    assert undisturbed.held_out.mean_error < 0.05


@pytest.mark.parametrize("fail_at", [0, 1, 13, 37])
def test_a_profile_that_failed_goes_on_and_ends_like_one_that_did_not(tmp_path, undisturbed, fail_at):
    out = tmp_path / "board.json"
    kept = fail_at // profiler.GROUP * profiler.GROUP
    with pytest.raises(DeviceError, match=f"the board is gone. {kept} of 38 models are measured") as error:
        profile(out, MadeUpDevice(fail_at=fail_at))
    assert error.value.transient
    assert not out.exists()
    device = MadeUpDevice()
    assert without_times(profile(out, device)) == without_times(undisturbed)
    assert device.measured == 38 - kept


def test_what_was_disturbed_is_measured_again(tmp_path, undisturbed):
    """A busy spell in which times double, and not alike: without the repetitions it would spoil the profile."""
    device = MadeUpDevice(busy_until=14, wild=0.2)
    found = profile(tmp_path / "board.json", device)
    assert device.measured == 38 + 14
    assert without_times(found) == without_times(undisturbed)
    assert found.conditions.measurements == 52
    spoilt = profile(
        tmp_path / "busy.json", MadeUpDevice(busy_until=14, wild=0.2), settings=replace(SETTINGS, minutes=1e-9)
    )
    assert spoilt.reference.range[1] > 1.9 * found.reference.microseconds


def test_a_device_that_is_always_busy_ends_all_the_same(tmp_path):
    device = MadeUpDevice()
    device.check = lambda: INFO

    def measure(models, **options):
        found = MadeUpDevice.measure(device, models, **options)
        return [
            entry.model_copy(update={"ratio_low": 0.8 * entry.ratio, "ratio_high": 1.2 * entry.ratio})
            for entry in found
        ]

    device.measure = measure
    profile(tmp_path / "board.json", device)
    assert device.measured == MOST_TRIES * 38


def test_a_line_that_was_cut_short_is_measured_again(tmp_path, undisturbed):
    out, partial = tmp_path / "board.json", tmp_path / "board.json.partial"
    with pytest.raises(DeviceError):
        profile(out, MadeUpDevice(fail_at=20))
    text = partial.read_text("utf-8")
    partial.write_text(text[:-40], "utf-8")
    device = MadeUpDevice()
    assert without_times(profile(out, device)) == without_times(undisturbed)
    assert device.measured == 38 - 12


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"device": MadeUpDevice(info=INFO.model_copy(update={"version": "2.0"}))}, "device"),
        ({"deployment": Deployment(num_classes=10)}, "deployment"),
        ({"settings": ProfileSettings(networks=40, stages=8)}, "plan"),
    ],
)
def test_measurements_of_another_profile_are_not_mixed_in(tmp_path, changed, what):
    out = tmp_path / "board.json"
    with pytest.raises(DeviceError):
        profile(out, MadeUpDevice(fail_at=7))
    with pytest.raises(UserError, match=rf"of another profile \({what} differs\)"):
        profile(out, **changed)


def test_a_profile_is_never_overwritten(tmp_path):
    out = tmp_path / "board.json"
    out.write_text("mine", "utf-8")
    with pytest.raises(UserError, match="exists already"):
        profile(out)
    assert out.read_text("utf-8") == "mine"


def test_a_profile_that_was_killed_before_its_last_step_ends(tmp_path, undisturbed, monkeypatch):
    out, device = tmp_path / "board.json", MadeUpDevice()

    def killed(path, text):
        write_text(path, text)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(profiler, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            profile(out, device)
    assert without_times(profile(out, device)) == without_times(undisturbed)
    assert device.measured == 38
    assert [path.name for path in tmp_path.iterdir()] == ["board.json"]


def test_a_missing_folder_is_said_before_any_work(tmp_path):
    device = MadeUpDevice()
    with pytest.raises(UserError, match="There is no folder"):
        profile(tmp_path / "none" / "board.json", device)
    assert device.measured == 0


def test_time_that_is_up_ends_a_profile_with_what_it_has(tmp_path):
    short = replace(SETTINGS, networks=60, minutes=1e-9)
    found = profile(tmp_path / "board.json", settings=short)
    assert 24 <= found.conditions.networks < 30
    assert json.loads((tmp_path / "board.json").read_text("utf-8"))["conditions"]["networks"] >= 24


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"networks": 23}, "networks must be >= 24"),
        ({"stages": -1}, "stages"),
        ({"minutes": 0}, "minutes must be > 0"),
        ({"seconds": 0.1}, "seconds must be >= 0.2"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(UserError, match=message):
        ProfileSettings(**values)
