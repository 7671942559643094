"""Checkpoints on disk: written whole or not at all, verified when read; the last few and the best are kept."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgenext_search.files import replacing, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import torch

    from edgenext_search.training.engine.distributed import Ranks
    from edgenext_search.training.engine.trainer import State

FOLDER = "checkpoints"
BEST_FILE = "best.pt"
_NAME = re.compile(r"step-(\d{9})\.pt")


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one training.

    Each is a file of ``torch.save``, named by its number of steps, with a digest for ``sha256sum -c`` beside it. A file
    gets its name once its content and its digest are on the disk. So a file with that name is whole, whenever the
    machine stops.

    Attributes:
        folder: Their folder.
        keep: Number of recent checkpoints that stay; at least two while the newest may be saved again.
    """

    folder: Path
    keep: int = 3

    def save(self, state: State, step: int) -> None:
        """Write the state after a number of steps, then remove the oldest checkpoints.

        Raises:
            OSError: It cannot be written, as on a full disk; the former checkpoints stay as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        again = self._path(step).exists()
        write_checked(self._path(step), state)
        # A step that is saved again has no file for a moment, so the checkpoint before it must stay until then.
        for old in self.newest_first()[self.keep if again else max(self.keep, 2) :]:
            digest_file(old).unlink(missing_ok=True)
            old.unlink(missing_ok=True)

    def save_best(self, step: int) -> None:
        """Keep the checkpoint of a step as the best one."""
        path = self._path(step)
        best = self.folder / BEST_FILE
        digest = digest_file(path).read_text(encoding="ascii").replace(path.name, best.name)
        best.unlink(missing_ok=True)
        write_text(digest_file(best), digest)
        with replacing(best) as part:
            try:
                part.unlink()
                os.link(path, part)  # no second copy; checkpoints are never written into
            except OSError:  # a file system without links
                shutil.copyfile(path, part)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"

    def newest_first(self) -> list[Path]:
        """All checkpoints but the best one; leftovers of an interrupted write do not count."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)

    def load(self, device: torch.device, note: Callable[[str], None]) -> State | None:
        """The newest state that can be read; None if there is none.

        Args:
            device: Device of its tensors.
            note: Called with the reason for each checkpoint that is skipped.
        """
        return next((state for _, state in self._readable(device, note)), None)

    def load_together(self, device: torch.device, note: Callable[[str], None], ranks: Ranks) -> State | None:
        """Load the same state on all ranks: the first rank chooses; see :meth:`load`."""
        if ranks.world == 1:
            return self.load(device, note)
        name = ranks.run_on_first(lambda: next((name for name, _ in self._readable("cpu", note)), None))
        return None if name is None else read_checked(self.folder / name, device)

    def _readable(self, device: torch.device | str, note: Callable[[str], None]) -> Iterator[tuple[str, State]]:
        """Name and state of each checkpoint that can be read, the newest first."""
        for path in self.newest_first():
            try:
                yield path.name, read_checked(path, device)
            except CheckpointError as error:
                note(f"{error}; falling back to the checkpoint before it")


def write_checked(path: Path, state: State) -> None:
    """Write a state and its digest whole or not at all, even if the machine stops.

    Raises:
        OSError: They cannot be written.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)  # in memory first: torch's own writer hides that a disk is full
    content = buffer.getvalue()
    digest = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
    with replacing(path) as part, replacing(digest_file(path)) as digest_part:
        part.write_bytes(content)
        digest_part.write_text(digest, encoding="ascii")
        path.unlink(missing_ok=True)  # a damaged one that was skipped


def read_checked(path: Path, device: torch.device | str) -> State:
    """Read a checkpoint without running code that it may contain.

    Raises:
        CheckpointError: It is damaged.
    """
    import torch

    try:
        wanted = digest_file(path).read_text(encoding="ascii").partition(" ")[0]
        content = path.read_bytes()
        sound = hashlib.sha256(content).hexdigest() == wanted
        state: State = torch.load(io.BytesIO(content), map_location=device, weights_only=True) if sound else {}
    except Exception as error:  # a damaged file can break the reader anywhere
        raise CheckpointError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})") from error
    if not sound:
        raise CheckpointError(f"{path} is damaged: its digest is not the one in {digest_file(path).name}")
    return state


def digest_file(path: Path) -> Path:
    """The file with a checkpoint's digest."""
    return path.with_name(f"{path.name}.sha256")
