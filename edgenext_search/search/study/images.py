"""The images of a study, from its recipe to the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgenext_search.data import PreparedData, Source, default_cache_dir, open_source, prepare
from edgenext_search.files import expanded
from edgenext_search.search.recipe import ResolvedRecipe, StudyRecipe

CROP_MARGIN = 0.875  # an image is stored at 1 / this of the training size, as ImageNet's 256 is for 224


def open_images(recipe: StudyRecipe | ResolvedRecipe) -> Source:
    """The source of the study's images, checked without decoding any.

    Raises:
        UserError: The source does not exist, or has another layout.
    """
    return open_source(recipe.data.source, None if recipe.data.dir is None else expanded(recipe.data.dir))


def prepare_images(
    source: Source,
    recipe: StudyRecipe | ResolvedRecipe,
    *,
    cache_dir: Path | None,
    workers: int,
    progress: Callable[[int, int], None],
) -> PreparedData:
    """The prepared images of a study, from the cache or added to it.

    Args:
        source: Source from :func:`open_images`.
        recipe: Study.
        cache_dir: Cache of prepared images; None for the user's cache.
        workers: Number of processes that decode images.
        progress: Called with the number of prepared images and of all images.

    Raises:
        UserError: The source cannot be split as the recipe says, or the cache cannot be written.
    """
    return prepare(
        source,
        image_size=round(recipe.proxy.img_size / CROP_MARGIN),
        train_images=recipe.data.train_images,
        val_images=recipe.data.val_images,
        val_fraction=recipe.data.val_share,
        seed=recipe.data.seed,
        cache_dir=cache_dir or default_cache_dir(),
        workers=workers,
        progress=progress,
    )
