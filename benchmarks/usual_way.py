"""A trial trained the usual way, in a process of its own: the baseline of ``proxy_throughput.py``.

torchvision's ImageFolder with PIL transforms and a DataLoader with two workers, or tensors in memory; eager fp32, all
threads. Network, optimizer, schedule, averaged weights and evaluation are those of the engine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from edgenext_search.arch.candidate import Candidate
from edgenext_search.models.build import build
from edgenext_search.training.proxy.recipe import TrainRecipe

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    """Train one candidate and print its score."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candidate", required=True, help="JSON")
    arguments.add_argument("--recipe", required=True, help="JSON")
    arguments.add_argument("--data", required=True, type=Path, help="class folders, or a folder with .npy arrays")
    options = arguments.parse_args()
    recipe = TrainRecipe.model_validate(json.loads(options.recipe))
    in_memory = (options.data / "train_images.npy").is_file()
    train, val, classes = (_tensors if in_memory else _folders)(options.data, recipe)

    torch.manual_seed(0)
    candidate = Candidate.from_dict(json.loads(options.candidate))
    model = build(candidate, num_classes=classes, drop_path=recipe.drop_path)
    ema = ModelEmaV3(model, decay=recipe.ema_decay, use_warmup=True)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    total = recipe.epochs * len(train)
    schedule = CosineLRScheduler(optimizer, t_initial=total, warmup_t=round(0.1 * total), t_in_epochs=False)
    step = 0
    model.train()
    for _ in range(recipe.epochs):
        for images, labels in train:
            schedule.step_update(step)
            loss = criterion(model(_ready(images, recipe) if in_memory else images), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_grad or 1e9)
            optimizer.step()
            step += 1
            ema.update(model, step=step)
    ema.module.eval()
    right = count = 0
    with torch.inference_mode():
        for images, labels in val:
            given = _ready(images, recipe, crop=False) if in_memory else images
            right += int((ema.module(given).argmax(1) == labels).sum())
            count += len(labels)
    print(right / count)


def _folders(data: Path, recipe: TrainRecipe) -> tuple[Any, Any, int]:
    normalize = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    size = recipe.img_size
    augment = transforms.Compose(
        [
            transforms.Resize(round(size / 0.875)),
            transforms.RandomCrop(size),
            transforms.RandomHorizontalFlip(),
            *normalize,
        ]
    )
    plain = transforms.Compose([transforms.Resize(round(size / 0.875)), transforms.CenterCrop(size), *normalize])
    train, val = ImageFolder(data / "train", augment), ImageFolder(data / "val", plain)
    return (
        DataLoader(train, recipe.batch_size, shuffle=True, drop_last=True, num_workers=2),
        DataLoader(val, 256, num_workers=2),
        len(train.classes),
    )


def _tensors(data: Path, recipe: TrainRecipe) -> tuple[Any, Any, int]:
    sets = [
        TensorDataset(*(torch.from_numpy(np.load(data / f"{part}_{what}.npy")) for what in ("images", "labels")))
        for part in ("train", "val")
    ]
    labels = sets[0].tensors[1]
    return (
        DataLoader(sets[0], recipe.batch_size, shuffle=True, drop_last=True),
        DataLoader(sets[1], 256),
        int(labels.max()) + 1,
    )


def _ready(images: torch.Tensor, recipe: TrainRecipe, *, crop: bool = True) -> torch.Tensor:
    """Batched crop and flip, one for the whole batch, and normalisation: the least that can be done."""
    size, side = recipe.img_size, images.shape[-1]
    top, left = (torch.randint(side - size + 1, (2,)).tolist()) if crop else ((side - size) // 2,) * 2
    images = images[..., top : top + size, left : left + size]
    if crop and torch.rand(()) < 0.5:
        images = images.flip(-1)
    mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (images.float() - mean) / std


if __name__ == "__main__":
    main()
