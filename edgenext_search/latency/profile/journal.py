"""What a profile has measured so far, kept at once, so that a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenext_search.errors import UserError
from edgenext_search.files import write_text
from edgenext_search.latency.profile.profile import Measured, disturbance, undisturbed_speed

MOST_TRIES = 3  # measurements of one model, where the first were disturbed


class Record:
    """A file with a header and a line for each group of models.

    Attributes:
        path: The file.
        tries: All measurements of each model, by its index in the plan.
        seconds: How long all of them took.
        loads: Load averages of the machine meanwhile, where it tells them.
    """

    def __init__(self, path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
        self.path = path
        self.tries: dict[int, list[Measured]] = {}
        self.seconds = 0.0
        self.loads: list[float] = []
        for line in lines:
            self._take(line)

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any]) -> Record:
        """Begin a record, or go on with one that has the same header.

        Raises:
            UserError: The header is another.
        """
        if not path.exists():
            write_text(path, json.dumps(header) + "\n")
            return cls(path, [])
        lines: list[Any] = []
        whole = ""
        for text in path.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                lines.append(json.loads(text))
            except ValueError:
                break  # cut short when the run was killed
            whole += text
        begun = lines[0] if lines and isinstance(lines[0], dict) else {}
        if begun != header:
            differs = [key for key in header if begun.get(key) != header[key]]
            raise UserError(
                f"{path} holds measurements of another profile ({', '.join(differs) or 'its header'} differs); give "
                "the command that began it, another --out, or remove the file."
            )
        write_text(path, whole if whole.endswith("\n") else f"{whole}\n")
        return cls(path, lines[1:])

    def add(self, measured: Mapping[int, Measured], *, seconds: float, load: float | None) -> None:
        """Keep the measurements of a group, by their index in the plan, and how long they took."""
        line = {
            "measured": {index: entry.to_dict() for index, entry in measured.items()},
            "seconds": round(seconds, 2),
            "load": load,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(json.loads(json.dumps(line)))

    def best(self) -> dict[int, Measured]:
        """The least disturbed measurement of each model."""
        speed = self._speed()
        return {
            index: min(self.tries[index], key=lambda entry: disturbance(entry, speed)) for index in sorted(self.tries)
        }

    def disturbed(self) -> list[int]:
        """The models that ought to be measured once more, the most disturbed first."""
        speed = self._speed()
        found = {index: disturbance(entry, speed) for index, entry in self.best().items()}
        worst = sorted(found, key=lambda index: -found[index])
        return [index for index in worst if found[index] > 1 and len(self.tries[index]) < MOST_TRIES]

    def _speed(self) -> float:
        return undisturbed_speed([entry for tries in self.tries.values() for entry in tries])

    def _take(self, line: Mapping[str, Any]) -> None:
        self.seconds += line["seconds"]
        if line["load"] is not None:
            self.loads.append(line["load"])
        for index, entry in line["measured"].items():
            self.tries.setdefault(int(index), []).append(Measured.from_dict(entry))
