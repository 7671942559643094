import json

import pytest
from broken_spaces import BROKEN, WHOLE

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.files import shipped_names

from ..helpers import call, call_json, refusal

CAP = 1_300_000


def sample(*arguments):
    result = call("space", "sample", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_candidates_within_the_budget():
    arguments = ["--budget", "1.3M", "--num-classes", "10", "--img-size", "64"]
    text = sample(*arguments, "-n", "40")
    lines = [json.loads(line) for line in text.splitlines()]
    assert len({line["fingerprint"] for line in lines}) == len(lines) == 40
    for line in lines:
        candidate = Candidate.from_dict(line["candidate"])  # refuses what is not legal
        costs = cost(candidate, Deployment(num_classes=10, img_size=64)).to_dict()
        assert line == {"candidate": line["candidate"], "fingerprint": candidate.fingerprint, **costs}
        assert 0.95 * CAP <= line["params"] <= CAP
    assert text.startswith(sample(*arguments, "-n", "3", "--seed", "0"))
    assert sample(*arguments, "-n", "3", "--seed", "1") != sample(*arguments, "-n", "3")


def test_text_for_people_has_the_conditions():
    text = call("space", "sample", "--space", "paper", "--budget", "params=1.3M,madds=260M", "-n", "3").stdout
    first, *rest = text.splitlines()
    assert first == "3 candidates of paper within params=1.3M,madds=260M at 1000 classes, 256x256 px"
    assert len(rest) == 3
    assert all("params 1,2" in line or "madds 2" in line for line in rest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "1.3"], "did you mean 1.3M?"),
        (
            ["--budget", "12k"],
            "The budget params=12k cannot be reached: the smallest candidate of space 'edgenext' has",
        ),
        (["--budget", "1.3M", "--space", "nowhere"], "There is no space 'nowhere'"),
        (["--budget", "flops=1G"], "did you mean madds?"),
        (["--budget", "1.3M", "--num-classes", "0"], "num_classes"),
    ],
)
def test_what_cannot_be_sampled(arguments, message):
    assert message in refusal("space", "sample", *arguments)


@pytest.mark.parametrize("name", shipped_names("space"))
def test_what_a_space_varies(name):
    shown = call_json("space", "show", name)
    assert shown["name"] == name
    assert shown["stages"]
    for domain in shown["parameters"].values():
        assert domain.keys() == {"min", "max"} if isinstance(domain, dict) else len(domain) > 1
    text = call("space", "show", name).stdout
    assert all(parameter in text for parameter in shown["parameters"])


def test_the_default_space():
    assert call_json("space", "show")["name"] == "edgenext"
    assert call_json("space", "show", "edgenext")["parameters"]["stage3.depth"] == list(range(2, 13))


def test_what_is_shown_is_a_space_file(tmp_path):
    shown = call_json("space", "show", "paper")
    parameters, no_effect = shown.pop("parameters"), shown.pop("no_effect")
    (tmp_path / "mine.yaml").write_text(json.dumps(shown))
    again = call_json("space", "show", tmp_path / "mine.yaml")
    assert again == {**shown, "parameters": parameters, "no_effect": no_effect}


def test_a_space_that_is_not_there():
    assert "edgenext, paper" in refusal("space", "show", "papre")


def space_file(tmp_path, content=WHOLE):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    return path


IDLE = """\
name: idle
shared: {depth: [1, 2], sdta_blocks: 0, heads: [4, 8]}
stages:
  - {kernel_size: {min: 3, max: 7, step: 2}, sdta_splits: [2, 3]}
  - {}
  - {width_ratio: {min: 1, max: 2, step: 0.3}}
  - {}
"""


@pytest.mark.parametrize("command", ["show", "size", "check"])
def test_every_command_refuses_it(tmp_path, command):
    content, beginning = BROKEN["unknown field"]
    path = space_file(tmp_path, content)
    assert refusal("space", command, path, "--json").startswith(f"{path}{beginning}")


@pytest.mark.parametrize("name", shipped_names("space"))
def test_a_shipped_space_has_no_idle_key(name):
    checked = call_json("space", "check", name)
    assert checked["space"] == name
    assert len(checked["parameters"]) > 8
    assert checked["no_effect"] == checked["alike"] == checked["not_reached"] == []
    assert checked["budget"] is checked["deployment"] is checked["smallest"] is None
    assert "Every key and every choice has an effect." in call("space", "check", name).stdout


