import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgenext_search.latency.devices.benchmark_program import ProgramOutput, read_output
from edgenext_search.latency.devices.bounded_process import Finished
from edgenext_search.latency.devices.device import DeviceError

from ..damage import assert_one_line, damaged_bytes, damaged_json

FACTS = {"runtime": "TensorRT", "version": "10.3", "machine": "Orin", "threads": 1}
VALUES = {"times_us": [8123.4, 8119.0, 8127.7], **FACTS}
WHOLE = json.dumps(VALUES).encode()


def finished(stdout, code=0, stderr=""):
    return Finished(code=code, stdout=stdout, stderr=stderr)


def test_an_output_after_a_log():
    output = read_output("cmd:x", finished(b"loading\n" + WHOLE + b"\n"))
    assert output == ProgramOutput(**VALUES)
    assert output.conditions("cmd:x").to_dict() == {"device": "cmd:x", **FACTS}


@settings(max_examples=300)
@given(
    stdout=st.binary() | damaged_bytes(WHOLE) | damaged_json(VALUES) | damaged_json({"error": "busy", "retry": True})
)
@example(stdout=b"[" * 100_000)
@example(stdout=b'{"a":' * 100_000)
@example(stdout=b'{"times_us": [' + b"9" * 5000 + b"]}")
@example(stdout=b'{"times_us": [1], "machine": "\\ud800"}')
@example(stdout=b'{"error": "\\ud800\\u001b[31m\\n"}')
def test_any_output_is_read_or_refused_in_one_line(stdout):
    try:
        output = read_output("cmd:x", finished(stdout))
    except DeviceError as error:
        assert_one_line(str(error))
    else:
        assert all(0 < time <= 1e10 for time in output.times_us)
        assert all(text.isprintable() for text in (output.runtime, output.version, output.machine) if text)


@given(code=st.integers(-64, 255).filter(bool), stderr=st.text())
def test_a_failure_is_one_line_whatever_the_program_says(code, stderr):
    with pytest.raises(DeviceError) as raised:
        read_output("cmd:x", finished(b"", code=code, stderr=stderr))
    assert_one_line(str(raised.value))
    assert raised.value.transient is (code == 75)
