"""The report is light until it is asked to draw."""

import subprocess
import sys


def test_heavy_libraries_wait():
    code = (
        "import sys, pkgutil, importlib, edgenext_search.report as room\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(room.__path__, f'{room.__name__}.')]\n"
        "heavy = {'torch', 'timm', 'optuna', 'pandas', 'scipy', 'matplotlib', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
