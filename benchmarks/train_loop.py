"""How much the loop of full training costs: its steps a second over those of a bare PyTorch loop.

Both train the same network on the same batches of the same loader, JPEG files decoded and augmented by one worker
process, with the same loss, fused AdamW and averaged weights; the bare loop does nothing else. They take turns, an
epoch each, so that a busy spell of the machine hits both alike. ``input_wait`` is the share of an epoch's time in which
the loop waits for images.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from common import THREADS, conditions, emit, median, parser, significant

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES, IMAGE_SIDE = 4, 96
VARIANT = "edgenext_xx_small"


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", help="a folder of ImageNet's layout in place of made-up JPEG files")
    arguments.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments.add_argument("--img-size", type=int, default=64)
    arguments.add_argument("--batch-size", type=int, default=32)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--steps", type=int, help="steps of an epoch")
    arguments.add_argument("--epochs", type=int, help="epochs of either loop")
    args = arguments.parse_args()
    steps = args.steps or (4 if args.quick else 16)
    epochs = args.epochs or (3 if args.quick else 15)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or write_images(Path(folder), steps * args.batch_size)
        loops, waited = make_loops(args, data, steps)
        seconds, cpu_seconds = in_turns(loops, epochs)
    ratios = [bare / ours for bare, ours in zip(seconds["bare"], seconds["ours"], strict=True)]
    cpu_ratios = [bare / ours for bare, ours in zip(cpu_seconds["bare"], cpu_seconds["ours"], strict=True)]
    ours = median(seconds["ours"])
    spread = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    figures = {
        "relative_speed": significant(median(ratios)),
        "relative_speed_low": significant(spread[0]),
        "relative_speed_high": significant(spread[2]),
        "relative_cpu": significant(median(cpu_ratios)),
        "steps_per_second": significant(steps / ours),
        "images_per_second": significant(steps * args.batch_size / ours),
        "bare_steps_per_second": significant(steps / median(seconds["bare"])),
        "input_wait": significant(waited() / sum(seconds["ours"])),
    }
    where = conditions(
        "torch",
        "timm",
        n=epochs,
        seed=args.seed,
        budget=None,
        deployment=f"{VARIANT}, {CLASSES} classes, {args.img_size} px",
        device=args.device,
        batch_size=args.batch_size,
        steps=steps,
        workers=args.workers,
        data=Path(args.data).name if args.data else f"made-up JPEG files of {IMAGE_SIDE} px",
    )
    emit("train_loop", figures, where)


def write_images(folder: Path, count: int) -> str:
    """A folder of JPEG files, whatever they show."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, images in (("train", count), ("val", CLASSES)):
        for number in range(images):
            place = folder / part / f"class{number % CLASSES}"
            place.mkdir(parents=True, exist_ok=True)
            coarse = rng.integers(0, 256, (IMAGE_SIDE // 8, IMAGE_SIDE // 8, 3)).astype(np.uint8)
            image = Image.fromarray(coarse).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC)
            image.save(place / f"{number}.jpg", quality=90)
    return str(folder)


def make_loops(
    args: argparse.Namespace, data: str, steps: int
) -> tuple[dict[str, Callable[[], None]], Callable[[], float]]:
    """Both loops, each of which trains an epoch when it is called, and the seconds that ours has waited for images."""
    import torch
    from timm.utils import ModelEmaV3

    from edgenext_search.arch.published import published_variant
    from edgenext_search.data.loading.datasets import open_full_data
    from edgenext_search.data.loading.loaders import TrainLoader
    from edgenext_search.models.build import build
    from edgenext_search.training.engine.trainer import Trainer, TrainerOptions
    from edgenext_search.training.full.recipe import FullRecipe

    torch.set_num_threads(THREADS)
    device = torch.device(args.device)
    opened = open_full_data(data)
    keys = {"img_size": args.img_size, "multi_scale": None, "batch_size": args.batch_size, "epochs": 1000}
    variant = published_variant(VARIANT)
    recipe = FullRecipe(**keys).resolve(params=variant.params, steps=10**6, device=device.type)

    def network() -> torch.nn.Module:
        torch.manual_seed(args.seed)
        return build(variant.candidate, num_classes=len(opened.classes))

    class Shortened(TrainLoader):
        """So many steps an epoch."""

        def batches(self, epoch: int) -> int:
            return min(steps, super().batches(epoch))

        def batch_sizes(self, epoch: int) -> list[int]:
            return super().batch_sizes(epoch)[:steps]

    def loader() -> Shortened:
        return Shortened(
            opened.train,
            batch_size=args.batch_size,
            img_size=args.img_size,
            seed=args.seed,
            workers=args.workers,
            device=device,
        )

    options = TrainerOptions(decay_temperatures=False, ema_warmup=False, reseed_steps=True)
    trainer = Trainer(network(), recipe, seed=args.seed, device=device, numerics=recipe.numerics, options=options)
    ours_loader = loader()

    def ours() -> None:
        trainer.fit(ours_loader, until=trainer.epoch + 1)

    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    model = network().to(device, memory_format=layout)
    average = ModelEmaV3(model, decay=recipe.ema_decay)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    half = device.type == "cuda"
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    bare_loader, epoch = loader(), 0

    def bare() -> None:
        nonlocal epoch
        model.train()
        for step, (images, labels) in enumerate(bare_loader.epoch(epoch)):
            if step == steps:
                break
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.float16, enabled=half):
                logits = model(images.contiguous(memory_format=layout))
            loss = criterion(logits.float(), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            average.update(model)
        loss.item()
        epoch += 1

    return {"bare": bare, "ours": ours}, lambda: trainer.waited


def in_turns(
    loops: dict[str, Callable[[], None]], epochs: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each epoch of each loop, and seconds of the processor that this process took.

    The first turn starts workers and warms caches, and does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(epochs + 1):
        order = list(loops.items())
        for name, loop in order if turn % 2 else reversed(order):
            start, cpu_start = time.perf_counter(), time.process_time()
            loop()
            if turn:
                seconds[name].append(time.perf_counter() - start)
                cpu_seconds[name].append(time.process_time() - cpu_start)
    return seconds, cpu_seconds


if __name__ == "__main__":
    main()
