"""How good is the network that a search chooses, at a given number of trainings and a given noise of a score?

A search of 96 evaluations in cohorts of 8, by the code that the tool runs: ``propose`` and the chooser of finalists.
The value of the chosen network is its true one, in spreads (standard deviations of the target) above the mean. Each
sampler is judged by its own choice (the best single score; ours: the best expected score) and with our chooser.

The landscape is a table of trained networks (``--table FILE``: a CSV file of integer settings, ``macs_m`` and
targets), whose gaps boosted trees fill, or a made-up one (``--landscape``).
"""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
from common import conditions, emit, median, parser, seeded, significant
from landscapes import Landscape, from_table, made_up

from edgenext_search.search.sampler.propose import Observation, propose
from edgenext_search.search.study.expectation import expected_scores

EVALUATIONS, COHORT = 96, 8
NOISES = {"0": 0.0, "075": 0.75, "150": 1.5}  # standard deviation of a score's noise, in spreads
OURS = "bayes"
MADE_UP = ("additive", "pairs", "strong", "irrelevant", "edgenext")


def main() -> None:
    """Simulate and print."""
    options = _options()
    seeds = range(options.seed, options.seed + (min(options.seeds, 2) if options.quick else options.seeds))
    evaluations = 40 if options.quick else EVALUATIONS
    policies = options.policies.split(",")
    fixed = from_table(options.table, options.target) if options.table else None
    figures: dict[str, float] = {}
    known = _known(options.record)
    seconds: dict[str, list[float]] = {policy: [] for policy in policies}
    for policy in policies:
        for label, noise in NOISES.items():
            results = []
            for seed in seeds:
                landscape = fixed or made_up(options.landscape, seed)
                key = f"{landscape.name} {policy} {noise} {seed} {evaluations}"
                if key not in known:
                    known[key] = _search(landscape, policy, noise, seed=seed, evaluations=evaluations)
                    _keep(options.record, key, known[key])
                expected, lucky, spent = known[key]
                results.append((expected, lucky))
                seconds[policy] += spent
            by_ours, by_score = zip(*results, strict=True)
            name = "chosen" if policy == OURS else f"{policy}_chooser"
            other = f"{OURS}_naive" if policy == OURS else policy
            for key, values in ((name, by_ours), (other, by_score)):
                figures[f"{key}_{label}"] = round(statistics.fmean(values), 3)
                figures[f"{key}_{label}_se"] = round(statistics.stdev(values) / len(values) ** 0.5, 3)
            print(f"{policy}, noise {noise}: {figures[f'{name}_{label}']} with our chooser", flush=True)
    for policy in policies:
        figures[f"{policy}_ask_ms"] = significant(1e3 * median(seconds[policy]), 3)
    if OURS in policies and not options.quick:
        for observations in (1000, 5000):
            cohort = _ask_seconds(fixed or made_up(options.landscape, 0), observations)
            figures[f"{OURS}_cohort_seconds_{observations}"] = significant(cohort, 3)
    emit(
        "search_efficiency",
        figures,
        conditions(
            "optuna",
            "numpy",
            "scipy",
            n=len(seeds),
            seed=options.seed,
            budget=f"{evaluations} evaluations, cohorts of {COHORT}",
            deployment="none: a simulation",
            landscape=fixed.name if fixed else options.landscape,
            **(fixed.about if fixed else {}),
        ),
    )


def _options() -> Namespace:
    arguments = parser(__doc__)
    arguments.add_argument("--table", type=Path, help="CSV file of trained networks")
    arguments.add_argument("--target", default="val_top1", help="column that is searched for its maximum")
    arguments.add_argument("--landscape", choices=MADE_UP, help="a made-up landscape instead of a table")
    arguments.add_argument("--seeds", type=int, default=16, help="searches of each policy and noise (default: 16)")
    arguments.add_argument(
        "--record",
        type=Path,
        help="JSON lines of the searches; those in it are not done again, whatever the code is now",
    )
    arguments.add_argument("--policies", help="samplers, separated by commas (default: all; --quick leaves out gp)")
    options = arguments.parse_args()
    options.policies = options.policies or "bayes,random,tpe,nsga2" + ("" if options.quick else ",gp")
    if (options.table is None) == (options.landscape is None):
        arguments.error("Give either --table FILE or --landscape NAME; no table is shipped.")
    if options.table is not None and not options.table.is_file():
        arguments.error(f"--table is a CSV file, but there is none at {options.table}.")
    if options.seeds < 2:
        arguments.error(f"--seeds must be >= 2 for a standard error, but got {options.seeds}.")
    return options


Found = tuple[float, float, list[float]]


def _known(record: Path | None) -> dict[str, Found]:
    """The searches on record; a line that was cut off is none."""
    if record is None or not record.is_file():
        return {}
    found = {}
    for line in record.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            found[row["key"]] = (row["expected"], row["lucky"], row["seconds"])
    return found


def _keep(record: Path | None, key: str, found: Found) -> None:
    if record is not None:
        expected, lucky, seconds = found
        with record.open("a", encoding="utf-8") as file:
            row = {"key": key, "expected": expected, "lucky": lucky, "seconds": [round(value, 6) for value in seconds]}
            file.write(json.dumps(row) + "\n")


def _search(landscape: Landscape, policy: str, noise: float, *, seed: int, evaluations: int) -> Found:
    """True value of what our chooser takes, and of the best single score; and the seconds of each ask."""
    seconds: list[float] = []
    rng = np.random.default_rng([seed, 99])
    observed: list[Observation] = []
    truth: list[float] = []
    while len(observed) < evaluations:
        n = min(COHORT, evaluations - len(observed))
        start = time.perf_counter()
        asked = propose(
            landscape, observed, n, sampler=policy, startup=COHORT, seed=seed * 100_003 + len(observed) // COHORT
        )
        seconds.append((time.perf_counter() - start) / n)
        values = landscape.value(asked)
        scores = values + noise * rng.normal(size=n)
        observed += [Observation(values=a, score=float(s)) for a, s in zip(asked, scores, strict=True)]
        truth += [float(value) for value in values]
    means = [expected.mean for expected in expected_scores(landscape, observed)]
    return truth[int(np.argmax(means))], truth[int(np.argmax([o.score for o in observed]))], seconds


def _ask_seconds(landscape: Landscape, observations: int) -> float:
    """Median seconds in which ours proposes a cohort after so many observations."""
    rng = np.random.default_rng(0)
    draw = seeded(0)
    assignments = [landscape.sample(draw) for _ in range(observations)]
    scores = landscape.value(assignments) + rng.normal(size=observations)
    observed = [Observation(values=a, score=float(s)) for a, s in zip(assignments, scores, strict=True)]
    spent = []
    for seed in range(3):
        start = time.perf_counter()
        propose(landscape, observed, COHORT, sampler=OURS, startup=COHORT, seed=seed)
        spent.append(time.perf_counter() - start)
    return median(spent)


if __name__ == "__main__":
    main()
