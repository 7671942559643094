"""WebDataset shards (`wds/...`), read straight from the tar files.

timm streams shards through the webdataset library, in order and decoding every image. A local, uncompressed tar file
allows better with the standard library alone: one walk over its headers finds the labels and where each image lies, and
after that any image is one seek away. The index takes about 100 bytes an image in memory (130 MB for ImageNet-1k).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgenext_search.data.images import UnreadableImageError, decode
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.sources.source import Part

_IMAGE_KEYS = ("jpg", "jpeg", "png", "webp")
_EXPECTED = (
    "Expected in it the shards and timm's _info.json (whose splits.train lists them), or shards named in --data, such "
    "as wds/photos-train-{0000..0015}.tar; a sample is KEY.jpg (or .png, .webp) beside KEY.cls."
)
_SPLITS = {"train": ("train",), "val": ("validation", "val")}


class _Place(NamedTuple):
    shard: int
    offset: int
    size: int


class ShardSource:
    """Labelled images in tar shards.

    Which shards: the part of the name after `wds/` where it names tar files (`{0000..0015}` and `*` are expanded),
    otherwise `splits.train` of `_info.json`; of the validation part always its `splits.validation`. Labels: the
    sample's `.cls` file, or the field of its `.json` file that the split's `alt_label` names; samples with a negative
    label are left out, as timm does.

    Args:
        name: The dataset's name, with its prefix.
        data_dir: Folder of the shards.
        part: Training or validation images.

    Raises:
        UserError: If the shards are missing, compressed, broken or hold no labelled images.
    """

    demonstration = False

    def __init__(self, name: str, data_dir: Path | None, part: Part = "train") -> None:
        if data_dir is None:
            raise UserError(f"{name} is read from local shards: say with --data-dir where. Nothing is downloaded.")
        self.name = name
        info = _read_info(data_dir)
        self._shards, label_key = _find_shards(name.partition("/")[2], data_dir, info, part)
        labels: list[int] = []
        self._places: list[_Place] = []
        for number, shard in enumerate(self._shards):
            for label, place in _index(shard, number, label_key):
                if label >= 0:
                    labels.append(label)
                    self._places.append(place)
        if not labels:
            n = len(self._shards)
            raise UserError(f"The {n} shard(s) of {name} in {data_dir} hold no labelled image. {_EXPECTED}")
        self.labels: npt.NDArray[np.int64] = np.array(labels, dtype=np.int64)
        self.classes = _class_names(info, int(self.labels.max()) + 1)

    def fingerprint(self) -> str:
        """Digest of the shards' names, sizes and modification times."""
        digest = hashlib.sha256()
        for shard in self._shards:
            stat = shard.stat()
            digest.update(f"{shard.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If it cannot be read or decoded.
        """
        place = self._places[index]
        shard = self._shards[place.shard]
        where = f"{shard} at byte {place.offset}"
        try:
            with shard.open("rb") as file:
                file.seek(place.offset)
                encoded = file.read(place.size)
        except OSError as error:
            raise UnreadableImageError(where, error.strerror or str(error)) from error
        return decode(io.BytesIO(encoded), where, size)


def _read_info(data_dir: Path) -> dict[str, Any]:
    for name in ("_info.json", "info.json"):
        path = data_dir / name
        if path.is_file():
            try:
                info = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{path} is not valid JSON: {error}. Mend it, or name the shards in --data.") from error
            return info if isinstance(info, dict) else {}
    return {}


def _find_shards(pattern: str, data_dir: Path, info: dict[str, Any], part: Part) -> tuple[list[Path], str]:
    """The shards in order, and the JSON field that holds the label ("" for `.cls`)."""
    label_key = ""
    if ".tar" in pattern and part == "train":
        names = [name for expanded in _expand(pattern) for name in _glob(data_dir, expanded)]
    else:
        splits = info.get("splits", {})
        split: dict[str, Any] = next((splits[key] for key in _SPLITS[part] if key in splits), {})
        names = list(split.get("filenames", ()))
        label_key = split.get("alt_label", "") or ""
    if not names and part == "val":
        raise UserError(
            f"No validation shards of wds/{pattern} found in {data_dir}: they are those that splits.validation of "
            "timm's _info.json lists. Add it there."
        )
    if not names:
        raise UserError(f"No training shards of wds/{pattern} found in {data_dir}. {_EXPECTED}")
    shards = [data_dir / name for name in names]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(shards)} shard(s) of wds/{pattern} are not in {data_dir}: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}. Fetch them, or point --data-dir at their folder."
        )
    return shards, label_key


def _expand(pattern: str) -> Iterator[str]:
    """`a-{08..10}.tar` -> a-08.tar, a-09.tar, a-10.tar."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if match is None:
        yield pattern
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _expand(f"{pattern[: match.start()]}{number:0{len(first)}d}{pattern[match.end() :]}")


def _glob(data_dir: Path, name: str) -> list[str]:
    if "*" not in name:
        return [name]
    return sorted(path.relative_to(data_dir).as_posix() for path in data_dir.glob(name))


def _index(shard: Path, number: int, label_key: str) -> Iterator[tuple[int, _Place]]:
    """Yield label and place of each sample of one shard.

    Members of a sample stand next to each other and share the name up to the first dot after the last slash.
    """
    label_ending = "json" if label_key else "cls"
    key, label, place = "", None, None
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                if not member.isfile() or not stem:
                    continue
                if f"{folder}/{stem}" != key:
                    key, label, place = f"{folder}/{stem}", None, None
                ending = ending.lower()
                if ending in _IMAGE_KEYS:
                    place = _Place(number, member.offset_data, member.size)
                elif ending == label_ending:
                    content = tar.extractfile(member)
                    label = _label(shard, member, content.read() if content is not None else b"", label_key)
                if label is not None and place is not None:
                    yield label, place
                    label, place = None, None
                tar.members = []  # type: ignore[attr-defined]  # or every header stays in memory
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"The shard {shard} cannot be indexed: {error}. Shards must be whole, uncompressed tar files; "
            "unpack .tar.gz ones to .tar first."
        ) from error


def _label(shard: Path, member: tarfile.TarInfo, text: bytes, label_key: str) -> int:
    try:
        return int(json.loads(text)[label_key]) if label_key else int(text)
    except (ValueError, KeyError, TypeError) as error:
        field = f"the integer field {label_key!r}" if label_key else "an integer"
        raise UserError(
            f"{member.name} in {shard} must hold {field} as the class index, but reads {text[:40]!r}. Mend the shard."
        ) from error


def _class_names(info: dict[str, Any], n: int) -> tuple[str, ...]:
    """Names from the info file where it lists enough of them, otherwise the indices."""
    names = info.get("classes") or info.get("class_names")
    if isinstance(names, list) and len(names) >= n:
        return tuple(str(name) for name in names)
    return tuple(str(label) for label in range(n))
