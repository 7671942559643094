"""What the table says so far: spread of shapes and noise of seeds, the ceiling, what early epochs tell of the end.

    python -m benchmarks.table.analyse [--table FOLDER] [--write]

Prints Markdown; ``--write`` puts it into the data card. Intervals are 95 %, from resampling shapes; those of gains
from resampling held-out images. A figure for which there are fewer than :data:`LEAST` shapes is left out.
"""

from __future__ import annotations

import itertools
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.table.files import FOLDER, Table, load
from benchmarks.table.plan import PARTS, read_shapes, trainings

Array = npt.NDArray[np.float64]
LEAST = 5
RESAMPLES, SEED = 400, 0
BASELINE = "edgenext_xx_small"
METRICS = ("top1", "loss", "train_loss", "mean_train_loss")
MARKS = ("<!-- analysis -->", "<!-- end of analysis -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval and the number of shapes that it rests on; NaN where those are too few."""

    value: float
    low: float
    high: float
    n: int

    def text(self, digits: int) -> str:
        """For a cell of a table."""
        if np.isnan(self.value):
            return "-"
        return f"{self.value:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def main(arguments: list[str] | None = None) -> None:
    """Print, or put into the data card."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=FOLDER, help="folder of the table (default: the one shipped)")
    parser.add_argument("--write", action="store_true", help="replace the analysis in README.md")
    options = parser.parse_args(arguments)
    text = analysis(load(options.table))
    print(text)
    if options.write:
        card = FOLDER / "README.md"
        before, _, rest = card.read_text(encoding="utf-8").partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        card.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


def analysis(table: Table) -> str:
    """All of it in Markdown."""
    parts = [_progress(table)]
    for budget in table.shapes["budget"].unique():
        budgeted = _of_budget(table, str(budget))
        if len(budgeted.trainings):
            parts += [f"### {budget}", _spreads(budgeted), _gains(budgeted), _ranks(budgeted)]
    return "\n\n".join(part for part in parts if part)


def _of_budget(table: Table, budget: str) -> Table:
    ends = table.trainings[(table.trainings["budget"] == budget) & ~table.trainings["diverged"].astype(bool)]
    curves = table.curves.merge(ends[["training", "part", "shape", "seed"]], on="training")
    curves["mean_train_loss"] = curves.groupby("training")["train_loss"].transform(lambda loss: loss.expanding().mean())
    return Table(shapes=table.shapes[table.shapes["budget"] == budget], trainings=ends, curves=curves)


def _progress(table: Table) -> str:
    plan = pd.Series([(training.part, training.budget) for training in trainings(read_shapes(), PARTS)]).value_counts()
    rows, spent, left = [], 0.0, 0.0
    seconds: dict[tuple[str, str], float] = {}
    for (part, budget), planned in sorted(plan.items(), key=lambda item: (list(PARTS).index(item[0][0]), item[0][1])):
        done = table.trainings[(table.trainings["part"] == part) & (table.trainings["budget"] == budget)]
        images = PARTS[part].images * PARTS[part].epochs
        each = seconds[part, budget] = (
            done["cpu_seconds"].mean()
            if len(done)
            else seconds.get(("short", budget), np.nan) * images / (PARTS["short"].images * PARTS["short"].epochs)
        )
        spent += done["cpu_seconds"].sum() / 3600
        left += each * (planned - len(done)) / 3600
        guess = "" if len(done) else "some "
        rows.append((part, budget, f"{len(done)} of {planned}", f"{guess}{each:.0f}", str(int(done["diverged"].sum()))))
    head = ("part", "budget", "trainings", "seconds of a core each", "diverged")
    return f"{_table(head, rows)}\n\n{spent:.1f} core-hours are spent, about {left:.0f} are left."


def _spreads(table: Table) -> str:
    """Standard deviations of shapes and of seeds by epoch."""
    rows = [
        (f"epoch {epoch}", *_spread(100 * _matrix(table.curves, "short", "top1", epoch))) for epoch in _epochs(table)
    ]
    rows += [
        (f"end of `{part}`, all images", *_spread(100 * _matrix(table.trainings, part, "top1")))
        for part in PARTS
        if (table.trainings["part"] == part).any()
    ]
    head = (
        "top-1", "mean", "spread under one seed", "spread of shapes", "noise of a seed", "tau between seeds",
        "shapes with two seeds",
    )  # fmt: skip
    return (
        "Top-1 in percent, standard deviations in points. The spread under one seed is made of the "
        "spread of shapes, which is what two seeds have in common, and of the noise of a seed, which is that of a "
        "shape's difference to others under the same seed, over the root of two. Tau between the seeds' ends is the "
        "noise ceiling.\n\n" + _table(head, rows)
    )


def _spread(values: pd.DataFrame) -> tuple[str, ...]:
    pairs = _pairs(values, values, lambda seed, other: seed < other)
    shared, noise, ceiling = (_figure(pairs, statistic) for statistic in (_shared, _noise, _tau))
    one = f"{values.std().mean():.2f}"
    return f"{np.nanmean(values.to_numpy()):.2f}", one, shared.text(2), noise.text(2), ceiling.text(2), str(ceiling.n)


def _gains(table: Table) -> str:
    """The best shape against the baseline."""
    lines = []
    for part in PARTS:
        ends = table.trainings[table.trainings["part"] == part]
        seeds = [seed for seed, rows in ends.groupby("seed") if BASELINE in set(rows["shape"]) and len(rows) >= LEAST]
        ends = ends[ends["seed"].isin(seeds)]
        shapes = [str(shape) for shape, rows in ends.groupby("shape", sort=False) if len(rows) == len(seeds)]
        if not seeds or len(shapes) < LEAST:
            continue
        ordered = ends.set_index(["shape", "seed"]).loc[[(shape, seed) for shape in shapes for seed in seeds]]
        hits = table.correct(ordered).reshape(len(shapes), len(seeds), -1).astype(np.float64)
        lines.append(f"- `{part}`, {_count(len(shapes), 'shape')}, {_count(len(seeds), 'seed')}: {_gain(hits, shapes)}")
    return "\n".join(lines)


def _gain(hits: Array, shapes: Sequence[str]) -> str:
    """In words; hits are [shapes, seeds, images]."""
    baseline, count = shapes.index(BASELINE), hits.shape[2]
    means = 100 * hits.mean(axis=2)
    gains = means.mean(axis=1) - means[baseline].mean()
    best = int(np.argmax(gains))
    difference = 100 * (hits[best] - hits[baseline]).mean(axis=0)  # by image, over seeds
    half = 1.96 * difference.std(ddof=1) / count**0.5
    text = (
        f"the baseline has {means[baseline].mean():.2f} %, {int((gains > 0).sum())} of {len(shapes) - 1} others have "
        f"more. The highest is `{shapes[best]}`, {gains[best]:+.2f} points ({gains[best] - half:+.2f} to "
        f"{gains[best] + half:+.2f} by images alone; chosen as the highest, so too high)"
    )
    if hits.shape[1] == 1:
        return f"{text}."
    fresh = [_chosen_gain(means, baseline, seed) for seed in range(hits.shape[1])]
    return f"{text}. The highest by all seeds but one gains {np.mean(fresh):+.2f} under that one, on average."


def _chosen_gain(means: Array, baseline: int, seed: int) -> float:
    """Gain under a seed of the shape that the other seeds would choose; means are [shapes, seeds]."""
    chosen = int(np.argmax(np.delete(means, seed, axis=1).mean(axis=1)))
    return float(means[chosen, seed] - means[baseline, seed])


def _ranks(table: Table) -> str:
    """Kendall's tau of each epoch's readings with ends."""
    ends, references = (_matrix(table.trainings, part, "top1") for part in PARTS)
    targets: list[tuple[str, pd.DataFrame, Callable[[int, int], bool]]] = [
        ("the end of the same training, whose luck it shares", ends, lambda seed, other: seed == other),
        ("the end of another seed", ends, lambda seed, other: seed != other),
        ("the end of a reference", references, lambda _seed, _other: True),
    ]
    parts = []
    for title, target, wanted in targets:
        rows, n = [], 0
        for epoch in _epochs(table):
            cells = []
            for metric in METRICS:
                values = _matrix(table.curves, "short", metric, epoch) * (1 if metric == "top1" else -1)
                figure = _figure(_pairs(values, target, wanted), _tau)
                n = figure.n
                cells.append(figure.text(2))
            rows.append((f"epoch {epoch}", *cells))
        if n >= LEAST:
            head = ("reading after", "top-1", "held-out loss", "training loss of the epoch", "of all epochs so far")
            parts.append(f"Kendall's tau with {title}; {_count(n, 'shape')}:\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _epochs(table: Table) -> list[int]:
    return sorted(int(epoch) for epoch in table.curves.loc[table.curves["part"] == "short", "epoch"].unique())


def _matrix(frame: pd.DataFrame, part: str, column: str, epoch: int | None = None) -> pd.DataFrame:
    """Values of a part by shape and seed; NaN where there is none."""
    rows = frame[frame["part"] == part]
    if epoch is not None:
        rows = rows[rows["epoch"] == epoch]
    return rows.pivot_table(index="shape", columns="seed", values=column)


def _pairs(values: pd.DataFrame, target: pd.DataFrame, wanted: Callable[[int, int], bool]) -> Array:
    """For each wanted pair of seeds, values and targets of all shapes; shape (pairs, 2, shapes), NaN where missing."""
    shapes = values.index.union(target.index)
    left, right = values.reindex(shapes), target.reindex(shapes)
    pairs = [
        (left[seed], right[other])
        for seed, other in itertools.product(left.columns, right.columns)
        if wanted(int(seed), int(other))
    ]
    return np.array(pairs, dtype=np.float64).reshape(len(pairs), 2, len(shapes))


def _figure(pairs: Array, statistic: Callable[[Array, Array], float]) -> Figure:
    """The statistic of the pairs of seeds, their mean, with an interval from resampling shapes."""
    known = ~np.isnan(pairs).any(axis=1)
    pairs = pairs[known.sum(axis=1) >= LEAST]
    shapes = np.flatnonzero((~np.isnan(pairs).any(axis=1)).any(axis=0))
    if not len(pairs):
        return Figure(value=np.nan, low=np.nan, high=np.nan, n=0)
    rng = np.random.default_rng(SEED)
    resamples = [_mean(pairs[:, :, rng.choice(shapes, len(shapes))], statistic) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(resamples, [0.025, 0.975])
    return Figure(value=_mean(pairs, statistic), low=float(low), high=float(high), n=len(shapes))


def _mean(pairs: Array, statistic: Callable[[Array, Array], float]) -> float:
    found = []
    for pair in pairs:
        known = pair[:, ~np.isnan(pair).any(axis=0)]
        if known.shape[1] > 2:
            found.append(statistic(known[0], known[1]))
    return float(np.mean(found)) if found else np.nan


def _shared(a: Array, b: Array) -> float:
    """Standard deviation of what two seeds have in common, 0 where they have less than nothing."""
    return float(max(0.0, np.cov(a, b)[0, 1]) ** 0.5)


def _noise(a: Array, b: Array) -> float:
    """Standard deviation of one seed, without what it does to all shapes alike."""
    return float(np.std(a - b, ddof=1) / 2**0.5)


def _tau(a: Array, b: Array) -> float:
    """Kendall's tau-b."""
    left, right = np.sign(a[:, None] - a), np.sign(b[:, None] - b)
    scale = float((np.square(left).sum() * np.square(right).sum()) ** 0.5)
    return float((left * right).sum()) / scale if scale else np.nan


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


if __name__ == "__main__":
    main()
