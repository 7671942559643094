"""Augmentation of uint8 images in memory: cut out on the CPU while they are copied, the rest in batches on the device.

The pixels of an augmented image are a pure function of (image, seed, epoch, index of the image): random numbers come
from :class:`~edgenext_search.data.augment.randomness.Draws`, and arithmetic is exact, or the same operation for every
element,
so that neither the batch nor the device changes a bit. Imports torch when called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgenext_search.data.augment.color import jitter
from edgenext_search.data.augment.randomness import Draws, Stream

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of R, G, B in [0, 1] over ImageNet's training images; timm's IMAGENET_DEFAULT_MEAN."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Their standard deviation; timm's IMAGENET_DEFAULT_STD."""
CROP_RATIO = (3 / 4, 4 / 3)
"""Width to height of a resized crop, log-uniform, as in torchvision and timm."""
ERASED_SHARE = (0.02, 1 / 3)
"""Area of an erased rectangle, as in timm."""
ERASED_RATIO = (0.3, 1 / 0.3)
"""Width to height of an erased rectangle, log-uniform, as in timm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How training images vary; by default they are cropped with a margin and mirrored.

    Attributes:
        flip: Whether half of the images are mirrored left to right.
        crop_scale: Least and largest area share of a crop that is resized; None for a crop without resizing.
        color_jitter: Largest relative change of brightness, contrast and saturation; 0 for none.
        random_erasing: Probability that a rectangle of an image is erased.
        mixup: Alpha of mixup; 0 for none.
        cutmix: Alpha of CutMix; 0 for none.
    """

    flip: bool = True
    crop_scale: tuple[float, float] | None = None
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others, so that their targets are soft."""
        return self.mixup > 0 or self.cutmix > 0


def augmented(
    images: npt.NDArray[np.uint8], draws: Draws, size: int, augmentation: Augmentation, device: torch.device
) -> torch.Tensor:
    """Some images of a set, augmented one by one; mixing them is :mod:`edgenext_search.data.augment.mixing`.

    Args:
        images: The set, uint8 [n, 3, S, S].
        draws: Which b of them, with their random numbers.
        size: Side to train on, at most S.
        augmentation: What is done to them.
        device: Where the result goes.

    Returns:
        Normalised float32 [b, 3, size, size].

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    import torch

    if augmentation.crop_scale is None:
        pixels = torch.from_numpy(flip_crop(images, draws, size, flip=augmentation.flip))
        pixels = pixels.to(device, non_blocking=True)
    else:
        whole = torch.from_numpy(images[draws.images]).to(device, non_blocking=True)
        pixels = resized_crop(whole, size, draws, scale=augmentation.crop_scale, flip=augmentation.flip)
    if augmentation.color_jitter:
        pixels = jitter(pixels, draws, augmentation.color_jitter)
    batch = normalize(pixels)
    return erase(batch, draws, augmentation.random_erasing) if augmentation.random_erasing else batch


