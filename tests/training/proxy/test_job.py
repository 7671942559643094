from dataclasses import replace
from pathlib import Path

import pytest
from study_builders import a_job

from edgenext_search.training.proxy.job import Placement
from edgenext_search.training.proxy.recipe import TrainRecipe


def test_files_of_jobs_with_other_names_are_others():
    jobs = [a_job(), a_job(name="abc-1"), a_job(name="abd-0")]
    files = [path for job in jobs for path in (job.state_file, job.weights_file)]
    assert len(set(files)) == 6
    assert {path.parent for path in files} == {Path("scratch")}


def test_rungs_of_one_training_share_their_files():
    assert a_job(until=1).state_file == a_job(until=2).state_file


@pytest.mark.parametrize(
    ("batch", "devices", "micro_batch", "halves"),
    [
        (64, 1, None, [32, 16, 8, 4, 2, 1]),
        (64, 2, None, [16, 8, 4, 2, 1]),
        (7, 1, None, [4, 2, 1]),
        (7, 2, None, [2, 1]),
        (64, 1, 10, [5, 3, 2, 1]),
        (1, 1, None, []),
        (2, 2, None, []),
    ],
)
def test_micro_batches_are_halved_down_to_one_image(batch, devices, micro_batch, halves):
    job = replace(
        a_job(), recipe=TrainRecipe(batch_size=batch), placement=Placement(devices=("cpu",) * devices),
        micro_batch=micro_batch,
    )  # fmt: skip
    found = []
    while (half := job.halved_micro_batch()) is not None:
        found.append(half)
        job = replace(job, micro_batch=half)
    assert found == halves
