"""How many random shapes land within 95 % to 100 % of the tightest cap, with and without the projection.

``in_band`` is the share of projected candidates in the band, ``ms_each`` what one projection takes. The baselines
see the same shapes of the same space:

- naive: no projection. The first stage's width is one more random field, log-uniform over the multiples of 8 from 8
  to 96 (the published variants have 24 to 80), the other widths follow from the shape's proportions.
- plain: the largest scale of the shape's proportions that holds, without moving single stages afterwards.
"""

from __future__ import annotations

import math
import time

from common import conditions, emit, median, parser, quantile, seeded, significant

from edgenext_search.arch import projection as module
from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import BAND, Projection
from edgenext_search.arch.spaces.space import Space

NAIVE_WIDTHS = range(8, 97, 8)


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--space", default="edgenext")
    options = arguments.parse_args()
    n = 2_000 if options.quick else 10_000

    budget, deployment, space = Budget.parse(options.budget), Deployment(), Space.load(options.space)
    projection = Projection(space, budget, deployment)
    rng = seeded(options.seed)
    samples = [space.draw(rng) for _ in range(n)]
    for values in samples[:50]:  # unmeasured: caches
        projection.candidate(values)

    milliseconds, usages, kept = [], [], 0
    for values in samples:
        start = time.perf_counter()
        candidate = projection.candidate(values)
        milliseconds.append(1e3 * (time.perf_counter() - start))
        usages.append(budget.usage(cost(candidate, deployment)))
        kept += candidate == space.shape(values).candidate_at(candidate.widths)

    nudges, module._NUDGES = module._NUDGES, ()
    plain = [budget.usage(cost(projection.candidate(values), deployment)) for values in samples]
    module._NUDGES = nudges

    naive = []
    weights = [math.log((width + 4) / (width - 4)) for width in NAIVE_WIDTHS]  # log-uniform over what rounds to it
    for values in samples:
        shape = space.shape(values)
        (width,) = rng.choices(NAIVE_WIDTHS, weights)
        naive.append(budget.usage(shape.cost_at(shape.widths_at(width), deployment)))

    emit(
        "projection",
        {
            "in_band": _in_band(usages),
            "above_a_cap": sum(usage > 1 for usage in usages),
            "median_usage": significant(median(usages)),
            "shape_kept": kept / n,
            "ms_each": significant(median(milliseconds), 3),
            "ms_p99": significant(quantile(milliseconds, 0.99), 3),
            "ms_max": significant(max(milliseconds), 3),
            "plain_in_band": _in_band(plain),
            "naive_in_band": _in_band(naive),
            "naive_within": sum(usage <= 1 for usage in naive) / n,
        },
        conditions(
            n=n,
            seed=options.seed,
            budget=options.budget,
            space=options.space,
            deployment=str(deployment),
            band=[BAND, 1],
            naive_widths=[NAIVE_WIDTHS[0], NAIVE_WIDTHS[-1]],
        ),
    )


def _in_band(usages: list[float]) -> float:
    return sum(BAND <= usage <= 1 for usage in usages) / len(usages)


if __name__ == "__main__":
    main()
