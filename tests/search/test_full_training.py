import pytest
from full_builders import a_summary, write_images
from strategies import tiny
from study_builders import a_record

from edgenext_search.errors import UserError
from edgenext_search.search.full_training import (
    check_full_training,
    find_subject,
    train_finalists,
    trained_in,
    with_settings,
)
from edgenext_search.search.resolver import load_study
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.finalists import as_finalist
from edgenext_search.search.study.summary import summarize
from edgenext_search.training.full.folder import TrainingFolder
from edgenext_search.training.full.listener import TrainListener
from edgenext_search.training.full.recipe import FullRecipe


def recipe(*settings, **flags):
    return load_study("demo", flags={"budget": "1.3M", **flags}, settings=settings)


def a_run(path, study, finalists):
    run = RunFolder(path)
    run.create(study, storage=None)
    rows = [as_finalist(a_record(number, candidate=candidate), []) for number, candidate in enumerate(finalists)]
    store = run.open_store(study)
    run.write_summary(
        summarize(run, study, store).model_copy(update={"winner": rows[0] if rows else None, "finalists": tuple(rows)})
    )
    return run


def subject(what, **keys):
    return find_subject(str(what), **({"data": None, "data_dir": None, "study": None, "settings": ()} | keys))


def test_a_run_stands_for_its_winner_recipe_and_images(tmp_path):
    study = recipe("train.epochs=7", "data.source=torch/mnist", "data.dir=somewhere")
    run = a_run(tmp_path / "run", study, [tiny(), tiny(expand_ratio=3)])
    found = subject(run.path)
    assert (found.candidate, found.recipe.epochs, found.data) == (tiny(), 7, "torch/mnist")
    assert str(found.data_dir) == "somewhere"
    other = subject(run.path, data="photos", study="imagenet", settings=["train.lr=1e-3"])
    assert (other.data, other.data_dir, other.recipe.epochs, other.recipe.lr) == ("photos", None, 300, 1e-3)


def test_a_run_without_a_winner_is_refused(tmp_path):
    run = a_run(tmp_path / "run", recipe(), [])
    with pytest.raises(UserError, match=r"has no winner; .*`edgenext-search resume"):
        subject(run.path)


def test_names_stand_for_networks_with_the_published_recipe():
    found = subject("edgenext_small")
    assert (found.name, found.recipe, found.data) == ("edgenext_small", FullRecipe(), None)
    with pytest.raises(UserError, match="There is no 'edgenext_smal'"):
        subject("edgenext_smal")


def test_settings_are_of_the_section():
    assert with_settings(FullRecipe(), ["train.epochs=5", "train.multi_scale=null"]).epochs == 5
    with pytest.raises(UserError, match=r"--set takes the keys of the section train here, .* but got epochs"):
        with_settings(FullRecipe(), ["epochs=5"])
    with pytest.raises(UserError, match=r"--set: train.epochs: must be greater than or equal to 1, but got 0"):
        with_settings(FullRecipe(), ["train.epochs=0"])


def test_a_study_that_could_not_be_trained_in_full_is_refused(tmp_path):
    with pytest.raises(UserError, match="--train-top needs images of your own with a validation set"):
        check_full_training(recipe(), device="cpu")
    root = write_images(tmp_path / "images")
    study = recipe("train.batch_size=8", f"data.source={root}")
    check_full_training(study, device="cpu")
    with pytest.raises(UserError, match="takes 4096 images"):
        check_full_training(recipe(f"data.source={root}"), device="cpu")
    for folder in (root / "val").iterdir():
        for image in folder.iterdir():
            image.unlink()
        folder.rmdir()
    (root / "val").rmdir()
    with pytest.raises(UserError, match="val"):
        check_full_training(study, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_the_best_finalists_are_trained_each_in_its_folder(tmp_path, monkeypatch):
    study = recipe("train.batch_size=8", "data.source=torch/mnist")
    candidates = [tiny(), tiny(expand_ratio=3), tiny(expand_ratio=4)]
    run = a_run(tmp_path / "run", study, candidates)
    jobs = []

    def launch(job, devices, _listener):
        assert devices == ("cpu",)
        jobs.append(job)
        job.out.mkdir(parents=True)
        summary = a_summary(candidate=job.candidate, top1=0.5 + len(jobs) / 10)
        TrainingFolder(job.out).write_summary(summary)
        return summary

    monkeypatch.setattr("edgenext_search.execution.launch.launch", launch)
    found = train_finalists(run, study, 2, device="cpu", listener=TrainListener())
    assert [summary.fingerprint for summary in found] == [candidate.fingerprint for candidate in candidates[:2]]
    assert [job.candidate for job in jobs] == candidates[:2]
    assert [job.out for job in jobs] == [run.trained / candidate.fingerprint for candidate in candidates[:2]]
    assert [job.name for job in jobs] == ["trial 0", "trial 1"]
    assert list(trained_in(run)) == found[::-1]  # the best first
