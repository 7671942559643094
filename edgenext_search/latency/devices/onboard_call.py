"""A call of the code in :mod:`edgenext_search.latency.onboard`: the job that is sent, and the reply that comes back.

The messages are described in :mod:`edgenext_search.latency.onboard.main`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.bounded_process import Finished, LimitError, Limits, run
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo, Progress, one_line
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, DeviceText, Measurement, MeasureSettings
from edgenext_search.results import Result
from edgenext_search.validation import describe, short

MODULES = ("timing_statistics", "interleaved_timing", "main")  # in the order in which they import each other
LOADING_SECONDS = 60.0  # upper limit for importing onnxruntime, and for loading each model
SILENT_SECONDS = 120.0  # the code reports every second that it is alive, except while a model is loaded
SLOWEST_BYTES_A_SECOND = 50_000
REPLY_BYTES = 1_000_000
REPLY_BYTES_A_MODEL = 20_000
PACKAGE = "edgenext_search.latency.onboard"
FOLDER = Path(__file__).resolve().parent.parent / "onboard"
BOOTSTRAP = """\
import sys, types
for name, size in SIZES:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(sys.stdin.buffer.read(size), name, "exec"), module.__dict__)
sys.exit(module.main())"""
PREFIX = b'{"'  # of all lines of a reply; other lines, which a login shell may print, are skipped
DEFAULT_PROVIDER = "CPUExecutionProvider"
RUNTIME_OPTIONS = ("threads", "provider", "spinning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Settings of ONNX Runtime.

    Attributes:
        threads: Number of threads of one operator; operators run one after the other.
        provider: Execution provider.
        spinning: Whether waiting threads keep their cores busy.
    """

    threads: int = 1
    provider: str = DEFAULT_PROVIDER
    spinning: bool = False

    @classmethod
    def parse(cls, device: str, options: dict[str, str]) -> Runtime:
        """Read the settings from the options of a device.

        Raises:
            UserError: A value is not allowed.
        """
        threads = options.get("threads", "1")
        if not (threads.isascii() and threads.isdigit() and len(threads) <= 4 and 1 <= int(threads) <= 1024):
            raise UserError(f"threads of {device} must be a whole number from 1 to 1024, but got {short(threads)}.")
        spinning = options.get("spinning", "off")
        if spinning not in ("on", "off"):
            raise UserError(f"spinning of {device} must be on or off, but got {short(spinning)}.")
        provider = options.get("provider", DEFAULT_PROVIDER)
        if not provider.endswith("ExecutionProvider") or not provider.isidentifier():
            raise UserError(
                f"provider of {device} must be one of ONNX Runtime's, such as CPUExecutionProvider or "
                f"CUDAExecutionProvider, but got {short(provider)}."
            )
        return cls(threads=int(threads), provider=provider, spinning=spinning == "on")

    @property
    def options(self) -> dict[str, str | int | None]:
        """The options that :meth:`parse` reads; None for default values."""
        return {
            "threads": None if self.threads == 1 else self.threads,
            "provider": None if self.provider == DEFAULT_PROVIDER else self.provider,
            "spinning": "on" if self.spinning else None,
        }


