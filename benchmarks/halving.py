"""What does the sampler learn from trials that halving stopped?

Simulated searches on made-up landscapes of the tool's own space, by the code that the tool runs: ``propose``,
``survivors``, ``expected_at_last_rung`` and the chooser of finalists. The score at a rung is a mixture of the true
value with a second landscape, how fast a network starts, and noise. ``wide``: early scores spread three times as widely
as late ones and hardly predict them, as measured on EdgeNeXt shapes; ``even``: all rungs spread alike.

The baseline adds a constant increase to the score of a stopped trial, the median of those that continued.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
from common import conditions, emit, parser
from landscapes import made_up

from edgenext_search.search.sampler.propose import Observation, propose
from edgenext_search.search.study.cohort.halving import Curves, expected_at_last_rung, survivors, with_median_increase
from edgenext_search.search.study.expectation import expected_scores

RUNGS = (1, 2, 4, 8)
SETTINGS = {  # by rung: share of the true value's variance in a score, spread, standard deviation of its noise
    "wide": ((0.08, 3.0, 0.6), (0.3, 2.0, 0.5), (0.7, 1.3, 0.4), (1.0, 1.0, 0.4)),
    "even": ((0.4, 1.0, 0.6), (0.6, 1.0, 0.5), (0.8, 1.0, 0.4), (1.0, 1.0, 0.4)),
}
TRIALS, COHORT = 128, 16

Estimate = Callable[[Curves], dict[int, float]]


def main() -> None:
    """Simulate and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=16, help="searches of each kind (default: 16)")
    options = arguments.parse_args()
    seeds = range(options.seed, options.seed + (2 if options.quick else options.seeds))
    trials = 48 if options.quick else TRIALS
    policies: dict[str, Estimate] = {
        "chained": lambda curves: expected_at_last_rung(curves, RUNGS),
        "constant": lambda curves: with_median_increase(curves, RUNGS),
        "finished": lambda curves: {n: curve[RUNGS[-1]] for n, curve in curves.items() if RUNGS[-1] in curve},
    }
    figures: dict[str, float] = {}
    for setting in SETTINGS:
        values = {
            name: [search(setting, estimate, seed=seed, trials=trials) for seed in seeds]
            for name, estimate in policies.items()
        }
        for name, found in values.items():
            figures[f"{setting}_{name}"] = round(statistics.fmean(found), 3)
        gains = [ours - theirs for ours, theirs in zip(values["chained"], values["constant"], strict=True)]
        figures[f"{setting}_gain"] = round(statistics.fmean(gains), 3)
        figures[f"{setting}_gain_se"] = round(statistics.stdev(gains) / len(gains) ** 0.5, 3)
        print(setting, {name: value for name, value in figures.items() if name.startswith(setting)}, flush=True)
    about = f"{trials} trials, cohorts of {COHORT}, {len(RUNGS)} rungs"
    emit(
        "halving",
        figures,
        conditions("numpy", "scipy", n=len(seeds), seed=options.seed, budget=about, deployment="none: a simulation"),
    )


def search(setting: str, estimate: Estimate, *, seed: int, trials: int) -> float:
    """True value of the chosen network, in spreads above the mean, of one search."""
    truth, start = made_up("edgenext", seed), made_up("edgenext", seed + 10_000)
    rng = np.random.default_rng([seed, 7])
    asked: list[dict[str, object]] = []
    values: list[float] = []
    curves: dict[int, dict[int, float]] = {}

    def observed() -> list[Observation]:
        return [Observation(values=asked[n], score=score) for n, score in sorted(estimate(curves).items())]

    for cohort in range(trials // COHORT):
        asked += propose(truth, observed(), COHORT, sampler="bayes", startup=COHORT, seed=seed * 100_003 + cohort)
        members = range(cohort * COHORT, (cohort + 1) * COHORT)
        new = [asked[n] for n in members]
        true, early, noise = truth.value(new), start.value(new), rng.normal(size=(len(RUNGS), COHORT))
        values += [float(value) for value in true]
        alive = set(members)
        for rung, (share, spread, sigma), drawn in zip(RUNGS, SETTINGS[setting], noise, strict=True):
            scores = spread * (share**0.5 * true + (1 - share) ** 0.5 * early) + sigma * drawn
            for n in alive:
                curves.setdefault(n, {})[rung] = float(scores[n - members.start])
            if rung != RUNGS[-1]:
                alive = survivors({n: curves[n][rung] for n in alive})
    estimates = estimate(curves)
    rows = sorted(estimates)
    expected = expected_scores(truth, observed())
    return values[rows[int(np.argmax([one.mean for one in expected]))]]


if __name__ == "__main__":
    main()
