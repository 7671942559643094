"""Hypothesis strategies for candidates, spaces' assignments and budgets, and seeded random candidates."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.candidate import NORM_ACTS, Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.metrics import COST_NAMES
from edgenext_search.arch.spaces.parameter import Choice
from edgenext_search.arch.spaces.space import Space

# The same examples in every run: a red test is a changed program, never a new example. No deadline: shared machines.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=1000)  # new examples each time
settings.load_profile("house")

KERNELS = (1, 3, 5, 7, 9, 11)
HEADS = (1, 2, 3, 4, 8)

TINY: dict[str, Any] = {
    "widths": (8, 16, 24, 32),
    "depths": (1, 2, 1, 1),
    "kernel_sizes": (3, 5, 7, 9),
    "sdta_splits": (2, 2, 3, 4),
    "sdta_blocks": (0, 1, 0, 1),
    "heads": (4, 4, 4, 8),
    "expand_ratio": 2,
    "pos_emb": (False, True, False, False),
}
"""Fields of a small candidate with a convolutional, a mixed and an all-SDTA stage."""


def seeded(seed: int) -> random.Random:
    """A generator of its own for each test."""
    return random.Random(seed)


CHANGES: list[dict[str, Any]] = [
    {"widths": (8, 16, 24, 40)},
    {"depths": (1, 2, 2, 1)},
    {"kernel_sizes": (3, 3, 7, 9)},
    {"sdta_splits": (2, 3, 3, 4)},
    {"sdta_blocks": (0, 2, 0, 1)},
    {"heads": (4, 8, 4, 8)},
    {"pos_emb": (False, False, False, False)},
    {"expand_ratio": 3},
]
"""Other values of fields that a block of the tiny candidate uses."""


def tiny(**changes: Any) -> Candidate:
    """The candidate :data:`TINY`, with some fields changed."""
    return Candidate(**{**TINY, **changes})


def groups(width: int, splits: int) -> int:
    """Channel groups that ``torch.chunk`` makes of a width: independent of ``candidate.splits_fit``."""
    return len(range(0, width, -(-width // splits)))


def fitting_splits(width: int, *, most: int = 6) -> list[int]:
    """Numbers of splits that leave no channel group empty."""
    return [splits for splits in range(2, most + 1) if groups(width, splits) == splits]


@st.composite
def candidates(draw: st.DrawFn, *, max_width: int = 96, max_depth: int = 4) -> Candidate:
    """Legal candidates, with stages of every kind: convolutional, mixed, all SDTA."""
    fields: dict[str, list[Any]] = {key: [] for key in TINY if key != "expand_ratio"}
    for _ in range(4):
        heads = draw(st.sampled_from(HEADS))
        width = heads * draw(st.integers(-(-6 // heads), max_width // heads))
        depth = draw(st.integers(1, max_depth))
        fields["widths"].append(width)
        fields["depths"].append(depth)
        fields["kernel_sizes"].append(draw(st.sampled_from(KERNELS)))
        fields["sdta_splits"].append(draw(st.sampled_from(fitting_splits(width))))
        fields["sdta_blocks"].append(draw(st.integers(0, depth)))
        fields["heads"].append(heads)
        fields["pos_emb"].append(draw(st.booleans()))
    norm_act = draw(st.sampled_from(NORM_ACTS))
    return Candidate(**fields, expand_ratio=draw(st.integers(1, 6)), norm_act=norm_act)


def random_candidate(rng: random.Random, *, max_width: int = 96, max_depth: int = 3) -> Candidate:
    """A legal candidate of a seed, spread more evenly than hypothesis does."""
    fields: dict[str, list[Any]] = {key: [] for key in TINY if key != "expand_ratio"}
    for _ in range(4):
        heads = rng.choice(HEADS)
        width = heads * rng.randint(-(-6 // heads), max_width // heads)
        depth = rng.randint(1, max_depth)
        fields["widths"].append(width)
        fields["depths"].append(depth)
        fields["kernel_sizes"].append(rng.choice(KERNELS))
        fields["sdta_splits"].append(rng.choice(fitting_splits(width)))
        fields["sdta_blocks"].append(rng.randint(0, depth))
        fields["heads"].append(heads)
        fields["pos_emb"].append(rng.random() < 0.5)
    return Candidate(**fields, expand_ratio=rng.randint(1, 6), norm_act=rng.choice(NORM_ACTS))


def assignments(space: Space) -> st.SearchStrategy[dict[str, Any]]:
    """Assignments of values to a space's parameters."""
    return st.fixed_dictionaries(
        {
            parameter.name: st.sampled_from(parameter.values)
            if isinstance(parameter, Choice)
            else st.floats(parameter.low, parameter.high)
            for parameter in space.parameters
        }
    )


def deployments() -> st.SearchStrategy[Deployment]:
    """Deployments of any number of classes and size, whether 32 divides it or not."""
    return st.builds(Deployment, num_classes=st.integers(1, 2000), img_size=st.integers(32, 512))


def caps(smallest: int, largest: int) -> st.SearchStrategy[int]:
    """Caps over several orders of magnitude, round and not."""
    return st.one_of(
        st.integers(smallest, largest), st.integers(1, largest // smallest).map(lambda factor: factor * smallest)
    )


def budgets() -> st.SearchStrategy[Budget]:
    """Budgets with one cap or more, of any size."""
    cap = st.none() | caps(1, 10**6) | caps(10**3, 10**10)
    fields = st.fixed_dictionaries(dict.fromkeys(COST_NAMES, cap))
    return fields.filter(lambda f: any(v is not None for v in f.values())).map(lambda f: Budget(**f))


class ByMadds:
    """A latency model for tests: a microsecond for every ``rate`` multiply-adds of a deployment without classes."""

    def __init__(self, rate=1000, img_size=256):
        self.rate = rate
        self.deployment = Deployment(num_classes=1, img_size=img_size)

    def microseconds(self, layout):
        return cost(layout, self.deployment).madds / self.rate
