"""Datasets that timm knows by name: `torch/...`, `hfds/...`, `tfds/...`. timm and torch are imported to open one."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from contextlib import contextmanager, suppress
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from edgenext_search.data.fingerprint import content_fingerprint, fingerprint_of_files, sampled_bytes
from edgenext_search.data.images import DECODING_ERRORS, UnreadableImageError, decode, one_line, to_rgb
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from edgenext_search.data.sources.source import Part, Source

    _Dataset: TypeAlias = Any  # a torchvision or timm dataset; neither library states one type for all

_IDX = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
_SPLITS: dict[Part, tuple[str, ...]] = {"train": ("train",), "val": ("validation", "val", "valid", "test")}
_TORCH_LAYOUTS = {
    "cifar10": "cifar-10-batches-py/ with data_batch_1 ... data_batch_5, test_batch and batches.meta",
    "cifar100": "cifar-100-python/ with train, test and meta",
    "fashion_mnist": f"FashionMNIST/raw/ with {_IDX}",
    "imagenet": "train/<wnid>/*.JPEG and ILSVRC2012_devkit_t12.tar.gz",
    "inaturalist": "2021_train/<category>/*.jpg",
    "kmnist": f"KMNIST/raw/ with {_IDX}",
    "mnist": f"MNIST/raw/ with {_IDX}",
    "places365": "data_large_standard/, categories_places365.txt and places365_train_standard.txt",
    "qmnist": "QMNIST/raw/ with qmnist-train-images-idx3-ubyte and qmnist-train-labels-idx2-int",
}


def open_timm(data: str, data_dir: Path | None, part: Part = "train") -> Source:
    """Open a split of a dataset by timm's name for it; `download` stays off.

    Args:
        data: The name, with its prefix.
        data_dir: Its root: torchvision's `root`, Hugging Face's `cache_dir`, or TensorFlow's `data_dir`. Only
            `torch/` cannot do without.
        part: The training split, or the validation split; that is the test split where there are but two.

    Returns:
        A source with random access, or for `tfds/` one that is read in order.

    Raises:
        UserError: If the library behind the prefix is not installed, the name is unknown, or the files are absent.
    """
    prefix, _, rest = data.partition("/")
    prefix = prefix.lower()
    if prefix == "torch":
        return _open_torch(data, rest.lower(), data_dir, part)
    library = {"hfds": "datasets", "tfds": "tensorflow_datasets"}[prefix]
    if importlib.util.find_spec(library) is None:
        raise UserError(
            f"{data} is read with the library {library}, which is not installed here. "
            f"Install it (pip install {library.replace('_', '-')}), or give a folder with train/<class>/."
        )
    where = f"in {data_dir}" if data_dir is not None else f"in the cache of {library} (no --data-dir was given)"
    try:
        with _offline():
            dataset = _create_split(data, data_dir, part)
    except Exception as error:  # two libraries, each with exceptions of its own for "not there"
        raise UserError(
            f"{data} cannot be opened {where}: {one_line(error)}. Prepare it there with {library} first, which "
            "also says how the name is spelt; nothing is downloaded here."
        ) from error
    return HubSource(data, dataset) if prefix == "hfds" else OrderedSource(data, dataset)


class TorchSource:
    """A torchvision dataset.

    Args:
        name: timm's name for it.
        dataset: The opened split.
        data_dir: Its root, part of the identity.
        part: Which split it is, part of the identity.
    """

    demonstration = False
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, dataset: _Dataset, data_dir: Path, part: Part = "train") -> None:
        self.name = name
        self._part = part
        self._dataset = dataset
        self._data_dir = data_dir
        if hasattr(dataset, "loader"):
            dataset.loader = Image.open  # torchvision's own loader ignores EXIF and clips 16 bits
        self.labels = _torch_labels(dataset)
        names = getattr(dataset, "classes", None) or getattr(dataset, "all_categories", None)
        self.classes = _class_names(name, names, self.labels)

    def image_name(self, index: int) -> str:
        """The image's number."""
        return str(index)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of the labels, and of the pixels where torchvision holds them in memory, else of its files."""
        digest = self._digest_of_labels(rows)
        pixels = getattr(self._dataset, "data", None)
        if pixels is None:
            files = _torch_files(self._dataset)
            chosen = files if rows is None else [files[index] for index in rows.tolist()]
            digest.update(fingerprint_of_files(str(self._dataset.root), chosen).encode())
        else:
            digest.update(np.ascontiguousarray(pixels if rows is None else pixels[rows]).data)
        return digest.hexdigest()[:16]

    def former_fingerprint(self) -> str:
        """The same where the pixels are in memory, else a digest of the labels and the folder's path."""
        if getattr(self._dataset, "data", None) is not None:
            return self.fingerprint()
        digest = self._digest_of_labels(None)
        digest.update(str(self._data_dir.resolve()).encode())
        return digest.hexdigest()[:16]

    def _digest_of_labels(self, rows: npt.NDArray[np.int64] | None) -> hashlib._Hash:
        labels = self.labels if rows is None else self.labels[rows]
        digest = hashlib.sha256(f"{self.name}\0{len(labels)}\0{self._part}\0".encode())
        digest.update(labels.tobytes())
        return digest

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        where = f"{self.name} image {index}"
        try:
            image: Image.Image = self._dataset[index][0]
            return to_rgb(image, size)
        except DECODING_ERRORS as error:
            raise UnreadableImageError(where, one_line(error)) from error


