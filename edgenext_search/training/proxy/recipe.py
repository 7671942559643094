"""Recipe of the proxy training: the keys of a study's ``proxy:`` section."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgenext_search.data.augment.batches import Augmentation
from edgenext_search.training.engine.schedule import RungWarmupCosine, Schedule
from edgenext_search.validation import Settings

Share = Annotated[float, Field(gt=0, le=1)]


class TrainRecipe(Settings):
    """Everything that a proxy training depends on beside candidate, data, seed and device."""

    img_size: Annotated[int, Field(ge=32)] = 64
    """Height and width of the training images, in pixels."""
    epochs: Annotated[int, Field(ge=1)] = 10
    """Passes over the training images."""
    rungs: list[Share] = Field(default=[1.0], min_length=1)
    """Shares of the epochs after which a candidate is scored, ascending, the last one 1. Before each of them the
    learning rate falls to zero, so that the score ranks candidates; then it rises again."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Images in one step of the optimizer, over all processes."""
    lr: Annotated[float, Field(gt=0)] = 3e-3
    """Peak learning rate of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay of AdamW; biases, norms and layer scales have none."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps before each rung in which the learning rate rises linearly."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the target that is spread over all classes."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Decay of the averaged weights (EMA) at each step; lower in the first steps."""
    weights: Literal["ema", "last"] = "ema"
    """Which weights are scored: ``ema`` (averaged) or ``last``."""
    score_epochs: Annotated[int, Field(ge=1)] = 1
    """Number of last epochs over which a score is averaged, never beyond the previous rung."""
    clip_grad: Annotated[float, Field(gt=0)] | None = 5.0
    """Largest norm of the gradient; null for no limit."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest rate of stochastic depth."""
    layer_scale_init: Annotated[float, Field(gt=0)] = 1e-6
    """Initial value of the layer scales; the default is that of the paper."""
    flip: bool = True
    """Random horizontal flips; set ``false`` where a flip changes the class."""
    crop_scale: Annotated[list[Share], Field(min_length=2, max_length=2)] | None = None
    """Least and largest area of a random crop that is resized to ``img_size``, as shares of the stored image, such as
    [0.35, 1.0]; null for crops that are not resized."""
    color_jitter: Annotated[float, Field(ge=0)] = 0.0
    """Largest relative change of brightness, contrast and saturation; 0 for none."""
    random_erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle of 2 % to a third of an image is filled with ImageNet's mean colour."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Alpha of mixup, such as 0.8; 0 for none. With CutMix too, each image gets one of them."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Alpha of CutMix, such as 1.0; 0 for none."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """float32 (``fp32``), autocast to bfloat16 or float16 (``bf16``, ``fp16``), or ``auto``: the fastest on this host
    whose losses agree with those of float32."""
    channels_last: bool | None = None
    """Whether feature maps lie in memory as [n, h, w, c]; null lets the probe decide."""
    compile: bool | None = None
    """Whether torch.compile makes kernels for each candidate; null lets the probe decide, for trials that are long
    enough to pay for a compilation."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rungs[-1] != 1 or any(a >= b for a, b in zip(self.rungs, self.rungs[1:], strict=False)):
            raise ValueError(f"rungs must ascend and end in 1, but got {self.rungs}")
        if self.crop_scale is not None and self.crop_scale[0] > self.crop_scale[1]:
            raise ValueError(f"crop_scale must be the least area before the largest, but got {self.crop_scale}")
        return self

    def schedule(self, first: int, total: int) -> Schedule:
        """Learning rates of the ``total`` steps of a rung, which begins with step ``first`` of the training."""
        return RungWarmupCosine(lr=self.lr, first=first, total=total, warmup=round(self.warmup_share * total))

    @property
    def augmentation(self) -> Augmentation:
        """How training images vary."""
        return Augmentation(
            flip=self.flip,
            crop_scale=None if self.crop_scale is None else (self.crop_scale[0], self.crop_scale[1]),
            color_jitter=self.color_jitter,
            random_erasing=self.random_erasing,
            mixup=self.mixup,
            cutmix=self.cutmix,
        )

    @property
    def rung_epochs(self) -> tuple[int, ...]:
        """The epoch at which each rung ends; shares that round to the same epoch make one rung."""
        return tuple(sorted({max(1, round(share * self.epochs)) for share in self.rungs}))
