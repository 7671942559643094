"""Recipe of full training: the keys of a study's ``train:`` section.

The defaults are the published ImageNet recipe of EdgeNeXt (arXiv 2206.10589, section 4.1; github.com/mmaaz60/EdgeNeXt,
``main.py`` and README). Where it differs by variant, ``auto`` takes what the nearest published size has.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgenext_search.arch.published import published_variants
from edgenext_search.data.augment.transforms import TimmAugmentation
from edgenext_search.data.loading.multi_scale import image_sizes
from edgenext_search.training.engine.numerics import Numerics, Precision
from edgenext_search.training.engine.schedule import Schedule, WarmupCosine, scaled_lr
from edgenext_search.validation import Settings

Auto = Literal["auto"]
Rate = Annotated[float, Field(ge=0, lt=1)]
PUBLISHED_EPOCHS, PUBLISHED_WARMUP = 300, 20
LONG = 20  # a training this many times longer than the memory of the average needs no warm-up of its decay

# What the published variants differ in, by the name of their size.
_BY_SIZE: dict[str, dict[str, Any]] = {
    "edgenext_xx_small": {"drop_path": 0.0, "auto_augment": None, "mixup": 0.0, "cutmix": 0.0},
    "edgenext_x_small": {"drop_path": 0.0, "auto_augment": None, "mixup": 0.0, "cutmix": 0.0},
    "edgenext_small": {"drop_path": 0.1, "auto_augment": "rand-m9-mstd0.5-inc1", "mixup": 0.0, "cutmix": 0.0},
    "edgenext_base": {"drop_path": 0.1, "auto_augment": "rand-m9-mstd0.5-inc1", "mixup": 0.8, "cutmix": 1.0},
}


class FullRecipe(Settings):
    """Everything that a full training depends on beside candidate, data and device."""

    epochs: Annotated[int, Field(ge=1)] = PUBLISHED_EPOCHS
    """Passes over the training images."""
    img_size: Annotated[int, Field(ge=32)] = 256
    """Height and width of the images, in pixels; those of evaluation, and the nominal ones of training."""
    multi_scale: Auto | tuple[int, int, int] | None = "auto"
    """Smallest size, largest size and number of sizes that the images of a batch may have, rounded to multiples of 32;
    auto for five from 5/8 to 5/4 of img_size, which are the published 160 to 320; null for img_size alone."""
    batch_size: Annotated[int, Field(ge=1)] = 4096
    """Images in one step of the optimizer, over all processes and accumulated parts, at img_size."""
    lr: Annotated[float, Field(gt=0)] = 6e-3
    """Peak learning rate of AdamW for batches of lr_batch_size images; it is scaled along with batch_size."""
    lr_batch_size: Annotated[int, Field(ge=1)] = 4096
    """The batch size that lr is meant for; give it the value of batch_size to take lr as it is."""
    min_lr: Annotated[float, Field(ge=0)] = 1e-6
    """Learning rate that the cosine schedule ends at."""
    warmup_epochs: Annotated[float, Field(ge=0)] | Auto = "auto"
    """Epochs in which the learning rate rises; auto for a fifteenth of them, the published 20 of 300."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay of AdamW; norms, biases, layer scales and temperatures of the attention have none."""
    clip_grad: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the gradient; null for no limit, as published."""
    label_smoothing: Rate = 0.1
    """Share of the target that is spread over all classes."""
    ema_decay: Rate = 0.9995
    """Decay a step of the averaged weights."""
    ema_warmup: bool | Auto = "auto"
    """Whether the decay rises from zero, so that the average of a short training forgets the first weights; auto where
    there are fewer than 20 / (1 - ema_decay) steps. The published recipe has many more."""
    weights: Literal["ema", "last"] = "ema"
    """The weights that the model folder gets: their average, or as the last step left them."""
    drop_path: Rate | Auto = "auto"
    """Largest stochastic-depth rate; auto by size, 0.1 for the published small and base, else 0."""
    dropout: Rate = 0.0
    """Dropout before the classifier."""
    layer_scale_init: Annotated[float, Field(gt=0)] = 1e-6
    """First value of the layer scales."""
    flip: bool = True
    """Whether training images are mirrored at random; switch it off where mirroring changes the class."""
    color_jitter: Annotated[float, Field(ge=0)] = 0.4
    """Strength of the colour jitter; an auto_augment policy takes its place, as in timm."""
    auto_augment: str | None = "auto"
    """timm's augmentation policy, null for none; auto by size, rand-m9-mstd0.5-inc1 for the published small and
    base."""
    random_erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle of an image is erased."""
    mixup: Annotated[float, Field(ge=0)] | Auto = "auto"
    """Alpha of mixup, 0 for none; auto by size, 0.8 for the published base."""
    cutmix: Annotated[float, Field(ge=0)] | Auto = "auto"
    """Alpha of CutMix, 0 for none; auto by size, 1.0 for the published base."""
    distill_weight: Annotated[float, Field(ge=0)] = 5.0
    """With --teacher: weight of the divergence from the teacher beside the loss of the labels; USI's
    (arXiv 2204.03475)."""
    distill_temperature: Annotated[float, Field(gt=0)] = 1.0
    """With --teacher: what the logits of both networks are divided by; USI's."""
    head_epochs: Annotated[int, Field(ge=0)] = 0
    """With --init: first epochs in which the classifier alone is trained."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the weights, the order and the augmentation."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """float32, or autocast to bfloat16 or float16; auto for float16 on GPUs, as published, and float32 on CPUs."""
    channels_last: bool = True
    """Whether feature maps lie in memory as [n, h, w, c]."""
    compile: bool = False
    """Whether torch.compile makes kernels for the network."""

    @field_validator("multi_scale", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.multi_scale, tuple):
            low, high, number = self.multi_scale
            if not 32 <= low <= high or number < 1:
                raise ValueError(
                    "multi_scale must be the smallest size (32 or more), the largest and how many there are, such as "
                    f"[160, 320, 5], but got {list(self.multi_scale)}"
                )
        if self.warmup_epochs != "auto" and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be < epochs={self.epochs}, but got {self.warmup_epochs}")
        if self.head_epochs >= self.epochs:
            raise ValueError(f"head_epochs must be < epochs={self.epochs}, but got {self.head_epochs}")
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr must be <= lr={self.lr}, but got {self.min_lr}")
        return self

    def for_size(self, params: int) -> Self:
        """The recipe with numbers for all that depends on the network's size, and for the warm-up.

        Args:
            params: Parameters at 1000 classes; the nearest published variant by their ratio decides.
        """
        values = {key: value for key, value in _BY_SIZE[nearest_size(params)].items() if getattr(self, key) == "auto"}
        if self.warmup_epochs == "auto":
            values["warmup_epochs"] = self.epochs * PUBLISHED_WARMUP / PUBLISHED_EPOCHS
        return self.model_copy(update=values)

    def resolve(self, *, params: int, steps: int, device: str) -> ResolvedFullRecipe:
        """The recipe with a value in place of every ``auto``.

        Args:
            params: Parameters at 1000 classes.
            steps: Steps of the whole training.
            device: ``cpu`` or ``cuda``.
        """
        values = self.for_size(params).to_dict() | {"sizes": self.sizes_of_batches}
        if self.ema_warmup == "auto":
            values["ema_warmup"] = steps * (1 - self.ema_decay) < LONG
        if self.precision == "auto":
            values["precision"] = "fp16" if device == "cuda" else "fp32"
        return ResolvedFullRecipe(**values)

    @property
    def sizes_of_batches(self) -> tuple[int, ...]:
        """The image sizes of training, ascending, in pixels."""
        if self.multi_scale is None:
            return (self.img_size,)
        low, high, number = (
            (self.img_size * 5 / 8, self.img_size * 5 / 4, 5) if self.multi_scale == "auto" else self.multi_scale
        )
        return image_sizes(round(low), round(high), n=number)

    @property
    def peak_lr(self) -> float:
        """The highest learning rate, scaled to the batch size."""
        return scaled_lr(self.lr, batch_size=self.batch_size, lr_batch_size=self.lr_batch_size)


class ResolvedFullRecipe(FullRecipe):
    """A recipe in which nothing is left to decide; see :meth:`FullRecipe.resolve`."""

    sizes: tuple[int, ...]
    """The image sizes of training, ascending, in pixels."""
    warmup_epochs: Annotated[float, Field(ge=0)]
    ema_warmup: bool
    drop_path: Rate
    mixup: Annotated[float, Field(ge=0)]
    cutmix: Annotated[float, Field(ge=0)]
    precision: Precision

    def schedule(self, first: int, total: int) -> Schedule:
        """Learning rates of the whole training, of which ``total`` steps are left from step ``first`` on."""
        steps = first + total
        warmup = round(steps * self.warmup_epochs / self.epochs)
        return WarmupCosine(lr=self.peak_lr, min_lr=self.min_lr, total=steps, warmup=warmup)

    @property
    def numerics(self) -> Numerics:
        """Precision, memory layout and compilation."""
        return Numerics(precision=self.precision, channels_last=self.channels_last, compile=self.compile)

    @property
    def augmentation(self) -> TimmAugmentation:
        """How training images vary."""
        return TimmAugmentation(
            auto_augment=self.auto_augment,
            color_jitter=self.color_jitter,
            random_erasing=self.random_erasing,
            mixup=self.mixup,
            cutmix=self.cutmix,
            flip=self.flip,
        )


def nearest_size(params: int) -> str:
    """The published LayerNorm variant whose number of parameters has the smallest ratio to ``params``."""
    variants = published_variants()
    return min(_BY_SIZE, key=lambda name: abs(math.log(variants[name].params / params)))
