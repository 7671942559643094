import io
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.images import UnreadableImageError
from edgenext_search.data.sources.shards import ShardSource
from edgenext_search.errors import UserError


def jpeg(value):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (value, value, value)).save(file, "JPEG")
    return file.getvalue()


def write_shard(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path):
    """Two shards: six images, a sample without a label, and labels before or after their image."""
    write_shard(
        tmp_path / "photos-train-00.tar",
        [
            ("x/0.jpg", jpeg(0)),
            ("x/0.cls", b"0"),
            ("x/1.cls", b"1\n"),
            ("x/1.JPG", jpeg(40)),
            ("x/2.json", b"{}"),
            ("x/2.jpg", jpeg(1)),
            ("x/3.jpg", jpeg(80)),
            ("x/3.cls", b"0"),
        ],
    )
    write_shard(
        tmp_path / "photos-train-01.tar",
        [
            (f"{i}.{ending}", content)
            for i in range(3)
            for ending, content in (("png", jpeg(120 + 40 * i)), ("cls", b"2"))
        ],
    )
    return tmp_path


@pytest.mark.parametrize("name", ["wds/photos-train-{00..01}.tar", "wds/photos-train-*.tar"])
def test_shards_named_by_a_pattern(shards, name):
    source = ShardSource(name, shards)
    assert source.name == name
    assert source.labels.tolist() == [0, 1, 0, 2, 2, 2]
    assert source.classes == ("0", "1", "2")
    grey = [source.load(i).getpixel((0, 0))[0] for i in reversed(range(6))]
    assert grey == pytest.approx([200, 160, 120, 80, 40, 0], abs=2)


def test_shards_listed_by_timms_info_file(shards):
    split = {"name": "train", "num_samples": 6, "filenames": ["photos-train-01.tar"], "shard_lengths": [3]}
    (shards / "_info.json").write_text(json.dumps({"splits": {"train": split}}))
    assert ShardSource("wds/photos", shards).labels.tolist() == [2, 2, 2]


def test_validation_shards_are_those_of_the_info_file(shards):
    splits = {"train": {"filenames": ["photos-train-00.tar"]}, "validation": {"filenames": ["photos-train-01.tar"]}}
    (shards / "_info.json").write_text(json.dumps({"splits": splits}))
    for name in ("wds/photos", "wds/photos-train-{00..01}.tar"):
        assert ShardSource(name, shards, "val").labels.tolist() == [2, 2, 2]
    (shards / "_info.json").write_text(json.dumps({"splits": {"train": splits["train"]}}))
    with pytest.raises(UserError, match=r"No validation shards of wds/photos found .* splits\.validation"):
        ShardSource("wds/photos", shards, "val")


def test_labels_in_json_and_negative_ones_left_out(tmp_path):
    samples = [("a", 1), ("b", -1), ("c", 0)]
    write_shard(
        tmp_path / "s.tar",
        [m for key, label in samples for m in ((f"{key}.jpg", jpeg(0)), (f"{key}.json", b'{"y": %d}' % label))],
    )
    split = {"filenames": ["s.tar"], "alt_label": "y"}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"train": split}, "classes": ["no", "yes", "spare"]}))
    source = ShardSource("wds/any", tmp_path)
    assert source.labels.tolist() == [1, 0]
    assert source.classes == ("no", "yes", "spare")


def test_the_fingerprint_follows_the_shards(shards):
    name = "wds/photos-train-{00..01}.tar"
    before = ShardSource(name, shards).fingerprint()
    assert ShardSource(name, shards).fingerprint() == before
    os.utime(shards / "photos-train-01.tar", ns=(1, 1))
    copied = ShardSource(name, shutil.copytree(shards, shards.with_name("copied")))
    assert copied.fingerprint() == before
    assert copied.fingerprint(np.arange(1)) != before
    write_shard(shards / "photos-train-01.tar", [("z.jpg", jpeg(0)), ("z.cls", b"0")])
    assert ShardSource(name, shards).fingerprint() != before


def test_a_broken_image_says_where(tmp_path):
    write_shard(tmp_path / "s.tar", [("a.jpg", b"nonsense"), ("a.cls", b"0")])
    with pytest.raises(UnreadableImageError, match=r"s\.tar at byte 512: cannot identify"):
        ShardSource("wds/s.tar", tmp_path).load(0)


def test_missing_shards_are_named(shards):
    with pytest.raises(UserError, match=r"1 of 3 shard\(s\) .* photos-train-02\.tar"):
        ShardSource("wds/photos-train-{00..02}.tar", shards)


def test_no_way_to_find_shards(tmp_path):
    with pytest.raises(UserError, match=r"No training shards .* _info\.json"):
        ShardSource("wds/photos", tmp_path)


def test_compressed_cut_and_unlabelled_shards_are_refused(tmp_path):
    write_shard(tmp_path / "z.tar.gz", [("a.jpg", jpeg(0))], mode="w:gz")
    with pytest.raises(UserError, match="uncompressed"):
        ShardSource("wds/z.tar.gz", tmp_path)
    write_shard(tmp_path / "bare.tar", [("a.jpg", jpeg(0))])
    with pytest.raises(UserError, match="no labelled image"):
        ShardSource("wds/bare.tar", tmp_path)
    (tmp_path / "cut.tar").write_bytes((tmp_path / "bare.tar").read_bytes()[:700])
    with pytest.raises(UserError, match="cannot be indexed"):
        ShardSource("wds/cut.tar", tmp_path)


