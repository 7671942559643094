"""What a device is: something that runs a model and says how long it took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode

from edgenext_search.errors import UserError
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.texts import nearest
from edgenext_search.validation import short

Progress = Callable[[int, int], None]


class DeviceError(UserError):
    """A device cannot do what it is asked.

    Attributes:
        transient: Whether the same call may succeed later though nothing is mended here: a board that is switched
            off, a lost connection, a reply cut short. A study pauses on these, and stops on the others.
    """

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient

    def __reduce__(self) -> tuple[Callable[[str], DeviceError], tuple[str]]:
        """Its way from process to process."""
        return partial(DeviceError, transient=self.transient), (str(self),)


CHECKED = ("name", "runtime", "version", "machine", "threads")  # what a profile and a device must have in common


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What answered on a device.

    Attributes:
        name: The device, as :func:`~edgenext_search.latency.devices.open.open_device` takes it.
        runtime: What runs the models there, such as ``onnxruntime``.
        version: Its version.
        machine: The processor or board.
        threads: Threads that one model runs on; None where the device does not say.
    """

    name: str
    runtime: str
    version: str
    machine: str
    threads: int | None


class Device(Protocol):
    """Something that measures models, on this machine or elsewhere.

    Attributes:
        name: The device in one canonical form without secrets; ``open_device(device.name)`` is the same device.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    def check(self) -> DeviceInfo:
        """Ask whether it can be reached and has what it needs.

        Raises:
            DeviceError: It cannot be used, why, and what to do.
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
        """Time models one after the other, all in a process of their own on the device.

        Args:
            models: ONNX files, their weights inside.
            reference: An ONNX file that runs in turns with each model, so that a drift of the machine shows and
                cancels in the ratio.
            settings: How long and how exactly.
            progress: Called after each model with those done and their number.

        Returns:
            A measurement of each model, in order.

        Raises:
            DeviceError: A model was not measured; nothing is returned then.
        """
        ...


def read_options(device: str, query: str, known: Sequence[str]) -> dict[str, str]:
    """The options after a device's ``?``, by name.

    Raises:
        UserError: One is unknown, empty or given twice.
    """
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise UserError(
                f"{device} has no option {name!r}; there are {', '.join(known)}.{nearest(name, list(known))}"
            )
        if not value:
            raise UserError(f"The option {name} of {device} must have a value, as in {device}?{name}=...")
        if name in options:
            raise UserError(f"The option {name} of {device} is given twice; keep one of the two.")
        options[name] = value
    return options


def read_threads(device: str, options: Mapping[str, str]) -> int:
    """The option ``threads``, 1 without it.

    Raises:
        UserError: It is no whole number from 1 to 1024.
    """
    text = options.get("threads", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 1024):
        raise UserError(f"threads of {device} must be a whole number from 1 to 1024, but got {short(text)}.")
    return int(text)


def with_options(device: str, options: Mapping[str, str | int | None]) -> str:
    """A device's canonical name: its options in order of their names, those that are None left out."""
    given = {name: str(value) for name, value in sorted(options.items()) if value is not None}
    return f"{device}?{urlencode(given, safe='/~:', quote_via=quote)}" if given else device
