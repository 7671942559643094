"""Files of attempts: nobody's files are replaced but by those that count."""

import os

import pytest
from study_builders import a_job

from edgenext_search.execution.attempts import accept, discard, new_attempt, recover


@pytest.fixture
def job(tmp_path):
    return a_job(folder=tmp_path)


def write(job, text, *, weights=True):
    job.written(job.state_file).write_text(text)
    if weights:
        job.written(job.weights_file).write_text(text)


def files(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_late_attempt_overwrites_nothing(job, tmp_path):
    late, successor = new_attempt(job, 1), new_attempt(job, 2)
    write(successor, "second")
    accept(successor)
    write(late, "first")
    assert (job.state_file.read_text(), job.weights_file.read_text()) == ("second", "second")
    discard(late)
    assert files(tmp_path) == {"abc-0.pt": "second", "abc-0.safetensors": "second"}


def test_an_attempt_without_files_is_accepted_and_discarded(job, tmp_path):
    accept(new_attempt(job, 1))
    discard(new_attempt(job, 1))
    assert files(tmp_path) == {}


def test_tokens_of_coordinators_that_count_alike_differ(job):
    assert new_attempt(job, 1).attempt != new_attempt(job, 1).attempt


def test_what_was_whole_when_the_coordinator_died_is_recovered_the_latest_of_each_job(job, tmp_path):
    older, newer, torn = new_attempt(job, 1), new_attempt(job, 2), new_attempt(a_job(folder=tmp_path, name="xyz-0"), 1)
    write(newer, "newer")
    write(older, "older")
    for path in (older.written(job.state_file), older.written(job.weights_file)):
        os.utime(path, (1, 1))
    torn.written(torn.weights_file).write_text("no state")
    (tmp_path / ".abc-0.1-ab.pt.7.part").write_text("half a file")
    (tmp_path / "kept-0.safetensors").write_text("kept")
    recover(tmp_path)
    assert files(tmp_path) == {
        "abc-0.pt": "newer",
        "abc-0.safetensors": "newer",
        "kept-0.safetensors": "kept",
        ".abc-0.1-ab.pt.7.part": "half a file",
    }
    recover(tmp_path / "nowhere")
