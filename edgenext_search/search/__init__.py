"""The study: what is proposed, trained and kept. The only room that imports Optuna.

``edgenext_search.search(...)`` is the function of the Python interface and this package bears its name, so the package
can be called.
"""

import sys
from importlib import import_module
from types import ModuleType


class _Callable(ModuleType):
    def __call__(self, *args: object, **options: object) -> object:
        return import_module("edgenext_search.api.run").search(*args, **options)


sys.modules[__name__].__class__ = _Callable
