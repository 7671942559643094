import pytest

from edgenext_search.data.class_names import difference, read_classes
from edgenext_search.errors import UserError


def test_a_file_of_classes(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("dog\n cat \n")
    assert read_classes(file) == ("dog", "cat")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog\ncat\ndog\n", r"must name each class once, but 'dog' stands in it 2 times"),
        ("dog\n", r"must name at least 2 classes, but names only 'dog'"),
        ("dog\n\ncat", r"line 2 is empty"),
    ],
)
def test_a_file_that_is_no_list_of_classes(tmp_path, text, message):
    file = tmp_path / "classes.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        read_classes(file)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("ab", "ba", ""),
        ("abc", "ab", "1 is missing in the data ('c')"),
        ("ab", "abc", "1 is missing in the model ('c')"),
        ("abcdef", "ag", "5 are missing in the data ('b', 'c', 'd', ...), and 1 is missing in the model ('g')"),
    ],
)
def test_a_difference_names_what_is_missing(ours, theirs, said):
    words = difference(ours, theirs, "the model", "the data")
    assert words == said
