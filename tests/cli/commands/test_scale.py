import json
import re
from pathlib import Path

from latency_profiles import made_profile

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.spaces.space import Space
from edgenext_search.files import dump_yaml
from edgenext_search.models.folder import candidate_text
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.run_folder import RunFolder

from ..helpers import call, call_json, imported, refusal

FACTS = Path(__file__).resolve().parents[3] / "benchmarks" / "imagenet_families.json"


def test_fit_as_json_and_as_a_table():
    found = call_json("scale", "fit", FACTS)
    assert {"file", "prior", "by", "median_abs_error", "coverage_90", "families"} <= set(found)
    assert found["prior"] == "imagenet"
    text = call("scale", "fit", FACTS, "--prior", "general").stdout
    assert "regnety_pycls" in text
    assert "median error 0.3" in text


def test_fit_refuses_what_is_no_file(tmp_path):
    assert "cannot be read" in refusal("scale", "fit", tmp_path / "none.json")
    (tmp_path / "x.json").write_text('{"families": {"f": {"members": [{"top1": 70}]}}}')
    assert "has no gmacs" in refusal("scale", "fit", tmp_path / "x.json")


def test_nothing_heavy_is_imported():
    assert "torch" not in imported("scale", "fit", FACTS, "--json")


def test_a_family_of_a_published_variant(tmp_path):
    arguments = ("scale", "family", "edgenext_x_small", "--budgets", "0.6M,1.3M", "--out", tmp_path / "family")
    found = call_json(*arguments)
    assert [row["budget"] for row in found["members"]] == [{"params": 600_000}, {"params": 1_300_000}]
    again = call_json("cost", found["members"][0]["path"])
    assert again["params"] == found["members"][0]["params"]
    text = call(*arguments, "--exponents", "1:8:1").stdout
    assert "custom" in text
    assert "XXS" in text
    assert "Saved" in text
    assert "--out DIR" in call("scale", "family", found["members"][0]["path"], "--budgets", "2M").stdout


def test_a_family_of_a_runs_winner(tmp_path):
    run = tmp_path / "run"
    recipe = load_study("demo", flags={"budget": "1.3M", "deployment.num_classes": 10})
    RunFolder(run).create(recipe, storage=None)
    assert "has no summary yet" in refusal("scale", "family", run, "--budgets", "2M")
    RunFolder(run).summary_file.write_text("{}")
    assert "has no winner" in refusal("scale", "family", run, "--budgets", "2M")
    RunFolder(run).summary_file.write_text('{"kind": "study"}')
    assert "is a scaling study, not a search; `edgenext-search scale report" in refusal(
        "scale", "family", run, "--budgets", "2M"
    )
    winner = published_variant("edgenext_xx_small").candidate
    RunFolder(run).summary_file.write_text(json.dumps({"winner": {"candidate": winner.to_dict()}}))
    found = call_json("scale", "family", run, "--budgets", "2M")
    assert (found["num_classes"], found["img_size"]) == (10, 256)
    assert found["fingerprint"] == winner.fingerprint
    assert call_json("scale", "family", run, "--budgets", "2M", "--num-classes", "7")["num_classes"] == 7


def test_a_family_of_a_run_keeps_the_width_multiple_of_its_space(tmp_path):
    run, space = tmp_path / "run", tmp_path / "wide.yaml"
    space.write_text(dump_yaml(Space.load("edgenext").to_dict() | {"width_multiple": 32}))
    RunFolder(run).create(load_study("demo", flags={"budget": "1.3M", "space": str(space)}), storage=None)
    winner = Candidate.from_dict(
        published_variant("edgenext_x_small").candidate.to_dict() | {"widths": [32, 64, 96, 192]}
    )
    RunFolder(run).summary_file.write_text(json.dumps({"winner": {"candidate": winner.to_dict()}}))
    found = call_json("scale", "family", run, "--budgets", "0.9M,3M,6M")
    assert not any(width % 32 for row in found["members"] for width in row["candidate"]["widths"])


def test_a_family_of_a_model_folder_has_its_classes(tmp_path):
    winner = published_variant("edgenext_xx_small").candidate
    text = candidate_text(winner, Deployment(num_classes=10, img_size=192))
    (tmp_path / "candidate.yaml").write_text(text)
    found = call_json("scale", "family", tmp_path, "--budgets", "2M")
    assert (found["num_classes"], found["img_size"]) == (10, 192)
    assert call_json("scale", "family", tmp_path, "--budgets", "2M", "--num-classes", "7")["num_classes"] == 7


def test_a_family_of_latencies(tmp_path):
    profile = tmp_path / "board.json"
    profile.write_text(json.dumps(made_profile().to_dict()))
    wanted = ("scale", "family", "edgenext_small", "--budgets", "latency=40ms;latency=60ms")
    found = call_json(*wanted, "--profile", profile)
    assert found["latency"]["device"] == "host"
    assert [row["budget"] for row in found["members"]] == [{"latency": 40_000}, {"latency": 60_000}]
    assert all(0.95 * row["budget"]["latency"] < row["latency"] <= row["budget"]["latency"] for row in found["members"])
    text = call(*wanted, "--profile", profile).stdout
    assert re.search(r"^40ms +9\d\.\d %", text, re.MULTILINE)
    assert "Latencies as predicted for host; `latency measure`" in text
    named = profile.read_text().replace('"name": "host"', '"name": "ssh://Pi@Board"', 1)
    profile.write_text(named)
    assert "Latencies as predicted for ssh://Pi@Board;" in call(*wanted, "--profile", profile).stdout
    assert "give --profile" in refusal(*wanted)
    plain = ("scale", "family", "edgenext_small", "--budgets", "1M", "--profile", profile)
    assert call_json(*plain, "--exponents", "1:2:0")["latency"]["device"] == "ssh://Pi@Board"
    for command in ((*wanted, "--profile", profile), plain):
        assert "is of one image size, which the rule compound (" in refusal(*command, "--rule", "compound")
        assert "leave out --profile" in refusal(*command, "--exponents", "1:2:1")


def test_what_no_family_can_be_made_of():
    assert "neither a file" in refusal("scale", "family", "nothing", "--budgets", "1.3M")
    wanted = ("scale", "family", "edgenext_small", "--budgets")
    assert "is the unit right" in refusal(*wanted, "1000G")
    message = refusal(*wanted, "1.3M", "--rule", "compound", "--exponents", "1:0:0")
    assert "leave out --rule compound" in message
    assert "1.3X" in refusal("scale", "family", "edgenext_small", "--budgets", "1.3X")
    assert "--exponents" in refusal("scale", "family", "edgenext_small", "--budgets", "1M", "--exponents", "1:2")
    assert imported("scale", "family", "edgenext_small", "--budgets", "3M", "--json") == []
