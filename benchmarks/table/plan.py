"""What the table holds: its shapes, the terms of its two parts, and the order of the trainings.

``python -m benchmarks.table.plan`` draws the shapes and writes ``shapes.csv``. All else reads that file, so a table
that has been begun keeps its shapes whatever becomes of space and projection.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.parameter import Choice, Value
from edgenext_search.arch.spaces.space import Space

SHAPES_FILE = Path(__file__).with_name("shapes.csv")
SPACE, BUDGETS = "edgenext", ("0.3M", "1.3M")
DRAWN, DRAWN_OF, SEED = 102, 128, 17  # the first 102 of 128 points of a scrambled Sobol' sequence
DEPLOYMENT = Deployment()  # 1000 classes, 256 px: what a search's budget is counted for unless told otherwise
LISTS = ("widths", "depths", "kernel_sizes", "sdta_splits", "sdta_blocks", "heads", "pos_emb")
COSTS = ("params", "madds", "acts", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Terms of trainings that are compared with each other.

    Attributes:
        images: Training images.
        epochs: Passes over them.
        rungs: Shares of the epochs at which the learning rate has fallen to zero.
        seeds: Seeds of weights, order and augmentation.
        shapes: Shapes of each budget, counted from the first; None for all.
        val_images: Held-out images that score the end; None for a sixth of all training images of the set.
        img_size: Height and width of the images, in pixels.
        batch_size: Images in one step.
        lr: Peak learning rate.
    """

    images: int
    epochs: int
    rungs: tuple[float, ...]
    seeds: tuple[int, ...]
    shapes: int | None = None
    val_images: int | None = None
    img_size: int = 64
    batch_size: int = 32
    lr: float = 0.004


