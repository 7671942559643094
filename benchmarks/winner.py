"""Does a run's winner beat the paper's shape at the same budget? Both from scratch, fresh seeds, the set's test images.

Baseline and best finalist other than it of a finished run are trained at a reference fidelity, longer and on more
images than the proxy, with seeds that neither the search nor its finalists had. The test images have had no part in
anything before. The figure is the paired difference of top-1 with its 95 % interval (Student's t over the seeds).
"""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import torch
from common import conditions, emit, parser
from safetensors.torch import load_file
from scipy.stats import t
from timm.data import create_dataset
from trainings import Trainings, data_options, images

from edgenext_search.arch.candidate import Candidate
from edgenext_search.data.augment.batches import center_crop, normalize
from edgenext_search.data.images import fit_square
from edgenext_search.models.build import build
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.images import CROP_MARGIN
from edgenext_search.training.proxy.recipe import TrainRecipe

FIRST_SEED = 77_000
BATCH = 500


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("run", type=Path, help="a finished run on Fashion-MNIST")
    data_options(arguments, record=False)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--train-images", type=int, default=6000)
    arguments.add_argument("--epochs", type=int, default=8)
    options = arguments.parse_args()
    if options.seeds < 2:
        arguments.error("--seeds must be at least 2")
    options.data = options.data or "torch/fashion_mnist"
    if Path(options.data).is_dir():
        arguments.error("--data must be a name such as torch/fashion_mnist, whose test images are known")
    summary = RunFolder(options.run).summary()
    baseline = summary["baseline"]
    best = next(row for row in summary["finalists"] if row["fingerprint"] != baseline["fingerprint"])
    sides = {"winner": Candidate.from_dict(best["candidate"]), "baseline": Candidate.from_dict(baseline["candidate"])}
    seeds = range(FIRST_SEED, FIRST_SEED + (2 if options.quick else options.seeds))
    proxy = RunFolder(options.run).recipe().proxy
    recipe = TrainRecipe(
        img_size=proxy.img_size, epochs=1 if options.quick else options.epochs, batch_size=proxy.batch_size,
        lr=proxy.lr, precision="fp32", channels_last=False, compile=False,
    )  # fmt: skip
    train_images = 300 if options.quick else options.train_images
    data = images(options, img_size=recipe.img_size, train_images=train_images, val_images=200)
    with tempfile.TemporaryDirectory() as scratch:
        trainings = Trainings(None, Path(scratch))
        trainings.curves([(candidate, seed) for seed in seeds for candidate in sides.values()], recipe, data)
        top1 = {
            name: [
                _test_top1(candidate, trainings.weights(candidate, seed, recipe, data), options, recipe.img_size)
                for seed in seeds
            ]
            for name, candidate in sides.items()
        }
    emit("winner", _figures(top1), conditions(
        "torch", "timm", n=len(seeds), seed=seeds[0], train_images=train_images, epochs=recipe.epochs,
        img_size=recipe.img_size, batch_size=recipe.batch_size, budget=summary["budget"],
        deployment=summary["deployment"], space=summary["space"],
        winner=best["fingerprint"], baseline=baseline["fingerprint"],
        first_of_the_run=summary["winner"]["fingerprint"],
        search_seconds=summary["seconds"], search_gain=summary["gain"],
    ))  # fmt: skip


def _figures(top1: dict[str, list[float]]) -> dict[str, object]:
    pairs = [100 * (a - b) for a, b in zip(top1["winner"], top1["baseline"], strict=True)]
    half = float(t.ppf(0.975, len(pairs) - 1)) * statistics.stdev(pairs) / len(pairs) ** 0.5
    mean = statistics.fmean(pairs)
    return {
        "difference_points": round(mean, 3),
        "low_95": round(mean - half, 3),
        "high_95": round(mean + half, 3),
        **{f"{name}_top1": [round(100 * value, 2) for value in values] for name, values in top1.items()},
    }


def _test_top1(candidate: Candidate, weights: Path, options: Namespace, img_size: int) -> float:
    state = load_file(weights)
    model = build(candidate, num_classes=state["head.fc.bias"].numel())
    model.load_state_dict(state)
    model.eval()
    right = count = 0
    with torch.inference_mode():
        for pixels, labels in _test_images(options, round(img_size / CROP_MARGIN)):
            logits = model(normalize(center_crop(pixels, img_size)))
            right += int((logits.argmax(1) == labels).sum())
            count += len(labels)
    return right / count


def _test_images(options: Namespace, side: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of the test set, stored as the tool stores training images: uint8 [b, 3, side, side] and labels."""
    dataset = create_dataset(options.data, str(options.data_dir), split="validation")
    for start in range(0, len(dataset), BATCH):
        items = [dataset[index] for index in range(start, min(start + BATCH, len(dataset)))]
        pixels = [torch.from_numpy(fit_square(image.convert("RGB"), side)) for image, _ in items]
        yield torch.stack(pixels), torch.tensor([label for _, label in items])


if __name__ == "__main__":
    main()
