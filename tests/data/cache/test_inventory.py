import os

import pytest

from edgenext_search.data.cache.inventory import choose, holdings
from edgenext_search.data.cache.prepare import prepare
from edgenext_search.data.sources.builtin import BuiltinSource
from edgenext_search.errors import UserError


@pytest.fixture
def made(tmp_path):
    def call(seed=0):
        return prepare(
            BuiltinSource(n=64),
            image_size=20,
            train_images=None,
            val_images=None,
            val_fraction=0.25,
            seed=seed,
            cache_dir=tmp_path,
            workers=1,
        )

    return call


def test_a_holding_is_described(made, tmp_path):
    data = made()
    (holding,) = holdings(tmp_path)
    assert (holding.entry, holding.folder, holding.name) == (data.fingerprint, data.folder, "built-in")
    assert (holding.classes, holding.train_images, holding.val_images, holding.image_size) == (16, 48, 16, 20)
    assert holding.bytes == sum(path.stat().st_size for path in data.folder.iterdir()) > 64 * 3 * 20 * 20
    assert holding.damage is None
    assert holding.used
    assert holding.created == data.created
    assert data.created <= holding.last_used
    del data
    assert not holdings(tmp_path)[0].used


def test_damage_is_told_by_size_at_once_and_in_any_case_by_verifying(made, tmp_path):
    folder = made().folder
    with (folder / "train_images.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"other bytes")
    for verify in (False, True):  # the time of change gives it away
        assert holdings(tmp_path, verify=verify)[0].damage == "train_images.npy is not as it was written"
    (folder / "train_images.npy").write_bytes(b"")
    assert "cannot be opened" in holdings(tmp_path)[0].damage


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": 3, "rows": []}'])
def test_an_entry_without_a_description_is_still_listed(made, tmp_path, text):
    folder = made().folder
    (folder / "meta.json").write_text(text)
    (holding,) = holdings(tmp_path)
    assert holding.entry == folder.name
    assert holding.damage
    assert (holding.name, holding.classes, holding.train_images) == (None, None, None)


def test_looking_at_an_entry_that_nobody_has_opened_is_no_use(made, tmp_path):
    folder = made().folder
    (folder / "lock").unlink()
    os.utime(folder / "meta.json", (1e9, 1e9))
    for _ in range(2):
        (holding,) = holdings(tmp_path)
        assert holding.last_used.startswith("2001-09-09")
        assert not holding.used


def test_entries_are_chosen_by_their_first_letters(made, tmp_path):
    first, second = made(0).folder, made(1).folder
    assert choose(tmp_path, [first.name[:6], second.name, second.name[:5]]) == [first, second]
    with pytest.raises(UserError, match=r"has no entry 'zz'; `edgenext-search data info` lists the 2 that it has\."):
        choose(tmp_path, ["zz"])
    with pytest.raises(UserError, match="has no entry ''"):
        choose(tmp_path, [""])
    (tmp_path / f"{first.name[:19]}{'0' if first.name[19] != '0' else '1'}").mkdir()
    with pytest.raises(UserError, match=rf"2 entries of .* begin with '{first.name[:19]}'.*Give more letters"):
        choose(tmp_path, [first.name[:19]])


def test_no_cache_holds_nothing(tmp_path):
    assert holdings(tmp_path / "none") == []
