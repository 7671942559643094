"""Tables of paths and labels."""

import pytest
from PIL import Image

from edgenext_search.data.sources.open import open_source
from edgenext_search.errors import UserError

ROWS = [("a.png", "10"), ("b.png", "9"), ("c.png", "9"), ("d.png", "10"), ("deep/e.png", "9"), ("f.png", "10")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for number, (path, _) in enumerate(ROWS):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / path)
    return tmp_path


def table(folder, *lines, name="list.csv"):
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def rows(split=None, sign=","):
    parts = [[*row, *([] if split is None else [split[number]])] for number, row in enumerate(ROWS)]
    return [sign.join(part) for part in parts]


@pytest.mark.parametrize(("name", "sign"), [("list.csv", ","), ("LIST.TSV", "\t")])
@pytest.mark.parametrize("header", [("path", "label", "split"), ("File", "Class", "set")])
def test_columns_say_what_is_what(folder, name, sign, header):
    split = ["train", "train", "val", "val", "Train", "test"]
    path = table(folder, sign.join(header), *rows(split, sign), name=name)
    train, val = open_source(str(path)), open_source(str(path), part="val")
    assert train.name == f"table {name}"
    assert train.classes == val.classes == ("9", "10")  # in the order of numbers, as folders
    assert [train.image_name(row) for row in range(3)] == ["a.png", "b.png", "deep/e.png"]
    assert train.labels.tolist() == [1, 0, 0]
    assert [val.image_name(row) for row in range(2)] == ["c.png", "d.png"]
    assert val.notes == (f"table {name}: val holds the validation images, which no search looks at; not used: test.",)
    assert train.load(2).size == (4, 4)


def test_without_a_split_a_part_is_chosen_by_name(folder):
    path = str(table(folder, "path,label", *rows()))
    train, val = open_source(path), open_source(path, part="val")
    assert (len(train.labels), len(val.labels)) == (4, 2)
    assert "2 of 6 images" in train.notes[0]


def test_parquet_needs_its_library(folder, monkeypatch):
    (folder / "list.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("pandas.read_parquet", lambda _: (_ for _ in ()).throw(ImportError))
    with pytest.raises(UserError, match=r"list\.parquet needs pyarrow, which is missing; `pip install pyarrow`"):
        open_source(str(folder / "list.parquet"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,kind", "a.png,x"], r"one column of each image's label.*has none: its columns are path, kind\.$"),
        (["path,file,label", "a.png,a.png,x"], r"image's path.*has several"),
        (["path,label", "a.png,x", "nowhere.png,y"], r"Row 3 of .* names the image 'nowhere\.png', which is not in"),
        (["path,label", "a.png,x", "./a.png,y"], r"rows 2 and 3 of .* both name '\./a\.png'"),
        (["path,label", "a.png,x", "b.png,x"], r"at least 2 classes, but the labels of .* are \('x',\)"),
        (["path,label,split", "a.png,x,train", "b.png,y,maybe"], r"column split .* but it has 'maybe'"),
        (["path,label,split", "a.png,x,val", "b.png,y,val"], r"has no image for train"),
        (["path,label,split", "a.png,x,train", "b.png,y,val"], r"has none of 'y'"),
        ([], r"cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_one_message(folder, lines, message):
    path = folder / "list.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        open_source(str(path))


def test_rows_that_are_no_text_are_one_message(folder):
    (folder / "list.csv").write_bytes(b"path,label\n\xff\xfe,x\n")
    with pytest.raises(UserError, match=r"The table .*list\.csv cannot be read"):
        open_source(str(folder / "list.csv"))
