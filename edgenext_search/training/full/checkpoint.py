"""Checkpoints on disk: written whole or not at all, checked when read, the last few and the best kept."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgenext_search.files import replacing, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import torch

    from edgenext_search.training.engine.distributed import Ranks

FOLDER = "checkpoints"
BEST_FILE = "best.pt"
_NAME = re.compile(r"step-(\d{9})\.pt")


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one training.

    Each is a file of ``torch.save`` named by the steps done, with a digest beside it in the form that ``sha256sum -c``
    reads. A file gets its name once all of it and its digest are on the disk, so a name stands for a whole file
    whenever the machine stops.

    Attributes:
        folder: Where they lie.
        keep: How many of the last ones stay; two at least while the newest may be saved again.
    """

    folder: Path
    keep: int = 3

    def save(self, state: dict[str, Any], step: int) -> None:
        """Write the state after a number of steps, then remove the oldest ones that are too many.

        Raises:
            OSError: It cannot be written, as where the disk is full; the former ones are left as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        again = self._path(step).exists()
        write_checked(self._path(step), state)
        # A step that is saved again has no file for a moment: until then the one before it stays in any case.
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
                os.link(path, part)  # no second copy; checkpoints are never written into
            except OSError:  # a file system without links
                shutil.copyfile(path, part)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"

    def newest_first(self) -> list[Path]:
        """All but the best one; leftovers of an interrupted write are none."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)

    def load(self, device: torch.device, note: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest state that can be read; None where there is none.

        Args:
            device: Where its tensors go.
            note: Told of each checkpoint that is passed over, and why.
        """
        for path in self.newest_first():
            try:
                return read_checked(path, device)
            except CheckpointError as error:
                note(f"{error}; falling back to the checkpoint before it")
        return None

    def load_together(self, device: torch.device, note: Callable[[str], None], ranks: Ranks) -> dict[str, Any] | None:
        """As :meth:`load`, the same state on all ranks: the first of them chooses."""
        if ranks.world == 1:
            return self.load(device, note)
        name = ranks.from_first(lambda: next(self._readable(note), None))
        return None if name is None else read_checked(self.folder / name, device)

    def _readable(self, note: Callable[[str], None]) -> Iterator[str]:
        import torch

        for path in self.newest_first():
            try:
                read_checked(path, torch.device("cpu"))
            except CheckpointError as error:
                note(f"{error}; falling back to the checkpoint before it")
            else:
                yield path.name


def write_checked(path: Path, state: dict[str, Any]) -> None:
    """Write a state and its digest so that they appear whole or not at all, also when the machine stops.

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
        path.unlink(missing_ok=True)  # a damaged one that was passed over


def read_checked(path: Path, device: torch.device) -> dict[str, Any]:
    """A checkpoint, without running anything that it may hold.

    Raises:
        CheckpointError: It is not what was written.
    """
    import torch

    try:
        wanted = digest_file(path).read_text(encoding="ascii").partition(" ")[0]
        content = path.read_bytes()
        sound = hashlib.sha256(content).hexdigest() == wanted
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True) if sound else {}
    except Exception as error:  # a damaged file can break the reader anywhere
        raise CheckpointError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})") from error
    if not sound:
        raise CheckpointError(f"{path} is damaged: its digest is not the one in {digest_file(path).name}")
    return state


def digest_file(path: Path) -> Path:
    """Where the digest of a checkpoint stands."""
    return path.with_name(f"{path.name}.sha256")
