"""Ratchets: the house cannot rot without a red test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from strategies import seeded

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space
from edgenext_search.files import read_yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "edgenext_search"
MOST_MODULES = 15
MORE_MODULES = {"commands": 16}  # each has a module

HEAVY = [
    "torch",
    "torchvision",
    "timm",
    "optuna",
    "pandas",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "numpy",
    "scipy",
    "fvcore",
]


def _modules(room):
    files = [path.relative_to(ROOT).with_suffix("") for path in (PACKAGE / room).rglob("*.py")]
    return [".".join(path.parts).removesuffix(".__init__") for path in files]


def _imported(modules, blocked):
    """Which of ``blocked`` a fresh process has imported once it has imported ``modules``."""
    code = (
        "import importlib, json, sys\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        f"print(json.dumps([name for name in {blocked!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_architectures_import_nothing_heavy():
    modules = [*_modules("arch"), "edgenext_search.files", "edgenext_search.errors", "edgenext_search.validation"]
    assert "edgenext_search.arch.projection" in modules
    assert _imported(modules, HEAVY) == []


def test_the_check_above_can_fail():
    assert _imported(["numpy"], HEAVY) == ["numpy"]


def test_model_modules_import_nothing_heavy_before_they_are_used():
    networks = {f"edgenext_search.models.{name}" for name in ("bn_hs", "fold", "memory")}  # they define and run modules
    light = [module for module in _modules("models") if module not in networks]
    assert len(light) >= 5
    assert _imported(light, ["torch", "timm", "onnxruntime", "fvcore"]) == []


def test_imports_run_in_one_direction():
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("folder", sorted({path.parent for path in PACKAGE.rglob("*.py")}), ids=lambda path: path.name)
def test_a_folder_holds_one_level_of_modules(folder):
    modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(modules) <= MORE_MODULES.get(folder.name, MOST_MODULES), (
        "a folder with more modules has a sub-room in it"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "spaces").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_space_loads_and_projects(path):
    space = Space.load(path.stem)
    assert space.name == path.stem
    assert space.file.description
    projection = Projection(space, Budget.parse("1.3M"), Deployment())
    candidate = projection.candidate(space.draw(seeded(0)))
    assert min(candidate.widths) >= space.file.width_multiple


def test_every_shipped_study_is_yaml():
    studies = sorted((ROOT / "studies").glob("*.yaml"))
    assert studies
    for path in studies:
        assert read_yaml(path), path


def test_no_merge_was_left_half_done():
    folders = ("benchmarks", "docs", "edgenext_search", "spaces", "studies", "tests")
    files = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    texts = [path for path in files if path.suffix in (".py", ".md", ".toml", ".yaml") and path.is_file()]
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    assert len(texts) > 300
    for path in texts:
        assert not [line for line in path.read_text("utf-8").splitlines() if line.startswith(marks)], path
