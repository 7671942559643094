import json
import os
import subprocess
import sys
import time

import pytest

from edgenext_search.errors import UserError
from edgenext_search.latency.devices import benchmark_program
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.measurement import MeasureSettings

from ..conftest import script
from ..device_conformance import QUICK, DeviceConformance
from ..networks import convolutions


class TestCommand(DeviceConformance):
    """With a real script that times the model in ONNX Runtime."""

    @pytest.fixture
    def device(self, bench):
        return open_device(f"cmd:{bench}")


@pytest.fixture
def model(tmp_path):
    return convolutions(tmp_path / "model.onnx", 1)


@pytest.fixture
def refusal(tmp_path, model):
    """The message, and whether to try again, when a program is the given shell script."""

    def run(text, *, settings=QUICK):
        program = script(tmp_path / "program", f"#!/bin/sh\n{text}\n")
        with pytest.raises(DeviceError) as raised:
            open_device(f"cmd:{program}").measure([model], settings=settings)
        assert str(program) in str(raised.value)
        assert len(str(raised.value)) < 1000
        assert len(str(raised.value).splitlines()) == 1
        return str(raised.value), raised.value.transient

    return run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true", "it printed nothing"),
        ("echo hello", "must be, or end with, one JSON object, but ends with 'hello'"),
        ("echo '{\"times_us\": [1, 2'", "must be, or end with, one JSON object"),
        ("echo '[1, 2, 3]'", "must be, or end with, one JSON object"),
        ("echo '{}'", "times_us: the key is missing"),
        ("echo '{\"times_us\": []}'", "times_us: "),
        ("echo '{\"times_us\": [10, -3]}'", "times_us.2: must be greater than 0, but got -3"),
        ("echo '{\"times_us\": [1e400]}'", "times_us.1: must be a finite number, but got inf"),
        ('echo \'{"times_us": [1], "threads": 0}\'', "threads: must be greater than or equal to 1, but got 0"),
        ("printf '%100000s' | tr ' ' '['", "must be, or end with, one JSON object"),
        ("printf '\\377\\376\\000'", "must be, or end with, one JSON object"),
        ("echo 'CUDA out of memory' >&2; exit 3", "failed with code 3: CUDA out of memory"),
        ("kill -9 $$", "failed with code -9"),
        ("exit 1", "failed with code 1: it gives no reason"),
        ('echo \'{"error": "the board has no licence"}\'', "says: the board has no licence."),
    ],
)
def test_a_hostile_reply_is_refused_with_a_reason(refusal, text, message):
    said, transient = refusal(text)
    assert message in said
    assert not transient


@pytest.mark.parametrize("text", ["echo busy >&2; exit 75", 'echo \'{"error": "busy", "retry": true}\''])
def test_a_program_can_say_that_it_is_worth_trying_again(refusal, text):
    said, transient = refusal(text)
    assert "busy" in said
    assert transient


def test_ten_gigabytes_are_cut_off_early(refusal):
    begin = time.monotonic()
    said, transient = refusal("head -c 10000000000 /dev/zero")
    assert "printed more than 10,000,000 bytes and was stopped" in said
    assert not transient
    assert time.monotonic() - begin < 5


def test_what_never_ends_is_ended_with_all_that_it_started(refusal, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark_program, "STARTING_SECONDS", 0.3)
    said, transient = refusal(
        f"sleep 1000 & echo $! > {tmp_path}/child\nwait", settings=MeasureSettings(seconds=0.1, warmup_seconds=0)
    )
    assert "did not end within" in said
    assert transient
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        try:
            with open(f"/proc/{child}/stat") as file:  # noqa: PTH123
                if file.read().split()[2] == "Z":
                    break
        except FileNotFoundError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("its child is still running")


def test_a_pretty_printed_reply_and_one_without_facts(tmp_path, model):
    text = json.dumps({"times_us": [5.0, 6, 7.0] * 10}, indent=2)
    program = script(tmp_path / "program", f"#!/bin/sh\necho '{text}'\n")
    (measured,) = open_device(f"cmd:{program}").measure([model], settings=QUICK)
    assert measured.p50 == 6.0
    assert measured.conditions.to_dict() == {"device": f"cmd:{program}"}
    info = open_device(f"cmd:{program}").check()
    assert (info.runtime, info.threads) == ("unknown", None)


def test_what_the_program_gets(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = script(
        tmp_path / "my program",
        f"#!{sys.executable}\nimport json, os, sys\n"
        "facts = {name: os.environ['EDGENEXT_SEARCH_' + name] for name in ('SECONDS', 'MIN_RUNS')}\n"
        f"open('{tmp_path}/got', 'w').write(json.dumps([sys.argv[1:], facts]))\n"
        "print(json.dumps({'times_us': [3.0] * 20}))\n",
    )
    device = open_device("cmd:'./my program' --fp16 '$HOME;id'")
    assert device.name == f"cmd:'{program}' --fp16 '$HOME;id'"
    device.measure([model], settings=MeasureSettings(seconds=3, min_runs=7))
    arguments, facts = json.loads((tmp_path / "got").read_text())
    assert arguments == ["--fp16", "$HOME;id", str(model)]  # as written: no shell
    assert facts == {"SECONDS": "3.000", "MIN_RUNS": "7"}


def test_a_program_is_found_on_the_path(bench, monkeypatch):
    monkeypatch.setenv("PATH", f"{bench.parent}{os.pathsep}{os.environ['PATH']}")
    assert open_device("cmd:bench.sh").name == f"cmd:{bench}"


def test_a_script_without_its_first_line(tmp_path, model):
    program = script(tmp_path / "program", "echo '{}'\n")
    with pytest.raises(DeviceError, match="needs a first line such as #!/bin/sh"):
        open_device(f"cmd:{program}").measure([model], settings=QUICK)


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\r\necho\r\n", "\ufeff#!/bin/sh\necho\n", "\ufeff#!/usr/bin/env sh\r\necho\r\n"]
)
def test_a_script_that_windows_saved(tmp_path, text):
    program = tmp_path / "my bench.sh"
    program.write_bytes(text.encode())
    program.chmod(0o755)
    with pytest.raises(UserError, match="line ends or the byte-order mark of Windows") as caught:
        open_device(f"cmd:'{program}'")
    remedy = str(caught.value).split("`")[1]
    subprocess.run(remedy, shell=True, check=True)  # noqa: S602 - what the message says to type
    assert open_device(f"cmd:'{program}'").argv == (str(program),)
    assert subprocess.run([program], check=True, capture_output=True).stdout == b"\n"


def test_a_script_of_a_missing_program(tmp_path):
    program = script(tmp_path / "bench.sh", "#! /no/such/python -u\n")
    with pytest.raises(UserError, match=r"is run by /no/such/python, which does not exist"):
        open_device(f"cmd:{program}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cmd:", "got none"),
        ("cmd:'", "close its quotes"),
        ("cmd:./none.sh", "There is no program './none.sh'"),
        ("cmd:no-such-program", "There is no program 'no-such-program'; give its path"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(UserError, match=message):
        open_device(text)


def test_a_file_that_may_not_be_run(tmp_path):
    (tmp_path / "bench.sh").touch()
    with pytest.raises(UserError, match=r"make it executable with chmod \+x"):
        open_device(f"cmd:{tmp_path}/bench.sh")