PARTS: Mapping[str, Part] = {
    "short": Part(images=4000, epochs=8, rungs=(0.125, 0.25, 0.5, 1.0), seeds=(0, 1, 2)),
    "reference": Part(images=16_000, epochs=12, rungs=(1.0,), seeds=(100, 101), shapes=30),
}
QUICK: Mapping[str, Part] = {
    "short": Part(images=64, epochs=2, rungs=(0.5, 1.0), seeds=(0,), shapes=2, val_images=50, img_size=32),
    "reference": Part(images=64, epochs=2, rungs=(1.0,), seeds=(100,), shapes=1, val_images=50, img_size=32),
}
PAIRED = 12  # shapes of each budget that get their second seed before the others get their first
SHORTS_A_REFERENCE = (8, 3)  # short trainings before each reference: in the round of the first seed, and afterwards


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of the table.

    Attributes:
        part: ``short`` or ``reference``.
        budget: The cap on parameters, such as ``0.3M``.
        shape: Name of the shape; a name is the same settings in all budgets.
        candidate: The network that the shape becomes in the budget.
        seed: Seed of weights, order and augmentation.
    """

    part: str
    budget: str
    shape: str
    candidate: Candidate
    seed: int

    @property
    def name(self) -> str:
        """Names the training in the whole table."""
        return f"{self.part}-{self.budget}-{self.candidate.fingerprint}-{self.seed}"


def trainings(shapes: Iterable[Mapping[str, str]], parts: Mapping[str, Part]) -> list[Training]:
    """All trainings, in the order in which they are done.

    Budgets take turns, so that a table cut short anywhere has both. The first :data:`PAIRED` shapes get two seeds, then
    every shape its first, second and third; references are woven in.

    Args:
        shapes: Rows of ``shapes.csv``.
        parts: The terms, by name of the part.
    """
    rows = list(shapes)
    budgets = list(dict.fromkeys(row["budget"] for row in rows))
    by_budget = [[row for row in rows if row["budget"] == budget] for budget in budgets]

    def turns(part: str, seed: int, begin: int = 0, end: int | None = None) -> list[Training]:
        most = parts[part].shapes
        chosen = [column[: most or len(column)][begin:end] for column in by_budget]
        return [
            Training(part=part, budget=row["budget"], shape=row["shape"], candidate=candidate_of(row), seed=seed)
            for number in range(max(map(len, chosen)))
            for column in chosen
            for row in column[number : number + 1]
        ]

    first, *others = parts["short"].seeds
    paired = [training for seed in (first, *others[:1]) for training in turns("short", seed, end=PAIRED)]
    once = turns("short", first, PAIRED)
    again = [training for seed in others[:1] for training in turns("short", seed, PAIRED)]
    again += [training for seed in others[1:] for training in turns("short", seed)]
    references = iter([training for seed in parts["reference"].seeds for training in turns("reference", seed)])
    woven = [
        *_woven(once, references, SHORTS_A_REFERENCE[0]),
        *_woven(again, references, SHORTS_A_REFERENCE[1]),
    ]
    return [*paired, *woven, *references]


def _woven(shorts: list[Training], references: Iterator[Training], every: int) -> Iterator[Training]:
    for number, training in enumerate(shorts, start=1):
        yield training
        if number % every == 0:
            yield from itertools.islice(references, 1)


def candidate_of(row: Mapping[str, str]) -> Candidate:
    """The network of a row of ``shapes.csv``."""
    lists: dict[str, list[int]] = {name: [int(number) for number in row[name].split("-")] for name in LISTS}
    pos_emb = [bool(number) for number in lists.pop("pos_emb")]
    return Candidate.from_dict(
        {**lists, "pos_emb": pos_emb, "expand_ratio": int(row["expand_ratio"]), "norm_act": row["norm_act"]}
    )


def read_shapes(file: Path = SHAPES_FILE) -> list[dict[str, str]]:
    """Rows of ``shapes.csv``."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def draw_shapes() -> list[dict[str, object]]:
    """The rows of ``shapes.csv``: in each budget the published shapes, scaled, and those drawn; no network twice."""
    from scipy.stats import qmc

    space = Space.load(SPACE)
    points = qmc.Sobol(len(space.parameters), seed=SEED).random(DRAWN_OF)[:DRAWN]
    drawn: list[dict[str, Value]] = [
        {
            parameter.name: parameter.values[int(at * len(parameter.values))]
            if isinstance(parameter, Choice)
            else round(parameter.low + at * (parameter.high - parameter.low), 4)
            for parameter, at in zip(space.parameters, point.tolist(), strict=True)
        }
        for point in points
    ]
    trained = Deployment(num_classes=10, img_size=PARTS["short"].img_size)
    rows: list[dict[str, object]] = []
    for text in BUDGETS:
        projection = Projection(space, Budget.parse(text), DEPLOYMENT)
        published = {variant.name: projection.published(variant) for variant in projection.nearest_published()}
        shapes = [(name, candidate, space.nearest(candidate)[0]) for name, candidate in published.items()]
        shapes += [(f"drawn-{number}", projection.candidate(values), values) for number, values in enumerate(drawn)]
        seen: set[Candidate] = set()
        for name, candidate, values in shapes:
            if candidate in seen:
                continue
            seen.add(candidate)
            settings = candidate.to_dict()
            rows.append(
                {"budget": text, "shape": name, "fingerprint": candidate.fingerprint}
                | {key: "-".join(str(int(item)) for item in settings[key]) for key in LISTS}
                | {key: settings[key] for key in ("expand_ratio", "norm_act")}
                | {key: value for key, value in cost(candidate, DEPLOYMENT).to_dict().items() if key in COSTS}
                | {f"trained_{k}": v for k, v in cost(candidate, trained).to_dict().items() if k in COSTS}
                | {f"space.{key}": value for key, value in values.items()}
            )
    return rows


def main() -> None:
    """Draw and write."""
    rows = draw_shapes()
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    SHAPES_FILE.write_text(text.getvalue(), encoding="utf-8")
    listed = trainings(read_shapes(), PARTS)
    print(
        f"{len(rows)} shapes, {len(listed)} trainings, {sum(t.part == 'reference' for t in listed)} of them references"
    )


if __name__ == "__main__":
    main()
