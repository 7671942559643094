import errno
import os
import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data import formats
from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.sources.class_folders import FolderSource
from edgenext_search.errors import UserError


def add_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 8), (value, value, value)).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two classes with three images each, JPEG and PNG, one in a subfolder."""
    root = tmp_path / "photos"
    for value, name in enumerate(
        ["cat/1.jpg", "cat/2.PNG", "cat/deep/er/3.jpeg", "dog/a.jpg", "dog/b.jpg", "dog/c.jpg"]
    ):
        add_image(root / "train" / name, value * 40)
    return root


def test_a_folder_is_read_in_timms_order(photos):
    source = FolderSource(photos)
    assert source.name == "folder photos"
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.labels.dtype == np.int64
    assert not source.demonstration
    grey = [source.load(i).getpixel((0, 0))[0] for i in range(6)]
    assert grey == pytest.approx([0, 40, 80, 120, 160, 200], abs=2)


def test_class_numbers_agree_with_timms_own_reader(tmp_path):
    for name in ["10", "2", "b1", "B10", "a"]:
        add_image(tmp_path / "train" / name / "x.jpg")
    from timm.data import create_dataset

    ours = {name: label for label, name in enumerate(FolderSource(tmp_path).classes)}
    assert create_dataset("", root=str(tmp_path), split="train").reader.class_to_idx == ours


@pytest.mark.parametrize("ending", ["jfif", "JPE", "gif", "webp", "tif", "bmp", "ppm", "jp2", "qoi", "ico", "avif", ""])
def test_what_pillow_reads_is_read(photos, ending):
    """A file without extension is looked into."""
    image_format = Image.registered_extensions().get(f".{ending}".lower(), "PNG")
    if image_format not in Image.SAVE or (image_format == "PNG" and ending):
        pytest.skip("this Pillow does not write it")
    path = photos / "train" / "cat" / f"0.{ending}".rstrip(".")
    Image.new("RGB", (16, 16), "red").save(path, image_format)
    source = FolderSource(photos)
    assert (source.image_name(0), source.notes) == (f"cat/{path.name}", ())
    assert source.load(0).getpixel((3, 3))[0] > 200


def test_a_plugin_of_pillow_adds_its_formats(monkeypatch):
    registered = []
    plugin = SimpleNamespace(register_heif_opener=lambda: registered.append("heif"))
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: name == "pillow_heif" or None)
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    formats.image_formats.__wrapped__()
    assert registered == ["heif"]


def other_files(cat):
    (cat / "notes.txt").write_text("x")
    (cat / "README").write_text("x")
    (cat / "Thumbs.db").write_text("x")
    (cat / "Icon\r").write_text("")
    (cat / "scan.eps").write_text("%!PS-Adobe")


def hidden(cat):
    add_image(cat / "._1.jpg")
    add_image(cat / ".ipynb_checkpoints" / "1.jpg")


def thumbnails_of_a_file_server(cat):
    add_image(cat / "@eaDir" / "1.jpg" / "SYNOPHOTO_THUMB_M.jpg")
    add_image(cat / "__MACOSX" / "x.jpg")


def no_classes_of_the_system(cat):
    add_image(cat.parent / "lost+found" / "x.jpg")
    add_image(cat.parent / ".trash" / "x.jpg")


def a_pipe_and_a_socket(cat):
    os.mkfifo(cat / "0.jpg")
    with socket.socket(socket.AF_UNIX) as end:
        here = Path.cwd()
        os.chdir(cat)  # such paths may have 108 bytes only
        end.bind("00.jpg")
        os.chdir(here)


def images_beside_the_classes(cat):
    add_image(cat.parent / "x.jpg")


def other_bytes(cat):
    (cat / os.fsdecode(b"caf\xe9\n.txt")).write_text("")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            other_files,
            (
                "2 without extension (cat/Icon\\r, cat/README), 1 .db (cat/Thumbs.db), 1 .eps (cat/scan.eps), "
                "1 .txt (cat/notes.txt)"
            ),
        ),
        (hidden, "2 hidden (cat/._1.jpg, cat/.ipynb_checkpoints)"),
        (thumbnails_of_a_file_server, "2 of the system (cat/@eaDir, cat/__MACOSX)"),
        (no_classes_of_the_system, "1 hidden (.trash), 1 of the system (lost+found)"),
        (a_pipe_and_a_socket, "2 pipes, sockets or devices (cat/0.jpg, cat/00.jpg)"),
        (images_beside_the_classes, "1 beside the class folders (x.jpg)"),
        (other_bytes, r"1 .txt (cat/caf\xe9\n.txt)"),
    ],
)
def test_what_is_left_out_is_counted_and_named_in_one_line(photos, make, said):
    make(photos / "train" / "cat")
    source = FolderSource(photos)
    assert (source.classes, len(source.labels)) == (("cat", "dog"), 6)
    assert source.notes == (f"folder photos, train/: left out, as no images: {said}.",)


def test_many_kinds_are_summed_up(photos):
    for number in range(20):
        for copy in range(3):
            (photos / "train/dog" / f"{copy}.x{number:02}").write_text("")
    (note,) = FolderSource(photos).notes
    assert note.count("(") == 6
    assert "3 .x00 (dog/0.x00, dog/1.x00, ...)" in note
    assert note.endswith("42 of 14 other kinds.")


def test_classes_that_differ_by_case_are_told(photos):
    add_image(photos / "train" / "Cat" / "x.jpg")
    source = FolderSource(photos)
    assert source.classes == ("Cat", "cat", "dog")
    assert source.notes == ("folder photos, train/: classes that differ by case alone: 'Cat', 'cat'.",)


def test_names_in_another_encoding_are_read_and_printed(photos):
    name = os.fsdecode(b"caf\xe9.jpg")
    (photos / "train/cat" / name).write_bytes(b"nonsense")
    source = FolderSource(photos)
    (row,) = (row for row in range(7) if source.image_name(row).endswith(name))
    with pytest.raises(UnreadableImageError, match=r"/caf\\xe9\.jpg: cannot identify"):
        source.load(row)


def link(at, to):
    def make(root):
        path = root / at
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(root / to if "/" in to else to)

    return make


def remove(*paths):
    def mend(root):
        for path in paths:
            shutil.rmtree(root / path) if (root / path).is_dir() and not (root / path).is_symlink() else (
                root / path
            ).unlink()

    return mend


def broken_class_in_both_parts(root):
    link("train/emu", "missing/emu")(root)
    for name in ("cat", "dog", "emu"):
        add_image(root / "val" / name / "x.jpg")


def empty_class_in_both_parts(root):
    (root / "train" / "emu").mkdir()
    add_image(root / "val" / "emu" / "x.jpg")


def folder(name):
    return lambda root: add_image(root / "train" / name / "x.jpg")


def two(*names):
    return lambda root: [add_image(root / "train" / name / "x.jpg") for name in names]


@pytest.mark.parametrize(
    ("make", "message", "mend"),
    [
        (
            link("train/emu", "missing/emu"),
            r"train/emu leads to .*missing/emu, which is not there",
            remove("train/emu"),
        ),
        (broken_class_in_both_parts, r"or remove .*train/emu and .*val/emu\.$", remove("train/emu", "val/emu")),
        (
            link("train/cat/4.jpg", "missing/4.jpg"),
            r"cat/4\.jpg leads to .*, which is not there",
            remove("train/cat/4.jpg"),
        ),
        (link("train/cat/more", "missing/more"), r"cat/more leads to .*, or remove", remove("train/cat/more")),
        (link("train/cat/4.jpg", "4.jpg"), r"4\.jpg leads in a circle; remove", remove("train/cat/4.jpg")),
        (
            link("train/cat/up", "train/cat"),
            r"cat/up is the same as .*cat: .* Remove .*cat/up\.",
            remove("train/cat/up"),
        ),
        (link("train/cat/up", "train/"), r"cat/up/cat is the same as .*train/cat: ", remove("train/cat/up")),
        (link("train/kitty", "train/cat"), r"kitty is the same as .*cat: .*twice\. Remove", remove("train/kitty")),
        (
            empty_class_in_both_parts,
            r"has no images\. .* remove .*train/emu and .*val/emu\.",
            remove("train/emu", "val/emu"),
        ),
        (
            folder(os.fsdecode(b"\xe9mu")),
            r"printable UTF-8, but .* holds \\xe9mu\.",
            remove(os.fsdecode(b"train/\xe9mu")),
        ),
        (folder("e\nmu"), r"printable UTF-8, but .* holds e\\nmu\.", remove("train/e\nmu")),
        (two("\xe9mu", "e\u0301mu"), r"holds '.*' and '.*'\. Join or rename", remove("train/\xe9mu")),
        (folder("cat "), r"holds 'cat' and 'cat '\. Join", remove("train/cat ")),
    ],
)
def test_a_tree_that_deceives_is_refused_and_read_once_mended_as_it_says(photos, make, message, mend):
    make(photos)
    with pytest.raises(UserError, match=message):
        FolderSource(photos)
    mend(photos)
    FolderSource(photos)


@pytest.mark.parametrize(
    ("code", "where", "message"),
    [
        (
            errno.EACCES,
            "train/cat",
            r"train/cat cannot be listed: Permission denied\. Make it readable \(chmod -R u\+rX\)",
        ),
        (errno.EACCES, "train/cat/deep", r"cat/deep cannot be listed: Permission denied"),
        (errno.ESTALE, "train/cat/deep", r"cat/deep cannot be listed: .*\. Its disk or network drive does not answer"),
        (errno.EIO, "train", r"train cannot be listed: Input/output error\. Its disk"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_an_error(photos, monkeypatch, code, where, message):
    """The user of a container may read everything, so the failure is staged."""
    scandir = os.scandir

    def fail(path):
        if path == str(photos / where):
            raise OSError(code, os.strerror(code), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(UserError, match=message):
        FolderSource(photos)


def test_a_class_of_val_without_images(photos):
    for name in ("cat", "dog", "emu"):
        add_image(photos / "train" / name / "x.jpg")
        add_image(photos / "val" / name / "x.jpg")
    (photos / "val/emu/x.jpg").unlink()
    with pytest.raises(UserError, match=r"before a training remove .*val/emu and .*train/emu\.$"):
        FolderSource(photos, "val")
    remove("train/emu", "val/emu")(photos)
    assert FolderSource(photos).classes == FolderSource(photos, "val").classes == ("cat", "dog")


def test_val_that_is_train_is_refused(photos):
    (photos / "val").symlink_to("train")
    assert len(FolderSource(photos).labels) == 6
    with pytest.raises(UserError, match=r"they are the same folder: .* Put images into val/ that are not in train/"):
        FolderSource(photos, "val")


def test_a_class_of_val_that_only_looks_like_one_of_train(photos):
    add_image(photos / "train" / "\xe9mu" / "x.jpg")
    add_image(photos / "val" / "e\u0301mu" / "x.jpg")
    with pytest.raises(UserError, match=r"Written 'e\\u0301mu' there, '\\xe9mu' in train/"):
        FolderSource(photos)


def test_the_fingerprint_follows_names_sizes_and_bytes_but_neither_the_place_nor_times(photos):
    before = FolderSource(photos).fingerprint()
    moved = photos.rename(photos.with_name("moved"))
    image = moved / "train/cat/1.jpg"
    os.utime(image, ns=(1, 1))
    seen = [FolderSource(moved).fingerprint()]
    assert seen == [before]
    content = image.read_bytes()
    for changed in (content[:-1] + bytes([content[-1] ^ 1]), content + b"0"):
        image.write_bytes(changed)
        seen.append(FolderSource(moved).fingerprint())
    image.rename(moved / "train/cat/0.jpg")
    seen.append(FolderSource(moved).fingerprint())
    assert len(set(seen)) == 4


def test_the_fingerprint_of_some_images_is_theirs_whatever_becomes_of_the_others(photos):
    source = FolderSource(photos)
    rows = np.arange(1, len(source.labels))
    some = source.fingerprint(rows)
    assert some != source.fingerprint()
    (photos / "train" / source.image_name(0)).unlink()
    assert FolderSource(photos).fingerprint() == some


def test_an_unreadable_image_says_where_and_why(photos):
    (photos / "train/cat/1.jpg").write_bytes(b"nonsense")
    (photos / "train/cat/2.PNG").unlink()
    source = FolderSource(photos)
    with pytest.raises(UnreadableImageError, match=r"1\.jpg: cannot identify"):
        source.load(0)
    gone = FolderSource(photos)
    (photos / "train/dog/a.jpg").unlink()
    with pytest.raises(UnreadableImageError, match=r"a\.jpg: No such file"):
        gone.load(2)


def test_a_valid_val_folder_is_accepted_and_not_read(photos):
    (photos / "val/cat").mkdir(parents=True)
    (photos / "val/cat/broken.jpg").write_bytes(b"nonsense")
    assert len(FolderSource(photos).labels) == 6


def empty(_root: Path) -> None:
    """Nothing at all."""


def without_train(root):
    (root / "cats").mkdir()
    (root / "list.csv").write_text("")


def files_in_train(root):
    for i in range(3):
        add_image(root / "train" / f"{i}.jpg")


def empty_class(root):
    add_image(root / "train/cat/x.jpg")
    (root / "train/dog").mkdir()
    (root / "train/dog/notes.txt").write_text("")


def one_class(root):
    add_image(root / "train/cat/x.jpg")


def stranger_in_val(root):
    for name in ("train/cat", "train/dog", "val/cat", "val/bird", "val/emu"):
        add_image(root / name / "x.jpg")


def test_the_folder_of_a_part_is_not_the_data(tmp_path):
    for name in ("train/cat", "train/dog"):
        add_image(tmp_path / name / "x.jpg")
    with pytest.raises(UserError, match=rf"has no folder train/; .* Did you mean {tmp_path}\?$"):
        FolderSource(tmp_path / "train")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, r"has no folder train/; it is empty\. Expected train/<class>/"),
        (without_train, r"has no folder train/; found the folder\(s\) cats and 1 file\(s\) directly inside"),
        (files_in_train, r"train has no class folders; found no folder and 3 file\(s\) directly inside\. Expected"),
        (
            empty_class,
            r"class folder .*dog has no images, only 1 other file\. Add some, such as \.jpg or \.png files\.$",
        ),
        (one_class, r"at least 2 classes, but .* holds only 'cat'"),
        (stranger_in_val, r"has 2 that train/ lacks: bird, emu\."),
    ],
)
def test_another_layout_is_refused_with_what_was_found(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        FolderSource(tmp_path)
