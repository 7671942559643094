"""Trains what the table lacks, one training after another, until it is whole or the process is ended.

    python -m benchmarks.table.train --out RESULTS [--data-dir FOLDER]

It computes on one core. Start it once for each core: processes that share RESULTS share the work. It may be killed at
any time and started again; at most an epoch is lost, and the results are the same. Trainings that are in the table
beside this file are not done again. ``python -m benchmarks.table.merge RESULTS`` adds what is finished to it.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from benchmarks.table.files import finished, packed, small_file
from benchmarks.table.plan import PARTS, QUICK, Part, Training, read_shapes, trainings
from edgenext_search.data import ImageSet, PreparedData, open_source, prepare
from edgenext_search.data.loading.shard import Shard
from edgenext_search.files import replacing, write_bytes
from edgenext_search.locks import exclusive
from edgenext_search.models.build import build
from edgenext_search.training.engine.loader import MemoryLoader, evaluation_batches
from edgenext_search.training.engine.schedule import Schedule
from edgenext_search.training.engine.trainer import Trainer
from edgenext_search.training.errors import TrainingDivergedError
from edgenext_search.training.proxy.recipe import TrainRecipe

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
VAL_SHARE = 1 / 6  # 10,000 of Fashion-MNIST's 60,000 training images
CROP_MARGIN = 0.875  # an image is stored at 1 / this of the training size, as by `run`
EVERY = 5  # of the held-out images every fifth scores the epochs; all of them score the end
CPU = torch.device("cpu")


class RungRecipe(TrainRecipe):
    """A recipe whose learning rates do not depend on where in a rung a training is taken up again."""

    steps: int
    """Steps of an epoch."""

    def schedule(self, first: int, total: int) -> Schedule:
        """Learning rates of the whole rung that ends ``total`` steps after step ``first``."""
        end = first + total
        begin = max((epoch * self.steps for epoch in self.rung_epochs if epoch * self.steps < end), default=0)
        return super().schedule(begin, end - begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How a network does on held-out images: which it gets right [n], and the mean cross-entropy in nats."""

    correct: npt.NDArray[np.bool_]
    loss: float


