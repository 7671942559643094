"""Which images of a full training can be decoded, found out before it begins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgenext_search.data.cache.decoding import find_unreadable
from edgenext_search.data.loading.datasets import FullData
from edgenext_search.data.unreadable import check_classes, check_unreadable, named
from edgenext_search.texts import counted
from edgenext_search.training.engine.distributed import Ranks

LONG = 4096  # images from which decoding takes long enough to be announced


def unreadable_images(data: FullData, ranks: Ranks, *, workers: int, note: Callable[[str], None]) -> tuple[str, ...]:
    """Decode all images once, shared by all ranks; called on all of them.

    Args:
        data: The images.
        ranks: This process among those that train together.
        workers: Processes that decode, for each rank.
        note: Tells people.

    Returns:
        Names of those that cannot be decoded, as :meth:`FullData.without` takes them.

    Raises:
        UserError: They are more than 0.1 % of the training or validation images, or all that a class has.
    """
    total = len(data.train) + len(data.val)
    if total >= LONG:
        note(f"Decoding {total:,} images once, to find those that cannot be read")
    names: list[str] = []
    for part, images in data.parts.items():
        rows = np.arange(len(images), dtype=np.int64)[ranks.shard.slice]
        mine = find_unreadable(images.source, images.rows[rows], workers=workers)
        found = {int(np.searchsorted(images.rows, index)): said for index, said in mine.items()}
        found = dict(sorted(item for share in ranks.gather(found) for item in share.items()))
        reasons = dict(found.values())
        check_unreadable(images.source, reasons)
        check_classes(images.source, images.labels, np.delete(images.labels, list(found)), reasons)
        names += [f"{part}/{images.name_of(row)}" for row in found]
        if found:
            be = "is" if len(found) == 1 else "are"
            note(f"{counted(len(found), 'image')} of {part}/ cannot be read and {be} left out: {named(reasons)}")
    return tuple(names)
