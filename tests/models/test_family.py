import pytest

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.published import published_variant
from edgenext_search.arch.scaling import RULES, parse_budgets, scale_family
from edgenext_search.errors import UserError
from edgenext_search.files import read_yaml
from edgenext_search.models.family import budget_name, save_family
from edgenext_search.models.find import find_candidate

XS = published_variant("edgenext_x_small").candidate


@pytest.fixture(scope="module")
def members():
    return scale_family(XS, parse_budgets("0.6M,1.3M"), RULES["w-dominant"], Deployment(num_classes=10))


def test_saved_members_are_read_like_any_candidate(tmp_path, members):
    places = save_family(members, RULES["w-dominant"], tmp_path / "family")
    assert [place.name for place in places] == ["600k", "1.3M"]
    for place, member in zip(places, members, strict=True):
        assert find_candidate(str(place)) == find_candidate(str(place / "candidate.yaml")) == member.candidate
    facts = read_yaml(places[0] / "candidate.yaml")
    assert facts["deployment"] == {"num_classes": 10, "img_size": members[0].deployment.img_size}
    assert facts["scaling"]["budget"] == {"params": 600_000}
    assert facts["params"] == members[0].cost.params
    assert save_family(members, RULES["w-dominant"], tmp_path / "family") == places


def test_a_folder_of_something_else_is_left_alone(tmp_path, members):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "study.yaml").write_text("")
    with pytest.raises(UserError, match="holds something else than a family; give another folder with --out"):
        save_family(members, RULES["width"], tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["study.yaml"]


def test_a_place_that_is_a_file(tmp_path, members):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="--out"):
        save_family(members, RULES["width"], tmp_path / "file")


def test_names_of_budgets():
    names = [budget_name(budget) for budget in parse_budgets("params=1.3M;params=1.3M,madds=0.26G;memory=2MB")]
    assert names == ["1.3M", "params1.3M-madds260M", "memory2MB"]
