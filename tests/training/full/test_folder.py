import pytest

from edgenext_search.errors import UserError
from edgenext_search.training.full import folder as full_folder
from edgenext_search.training.full.folder import TrainingFolder

TRAINING = {"name": "tiny", "recipe": {"lr": 1e-6, "sizes": [32, 64], "mixup": None}, "accumulate": 1}


def test_a_training_is_begun_once_and_recognised(tmp_path):
    folder = TrainingFolder(tmp_path / "new" / "out")
    assert not folder.exists()
    folder.begin(TRAINING)
    assert folder.exists()
    assert folder.training() == TRAINING
    folder.begin(TRAINING)
    folder.begin({**TRAINING, "name": "the winner of ../runs/tiny"})
    assert folder.training() == TRAINING
    other = {**TRAINING, "recipe": {"lr": 2e-6, "sizes": [32], "mixup": None}}
    with pytest.raises(UserError, match=r"recipe.lr: 1e-06 / 2e-06; recipe.sizes: \[32, 64\] / \[32\]. Give the same"):
        folder.begin(other)


def test_a_begin_that_was_cut_off_is_begun_again(tmp_path):
    (tmp_path / ".training.yaml.7.part").write_text("na")
    (tmp_path / ".lock").write_text("")
    TrainingFolder(tmp_path).begin(TRAINING)
    assert TrainingFolder(tmp_path).training() == TRAINING


def test_what_is_no_training_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="exists and is not a training; give another folder with --out"):
        TrainingFolder(tmp_path).begin(TRAINING)
    with pytest.raises(UserError, match="cannot be written"), TrainingFolder(tmp_path / "notes.txt").lock():
        pass


def test_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(full_folder, "PATIENCE", 0.0)
    with (
        TrainingFolder(tmp_path).lock(),
        pytest.raises(UserError, match="Another process trains in"),
        TrainingFolder(tmp_path).lock(),
    ):
        pass
    with TrainingFolder(tmp_path).lock():
        pass


def test_the_summary_is_there_at_the_end(tmp_path):
    folder = TrainingFolder(tmp_path)
    assert folder.summary() is None
    folder.write_summary({"top1": 0.5})
    assert folder.summary() == {"top1": 0.5}
    folder.summary_file.write_text("{")
    assert folder.summary() is None
