import ast
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from edgenext_search.latency.devices.onboard_call import DEFAULT_RUNTIME, MODULES, PACKAGE, Job, bootstrap
from edgenext_search.latency.onboard import main

from ..networks import convolutions

FOLDER = Path(main.__file__).parent


@pytest.mark.parametrize("name", MODULES)
def test_what_is_sent_needs_nothing_of_this_package_but_what_is_sent(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
    ours = {module for module in imported if module.startswith("edgenext_search")}
    assert ours <= {f"{PACKAGE}.{sent}" for sent in MODULES[: MODULES.index(name)]}
    others = {module.partition(".")[0] for module in imported - ours}
    assert others <= set(sys.stdlib_module_names) | {"numpy", "onnxruntime"}


def test_it_runs_where_this_package_is_not_installed(tmp_path):
    program, sources = bootstrap()
    guard = "import sys; sys.modules['edgenext_search.errors'] = None\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", guard + program],
        input=sources + Job(runtime=DEFAULT_RUNTIME).message(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["info", "done"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [11, 17, 21])
def test_the_opset_is_read_off_the_file(tmp_path, version):
    model = onnx.load(convolutions(tmp_path / "model.onnx", 2))
    del model.opset_import[:]
    model.opset_import.add(domain="com.microsoft", version=1)
    model.opset_import.add(domain="", version=version)
    onnx.save(model, tmp_path / "model.onnx")
    assert main.opset_of(tmp_path / "model.onnx") == version


@pytest.mark.parametrize("data", [b"", b"\xff" * 20, b"no network"])
def test_a_file_without_an_opset(tmp_path, data):
    (tmp_path / "model.onnx").write_bytes(data)
    assert main.opset_of(tmp_path / "model.onnx") is None


def test_a_file_that_ends_too_early_is_no_endless_wait(tmp_path):
    program, sources = bootstrap()
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x" * 100)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=sources + Job(runtime=DEFAULT_RUNTIME, files=(file,)).message() + b"short",
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert json.loads(done.stdout)["message"] == "the connection ended in the middle of a file"
