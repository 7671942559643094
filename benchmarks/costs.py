"""Costs of candidates a second, in closed form and by fvcore on the built network, on one core.

The candidates are random shapes of a space, projected into the budget. The closed form gives parameters,
multiply-adds and activations. fvcore builds the network with timm and traces it for its multiply-adds; that is all
it is timed for. The two are timed in turns; each figure is the median over repetitions. Afterwards both are compared
on the timed candidates: a disagreement would be a bug.
"""

from __future__ import annotations

import itertools
import logging
import warnings

from common import conditions, emit, interleaved_seconds, median, parser, seeded, significant

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--budget", default="1.3M")
    arguments.add_argument("--space", default="edgenext")
    options = arguments.parse_args()
    repetitions, few, many = (3, 2, 500) if options.quick else (9, 5, 2000)

    warnings.simplefilter("ignore")  # of torch.jit, when fvcore is imported
    import torch
    from fvcore.nn import FlopCountAnalysis

    from edgenext_search.models.build import build
    from edgenext_search.models.count import measure

    torch.set_num_threads(1)
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    deployment = Deployment()
    space = Space.load(options.space)
    projection = Projection(space, Budget.parse(options.budget), deployment)
    rng = seeded(options.seed)
    candidates = [projection.candidate(space.draw(rng)) for _ in range(many)]
    image = torch.zeros(1, 3, deployment.img_size, deployment.img_size)
    networks = [build(candidate, num_classes=deployment.num_classes).eval() for candidate in candidates[:few]]

    def closed_form() -> None:
        for candidate in candidates:
            cost(candidate, deployment)

    def traced(model: torch.nn.Module) -> None:
        FlopCountAnalysis(model, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()

    def fvcore() -> None:
        for candidate in candidates[:few]:
            traced(build(candidate, num_classes=deployment.num_classes).eval())

    def fvcore_built() -> None:
        for network in networks:
            traced(network)

    seconds = interleaved_seconds(
        {"closed": closed_form, "fvcore": fvcore, "built": fvcore_built}, repetitions=repetitions
    )
    disagreements = sum(
        not measure(c, deployment).items() <= cost(c, deployment).to_dict().items()
        for c in itertools.islice(candidates, few)
    )
    rates = {name: [n / s for s in seconds[name]] for name, n in (("closed", many), ("fvcore", few), ("built", few))}
    emit(
        "costs",
        {
            "candidates_per_second": significant(median(rates["closed"])),
            "candidates_per_second_min": significant(min(rates["closed"])),
            "candidates_per_second_max": significant(max(rates["closed"])),
            "fvcore_candidates_per_second": significant(median(rates["fvcore"])),
            "fvcore_candidates_per_second_min": significant(min(rates["fvcore"])),
            "fvcore_candidates_per_second_max": significant(max(rates["fvcore"])),
            "fvcore_built_candidates_per_second": significant(median(rates["built"])),
            "ratio": significant(median([a / b for a, b in zip(rates["closed"], rates["fvcore"], strict=True)])),
            "disagreements": disagreements,
        },
        conditions(
            "torch",
            "timm",
            "fvcore",
            n=many,
            n_fvcore=few,
            repetitions=repetitions,
            seed=options.seed,
            budget=options.budget,
            space=options.space,
            deployment=str(deployment),
        ),
    )


if __name__ == "__main__":
    main()
