"""Whatever a device answers, a measurement ends with a result or with one message."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.latency import compare
from edgenext_search.latency.devices import benchmark_program, onboard_call
from edgenext_search.latency.devices.benchmark_program import write_smallest

from .commands import examples, written
from .inputs import ODD_WORDS, changed, damaged, values

PROGRAM = {"times_us": [10.0, 11.0, 12.5, 10.5, 11.5], "runtime": "r", "version": "1", "machine": "m", "threads": 1}
FIGURES = {"p50": 10.0, "p90": 12.0, "min": 9.0, "low": 9.5, "high": 10.5, "n": 20, "drift": 0.01, "ratio": 0.5}
CONDITIONS = {"runtime": "r", "version": "1", "cores": 4, "load": 0.1, "before": {"governor": "g", "temperature": 40.5}}
EVENTS = (
    {"event": "info", "runtime": "r", "version": "1", "cpu": "c"},
    {"event": "alive"},
    {"event": "measured", "index": 0, "measurement": {**FIGURES, "conditions": CONDITIONS}},
    {"event": "error", "kind": "model", "message": "it is too large"},
    {"event": "done"},
)
WHOLE = (*EVENTS[:3], EVENTS[4])
ENDS = (
    "",
    "",
    "",
    "exit 1",
    "exit 75",
    "exit 127",
    "exit 255",
    "kill -9 $$",
    "exec yes",
    "sleep 99",
    "exec >&-; sleep 99",
)
COMMANDS = (("measure", "--reference=none"), ("measure", "--reference=m.onnx", "--max=1ms"), ("compare", "m.onnx"))


def _json(document):
    return json.dumps(document).encode()


def _texts(document):
    return (changed(document) | values()).map(_json) | damaged(_json(document)) | st.binary(max_size=60)


def answers(reply):
    """What a program prints on standard output and standard error, and how it ends then."""
    complaints = st.sampled_from(ODD_WORDS).map(str.encode) | st.binary(max_size=60)
    repeated = st.tuples(reply, st.sampled_from((1, 1, 1, 100_000))).map(lambda pair: pair[0] * pair[1])
    return st.tuples(repeated, complaints, st.sampled_from(ENDS))


@st.composite
def messages(draw):
    """Lines of the code on a board: some are missing, doubled, in another order, changed or damaged."""
    events = draw(st.just(WHOLE) | st.lists(st.sampled_from(EVENTS), max_size=6))
    lines = [draw(st.just(_json(event)) | _texts(event)) for event in events]
    return b"\n".join(lines) + b"\n"


STAGES = ("folder", "copy", "measure")
CLIENT = """#!/bin/sh
case "$3 $4" in
  "shell mktemp"*) stage=folder ;;
  "push "* | "shell chmod"* | "shell rm"*) stage=copy ;;
  *) stage=measure ;;
esac
cat $stage.out
cat $stage.err >&2
. ./$stage.end
"""


@pytest.fixture
def board(here, monkeypatch):
    """A model, and a program that answers as it is told, in place of a benchmark, ssh and adb too."""
    write_smallest(Path("m.onnx"))
    monkeypatch.setattr(compare, "FEWEST_SECONDS", 0)
    monkeypatch.setattr(benchmark_program, "STARTING_SECONDS", 0.5)
    monkeypatch.setattr(onboard_call, "LOADING_SECONDS", 0.2)
    monkeypatch.setattr(onboard_call, "SILENT_SECONDS", 0.4)
    for name in ("bench", "ssh", "adb"):
        path = here.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CLIENT)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return here


def measure(board, device, command, **answered):
    """Call a command with a device that answers in an odd way at some of its stages."""
    right = {"folder": b"/data/local/tmp/edgenext-search-1\n", "copy": b"", "measure": _json(PROGRAM)}
    for stage in STAGES:
        reply, complaint, end = answered.get(stage, (right[stage], b"", ""))
        written(f"{stage}.out", reply)
        written(f"{stage}.err", complaint)
        written(f"{stage}.end", f"{end}\n")
    options = (f"--device={device}", "--seconds=0.02", "--json")
    result = board.ends_well("latency", command[0], "m.onnx", *command[1:], *options, codes=(0, 1, 2))
    assert result.stderr.replace("\n", "").isprintable()
    assert len(result.stderr) < 3000


@examples(15)
@given(command=st.sampled_from(COMMANDS), answered=answers(_texts(PROGRAM)))
def test_programs(board, command, answered):
    measure(board, "cmd:bin/bench", command, measure=answered)


@examples(15)
@given(command=st.sampled_from(COMMANDS), answered=answers(messages()))
def test_boards(board, command, answered):
    measure(board, "ssh://me@board", command, measure=answered)


@examples(10)
@given(command=st.sampled_from(COMMANDS), stage=st.sampled_from(STAGES), answered=answers(_texts(PROGRAM)))
def test_phones(board, command, stage, answered):
    measure(board, "adb://PHONE?program=bin/bench", command, **{stage: answered})