def normalize(
    images_uint8: torch.Tensor,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> torch.Tensor:
    """Scale to [0, 1], subtract a mean and divide by a standard deviation.

    Args:
        images_uint8: uint8 [b, 3, H, W].
        mean: Of R, G, B in [0, 1].
        std: Of R, G, B in [0, 1].

    Returns:
        float32 [b, 3, H, W] on the same device.
    """
    import torch

    device = images_uint8.device
    offset = torch.tensor(mean, device=device).mul_(255).view(1, 3, 1, 1)
    scale = torch.tensor(std, device=device).mul_(255).reciprocal_().view(1, 3, 1, 1)
    return images_uint8.float().sub_(offset).mul_(scale)


def flip_crop(images: npt.NDArray[np.uint8], draws: Draws, size: int, *, flip: bool) -> npt.NDArray[np.uint8]:
    """Cut a random square out of each image and mirror it left to right with probability 1/2.

    The squares are copied straight out of the set, which on a CPU costs a third of gathering whole images first.

    Args:
        images: The set, uint8 [n, 3, S, S].
        draws: Which b of its images, with their random numbers.
        size: Side of the square, at most S.
        flip: Whether images are mirrored at all.

    Returns:
        uint8 [b, 3, size, size].

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    height, width = images.shape[2:]
    _check_size(size, height, width)
    places = draws.integers(Stream.CROP, height - size + 1, width - size + 1)
    mirrored = _mirrored(draws, flip=flip)
    cut = np.empty((len(places), images.shape[1], size, size), dtype=np.uint8)
    for number, (row, (top, left), mirror) in enumerate(
        zip(draws.images.tolist(), places.tolist(), mirrored.tolist(), strict=True)
    ):
        window = images[row, :, top : top + size, left : left + size]
        cut[number] = window[:, :, ::-1] if mirror else window
    return cut


def resized_crop(
    images_uint8: torch.Tensor, size: int, draws: Draws, *, scale: tuple[float, float], flip: bool
) -> torch.Tensor:
    """Cut a random rectangle out of each image, resize it to a square, and mirror it with probability 1/2.

    The area is uniform in `scale`, the aspect ratio log-uniform in :data:`CROP_RATIO` as far as the rectangle fits, so
    that no draw has to be repeated. Resizing is bilinear without antialiasing: images are stored at 1.14 times the
    training size, beyond which no crop shrinks. It is done by two matrix products of integers that float32, and TF32
    too, holds exactly, with positions in 1/256 of a pixel: the result is the same on every device, in any batch.

    Args:
        images_uint8: uint8 [b, 3, S, S].
        size: Side of the square, at most S.
        draws: The random numbers of these images.
        scale: Least and largest share of the image's area, in (0, 1].
        flip: Whether images are mirrored at all.

    Returns:
        uint8 [b, 3, size, size] on the same device.

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    import torch

    stored = images_uint8.shape[-1]
    _check_size(size, *images_uint8.shape[2:])
    u = draws.uniform(Stream.RESIZED_CROP, 4)
    width, height = _rectangles(u[:, 0], u[:, 1], scale, CROP_RATIO)
    along = (np.arange(size) + 0.5) / size
    down = (1 - height) * u[:, 2]
    right = (1 - width) * u[:, 3]
    rows = down[:, None] + height[:, None] * along
    columns = right[:, None] + width[:, None] * along
    mirrored = _mirrored(draws, flip=flip)
    columns[mirrored] = columns[mirrored, ::-1]
    places = np.stack([rows, columns]) * stored - 0.5
    places = np.rint(places.clip(0, stored - 1) * 256).astype(np.float32)
    at = torch.from_numpy(places).to(images_uint8.device).view(2, -1, 1, size, 1)
    pixels = torch.arange(stored, device=images_uint8.device, dtype=torch.float32) * 256
    weights = at.sub(pixels).abs_().neg_().add_(256).clamp_(min=0)  # [2, b, 1, size, S], integers in 0..256
    halfway = (weights[0] @ images_uint8.float()).mul_(1 / 256).round_()
    return (halfway @ weights[1].transpose(-1, -2)).mul_(1 / 256).round_().to(torch.uint8)


def erase(images: torch.Tensor, draws: Draws, probability: float) -> torch.Tensor:
    """Fill a random rectangle of some images with 0, which is ImageNet's mean colour.

    Args:
        images: Normalised float32 [b, 3, H, W]; changed in place.
        draws: The random numbers of these images.
        probability: Share of the images that lose a rectangle of :data:`ERASED_SHARE`.

    Returns:
        The images.
    """
    import torch

    side = np.array(images.shape[-2:])
    u = draws.uniform(Stream.ERASING, 5)
    width, height = _rectangles(u[:, 1], u[:, 2], ERASED_SHARE, ERASED_RATIO)
    extent = np.clip(np.rint(np.stack([height, width], axis=1) * side), 1, side)
    extent[u[:, 0] >= probability] = 0
    first = np.floor(u[:, 3:] * (side - extent + 1))
    return images.masked_fill_(inside(torch.from_numpy(np.stack([first, first + extent])).to(images.device), images), 0)


def inside(corners: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Which pixels lie in a rectangle of their image.

    Args:
        corners: First row and column, and the ones after the last: [2, b, 2].
        images: [b, 3, H, W], for its shape.

    Returns:
        bool [b, 1, H, W].
    """
    import torch

    hits = []
    for axis, n in enumerate(images.shape[-2:]):
        along = torch.arange(n, device=images.device)
        hits.append((along >= corners[0, :, axis, None]) & (along < corners[1, :, axis, None]))
    return hits[0][:, None, :, None] & hits[1][:, None, None, :]


def center_crop(images: torch.Tensor, size: int) -> torch.Tensor:
    """The middle square of each image.

    Args:
        images: [b, 3, S, S], any type.
        size: Side of the square, at most S.

    Returns:
        A view [b, 3, size, size].

    Raises:
        ValueError: If `size` is not in 1..S.
    """
    height, width = images.shape[-2:]
    _check_size(size, height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return images[..., top : top + size, left : left + size]


def _rectangles(
    u_area: npt.NDArray[np.float64],
    u_ratio: npt.NDArray[np.float64],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Width and height, [b] each, of rectangles in the unit square, from two uniform numbers for each."""
    area = scale[0] + u_area * (scale[1] - scale[0])
    least = np.maximum(np.log(ratio[0]), np.log(area))  # a rectangle of this ratio is 1 high
    most = np.minimum(np.log(ratio[1]), -np.log(area))
    aspect = np.exp(least + u_ratio * (most - least))
    return np.minimum(np.sqrt(area * aspect), 1), np.minimum(np.sqrt(area / aspect), 1)


def _mirrored(draws: Draws, *, flip: bool) -> npt.NDArray[np.bool_]:
    """Which images are mirrored, [b]."""
    return (draws.uniform(Stream.FLIP, 1)[:, 0] < 0.5) & flip


def _check_size(size: int, height: int, width: int) -> None:
    if not 1 <= size <= min(height, width):
        raise ValueError(f"a crop must fit into the images: size is {size}, the images are {height} x {width}")
