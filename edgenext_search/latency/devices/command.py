"""A program of the user as a device: it gets the path of a model and prints times. TensorRT, phones, anything."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.benchmark_program import (
    RUNS_VARIABLE,
    SECONDS_VARIABLE,
    ProgramReply,
    check_by_call,
    measure_by_calls,
    read_reply,
    run_program,
)
from edgenext_search.latency.devices.device import DeviceInfo, Progress
from edgenext_search.latency.devices.host import require_models
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short


@dataclass(frozen=True, slots=True)
class CommandDevice:
    """``cmd:./program arguments``; the model's path is the last argument. No shell reads it.

    Attributes:
        argv: The program, as an absolute path, and its arguments.
    """

    argv: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> CommandDevice:
        """The device of a text that begins with ``cmd:``.

        Raises:
            UserError: There is no such program, or it may not be run.
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
        """See :class:`~edgenext_search.latency.devices.device.Device`; each model is a call of its own."""
        require_models([*models, *([reference] if reference else [])])
        return measure_by_calls(
            self.name, self._call, models, reference=reference, settings=settings, progress=progress
        )

    def _call(self, model: Path, seconds: float, min_runs: int) -> ProgramReply:
        env = {**os.environ, SECONDS_VARIABLE: f"{seconds:.3f}", RUNS_VARIABLE: str(min_runs)}
        return read_reply(
            self.name, run_program(self.name, [*self.argv, str(model.resolve())], seconds=seconds, env=env)
        )


def find_program(name: str) -> str:
    """The absolute path of a program that is given by its path or, without a slash, found on the PATH.

    Raises:
        UserError: There is none, or it may not be run.
    """
    path = Path(name).expanduser().absolute() if "/" in name else None
    if path is not None and path.is_file() and not os.access(path, os.X_OK):
        raise UserError(f"{name} may not be run; make it executable with chmod +x {shlex.quote(name)}.")
    found = str(path) if path is not None and path.is_file() else shutil.which(name) if path is None else None
    if found is None:
        raise UserError(f"There is no program {short(name)}; give its path, as in cmd:./bench.sh.")
    return found
