"""This machine as a device: ONNX Runtime in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.device import DeviceInfo, Progress, read_options, require_models, with_options
from edgenext_search.latency.devices.onboard_call import DEFAULT_RUNTIME, RUNTIME_OPTIONS, Job, Runtime, call_onboard
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short


@dataclass(frozen=True, slots=True)
class HostDevice:
    """``host``, ``host?threads=4&provider=CUDAExecutionProvider&spinning=on``."""

    runtime: Runtime = DEFAULT_RUNTIME

    @classmethod
    def parse(cls, text: str) -> HostDevice:
        """Parse a text that begins with ``host``.

        Raises:
            UserError: Something other than options follows, or an option is wrong.
        """
        kind, _, query = text.partition("?")
        if kind != "host":
            raise UserError(f"The host is written host, or host?threads=4, but got {short(text)}.")
        return cls(Runtime.parse("host", read_options("host", query, RUNTIME_OPTIONS)))

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return with_options("host", self.runtime.options)

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return self._call(Job(runtime=self.runtime))[0]

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
        job = Job(
            runtime=self.runtime,
            models=tuple(str(path.resolve()) for path in models),
            reference=str(reference.resolve()) if reference else None,
            settings=settings,
        )
        return self._call(job, progress)[1]

    def _call(self, job: Job, progress: Progress | None = None) -> tuple[DeviceInfo, list[Measurement]]:
        return call_onboard(
            self.name,
            job,
            argv=lambda program: [sys.executable, "-P", "-c", program],  # -P: no modules of the current folder
            python=sys.executable,
            where="on this host",
            progress=progress,
        )
