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

from edgenext_search.data.fingerprint import content_fingerprint, sampled_bytes_at
from edgenext_search.data.formats import image_extensions
from edgenext_search.data.images import UnreadableImageError, decode
from edgenext_search.data.sources.listing import LeftOut
from edgenext_search.errors import UserError
from edgenext_search.texts import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    from PIL import Image

    from edgenext_search.data.sources.source import Part

_PADDING = 1 << 20  # bytes behind an archive's end that are looked at; writers fill up to 10 KiB
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
        lengths = _shard_lengths(info)
        labels: list[int] = []
        self._places: list[_Place] = []
        left_out = LeftOut()
        for number, shard in enumerate(self._shards):
            whole = lengths.get(shard.relative_to(data_dir).as_posix())
            for label, place in _index(shard, number, label_key, left_out, whole=whole):
                if label >= 0:
                    labels.append(label)
                    self._places.append(place)
        if not labels:
            n = len(self._shards)
            raise UserError(f"The {n} shard(s) of {name} in {data_dir} hold no labelled image. {_EXPECTED}")
        self.labels: npt.NDArray[np.int64] = np.array(labels, dtype=np.int64)
        self.classes = _class_names(info, int(self.labels.max()) + 1)
        said = str(left_out)
        self.notes: tuple[str, ...] = (f"{name}, {part}: left out: {said}.",) if said else ()

    def image_name(self, index: int) -> str:
        """The image's number."""
        return str(index)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of the classes, of every image's shard, place therein, size and label, and of sampled bytes."""
        chosen = range(len(self._places)) if rows is None else rows.tolist()

        def known(index: int) -> bytes:
            place = self._places[index]
            return f"{self._shards[place.shard].name}\0{place.offset}\0{place.size}\0{self.labels[index]}".encode()

        def sample(index: int) -> bytes:
            place = self._places[chosen[index]]
            return sampled_bytes_at(self._shards[place.shard], place.offset, place.size)

        return content_fingerprint(map(known, chosen), sample, of="\n".join(self.classes))

    def former_fingerprint(self) -> str:
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
        splits = _splits(info)
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


class _Sample:
    """What is known of a sample: its label and the place of its image."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.label: int | None = None
        self.place: _Place | None = None
        self.path = ""

    def finish(self, left_out: LeftOut) -> Iterator[tuple[int, _Place]]:
        """Yield label and place, with the label -1 for one that is left out; nothing where there is no image."""
        if self.place is None:
            return
        if self.label is None:
            left_out.add("images without a label", self.path)
        elif self.label < 0:
            left_out.add("images with a negative label", self.path)
        yield -1 if self.label is None else self.label, self.place


def _index(
    shard: Path, number: int, label_key: str, left_out: LeftOut, *, whole: int | None
) -> Iterator[tuple[int, _Place]]:
    """Yield label and place of each image of one shard; a label is negative where the image is to be left out.

    Members of a sample stand next to each other and share the name up to the first dot after the last slash.

    Args:
        shard: The tar file.
        number: Its number.
        label_key: Field of the JSON file with the label; "" for the ``.cls`` file.
        left_out: Counts what is left out.
        whole: Samples that it should have; None where nobody says, so that its end has to show that it is whole.
    """
    label_ending = "json" if label_key else "cls"
    endings = image_extensions()
    sample, samples = _Sample(""), 0
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # or every header stays in memory
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                if not stem or not member.isfile():
                    if not member.isdir():
                        left_out.add("hidden" if member.isfile() else "links", printable(member.name))
                    continue
                if f"{folder}/{stem}" != sample.key:
                    yield from sample.finish(left_out)
                    samples += sample.place is not None
                    sample = _Sample(f"{folder}/{stem}")
                if f".{ending.lower()}" in endings and sample.place is None:
                    sample.place = _Place(number, member.offset_data, member.size)
                    sample.path = printable(member.name)
                elif ending.lower() == label_ending:
                    content = tar.extractfile(member)
                    sample.label = _label(shard, member, content.read() if content is not None else b"", label_key)
            yield from sample.finish(left_out)
            samples += sample.place is not None
            _check_end(shard, tar.offset, complete=whole is not None and samples >= whole)
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"The shard {shard} cannot be indexed: {error}. Shards must be whole, uncompressed tar files; fetch it "
            "again, or unpack a .tar.gz to .tar first."
        ) from error
    if whole is not None and samples < whole:
        raise UserError(
            f"The shard {shard} must hold {whole} samples, as _info.json says, but holds {samples}. Fetch it again, or "
            "correct _info.json."
        )


def _check_end(shard: Path, offset: int, *, complete: bool) -> None:
    """Check that an archive ends with an empty block, and the file with it; tarfile stops at anything else in silence.

    Args:
        shard: The tar file.
        offset: Where the block after the last member is.
        complete: Whether it is known to hold all its samples, so that the empty block may be missing.
    """
    with shard.open("rb") as file:
        file.seek(offset)
        rest = file.read(_PADDING)
    end = rest[: tarfile.BLOCKSIZE]
    if len(end) < tarfile.BLOCKSIZE and not (complete and not end):
        raise tarfile.ReadError(f"it is cut short after {offset} bytes")
    if end.strip(b"\0"):
        raise tarfile.ReadError(f"it is damaged after {offset} bytes")
    if rest.strip(b"\0"):
        raise tarfile.ReadError(f"another archive follows after {offset} bytes (tar --concatenate joins them)")


def _label(shard: Path, member: tarfile.TarInfo, text: bytes, label_key: str) -> int:
    try:
        value = json.loads(text)[label_key] if label_key else int(text)
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError(value)  # noqa: TRY301
        return int(value)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        field = f"the integer field {label_key!r}" if label_key else "an integer"
        raise UserError(
            f"{printable(member.name)} in {shard} must hold {field} as the class index, but reads {text[:40]!r}. Mend "
            "the shard."
        ) from error


def _shard_lengths(info: Mapping[str, object]) -> dict[str, int]:
    """Samples of each shard, by the info file, where it says so."""
    lengths: dict[str, int] = {}
    for split in _splits(info).values():
        names, counts = split.get("filenames"), split.get("shard_lengths")
        if isinstance(names, list) and isinstance(counts, list) and len(names) == len(counts):
            lengths.update(zip(names, counts, strict=True))
        elif isinstance(names, list) and len(names) == 1 and isinstance(split.get("num_samples"), int):
            lengths[names[0]] = split["num_samples"]
    return {name: count for name, count in lengths.items() if isinstance(count, int)}


def _splits(info: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    splits = info.get("splits")
    if not isinstance(splits, dict):
        return {}
    return {name: split for name, split in splits.items() if isinstance(split, dict)}


def _class_names(info: dict[str, Any], n: int) -> tuple[str, ...]:
    """Names from the info file where it lists enough of them, otherwise the indices."""
    names = info.get("classes") or info.get("class_names")
    if isinstance(names, list) and len(names) >= n:
        return tuple(str(name) for name in names)
    return tuple(str(label) for label in range(n))
