"""The epochs of a full training: checkpoints, evaluations and progress."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator

import torch
from torch import nn

from edgenext_search.data.augment.transforms import Preprocessing
from edgenext_search.data.loading.loaders import TrainLoader, ValLoader
from edgenext_search.signals import StopRequests
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.engine.together import BatchesTogether, LoadingEndedError
from edgenext_search.training.engine.trainer import Objective, State, Trainer, TrainerOptions
from edgenext_search.training.errors import TrainingInterruptedError
from edgenext_search.training.full.finalize import finalize
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.init_weights import HEAD
from edgenext_search.training.full.job import FullJob
from edgenext_search.training.full.listener import Progress, TrainListener
from edgenext_search.training.full.metrics import EpochMetrics, Metrics
from edgenext_search.training.full.plan import Plan
from edgenext_search.training.full.summary import TrainSummary

EVERY = 0.5  # seconds between two messages of progress


class TrainingRun:
    """A full training on one rank, resumed from its last checkpoint if there is one.

    Args:
        job: The training.
        plan: Its plan.
        folder: Its folder.
        model: The network with its initial weights.
        objective: Its loss; None for cross-entropy with label smoothing.
        ranks: This process among those that train together.
        device: Its device.
        listener: Hears of the progress, on the first rank alone.
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
        recipe, shares = plan.recipe, plan.shares
        self._train = TrainLoader(
            plan.data.train,
            batch_size=shares.each * shares.world,
            img_size=recipe.img_size,
            sizes=recipe.sizes,
            seed=recipe.seed,
            augmentation=recipe.augmentation,
            shard=ranks.shard,
            workers=job.workers,
            device=device,
        )
        self._val = ValLoader(
            plan.data.val,
            Preprocessing(img_size=recipe.img_size),
            batch_size=shares.each,
            shard=ranks.shard,
            workers=job.workers,
            device=device,
        )
        self._steps = sum(plan.steps)
        self.trainer = Trainer(
            model,
            recipe,
            seed=recipe.seed,
            device=device,
            numerics=recipe.numerics,
            ranks=ranks,
            options=TrainerOptions(
                accumulate=shares.accumulate,
                decay_temperatures=False,
                ema_warmup=recipe.ema_warmup,
                reseed_steps=True,
                objective=objective,
            ),
        )
        self.rows: list[EpochMetrics] = []
        self._seconds = 0.0
        state = folder.checkpoints.load_together(device, listener.note, ranks)
        if state is not None:
            self._resume(state)

    def _resume(self, state: State) -> None:
        """Continue from a checkpoint."""
        self.rows = [EpochMetrics.model_validate(row) for row in state["rows"]]
        self._seconds = state["seconds"]
        self.trainer.restore(state)
        self.listener.note(f"Resuming after step {self.trainer.updates} of {self._steps}.")
        if (before := state.get("device", self.device.type)) != self.device.type:
            self.listener.note(
                f"The steps before were done on {before}, those to come on {self.device.type}: rounding differs and, "
                "unless train.precision is set, precision too."
            )
        if self.ranks.rank == 0 and not self.trainer.position:
            self._keep_best()

    def train(self, stopping: StopRequests) -> None:
        """Train the steps that are left.

        Args:
            stopping: Whether this process was asked to stop.

        Raises:
            TrainingInterruptedError: A process was asked to stop; the step is saved.
            UserError, HostError: Images cannot be loaded; the step is saved.
        """
        recipe, trainer = self.plan.recipe, self.trainer
        with contextlib.closing(self._train), contextlib.closing(self._val), self._metrics() as metrics:
            clock = _Clock(self._seconds, trainer)
            last_save, saved = time.monotonic(), trainer.updates

            def save() -> None:
                nonlocal last_save, saved
                self._save(clock.seconds)
                last_save, saved = time.monotonic(), trainer.updates
                loader.save = False

            def on_step(_done: int, _total: int) -> None:
                self._show(clock)
                trained = trainer.position == self.plan.steps[trainer.epoch]  # the evaluation may take long
                if loader.save or trained:
                    save()

            def on_epoch(epoch: int) -> None:
                row = self._evaluated(clock, stopping)
                self.rows.append(row)
                save()
                if metrics is not None:
                    metrics.add(row)
                    self._keep_best()
                    self.listener.epoch_done(row)
                self._freeze(epoch)
                clock.lap()

            loader = BatchesTogether(
                self._train,
                self.ranks,
                stopping=stopping,
                saving=lambda: self.ranks.rank == 0 and time.monotonic() - last_save > 60 * self.job.minutes,
            )
            self._freeze(trainer.epoch)
            try:
                trainer.fit(loader, until=recipe.epochs, on_step=on_step, on_epoch=on_epoch)
            except LoadingEndedError as ended:
                if trainer.updates > saved:
                    save()
                raise ended.reason or self._interrupted() from None

    def _interrupted(self) -> TrainingInterruptedError:
        if not self.trainer.updates:
            return TrainingInterruptedError("Stopped in the first step. The same command begins again.")
        return TrainingInterruptedError(
            f"Stopped after step {self.trainer.updates} of {self._steps}, which is saved in {self.job.out}. "
            "The same command continues from there."
        )

    def _evaluated(self, clock: _Clock, stopping: StopRequests) -> EpochMetrics:
        """Evaluate, unless this process is asked to stop: the epoch's last step is saved already."""
        if self.ranks.any_rank(stopping())[0]:
            raise self._interrupted()
        try:
            with stopping.interruptible():
                return self._evaluate(clock)
        except (KeyboardInterrupt, RuntimeError):  # a rank that stops breaks the connection to the others
            if not stopping():
                raise
            raise self._interrupted() from None

    @contextlib.contextmanager
    def _metrics(self) -> Iterator[Metrics | None]:
        """The writer of metrics; None on other ranks than the first."""
        if self.ranks.rank:
            yield None
            return
        run = {"id": self._wandb_id(), **self.plan.record.to_dict()} if self.job.wandb else None
        metrics = Metrics(self.folder.path, self.rows, run=run)
        try:
            yield metrics
        finally:
            metrics.close()

    def _wandb_id(self) -> str:
        """An id that the same training in the same folder always has."""
        training = self.plan.record.to_dict() | {"name": self.folder.record().name}  # the name that it began with
        del training["unreadable"]
        text = f"{self.folder.path.resolve()} {training}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _freeze(self, epoch: int) -> None:
        """Freeze all but the classifier in the first epochs, if the recipe says so."""
        frozen = epoch < self.plan.recipe.head_epochs
        for name, parameter in self.trainer.model.named_parameters():
            parameter.requires_grad_(not frozen or name.startswith(HEAD))

    def _evaluate(self, clock: _Clock) -> EpochMetrics:
        """Evaluate both kinds of weights at the end of an epoch."""
        trainer = self.trainer
        speed, wait = clock.images_per_second, clock.input_wait
        raw, averaged = trainer.evaluate_both(self._val)
        return EpochMetrics(
            epoch=trainer.epoch,
            step=trainer.updates,
            lr=trainer.optimizer.param_groups[0]["lr"],
            train_loss=trainer.losses[-1],
            top1=raw.top1,
            top5=raw.top5,
            loss=raw.loss,
            ema_top1=averaged.top1,
            ema_top5=averaged.top5,
            ema_loss=averaged.loss,
            seconds=round(clock.seconds, 3),
            images_per_second=round(speed, 1),
            input_wait=round(wait, 4),
        )

    def _keep_best(self) -> None:
        """Keep the checkpoint of the last epoch as the best one, if no epoch before was better."""
        scores = [row.accuracy(self.plan.recipe.weights).top1 for row in self.rows]
        if scores and scores[-1] >= max(scores):
            self.folder.checkpoints.save_best(self.trainer.updates)

    def _save(self, seconds: float) -> None:
        """Write a checkpoint; all ranks call it together and return once it is on the disk.

        Weights that are not finite are never saved.
        """
        trainer = self.trainer
        trainer.check()
        classes, img_size = list(self.plan.data.classes), self.plan.recipe.img_size
        about = {"device": self.device.type, "classes": classes, "img_size": img_size}
        state = {**trainer.state(), "rows": [row.model_dump() for row in self.rows], "seconds": seconds, **about}
        if self.ranks.rank == 0:
            self.folder.checkpoints.save(state, trainer.updates)
        self.ranks.any_rank(False)

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

    def finish(self) -> TrainSummary | None:
        """Write the model folder and the summary on the first rank; None on the others."""
        if self.ranks.rank:
            return None
        self.listener.note("Writing the model folder, evaluating and exporting it")
        return finalize(self.job, self.plan, self.folder, trainer=self.trainer, rows=self.rows)


class _Clock:
    """Duration and speed of a training."""

    def __init__(self, seconds: float, trainer: Trainer) -> None:
        self._before, self._trainer = seconds, trainer
        self._start = self._last = time.monotonic()
        self.lap()

    @property
    def seconds(self) -> float:
        """Duration of the whole training, interruptions left out."""
        return self._before + time.monotonic() - self._start

    def lap(self) -> None:
        """Start the clock of an epoch."""
        self._lap, self._seen, self._waited = time.monotonic(), self._trainer.seen, self._trainer.waited

    @property
    def images_per_second(self) -> float:
        """Training images per second of all ranks, in this epoch."""
        return (self._trainer.seen - self._seen) / max(time.monotonic() - self._lap, 1e-9)

    @property
    def input_wait(self) -> float:
        """Share of this epoch's time in which steps waited for their images."""
        return (self._trainer.waited - self._waited) / max(time.monotonic() - self._lap, 1e-9)

    def due(self) -> bool:
        """Whether it is time for another message of progress."""
        if time.monotonic() - self._last < EVERY:
            return False
        self._last = time.monotonic()
        return True