class HubSource:
    """A Hugging Face dataset in Arrow files (`hfds/`), opened by timm's reader.

    Args:
        name: timm's name for it.
        dataset: timm's `ImageDataset`. Its own indexing is not used: it replaces an unreadable image by the next one.
    """

    demonstration = False
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, dataset: _Dataset) -> None:
        self.name = name
        self._reader = dataset.reader
        column = list(self._reader.dataset[self._reader.label_key])
        if not all(isinstance(label, Integral) for label in column):
            other = next(label for label in column if not isinstance(label, Integral))
            raise UserError(
                f"Labels must be whole numbers, but {name} has {other!r} among them. Choose another dataset."
            )
        self.labels: npt.NDArray[np.int64] = np.asarray(column, dtype=np.int64)
        self.classes = _class_names(name, list(self._reader.class_to_idx), self.labels)

    def image_name(self, index: int) -> str:
        """The image's number."""
        return str(index)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of the labels, and of sizes and bytes of sampled images."""
        chosen = range(len(self.labels)) if rows is None else rows.tolist()

        def sample(index: int) -> bytes:
            try:
                with self._reader[chosen[index]][0] as file:
                    return sampled_bytes(file)
            except OSError:
                return b"unreadable"

        labels = (b"%d" % self.labels[index] for index in chosen)
        return content_fingerprint(labels, sample, of="\n".join((self.name, *self.classes)))

    def former_fingerprint(self) -> str:
        """Digest of the library's own fingerprint of the Arrow table, and of the labels."""
        table = getattr(self._reader.dataset, "_fingerprint", "")
        digest = hashlib.sha256(f"{self.name}\0{len(self.labels)}\0train\0{table}\0".encode())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:
        """Decode one image to RGB.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        where = f"{self.name} image {index}"
        try:
            file = self._reader[index][0]
        except OSError as error:
            raise UnreadableImageError(where, one_line(error)) from error
        with file:
            return decode(file, where, size)


class OrderedSource:
    """A dataset that can only be read in order (`tfds/`).

    Nothing is held in memory but the labels and the image at hand, so the set may be of any size; the price is two
    passes over it, one for the labels and one for the images, each decoding every image. The labels are read when first
    asked for, so that a set already in the cache costs no pass.

    Args:
        name: timm's name for it.
        dataset: timm's `IterableImageDataset` with shuffling off, or any iterable of (image, label) that gives the same
            order each time.
    """

    demonstration = False
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, dataset: _Dataset) -> None:
        self.name = name
        self._dataset = dataset
        self._labels: npt.NDArray[np.int64] | None = None

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each image, int64 [n]; the first use reads the whole set."""
        if self._labels is None:
            self._labels = np.array([int(label) for _, label in self._dataset], dtype=np.int64)
        return self._labels

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names where the dataset has them, otherwise the indices."""
        names = list(getattr(getattr(self._dataset, "reader", None), "class_to_idx", {}))
        return tuple(names) if names else _class_names(self.name, None, self.labels)

    def image_name(self, index: int) -> str:
        """The image's number."""
        return str(index)

    def fingerprint(self, rows: npt.NDArray[np.int64] | None = None) -> str:
        """Digest of the dataset's full name with version, its number of images, and its files where they are local."""
        info = getattr(getattr(getattr(self._dataset, "reader", None), "builder", None), "info", None)
        folder, files = str(getattr(info, "data_dir", "")), list[bytes]()
        if folder and Path(folder).is_dir():
            below = (Path(where, name) for where, _, names in os.walk(folder) for name in names)
            files = sorted(os.fsencode(path.relative_to(folder)) for path in below)
        content = fingerprint_of_files(folder, files)
        chosen = b"" if rows is None else rows.tobytes()
        identity = (self.name, getattr(info, "full_name", ""), len(self._dataset), content, chosen)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]

    def former_fingerprint(self) -> str:
        """Digest of the dataset's full name with version, its location and number of images."""
        reader = getattr(self._dataset, "reader", None)
        info = getattr(getattr(reader, "builder", None), "info", None)
        identity = (self.name, getattr(info, "full_name", ""), getattr(info, "data_dir", ""), len(self._dataset))
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]

    def load(self, index: int, size: int | None = None) -> Image.Image:  # noqa: ARG002 - decoded already
        """Decode one image by reading the set up to it: use `stream` for more than one.

        Raises:
            UnreadableImageError: If it cannot be decoded.
        """
        image = next(self.stream(np.array([index])))
        if isinstance(image, UnreadableImageError):
            raise image
        return image

    def stream(self, indices: npt.NDArray[np.int64]) -> Iterator[Image.Image | UnreadableImageError]:
        """Yield the images at sorted `indices` in one pass, holding one at a time."""
        wanted = iter(indices.tolist())
        target = next(wanted, None)
        for index, (image, _) in enumerate(self._dataset):
            if index != target:
                continue
            try:
                yield to_rgb(image)
            except DECODING_ERRORS as error:
                yield UnreadableImageError(f"{self.name} image {index}", one_line(error))
            target = next(wanted, None)
            if target is None:
                return


