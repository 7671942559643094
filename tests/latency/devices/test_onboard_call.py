import json
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgenext_search.latency.devices import onboard_call
from edgenext_search.latency.devices.bounded_process import Finished
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.onboard_call import DEFAULT_RUNTIME, Job, Runtime, call_onboard

from ..damage import assert_one_line, damaged_bytes, damaged_json

INFO = {"event": "info", "runtime": "onnxruntime", "version": "1.2", "cpu": "a processor"}
MEASURED = {
    "event": "measured",
    "index": 0,
    "measurement": {
        "p50": 10.0, "p90": 12.0, "min": 9.0, "low": 9.5, "high": 10.5, "n": 100,
        "conditions": {"cpu": "a processor", "load": 0.5, "before": {"load": 0.1, "governor": None}},
    },
}  # fmt: skip
ERROR = {"event": "error", "kind": "model", "message": "no such operator"}
DONE = {"event": "done"}


def lines(*events):
    return [json.dumps(event).encode() for event in events]


def call(reply, *, code=0, models=1):
    """The result of a call whose process prints the given lines."""

    def run(argv, *, limits, stdin, on_line):
        for line in reply:
            on_line(line)
        return Finished(code=code, stdout=b"", stderr="")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onboard_call, "run", run)
        job = Job(runtime=DEFAULT_RUNTIME, models=tuple(f"{index}.onnx" for index in range(models)))
        return call_onboard("board", job, argv=lambda _: ["python"], python=sys.executable, where="there")


def test_a_whole_reply():
    info, (measured,) = call([b"Welcome!", *lines(INFO, {"event": "alive"}, MEASURED, DONE)])
    assert (info.name, info.runtime, info.machine, info.threads) == ("board", "onnxruntime", "a processor", 1)
    assert (measured.p50, measured.conditions.device, measured.conditions.load) == (10.0, "board", 0.5)


@pytest.mark.parametrize(
    "reply",
    [[INFO, DONE], [MEASURED, DONE], [INFO, MEASURED], [INFO, MEASURED | {"index": 1}, DONE]],
    ids=["nothing measured", "no info", "no end", "another model"],
)
def test_a_reply_that_lacks_something_is_refused(reply):
    with pytest.raises(DeviceError, match="ended in the middle of its reply") as raised:
        call(lines(*reply))
    assert raised.value.transient


@pytest.mark.parametrize(
    ("kind", "message", "transient"),
    [("runtime", "pip install onnxruntime", False), ("provider", "does not have", False),
     ("model", "cannot run the model", False), ("disk", "has no room", False), ("job", "could not do the job", True)],
)  # fmt: skip
def test_errors_of_the_board(kind, message, transient):
    with pytest.raises(DeviceError, match=message) as raised:
        call(lines(ERROR | {"kind": kind}))
    assert raised.value.transient is transient


any_line = (
    st.binary()
    | st.binary().map(lambda content: b'{"' + content)
    | st.sampled_from([INFO, MEASURED, ERROR]).flatmap(
        lambda event: damaged_json(event) | damaged_bytes(json.dumps(event).encode())
    )
)


@settings(max_examples=300)
@given(line=any_line)
@example(line=b'{"a":' * 100_000)
@example(line=b'{"event": "measured", "index": 1' + b"0" * 5000 + b"}")
@example(line=b'{"event": "error", "kind": "\\ud800", "message": "\\u001b[2J"}')
def test_any_line_is_read_or_refused_in_one_line(line):
    try:
        info, (measured,) = call([*lines(INFO, MEASURED), line, *lines(DONE)])
    except DeviceError as error:
        assert_one_line(str(error))
    else:
        assert measured.p50 > 0
        assert all(text.isprintable() for text in (info.runtime, info.version, info.machine))
        json.dumps(measured.to_dict(), allow_nan=False).encode()


@pytest.mark.parametrize("runtime", [Runtime(), Runtime(threads=4, provider="CUDAExecutionProvider", spinning=True)])
def test_the_options_of_a_runtime_are_read_back(runtime):
    given_options = {name: str(value) for name, value in runtime.options.items() if value is not None}
    assert Runtime.parse("host", given_options) == runtime
