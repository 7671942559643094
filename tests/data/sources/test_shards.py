import io
import json
import tarfile

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
