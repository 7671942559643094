"""The place where commands with odd inputs are called."""

import errno
import os
import socket
import tempfile

import pytest

from .commands import Place


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """An empty working directory, with home, cache and temporary files beside it; no command may open a port."""
    place = Place(tmp_path / "here", capfd)
    for name in ("here", "TMPDIR"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(place.folder)
    for name in ("HOME", "EDGENEXT_SEARCH_CACHE", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "TMPDIR"))

    def opens(_socket, *address):
        place.ports.append(address)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(socket.socket, "bind", opens)
    monkeypatch.setattr(socket.socket, "listen", opens)
    return place
