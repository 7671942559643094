"""The image files below a folder. Nothing is left out without being counted, and what cannot be read is an error."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgenext_search.data.formats import HEAD, begins_as_image, image_extensions
from edgenext_search.errors import UserError
from edgenext_search.texts import counted, printable

SYSTEM_FOLDERS = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "__macosx",
        "lost+found",
        "system volume information",
    }
)
"""Folders that file servers, archives and operating systems make, in small letters."""

BESIDE = "beside the class folders"
_LOST = frozenset({errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV})
_KINDS, _EXAMPLES = 6, 2  # shown


@dataclass(slots=True)
class LeftOut:
    """What is no image, by kind, each with its number and first examples."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, path: str) -> None:
        """Count one."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(path)

    def __str__(self) -> str:
        """All kinds in one line, the most frequent first; empty where there are none."""
        kinds = sorted(self.counts, key=lambda kind: (-self.counts[kind], kind))
        shown = [
            f"{self.counts[kind]:,} {kind} ({', '.join(self.examples[kind])}"
            f"{', ...' if self.counts[kind] > _EXAMPLES else ''})"
            for kind in kinds[:_KINDS]
        ]
        if rest := kinds[_KINDS:]:
            shown.append(f"{sum(self.counts[kind] for kind in rest):,} of {counted(len(rest), 'other kind')}")
        return ", ".join(shown)


class Listing:
    """The folders below one folder, each of which may be reached once only.

    Args:
        root: The folder, as an absolute path.
        other: Where the same classes are too: one that is removed has to be removed there as well.
    """

    def __init__(self, root: str, other: str | None = None) -> None:
        self._root, self._other = root, other
        self._reached: dict[tuple[int, int], str] = {}
        self.left_out = LeftOut()

    def folders(self) -> list[str]:
        """Names of the folders directly inside, in no order; files directly inside are left out.

        Raises:
            UserError: The folder cannot be listed, or a link in it cannot be followed.
        """
        names = []
        for entry, kind in self._entries(self._root):
            if kind == "folder":
                names.append(entry.name)
            elif kind is not None:
                self.left_out.add(BESIDE, printable(entry.name))
        return names

    def images(self, name: str) -> list[str]:
        """Paths of the images below one of the folders, relative to the root, in no order.

        Raises:
            UserError: A folder cannot be listed, a link cannot be followed, or leads to a folder that was listed.
        """
        endings = image_extensions()
        images = []
        waiting = [f"{self._root}/{name}"]
        while waiting:
            folder = waiting.pop()
            self._reach(folder)
            for entry, kind in self._entries(folder):
                path = entry.path[len(self._root) + 1 :]
                if kind == "folder":
                    waiting.append(entry.path)
                elif kind == "file":
                    _, ending = os.path.splitext(entry.name)  # noqa: PTH122 - of many names
                    if ending.lower() in endings or (not ending and _looks_like_image(entry.path)):
                        images.append(path)
                    else:
                        self.left_out.add(printable(ending.lower()) or "without extension", printable(path))
                elif kind is not None:
                    self.left_out.add(kind, printable(path))
        return images

    def _entries(self, folder: str) -> Iterator[tuple[os.DirEntry[str], str | None]]:
        """What is directly inside: ``folder``, ``file``, what else it is, or None for what is counted here."""
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)  # examples do not depend on the file system
        except OSError as error:
            raise UserError(_unlisted(folder, error)) from error
        for entry in entries:
            hidden = entry.name.startswith(".")
            if hidden or entry.name.lower() in SYSTEM_FOLDERS:
                path = printable(entry.path[len(self._root) + 1 :])
                self.left_out.add("hidden" if hidden else "of the system", path)
                yield entry, None
                continue
            try:
                kind = _kind(entry)
            except OSError as error:
                raise UserError(self._unfollowed(entry.path, error)) from error
            yield entry, kind

    def _reach(self, folder: str) -> None:
        try:
            found = os.stat(folder)  # noqa: PTH116 - of many folders
        except OSError as error:
            raise UserError(_unlisted(folder, error)) from error
        before = self._reached.setdefault((found.st_dev, found.st_ino), folder)
        if before != folder and found.st_ino:
            raise UserError(
                f"Each folder must be reached once, but {printable(folder)} is the same as {printable(before)}: its "
                f"images would count twice. Remove {self.removal(folder)}."
            )

    def removal(self, path: str) -> str:
        """What is to be removed when a path is: for a class, that of the other part too."""
        folder, name = os.path.split(path)
        twin = f"{self._other}/{name}"
        both = self._other is not None and folder == self._root and os.path.lexists(twin)
        return f"{printable(path)} and {printable(twin)}" if both else printable(path)

    def _unfollowed(self, path: str, error: OSError) -> str:
        remove = f"remove {self.removal(path)}"
        if error.errno == errno.ENOENT:
            target = printable(os.readlink(path))  # noqa: PTH115
            return f"The link {printable(path)} leads to {target}, which is not there. Restore that, or {remove}."
        if error.errno == errno.ELOOP:
            return f"The link {printable(path)} leads in a circle; {remove}."
        return f"{printable(path)} cannot be followed: {error.strerror}. Make what it leads to readable, or {remove}."


def is_folder(path: Path) -> bool:
    """Whether there is a folder.

    Raises:
        UserError: That cannot be told: a link leads nowhere, or the file system does not answer.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            target = printable(str(path.readlink()))
            raise UserError(
                f"The link {printable(str(path))} leads to {target}, which is not there. Restore that, or correct the "
                "link."
            ) from error
        return False
    except ValueError:  # a NUL
        return False
    except OSError as error:
        raise UserError(
            f"The folder {printable(str(path))} cannot be looked at: {error.strerror}. Make it readable, or mount its "
            "disk again."
        ) from error


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        mode = entry.stat().st_mode
        folder, file = stat.S_ISDIR(mode), stat.S_ISREG(mode)
    else:  # known without asking the file system again
        folder, file = entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False)
    return "folder" if folder else "file" if file else "pipes, sockets or devices"


def _looks_like_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - of many files
            return begins_as_image(file.read(HEAD))
    except OSError as error:
        raise UserError(
            f"{printable(path)} cannot be read ({error.strerror}), so whether it is an image is unknown. Make it "
            "readable, or remove it."
        ) from error


def _unlisted(folder: str, error: OSError) -> str:
    remedy = "Make it readable (chmod -R u+rX), or run as its owner."
    if error.errno in _LOST:
        remedy = "Its disk or network drive does not answer; mount it again."
    return f"The folder {printable(folder)} cannot be listed: {error.strerror}. {remedy}"
