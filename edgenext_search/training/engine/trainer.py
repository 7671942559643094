"""The training loop of proxy and full training."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay
from timm.utils import ModelEmaV3
from torch import nn

from edgenext_search.training.engine.batch_norm import convert_sync_batchnorm
from edgenext_search.training.engine.distributed import Ranks
from edgenext_search.training.engine.loader import Batch, Loader, epoch_seed
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.engine.schedule import Schedule
from edgenext_search.training.engine.scoring import Evaluation, score_networks
from edgenext_search.training.errors import TrainingDivergedError

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
CHECK_EVERY = 50  # steps; reading the loss makes a GPU wait
TEMPERATURE = ".temperature"  # last part of a parameter's name
LEAST_SCALE = 1e-4  # of float16's losses; it halves with each step that overflows
State = dict[str, Any]
"""The state of a training as ``torch.save`` writes it: numbers, strings, tensors, lists and dictionaries."""
StepHook = Callable[[int, int], None]  # steps done, steps to do
Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""The mean loss of images [b, 3, h, w] with logits float32 [b, classes] and targets as a loader gives them."""


class LoopRecipe(Protocol):
    """The keys of a recipe that the loop uses."""

    @property
    def lr(self) -> float: ...  # noqa: D102 - the recipes describe their keys
    @property
    def weight_decay(self) -> float: ...  # noqa: D102
    @property
    def label_smoothing(self) -> float: ...  # noqa: D102
    @property
    def ema_decay(self) -> float: ...  # noqa: D102
    @property
    def clip_grad(self) -> float | None: ...  # noqa: D102
    @property
    def weights(self) -> str: ...  # noqa: D102

    def schedule(self, first: int, total: int) -> Schedule:
        """Learning rates of ``total`` steps, which begin with step ``first`` of the training."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerOptions:
    """Options of a trainer beside its recipe; the defaults are the proxy's.

    Attributes:
        accumulate: Batches of the loader that make one step of the optimizer.
        decay_temperatures: Whether weight decay acts on the attention's temperatures. They scale as norms do, but
            timm's rule, which the proxy keeps, spares vectors alone, and a temperature is [heads, 1, 1].
        ema_warmup: Whether the decay of the averaged weights rises from zero.
        reseed_steps: Whether the randomness of a step depends on its number alone, not on earlier steps of the epoch,
            so that training can resume in the middle of an epoch.
        objective: The loss; None for cross-entropy with the recipe's label smoothing.
    """

    accumulate: int = 1
    decay_temperatures: bool = True
    ema_warmup: bool = True
    reseed_steps: bool = False
    objective: Objective | None = None


class Trainer:
    """A network in training: its weights, their average, the optimizer, and the epoch and step that it has reached.

    ``losses`` has the mean training loss of each epoch over all ranks. ``position`` counts the steps of the current
    epoch, ``updates`` all steps, ``seen`` the images of all ranks, and ``waited`` the seconds that steps waited for
    their images.

    Args:
        model: The network.
        recipe: How to train it.
        seed: Seed of everything random in a step; together with the epoch's number it decides the epoch.
        device: Where to train.
        numerics: Precision, memory layout and compilation.
        ranks: This process among those that share each batch.
        micro_batch: Most images that go through the network at once; None for all of this process's share.
        options: What full training does differently.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: LoopRecipe,
        *,
        seed: int,
        device: torch.device | None = None,
        numerics: Numerics | None = None,
        ranks: Ranks | None = None,
        micro_batch: int | None = None,
        options: TrainerOptions | None = None,
    ) -> None:
        self.recipe = recipe
        self.seed = seed
        self.epoch = self.position = 0
        self.losses: list[float] = []
        self.seen, self.waited = 0, 0.0
        self.device = device or torch.device("cpu")
        self.numerics = numerics or Numerics()
        self.ranks = ranks or Ranks()
        self.micro_batch = micro_batch
        self.options = options or TrainerOptions()
        self._layout = torch.channels_last if self.numerics.channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=self._layout)  # type: ignore[call-overload]
        if self.ranks.world > 1:
            convert_sync_batchnorm(self.model)
        self._network = torch.compile(self.model) if self.numerics.compile else self.model
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.numerics.precision == "fp16")
        self.ema = ModelEmaV3(model, decay=recipe.ema_decay, use_warmup=self.options.ema_warmup)
        self.optimizer = self._make_optimizer()
        self._loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self._objective = self.options.objective or (lambda _images, logits, labels: self._loss(logits, labels))
        self.updates = 0
        self._added = 0  # batches whose gradients wait for the optimizer
        self._summed, self._skipped = self._zero(), self._zero()  # losses of this epoch, and steps without one

    def _make_optimizer(self) -> torch.optim.Optimizer:
        recipe, spared = self.recipe, [name for name, _ in self.model.named_parameters() if name.endswith(TEMPERATURE)]

        def groups(model: nn.Module) -> list[dict[str, Any]]:
            split: list[dict[str, Any]] = param_groups_weight_decay(model, 1.0, no_weight_decay_list=spared)
            return [{**group, "weight_decay": recipe.weight_decay * group["weight_decay"]} for group in split]

        optimizer: torch.optim.Optimizer = create_optimizer_v2(
            self.model,
            opt="adamw",
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            fused=True,
            param_group_fn=None if self.options.decay_temperatures else groups,
        )
        return optimizer

    def fit(
        self,
        loader: Loader,
        *,
        until: int,
        on_step: StepHook | None = None,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """Train from the current step through epoch ``until``; the learning rate rises, then falls.

        Args:
            loader: The training batches.
            until: Number of epochs trained in total when this returns.
            on_step: Called after each step with the steps done and to do in this call. An exception that it raises ends
                the call, and :meth:`state` is then that after the step; so it is where the loader raises one.
            on_epoch: Called after each epoch with the number of epochs trained in total.

        Raises:
            TrainingDivergedError: The loss is NaN or infinite; in float16 a weight, or all losses of an epoch.
        """
        if self.epoch >= until:
            return
        accumulate = self.options.accumulate
        begins = [0, *itertools.accumulate(loader.batches(epoch) // accumulate for epoch in range(until))]
        first = begins[self.epoch] + self.position
        total = begins[until] - first
        schedule = self.recipe.schedule(first, total)
        done = 0
        while self.epoch < until:
            self.model.train()
            # Stochastic depth draws from the global generator.
            torch.manual_seed(epoch_seed(self.seed, self.epoch) + self.ranks.rank)
            for _ in self._steps(loader, begins[self.epoch], schedule):
                done += 1
                if done % CHECK_EVERY == 0 or done == total:
                    self.check()
                if on_step:
                    on_step(done, total)
            self.losses.append(self._mean_loss())
            self._summed, self._skipped = self._zero(), self._zero()
            self.epoch, self.position = self.epoch + 1, 0
            if on_epoch:
                on_epoch(self.epoch)

    def _steps(self, loader: Loader, before: int, schedule: Schedule) -> Iterator[None]:
        """The remaining steps of the current epoch, one step of the optimizer at a time."""
        accumulate, sizes = self.options.accumulate, loader.batch_sizes(self.epoch)
        batches = iter(loader.epoch(self.epoch, self.position * accumulate))
        while self.position < len(sizes) // accumulate:
            number = before + self.position
            if self.options.reseed_steps:
                torch.manual_seed(epoch_seed(self.seed, number * self.ranks.world + self.ranks.rank))
            for group in self.optimizer.param_groups:
                group["lr"] = schedule(number)
            loss = self._zero()
            with self._undone_if_unfinished():
                for size in sizes[self.position * accumulate : (self.position + 1) * accumulate]:
                    began = time.perf_counter()
                    images, labels = next(batches)
                    self.waited += time.perf_counter() - began
                    loss += self.step(images, labels, size)
                    self.seen += size
            if self._scaler.is_enabled():  # a loss that overflows costs its step alone
                self._skipped += ~loss.isfinite()
                loss = torch.where(loss.isfinite(), loss, 0)
            self._summed += loss
            self.position += 1
            yield

    @contextlib.contextmanager
    def _undone_if_unfinished(self) -> Iterator[None]:
        """Where an exception ends a step between its batches, put back the statistics of batch norms."""
        before = [buffer.clone() for buffer in self.model.buffers()] if self.options.accumulate > 1 else []
        try:
            yield
        except BaseException:
            self._added = 0
            for buffer, former in zip(self.model.buffers(), before, strict=False):
                buffer.copy_(former)
            raise

    def step(self, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> torch.Tensor:
        """Add the gradients of a batch; every ``accumulate``-th call is a step of the optimizer.

        Args:
            images: This process's share of the batch, float32 [b, 3, h, w].
            labels: int64 [b], or where images are mixed, shares of the classes float32 [b, classes].
            batch_size: Images of the whole batch, over all ranks.

        Returns:
            This process's share of the loss, over ``accumulate``.
        """
        if not self._added:
            self.optimizer.zero_grad(set_to_none=True)
        total = self._zero()
        size = self.micro_batch or len(labels)
        weight = 1 / self.options.accumulate
        for start in range(0, len(labels), size):
            part = slice(start, start + size)
            with self._autocast():
                logits = self._network(images[part].contiguous(memory_format=self._layout))
            loss = self._objective(images[part], logits.float(), labels[part])
            loss = loss * (len(labels[part]) / batch_size * weight)
            self._scaler.scale(loss).backward()
            total += loss.detach()
        self._added += 1
        if self._added == self.options.accumulate:
            self._added = 0
            self._update()
        return total

    def _update(self) -> None:
        """One step of the optimizer and of the averaged weights."""
        self.ranks.all_reduce_gradients(self.model.parameters())
        if self.recipe.clip_grad:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.updates += 1
        self.ema.update(self.model, step=self.updates)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.numerics.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, _DTYPES[self.numerics.precision])

    def _mean_loss(self) -> float:
        """Mean loss of the current epoch, over all ranks and all steps whose loss did not overflow."""
        summed, skipped = self.ranks.all_reduce(torch.stack([self._summed, self._skipped])).tolist()
        count = self.position - skipped / self.ranks.world
        return self._finite(summed / count if count else math.nan)

    def check(self) -> None:
        """Raise :class:`TrainingDivergedError` if a loss of this epoch, in float16 a weight, is not a finite number."""
        if not self._scaler.is_enabled():
            self._finite(self._summed.item())  # stays NaN, as the weights are then NaN too
            return
        values = [value.isfinite().all() for value in self.model.state_dict().values() if value.is_floating_point()]
        if self._scaler.get_scale() < LEAST_SCALE or not torch.stack(values).all():
            raise self._diverged("float16 overflows")

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        return loss

    def _diverged(self, why: str) -> TrainingDivergedError:
        return TrainingDivergedError(f"{why} in epoch {self.epoch + 1}; a lower lr may help")

    def _zero(self) -> torch.Tensor:
        return torch.zeros((), device=self.device)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored: with averaged weights, or with those of the last step."""
        averaged: nn.Module = self.ema.module
        return averaged if self.recipe.weights == "ema" else self.model

    def evaluate(self, batches: Iterable[Batch]) -> Evaluation:
        """Evaluate :attr:`scored` on the batches of all ranks together."""
        return self._evaluations([self.scored], batches)[0]

    def evaluate_both(self, batches: Iterable[Batch]) -> tuple[Evaluation, Evaluation]:
        """Evaluate the weights of the last step and their average on the batches of all ranks together."""
        raw, averaged = self._evaluations([self.model, self.ema.module], batches)
        return raw, averaged

    def _evaluations(self, networks: Sequence[nn.Module], batches: Iterable[Batch]) -> list[Evaluation]:
        with self._autocast():
            return score_networks(
                networks,
                batches,
                device=self.device,
                micro_batch=self.micro_batch,
                layout=self._layout,
                all_reduce=self.ranks.all_reduce,
            )

    def state(self) -> State:
        """The state that :meth:`restore` resumes from as if the training was never interrupted.

        In the middle of an epoch all ranks must call it together. Randomness is a function of seed, epoch and step, so
        no generator's state is kept.
        """
        return {
            "epoch": self.epoch,
            "position": self.position,
            "updates": self.updates,
            "losses": self.losses,
            "summed": self.ranks.all_gather(self._summed) if self.position else [],
            "skipped": self.ranks.all_gather(self._skipped / self.ranks.world) if self.position else [],
            "model": self.model.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Resume from what :meth:`state` returned, on any number of ranks."""
        self.epoch, self.updates, self.losses = state["epoch"], state["updates"], list(state["losses"])
        self.position = state.get("position", 0)
        rank, world = self.ranks.rank, self.ranks.world  # of each list one is mine, with as many ranks as before
        self._summed = self._zero() + sum(state.get("summed", [])[rank::world])
        self._skipped = self._zero() + sum(state.get("skipped", [])[rank::world]) * world
        self.model.load_state_dict(state["model"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty after a training in another precision
            self._scaler.load_state_dict(state["scaler"])
