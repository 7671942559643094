"""What libraries would say in lines of their own about the environment."""

from __future__ import annotations

import logging
import os
import re

_RULES = {
    "OMP_NUM_THREADS": r"\s*[1-9]\d*\s*(,\s*[1-9]\d*\s*)*",
    "OMP_THREAD_LIMIT": r"\s*[1-9]\d*\s*",
}


def quiet_libraries() -> None:
    """Remove variables that OpenMP would complain of and not use, and leave out matplotlib's notes on its cache."""
    for name, rule in _RULES.items():
        if name in os.environ and not re.fullmatch(rule, os.environ[name], re.ASCII):
            del os.environ[name]
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
