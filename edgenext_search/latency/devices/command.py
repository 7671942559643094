"""A program of the user as a device, for TensorRT, phones and anything else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.benchmark_program import (
    RUNS_VARIABLE,
    SECONDS_VARIABLE,
    ProgramOutput,
    check_by_call,
    find_program,
    measure_by_calls,
    read_output,
    run_program,
)
from edgenext_search.latency.devices.device import DeviceInfo, Progress, require_models
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short


@dataclass(frozen=True, slots=True)
class CommandDevice:
    """``cmd:./program arguments``. The path of the model is added as the last argument; no shell is involved.

    Attributes:
        argv: Absolute path of the program, and its arguments.
    """

    argv: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> CommandDevice:
        """Parse a text that begins with ``cmd:``.

        Raises:
            UserError: There is no such program, or it is not executable.
        """
        try:
            words = shlex.split(text.removeprefix("cmd:"))
        except ValueError as error:
            raise UserError(f"{short(text)} cannot be read ({error}); close its quotes.") from error
        if not words:
            raise UserError("A program is written cmd:./program, but got none.")
        return cls((find_program(words[0]), *words[1:]))

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return f"cmd:{shlex.join(self.argv)}"

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return check_by_call(self.name, self._call)

    def measure(
        self,
        models: Sequence[Path],
        *,
        reference: Path | None = None,
        settings: MeasureSettings = DEFAULT_SETTINGS,
        progress: Progress | None = None,
    ) -> list[Measurement]:
        """See :class:`~edgenext_search.latency.devices.device.Device`; the program is called for each model."""
        require_models([*models, *([reference] if reference else [])])
        return measure_by_calls(
            self.name, self._call, models, reference=reference, settings=settings, progress=progress
        )

    def _call(self, model: Path, seconds: float, min_runs: int) -> ProgramOutput:
        env = {**os.environ, SECONDS_VARIABLE: f"{seconds:.3f}", RUNS_VARIABLE: str(min_runs)}
        argv = [*self.argv, str(model.resolve())]
        return read_output(self.name, run_program(self.name, argv, seconds=seconds, env=env))
