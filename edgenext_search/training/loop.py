"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn

from edgenext_search.training.loader import epoch_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgenext_search.training.loader import Batch, Loader
    from edgenext_search.training.recipe import TrainRecipe

CHECK_EVERY = 50  # steps; reading the loss makes a GPU wait
StepHook = Callable[[int, int], None]  # steps done, steps to do


class TrainingDivergedError(RuntimeError):
    """The loss is no longer a number."""


class Trainer:
    """A network in training: its weights, their average, the optimizer and the epoch that it has reached.

    Args:
        model: The network, on its device.
        recipe: How to train it.
        seed: Seed of all that is random in a step; with the epoch's number it decides the epoch.
    """

    def __init__(self, model: nn.Module, recipe: TrainRecipe, *, seed: int) -> None:
        self.model = model
        self.recipe = recipe
        self.seed = seed
        self.epoch = 0
        self.ema = ModelEmaV3(model, decay=recipe.ema_decay, use_warmup=True)
        self.optimizer = create_optimizer_v2(
            model, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
        self._loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self._updates = 0

    def fit(self, loader: Loader, *, until: int, on_step: StepHook | None = None) -> None:
        """Train from the epoch reached through epoch ``until``, the learning rate rising, then falling to zero.

        Args:
            loader: The training batches.
            until: Number of epochs trained in total when this returns.
            on_step: Called after each step with the steps done and to do in this call.

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
        self.model.train()
        while self.epoch < until:
            torch.manual_seed(epoch_seed(self.seed, self.epoch))  # stochastic depth draws from the global generator
            for images, labels in loader.epoch(self.epoch):
                schedule.step_update(done)
                loss = self._step(images, labels)
                done += 1
                if done % CHECK_EVERY == 0 or done == total:
                    self._check(loss)
                if on_step:
                    on_step(done, total)
            self.epoch += 1

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self._loss(self.model(images), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip_grad:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad)
        self.optimizer.step()
        self._updates += 1
        self.ema.update(self.model, step=self._updates)
        return loss.detach()

    def _check(self, loss: torch.Tensor) -> None:
        """A loss that is not a number stays so: the weights took it over."""
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDivergedError(f"the loss is {value} in epoch {self.epoch + 1}; a lower lr may help")

    def score(self, batches: Iterable[Batch]) -> float:
        """Top-1 of the averaged weights, in [0, 1]."""
        self.ema.module.eval()
        right = count = 0
        with torch.inference_mode():
            for images, labels in batches:
                right += int((self.ema.module(images).argmax(1) == labels).sum())
                count += len(labels)
        return right / count

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on as if never interrupted."""
        return {
            "epoch": self.epoch,
            "updates": self._updates,
            "model": self.model.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self.epoch, self._updates = state["epoch"], state["updates"]
        self.model.load_state_dict(state["model"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
