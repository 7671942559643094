"""Calling the program: inside this process, and as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from edgenext_search.cli import main

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "timm", "optuna", "pandas", "matplotlib", "onnxruntime", "torchvision", "fvcore", "onnx", "scipy")


def call(*arguments: object) -> Result:
    """Call a command in this process; its exceptions are shown as a user sees them."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def call_json(*arguments: object) -> Any:
    """The one JSON object that a command prints."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments: object, code: int = 2) -> str:
    """The one line with which a command ends that cannot do what it is told."""
    result = call(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.stderr.splitlines()[-1] == line
    return line.removeprefix("Error: ")


def imported(*arguments: object, blocked: tuple[str, ...] = HEAVY) -> list[str]:
    """Which heavy libraries a command has imported in a fresh process."""
    return imported_by([arguments], blocked)


def imported_by(commands: list[tuple[object, ...]], blocked: tuple[str, ...] = HEAVY) -> list[str]:
    """Which heavy libraries several commands, one after the other, have imported in a fresh process."""
    code = (
        "import contextlib, io, json, sys\n"
        "from edgenext_search.cli import main\n"
        f"for command in {[[*map(str, command)] for command in commands]!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(command)\n"
        f"print(json.dumps([name for name in {blocked!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
