from types import SimpleNamespace

from full_builders import a_job, a_record, write_images
from rank_processes import on_ranks

from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.training_run import TrainingRun


def test_all_processes_wait_for_the_checkpoint_before_they_stop(tmp_path):
    job = a_job(write_images(tmp_path / "images"), tmp_path / "out")
    assert on_ranks(2, "interrupted", job, folder=tmp_path) == [["step-000000002.pt"]] * 2


def test_where_one_process_cannot_load_all_end_with_the_step_saved(tmp_path):
    job = a_job(write_images(tmp_path / "images"), tmp_path / "out")
    (first, saved), (second, saved_too) = on_ranks(2, "failing", job, folder=tmp_path)
    assert (first, second) == ("Another process of the training failed, and says why.", "no drive")
    assert saved == saved_too == ["step-000000003.pt"]


def test_a_training_has_the_same_id_for_wandb_under_another_name(tmp_path):
    folder = TrainingFolder(tmp_path)
    record = a_record(name="the winner of run")
    folder.begin(record)

    def wandb_id(record):
        return TrainingRun._wandb_id(SimpleNamespace(folder=folder, plan=SimpleNamespace(record=record)))

    renamed, other = (record.model_copy(update=change) for change in ({"name": "other"}, {"accumulate": 2}))
    assert wandb_id(record) == wandb_id(renamed) != wandb_id(other)
