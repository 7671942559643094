"""The training loop."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn import functional

from edgenext_search.training.batch_norm import share_statistics
from edgenext_search.training.loader import epoch_seed
from edgenext_search.training.numerics import Numerics
from edgenext_search.training.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgenext_search.training.loader import Batch, Loader
    from edgenext_search.training.recipe import TrainRecipe

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
CHECK_EVERY = 50  # steps; reading the loss makes a GPU wait
StepHook = Callable[[int, int], None]  # steps done, steps to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a network does on a set of labelled images.

    Attributes:
        top1: Share of the images whose class comes first, in [0, 1].
        loss: Mean cross-entropy, without label smoothing, in nats.
    """

    top1: float
    loss: float


class TrainingDivergedError(RuntimeError):
    """The loss is no longer a number."""


class Trainer:
    """A network in training: its weights, their average, the optimizer and the epoch that it has reached.

    ``losses`` has the mean training loss of each epoch, over all ranks.

    Args:
        model: The network.
        recipe: How to train it.
        seed: Seed of all that is random in a step; with the epoch's number it decides the epoch.
        device: Where to train.
        numerics: Precision, memory layout and compilation.
        ranks: This process among those that share each batch.
        micro_batch: Most images that go through the network at once; None for all of this process's share.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: TrainRecipe,
        *,
        seed: int,
        device: torch.device | None = None,
        numerics: Numerics | None = None,
        ranks: Ranks | None = None,
        micro_batch: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.seed = seed
        self.epoch = 0
        self.losses: list[float] = []
        self.device = device or torch.device("cpu")
        self.numerics = numerics or Numerics()
        self.ranks = ranks or Ranks()
        self.micro_batch = micro_batch
        self._layout = torch.channels_last if self.numerics.channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=self._layout)  # type: ignore[call-overload]
        if self.ranks.world > 1:
            share_statistics(self.model)
        self._network = torch.compile(self.model) if self.numerics.compile else self.model
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.numerics.precision == "fp16")
        self.ema = ModelEmaV3(model, decay=recipe.ema_decay, use_warmup=True)
        self.optimizer = create_optimizer_v2(
            model, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
        self._loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self._updates = 0

    def fit(
        self,
        loader: Loader,
        *,
        until: int,
        on_step: StepHook | None = None,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """Train from the epoch reached through epoch ``until``, the learning rate rising, then falling to zero.

        Args:
            loader: The training batches.
            until: Number of epochs trained in total when this returns.
            on_step: Called after each step with the steps done and to do in this call.
            on_epoch: Called after each epoch with the number of epochs trained in total.

        Raises:
            TrainingDivergedError: The loss is NaN or infinite.
        """
        total = (until - self.epoch) * loader.steps
        if total <= 0:
            return
        warmup = round(self.recipe.warmup_share * total)
        schedule = CosineLRScheduler(
            self.optimizer,
            t_initial=total,
            warmup_t=warmup,
            warmup_lr_init=self.recipe.lr / (warmup + 1),
            t_in_epochs=False,
        )
        done = 0
        while self.epoch < until:
            self.model.train()
            # Stochastic depth draws from the global generator.
            torch.manual_seed(epoch_seed(self.seed, self.epoch) + self.ranks.rank)
            summed = torch.zeros((), device=self.device)
            for images, labels in loader.epoch(self.epoch):
                schedule.step_update(done)
                loss = self.step(images, labels, loader.batch_size)
                summed += loss
                done += 1
                if done % CHECK_EVERY == 0 or done == total:
                    self._check(loss)
                if on_step:
                    on_step(done, total)
            self.epoch += 1
            self.losses.append(self.ranks.total(summed).item() / loader.steps)
            if on_epoch:
                on_epoch(self.epoch)

    def step(self, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> torch.Tensor:
        """One step of the optimizer.

        Args:
            images: This process's share of the batch, float32 [b, 3, h, w].
            labels: int64 [b], or where images are mixed, shares of the classes float32 [b, classes].
            batch_size: Images of the whole batch, over all ranks.

        Returns:
            This process's share of the loss.
        """
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        size = self.micro_batch or len(labels)
        for start in range(0, len(labels), size):
            part = slice(start, start + size)
            with self._autocast():
                logits = self._network(images[part].contiguous(memory_format=self._layout))
            loss = self._loss(logits.float(), labels[part]) * (len(labels[part]) / batch_size)
            self._scaler.scale(loss).backward()
            total += loss.detach()
        self.ranks.add_gradients(self.model.parameters())
        if self.recipe.clip_grad:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self._updates += 1
        self.ema.update(self.model, step=self._updates)
        return total

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.numerics.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, _DTYPES[self.numerics.precision])

    def _check(self, loss: torch.Tensor) -> None:
        """A loss that is not a number stays so: the weights took it over."""
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDivergedError(f"the loss is {value} in epoch {self.epoch + 1}; a lower lr may help")

    @property
    def scored(self) -> nn.Module:
        """The network that is scored: with averaged weights, or as the last step left it."""
        averaged: nn.Module = self.ema.module
        return averaged if self.recipe.weights == "ema" else self.model

    def evaluate(self, batches: Iterable[Batch]) -> Evaluation:
        """Top-1 and cross-entropy of :attr:`scored`, over all ranks."""
        network = self.scored.eval()
        right, loss, count = torch.zeros(3, dtype=torch.float64, device=self.device)
        with torch.inference_mode(), self._autocast():
            for images, labels in batches:
                size = self.micro_batch or len(labels)
                for start in range(0, len(labels), size):
                    part = slice(start, start + size)
                    logits = network(images[part].contiguous(memory_format=self._layout)).float()
                    right += (logits.argmax(1) == labels[part]).sum()
                    loss += functional.cross_entropy(logits, labels[part], reduction="sum")
                count += len(labels)
        right, loss, count = self.ranks.total(torch.stack([right, loss, count])).tolist()
        return Evaluation(top1=right / count, loss=loss / count)

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on as if never interrupted."""
        return {
            "epoch": self.epoch,
            "updates": self._updates,
            "losses": self.losses,
            "model": self.model.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self.epoch, self._updates, self.losses = state["epoch"], state["updates"], list(state["losses"])
        self.model.load_state_dict(state["model"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
