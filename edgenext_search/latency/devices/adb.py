"""An Android device that is reached with the ``adb`` client, and measured with a program of the user."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.benchmark_program import (
    RUNS_VARIABLE,
    SECONDS_VARIABLE,
    Call,
    ProgramOutput,
    check_by_call,
    find_program,
    measure_by_calls,
    read_output,
    run_program,
)
from edgenext_search.latency.devices.bounded_process import Finished
from edgenext_search.latency.devices.device import (
    DeviceError,
    DeviceInfo,
    KnownFailure,
    Progress,
    one_line,
    read_options,
    require_models,
    with_options,
)
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short

ADB = "adb"
TEMPORARY = "/data/local/tmp/edgenext-search-XXXXXX"
FOLDER = re.compile(r"/data/local/tmp/edgenext-search-\w+", re.ASCII)
_SERIAL = re.compile(r"\w[\w.:-]*", re.ASCII)
_KNOWN_FAILURES = (
    KnownFailure("unauthorized", False, "it does not trust this computer; unlock it and allow USB debugging"),
    KnownFailure("No space left", False, "it has no room for the model; free some there"),
    KnownFailure("offline", True, "it is offline; connect it again"),
    KnownFailure("not found", True, "it is not connected; see adb devices"),
    KnownFailure("no devices", True, "it is not connected; see adb devices"),
    KnownFailure("closed", True, "the connection was lost; connect it again"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdbDevice:
    """``adb://serial?program=./bench``.

    Attributes:
        serial: Serial number, as ``adb devices`` lists it.
        program: Absolute path on this machine of a benchmark program for the device, which is copied there.
    """

    serial: str
    program: str

    @classmethod
    def parse(cls, text: str) -> AdbDevice:
        """Parse a text that begins with ``adb:``.

        Raises:
            UserError: The text has another form, or there is no such program.
        """
        serial, _, query = text.removeprefix("adb://").partition("?")
        if not text.startswith("adb://") or not _SERIAL.fullmatch(serial):
            raise UserError(f"An Android device is written adb://serial?program=./bench, but got {short(text)}.")
        options = read_options(f"adb://{serial}", query, ("program",))
        if "program" not in options:
            raise UserError(f"adb://{serial} needs a benchmark program to copy there: adb://{serial}?program=./bench.")
        return cls(serial=serial, program=find_program(options["program"]))

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return with_options(f"adb://{self.serial}", {"program": self.program})

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        with self._installed() as call:
            return check_by_call(self.name, call)

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
        with self._installed() as call:
            return measure_by_calls(self.name, call, models, reference=reference, settings=settings, progress=progress)

    @contextmanager
    def _installed(self) -> Iterator[Call]:
        """Copy the program to a temporary folder of the device, which is removed at the end."""
        made = self._adb("shell", f"mktemp -d {TEMPORARY}")
        folder = made.stdout.decode("utf-8", "replace").strip()
        if not FOLDER.fullmatch(folder):
            raise DeviceError(
                f"{self.name} made no temporary folder: it answered {short(folder)}; is it an Android device?",
                transient=False,
            )
        copied: dict[Path, str] = {}

        def call(model: Path, seconds: float, min_runs: int) -> ProgramOutput:
            if model not in copied:
                copied[model] = f"{folder}/{len(copied)}.onnx"
                self._adb("push", str(model.resolve()), copied[model])
            line = f"{SECONDS_VARIABLE}={seconds:.3f} {RUNS_VARIABLE}={min_runs} {folder}/program {copied[model]}"
            return read_output(self.name, self._run(["shell", line], seconds))

        try:
            self._adb("push", self.program, f"{folder}/program")
            self._adb("shell", f"chmod 700 {folder}/program")
            yield call
        finally:
            with suppress(DeviceError):  # it would hide the first error
                self._adb("shell", f"rm -rf {shlex.quote(folder)}")

    def _adb(self, *arguments: str) -> Finished:
        """Run adb, and raise unless it succeeds."""
        finished = self._run(arguments, 0.0)
        if finished.code != 0:
            raise DeviceError(
                f"{self.name}: adb {arguments[0]} failed ({one_line(finished.last_words)}).", transient=True
            )
        return finished

    def _run(self, arguments: Sequence[str], seconds: float) -> Finished:
        try:
            finished = run_program(self.name, [ADB, "-s", self.serial, *arguments], seconds=seconds)
        except DeviceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise DeviceError(
                    f"{self.name} needs the adb client; install the Android platform tools.", transient=False
                ) from error
            raise
        for output, transient, advice in _KNOWN_FAILURES:
            adb_failed = finished.code != 0 and output in finished.stderr
            if adb_failed and (arguments[0] != "shell" or finished.last_words.startswith(("error:", "adb:"))):
                raise DeviceError(f"{self.name}: {advice} ({one_line(finished.last_words)}).", transient=transient)
        return finished
