"""Does the short training rank candidates as a long one does? The audit of the default proxy, as a benchmark.

24 candidates of one budget (``band``) and 24 of budgets from 0.25M parameters to it (``wide``) are trained at the
reference fidelity with several seeds, and by the proxy at an eighth of its images with others. Each proxy seed's
ranking metrics are compared with the references: Kendall's tau, the mean over seeds, beside the noise ceiling, by which
a reference of one seed ranks as the mean of the others does, both against the same targets.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np
from common import conditions, emit, parser, significant
from trainings import Trainings, data_options, images, record_of

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.metrics import METRICS
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Assignment, Space
from edgenext_search.search.ranking.agreement import judge
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.resolver import load_study
from edgenext_search.search.sampler.features import Features
from edgenext_search.search.sampler.propose import Observation
from edgenext_search.search.study.expectation import expected_scores
from edgenext_search.training.proxy.recipe import TrainRecipe

EACH, SMALLEST = 24, 250_000
REFERENCE = {"images": 4000, "epochs": 8, "batch_size": 32, "val_images": 10_000}
PROXY = {"images": 4000, "epochs": 1, "batch_size": 16, "val_images": 2000}
RANKING_METRICS: tuple[RankingMetric, ...] = ("combined", "top1", "loss", "train_loss", "recent_loss")
SHAPES_SEED, PROXY_SEED = 7, 10


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    data_options(arguments)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--seeds", type=int, default=3, help="of each reference and each proxy (default: 3)")
    options = arguments.parse_args()
    if options.seeds < 2:
        arguments.error("--seeds must be at least 2")
    each, seeds = (4, 2) if options.quick else (EACH, options.seeds)
    sets = _candidates(options.budget, each, options.seed)
    study = load_study("laptop", flags={"budget": options.budget})
    figures: dict[str, float | None] = {"images_of_reference": _images(PROXY) / _images(REFERENCE)}
    with tempfile.TemporaryDirectory() as scratch:
        trainings = Trainings(options.record, Path(scratch))
        for name, shapes in sets.items():
            candidates = list(shapes)
            long = _scores(trainings, candidates, REFERENCE, range(seeds), options)
            short = _scores(trainings, candidates, PROXY, range(PROXY_SEED, PROXY_SEED + seeds), options)
            short["expected"] = _expected(list(shapes.values()), short[study.search.rank_by])
            figures |= _judged(name, candidates, long["top1"], short, study.search.rank_by)
    emit(
        "fidelity",
        figures,
        conditions(
            "torch", "timm", n=each, seeds=seeds, budget=options.budget, smallest=SMALLEST, space="edgenext",
            deployment="1000 classes, 256x256 px", img_size=32, reference=REFERENCE, proxy=PROXY,
            rank_by=study.search.rank_by, seed=options.seed,
        ),
    )  # fmt: skip


def _candidates(budget: str, each: int, seed: int) -> dict[str, dict[Candidate, Assignment]]:
    """By set: the candidates, each with what the sampler knows of it."""
    space, deployment, cap = Space.load("edgenext"), Deployment(), METRICS["params"].parse(budget)
    features = Features(space)
    rows = features.random(2 * each, np.random.default_rng(SHAPES_SEED + seed))
    shapes = [features.assignment(row) for row in rows]
    band = Projection(space, Budget(params=cap), deployment)
    caps = [int(value) for value in np.geomspace(SMALLEST, cap, each)]
    return {
        "band": {band.candidate(values): values for values in shapes[:each]},
        "wide": {
            Projection(space, Budget(params=size), deployment).candidate(values): values
            for size, values in zip(caps, shapes[each:], strict=True)
        },
    }


def _expected(assignments: list[Assignment], scores: list[list[float]]) -> list[list[float]]:
    """What all trials of a seed together lead to expect of each: the scores that the search chooses finalists by."""
    space = Space.load("edgenext")
    by_seed = []
    for seed in zip(*scores, strict=True):
        observed = [Observation(values=values, score=score) for values, score in zip(assignments, seed, strict=True)]
        by_seed.append([expected.mean for expected in expected_scores(space, observed)])
    return [list(values) for values in zip(*by_seed, strict=True)]


def _images(fidelity: dict[str, int]) -> int:
    return fidelity["images"] * fidelity["epochs"]


def _scores(
    trainings: Trainings,
    candidates: list[Candidate],
    fidelity: dict[str, int],
    seeds: range,
    options: Namespace,
) -> dict[str, list[list[float]]]:
    """By ranking metric, higher is better: the ranking scores of each candidate, one a seed."""
    most = 48 if options.quick else None
    train_images, val_images = (most or fidelity[key] for key in ("images", "val_images"))
    data = images(options, img_size=32, train_images=train_images, val_images=val_images)
    recipe = TrainRecipe(
        img_size=32, epochs=fidelity["epochs"], batch_size=fidelity["batch_size"], lr=0.004,
        precision="fp32", channels_last=False, compile=False,
    )  # fmt: skip
    curves = trainings.curves([(c, seed) for seed in seeds for c in candidates], recipe, data)
    by_metric: dict[str, list[list[float]]] = {}
    for metric in RANKING_METRICS:
        by_seed = [
            ranking_scores(
                [record_of(n, c, curves[c.fingerprint, seed], seed) for n, c in enumerate(candidates)], metric
            )
            for seed in seeds
        ]
        by_metric[metric] = [[scores[n][fidelity["epochs"]] for scores in by_seed] for n in range(len(candidates))]
    return by_metric


def _judged(
    name: str,
    candidates: list[Candidate],
    references: list[list[float]],
    short: dict[str, list[list[float]]],
    rank_by: str,
) -> dict[str, float | None]:
    counts = [cost(candidate, Deployment()) for candidate in candidates]
    series: dict[str, list[list[float]]] = {
        metric: [list(scores) for scores in zip(*values, strict=True)] for metric, values in short.items()
    }
    series["params_alone"] = [[math.log(count.params) for count in counts]]
    series["madds_alone"] = [[math.log(count.madds) for count in counts]]
    series["blocks_alone"] = [[float(sum(candidate.depths)) for candidate in candidates]]
    taus: dict[str, float] = {}
    noise_ceiling: float | None = None
    for label, seeds in series.items():
        agreements = [agreement for scores in seeds if (agreement := judge(scores, references).noise_ceiling)]
        if agreements:
            taus[label] = statistics.fmean(agreement.score_tau.value for agreement in agreements)
            noise_ceiling = agreements[0].tau.value
    shares = {
        label: taus[label] / noise_ceiling if noise_ceiling and noise_ceiling > 0 else None
        for label in short
        if label in taus
    }
    return {
        **{
            f"tau_{name}_of_ceiling{'' if label == rank_by else '_' + label}": share and significant(share, 3)
            for label, share in shares.items()
        },
        f"tau_{name}_ceiling": noise_ceiling and round(noise_ceiling, 3),
        **{f"tau_{name}_{label}": round(tau, 3) for label, tau in taus.items()},
    }


if __name__ == "__main__":
    main()
