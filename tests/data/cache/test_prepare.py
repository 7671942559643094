import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenext_search.data.cache.cleanup import remove
from edgenext_search.data.cache.prepare import PreparedData, default_cache_dir, open_prepared, prepare
from edgenext_search.data.images import UnreadableImageError
from edgenext_search.errors import UserError


class Plain:
    """Images of one colour each, counted when loaded; those of `broken` cannot be read."""

    demonstration = False

    def __init__(self, n=60, broken=(), name="plain", classes=("a", "b", "c"), content=None):
        self.name = name
        self.content = content or name
        self.classes = classes
        self.labels = np.arange(n, dtype=np.int64) % len(classes)
        self.broken = set(broken)
        self.loaded = 0

    def fingerprint(self):
        return f"{self.content} {len(self.labels)}"

    def former_fingerprint(self):
        return f"{len(self.labels)}"

    def load(self, index, size=None):
        self.loaded += 1
        if index in self.broken:
            raise UnreadableImageError(f"image {index}", "torn")
        return Image.new("RGB", (12, 9), (index % 256, index // 256, 7))


class Streamed(Plain):
    """The same images, in order only."""

    def load(self, index, size=None):
        raise AssertionError("a streamed source is not read at random")

    def stream(self, indices):
        for index in indices.tolist():
            if index in self.broken:
                yield UnreadableImageError(f"image {index}", "torn")
            else:
                yield Image.new("RGB", (12, 9), (index % 256, index // 256, 7))


@pytest.fixture
def ready(tmp_path):
    def call(source, **changes) -> PreparedData:
        settings = {
            "image_size": 6,
            "train_images": None,
            "val_images": None,
            "val_fraction": 0.2,
            "seed": 0,
            "cache_dir": tmp_path / "cache",
            "workers": 2,
        }
        return prepare(source, **{**settings, **changes})

    return call


def indices_of(images):
    """Which images of `Plain` these are."""
    return images[:, 0, 3, 3].astype(int) + 256 * images[:, 1, 3, 3].astype(int)


@pytest.mark.parametrize("kind", [Plain, Streamed])
def test_prepared_images_are_the_sources(ready, kind):
    source = kind()
    data = ready(source)
    assert (data.name, data.classes, data.demonstration, data.image_size) == ("plain", ("a", "b", "c"), False, 6)
    assert data.skipped == ()
    assert data.folder.name == data.fingerprint
    for part, n in ((data.train, 48), (data.val, 12)):
        assert (part.images.shape, part.images.dtype) == ((n, 3, 6, 6), np.uint8)
        assert (part.labels.shape, part.labels.dtype) == ((n,), np.int64)
        assert not part.images.flags.writeable
        assert not part.labels.flags.writeable
        assert isinstance(part.images, np.memmap)
        assert np.array_equal(part.labels, source.labels[indices_of(part.images)])
    both = np.concatenate([indices_of(data.train.images), indices_of(data.val.images)])
    assert np.array_equal(np.sort(both), np.arange(60))


def test_subsets_are_stratified_and_nested(ready):
    small, large = ready(Plain(), train_images=12, val_images=6), ready(Plain(), train_images=24, val_images=6)
    assert (len(small.train.labels), len(small.val.labels)) == (12, 6)
    assert np.bincount(small.train.labels).tolist() == [4, 4, 4]
    assert set(indices_of(small.train.images)) < set(indices_of(large.train.images))
    assert np.array_equal(indices_of(small.val.images), indices_of(large.val.images))


def test_a_hit_touches_no_image_and_reports_no_progress(ready):
    calls = []
    first = ready(Plain(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(16, 60), (32, 60), (48, 60), (60, 60)]
    again = Plain()
    second = ready(again, progress=lambda done, total: calls.append((done, total)))
    assert (again.loaded, len(calls)) == (0, 4)
    assert second.folder == first.folder


def test_workers_do_not_change_the_content(ready, tmp_path):
    one, four = (ready(Plain(), workers=w, cache_dir=tmp_path / str(w)) for w in (0, 4))
    for part in ("train", "val"):
        assert np.array_equal(getattr(one, part).images, getattr(four, part).images)


@pytest.mark.parametrize(
    "change", [{"image_size": 5}, {"train_images": 9}, {"val_images": 9}, {"val_fraction": 0.3}, {"seed": 1}]
)
def test_every_setting_is_part_of_the_key(ready, change):
    assert ready(Plain()).folder != ready(Plain(), **change).folder


def test_the_source_is_part_of_the_key(ready):
    assert len({ready(source).folder for source in (Plain(), Plain(63), Plain(content="other"))}) == 3


def flip_a_pixel(folder):
    with (folder / "train_images.npy").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xaa")


def cut_an_array(folder):
    with (folder / "val_images.npy").open("r+b") as file:
        file.truncate(200)


def lose_a_file(folder):
    (folder / "train_labels.npy").unlink()


def empty_the_description(folder):
    (folder / "meta.json").write_text("")


def lose_a_key(folder):
    meta = json.loads((folder / "meta.json").read_text())
    del meta["rows"]
    (folder / "meta.json").write_text(json.dumps(meta))


def empty_an_array(folder):
    (folder / "val_labels.npy").write_bytes(b"")


def change_the_classes(folder):
    """Still a whole description, but not the one that was written."""
    meta = json.loads((folder / "meta.json").read_text())
    meta["classes"] = meta["classes"][::-1]
    (folder / "meta.json").write_text(json.dumps(meta))


DAMAGES = [
    flip_a_pixel,
    cut_an_array,
    empty_an_array,
    lose_a_file,
    empty_the_description,
    lose_a_key,
    change_the_classes,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_rebuilt(ready, damage):
    folder = ready(Plain()).folder
    damage(folder)
    source = Plain()
    data = ready(source)
    assert source.loaded == 60
    assert data.folder == folder
    assert np.array_equal(data.train.labels, source.labels[indices_of(data.train.images)])
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing else is left behind"


@pytest.mark.parametrize("damage", DAMAGES)
def test_open_prepared_refuses_a_damaged_entry(ready, damage):
    folder = ready(Plain()).folder
    damage(folder)
    with pytest.raises(UserError, match=r"holds no usable prepared images: .*\. Run the command again"):
        open_prepared(folder)


def test_what_changes_while_it_is_open_is_refused_by_the_next_to_open_it(ready):
    """A trial opens the entry again for every rung, long after its checksums were verified."""
    data = ready(Plain())
    open_prepared(data.folder)
    flip_a_pixel(data.folder)
    with pytest.raises(UserError, match=r"train_images\.npy is not as it was written"):
        open_prepared(data.folder)
    cut_an_array(data.folder)
    with pytest.raises(UserError, match="holds no usable prepared images"):
        open_prepared(data.folder)


def test_an_entry_under_another_ones_name_is_not_taken_for_it(ready):
    first, second = ready(Plain()).folder, ready(Plain(), seed=1).folder
    shutil.rmtree(second)
    shutil.copytree(first, second)
    source = Plain()
    ready(source, seed=1)
    assert source.loaded == 60


def test_a_copied_cache_is_whole_and_its_checksums_are_computed_once(ready, monkeypatch):
    folder = ready(Plain()).folder
    for path in folder.glob("*.npy"):
        os.utime(path, (1, 1))
    open_prepared(folder)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("computed again"))
    open_prepared(folder)


def test_an_open_entry_cannot_be_removed(ready):
    data = ready(Plain())
    assert remove(data.folder) is None
    again = open_prepared(data.folder)
    del data
    assert remove(again.folder) is None
    folder = again.folder
    del again
    assert remove(folder) > 0


def test_open_prepared_gives_what_prepare_gave(ready):
    made = ready(Plain(n=3000, broken=[11]))
    opened = open_prepared(made.folder)
    for name in ("folder", "name", "classes", "demonstration", "image_size", "skipped", "fingerprint", "created"):
        assert getattr(opened, name) == getattr(made, name)
    for part in ("train", "val"):
        assert np.array_equal(getattr(opened, part).images, getattr(made, part).images)
        assert np.array_equal(getattr(opened, part).labels, getattr(made, part).labels)


@pytest.mark.parametrize("kind", [Plain, Streamed])
def test_a_few_unreadable_images_are_left_out_without_a_hole(ready, kind):
    source = kind(n=3000, broken=[5, 2990])
    data = ready(source)
    assert sorted(data.skipped) == ["image 2990: torn", "image 5: torn"]
    both = np.concatenate([indices_of(data.train.images), indices_of(data.val.images)])
    assert np.array_equal(np.sort(both), np.setdiff1d(np.arange(3000), [5, 2990]))
    for part in (data.train, data.val):
        assert np.array_equal(part.labels, source.labels[indices_of(part.images)])


@pytest.mark.parametrize(("n", "broken", "tolerated"), [(60, 1, 0), (999, 1, 0), (3000, 4, 3)])
def test_more_unreadable_images_are_refused_and_named(ready, tmp_path, n, broken, tolerated):
    with pytest.raises(UserError, match=rf"\({tolerated} of the {n} of plain\), but {broken} are: image \d+: t"):
        ready(Plain(n=n, broken=range(broken)))
    assert not list((tmp_path / "cache").iterdir())


def test_the_limit_is_that_of_the_whole_set(ready):
    used = indices_of(ready(Plain(n=3000), train_images=30).train.images)
    assert len(ready(Plain(n=3000, broken=used[:2], name="torn"), train_images=30).skipped) == 2


def test_a_class_without_a_readable_image_is_refused(ready):
    source = Plain(n=3000)
    source.labels = np.minimum(np.arange(3000) // 2, 2)
    source.broken = {0, 1}
    with pytest.raises(UserError, match=r"plain has none of 1 \('a'\): image \d: torn"):
        ready(source)


def test_images_not_needed_do_not_count(ready):
    used = set(indices_of(ready(Plain(), train_images=30).train.images))
    held_out = set(indices_of(ready(Plain(), train_images=30).val.images))
    unused = next(iter(set(range(60)) - used - held_out))
    assert ready(Plain(broken=[unused], name="torn elsewhere"), train_images=30).skipped == ()


def test_a_class_of_one_image_is_named(ready):
    source = Plain(n=4)
    with pytest.raises(UserError, match=r"in plain 2 class\(es\) have 1: b, c"):
        ready(source)


def test_an_unwritable_cache_names_the_flag(ready, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .*file.*--cache-dir"):
        ready(Plain(), cache_dir=tmp_path / "file" / "cache")


def test_a_full_disk_names_the_flag_and_leaves_nothing(ready, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"No space left on device.*--cache-dir"):
        ready(Plain())
    assert not list((tmp_path / "cache").iterdir())


def test_an_interrupt_leaves_nothing(ready, tmp_path):
    def stop(done, _total):
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready(Plain(), progress=stop)
    assert not list((tmp_path / "cache").iterdir())
    assert len(ready(Plain()).train.labels) == 48


def test_two_processes_may_prepare_the_same_entry(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from edgenext_search.data import prepare\n"
        "from edgenext_search.data.sources.builtin import BuiltinSource\n"
        "data = prepare(BuiltinSource(n=64), image_size=32, train_images=None, val_images=None, val_fraction=0.25,\n"
        "               seed=0, cache_dir=Path(sys.argv[1]), workers=1)\n"
        "print(data.folder, data.train.images.sum(), data.val.images.sum())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(answers) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EDGENEXT_SEARCH_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/edgenext-search"),
        ({}, "/home/someone/.cache/edgenext-search"),
    ],
)
def test_default_cache_dir(monkeypatch, environment, expected):
    for name in ("EDGENEXT_SEARCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_cache_dir() == Path(expected)


def test_a_user_without_a_home(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "EDGENEXT_SEARCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", str)
    with pytest.raises(UserError, match="give --cache-dir"):
        default_cache_dir()
