import json

import pytest

from edgenext_search.arch.candidate import Candidate
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.files import shipped_names

from .helpers import call, call_json, refusal

CAP = 1_300_000


def sample(*arguments):
    result = call("space", "sample", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_two_thousand_candidates_within_the_budget():
    arguments = ["--space", "edgenext", "--budget", "1.3M", "-n", "2000", "--seed", "0"]
    text = sample(*arguments)
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 2000
    assert {frozenset(line) for line in lines} == {frozenset({"candidate", "fingerprint", "params", "madds", "acts"})}
    assert max(line["params"] for line in lines) <= CAP
    assert sum(line["params"] >= 0.95 * CAP for line in lines) >= 1980
    for line in lines:
        candidate = Candidate.from_dict(line["candidate"])  # refuses what is not legal
        assert candidate.fingerprint == line["fingerprint"]
        assert cost(candidate, Deployment()).to_dict().items() <= line.items()
    assert len({line["fingerprint"] for line in lines}) > 1900
    assert sample(*arguments) == text


def test_another_seed_draws_others():
    first, second = (sample("--budget", "1.3M", "-n", "5", "--seed", seed) for seed in "01")
    assert first != second
    assert len(first.splitlines()) == len(second.splitlines()) == 5


def test_more_of_a_seed_begin_the_same():
    assert sample("--budget", "1.3M", "-n", "9").startswith(sample("--budget", "1.3M", "-n", "3"))


def test_the_deployment_counts():
    lines = sample("--budget", "1.3M", "-n", "5", "--num-classes", "10", "--img-size", "64").splitlines()
    for line in map(json.loads, lines):
        assert (
            cost(Candidate.from_dict(line["candidate"]), Deployment(num_classes=10, img_size=64)).params
            == line["params"]
        )
        assert 0.95 * CAP <= line["params"] <= CAP


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
