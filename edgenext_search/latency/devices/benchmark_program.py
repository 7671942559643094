"""A benchmark program of the user: how it is called, the output that it prints, and measurements made of its calls.

The form of the output is described in docs/latency.md.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.bounded_process import Finished, LimitError, Limits, run
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo, Progress, existing_file, one_line
from edgenext_search.latency.measurement import Conditions, DeviceText, Measurement, MeasureSettings
from edgenext_search.latency.onboard.timing_statistics import FEWEST_PAIRS, median_interval, pair_ratios, summarise
from edgenext_search.results import Result
from edgenext_search.temporary import temporary_folder
from edgenext_search.validation import describe, short

OUTPUT_BYTES = 10_000_000
LONGEST_FIRST_LINE = 1000  # bytes
STARTING_SECONDS = 600.0  # allowed beside the time to measure: some programs compile the model first
LONGEST_US = 1e10
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the exit code of a program that may succeed later
SECONDS_VARIABLE = "EDGENEXT_SEARCH_SECONDS"
RUNS_VARIABLE = "EDGENEXT_SEARCH_MIN_RUNS"

_Fact = Annotated[DeviceText, Field(max_length=200)] | None


class ProgramOutput(Result):
    """The output of a benchmark program."""

    times_us: Annotated[
        list[Annotated[float, Field(gt=0, le=LONGEST_US, strict=True, allow_inf_nan=False)]], Field(min_length=1)
    ]
    """Times of single runs in microseconds, in the order of the runs."""
    runtime: _Fact = None
    """The software that ran the model."""
    version: _Fact = None
    """Its version."""
    machine: _Fact = None
    """The processor or board."""
    threads: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Number of threads that the model ran on."""

    def conditions(self, device: str) -> Conditions:
        """The conditions of a measurement on the device."""
        facts = {name: getattr(self, name) for name in ("runtime", "version", "machine", "threads")}
        return Conditions(device=device, **{name: value for name, value in facts.items() if value is not None})


Call = Callable[[Path, float, int], ProgramOutput]  # with a model, the time to measure in seconds and the fewest runs


def find_program(name: str) -> str:
    """The absolute path of a program, given by its path or, without a slash, searched on the PATH.

    Raises:
        UserError: There is no such program, it is not executable, or it is a script that the system cannot start.
    """
    if "/" not in name:
        program = shutil.which(name)
    else:
        path = existing_file(name)
        program = None if path is None else str(path)
        if path is not None and not os.access(path, os.X_OK):
            raise UserError(f"{name} may not be run; make it executable with chmod +x {shlex.quote(name)}.")
    if program is None:
        raise UserError(f"There is no program {short(name)}; give its path, as in cmd:./bench.sh.")
    _check_first_line(Path(program), name)
    return program


def _check_first_line(program: Path, name: str) -> None:
    """Check what the system would call a missing file: the first line of a script that an editor of Windows saved."""
    try:
        with program.open("rb") as file:
            line = file.readline(LONGEST_FIRST_LINE)
    except OSError:  # programs may be run that may not be read
        return
    first = line.removeprefix(codecs.BOM_UTF8)
    if first.startswith(b"#!") and (first.endswith(b"\r\n") or first != line):
        raise UserError(
            f"{name} has the line ends or the byte-order mark of Windows, with which its first line names no program; "
            rf"remove them by `sed -i '1s/^\xEF\xBB\xBF//; s/\r$//' {shlex.quote(str(program))}`."
        )
    words = os.fsdecode(first[2:]).split(maxsplit=1)
    if first.startswith(b"#!") and words and not Path(words[0]).exists():
        raise UserError(f"{name} is run by {words[0]}, which does not exist; install it, or correct its first line.")


def run_program(device: str, argv: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None) -> Finished:
    """Run a benchmark program, or the client that runs it on another machine, within limits.

    Args:
        device: Name of the device, for messages.
        argv: The program and its arguments.
        seconds: Time to measure.
        env: Environment of the program; None for that of this process.

    Raises:
        DeviceError: The program cannot be started, or exceeds a limit.
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


def read_output(device: str, finished: Finished) -> ProgramOutput:
    """Read the output of a program that has ended.

    Raises:
        DeviceError: The program failed, or its output breaks a rule in docs/latency.md.
    """
    if finished.code != 0:
        words = one_line(finished.last_words) or "it gives no reason"
        raise DeviceError(f"{device} failed with code {finished.code}: {words}.", transient=finished.code == TRY_AGAIN)
    values = _last_object(device, finished.stdout)
    if "error" in values:
        raise DeviceError(f"{device} says: {one_line(str(values['error']))}.", transient=values.get("retry") is True)
    try:
        return ProgramOutput.model_validate(values)
    except ValidationError as error:
        raise _unusable(device, describe(error)) from error


def _last_object(device: str, stdout: bytes) -> Mapping[str, object]:
    """The JSON object that is the whole output or its last line."""
    text = stdout.decode("utf-8", "replace").strip()
    if not text:
        raise _unusable(device, "it printed nothing")
    last = text.splitlines()[-1]
    for candidate in (text, last):
        try:
            values = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            return values
    raise _unusable(device, f"its output must be, or end with, one JSON object, but ends with {short(last)}")


def _unusable(device: str, reason: str) -> DeviceError:
    words = one_line(reason)
    return DeviceError(f"{device} gave a reply that cannot be used: {words}. See docs/latency.md.", transient=False)


def measure_by_calls(
    device: str,
    call: Call,
    models: Sequence[Path],
    *,
    reference: Path | None,
    settings: MeasureSettings,
    progress: Progress | None,
) -> list[Measurement]:
    """Measure models with a program that times one model, by calling it until the measurement is precise enough.

    With a reference, model and reference are called in turns, and the ratio is that of adjacent calls.
    """
    measurements = []
    share = settings.seconds / (2 * FEWEST_PAIRS if reference else 1)
    for number, model in enumerate(models):
        begin = time.monotonic()
        blocks: list[list[float]] = []
        reference_blocks: list[list[float]] = []
        while True:
            output = call(model, share, settings.min_runs)
            blocks.append(output.times_us)
            if reference:
                reference_blocks.append(call(reference, share, settings.min_runs).times_us)
            if _precise(blocks, reference_blocks, settings) or time.monotonic() - begin >= settings.seconds:
                break
        figures = summarise(blocks, reference_blocks)
        measurements.append(Measurement.model_validate({**figures, "conditions": output.conditions(device)}))
        if progress:
            progress(number + 1, len(models))
    return measurements


def _precise(blocks: list[list[float]], reference: list[list[float]], settings: MeasureSettings) -> bool:
    if sum(map(len, blocks)) < settings.min_runs or (reference and len(blocks) < FEWEST_PAIRS):
        return False
    judged = pair_ratios(blocks, reference) if reference and settings.precise == "ratio" else blocks
    centre, low, high = median_interval(judged)
    return math.isfinite(high) and (high - low) / 2 <= settings.precision * centre


def check_by_call(device: str, call: Call) -> DeviceInfo:
    """Check a program by letting it measure a network of one operator.

    Raises:
        DeviceError: The program fails.
    """
    with temporary_folder() as folder:
        model = folder / "smallest.onnx"
        write_smallest(model)
        output = call(model, 0.1, 1)
    return DeviceInfo(
        name=device,
        runtime=output.runtime or "unknown",
        version=output.version or "unknown",
        machine=output.machine or "unknown",
        threads=output.threads,
    )


def write_smallest(path: Path) -> None:
    """Write an ONNX file with a network of one operator, whose input and output are named as those of all networks."""
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, 32, 32])
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["logits"])], "smallest", [image], [logits])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
