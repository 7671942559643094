"""From a budget to a trained, exported EdgeNeXt variant.

The names below are the Python interface (docs/python.md). Each is imported when it is used, so importing the package
takes milliseconds and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from edgenext_search.version import __version__

if TYPE_CHECKING:
    from edgenext_search.api.candidate import Candidate, load_candidate
    from edgenext_search.api.run import Run, open_run, search
    from edgenext_search.api.space import Space, load_space
    from edgenext_search.arch.budget import Budget
    from edgenext_search.arch.cost import Cost, Deployment, cost
    from edgenext_search.errors import UserError

__all__ = [
    "Budget",
    "Candidate",
    "Cost",
    "Deployment",
    "Run",
    "Space",
    "UserError",
    "__version__",
    "cost",
    "load_candidate",
    "load_space",
    "open_run",
    "search",
]

_MODULES = {
    "Budget": "arch.budget",
    "Candidate": "api.candidate",
    "Cost": "arch.cost",
    "Deployment": "arch.cost",
    "Run": "api.run",
    "Space": "api.space",
    "UserError": "errors",
    "cost": "arch.cost",
    "load_candidate": "api.candidate",
    "load_space": "api.space",
    "open_run": "api.run",
    "search": "api.run",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
