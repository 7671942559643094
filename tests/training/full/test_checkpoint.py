import errno
import hashlib
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
import torch

from edgenext_search.training.full.checkpoint import BEST_FILE, CheckpointError, Checkpoints, read_checked

CPU = torch.device("cpu")


def state(value):
    return {"weights": torch.full((50,), float(value)), "epoch": value}


def saved(folder, *steps, keep=3):
    checkpoints = Checkpoints(folder, keep)
    for step in steps:
        checkpoints.save(state(step), step)
    return checkpoints


def found(checkpoints):
    notes = []
    loaded = checkpoints.load(CPU, notes.append)
    return (None if loaded is None else loaded["epoch"]), notes


def test_the_newest_is_loaded_and_the_last_few_stay(tmp_path):
    checkpoints = saved(tmp_path / "c", 5, 20, 100, 1000)
    assert [path.name for path in checkpoints.newest_first()] == [
        "step-000001000.pt",
        "step-000000100.pt",
        "step-000000020.pt",
    ]
    assert found(checkpoints) == (1000, [])
    assert len(list((tmp_path / "c").iterdir())) == 6  # with digests; nothing is left over
    assert found(Checkpoints(tmp_path / "none")) == (None, [])


def test_digests_are_those_that_sha256sum_checks(tmp_path):
    saved(tmp_path, 7)
    text = (tmp_path / "step-000000007.pt.sha256").read_text()
    assert text == f"{hashlib.sha256((tmp_path / 'step-000000007.pt').read_bytes()).hexdigest()}  step-000000007.pt\n"


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def lose_the_digest(path):
    path.with_name(f"{path.name}.sha256").unlink()


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, empty, lose_the_digest])
def test_a_damaged_one_falls_back_to_the_one_before(tmp_path, damage):
    checkpoints = saved(tmp_path, 1, 2, 3)
    damage(checkpoints.newest_first()[0])
    epoch, notes = found(checkpoints)
    assert epoch == 2
    assert len(notes) == 1
    assert "step-000000003.pt" in notes[0]
    assert "falling back to the checkpoint before it" in notes[0]
    damage(checkpoints.newest_first()[1])
    damage(checkpoints.newest_first()[2])
    assert found(checkpoints)[0] is None
    checkpoints.save(state(33), 3)  # trained again up to there
    assert found(checkpoints) == (33, [])


def test_a_step_that_is_saved_again_is_never_the_only_one(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, 1, 2, keep=1)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(state(22), 2)
    assert found(checkpoints) == (1, [])
    checkpoints.save(state(2), 2)
    checkpoints.save(state(22), 2)
    assert [path.name for path in checkpoints.newest_first()] == ["step-000000002.pt"]
    assert found(checkpoints) == (22, [])


def test_nothing_that_could_run_is_loaded(tmp_path):
    path = tmp_path / "step-000000001.pt"
    torch.save({"weights": CheckpointError("code")}, path)
    path.with_name(f"{path.name}.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checked(path, CPU)


@pytest.mark.parametrize("when", ["written", "named"])
def test_a_write_that_is_cut_off_leaves_the_former_one(tmp_path, monkeypatch, when):
    checkpoints = saved(tmp_path, 1)

    def die(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tmp_path), "write_bytes" if when == "written" else "replace", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(state(2), 2)
    monkeypatch.undo()
    assert found(checkpoints) == (1, [])


def test_a_full_disk_is_said_and_spares_the_former_ones(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        with pytest.raises(OSError) as raised:  # noqa: PT011 - its number says which
            checkpoints.save(state(3), 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert raised.value.errno == errno.EFBIG  # what a limit has in place of ENOSPC
    assert found(checkpoints) == (2, [])
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


@pytest.mark.parametrize("links", [True, False])
def test_the_best_one_stays(tmp_path, monkeypatch, links):
    checkpoints = Checkpoints(tmp_path, 2)
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
    for step in (1, 2, 3, 4):
        checkpoints.save(state(step), step)
        if step in (1, 2):
            checkpoints.save_best(step)
    assert read_checked(tmp_path / BEST_FILE, CPU)["epoch"] == 2
    assert found(checkpoints)[0] == 4
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", f"{BEST_FILE}.sha256"], cwd=tmp_path, check=False, capture_output=True
    )
    assert done.returncode == 0
