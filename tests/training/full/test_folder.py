import pytest
from full_builders import a_record, a_summary

from edgenext_search.errors import UserError
from edgenext_search.training.full import folder as full_folder
from edgenext_search.training.full.folder import TrainingFolder

RECORD = a_record()


def test_a_training_is_begun_once_and_recognised(tmp_path):
    folder = TrainingFolder(tmp_path / "new" / "out")
    assert not folder.exists()
    folder.begin(RECORD)
    assert folder.exists()
    assert folder.record() == RECORD
    folder.begin(RECORD)
    folder.begin(a_record(name="the winner of ../runs/tiny"))
    assert folder.record() == RECORD
    other = a_record(recipe={"lr": 2e-6, "sizes": [32], "mixup": None})
    with pytest.raises(UserError, match=r"recipe.lr: 1e-06 / 2e-06; recipe.sizes: \[32, 64\] / \[32\]. Give the same"):
        folder.begin(other)


def on_images(images, name="images"):
    return a_record(images=images, data=RECORD.data.model_copy(update={"name": name}))


def test_a_training_tells_its_images_by_their_content(tmp_path):
    folder = TrainingFolder(tmp_path)
    folder.begin(on_images("a" * 16))
    folder.begin(on_images("a" * 16, name="moved"))
    with pytest.raises(UserError, match=r"other images than those of images, .* Restore the images .*--out"):
        folder.begin(on_images("b" * 16))
    with pytest.raises(UserError, match=r"data.name: images / moved; images: a+ / b+"):
        folder.begin(on_images("b" * 16, name="moved"))


def test_a_training_that_recorded_no_content_is_told_by_names_and_numbers(tmp_path):
    folder = TrainingFolder(tmp_path)
    folder.begin(RECORD)
    text = folder.training_file.read_text()
    folder.training_file.write_text(text.replace("images: null\n", ""))
    assert folder.training_file.read_text() != text
    folder.begin(on_images("a" * 16))
    with pytest.raises(UserError, match=r"\(there / here\): data.name: images / moved\. Give"):
        folder.begin(on_images("a" * 16, name="moved"))


def test_a_begin_that_was_cut_off_is_begun_again(tmp_path):
    (tmp_path / ".training.yaml.7.part").write_text("na")
    (tmp_path / ".lock").write_text("")
    TrainingFolder(tmp_path).begin(RECORD)
    assert TrainingFolder(tmp_path).record() == RECORD


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="exists and is not a training; give another folder with --out"):
        TrainingFolder(tmp_path).begin(RECORD)
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
    folder.write_summary(a_summary())
    assert folder.summary() == a_summary()
    for text in ("{", "{}"):
        folder.summary_file.write_text(text)
        assert folder.summary() is None