DEFAULT_RUNTIME = Runtime()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the on-board code is asked to do.

    Attributes:
        runtime: Settings of ONNX Runtime.
        models: Models to measure, as paths on the device or names of sent files; none to only check the device.
        reference: The reference, likewise.
        settings: Length and precision of each measurement.
        files: Files to send, named ``0.onnx``, ``1.onnx`` and so on.
    """

    runtime: Runtime
    models: tuple[str, ...] = ()
    reference: str | None = None
    settings: MeasureSettings = DEFAULT_SETTINGS
    files: tuple[Path, ...] = ()

    def message(self) -> bytes:
        """The line of JSON that is sent, before the content of the files."""
        values = {
            "check": not self.models,
            "models": self.models,
            "reference": self.reference,
            "settings": asdict(self.settings),
            "files": [(f"{index}.onnx", path.stat().st_size) for index, path in enumerate(self.files)],
            **asdict(self.runtime),
        }
        return json.dumps(values).encode() + b"\n"

    def limits(self) -> Limits:
        """Limits of the process that carries out the job."""
        a_model = self.settings.seconds * 1.5 + LOADING_SECONDS
        sending = sum(path.stat().st_size for path in self.files) / SLOWEST_BYTES_A_SECOND
        return Limits(
            seconds=LOADING_SECONDS + len(self.models) * a_model + sending,
            silence=SILENT_SECONDS,
            output=REPLY_BYTES + REPLY_BYTES_A_MODEL * len(self.models),
        )


class _Info(Result):
    event: Literal["info"]
    runtime: DeviceText
    version: DeviceText
    cpu: DeviceText


class _Measured(Result):
    event: Literal["measured"]
    index: int
    measurement: Measurement


class _Error(Result):
    event: Literal["error"]
    kind: str
    message: str


class _Signal(Result):
    event: Literal["alive", "done"]


_EVENT: TypeAdapter[_Info | _Measured | _Error | _Signal] = TypeAdapter(
    Annotated[_Info | _Measured | _Error | _Signal, Field(discriminator="event")]
)


@dataclass(slots=True)
class _Reply:
    """The part of the reply that has been read."""

    device: str
    expected: int
    progress: Progress | None
    info: _Info | None = None
    error: _Error | None = None
    done: bool = False
    measured: dict[int, Measurement] = field(default_factory=dict)

    def read_line(self, line: bytes) -> None:
        """Read one line of the reply.

        Raises:
            DeviceError: The line is not a message of the on-board code, or its figures are not valid.
        """
        if not line.startswith(PREFIX):
            return
        try:
            event = _EVENT.validate_json(line)
        except ValidationError as error:
            no_json = error.errors()[0]["type"] == "json_invalid"
            reason = "a line of it is not JSON" if no_json else one_line(describe(error))
            raise DeviceError(
                f"{self.device} gave a reply that cannot be used ({reason}); run the command again.", transient=True
            ) from error
        if isinstance(event, _Measured):
            conditions = event.measurement.conditions.model_copy(update={"device": self.device})
            self.measured[event.index] = event.measurement.model_copy(update={"conditions": conditions})
            if self.progress:
                self.progress(len(self.measured), self.expected)
        elif isinstance(event, _Info):
            self.info = event
        elif isinstance(event, _Error):
            self.error = event
        else:
            self.done = self.done or event.event == "done"


def call_onboard(
    device: str,
    job: Job,
    *,
    argv: Callable[[str], Sequence[str]],
    python: str,
    where: str,
    progress: Progress | None = None,
    explain: Callable[[Finished], DeviceError | None] = lambda _: None,
) -> tuple[DeviceInfo, list[Measurement]]:
    """Run the on-board code and read its whole reply.

    Args:
        device: Name of the device.
        job: What to do.
        argv: The command that runs a Python program, given as text, on the device.
        python: The interpreter there, for the message that onnxruntime is missing.
        where: ``on this host`` or ``there``, for messages.
        progress: See :meth:`Device.measure <edgenext_search.latency.devices.device.Device.measure>`.
        explain: The cause of a bad end of the command itself (such as ssh), where it is known.

    Returns:
        The device's description, and the measurement of each model.

    Raises:
        DeviceError: The reply is not complete and valid.
    """
    reply = _Reply(device=device, expected=len(job.models), progress=progress)
    program, sources = bootstrap()
    with tempfile.TemporaryFile() as stdin:
        stdin.write(sources)
        stdin.write(job.message())
        for path in job.files:
            with path.open("rb") as file:
                shutil.copyfileobj(file, stdin)
        stdin.seek(0)
        finished = _run(argv(program), stdin, reply, job.limits())
    if reply.error is not None:
        raise _refusal(device, reply.error, python, where)
    complete = finished.code == 0 and reply.done and reply.measured.keys() == set(range(reply.expected))
    if reply.info is None or not complete:
        words = one_line(finished.last_words) or f"exit code {finished.code}"
        raise explain(finished) or DeviceError(
            f"{device} ended in the middle of its reply ({words}); run the command again.", transient=True
        )
    info = DeviceInfo(
        name=device,
        runtime=reply.info.runtime,
        version=reply.info.version,
        machine=reply.info.cpu,
        threads=job.runtime.threads,
    )
    return info, [reply.measured[index] for index in range(reply.expected)]


def bootstrap() -> tuple[str, bytes]:
    """A Python program that reads the on-board modules from standard input and runs them, and those modules.

    Nothing has to be installed or unpacked where it runs, and the host and a board run the same code.
    """
    sources = {f"{PACKAGE}.{name}": (FOLDER / f"{name}.py").read_bytes() for name in MODULES}
    parts = PACKAGE.split(".")
    packages = [".".join(parts[: n + 1]) for n in range(len(parts))]
    sizes = [*((name, 0) for name in packages), *((name, len(text)) for name, text in sources.items())]
    return BOOTSTRAP.replace("SIZES", repr(sizes)), b"".join(sources.values())


def _run(argv: Sequence[str], stdin: IO[bytes], reply: _Reply, limits: Limits) -> Finished:
    try:
        return run(argv, limits=limits, stdin=stdin, on_line=reply.read_line)
    except LimitError as error:
        raise DeviceError(f"{reply.device} {error} and was stopped; is it overloaded?", transient=True) from error
    except OSError as error:
        raise DeviceError(
            f"{reply.device}: {argv[0]} cannot be started ({error.strerror}).", transient=False
        ) from error


def _refusal(device: str, error: _Error, python: str, where: str) -> DeviceError:
    message = one_line(error.message)
    texts = {
        "runtime": f"has no usable onnxruntime ({message}); install it {where}: {python} -m pip install onnxruntime",
        "provider": f"does not have the provider that was asked for: {message}.",
        "disk": f"has no room for its temporary files ({message}); free some {where}.",
        "model": f"cannot run the model: {message}.",
    }
    text = texts.get(error.kind, f"could not do the job: {message}.")
    return DeviceError(f"{device} {text}", transient=error.kind not in texts)