def main(arguments: list[str] | None = None) -> None:
    """Train what is not done yet."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of results, images and states")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEBIAN,
        help=f"folder of Fashion-MNIST's files (default: {DEBIAN})",
    )
    parser.add_argument("--quick", action="store_true", help="a tiny table of the built-in images, in a minute")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    parts = QUICK if options.quick else PARTS
    plan = trainings(read_shapes(), parts)
    known = frozenset() if options.quick else finished()
    data: dict[str, PreparedData] = {}
    for training in _undone(plan, known, options.out):
        part = parts[training.part]
        if training.part not in data:
            data[training.part] = images(part, options.out, None if options.quick else options.data_dir)
        state = options.out / "states" / f"{training.name}.pt"
        row = train(training, part, data[training.part], state)
        write_bytes(small_file(options.out, training.name), json.dumps(row).encode())
        state.unlink(missing_ok=True)
        end = "diverged" if row["diverged"] else f"{100 * row['top1']:.2f} %"
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        print(f"{now} {training.name} {training.shape}: {end}, {row['cpu_seconds']:.0f} s of CPU", flush=True)


def _undone(plan: list[Training], known: frozenset[str], out: Path) -> Iterator[Training]:
    """The first training that nobody has done or is doing, again and again; it is claimed while it is worked on."""
    while True:
        for training in plan:
            if training.name in known or small_file(out, training.name).is_file():
                continue
            with exclusive(_made(out / "claims") / training.name) as claimed:
                if claimed and not small_file(out, training.name).is_file():
                    yield training
                    break
        else:
            return


def images(part: Part, out: Path, data_dir: Path | None) -> PreparedData:
    """The images of a part, resized once and kept in the folder of results.

    Args:
        part: How many, and how large.
        out: The folder of results.
        data_dir: Folder of Fashion-MNIST's four files, packed or not; None for the built-in images.
    """
    source = (
        open_source(None, None) if data_dir is None else open_source("torch/fashion_mnist", _unpacked(data_dir, out))
    )
    return prepare(
        source,
        image_size=round(part.img_size / CROP_MARGIN),
        train_images=part.images,
        val_images=part.val_images,
        val_fraction=VAL_SHARE,
        seed=0,
        cache_dir=out / "images",
        workers=1,
    )


def _unpacked(data_dir: Path, out: Path) -> Path:
    """A folder with the four files where torchvision looks for them."""
    raw = out / "FashionMNIST" / "raw"
    for name in FILES:
        if (raw / name).is_file():
            continue
        plain, zipped = data_dir / name, data_dir / f"{name}.gz"
        if not (plain.is_file() or zipped.is_file()):
            sys.exit(
                f"There is no {name}.gz in {data_dir}. Debian and Ubuntu have Fashion-MNIST as a package: "
                "apt-get install dataset-fashion-mnist; or say with --data-dir where its four files are."
            )
        write_bytes(_made(raw) / name, plain.read_bytes() if plain.is_file() else gzip.decompress(zipped.read_bytes()))
    return out


def train(
    training: Training,
    part: Part,
    data: PreparedData,
    state_file: Path,
    on_epoch: Callable[[int], None] = lambda _epoch: None,
) -> dict[str, Any]:
    """Do one training, from the state that an earlier attempt left behind if there is one.

    Args:
        training: What to train.
        part: How.
        data: On what.
        state_file: Where the state after each epoch is kept.
        on_epoch: Called with the number of each epoch once its state is on disk.

    Returns:
        The training's row, with its curve.
    """
    recipe = RungRecipe(
        img_size=part.img_size, epochs=part.epochs, rungs=list(part.rungs), batch_size=part.batch_size, lr=part.lr,
        weight_decay=0.05, warmup_share=0.1, label_smoothing=0.1, ema_decay=0.99, weights="ema", clip_grad=5.0,
        drop_path=0.0, layer_scale_init=1e-6, flip=True, precision="fp32", channels_last=False, compile=False,
        steps=len(data.train.labels) // part.batch_size,
    )  # fmt: skip
    torch.manual_seed(training.seed)
    network = build(training.candidate, num_classes=len(data.classes), layer_scale_init=recipe.layer_scale_init)
    trainer = Trainer(network, recipe, seed=training.seed)
    loader = MemoryLoader(
        data.train, batch_size=recipe.batch_size, img_size=recipe.img_size, seed=training.seed, device=CPU,
        augmentation=recipe.augmentation, num_classes=len(data.classes),
    )  # fmt: skip
    curve: list[dict[str, Any]] = []
    spent, resumed = Clock(), 0
    if (state := _state(state_file)) is not None:
        trainer.restore(state["trainer"])
        curve, resumed = state["curve"], state["resumed"] + 1
        spent = Clock(cpu=state["cpu_seconds"], wall=state["wall_seconds"])

    def after(epoch: int) -> None:
        scored = score(trainer.scored, data.val, part.img_size, every=EVERY)
        curve.append(
            {
                "epoch": epoch,
                "steps": trainer.updates,
                "lr_end": float(f"{trainer.optimizer.param_groups[0]['lr']:.3g}"),
                "top1": round(float(scored.correct.mean()), 6),
                "loss": round(scored.loss, 6),
                "train_loss": round(trainer.losses[-1], 6),
                "cpu_seconds": round(spent.cpu, 2),
            }
        )
        _keep(state_file, {"trainer": trainer.state(), "curve": curve, "resumed": resumed, **spent.state()})
        on_epoch(epoch)

    end: Mapping[str, Any] = {"top1": None, "loss": None, "images": 0, "correct": ""}
    try:
        for until in recipe.rung_epochs:
            trainer.fit(loader, until=until, on_epoch=after)
    except TrainingDivergedError:
        pass
    else:
        scored = score(trainer.scored, data.val, part.img_size)
        end = {
            "top1": round(float(scored.correct.mean()), 6),
            "loss": round(scored.loss, 6),
            "images": len(scored.correct),
            "correct": packed(scored.correct),
        }
    return {
        "training": training.name,
        "part": training.part,
        "budget": training.budget,
        "shape": training.shape,
        "fingerprint": training.candidate.fingerprint,
        "seed": training.seed,
        **end,
        "diverged": trainer.epoch < recipe.epochs,
        **{name: round(seconds, 2) for name, seconds in spent.state().items()},
        "resumed": resumed,
        "torch": version("torch"),
        "timm": version("timm"),
        "curve": curve,
    }


class Clock:
    """Seconds of this process and of the attempts before it.

    Args:
        cpu: Processor's time of earlier attempts.
        wall: Wall time of earlier attempts.
    """

    def __init__(self, cpu: float = 0.0, wall: float = 0.0) -> None:
        self._cpu, self._wall = cpu - time.process_time(), wall - time.perf_counter()

    @property
    def cpu(self) -> float:
        """The processor's time so far."""
        return self._cpu + time.process_time()

    def state(self) -> dict[str, float]:
        """Both times so far."""
        return {"cpu_seconds": self.cpu, "wall_seconds": self._wall + time.perf_counter()}


def score(network: nn.Module, images: ImageSet, img_size: int, *, every: int = 1) -> Scored:
    """How a network does on every ``every``-th of some images, from the first on."""
    network.eval()
    correct, loss = [], 0.0
    with torch.inference_mode():
        for pixels, labels in evaluation_batches(images, img_size=img_size, device=CPU, shard=Shard(0, every)):
            logits = network(pixels)
            correct.append((logits.argmax(1) == labels).numpy())
            loss += functional.cross_entropy(logits, labels, reduction="sum").item()
    hits = np.concatenate(correct)
    return Scored(correct=hits, loss=loss / len(hits))


def _state(file: Path) -> dict[str, Any] | None:
    """What an earlier attempt left behind; None where that is nothing, or damaged."""
    try:
        state: dict[str, Any] = torch.load(file, weights_only=True)
    except Exception:  # torch has many words for a damaged file
        return None
    return state


def _keep(file: Path, state: dict[str, Any]) -> None:
    _made(file.parent)
    with replacing(file) as temporary:
        torch.save(state, temporary)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
