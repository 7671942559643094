"""The transforms of full training and evaluation, which are timm's, and randomness that belongs to an image."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from edgenext_search.data.augment.batches import IMAGENET_MEAN, IMAGENET_STD, Augmentation
from edgenext_search.errors import UserError

if TYPE_CHECKING:
    import torch
    from PIL import Image

Transform: TypeAlias = "Callable[[Image.Image], torch.Tensor]"
Interpolation: TypeAlias = Literal["bicubic", "bilinear", "random"]
Rgb: TypeAlias = tuple[float, float, float]

_NUMBER = r"\d+(\.\d+)?"
_POLICY = re.compile(
    rf"rand(-(m\d+|n\d+|p{_NUMBER}|mstd{_NUMBER}|mmax\d+|inc[01]|t[a-z0-9]+))*"
    rf"|augmix(-(m\d+|w\d+|d\d+|a{_NUMBER}|b[01]|mstd{_NUMBER}))*"
    rf"|(original|originalr|v0|v0r)(-mstd{_NUMBER})?"
    r"|3a"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimmAugmentation(Augmentation):
    """Augmentation of full training: timm's transforms on decoded images, then erasing and mixing of whole batches.

    Attributes:
        crop_scale: Smallest and largest share of the image's area that is cropped and resized.
        color_jitter: Largest relative change of brightness, contrast and saturation; 0 for none. timm ignores it where
            there is a policy, since policies change colours themselves.
        auto_augment: timm's policy, such as "rand-m9-mstd0.5-inc1"; None for none.
        interpolation: Interpolation of the resized crop.
    """

    crop_scale: tuple[float, float] = (0.08, 1.0)
    color_jitter: float = 0.4
    auto_augment: str | None = None
    interpolation: Interpolation = "bicubic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Preparation of the images of an evaluation.

    Attributes:
        img_size: Height and width of the images, in pixels.
        crop_pct: Share of the resized image's side that is kept; 0.9 is timm's for EdgeNeXt.
        interpolation: Interpolation of the resized image.
        crop_mode: "center"; or "squash" and "border", with which timm keeps the whole image.
        mean: Mean of R, G, B in [0, 1], for normalisation.
        std: Standard deviation of R, G, B in [0, 1], for normalisation.
    """

    img_size: int
    crop_pct: float = 0.9
    interpolation: str = "bicubic"
    crop_mode: str = "center"
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD


def train_transform(size: int, augmentation: TimmAugmentation) -> Transform:
    """The transform of training: a resized crop, a flip, RandAugment or colour jitter.

    Args:
        size: Height and width of the result, in pixels.
        augmentation: Strength of each of them; erasing and mixing are done on batches.

    Returns:
        A function of an RGB image to uint8 [3, size, size].

    Raises:
        UserError: timm does not know the policy.
    """
    from timm.data import create_transform

    if augmentation.auto_augment is not None:
        _check_policy(augmentation.auto_augment)
    transform: Transform = create_transform(
        size,
        is_training=True,
        use_prefetcher=True,  # leaves normalising to whoever has the batch
        auto_augment=augmentation.auto_augment,
        color_jitter=augmentation.color_jitter,
        scale=augmentation.crop_scale,
        hflip=0.5 if augmentation.flip else 0.0,
        interpolation=augmentation.interpolation,
    )
    _mend_posterize(transform)
    return transform


def eval_transform(preprocessing: Preprocessing) -> Transform:
    """The transform of evaluation: the shorter side is resized to ``img_size / crop_pct``, the middle square cut out.

    Returns:
        A function of an RGB image to uint8 [3, img_size, img_size].
    """
    from timm.data import create_transform

    transform: Transform = create_transform(
        preprocessing.img_size,
        use_prefetcher=True,
        crop_pct=preprocessing.crop_pct,
        interpolation=preprocessing.interpolation,
        crop_mode=preprocessing.crop_mode,
    )
    return transform


def _mend_posterize(transform: Transform) -> None:
    """Let timm's policies posterize to 0 bits, as their strongest level asks: Pillow 13 refuses that.

    Pillow before 13 gave a black image, with which the published recipes were trained.
    """
    from PIL import Image
    from timm.data.auto_augment import AugmentOp
    from timm.data.auto_augment import posterize as timm_posterize

    def posterize(image: Image.Image, bits_to_keep: int, **options: object) -> Image.Image:
        if bits_to_keep == 0:
            return Image.new(image.mode, image.size)
        posterized: Image.Image = timm_posterize(image, bits_to_keep, **options)  # type: ignore[no-untyped-call]
        return posterized

    def mend(item: object) -> None:
        if isinstance(item, AugmentOp):
            if item.aug_fn is timm_posterize:
                item.aug_fn = posterize
        elif isinstance(item, list | tuple):
            for part in item:
                mend(part)
        else:  # a composition of transforms, or a policy: its operations, or rows of them
            for name in ("transforms", "ops", "policy"):
                mend(getattr(item, name, ()))

    mend(transform)


def _check_policy(text: str) -> None:
    """Refuse what timm would skip without a word, or fail on while images are loaded."""
    if not _POLICY.fullmatch(text):
        raise UserError(
            "auto_augment must be one of timm's policies, such as rand-m9-mstd0.5-inc1, augmix-m5-w4-d2, original or "
            f"3a, but got {text!r}."
        )


@contextmanager
def own_randomness() -> Iterator[Callable[[int, int, int], None]]:
    """Let transforms draw from generators that are seeded for each image, and put the generators back at the end.

    Yields:
        A function that seeds Python's, numpy's and torch's generator, each with a number below 2**32.
    """
    import torch

    def seed(for_python: int, for_numpy: int, for_torch: int) -> None:
        random.seed(for_python)
        np.random.seed(for_numpy)  # noqa: NPY002 - what timm draws from
        torch.default_generator.manual_seed(for_torch)  # torch.manual_seed would reach for the GPU's as well

    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield seed
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])
