import json

import pytest
from strategies import tiny
from study_builders import Lab, a_recipe

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.published import published_variant, published_variants
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, parse_yaml, shipped_names
from edgenext_search.search.recipe import ResolvedRecipe
from edgenext_search.search.resolver import find_enqueued, load_study, parse_setting, read_study
from edgenext_search.search.store.run_folder import RunFolder
from edgenext_search.search.study.summary import summarize

SMALL = published_variants()["edgenext_small"].candidate


def load(*settings, study="demo", **flags):
    return load_study(study, flags={"budget": "1.3M", **flags}, settings=settings)


def test_a_shipped_study_by_name():
    recipe = load()
    assert recipe.name == "demo"
    assert recipe.data.source is None
    assert recipe.budget.params == 1_300_000
    assert recipe.space.name == "edgenext"
    assert (recipe.deployment.num_classes, recipe.deployment.img_size) == (1000, 256)


def test_a_program_that_measures_is_remembered_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "bench.sh").write_text("#!/bin/sh\n")
    (tmp_path / "bench.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    recipe = load_study("demo", flags={"budget": "latency=12ms@cmd:./bench.sh"})
    assert recipe.latency.device == f"cmd:{tmp_path / 'bench.sh'}"
    with pytest.raises(UserError, match=r"no program './none\.sh'"):
        load_study("demo", flags={"budget": "latency=12ms@cmd:./none.sh"})


@pytest.mark.parametrize("name", shipped_names("study"))
def test_every_shipped_study_loads_and_reads_itself_back(name):
    recipe = load(study=name)
    assert recipe.description
    again = ResolvedRecipe.read(parse_yaml(dump_yaml(recipe.to_dict())), where="x")
    assert again.to_dict() == recipe.to_dict()


def test_a_study_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nspace: paper\nbudget: {params: 2M, madds: 1G}\nsearch: {trials: 5, time: 1h30m}\n")
    recipe = load_study(str(path), flags={})
    assert recipe.name == "mine"
    assert recipe.budget == Budget(params=2_000_000, madds=1_000_000_000)
    assert recipe.time_limit == 5400
    assert recipe.space.name == "paper"


def test_flags_win_over_the_file_and_settings_over_flags():
    recipe = load("search.seed=3", "proxy.epochs=9", **{"search.seed": 2, "search.trials": 11, "search.time": None})
    assert (recipe.search.seed, recipe.search.trials, recipe.proxy.epochs) == (3, 11, 9)
    assert recipe.search.time is None
    assert load(**{"deployment.num_classes": 10}).deployment.num_classes == 10


@pytest.mark.parametrize(
    ("setting", "get", "value"),
    [
        ("proxy.lr=1e-3", lambda r: r.proxy.lr, 0.001),
        ("proxy.lr = 2E-4", lambda r: r.proxy.lr, 0.0002),
        ("proxy.lr=1", lambda r: r.proxy.lr, 1.0),
        ("proxy.clip_grad=null", lambda r: r.proxy.clip_grad, None),
        ("proxy.rungs=[0.5, 1]", lambda r: r.proxy.rungs, [0.5, 1.0]),
        ("proxy.flip=false", lambda r: r.proxy.flip, False),
        ("data.train_images=500", lambda r: r.data.train_images, 500),
        ("search.time=90s", lambda r: r.time_limit, 90),
        ("train.multi_scale=[160, 320, 5]", lambda r: r.train.multi_scale, (160, 320, 5)),
        ("name=my-study", lambda r: r.name, "my-study"),
        ("name='12e3'", lambda r: r.name, "12e3"),
        ("description='a: b'", lambda r: r.description, "a: b"),
        ("search.objectives=madds, accuracy", lambda r: r.search.objectives, ["accuracy", "madds"]),
        ("search.objectives=[footprint, accuracy, acts]", lambda r: r.search.objectives[1:], ["acts", "footprint"]),
        ("search.enqueue=[edgenext_small]", lambda r: len(r.enqueued), 1),
        ("budget=2M", lambda r: r.budget.params, 2_000_000),
        ("budget=20000", lambda r: r.budget.params, 20_000),
        ("space=paper", lambda r: r.space.name, "paper"),
    ],
)
def test_any_key_can_be_set_and_survives_the_run_folder(setting, get, value):
    recipe = load(setting)
    assert get(recipe) == value
    again = ResolvedRecipe.read(parse_yaml(dump_yaml(recipe.to_dict())), where="study.yaml")
    assert get(again) == value
    assert again.differences(recipe) == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("proxy.epoch=3", r"proxy\.epoch: there is no such key"),
        ("prxy.epochs=3", r"prxy: there is no such key"),
        ("search.sampler=genetic", r"search\.sampler: .*'bayes', 'gp', 'tpe', 'nsga2' or 'random', but got 'genetic'"),
        ("search.trials=0", r"search\.trials: .*greater than or equal to 1, but got 0"),
        ("search.trials=ten", r"search\.trials: .*integer.*'ten'"),
        ("search.trials=1.5", r"search\.trials: .*1\.5"),
        ("search.seed=-1", r"search\.seed: .*-1"),
        ("search.time=soon", r"search\.time: .*such as 30m, but got 'soon'"),
        ("proxy.rungs=[1, 0.5]", r"proxy: rungs must ascend and end in 1"),
        ("proxy.lr=.nan", r"proxy\.lr: .*nan"),
        ("data.val_share=1", r"data\.val_share: .*less than 1"),
        ("deployment.img_size=16", r"deployment\.img_size: .*32"),
        ("train.multi_scale=[160, 320]", r"train\.multi_scale"),
        ("name=two words", r"name: .*pattern"),
        ("name=../up", r"name: .*pattern"),
        ("search.objectives=accuracy,flops", r"search\.objectives: objectives are accuracy, .*but got 'flops'"),
        ("search.objectives=3", r"search\.objectives: .*list.*3"),
        ("search.objectives=accuracy,params", r"search\.objectives: params cannot .* another cost \(madds, acts, mem"),
        ("search.enqueue=3", r"search\.enqueue: .*list.*3"),
        ("search.enqueue=[edgnext]", r"search\.enqueue\.1: There is no 'edgnext'"),
        ("budget=huge", r"such as 1\.3M, but got params='huge'"),
        ("budget=null", r"needs a budget; write --budget 1\.3M"),
        ("budget.flops=1G", r"1\.3M"),
        ("space=nowhere", r"no space 'nowhere'.*edgenext, paper"),
        ("space.expand_ratio=4", r"space\.expand_ratio cannot be set: space is not a mapping but 'edgenext'"),
        ("proxy.epochs", r"--set takes key=value, such as proxy\.epochs=3, but got 'proxy\.epochs'"),
        ("=3", r"--set takes key=value"),
        ("proxy.rungs=[1", r"--set proxy\.rungs takes a YAML value, but got '\[1'"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_key(setting, message):
    with pytest.raises(UserError, match=message) as caught:
        load(setting)
    assert "\n" not in str(caught.value)


def test_the_space_in_full_can_be_changed_by_settings(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(dump_yaml(load().to_dict()))
    recipe = load_study(str(path), flags={}, settings=["space.expand_ratio=[3]"])
    assert "expand_ratio" not in [parameter.name for parameter in recipe.space.parameters]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nserach: {}\n", r"serach: there is no such key"),
        ("budget: 1M\n", "name: the key is missing"),
        ("- 1\n", "must hold a mapping"),
        ("name: [\n", "is not YAML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_study(str(path), flags={})
    assert str(path) in str(caught.value)


def test_a_space_is_told_where_it_belongs(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("name: mine\nstages: {}\n")
    with pytest.raises(UserError, match=rf"{path} is a search space, not a study; it belongs behind --space\."):
        read_study(str(path), flags={})


def test_a_study_that_is_not_there():
    with pytest.raises(UserError, match=r"no study 'dmeo'.*demo, imagenet"):
        load(study="dmeo")


def test_data_folders_are_remembered_by_their_full_path(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    recipe = load(**{"data.source": "photos", "data.dir": "."})
    assert recipe.data.source == str((tmp_path / "photos").resolve())
    assert recipe.data.dir == str(tmp_path.resolve())
    assert load(**{"data.source": "torch/fashion_mnist"}).data.source == "torch/fashion_mnist"


def test_a_setting_may_hold_equals_signs():
    assert parse_setting("description=a=b") == ("description", "a=b")


# What is enqueued


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    """The folder of a finished run, and its finalists but for the baseline."""
    lab = Lab(a_recipe(finalists=3, seed=1))
    lab.run()
    folder = RunFolder(tmp_path_factory.mktemp("former") / "run")
    folder.create(lab.recipe, storage=None)
    folder.write_summary(summarize(folder, lab.recipe, lab.store()))
    return folder.path, [finalist.candidate for finalist in lab.finalists() if finalist.trial]


def test_entries_of_every_kind(former, tmp_path):
    path, finalists = former
    (tmp_path / "mine.yaml").write_text(dump_yaml(tiny().to_dict()))
    found = find_enqueued(
        [str(tmp_path / "mine.yaml"), tiny(depths=(2, 2, 1, 1)).to_dict(), "edgenext_small", str(path)]
    )
    assert found == [tiny(), tiny(depths=(2, 2, 1, 1)), SMALL, *finalists]
    assert len(finalists) >= 2


def test_each_candidate_counts_once():
    assert find_enqueued(["edgenext_small", tiny().to_dict(), SMALL.to_dict(), "edgenext_small"]) == [SMALL, tiny()]
    assert find_enqueued([]) == []


def test_a_run_without_a_finalist_of_its_own_or_without_a_summary(tmp_path):
    lab = Lab(a_recipe(trials=1))
    lab.run()
    folder = RunFolder(tmp_path / "run")
    folder.create(lab.recipe, storage=None)
    with pytest.raises(UserError, match=r"search\.enqueue\.2: .*has no summary yet; `edgenext-search resume"):
        find_enqueued(["edgenext_small", str(folder.path)])
    folder.write_summary(summarize(folder, lab.recipe, lab.store()))
    with pytest.raises(UserError, match=r"search\.enqueue\.1: The run .* has no finalist but its baseline"):
        find_enqueued([str(folder.path)])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("nowhere.yaml", r"search\.enqueue\.1: There is no 'nowhere\.yaml'"),
        ({}, r"search\.enqueue\.1: A candidate needs the key"),
        ({**tiny().to_dict(), "heads": [3, 4, 4, 8], "sdta_blocks": [1, 1, 0, 1]}, r"search\.enqueue\.1: heads must"),
        ({**tiny().to_dict(), "width": 3}, r"search\.enqueue\.1: A candidate has no key 'width'"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_place(entry, message):
    with pytest.raises(UserError, match=message):
        a_recipe(enqueue=[entry])


def test_a_resolved_study_stands_by_itself(former, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(tiny().to_dict()))
    recipe = a_recipe(enqueue=[str(tmp_path / "mine.json"), str(former[0])], trials=16)
    (tmp_path / "mine.json").unlink()
    assert recipe.enqueued == (tiny(), *former[1])
    assert recipe.search.enqueue[0] == tiny().to_dict()
    folder = RunFolder(tmp_path / "run")
    folder.create(recipe, storage=None)
    assert folder.recipe().differences(recipe) == []


def test_more_than_the_study_scores_are_refused():
    few = [tiny(depths=(1, 2, depth, 1)).to_dict() for depth in (1, 2, 3)]
    assert len(a_recipe(enqueue=few, trials=4).enqueued) == 3
    with pytest.raises(UserError, match=r"has 3 candidates, which with the baseline are more than search\.trials=3"):
        a_recipe(enqueue=few, trials=3)


def test_one_entry_needs_no_list():
    recipe = load_study("demo", flags={"budget": "1.3M"}, settings=["search.enqueue=edgenext_small"])
    assert recipe.enqueued == (published_variant("edgenext_small").candidate,)
