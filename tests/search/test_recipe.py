import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml, parse_yaml, shipped_names
from edgenext_search.search.recipe import StudyRecipe, parse_duration, parse_setting


def load(*settings, study="demo", **flags):
    return StudyRecipe.load(study, flags={"budget": "1.3M", **flags}, settings=settings)


def test_a_shipped_study_by_name():
    recipe = load()
    assert recipe.name == "demo"
    assert recipe.data.source is None
    assert recipe.load_budget().params == 1_300_000
    assert recipe.load_space().name == "edgenext"
    assert (recipe.load_deployment().num_classes, recipe.load_deployment().img_size) == (1000, 256)


def test_a_program_that_measures_is_remembered_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "bench.sh").write_text("#!/bin/sh\n")
    (tmp_path / "bench.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    recipe = StudyRecipe.load("demo", flags={"budget": "latency=12ms@cmd:./bench.sh"})
    assert recipe.latency.device == f"cmd:{tmp_path / 'bench.sh'}"
    with pytest.raises(UserError, match=r"no program './none\.sh'"):
        StudyRecipe.load("demo", flags={"budget": "latency=12ms@cmd:./none.sh"})


@pytest.mark.parametrize("name", shipped_names("study"))
def test_every_shipped_study_loads_and_reads_itself_back(name):
    recipe = load(study=name)
    assert recipe.description
    assert StudyRecipe.read(recipe.to_dict(), where="x") == recipe
    assert StudyRecipe.read(parse_yaml(dump_yaml(recipe.to_dict())), where="x") == recipe


def test_a_study_by_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nspace: paper\nbudget: {params: 2M, madds: 1G}\nsearch: {trials: 5, time: 1h30m}\n")
    recipe = StudyRecipe.load(str(path), flags={})
    assert recipe.name == "mine"
    assert recipe.budget == {"params": 2_000_000, "madds": 1_000_000_000}
    assert recipe.time_limit == 5400
    assert recipe.load_space().name == "paper"


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
        ("search.enqueue=[edgenext_small]", lambda r: len(r.load_enqueued()), 1),
        ("budget=2M", lambda r: r.load_budget().params, 2_000_000),
        ("budget=20000", lambda r: r.load_budget().params, 20_000),
        ("space=paper", lambda r: r.load_space().name, "paper"),
    ],
)
def test_any_key_can_be_set_and_survives_the_run_folder(setting, get, value):
    recipe = load(setting)
    assert get(recipe) == value
    again = StudyRecipe.read(parse_yaml(dump_yaml(recipe.to_dict())), where="study.yaml")
    assert again == recipe
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
        ("search.objectives=madds", r"search\.objectives: accuracy must be among the objectives, but got madds"),
        ("search.objectives=[]", r"search\.objectives: accuracy must be among the objectives, but got none"),
        ("search.objectives=[accuracy, acts, acts]", r"search\.objectives: .*once, but got 'acts' twice"),
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
    recipe = StudyRecipe.load(str(path), flags={}, settings=["space.expand_ratio=[3]"])
    assert "expand_ratio" not in [parameter.name for parameter in recipe.load_space().parameters]


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
        StudyRecipe.load(str(path), flags={})
    assert str(path) in str(caught.value)


def test_a_space_is_told_where_it_belongs(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("name: mine\nstages: {}\n")
    with pytest.raises(UserError, match=rf"{path} is a search space, not a study; it belongs behind --space\."):
        StudyRecipe.draft(str(path), flags={})


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("8h", 28_800),
        ("2d", 172_800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("10 m", 600),
        ("0s", 0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "30min", "-5m", "1h30", "1,5h", "5M", "abc", "5m later"])
def test_what_is_no_duration(text):
    with pytest.raises(UserError, match="such as 30m, but got"):
        parse_duration(text)


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days, hours, minutes, seconds):
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def test_a_setting_may_hold_equals_signs():
    assert parse_setting("description=a=b") == ("description", "a=b")


def test_differences_name_keys_and_both_values():
    ours, theirs = load("proxy.epochs=77", "budget=params=1.3M"), load("proxy.epochs=78", "proxy.clip_grad=null")
    assert ours.differences(theirs) == ["proxy.clip_grad: 5.0 / None", "proxy.epochs: 77 / 78"]
    assert ours.differences(ours) == []
    assert load(budget="params=1.3M,madds=1G").differences(load()) == ["budget.madds: 1000000000 / None"]
    assert any(text.startswith("space.") for text in load(space="paper").differences(load()))


def test_a_recipe_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load().search.seed = 3
