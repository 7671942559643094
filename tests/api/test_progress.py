import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from edgenext_search.api.progress import LineListener, LiveListener, _Work, progress_listener
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.run_folder import RunFolder


@pytest.fixture
def recipe():
    return load_study(
        "demo",
        flags={"budget": "1.3M", "search.trials": 6, "search.cohort": 4},
        settings=[
            "proxy.epochs=4",
            "proxy.rungs=[0.5, 1]",
            "search.finalists=1",
            "search.rescore_seeds=1",
            "search.rematch_seeds=3",
        ],
    )


def trials(*numbers, cohort=0):
    return [SimpleNamespace(number=number, cohort=cohort) for number in numbers]


def a_study(listener):
    """All that a small study tells, with shares of the study's bar on the way."""
    shares = []

    def look():
        if isinstance(listener, LiveListener):
            shares.append(listener.progress.tasks[0].completed)

    listener.study_started(resumed=False)
    listener.data_progress(5, 10)
    listener.data_progress(10, 10)
    for cohort, numbers in ((0, (0, 1, 2, 3)), (1, (4, 5))):
        listener.cohort_started(trials(*numbers, cohort=cohort), 6)
        look()
        for since, until, alive in ((0, 2, numbers), (2, 4, numbers[: len(numbers) // 2])):
            jobs = [f"trial {number}" for number in alive]
            listener.jobs_started(f"Cohort {cohort}, rung {until // 2} of 2", jobs, since=since, until=until)
            for job in jobs:
                listener.job_progress(job, 0.5)
                failed = job == "trial 3"
                listener.job_finished(job, None if failed else 0.1 * until, "out of memory: [x]" if failed else None)
                look()
    listener.jobs_started("Finalists", ["trial 0, seed 1", "trial 1, seed 1"], since=0, until=4)
    for job in ("trial 0, seed 1", "trial 1, seed 1"):
        listener.job_finished(job, 0.5, None)
        look()
    listener.note("Writing [the] model folder")
    return shares


def test_plain_lines_for_a_pipe(recipe, tmp_path):
    text = io.StringIO()
    a_study(LineListener(Console(file=text, width=40), RunFolder(tmp_path / "[red]run"), recipe))
    lines = text.getvalue().splitlines()
    assert lines[0] == f"Starting demo in {tmp_path / '[red]run'}"  # neither wrapped nor read as markup
    assert lines[3].startswith("  The images are generated: the ranking is a demonstration.")
    assert [line.partition("] ")[2] for line in lines[4:]] == [
        "10 images prepared",
        "Cohort 0: trials 0 to 3 of 6",
        "Cohort 0, rung 1 of 2: 4 trainings, epochs 1 to 2",
        "Cohort 0, rung 1 of 2: trial 0: top-1 20.0% (best 20.0%, 3 to go)",
        "Cohort 0, rung 1 of 2: trial 1: top-1 20.0% (best 20.0%, 2 to go)",
        "Cohort 0, rung 1 of 2: trial 2: top-1 20.0% (best 20.0%, 1 to go)",
        "Cohort 0, rung 1 of 2: trial 3: failed: out of memory: [x] (best 20.0%, 0 to go)",
        "Cohort 0, rung 2 of 2: 2 trainings, epochs 3 to 4",
        "Cohort 0, rung 2 of 2: trial 0: top-1 40.0% (best 40.0%, 1 to go)",
        "Cohort 0, rung 2 of 2: trial 1: top-1 40.0% (best 40.0%, 0 to go)",
        "Cohort 1: trials 4 to 5 of 6",
        "Cohort 1, rung 1 of 2: 2 trainings, epochs 1 to 2",
        "Cohort 1, rung 1 of 2: trial 4: top-1 20.0% (best 20.0%, 1 to go)",
        "Cohort 1, rung 1 of 2: trial 5: top-1 20.0% (best 20.0%, 0 to go)",
        "Cohort 1, rung 2 of 2: 1 training, epochs 3 to 4",
        "Cohort 1, rung 2 of 2: trial 4: top-1 40.0% (best 40.0%, 0 to go)",
        "Finalists: 2 trainings, epochs 1 to 4",
        "Finalists: trial 0, seed 1: top-1 50.0% (best 50.0%, 1 to go)",
        "Finalists: trial 1, seed 1: top-1 50.0% (best 50.0%, 0 to go)",
        "Writing [the] model folder",
    ]
    assert all(line.startswith("[0:") for line in lines[4:])


def test_a_resumed_run_is_called_so(recipe, tmp_path):
    text = io.StringIO()
    LineListener(Console(file=text), RunFolder(tmp_path), recipe).study_started(resumed=True)
    assert text.getvalue().startswith("Resuming demo in")


def test_bars_for_a_terminal(recipe, tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120)
    listener = LiveListener(console, RunFolder(tmp_path), recipe)
    with listener.progress:
        shares = a_study(listener)
        assert len(listener.progress.tasks) == 1  # the study: all others are gone
        assert "best so far 50.0%" in listener.progress.tasks[0].fields["note"]
        assert listener.progress.tasks[0].description == "Study, trials 4-5 of 6"
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.3 < shares[-1] <= 1  # the re-match is not in it
    assert "trial 3 failed: out of memory: [x]" in text.getvalue()
    assert "Writing [the] model folder" in text.getvalue()


def test_events_before_the_start_are_no_error(recipe, tmp_path):
    listener = LiveListener(Console(file=io.StringIO(), force_terminal=True), RunFolder(tmp_path), recipe)
    listener.cohort_started(trials(0, 1), 6)
    listener.job_finished("trial 0", 0.5, None)


@pytest.mark.parametrize(("terminal", "kind"), [(True, LiveListener), (False, LineListener)])
def test_the_console_decides(recipe, tmp_path, terminal, kind):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with progress_listener(console, RunFolder(tmp_path), recipe) as listener:
        assert type(listener) is kind


def test_the_work_of_a_study_is_its_epochs(recipe):
    """Of 6 trials all have 2 epochs and half have 2 more: 18; the finalist and the baseline 4 each, and in the re-match
    with 3 seeds 12 each more: 50 in all."""
    work = _Work(recipe)
    assert work.share == 0
    work.cohort(trials(4, 5, cohort=1))
    assert work.share == pytest.approx(12 / 50)
    work.done(2)
    assert work.share == pytest.approx(14 / 50)
    work.done(1000)
    assert work.share == 1


def test_names_are_no_markup(recipe, tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={})
    listener = LiveListener(console, RunFolder(tmp_path), recipe)
    listener.measured("cmd:./[red]x[/]", 1, 2)
    console.print(listener.progress.get_renderable())
    assert "cmd:./[red]x[/]" in console.file.getvalue()