def test_what_changes_nothing_is_told(tmp_path):
    path = space_file(tmp_path, IDLE)
    checked = call_json("space", "check", path)
    assert checked["parameters"] == ["stage3.width_ratio", "depth", "stage1.kernel_size"]
    assert [entry["key"] for entry in checked["no_effect"]] == ["stages.1.sdta_splits", "shared.heads"]
    (end,) = checked["not_reached"]
    assert (end["key"], end["max"]) == ("stages.3.width_ratio", 2)
    assert end["largest"] == pytest.approx(1.9)
    text = call("space", "check", path).stdout
    assert "No effect: stages.1.sdta_splits, as stage 1 has no SDTA blocks." in text
    assert "No effect: shared.heads, as every stage has no SDTA blocks." not in text
    assert "No effect: shared.heads, as no stage has SDTA blocks." in text
    shown = call("space", "show", path).stdout
    assert "No effect: shared.heads" in shown
    assert call_json("space", "show", path)["no_effect"] == checked["no_effect"]


def test_choices_that_are_the_same_are_told(tmp_path):
    path = space_file(tmp_path, WHOLE.replace("sdta_blocks: 1,", "sdta_blocks: [0, 2, 3],"))
    assert call_json("space", "check", path)["alike"] == [{"key": "stages.2.sdta_blocks", "values": [2, 3]}]
    assert "The same networks: stages.2.sdta_blocks 2 and 3." in call("space", "check", path).stdout


def test_whether_a_budget_can_be_reached():
    checked = call_json("space", "check", "edgenext", "--budget", "1.3M", "--num-classes", "10")
    smallest = checked["smallest"]
    assert checked["budget"] == {"params": CAP}
    assert checked["deployment"] == {"num_classes": 10, "img_size": 256}
    costs = cost(Candidate.from_dict(smallest["candidate"]), Deployment(num_classes=10)).to_dict()
    assert {key: smallest[key] for key in costs} == costs
    assert (
        f"params {costs['params']:,}"
        in call("space", "check", "edgenext", "--budget", "1.3M", "--num-classes", "10").stdout
    )
    assert "cannot be reached: the smallest" in refusal("space", "check", "edgenext", "--budget", "12k")


def test_the_size_of_a_space_is_sampled():
    arguments = ["space", "size", "edgenext", "--budget", "1.3M", "--samples", "50", "--seed", "3"]
    size = call_json(*arguments)
    assert (size["space"], size["seed"], size["samples"], size["exact"]) == ("edgenext", 3, 50, False)
    assert size["continuous"] == ["stage2.width_ratio", "stage3.width_ratio", "stage4.width_ratio"]
    assert size["assignments"] > 10**6
    assert 45 <= size["shapes"] <= size["candidates"] == 50
    text = " ".join(call(*arguments).stdout.split())
    assert "times 3 continuous width ratios (stage2.width_ratio" in text
    assert (
        f"50 random ones (seed 3) build {size['shapes']} different shapes, and 50 candidates within params=1.3M" in text
    )


def test_a_small_space_is_counted_completely(tmp_path):
    path = space_file(tmp_path)
    size = call_json("space", "size", path, "--budget", "1M", "--num-classes", "10")
    assert (size["assignments"], size["exact"], size["shapes"], size["candidates"]) == (4, True, 4, 4)
    assert (size["budget"], size["deployment"]["num_classes"]) == ({"params": 1_000_000}, 10)
    without = call_json("space", "size", path)
    assert without["budget"] is without["deployment"] is without["candidates"] is None
    assert "All 4 of them build 4 different shapes." in call("space", "size", path).stdout


def test_text_fits_a_narrow_terminal(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "60")
    path = space_file(tmp_path, IDLE)
    monkeypatch.chdir(tmp_path)
    for arguments in (["size", "edgenext", "--budget", "1.3M", "--samples", "50"], ["check", path.name], ["show"]):
        assert max(map(len, call("space", *arguments).stdout.splitlines())) <= 60


def test_the_schema_is_printed_or_written(tmp_path):
    printed = call("space", "schema").stdout
    assert json.loads(printed)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert call("space", "schema", "--out", tmp_path / "space.json").stdout == ""
    assert (tmp_path / "space.json").read_text() == printed
    assert "cannot be written" in refusal("space", "schema", "--out", tmp_path / "nowhere" / "space.json")
