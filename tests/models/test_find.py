import pytest
from strategies import tiny

from edgenext_search.arch.published import published_variants
from edgenext_search.errors import UserError
from edgenext_search.files import dump_yaml
from edgenext_search.models.find import find_candidate


@pytest.mark.parametrize("name", published_variants())
def test_a_published_variant_by_name(name):
    assert find_candidate(name) == published_variants()[name].candidate


def test_a_file_or_folder_by_path(tmp_path, monkeypatch):
    (tmp_path / "candidate.yaml").write_text(dump_yaml({"candidate": tiny().to_dict()}))
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (tmp_path, tmp_path / "candidate.yaml", "~/candidate.yaml"):
        assert find_candidate(str(path)) == tiny()


def test_a_file_that_is_called_like_a_variant_hides_it_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgenext_small").write_text(dump_yaml(tiny().to_dict()))
    assert find_candidate("edgenext_small") == published_variants()["edgenext_small"].candidate
    assert find_candidate("./edgenext_small") == tiny()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "edgenext_smal",
            r"no 'edgenext_smal': it is neither a file .* variant \(edgenext_xx_small.*mean edgenext_small",
        ),
        (".", r"is not a model folder: it has neither candidate\.yaml nor config\.json"),
    ],
)
def test_what_is_no_candidate(what, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        find_candidate(what)
