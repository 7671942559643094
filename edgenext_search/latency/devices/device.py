"""The protocol of a device that measures latency, and what all devices share: errors, options, names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl, quote, urlencode

from edgenext_search.errors import FailureKind, UserError
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, DeviceText, Measurement, MeasureSettings
from edgenext_search.results import Result
from edgenext_search.texts import nearest

LONGEST_MESSAGE = 300  # characters of a device's own words in a message of ours
Progress = Callable[[int, int], None]


class DeviceError(UserError):
    """A device cannot do what it is asked.

    Attributes:
        transient: Whether the same call may succeed later although nothing is changed here: the board is switched off,
            the connection was lost, the reply was cut short. A study pauses on transient errors and stops on others.
    """

    kind = FailureKind.DEVICE

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient

    def __reduce__(self) -> tuple[Callable[[str], DeviceError], tuple[str]]:
        """Pickle the error with its attribute, for other processes."""
        return partial(DeviceError, transient=self.transient), (str(self),)


class DeviceInfo(Result):
    """What a device and its runtime are. A profile is valid for one such description."""

    name: DeviceText
    """The device, as ``--device`` takes it."""
    runtime: DeviceText
    """The software that runs models there, such as ``onnxruntime``."""
    version: DeviceText
    """Version of the runtime."""
    machine: DeviceText
    """Processor or board."""
    threads: int | None
    """Number of threads that a model runs on; null where the device does not report it."""


class Device(Protocol):
    """A device that runs ONNX models and measures their latency.

    Implementations are frozen and hold settings only; they have to pass ``tests/latency/device_conformance.py``.

    Measuring
        Models are measured one after the other, each with one image at a time, in a process of its own on the device.
        With a reference, model and reference run in turns, so that a drift of the machine cancels in the ratio. The
        measurements are returned in the order of the models. :func:`require_models` is called before any work.

    Failures
        All failures are :class:`DeviceError`: its message is one line with the device's name, the reason and the next
        step, and ``transient`` tells whether to try again. A call succeeds for all models or raises; it never returns
        some of the measurements. A program that hangs, floods its output or dies is stopped within a time limit.
        A reply is checked before it is used: figures out of range are an error, never a result.

    Persistence
        Nothing is kept, here or on the device. Temporary files are removed at the end of a call, also after failures,
        interruption and a lost connection.

    Isolation
        Nothing is installed on the device. No text of the user or of the device is interpreted by a shell. Names hold
        no secrets: a key is named by its file, and passwords are refused.
    """

    @property
    def name(self) -> str:
        """The device in canonical form: ``open_device(device.name)`` is the same device."""
        ...

    def check(self) -> DeviceInfo:
        """Ask whether the device can be reached and has what it needs.

        Raises:
            DeviceError: It cannot be used.
        """
        ...

    def measure(
        self,
        models: Sequence[Path],
        *,
        reference: Path | None = None,
        settings: MeasureSettings = DEFAULT_SETTINGS,
        progress: Progress | None = None,
    ) -> list[Measurement]:
        """Measure the latency of models.

        Args:
            models: ONNX files that contain their weights.
            reference: ONNX file of the reference.
            settings: Length and precision of each measurement.
            progress: Called after each model, with the number of measured models and their total.

        Returns:
            The measurement of each model, in order.

        Raises:
            UserError: A file does not exist.
            DeviceError: A model was not measured.
        """
        ...


class KnownFailure(NamedTuple):
    """A failure of a transport such as ssh: the text that it prints, whether it is transient, and advice."""

    output: str
    transient: bool
    advice: str


def require_models(paths: Sequence[Path]) -> None:
    """Refuse models that do not exist, before any work.

    Raises:
        UserError: A path is not a file.
    """
    for path in paths:
        if not path.is_file():
            raise UserError(f"There is no model {path}; give the path of an ONNX file.")


def existing_file(text: str) -> Path | None:
    """The absolute path of a file that an option names; None where the text names no file. ``~`` is the home folder."""
    path = Path(os.path.expanduser(text)).absolute()  # noqa: PTH111 - leaves an unknown ~user as it is
    try:
        return path if path.is_file() else None
    except OSError:  # such as a name that is too long
        return None


def one_line(text: str) -> str:
    """The words of a device as they stand in a message: one line, printable, not too long, without a full stop."""
    words = "".join(char if char.isprintable() else " " for char in text).split()
    return " ".join(words)[:LONGEST_MESSAGE].rstrip(".")


def read_options(device: str, query: str, names: Sequence[str]) -> dict[str, str]:
    """The options after the ``?`` of a device, by name.

    Raises:
        UserError: An option is unknown, empty or given twice.
    """
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in names:
            raise UserError(f"{device} has no option {name!r}; there are {', '.join(names)}.{nearest(name, names)}")
        if not value:
            raise UserError(f"The option {name} of {device} must have a value, as in {device}?{name}=...")
        if name in options:
            raise UserError(f"The option {name} of {device} is given twice; keep one of the two.")
        options[name] = value
    return options


def with_options(device: str, options: Mapping[str, str | int | None]) -> str:
    """The canonical name of a device: its options sorted by name, without those that are None."""
    given = {name: str(value) for name, value in sorted(options.items()) if value is not None}
    return f"{device}?{urlencode(given, safe='/~:', quote_via=quote)}" if given else device
