from types import SimpleNamespace

from full_builders import a_job, write_images
from rank_processes import on_ranks

from edgenext_search.training.full.epochs import FullRun
from edgenext_search.training.full.folder import TrainingFolder


def test_all_processes_wait_for_the_checkpoint_before_they_stop(tmp_path):
    job = a_job(write_images(tmp_path / "images"), tmp_path / "out")
    assert on_ranks(2, "interrupted", job, folder=tmp_path) == [["step-000000003.pt"]] * 2


def test_a_training_is_the_same_for_wandb_under_another_name(tmp_path):
    folder = TrainingFolder(tmp_path)
    folder.begin({"name": "the winner of run", "epochs": 3})

    def known_as(name, epochs):
        run = SimpleNamespace(folder=folder, plan=SimpleNamespace(training={"name": name, "epochs": epochs}))
        return FullRun._wandb_id(run)

    assert known_as("the winner of run", 3) == known_as("the winner of ../run", 3) != known_as("the winner of run", 4)
