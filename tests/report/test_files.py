"""A file is replaced whole or not at all."""

from __future__ import annotations

import pytest

from edgenext_search.report.files import write_atomically


def test_makes_the_folder_and_replaces(tmp_path):
    path = tmp_path / "a" / "page.html"
    write_atomically(path, "one\r\n")
    write_atomically(path, "zwei ±")
    assert path.read_bytes() == "zwei ±".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "page.html"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
