"""What a benchmark program of the user prints, and measurements made of its calls."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgenext_search.latency.devices.bounded_process import Finished, LimitError, Limits, run
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo, Progress
from edgenext_search.latency.measurement import Measurement, MeasureSettings
from edgenext_search.latency.onboard.timing_statistics import FEWEST_PAIRS, median_interval, pair_ratios, summarise
from edgenext_search.validation import short

OUTPUT_BYTES = 10_000_000
STARTING_SECONDS = 600.0  # of a program, beside the time that it is asked to measure: some compile the model first
LONGEST_US = 1e10
LONGEST_TEXT = 200
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a program that ends so may succeed later
SECONDS_VARIABLE = "EDGENEXT_SEARCH_SECONDS"
RUNS_VARIABLE = "EDGENEXT_SEARCH_MIN_RUNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReply:
    """A benchmark program's reply: times of single runs in microseconds, in order, and what it says of itself."""

    times: list[float]
    facts: dict[str, Any]


Call = Callable[[Path, float, int], ProgramReply]  # of a model, seconds and fewest runs


def run_program(device: str, argv: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None) -> Finished:
    """Run a benchmark program, or what carries it, within limits.

    Raises:
        DeviceError: It cannot be started, or takes more than it may.
    """
    longest = STARTING_SECONDS + 3 * seconds
    try:
        return run(argv, limits=Limits(seconds=longest, silence=longest, output=OUTPUT_BYTES), env=env)
    except LimitError as error:
        raise DeviceError(
            f"{device} {error} and was stopped; let it print one JSON object and end.",
            transient=error.limit != "output",
        ) from error
    except OSError as error:
        reason = "it needs a first line such as #!/bin/sh" if error.errno == 8 else error.strerror
        raise DeviceError(f"{device}: {argv[0]} cannot be started ({reason}).", transient=False) from error


def read_reply(device: str, finished: Finished) -> ProgramReply:
    """The reply of a program that has ended.

    Raises:
        DeviceError: It failed, or its reply breaks a rule of the form in docs/latency.md.
    """
    if finished.code != 0:
        words = finished.last_words.rstrip(".") or "it does not say why"
        raise DeviceError(f"{device} failed with code {finished.code}: {words}.", transient=finished.code == TRY_AGAIN)
    values = _object(device, finished.stdout)
    if "error" in values:
        retry = values.get("retry") is True
        raise DeviceError(f"{device} says: {_shown(values['error'])}.", transient=retry)
    times = values.get("times_us")
    if not isinstance(times, list) or not times:
        _refuse(device, f"times_us must be a list of microseconds, but got {short(times)}")
    for index, value in enumerate(times):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_US:
            _refuse(device, f"times_us must be numbers above 0 and at most 1e10, but number {index + 1} is {value!r}")
    facts: dict[str, Any] = {name: values[name] for name in ("runtime", "version", "machine") if name in values}
    for name, value in facts.items():
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            _refuse(device, f"{name} must be a text of at most {LONGEST_TEXT} characters, but got {short(value)}")
    threads = values.get("threads")
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        _refuse(device, f"threads must be a whole number >= 1, but got {short(threads)}")
    return ProgramReply(times=[float(value) for value in times], facts={**facts, "threads": threads})


def _object(device: str, stdout: bytes) -> dict[str, Any]:
    """The JSON object that the output is, or ends with in a line of its own."""
    text = stdout.decode("utf-8", "replace").strip()
    if not text:
        _refuse(device, "it printed nothing")
    last = text.splitlines()[-1]
    values = _parsed(text)
    if not isinstance(values, dict):
        values = _parsed(last)
    if not isinstance(values, dict):
        _refuse(device, f"its output must be, or end with, one JSON object, but ends with {short(last)}")
    return values


def _parsed(text: str) -> object:
    """The value of a JSON text; None if it is none."""
    try:
        return json.loads(text, parse_constant=_not_a_number)
    except (ValueError, RecursionError):
        return None


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(name)


def _shown(value: object) -> str:
    return " ".join(str(value).split())[:300].rstrip(".")


def _refuse(device: str, reason: str) -> NoReturn:
    raise DeviceError(f"{device} gave a reply that cannot be used: {reason}. See docs/latency.md.", transient=False)


def measure_by_calls(
    device: str,
    call: Call,
    models: Sequence[Path],
    *,
    reference: Path | None,
    settings: MeasureSettings,
    progress: Progress | None,
) -> list[Measurement]:
    """Time models with a program that times one at a time: it is called again until the numbers are good enough.

    With a reference, model and reference are called in turns, and the ratio is that of the calls.
    """
    measurements = []
    share = settings.seconds / (2 * FEWEST_PAIRS if reference else 1)
    for number, model in enumerate(models):
        begin = time.monotonic()
        blocks: list[list[float]] = []
        reference_blocks: list[list[float]] = []
        while True:
            reply = call(model, share, settings.min_runs)
            blocks.append(reply.times)
            if reference:
                reference_blocks.append(call(reference, share, settings.min_runs).times)
            if _enough(blocks, reference_blocks, settings) or time.monotonic() - begin >= settings.seconds:
                break
        conditions = {"device": device, **{key: value for key, value in reply.facts.items() if value is not None}}
        measurements.append(Measurement(**summarise(blocks, reference_blocks), conditions=conditions))
        if progress:
            progress(number + 1, len(models))
    return measurements


def _enough(blocks: list[list[float]], reference: list[list[float]], settings: MeasureSettings) -> bool:
    if sum(map(len, blocks)) < settings.min_runs or (reference and len(blocks) < FEWEST_PAIRS):
        return False
    judged = pair_ratios(blocks, reference) if reference and settings.precise == "ratio" else blocks
    centre, low, high = median_interval(judged)
    return math.isfinite(high) and (high - low) / 2 <= settings.precision * centre


def check_by_call(device: str, call: Call) -> DeviceInfo:
    """Ask a program to time a network of one operator, which says what it needs to say of itself.

    Raises:
        DeviceError: It cannot.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "smallest.onnx"
        write_smallest(model)
        facts = call(model, 0.1, 1).facts
    return DeviceInfo(
        name=device,
        runtime=facts.get("runtime", "unknown"),
        version=facts.get("version", "unknown"),
        machine=facts.get("machine", "unknown"),
        threads=facts["threads"],
    )


def write_smallest(path: Path) -> None:
    """Write the ONNX file of a network of one operator, with the input and output of ours."""
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, 32, 32])
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["logits"])], "smallest", [image], [logits])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