def _open_torch(data: str, name: str, data_dir: Path | None, part: Part) -> TorchSource:
    if name not in _TORCH_LAYOUTS:
        raise UserError(
            f"{data!r} is no torchvision dataset that timm knows; these are: "
            f"{', '.join('torch/' + layout for layout in _TORCH_LAYOUTS)}. For images of your own give their folder."
        )
    layout = _TORCH_LAYOUTS[name]
    if data_dir is None:
        raise UserError(
            f"{data} is read from local files: say with --data-dir where they lie (a folder that holds {layout}). "
            "Nothing is downloaded."
        )
    if not data_dir.is_dir():
        raise UserError(
            f"{data} needs a folder that holds {layout}, but there is no folder {data_dir}. Correct --data-dir."
        )
    try:
        dataset = _create(data, data_dir, _SPLITS[part][0])
    except (RuntimeError, OSError, ValueError, ImportError, EOFError, KeyError) as error:
        raise UserError(
            f"{data} cannot be opened in {data_dir}: {one_line(error)}. Expected there: {layout}. Put the files there "
            "or correct --data-dir; nothing is downloaded."
        ) from error
    return TorchSource(data, dataset, data_dir, part)


def _create(data: str, data_dir: Path | None, split: str) -> _Dataset:
    from timm.data import create_dataset

    return create_dataset(data, root=None if data_dir is None else str(data_dir), split=split, download=False)


def _create_split(data: str, data_dir: Path | None, part: Part) -> _Dataset:
    """The first of the splits that may be called so; if there is none, what was wrong with the first."""
    first, *others = _SPLITS[part]
    try:
        return _create(data, data_dir, first)
    except Exception:  # each library has its own for a split that is not there
        for split in others:
            with suppress(Exception):
                return _create(data, data_dir, split)
        raise


@contextmanager
def _offline() -> Iterator[None]:
    """Keep Hugging Face's libraries off the network: timm's reader has no switch for it."""
    try:
        from huggingface_hub import constants
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _torch_labels(dataset: _Dataset) -> npt.NDArray[np.int64]:
    """Labels without decoding: `targets` (all but iNaturalist), or its `index` of (category, file)."""
    if hasattr(dataset, "targets"):
        labels = np.asarray(dataset.targets, dtype=np.int64)
        return labels[:, 0] if labels.ndim == 2 else labels  # QMNIST: the digit, then where it came from
    return np.array([category for category, _ in dataset.index], dtype=np.int64)


def _torch_files(dataset: _Dataset) -> list[bytes]:
    """Paths of the images below the dataset's root: iNaturalist's `index`, ImageNet's `samples`, Places365's `imgs`."""
    if hasattr(dataset, "index"):
        return [os.fsencode(f"{dataset.all_categories[category]}/{name}") for category, name in dataset.index]
    files = dataset.samples if hasattr(dataset, "samples") else dataset.imgs
    return [os.fsencode(file.removeprefix(str(dataset.root)).lstrip("/")) for file, _ in files]


def _class_names(data: str, names: list[str] | None, labels: npt.NDArray[np.int64]) -> tuple[str, ...]:
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, -1)
    n = len(names) if names else high + 1
    if low < 0 or high >= n:
        raise UserError(
            f"The labels of {data} must lie in 0..{n - 1}, but reach from {low} to {high}: its training split is not "
            "labelled for classification. Choose another dataset."
        )
    return tuple(_name_of(name) for name in names) if names else tuple(str(label) for label in range(n))


def _name_of(name: str | tuple[str, ...]) -> str:
    """Join synonyms: torchvision gives ImageNet's classes as tuples of them."""
    return name if isinstance(name, str) else ", ".join(name)
