from pathlib import Path

from .helpers import call, call_json, imported, refusal

FACTS = Path(__file__).resolve().parents[2] / "benchmarks" / "imagenet_families.json"


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
    assert imported("scale", "--help") == []
