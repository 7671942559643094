"""The plan of a full training, settled before anything is written: images, recipe, parts of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.data.loading.datasets import FullData, open_full_data
from edgenext_search.data.loading.multi_scale import MultiScaleSampler
from edgenext_search.errors import UserError
from edgenext_search.texts import counted
from edgenext_search.training.full.batch_shares import BatchShares, share_batch
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.metrics import check_wandb
from edgenext_search.training.full.recipe import FullRecipe, ResolvedFullRecipe
from edgenext_search.training.full.summary import TrainData, TrainingRecord

FEW_STEPS = 10  # in an epoch: the recipe is meant for more images


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A training with everything settled that its data and devices decide.

    Attributes:
        recipe: The recipe, with the batch size that is trained with.
        data: The images.
        shares: The parts of a batch.
        steps: Steps of the optimizer in each epoch.
        record: All that decides the trained weights, for ``training.yaml``.
    """

    recipe: ResolvedFullRecipe
    data: FullData
    shares: BatchShares
    steps: tuple[int, ...]
    record: TrainingRecord

    def lines(self) -> list[str]:
        """A description of the training, for people."""
        recipe, data = self.recipe, self.data
        augmentation = [
            f"{name} {value}"
            for name in ("auto_augment", "color_jitter", "random_erasing", "mixup", "cutmix", "drop_path", "dropout")
            if (value := getattr(recipe, name))
        ]
        what = f"{self.record.name} ({self.record.fingerprint})"
        images = f"{len(data.train):,} training and {len(data.val):,} validation images"
        batches = f"batches of {self.shares.total} = {self.shares}"
        scaling = f"{recipe.peak_lr:.3g} = {recipe.lr:.3g} x {self.shares.total} / {recipe.lr_batch_size}"
        warmup = f"{recipe.warmup_epochs:.3g} epochs of warm-up"
        sizes = f"at {', '.join(map(str, recipe.sizes))} px, evaluated at {recipe.img_size} px"
        steps = len(data.train) // self.shares.total
        few = f"  Note: {counted(steps, 'step')} an epoch: {_for_small_sets(len(data.train), self.shares.total)}"
        return [
            f"Training {what} on {data.name}:",
            f"  {counted(len(data.classes), 'class', 'classes')}, {images}",
            f"  {counted(recipe.epochs, 'epoch')} {sizes}",
            f"  {batches}",
            f"  learning rate {scaling}, after {warmup}",
            f"  {', '.join(augmentation) or 'no augmentation but crops'}; seed {recipe.seed}",
            *([few] if steps < FEW_STEPS else []),
            *(f"  {note}" for note in data.notes),
        ]


def plan_training(job: FullJob, *, world: int, device: str) -> Plan:
    """Open the images and settle the recipe, before anything is written.

    Raises:
        UserError: The data or the recipe cannot be used.
    """
    if job.wandb:
        check_wandb()
    data = open_full_data(job.data, data_dir=job.data_dir, classes_file=job.classes_file)
    return settle(job, data, world=world, device=device)


def settle(job: FullJob, data: FullData, *, world: int, device: str, unreadable: Sequence[str] = ()) -> Plan:
    """Settle the recipe for opened images; see :func:`plan_training`.

    Args:
        job: The training.
        data: The images.
        world: Number of processes.
        device: ``cpu`` or ``cuda``.
        unreadable: Names of the images that are left out.
    """
    data = data.without(unreadable) if unreadable else data
    if job.recipe.head_epochs and job.init is None:
        raise UserError(
            f"train.head_epochs={job.recipe.head_epochs} trains a new classifier on trained weights; give --init."
        )
    folder = TrainingFolder(job.out)
    accumulate = job.accumulate
    if accumulate is None and job.each is None and folder.exists():  # other processes keep the number of parts
        accumulate = folder.record().accumulate
    shares = share_batch(job.recipe.batch_size, world=world, each=job.each, accumulate=accumulate, device=device)
    if shares.total > len(data.train):
        raise UserError(
            f"A step of the optimizer takes {shares.total} images ({shares}), but {data.name} has {len(data.train)} "
            f"training images: {_for_small_sets(len(data.train), shares.total)} Or give a smaller --batch-size, with "
            "which the learning rate is scaled along."
        )
    recipe = job.recipe.model_copy(update={"batch_size": shares.total})
    steps = _steps(recipe, shares, data)
    params = cost(job.candidate, Deployment()).params
    record = TrainingRecord(
        name=job.name,
        fingerprint=job.candidate.fingerprint,
        candidate=job.candidate,
        recipe=recipe.for_size(params).to_dict(),
        accumulate=shares.accumulate,
        data=TrainData(
            name=data.name,
            train_images=len(data.train),
            val_images=len(data.val),
            classes=len(data.classes),
            class_names=hashlib.sha256("\n".join(data.classes).encode()).hexdigest()[:16],
        ),
        teacher=job.teacher,
        init=None if job.init is None else str(job.init),
        unreadable=tuple(unreadable),
    )
    resolved = recipe.resolve(params=params, steps=sum(steps), device=device)
    return Plan(recipe=resolved, data=data, shares=shares, steps=steps, record=record)


def _steps(recipe: FullRecipe, shares: BatchShares, data: FullData) -> tuple[int, ...]:
    """Steps of the optimizer in each epoch.

    Raises:
        UserError: An epoch would end before its first step; epochs differ, as small images fill larger batches.
    """
    sampler = MultiScaleSampler(
        len(data.train),
        batch_size=shares.each * shares.world,
        img_size=recipe.img_size,
        sizes=recipe.sizes_of_batches,
        seed=recipe.seed,
    )
    batches = [sampler.steps(epoch) for epoch in range(recipe.epochs)]
    if (least := min(batches)) < shares.accumulate:
        raise UserError(
            f"A step of the optimizer takes {counted(shares.accumulate, 'batch', 'batches')} ({shares}), but of the "
            f"{len(data.train)} training images of {data.name} some epochs make only {least}: "
            f"{_for_small_sets(len(data.train), shares.total)} Or give --batch-size {shares.each} --accumulate "
            f"{least}, with which the learning rate is scaled along."
        )
    return tuple(number // shares.accumulate for number in batches)


def _for_small_sets(images: int, batch: int) -> str:
    """Advice for a set with few steps in an epoch: a smaller batch, if one is left that makes sense."""
    few = _power_of_two(images // FEW_STEPS)
    small = min(64, max(few, min(8, _power_of_two(images // 2))))
    text = "the published recipe is for a large set"
    if small >= batch:
        return f"{text}; more images help, or more epochs."
    return (
        f"{text}; for a small one give, say, --set train.batch_size={small} --set train.lr_batch_size={small} --set "
        "train.lr=0.002."
    )


def _power_of_two(most: int) -> int:
    return 1 << max(most.bit_length() - 1, 0)
