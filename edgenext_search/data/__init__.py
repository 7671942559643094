"""Images for training: sources, the resized cache, splits and batched augmentation."""

from edgenext_search.data.cache.prepare import (
    ImageSet,
    PreparedData,
    default_cache_dir,
    former_fingerprint,
    open_prepared,
    prepare,
)
from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.sources.open import open_source
from edgenext_search.data.sources.source import Source
from edgenext_search.data.split import stratified_split, stratified_subset

__all__ = [
    "ImageSet",
    "PreparedData",
    "Source",
    "UnreadableImageError",
    "default_cache_dir",
    "former_fingerprint",
    "open_prepared",
    "open_source",
    "prepare",
    "stratified_split",
    "stratified_subset",
]
