from pathlib import Path

from strategies import tiny

from edgenext_search.training.job import TrainJob
from edgenext_search.training.recipe import TrainRecipe


def a_job(**changes):
    values = {
        "name": "abc-0",
        "label": "trial 0",
        "candidate": tiny(),
        "recipe": TrainRecipe(),
        "data": Path("data"),
        "seed": 0,
        "until": 2,
        "folder": Path("scratch"),
    }
    return TrainJob(**{**values, **changes})


def test_files_of_jobs_with_other_names_are_others():
    jobs = [a_job(), a_job(name="abc-1"), a_job(name="abd-0")]
    files = [path for job in jobs for path in (job.state_file, job.weights_file)]
    assert len(set(files)) == 6
    assert {path.parent for path in files} == {Path("scratch")}


def test_rungs_of_one_training_share_their_files():
    assert a_job(until=1).state_file == a_job(until=2).state_file


def test_a_job_on_a_device_is_the_same_job():
    job = a_job()
    there = job.on("cuda:1", 3)
    assert (there.device, there.threads) == ("cuda:1", 3)
    assert there.on(job.device, job.threads) == job
