"""The steps and epochs of a full training: what is saved when, what is measured, and what is said of it."""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

import torch

from edgenext_search.data.augment.transforms import Preprocessing, TimmAugmentation
from edgenext_search.data.loading.loaders import TrainLoader, ValLoader
from edgenext_search.training.engine.loop import Manner, Trainer
from edgenext_search.training.full.deliver import deliver
from edgenext_search.training.full.initial import HEAD
from edgenext_search.training.full.job import Progress
from edgenext_search.training.full.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from edgenext_search.training.engine.distributed import Ranks
    from edgenext_search.training.engine.loop import Objective
    from edgenext_search.training.full.folder import TrainingFolder
    from edgenext_search.training.full.job import FullJob, TrainListener
    from edgenext_search.training.full.metrics import Row
    from edgenext_search.training.full.plan import Plan

EVERY = 0.5  # seconds between two messages of progress


class TrainingInterruptedError(RuntimeError):
    """A signal came; what was trained until then is saved."""


class FullRun:
    """A full training under way on one rank, from its last checkpoint on where there is one.

    Args:
        job: What is trained.
        plan: How.
        folder: Where.
        model: The network with its first weights.
        objective: Its loss; None for the cross-entropy with label smoothing.
        ranks: This process among those that train together.
        device: Its device.
        listener: Whoever watches; asked on the first rank alone.
    """

    def __init__(
        self,
        job: FullJob,
        plan: Plan,
        folder: TrainingFolder,
        *,
        model: nn.Module,
        objective: Objective | None,
        ranks: Ranks,
        device: torch.device,
        listener: TrainListener,
    ) -> None:
        self.job, self.plan, self.folder = job, plan, folder
        self.ranks, self.device, self.listener = ranks, device, listener
        recipe = plan.recipe
        self._train = self._train_loader()
        self._val = ValLoader(
            plan.data.val,
            Preprocessing(img_size=recipe.img_size),
            batch_size=plan.shares.each,
            shard=ranks.shard,
            workers=job.workers,
            device=device,
        )
        self._steps_of = [self._train.batches(epoch) // plan.shares.accumulate for epoch in range(recipe.epochs)]
        self._steps = sum(self._steps_of)
        self.trainer = Trainer(
            model,
            recipe,
            seed=recipe.seed,
            device=device,
            numerics=recipe.numerics(device.type),
            ranks=ranks,
            manner=Manner(
                accumulate=plan.shares.accumulate,
                spare_temperatures=True,
                warm_average=recipe.warms_average(self._steps),
                reseed_steps=True,
                objective=objective,
            ),
        )
        state = folder.checkpoints.load_together(device, listener.note, ranks)
        self.rows: list[Row] = [] if state is None else list(state["rows"])
        self._seconds: float = 0.0 if state is None else state["seconds"]
        if state is not None:
            self.trainer.restore(state)
            listener.note(f"Going on after step {self.trainer.updates} of {self._steps}.")
            if (before := state.get("device", device.type)) != device.type:
                listener.note(
                    f"The steps before were done on {before}, those to come on {device.type}: rounding and, unless "
                    "train.precision is set, precision are others."
                )
            if ranks.rank == 0 and not self.trainer.position:
                self._keep_best()

    def _train_loader(self) -> TrainLoader:
        recipe, shares = self.plan.recipe, self.plan.shares
        assert recipe.mixup != "auto"  # noqa: S101 - for_size() saw to both
        assert recipe.cutmix != "auto"  # noqa: S101
        return TrainLoader(
            self.plan.data.train,
            batch_size=shares.each * shares.world,
            img_size=recipe.img_size,
            sizes=recipe.sizes,
            seed=recipe.seed,
            augmentation=TimmAugmentation(
                auto_augment=recipe.auto_augment,
                color_jitter=recipe.color_jitter,
                random_erasing=recipe.random_erasing,
                mixup=recipe.mixup,
                cutmix=recipe.cutmix,
                flip=recipe.flip,
            ),
            shard=self.ranks.shard,
            workers=self.job.workers,
            device=self.device,
        )

    def train(self, stopping: Callable[[], bool]) -> None:
        """Train what is left."""
        recipe, trainer = self.plan.recipe, self.trainer
        with contextlib.closing(self._train), contextlib.closing(self._val), self._metrics() as metrics:
            clock = _Clock(self._seconds, trainer)
            last_save = time.monotonic()

            def on_step(_done: int, _total: int) -> None:
                nonlocal last_save
                due = self.ranks.rank == 0 and time.monotonic() - last_save > 60 * self.job.minutes
                stop, save = self.ranks.any_of(stopping(), due)
                self._show(clock)
                trained = trainer.position == self._steps_of[trainer.epoch]  # to be evaluated, which may take long
                if stop or save or trained:
                    self._save(clock.seconds)
                    last_save = time.monotonic()
                if stop:
                    raise TrainingInterruptedError(
                        f"Stopped after step {trainer.updates} of {self._steps}, which is saved in {self.job.out}. "
                        "The same command goes on from there."
                    )

            def on_epoch(epoch: int) -> None:
                nonlocal last_save
                row = self._row(clock)
                self.rows.append(row)
                self._save(clock.seconds)
                last_save = time.monotonic()
                if metrics is not None:
                    metrics.add(row)
                    self._keep_best()
                    self.listener.epoch_done(row)
                self._free(epoch)
                clock.lap()

            self._free(trainer.epoch)
            trainer.fit(self._train, until=recipe.epochs, on_step=on_step, on_epoch=on_epoch)

    @contextlib.contextmanager
    def _metrics(self) -> Iterator[Metrics | None]:
        """Where rows go; the first rank alone writes them."""
        if self.ranks.rank:
            yield None
            return
        run = {"id": self._wandb_id(), **self.plan.training} if self.job.wandb else None
        metrics = Metrics(self.folder.path, self.rows, run=run)
        try:
            yield metrics
        finally:
            metrics.close()

    def _wandb_id(self) -> str:
        """The same for the same training in the same folder."""
        training = {**self.plan.training, "name": self.folder.training()["name"]}  # as it was begun
        text = f"{self.folder.path.resolve()} {training}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _free(self, epoch: int) -> None:
        """Let the classifier alone learn in the first epochs, where that is asked for."""
        head_alone = epoch < self.plan.recipe.head_epochs
        for name, parameter in self.trainer.model.named_parameters():
            parameter.requires_grad_(not head_alone or name.startswith(HEAD))

    def _row(self, clock: _Clock) -> Row:
        """Evaluate what the epoch came to."""
        trainer = self.trainer
        speed, wait = clock.images_per_second, clock.input_wait
        raw, averaged = trainer.evaluate_both(self._val)
        return {
            "epoch": trainer.epoch,
            "step": trainer.updates,
            "lr": trainer.optimizer.param_groups[0]["lr"],
            "train_loss": trainer.losses[-1],
            "top1": raw.top1,
            "top5": raw.top5,
            "loss": raw.loss,
            "ema_top1": averaged.top1,
            "ema_top5": averaged.top5,
            "ema_loss": averaged.loss,
            "seconds": round(clock.seconds, 3),
            "images_per_second": round(speed, 1),
            "input_wait": round(wait, 4),
        }

    def _scores(self) -> list[float]:
        """Top-1 of the weights that are delivered, after each epoch."""
        return [row["ema_top1" if self.plan.recipe.weights == "ema" else "top1"] for row in self.rows]

    def _keep_best(self) -> None:
        """Keep the checkpoint after an epoch where none before scored better."""
        if self.rows and self._scores()[-1] >= max(self._scores()):
            self.folder.checkpoints.save_best(self.trainer.updates)

    def _save(self, seconds: float) -> None:
        """Write a checkpoint, on all ranks together, which return once it is on the disk.

        Weights that are no numbers never take the place of sound ones.
        """
        trainer = self.trainer
        trainer.check()
        about = {"device": self.device.type, "classes": list(self.plan.data.classes)}
        state = {**trainer.state(), "rows": self.rows, "seconds": seconds, **about}
        if self.ranks.rank == 0:
            self.folder.checkpoints.save(state, trainer.updates)
        self.ranks.any_of(False)

    def _show(self, clock: _Clock) -> None:
        if self.ranks.rank or not clock.due():
            return
        cuda = self.device.type == "cuda"
        self.listener.stepped(
            Progress(
                done=self.trainer.updates,
                total=self._steps,
                epoch=self.trainer.epoch + 1,
                epochs=self.plan.recipe.epochs,
                images_per_second=clock.images_per_second,
                gpu_bytes=torch.cuda.max_memory_allocated(self.device) if cuda else 0,
            )
        )

    def finish(self) -> dict[str, Any]:
        """Deliver what was trained, from the first rank."""
        if self.ranks.rank:
            return {}
        self.listener.note("Writing the model folder, evaluating and exporting it")
        summary = deliver(
            self.job,
            self.plan,
            self.folder,
            trainer=self.trainer,
            rows=self.rows,
            best=max(range(len(self.rows)), key=lambda index: self._scores()[index]),
            where={
                "device": self.device.type,
                "numerics": str(self.trainer.numerics),
                "processes": self.ranks.world,
                "torch": torch.__version__,
            },
        )
        self.folder.write_summary(summary)
        return summary


class _Clock:
    """How fast a training is, in the epoch under way and over all."""

    def __init__(self, seconds: float, trainer: Trainer) -> None:
        self._before, self._trainer = seconds, trainer
        self._start = self._last = time.monotonic()
        self.lap()

    @property
    def seconds(self) -> float:
        """Of the whole training, interruptions left out."""
        return self._before + time.monotonic() - self._start

    def lap(self) -> None:
        """Begin an epoch."""
        self._lap, self._seen, self._waited = time.monotonic(), self._trainer.seen, self._trainer.waited

    @property
    def images_per_second(self) -> float:
        """Training images of all ranks, in this epoch."""
        return (self._trainer.seen - self._seen) / max(time.monotonic() - self._lap, 1e-9)

    @property
    def input_wait(self) -> float:
        """Share of this epoch's time in which steps waited for their images."""
        return (self._trainer.waited - self._waited) / max(time.monotonic() - self._lap, 1e-9)

    def due(self) -> bool:
        """Whether people should hear of progress again."""
        if time.monotonic() - self._last < EVERY:
            return False
        self._last = time.monotonic()
        return True
