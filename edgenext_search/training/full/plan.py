"""A full training settled before anything is written: images opened, recipe in numbers, batch shared out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.data.loading.datasets import open_full_data
from edgenext_search.data.loading.multi_scale import MultiScaleSampler
from edgenext_search.errors import UserError
from edgenext_search.texts import counted
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.job import BatchShares, FullJob, share_batch
from edgenext_search.training.full.metrics import check_wandb

if TYPE_CHECKING:
    from edgenext_search.data.loading.datasets import FullData
    from edgenext_search.training.full.recipe import FullRecipe

FEW_STEPS = 10  # in an epoch: what was meant for more images


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job with all that its data and devices decide.

    Attributes:
        recipe: The recipe in numbers, with the batch size that is trained with.
        data: The images.
        shares: How a batch is made up.
        training: All that decides the weights that come out, for ``training.yaml``.
    """

    recipe: FullRecipe
    data: FullData
    shares: BatchShares
    training: dict[str, Any]

    def lines(self) -> list[str]:
        """What is about to happen, for people."""
        recipe, data = self.recipe, self.data
        augmentation = [
            f"{name} {value}"
            for name in ("auto_augment", "color_jitter", "random_erasing", "mixup", "cutmix", "drop_path", "dropout")
            if (value := getattr(recipe, name))
        ]
        what = f"{self.training['name']} ({self.training['fingerprint']})"
        images = f"{len(data.train):,} training and {len(data.val):,} validation images"
        batches = f"batches of {self.shares.total} = {self.shares}"
        scaling = f"{recipe.peak_lr:.3g} = {recipe.lr:.3g} x {self.shares.total} / {recipe.lr_batch_size}"
        warmup = f"{recipe.warmup_epochs:.3g} epochs of warm-up"
        sizes = f"at {', '.join(map(str, recipe.sizes))} px, evaluated at {recipe.img_size} px"
        steps = len(data.train) // self.shares.total
        few = f"  Note: {counted(steps, 'step')} an epoch: {_for_small_sets(len(data.train))}"
        return [
            f"Training {what} on {data.name}:",
            f"  {counted(len(data.classes), 'class', 'classes')}, {images}",
            f"  {counted(recipe.epochs, 'epoch')} {sizes}",
            f"  {batches}",
            f"  learning rate {scaling}, after {warmup}",
            f"  {', '.join(augmentation) or 'no augmentation but crops'}; seed {recipe.seed}",
            *([few] if steps < FEW_STEPS else []),
        ]


def plan_training(job: FullJob, *, world: int, device: str) -> Plan:
    """Open the images and settle the recipe, before anything is written.

    Args:
        job: What to train.
        world: Processes.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: The data or the recipe cannot be used.
    """
    if job.wandb:
        check_wandb()
    data = open_full_data(job.data, data_dir=job.data_dir, classes_file=job.classes_file)
    recipe = job.recipe.for_size(cost(job.candidate, Deployment()).params)
    if recipe.head_epochs and job.init is None:
        raise UserError(
            f"train.head_epochs={recipe.head_epochs} trains a new classifier on trained weights; give --init."
        )
    folder = TrainingFolder(job.out)
    accumulate = job.accumulate
    if accumulate is None and job.each is None and folder.exists():  # with other processes the parts stay as many
        accumulate = folder.training().get("accumulate")
    shares = share_batch(recipe.batch_size, world=world, each=job.each, accumulate=accumulate, device=device)
    if shares.total > len(data.train):
        raise UserError(
            f"A step of the optimizer takes {shares.total} images ({shares}), but {data.name} has {len(data.train)} "
            f"training images: {_for_small_sets(len(data.train))} Or give a smaller --batch-size, with "
            "which the learning rate is scaled along."
        )
    _check_epochs(recipe, shares, data)
    recipe = recipe.model_copy(update={"batch_size": shares.total})
    training = {
        "name": job.name,
        "fingerprint": job.candidate.fingerprint,
        "candidate": job.candidate.to_dict(),
        "recipe": recipe.to_dict(),
        "accumulate": shares.accumulate,
        "data": {
            "name": data.name,
            "train_images": len(data.train),
            "val_images": len(data.val),
            "classes": len(data.classes),
            "class_names": hashlib.sha256("\n".join(data.classes).encode()).hexdigest()[:16],
        },
        "teacher": job.teacher,
        "init": None if job.init is None else str(job.init),
    }
    return Plan(recipe=recipe, data=data, shares=shares, training=training)


def _check_epochs(recipe: FullRecipe, shares: BatchShares, data: FullData) -> None:
    """Refuse a batch of so many parts that an epoch may end before its first step: parts of small images have more."""
    sampler = MultiScaleSampler(
        len(data.train),
        batch_size=shares.each * shares.world,
        img_size=recipe.img_size,
        sizes=recipe.sizes,
        seed=recipe.seed,
    )
    least = min(sampler.steps(epoch) for epoch in range(recipe.epochs))
    if least < shares.accumulate:
        raise UserError(
            f"A step of the optimizer takes {counted(shares.accumulate, 'batch', 'batches')} ({shares}), but of the "
            f"{len(data.train)} training images of {data.name} some epochs make only {least}: "
            f"{_for_small_sets(len(data.train))} Or give --batch-size {shares.each} --accumulate {least}, with which "
            "the learning rate is scaled along."
        )


def _for_small_sets(images: int) -> str:
    small = min(64, 1 << max(images.bit_length() - 2, 0))
    return (
        f"the published recipe is for a large set; for a small one give, say, --set train.batch_size={small} --set "
        f"train.lr_batch_size={small} --set train.lr=0.002."
    )
