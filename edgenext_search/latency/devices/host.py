"""This machine as a device: ONNX Runtime in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceInfo, Progress, read_options, read_threads, with_options
from edgenext_search.latency.devices.onboard_call import (
    DEFAULT_PROVIDER,
    DEFAULT_RUNTIME,
    Reply,
    Runtime,
    check_job,
    info_of,
    limits_for,
    measure_job,
    run_script,
)
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short

RUNTIME_OPTIONS = ("threads", "provider", "spinning")


@dataclass(frozen=True, slots=True)
class HostDevice:
    """``host``, ``host?threads=4&provider=CUDAExecutionProvider&spinning=on``."""

    runtime: Runtime = DEFAULT_RUNTIME

    @classmethod
    def parse(cls, text: str) -> HostDevice:
        """The device of a text that begins with ``host``.

        Raises:
            UserError: Something else than options follows, or an option is wrong.
        """
        kind, _, query = text.partition("?")
        if kind != "host":
            raise UserError(f"The host is written host, or host?threads=4, but got {short(text)}.")
        return cls(read_runtime("host", read_options("host", query, RUNTIME_OPTIONS)))

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return with_options("host", runtime_options(self.runtime))

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return info_of(self._run(check_job(self.runtime), Reply(self.name, 0), DEFAULT_SETTINGS), self.runtime)

    def measure(
        self,
        models: Sequence[Path],
        *,
        reference: Path | None = None,
        settings: MeasureSettings = DEFAULT_SETTINGS,
        progress: Progress | None = None,
    ) -> list[Measurement]:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        require_models([*models, *([reference] if reference else [])])
        paths = [str(path.resolve()) for path in models]
        job = measure_job(paths, str(reference.resolve()) if reference else None, self.runtime, settings)
        reply = self._run(job, Reply(self.name, len(models), progress), settings)
        return [reply.measured[index] for index in range(len(models))]

    def _run(self, job: dict[str, Any], reply: Reply, settings: MeasureSettings) -> Reply:
        return run_script(
            lambda program: [sys.executable, "-P", "-c", program],  # -P: no modules of the current folder
            job,
            reply,
            limits=limits_for(reply.expected, settings),
            python=sys.executable,
            where="on this host",
        )


def read_runtime(device: str, options: dict[str, str]) -> Runtime:
    """The options that say how ONNX Runtime runs a model.

    Raises:
        UserError: One is wrong.
    """
    spinning = options.get("spinning", "off")
    if spinning not in ("on", "off"):
        raise UserError(f"spinning of {device} must be on or off, but got {short(spinning)}.")
    provider = options.get("provider", DEFAULT_PROVIDER)
    if not provider.endswith("ExecutionProvider") or not provider.isidentifier():
        raise UserError(
            f"provider of {device} must be one of ONNX Runtime's, such as CPUExecutionProvider or "
            f"CUDAExecutionProvider, but got {short(provider)}."
        )
    return Runtime(threads=read_threads(device, options), provider=provider, spinning=spinning == "on")


def runtime_options(runtime: Runtime) -> dict[str, str | int | None]:
    """What :func:`read_runtime` reads, where it differs from the default."""
    return {
        "threads": None if runtime.threads == 1 else runtime.threads,
        "provider": None if runtime.provider == DEFAULT_PROVIDER else runtime.provider,
        "spinning": "on" if runtime.spinning else None,
    }


def require_models(paths: Sequence[Path]) -> None:
    """Refuse models that are not there, before any work.

    Raises:
        UserError: One is not a file.
    """
    for path in paths:
        if not path.is_file():
            raise UserError(f"There is no model {path}; give the path of an ONNX file.")
