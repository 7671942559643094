"""A job for the measuring script, and its reply, whichever way the script runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from edgenext_search.latency.devices.bounded_process import Finished, LimitError, Limits, run
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo, Progress
from edgenext_search.latency.measurement import Measurement, MeasureSettings

SENT = (
    "timing_statistics",
    "interleaved_timing",
    "main",
)  # the modules that time models, in the order in which they import each other
LOADING_SECONDS = 60.0  # at most for importing onnxruntime, and for starting each model
SILENT_SECONDS = 120.0  # the script says every second or so that it is alive, but not while a model starts
DEFAULT_PROVIDER = "CPUExecutionProvider"
SLOWEST_BYTES_A_SECOND = 50_000
REPLY_BYTES = 1_000_000
REPLY_BYTES_A_MODEL = 20_000
PACKAGE = "edgenext_search.latency.onboard"
ONBOARD = Path(__file__).resolve().parent.parent / "onboard"
BOOTSTRAP = """\
import sys, types
for name, size in SIZES:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(sys.stdin.buffer.read(size), name, "exec"), module.__dict__)
sys.exit(module.main())"""
PREFIX = b'{"'  # of the script's lines; what a login shell prints is passed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How the script runs a model.

    Attributes:
        threads: Threads of one operator; operators run one after the other.
        provider: ONNX Runtime's execution provider.
        spinning: Whether threads that wait keep their cores busy.
    """

    threads: int = 1
    provider: str = DEFAULT_PROVIDER
    spinning: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As keys of a job."""
        return {"threads": self.threads, "provider": self.provider, "spinning": self.spinning}


DEFAULT_RUNTIME = Runtime()


@dataclass(slots=True)
class Reply:
    """What the script has said so far."""

    device: str
    expected: int
    progress: Progress | None = None
    info: dict[str, Any] | None = None
    measured: dict[int, Measurement] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    done: bool = False

    def line(self, line: bytes) -> None:
        """Take one line of the reply.

        Raises:
            DeviceError: It is not the script's, or its numbers are not those of a measurement.
        """
        if not line.startswith(PREFIX):
            return
        try:
            values = json.loads(line)
            event = values["event"]
            if event == "info":
                self.info = values
            elif event == "measured":
                self._measured(int(values["index"]), values["measurement"])
            elif event == "error":
                self.error = {"kind": str(values["kind"]), "message": str(values["message"])}
            elif event == "done":
                self.done = True
        except (ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, ValueError) else "it is not in the script's form"
            raise DeviceError(
                f"{self.device} gave a reply that cannot be used ({reason}); run the command again.", transient=True
            ) from error

    def _measured(self, index: int, values: dict[str, Any]) -> None:
        measurement = Measurement.from_dict(values)
        measurement.conditions["device"] = self.device
        self.measured[index] = measurement
        if self.progress:
            self.progress(len(self.measured), self.expected)


def check_job(runtime: Runtime) -> dict[str, Any]:
    """The job that asks whether models can be timed."""
    return {"check": True, **runtime.to_dict()}


def measure_job(
    models: Sequence[str], reference: str | None, runtime: Runtime, settings: MeasureSettings
) -> dict[str, Any]:
    """The job that times models, which are paths on the device."""
    return {"models": list(models), "reference": reference, **runtime.to_dict(), "settings": settings.to_dict()}


def limits_for(models: int, settings: MeasureSettings, *, sent: int = 0) -> Limits:
    """What a script that times so many models may take, after ``sent`` bytes were sent to it."""
    seconds = LOADING_SECONDS + models * (settings.seconds * 1.5 + LOADING_SECONDS) + sent / SLOWEST_BYTES_A_SECOND
    return Limits(seconds=seconds, silence=SILENT_SECONDS, output=REPLY_BYTES + REPLY_BYTES_A_MODEL * models)


def bootstrap() -> tuple[str, bytes]:
    """A Python program that takes the measuring modules from its standard input and runs them; and what it takes.

    So nothing has to be installed or unpacked where it runs, and the host and a board run the same.
    """
    sources = {f"{PACKAGE}.{name}": (ONBOARD / f"{name}.py").read_bytes() for name in SENT}
    parts = PACKAGE.split(".")
    packages = [".".join(parts[: n + 1]) for n in range(len(parts))]
    sizes = [*((name, 0) for name in packages), *((name, len(text)) for name, text in sources.items())]
    return BOOTSTRAP.replace("SIZES", repr(sizes)), b"".join(sources.values())


def run_script(
    argv: Callable[[str], Sequence[str]],
    job: dict[str, Any],
    reply: Reply,
    *,
    limits: Limits,
    python: str,
    where: str,
    files: Sequence[Path] = (),
    explain: Callable[[Finished], DeviceError | None] = lambda _: None,
) -> Reply:
    """Run the measuring script and take its whole reply.

    Args:
        argv: What runs a Python program, given as text, wherever the script is to run.
        job: See :mod:`~edgenext_search.latency.onboard.main`.
        reply: Where to put what it says.
        limits: What it may take.
        python: The interpreter there, for the message that onnxruntime is missing.
        where: ``on this host``, ``there``.
        files: Files to send; the job names them ``0.onnx``, ``1.onnx`` and so on.
        explain: What is wrong when the program that carries the script (such as ssh) ended badly, if it knows.

    Raises:
        DeviceError: There is no whole and usable reply.
    """
    program, sources = bootstrap()
    with tempfile.TemporaryFile() as stdin:
        stdin.write(sources)
        sizes = [[f"{index}.onnx", path.stat().st_size] for index, path in enumerate(files)]
        stdin.write(json.dumps({**job, "files": sizes}).encode() + b"\n")
        for path in files:
            with path.open("rb") as file:
                shutil.copyfileobj(file, stdin)
        stdin.seek(0)
        finished = _run(argv(program), stdin, reply, limits)
    if reply.error is not None:
        raise _refusal(reply.device, reply.error, python, where)
    if finished.code == 0 and reply.done and reply.info is not None and len(reply.measured) == reply.expected:
        return reply
    raise explain(finished) or DeviceError(
        f"{reply.device} ended in the middle of its reply ({finished.last_words or f'exit code {finished.code}'}); "
        "run the command again.",
        transient=True,
    )


def _run(argv: Sequence[str], stdin: IO[bytes], reply: Reply, limits: Limits) -> Finished:
    try:
        return run(argv, limits=limits, stdin=stdin, on_line=reply.line)
    except LimitError as error:
        raise DeviceError(f"{reply.device} {error} and was stopped; is it overloaded?", transient=True) from error
    except OSError as error:
        raise DeviceError(
            f"{reply.device}: {argv[0]} cannot be started ({error.strerror}).", transient=False
        ) from error


def _refusal(device: str, error: dict[str, Any], python: str, where: str) -> DeviceError:
    message = str(error["message"]).rstrip(".")
    if error["kind"] == "runtime":
        return DeviceError(
            f"{device} has no usable onnxruntime ({message}); install it {where}: {python} -m pip install onnxruntime",
            transient=False,
        )
    if error["kind"] == "provider":
        return DeviceError(f"{device} does not have the provider that was asked for: {message}.", transient=False)
    if error["kind"] == "disk":
        return DeviceError(
            f"{device} has no room for its temporary files ({message}); free some {where}.", transient=False
        )
    if error["kind"] == "model":
        return DeviceError(f"{device} cannot run the model: {message}.", transient=False)
    return DeviceError(f"{device} could not do the job: {message}.", transient=True)


def info_of(reply: Reply, runtime: Runtime) -> DeviceInfo:
    """What answered."""
    facts = reply.info or {}
    return DeviceInfo(
        name=reply.device,
        runtime=str(facts.get("runtime")),
        version=str(facts.get("version")),
        machine=str(facts.get("cpu")),
        threads=runtime.threads,
    )
