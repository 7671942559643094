from full_builders import a_job, write_images
from rank_processes import on_ranks


def test_all_processes_wait_for_the_checkpoint_before_they_stop(tmp_path):
    job = a_job(write_images(tmp_path / "images"), tmp_path / "out")
    assert on_ranks(2, "interrupted", job, folder=tmp_path) == [["step-000000003.pt"]] * 2
