import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from edgenext_search.cli import main
from edgenext_search.data import open_prepared
from edgenext_search.data.cache.cleanup import entries

from ..helpers import ROOT, call, call_json, imported, refusal

SMALL = ("--set", "data.train_images=32", "--set", "data.val_images=16", "--set", "proxy.img_size=32")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def made(cache):
    """The JSON of a small entry."""
    return call_json("data", "prepare", *SMALL, "--cache-dir", cache)


def test_prepare_says_what_it_holds_and_where(made, cache):
    folder = cache / made["entry"]
    assert made == {
        "entry": folder.name,
        "folder": str(folder),
        "built": True,
        "name": "built-in",
        "classes": 16,
        "train_images": 32,
        "val_images": 16,
        "image_size": 37,
        "skipped": [],
    }
    again = call("data", "prepare", *SMALL, "--cache-dir", cache)
    assert again.stdout.splitlines() == [
        "built-in: 16 classes, 32 images to train on and 16 held out to score, stored at 37 px",
        f"Ready already in {folder}",
    ]
    assert again.stderr == ""


def test_prepare_shows_its_progress_in_plain_lines(cache):
    result = call("data", "prepare", *SMALL, "--cache-dir", cache)
    assert result.stderr.splitlines()[-1] == "48 of 48 images prepared"
    assert result.stdout.splitlines()[-1].startswith("Prepared in ")


def test_prepare_makes_the_entry_that_run_opens(cache, class_folder, tmp_path):
    """What `run_study` calls, with the recipe that `run` would make of the same options, prepares nothing again."""
    options = ["--data", class_folder, "--study", "laptop", "--cache-dir", cache]
    for setting in ("proxy.img_size=32", "proxy.epochs=1", "proxy.rungs=[1.0]", "data.val_share=0.25"):
        options += ["--set", setting]
    made = call_json("data", "prepare", *options)
    assert made["built"]
    from edgenext_search.search.resolver import load_study
    from edgenext_search.search.study.images import open_images, prepare_images

    flags = {"budget": "300k", "data.source": str(class_folder)}
    study = load_study("laptop", flags=flags, settings=options[7::2])
    data = prepare_images(
        open_images(study), study, cache_dir=cache, workers=1, progress=lambda *_: pytest.fail("prepared again")
    )
    assert data.fingerprint == made["entry"]


def test_prepare_needs_no_budget_but_checks_the_study(cache):
    assert "there is no such key" in refusal("data", "prepare", "--set", "proxy.size=3", "--cache-dir", cache)
    assert "val_share" in refusal("data", "prepare", "--set", "data.val_share=2", "--cache-dir", cache)
    assert "no folder train/" in refusal("data", "prepare", "--data", ROOT, "--cache-dir", cache)
    assert not cache.exists()


def test_info_of_nothing(cache):
    assert call("data", "info", "--cache-dir", cache).stdout == f"{cache} holds no prepared images.\n"
    assert call_json("data", "info", "--cache-dir", cache) == {
        "cache_dir": str(cache),
        "bytes": 0,
        "entries": [],
        "leftovers": [],
    }


def test_info_describes_entries_and_leftovers(made, cache):
    leftover = cache / f".building-{'a' * 32}"
    leftover.mkdir()
    (leftover / "train_images.npy").write_bytes(b"x" * 2000)
    facts = call_json("data", "info", "--cache-dir", cache)
    (entry,) = facts["entries"]
    assert {key: entry[key] for key in ("entry", "folder", "name", "train_images")} == {
        key: made[key] for key in ("entry", "folder", "name", "train_images")
    }
    assert (entry["damage"], entry["used"]) == (None, False)
    assert facts["leftovers"] == [{"folder": str(leftover), "bytes": 2000, "used": False}]
    assert facts["bytes"] == entry["bytes"] + 2000
    lines = call("data", "info", "--cache-dir", cache).stdout.splitlines()
    assert lines[1].startswith(f"{made['entry']}  built-in: 16 classes, 32 + 16 images at 37 px, ")
    assert lines[2].endswith("; whole")
    assert lines[3].endswith("2.0 kB, left by a process that died; the next prepare removes it")
    verified = call("data", "info", "--verify", "--cache-dir", cache).stdout
    assert "; whole, checksums verified" in verified


def test_info_tells_damage(made, cache):
    (cache / made["entry"] / "val_labels.npy").unlink()
    assert (
        "; damaged, or of another version: val_labels.npy cannot be opened"
        in call("data", "info", "--cache-dir", cache).stdout
    )


def test_clear_asks_on_a_terminal_and_needs_yes_elsewhere(made, cache):
    message = refusal("data", "clear", "--all", "--cache-dir", cache)
    assert message.startswith("Remove 1 entry, ")
    assert message.endswith("Say --yes: nobody can be asked here.")
    assert len(entries(cache)) == 1
    removed = call_json("data", "clear", made["entry"][:7], "--yes", "--cache-dir", cache)
    assert removed["removed"] == [made["entry"]]
    assert removed["in_use"] == []
    assert removed["bytes_freed"] > 48 * 3 * 37 * 37
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(("answer", "left", "code"), [("y\n", 0, 0), ("n\n", 1, 1)])
def test_clear_does_what_is_answered(made, cache, monkeypatch, answer, left, code):
    from edgenext_search.cli.commands import data

    monkeypatch.setattr(data, "_on_terminal", lambda: True)
    result = CliRunner().invoke(main, ["data", "clear", "--all", "--cache-dir", str(cache)], input=answer)
    assert (result.exit_code, len(entries(cache))) == (code, left)


def test_clear_without_entries_removes_leftovers_alone(made, cache):
    (cache / f".damaged-{'b' * 32}").mkdir()
    assert call("data", "clear", "--cache-dir", cache).stdout == "Removed 0 entries; 0 bytes freed.\n"
    assert entries(cache) == list(cache.iterdir())


def test_clear_leaves_an_entry_that_is_used(made, cache):
    code = (
        "import sys, time; from pathlib import Path; from edgenext_search.data import open_prepared\n"
        "data = open_prepared(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, made["folder"]], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        result = call("data", "clear", "--all", "--yes", "--json", "--cache-dir", cache)
        process.kill()
    assert result.exit_code == 2
    assert json.loads(result.stdout)["in_use"] == [made["entry"]]
    assert f"{made['entry']} cannot be removed: a process uses it" in result.stderr
    assert len(open_prepared(cache / made["entry"]).train.labels) == 32


def test_clear_refuses_what_it_cannot_place(made, cache):
    assert "has no entry 'zebra'" in refusal("data", "clear", "zebra", "--yes", "--cache-dir", cache)
    assert "not both" in refusal("data", "clear", "a", "--all", "--cache-dir", cache)


def test_looking_after_the_cache_imports_nothing_heavy(made, cache):
    for command in ("info", "clear"):
        assert imported("data", command, "--cache-dir", cache) == []
