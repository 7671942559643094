"""Opening a set of images by folder or name."""

from __future__ import annotations

from pathlib import Path

from edgenext_search.data.sources.listing import is_folder
from edgenext_search.data.sources.source import Part, Source
from edgenext_search.data.sources.tables import ENDINGS, TableSource
from edgenext_search.errors import UserError
from edgenext_search.files import expanded

TIMM_SCHEMES = ("torch", "hfds", "tfds", "wds")
"""Prefixes of timm's dataset names that can be read without downloading anything."""


def open_source(data: str | None, data_dir: Path | None = None, *, part: Part = "train") -> Source:
    """Open a set of images; nothing is downloaded.

    Args:
        data: None for the built-in set; a folder with `train/<class>/`, or with class folders alone; a table of paths
            and labels (.csv, .tsv, .parquet); or the name of a dataset known to timm, such as `torch/fashion_mnist`. An
            existing folder wins over a dataset of the same name.
        data_dir: Where a named dataset lies.
        part: Training images or those of the validation set; the built-in set has training images alone.

    Returns:
        The source, its structure checked. Images are decoded later.

    Raises:
        UserError: If nothing of that name is there, or it does not have the structure expected.
    """
    if data is None:
        from edgenext_search.data.sources.builtin import BuiltinSource

        return BuiltinSource()
    path = expanded(data)
    if is_folder(path):
        from edgenext_search.data.sources.class_folders import FolderSource

        return FolderSource(path, part)
    if path.suffix.lower() in ENDINGS and path.is_file():
        return TableSource(path, part)
    scheme, separator, _ = data.partition("/")
    scheme = scheme.lower()
    if separator and scheme == "wds":
        from edgenext_search.data.sources.shards import ShardSource

        return ShardSource(data, data_dir, part)
    if separator and scheme in TIMM_SCHEMES:
        from edgenext_search.data.sources.timm_sets import open_timm

        return open_timm(data, data_dir, part)
    instead = "a file" if path.is_file() else "nothing"
    raise UserError(
        f"--data must be a folder of class folders, a table ({', '.join(ENDINGS)}) or a dataset name that begins with "
        f"one of {', '.join(scheme + '/' for scheme in TIMM_SCHEMES)}, but {data!r} is none of these: there is "
        f"{instead} at {path.absolute()}. Correct the path or the name."
    )
