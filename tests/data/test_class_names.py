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
        ("abc", "ab", "the data lack 1 that the model have ('c')"),
        ("ab", "abc", "the model lack 1 that the data have ('c')"),
        ("abcdef", "ag", "the data lack 5 that the model have ('b', 'c', 'd', ...), and the model lack 1 that"),
    ],
)
def test_a_difference_names_what_is_missing(ours, theirs, said):
    words = difference(ours, theirs, "the model", "the data")
    assert words.startswith(said)
    assert bool(words) == bool(said)
