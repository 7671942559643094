import json
import shutil

import pytest

from edgenext_search.search.store.run_folder import RunFolder

from ..helpers import call, call_json, imported, refusal


def test_a_report_is_made_again_from_the_storage_alone(run):
    expected = call_json("report", run.path)
    run.summary_file.unlink()
    printed = call_json("report", run.path)
    assert printed == expected == run.summary()
    html = run.report_file.read_text()
    run.report_file.unlink()
    run.csv_file.unlink()
    call("report", run.path)
    assert run.report_file.read_text() == html
    assert len(run.csv_file.read_text().splitlines()) == 7


def test_a_report_for_people(run):
    text = call("report", run.path).stdout.replace("\n", "")
    assert run.summary()["winner"]["fingerprint"] in text
    assert str(run.report_file) in text


def test_a_report_needs_the_record_of_the_trials_and_leaves_the_rest_alone(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "partial")
    (tmp_path / "partial" / "study.db").unlink()
    before = (tmp_path / "partial" / "summary.json").read_bytes()
    result = call("report", tmp_path / "partial")
    assert result.exit_code == 2
    assert "has no study.db" in result.stderr
    assert (tmp_path / "partial" / "summary.json").read_bytes() == before
    assert not (tmp_path / "partial" / "study.db").exists()


def test_a_report_of_a_run_that_goes_on_says_so(tmp_path, run):
    young = RunFolder(tmp_path / "young")
    young.create(run.recipe(), storage=None)
    young.open_store(young.recipe())
    with young.lock():
        summary = call_json("report", young.path)
        assert call("report", young.path).exit_code == 0
    assert (summary["status"], summary["winner"]) == ("running", None)
    assert young.report_file.is_file()
    assert call_json("report", young.path)["status"] == "interrupted"


def test_a_report_of_a_moved_run(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "archive")
    ours, theirs = call_json("report", tmp_path / "archive"), run.summary()
    assert ours["winner"] == theirs["winner"]
    assert ours["run"] == str(tmp_path / "archive")


def test_reading_imports_nothing_that_trains(run):
    assert imported("report", run.path, "--json", blocked=("torch", "timm", "onnxruntime", "torchvision")) == []


def test_a_damaged_run_is_said_so(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "study.db").write_bytes(b"nonsense" * 1000)
    assert "cannot be opened" in refusal("report", tmp_path / "copy")
    (tmp_path / "copy" / "study.yaml").write_text(json.dumps({"study": 3}))
    assert "study.yaml" in refusal("report", tmp_path / "copy")


def test_a_report_for_a_pull_request(run):
    text = call("report", run.path, "--format", "md").stdout
    assert text.startswith("### EdgeNeXt search: demo")
    assert f"`{run.summary()['winner']['fingerprint']}`" in text


def test_figures_as_files(run):
    pytest.importorskip("matplotlib")
    result = call("report", run.path, "--figures", "png")
    assert result.exit_code == 0
    assert result.stdout.endswith(f"figures  {run.report_file.parent / 'figures'}\n")
    assert (run.report_file.parent / "figures" / "params.png").read_bytes().startswith(b"\x89PNG")
    assert "pdf, png, svg" in refusal("report", run.path, "--figures", "jpg")


def test_several_runs_are_compared(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "again")
    page = tmp_path / "both" / "index.html"
    found = call_json("report", run.path, tmp_path / "again", "--out", page)
    assert found["comparable"]
    assert found["ranking"] == ["run", "again"]
    assert found["report"] == str(page)
    assert page.is_file()
    text = call("report", run.path, tmp_path / "again", "--out", page, "--format", "md").stdout
    assert text.startswith("### EdgeNeXt search: 2 runs")
    text = call("report", run.path, tmp_path / "again", "--out", page).stdout
    assert "|" not in text
    assert max(map(len, text.replace(str(page), "").splitlines())) <= 80
    assert "run and again come out level" in " ".join(text.split())
    assert text.endswith(f"report   {page}\n")
    assert call_json("report", run.path, tmp_path / "again", "--out", page.parent)["report"] == str(page)  # a folder


def test_runs_that_cannot_be_compared_are_refused_a_ranking(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "other")
    study = tmp_path / "other" / "study.yaml"
    study.write_text(study.read_text().replace("img_size: 32", "img_size: 64"))
    found = call_json("report", run.path, tmp_path / "other", "--out", tmp_path / "page.html")
    assert found["ranking"] is None
    assert [(one["key"], one["values"]) for one in found["differences"]] == [("img_size", [32, 64])]


def test_a_scaling_study_has_a_report_of_its_own(run, tmp_path):
    from edgenext_search.search.store.records import ScalingFacts, StudyFacts

    shutil.copytree(run.path, tmp_path / "sizes")
    folder = RunFolder(tmp_path / "sizes")
    folder.open_store(folder.recipe()).record_facts(StudyFacts(scaling=ScalingFacts(plan={})))
    says = f"is a scaling study, not a search; `edgenext-search scale report {folder.path}` writes its report."
    assert says in refusal("report", folder.path)
    assert says in refusal("report", run.path, folder.path, "--out", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_run_is_not_compared_with_itself(run, tmp_path):
    assert "given once" in refusal("report", run.path, run.path)
    assert "--out" in refusal("report", run.path, "--out", tmp_path / "page.html")


def test_the_page_is_opened_when_asked(run, monkeypatch):
    import click

    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    call("report", run.path, "--open")
    assert opened == [run.report_file.resolve().as_uri()]