def shard_of(path, n):
    write_shard(path, [member for i in range(n) for member in ((f"{i}.jpg", jpeg(i)), (f"{i}.cls", b"%d" % (i % 2)))])


def cut_in_the_middle(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_between_members(path):
    with tarfile.open(path) as tar:
        end = tar.getmembers()[3].offset
    path.write_bytes(path.read_bytes()[:end])


def damaged_header(path):
    with tarfile.open(path) as tar:
        place = tar.getmembers()[3].offset
    content = bytearray(path.read_bytes())
    content[place : place + 512] = bytes(range(256)) * 2
    path.write_bytes(content)


def joined_by_cat(path):
    path.write_bytes(path.read_bytes() * 2)


@pytest.mark.parametrize("damage", [cut_in_the_middle, cut_between_members, damaged_header, joined_by_cat])
@pytest.mark.parametrize("lengths", [{}, {"shard_lengths": [4, 5]}])
def test_a_shard_that_lost_samples_is_refused(tmp_path, damage, lengths):
    for name, n in (("0.tar", 4), ("1.tar", 5)):
        shard_of(tmp_path / name, n)
    split = {"filenames": ["0.tar", "1.tar"], **lengths}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"train": split}}))
    assert len(ShardSource("wds/x", tmp_path).labels) == 9
    damage(tmp_path / "1.tar")
    for name in ("wds/x", "wds/{0..1}.tar"):
        with pytest.raises(UserError, match=r"1\.tar .*(cut short|damaged|another archive|unexpected end)"):
            ShardSource(name, tmp_path)
    shard_of(tmp_path / "1.tar", 5)
    assert len(ShardSource("wds/x", tmp_path).labels) == 9


def test_a_shard_with_fewer_samples_than_listed_is_refused(tmp_path):
    shard_of(tmp_path / "0.tar", 4)
    split = {"filenames": ["0.tar"], "num_samples": 6}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"train": split}}))
    with pytest.raises(
        UserError, match=r"0\.tar must hold 6 samples, as _info\.json says, but holds 4\. Fetch it again"
    ):
        ShardSource("wds/x", tmp_path)


def test_an_archive_without_an_end_is_taken_where_its_samples_are_counted(tmp_path):
    shard_of(tmp_path / "0.tar", 4)
    with tarfile.open(tmp_path / "0.tar") as tar:
        tar.getmembers()
        end = tar.offset
    (tmp_path / "0.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:end])
    with pytest.raises(UserError, match="cut short"):
        ShardSource("wds/0.tar", tmp_path)
    split = {"filenames": ["0.tar"], "shard_lengths": [4]}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"train": split}}))
    assert len(ShardSource("wds/x", tmp_path).labels) == 4


def test_samples_that_are_left_out_are_counted(tmp_path):
    members = [("0.jpg", jpeg(0)), ("0.cls", b"0"), ("1.gif", jpeg(0)), ("1.cls", b"1")]
    members += [("2.jpg", jpeg(0)), ("3.jpg", jpeg(0)), ("3.cls", b"-1"), ("._0.jpg", b"x")]
    write_shard(tmp_path / "s.tar", members)
    with tarfile.open(tmp_path / "s.tar", "a") as tar:
        info = tarfile.TarInfo("4.jpg")
        info.type, info.linkname = tarfile.LNKTYPE, "0.jpg"
        tar.addfile(info)
    source = ShardSource("wds/s.tar", tmp_path)
    assert source.labels.tolist() == [0, 1]
    assert source.notes == (
        (
            "wds/s.tar, train: left out: 1 hidden (._0.jpg), 1 images with a negative label (3.jpg), "
            "1 images without a label (2.jpg), 1 links (4.jpg)."
        ),
    )


@pytest.mark.parametrize("value", ["true", "1.5", "null", "1e999", '"cat"'])
def test_a_label_in_json_is_a_whole_number(tmp_path, value):
    write_shard(tmp_path / "s.tar", [("a.jpg", jpeg(0)), ("a.json", f'{{"y": {value}}}'.encode())])
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"train": {"filenames": ["s.tar"], "alt_label": "y"}}}))
    with pytest.raises(UserError, match="must hold the integer field 'y'"):
        ShardSource("wds/x", tmp_path)


def test_a_label_that_is_no_number_is_refused(tmp_path):
    write_shard(tmp_path / "s.tar", [("a.jpg", jpeg(0)), ("a.cls", b"cat")])
    with pytest.raises(
        UserError, match=r"a\.cls in .*s\.tar must hold an integer as the class index, but reads b'cat'"
    ):
        ShardSource("wds/s.tar", tmp_path)


def test_a_broken_info_file_is_refused(tmp_path):
    (tmp_path / "_info.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        ShardSource("wds/photos", tmp_path)
