import json
import re
from pathlib import Path

import pytest
from strategies import tiny

from edgenext_search.arch.cost import Deployment
from edgenext_search.files import dump_yaml
from edgenext_search.latency.measurement import Measurement
from edgenext_search.models.folder import candidate_text
from edgenext_search.models.measurable import export_for_measuring

from ..helpers import ROOT, call, call_json, imported, refusal

SIZE = ("--img-size", "64", "--num-classes", "5")
SHORT = ("--seconds", "0.5")


@pytest.fixture
def fields(tmp_path):
    path = tmp_path / "candidate.yaml"
    path.write_text(dump_yaml(tiny().to_dict()))
    return path


@pytest.fixture
def program(tmp_path):
    """A device whose runs take 10 ms, with the same few times in each call."""
    path = tmp_path / "bench.sh"
    reply = json.dumps({"times_us": [9900.0, 10100.0] * 30, "runtime": "dreams", "version": "1", "threads": 2})
    path.write_text(f"#!/bin/sh\necho '{reply}'\n")
    path.chmod(0o755)
    return f"cmd:{path}"


def test_measuring_a_candidate(fields):
    found = call_json("latency", "measure", fields, "--reference", fields, *SIZE, *SHORT)
    assert found["model"] == str(fields)
    assert found["device"] == "host"
    assert 0.3 < found["ratio"] < 3  # the same network; a shared machine
    assert (found["cap"], found["verdict"]) == (None, None)
    one = Measurement.read(found, where="")
    assert one.conditions.opset == 17


def test_measuring_a_file_for_people(tmp_path):
    path = tmp_path / "model.onnx"
    export_for_measuring(tiny(), Deployment(num_classes=5, img_size=64), path)
    result = call("latency", "measure", path, "--reference", "none", *SHORT, "--max", "100s")
    assert result.exit_code == 0
    first, *lines = re.split(r"\n(?=  )", result.stdout)
    assert re.match(r".*model.onnx on host \(1 thread, onnxruntime [\d.]+, .+\)$", first.replace("\n", " "))
    assert "95 % interval" in lines[0]
    assert " runs" in lines[1]
    assert "ratio" not in result.stdout
    assert lines[-1] == "  1e+05 ms: pass: below the cap, with 95 % confidence\n"


@pytest.mark.parametrize(
    ("cap", "verdict", "code"), [("11ms", "pass", 0), ("10050us", "undecided", 1), ("9.5ms", "fail", 1)]
)
def test_a_cap(program, fields, cap, verdict, code):
    arguments = ("latency", "measure", fields, *SIZE, "--device", program, "--reference", "none", "--max", cap)
    result = call(*arguments, "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["verdict"] == verdict
    text = call(*arguments).stdout
    assert f" ms: {verdict}: " in " ".join(text.split())
    assert max(len(line) for line in text.splitlines() if line.startswith("  ")) <= 80


def test_comparing(program, fields):
    found = call_json("latency", "compare", fields, fields, *SIZE, "--device", program, "--seconds", "4")
    assert found["finding"] == "no difference shown"
    assert (found["ratio"], found["a_p50"], found["b_p50"], found["rounds"]) == (1, 10_000, 10_000, 8)
    result = call("latency", "compare", fields, fields, *SIZE, "--device", program, "--seconds", "4")
    assert result.stdout.splitlines()[-1] == "  No difference is shown."
    assert "(2 threads, dreams 1)" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure", "nothing"], "There is no 'nothing'"),
        (["measure", "none.onnx"], "There is no model none.onnx"),
        (["measure", "edgenext_small", "--device", "hots"], "There is no device 'hots'"),
        (["measure", "edgenext_small", "--max", "12"], "such as 15ms, but got --max="),
        (["measure", "edgenext_small", "--seconds", "0"], "seconds must be above 0"),
        (["measure", "edgenext_small", "--precision", "1"], "precision must be above 0 and below 1"),
        (["measure", "edgenext_small", "--img-size", "8"], "img_size"),
        (["compare", "edgenext_small", "edgenext_base", "--seconds", "1"], "from 4 to 86400 seconds, but got 1"),
    ],
)
def test_refusals(arguments, message):
    assert message in refusal("latency", *arguments)


def test_an_onnx_file_beside_a_model_folder_keeps_its_own_size(program, tmp_path):
    folder, file = tmp_path / "winner", tmp_path / "other.onnx"
    folder.mkdir()
    deployment = Deployment(num_classes=5, img_size=64)
    (folder / "candidate.yaml").write_text(candidate_text(tiny(), deployment))
    for path in (folder / "model.onnx", file):
        export_for_measuring(tiny(), deployment, path)
    assert call_json("latency", "compare", folder, file, "--device", program, "--seconds", "4")["b"] == str(file)
    found = call_json("latency", "measure", file, "--reference", folder, "--device", program, *SHORT)
    assert found["reference"] == str(folder)


def test_a_device_that_fails(fields):
    line = refusal("latency", "measure", fields, *SIZE, "--device", "ssh://127.0.0.1:1?config=/dev/null")
    assert "There is no file '/dev/null'" in line


def test_a_refusal_is_light():
    assert imported("latency", "measure", "edgenext_small", "--device", "hots") == []


def test_the_code_in_the_guide(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/latency.md").read_text("utf-8"), re.DOTALL | re.M)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "the guide", "exec"), {})  # noqa: S102 - our own guide
    assert float(capsys.readouterr().out.split()[0]) > 0
    assert Path("xxs.onnx").is_file()
