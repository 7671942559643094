import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenext_search.errors import UserError
from edgenext_search.files import (
    dump_yaml,
    find_file,
    parse_yaml,
    read_yaml,
    replacing,
    shipped_folder,
    shipped_names,
    write_output,
    write_text,
)

ROOT = Path(__file__).resolve().parent.parent


def test_the_shipped_files_of_a_checkout_lie_at_its_root():
    assert shipped_folder("space") == ROOT / "spaces"
    assert shipped_folder("study") == ROOT / "studies"
    assert {"edgenext", "paper"} <= set(shipped_names("space"))
    assert shipped_names("space") == sorted(shipped_names("space"))


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    """As the wheel lays them: beside the modules."""
    package = tmp_path / "site-packages" / "edgenext_search"
    (package / "spaces").mkdir(parents=True)
    (package / "spaces" / "shipped.yaml").write_text("name: shipped")
    monkeypatch.setattr("edgenext_search.files._PACKAGE", package)
    assert shipped_names("space") == ["shipped"]
    assert find_file("space", "shipped") == package / "spaces" / "shipped.yaml"


def test_found_by_name_or_by_path(tmp_path, monkeypatch):
    assert find_file("space", "edgenext") == ROOT / "spaces" / "edgenext.yaml"
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine")
    assert find_file("space", str(mine)) == mine
    monkeypatch.chdir(tmp_path)
    assert find_file("space", "mine.yaml") == Path("mine.yaml")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_file("space", "~/mine.yaml") == mine


@pytest.mark.parametrize("name", ["edgnext", "edgenext.yml", "spaces/none.yaml", "../spaces/edgenext", ".", ""])
def test_a_miss_says_what_exists(name):
    with pytest.raises(UserError) as caught:
        find_file("space", name)
    assert f"There is no space {name!r}" in str(caught.value)
    assert "neither a file nor one of the shipped spaces" in str(caught.value)
    assert "edgenext, paper" in str(caught.value)


def test_a_mapping_is_read(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb: [1, 2]\nc: größer\n", encoding="utf-8")
    assert read_yaml(path) == {"a": 1, "b": [1, 2], "c": "größer"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n", "x.yaml must hold a mapping of names to values, but holds a list"),
        (b"", "x.yaml must hold a mapping of names to values, but holds nothing"),
        (b"1: 2\n", "x.yaml must hold a mapping of names to values, but one of its names is 1"),
        (b"a: [1\n", r"x.yaml is not YAML: .*line 2, column 1"),
        (b"a: \xff\n", "x.yaml is not YAML: byte 4 is not UTF-8 text"),
        (b"a: 1\nb: x\x00y\n", r"x.yaml is not YAML: line 2, column 5: the character '\\x00' cannot stand here"),
        (b"a:\n\tb: 1\n", "x.yaml is not YAML: line 2, column 1: a tab cannot indent; use spaces"),
        (b"a: 1\nb: 2\na: 3\n", "x.yaml is not YAML: line 3, column 1: the key 'a' is given twice"),
        (b"a: {b: 1, b: 1}\n", "x.yaml is not YAML: line 1, column 11: the key 'b' is given twice"),
        (b"a: &a [*a]\n", "x.yaml is not YAML: line 1: an alias stands inside of the value that it repeats"),
        (b"a: 1" + b"0" * 5000, "x.yaml is not YAML: a number has more than 4,300 digits"),
        (b"a: 2026-13-45", "x.yaml is not YAML: a value cannot be read: month must be in 1..12"),
        (b"a: !!bool x\n", "x.yaml is not YAML: a value does not fit its tag"),
        (b"[" * 5000, "x.yaml is not YAML: its values are nested too deeply"),
        (b"# \n" * 400_000, r"x.yaml must be at most 1,000,000 bytes long"),
        (
            b"a: !!python/object/apply:os.getcwd []\n",
            "x.yaml is not YAML: line 1, column 4: could not determine a constructor",
        ),
    ],
    ids=[
        "list",
        "empty",
        "number as a name",
        "open list",
        "not text",
        "control character",
        "tab",
        "key twice",
        "key twice inside",
        "alias of itself",
        "endless number",
        "no date",
        "wrong tag",
        "deep",
        "long",
        "code",
    ],
)
def test_what_holds_no_mapping_is_refused(tmp_path, content, message):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_aliases_that_multiply_are_refused_at_once():
    ninefold = ", ".join(["*a{}"] * 9)
    lines = ["a0: &a0 1", *(f"a{n}: &a{n} [{ninefold.replace('{}', str(n - 1))}]" for n in range(1, 30))]
    with pytest.raises(ValueError, match=r"^it holds [\d,]+ values once its aliases are followed"):
        parse_yaml("\n".join(lines))


def test_anchors_and_merges_are_fine():
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}"
    assert parse_yaml(text) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 3}}


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "one\r\n")
    write_text(path, "größer")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        raise RuntimeError(temporary.write_text("half"))
    assert path.read_bytes() == "größer".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_user_asked_for_is_written_or_the_reason_told(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "x.txt")
    write_output(tmp_path / "link", "through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "x.txt").read_text() == "through"
    write_output(Path("/dev/null"), "to a device")
    with pytest.raises(UserError, match=r"nowhere/x\.txt cannot be written: No such file or directory"):
        write_output(tmp_path / "nowhere" / "x.txt", "")


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml cannot be read: No such file or directory"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: 1")
    secret.chmod(0)
    if not os.access(secret, os.R_OK):  # root reads everything
        with pytest.raises(UserError, match="cannot be read: Permission denied"):
            read_yaml(secret)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-2.5e-1", -0.25),
        ("010", 10),
        ("yes", "yes"),
        ("6e-6", 6e-6),
        ("1.5", 1.5),
        ("3", 3),
        ("1.3M", "1.3M"),
        ("e5", "e5"),
        ("1e5x", "1e5x"),
        ("99644e6e20e4", "99644e6e20e4"),  # a fingerprint
    ],
)
def test_numbers_are_what_people_mean(text, value):
    read = parse_yaml(text)
    assert read == value
    assert type(read) is type(value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text()
        | st.from_regex(r"\A\d+e\d+\Z"),
        lambda values: st.lists(values) | st.dictionaries(st.text(), values),
        max_leaves=8,
    )
)
def test_values_to_yaml_and_back(values):
    assert parse_yaml(dump_yaml(values)) == values


@pytest.mark.parametrize("line_end", ["\x85", "\u2028", "\u2029", "\r\n"])
def test_line_ends_of_unicode_to_yaml_and_back(line_end):
    values = {line_end: [f"a{line_end}b", line_end]}
    assert parse_yaml(dump_yaml(values)) == values


def test_a_fingerprint_that_looks_like_a_number_stays_text():
    assert parse_yaml(dump_yaml({"fingerprint": "12345e678901"})) == {"fingerprint": "12345e678901"}
