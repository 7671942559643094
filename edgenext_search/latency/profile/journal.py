"""The journal of a profile: each measurement is kept on disk at once, so that an interrupted run continues."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue, ValidationError

from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.latency.devices.device import DeviceInfo
from edgenext_search.latency.profile.measured_model import MeasuredModel, undisturbed_reference_us
from edgenext_search.latency.profile.profile import DeploymentKeys
from edgenext_search.results import Result

MOST_TRIES = 3  # measurements of one model, if the first ones were disturbed


class PlanKeys(Result):
    """The settings that a plan follows from."""

    networks: int
    """Number of whole networks."""
    stages: int
    """Number of single stages."""
    seed: int
    """Seed of the drawn networks and stages."""


class Header(Result):
    """What all measurements of a journal have in common."""

    device: DeviceInfo
    """The device."""
    space: dict[str, JsonValue]
    """The keys of the space."""
    deployment: DeploymentKeys
    """Number of classes and image size."""
    plan: PlanKeys
    """What is measured."""


class Entry(Result):
    """The measurements of one group of models."""

    measured: dict[int, MeasuredModel]
    """The measured models, by their index in the plan."""
    seconds: float
    """How long the group took."""
    load: float | None
    """Load average of the machine; null where it is not known."""


class Journal:
    """A file with a header and one line for each measured group of models.

    Attributes:
        path: The file.
        tries: All measurements of each model, by its index in the plan.
        seconds: Time that all measurements took.
        loads: Load averages of the machine, where they are known.
    """

    def __init__(self, path: Path, entries: Sequence[Entry] = ()) -> None:
        self.path = path
        self.tries: dict[int, list[MeasuredModel]] = {}
        self.seconds = 0.0
        self.loads: list[float] = []
        for entry in entries:
            self._take(entry)

    @classmethod
    def open(cls, path: Path, header: Header) -> Journal:
        """Create a journal, or continue one that has the same header.

        A line that is damaged, as after a crash, is dropped with all lines after it.

        Raises:
            UserError: The file has another header, or cannot be read or written.
        """
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from error
        asked = header.to_dict()
        if path.exists() and (differing := _differing(asked, lines)):
            raise UserError(
                f"{path} holds measurements of another profile ({differing}); give the command that began it, "
                "another --out, or remove the file."
            )
        entries: list[Entry] = []
        try:
            for line in lines[1:]:
                entries.append(Entry.model_validate_json(line))  # noqa: PERF401 - keeps those before a damaged one
        except ValidationError:
            pass  # cut short when the run was interrupted
        kept = [json.dumps(asked), *(line.decode() for line in lines[1 : 1 + len(entries)])]
        try:
            write_text(path, "".join(f"{line}\n" for line in kept))
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from error
        return cls(path, entries)

    def add(self, measured: Mapping[int, MeasuredModel], *, seconds: float, load: float | None) -> None:
        """Append the measurements of a group and write them to disk.

        Args:
            measured: The measured models, by their index in the plan.
            seconds: How long the group took.
            load: Load average of the machine, if known.
        """
        entry = Entry(measured=dict(measured), seconds=round(seconds, 2), load=load)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry.to_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(entry)

    def best(self) -> dict[int, MeasuredModel]:
        """The least disturbed measurement of each model."""
        reference_us = self._reference_us()
        return {
            index: min(self.tries[index], key=lambda entry: entry.disturbance(reference_us))
            for index in sorted(self.tries)
        }

    def disturbed(self) -> list[int]:
        """The models to measure once more, the most disturbed first."""
        reference_us = self._reference_us()
        disturbance = {index: entry.disturbance(reference_us) for index, entry in self.best().items()}
        worst = sorted(disturbance, key=lambda index: -disturbance[index])
        return [index for index in worst if disturbance[index] > 1 and len(self.tries[index]) < MOST_TRIES]

    def _reference_us(self) -> float:
        return undisturbed_reference_us([entry for tries in self.tries.values() for entry in tries])

    def _take(self, entry: Entry) -> None:
        self.seconds += entry.seconds
        if entry.load is not None:
            self.loads.append(entry.load)
        for index, measured in entry.measured.items():
            self.tries.setdefault(index, []).append(measured)


def _differing(asked: Mapping[str, object], lines: Sequence[bytes]) -> str:
    """The keys in which a journal's header differs from the one that is asked for; empty for none."""
    try:
        header = json.loads(lines[0]) if lines else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        return "its header differs"
    keys = [key for key in asked if header.get(key) != asked[key]]
    return f"{', '.join(keys)} differs" if keys else ""
