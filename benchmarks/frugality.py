"""How many images does halving save, and does it cost quality? With Optuna's asynchronous pruner on the same trials.

For each seed, random candidates of one budget are trained through all rungs, nothing stopped, every reading kept. Then
three policies are replayed on these curves: all trained in full; the halving of the tool, cohort by cohort, by its
code; and Optuna's asynchronous successive halving, trial by trial. All three rank by what ranks in the tool by default.
What each would have chosen, its best trial at the last rung, is trained with fresh seeds: their mean top-1 is how good
the choice was.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from common import conditions, emit, parser, seeded, significant
from trainings import Trainings, data_options, images, record_of

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space
from edgenext_search.search.ranking.metric import ranking_scores
from edgenext_search.search.recipe import RankingMetric
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.search.study.cohort.halving import survivors
from edgenext_search.training.proxy.recipe import TrainRecipe

TRIALS, COHORT, SEEDS, FRESH = 8, 8, 5, 2
TRAIN_IMAGES, VAL_IMAGES, EPOCHS, BATCH = 1500, 2000, 8, 16


@dataclass(frozen=True)
class Chosen:
    """What a policy came to: its choice, and the images that it trained on."""

    number: int
    images: int


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    data_options(arguments)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--trials", type=int, default=TRIALS, help=f"of each seed (default: {TRIALS})")
    arguments.add_argument("--seeds", type=int, default=SEEDS, help=f"studies (default: {SEEDS})")
    options = arguments.parse_args()
    seeds, trials, train_images = (1, 2, 32) if options.quick else (options.seeds, options.trials, TRAIN_IMAGES)
    study = load_study("laptop", flags={"budget": options.budget})
    rank_by = study.search.rank_by
    recipe = study.proxy.model_copy(
        update={
            "img_size": 32,
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "precision": "fp32",
            "channels_last": False,
            "compile": False,
        }
    )
    data = images(options, img_size=32, train_images=train_images, val_images=100 if options.quick else VAL_IMAGES)
    projection = Projection(Space.load("edgenext"), Budget.parse(options.budget), Deployment())
    policies: dict[str, Callable[[list[TrialRecord]], Chosen]] = {
        "full": lambda trials: _full(trials, rank_by, train_images),
        "halving": lambda trials: _halving(trials, recipe, rank_by, train_images),
        "optuna": lambda trials: _optuna(trials, recipe, rank_by, train_images),
    }
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in policies}
    spreads = []
    with tempfile.TemporaryDirectory() as scratch:
        trainings = Trainings(options.record, Path(scratch))
        for seed in range(options.seed, options.seed + seeds):
            rng = seeded(seed)
            candidates = [projection.candidate(projection.space.draw(rng)) for _ in range(trials)]
            curves = trainings.curves([(candidate, seed) for candidate in candidates], recipe, data)
            records = [
                replace(record_of(n, c, curves[c.fingerprint, seed], seed), cohort=n // COHORT)
                for n, c in enumerate(candidates)
            ]
            choices = {name: policy(records) for name, policy in policies.items()}
            fresh = [1000 * (seed + 1) + index for index in range(1 if options.quick else FRESH)]
            again = sorted({choice.number for choice in choices.values()})
            pairs = [(candidates[number], other) for number in again for other in fresh]
            results = trainings.curves(pairs, recipe, data)
            for name, choice in choices.items():
                scores = [results[candidates[choice.number].fingerprint, other][-1].top1 for other in fresh]
                found[name].append((statistics.fmean(scores), choice.images))
                spreads.append(scores)
    full_images = sum(count for _, count in found["full"])
    figures: dict[str, float] = {
        f"{'' if name == 'halving' else 'optuna_'}images_ratio": significant(
            full_images / sum(n for _, n in found[name])
        )
        for name in ("halving", "optuna")
    }
    for name in ("halving", "optuna"):
        lost = [mine - full for (mine, _), (full, _) in zip(found[name], found["full"], strict=True)]
        figures[f"{name}_choice_less_full_points"] = round(100 * statistics.fmean(lost), 3)
        if len(lost) > 1:
            figures[f"{name}_choice_less_full_points_se"] = round(100 * statistics.stdev(lost) / len(lost) ** 0.5, 3)
    if not options.quick:
        figures["seed_noise_points"] = round(100 * statistics.fmean(map(statistics.stdev, spreads)), 3)
    emit(
        "frugality",
        figures,
        conditions(
            "torch", "timm", "optuna", n=seeds, trials=trials, cohort=COHORT, fresh_seeds=FRESH, budget=options.budget,
            space="edgenext", deployment="1000 classes, 256x256 px", data=data.name, train_images=train_images,
            val_images=len(data.val.labels), img_size=32, batch_size=BATCH, rungs=list(recipe.rung_epochs),
            steps_before_first_rung=recipe.rung_epochs[0] * (train_images // BATCH), rank_by=rank_by, seed=options.seed,
        ),
    )  # fmt: skip


def _full(trials: list[TrialRecord], rank_by: RankingMetric, train_images: int) -> Chosen:
    scores = ranking_scores(trials, rank_by)
    best = max(trials, key=lambda trial: scores[trial.number][trial.epochs])
    return Chosen(best.number, sum(trial.epochs for trial in trials) * train_images)


def _halving(trials: list[TrialRecord], recipe: TrainRecipe, rank_by: RankingMetric, train_images: int) -> Chosen:
    epochs, left = 0, []
    for cohort in sorted({trial.cohort for trial in trials}):
        alive, before = [trial for trial in trials if trial.cohort == cohort], 0
        for rung in recipe.rung_epochs:
            epochs += len(alive) * (rung - before)
            before = rung
            if rung != recipe.rung_epochs[-1]:
                scores = {number: curve[rung] for number, curve in ranking_scores(alive, rank_by).items()}
                kept = survivors(scores)
                alive = [trial for trial in alive if trial.number in kept]
        left += alive
    scores = ranking_scores(left, rank_by)
    best = max(left, key=lambda trial: scores[trial.number][trial.epochs])
    return Chosen(best.number, epochs * train_images)


def _optuna(trials: list[TrialRecord], recipe: TrainRecipe, rank_by: RankingMetric, train_images: int) -> Chosen:
    """One worker, so that each trial is judged by all before it: the pruner's best case."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    epochs, scores = 0, ranking_scores(trials, rank_by)
    for record in trials:
        trial = study.ask()
        trial.set_user_attr("number", record.number)
        before = 0
        for step, rung in enumerate(recipe.rung_epochs, start=1):
            epochs += rung - before
            before = rung
            trial.report(scores[record.number][rung], step=2 ** (step - 1))
            if rung != recipe.rung_epochs[-1] and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, scores[record.number][recipe.rung_epochs[-1]])
    return Chosen(study.best_trial.user_attrs["number"], epochs * train_images)


if __name__ == "__main__":
    main()
