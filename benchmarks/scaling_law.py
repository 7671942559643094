"""Does the scaling law foretell larger networks of a family? Published ImageNet families, the largest left out.

Each family's largest member is predicted from the smaller ones, by multiply-adds. What the law knows of families
beforehand was learned from the 69 families of `prior_families.json`; the 11 of `imagenet_families.json` had no part
in it. Without --quick, learning is nested too: the 69 are cut into four parts, relatives together, and each part is
predicted with a prior learned from the other three. Baselines: the last member's error again, and least squares on the
logarithms of error and cost.

--learn prints the priors that `edgenext_search/scaling/law.py` holds.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from common import conditions, emit, parser
from scipy.optimize import minimize

from edgenext_search.scaling.families import Member, fit_families, left_out, read_families
from edgenext_search.scaling.law import GENERAL, IMAGENET, Prior, fit_law
from edgenext_search.scaling.records import LeftOutMember

HERE = Path(__file__).resolve().parent
FOLDS = 4
NESTED_CALLS, LEARN_CALLS = 500, 1000  # of the score, which Powell's method looks at
HOLD = 0.004  # how strongly a prior is held near where learning begins
FIRST_MEMBERS = 0.5  # weight of a prediction from one member alone
START = Prior(
    elasticity=math.log(0.25), elasticity_level=0.5, elasticity_spread=0.5, floor=0.5, floor_level=-1.0,
    floor_spread=1.0, coupling=0.0, noise=math.log(0.012), noise_spread=0.6, noise_power=1.0, shared=0.62, reach=2.7,
)  # fmt: skip
STEPS = {
    "elasticity": 0.5, "elasticity_level": 1.0, "elasticity_spread": 0.5, "floor": 0.5, "floor_level": 1.5,
    "floor_spread": 0.5, "coupling": 0.5, "noise": 0.5, "noise_spread": 0.5, "noise_power": 1.0, "shared": 1.0,
    "reach": 1.0,
}  # fmt: skip
POSITIVE = ("elasticity_spread", "floor_spread", "noise_spread", "reach")
SCALE_FREE = {"elasticity_level": 0.0, "floor_level": 0.0, "noise_power": 1.0}

Named = Mapping[str, Sequence[Member]]


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--learn", action="store_true", help="learn the priors anew and print them; ten minutes")
    options = arguments.parse_args()
    tried, known = (read_families(HERE / f"{name}_families.json") for name in ("imagenet", "prior"))
    if options.learn:
        for name, shipped, held in (("IMAGENET", IMAGENET, ()), ("GENERAL", GENERAL, tuple(SCALE_FREE))):
            starts = [replace(start, **{key: SCALE_FREE[key] for key in held}) for start in (START, shipped)]
            learned = [learn(known, start, calls=LEARN_CALLS, held=held) for start in starts]
            print(name, *min(learned, key=lambda item: item[1]))
    found = fit_families(tried)
    figures = {name: getattr(found, name) for name in ("median_abs_error", "coverage_90", "coverage_90_largest")}
    figures["n"], figures["left_out"] = found.n, found.left_out
    figures |= baselines(tried)
    general = fit_families(tried, prior=GENERAL)
    figures |= {f"general_{name}": getattr(general, name) for name in ("median_abs_error", "coverage_90")}
    if not options.quick:
        figures |= nested(known)
    emit(
        "scaling_law",
        figures,
        conditions(
            "numpy", "scipy", n=found.n, seed=options.seed, budget="none: published networks",
            deployment="1000 classes, sizes of the files", by="gmacs", prior_families=len(known), folds=FOLDS,
        ),
    )  # fmt: skip


def baselines(families: Named) -> dict[str, float]:
    """Median absolute errors of what one would do without a law."""
    same, power = [], []
    for members in families.values():
        *rest, largest = sorted(members, key=lambda member: member.gmacs or 0.0)
        same.append(abs(largest.top1 - rest[-1].top1))
        if len(rest) > 1:
            x, y = np.log([member.gmacs for member in rest]), np.log([100 - member.top1 for member in rest])
            slope, start = np.polyfit(x, y, 1)
            power.append(abs(100 - largest.top1 - math.exp(start + slope * math.log(largest.gmacs or 1.0))))
    return {
        "last_again_median_abs_error": round(statistics.median(same), 3),
        "power_law_median_abs_error": round(statistics.median(power), 3),
    }


def nested(families: Named) -> dict[str, float]:
    """The same figures for the families of the prior, each predicted with a prior that it had no part in."""
    kin = sorted({_kin(name) for name in families})
    last: list[LeftOutMember] = []
    every: list[LeftOutMember] = []
    for fold in range(FOLDS):
        out = {name for name in families if kin.index(_kin(name)) % FOLDS == fold}
        rest = {name: families[name] for name in families if name not in out}
        prior, _ = learn(rest, START, calls=NESTED_CALLS)
        for name in sorted(out):
            predicted = left_out(families[name], prior=prior)
            every += predicted
            last.append(predicted[-1])
    return {
        "nested_median_abs_error": round(statistics.median(abs(item.error) for item in last), 3),
        "nested_coverage_90": round(statistics.fmean(item.covered for item in every), 3),
        "nested_coverage_90_largest": round(statistics.fmean(item.covered for item in last), 3),
        "nested_n": len(last),
        "nested_left_out": len(every),
    }


def learn(families: Named, start: Prior, *, calls: int, held: tuple[str, ...] = ()) -> tuple[Prior, float]:
    """The prior that gives most probability to each member that is predicted from the smaller ones of its family.

    Powell's method ends in one of several near optima, so where it starts matters a little.

    Returns:
        The prior, and its loss: the less, the better.
    """
    cases = []
    for members in families.values():
        ordered = sorted(members, key=lambda member: member.gmacs or 0.0)
        costs, errors = [float(item.gmacs or 0.0) for item in ordered], [100 - item.top1 for item in ordered]
        cases += [(costs[:n], errors[:n], costs[n], errors[n]) for n in range(1, len(ordered))]
    names = [name for name in STEPS if name not in held]
    begin, centre = _to_free(start), _to_free(START)

    def prior_at(step: np.ndarray) -> Prior:
        free = dict(begin)
        for name, value in zip(names, step, strict=True):
            free[name] += STEPS[name] * float(value)
        return _from_free(free)

    def loss(step: np.ndarray) -> float:
        prior, total, weights = prior_at(step), 0.0, 0.0
        for costs, errors, cost, error in cases:
            weight = FIRST_MEMBERS if len(costs) == 1 else 1.0
            shares, means, deviations = fit_law(costs, errors, prior).mixture(cost)
            density = float(shares @ (np.exp(-0.5 * ((error - means) / deviations) ** 2) / deviations))
            total, weights = total + weight * math.log(density + 1e-9), weights + weight
        away = sum(((_to_free(prior)[name] - centre[name]) / STEPS[name]) ** 2 for name in names)
        return HOLD * away - total / weights

    options = {"maxfev": calls, "xtol": 0.02, "ftol": 3e-4}
    found = minimize(loss, np.zeros(len(names)), method="Powell", options=options)
    values = asdict(prior_at(found.x))
    return Prior(**{name: round(value, 2) for name, value in values.items()}), round(float(found.fun), 4)


def _to_free(prior: Prior) -> dict[str, float]:
    """The prior's numbers where every value is legal."""
    values = asdict(prior)
    free = {name: math.log(value) if name in POSITIVE else value for name, value in values.items()}
    return {**free, "shared": math.log(values["shared"] / (1 - values["shared"]))}


def _from_free(free: Mapping[str, float]) -> Prior:
    values = {name: math.exp(value) if name in POSITIVE else value for name, value in free.items()}
    return Prior(**{**values, "shared": 1 / (1 + math.exp(-free["shared"]))})


def _kin(name: str) -> str:
    """What families have in common that are the same design with another recipe."""
    return re.sub(r"v2$", "", re.split(r"[_-]", name.removeprefix("tf_").removeprefix("vit_"))[0])


if __name__ == "__main__":
    main()
