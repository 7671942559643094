import shlex
import threading
import time

import pytest

from edgenext_search.errors import UserError
from edgenext_search.latency.devices import ssh
from edgenext_search.latency.devices.device import DeviceError
from edgenext_search.latency.devices.open import open_device
from edgenext_search.latency.devices.ssh import SshDevice
from edgenext_search.latency.measurement import MeasureSettings

from ..conftest import script
from ..device_conformance import QUICK, DeviceConformance
from ..networks import convolutions

LONG = MeasureSettings(seconds=30, precision=1e-9)


class TestSsh(DeviceConformance):
    """Against a real OpenSSH server."""

    @pytest.fixture
    def device(self, server):
        return open_device(server.url())

    @pytest.fixture
    def left_behind(self, server):
        return server.left_behind


@pytest.fixture
def model(tmp_path):
    return convolutions(tmp_path / "model.onnx", 1)


def trouble(device, *arguments, **others):
    with pytest.raises(DeviceError) as raised:
        device.measure(*arguments, **others) if arguments else device.check()
    assert len(str(raised.value).splitlines()) == 1
    assert "127.0.0.1" in str(raised.value)
    return str(raised.value), raised.value.transient


def test_a_server_that_stops_in_the_middle_and_comes_back(server, model):
    device = open_device(server.url())

    def stop():
        while not server.left_behind():
            time.sleep(0.05)
        server.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    message, transient = trouble(device, [model], settings=LONG)
    stopper.join()
    assert "the connection was lost" in message
    assert transient
    message, transient = trouble(device, [model], settings=QUICK)
    assert "nothing answers there; is the ssh server running" in message
    assert transient
    for _ in range(100):  # what measured there notices that nobody listens
        if not server.left_behind():
            break
        time.sleep(0.1)
    assert server.left_behind() == []
    server.start()
    assert device.measure([model], settings=QUICK)[0].p50 > 0


def test_a_host_key_that_is_not_known(server):
    server.known_hosts.write_text("")
    message, transient = trouble(open_device(server.url()))
    assert "its host key is not known here; connect once by hand" in message
    assert not transient


def test_a_host_key_that_has_changed(server):
    server.trust("other_key")
    message, transient = trouble(open_device(server.url()))
    assert "its host key is not the known one" in message
    assert not transient


def test_a_key_that_is_not_let_in(server):
    message, transient = trouble(open_device(server.url(key=server.folder / "other_key")))
    assert "it refuses the login; load your key with ssh-add" in message
    assert not transient


def test_no_python_there(server):
    message, transient = trouble(open_device(server.url(python="/opt/none/python3")))
    assert "has no /opt/none/python3" in message
    assert "?python=PATH" in message
    assert not transient


def test_no_onnxruntime_there(server, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('No module named onnxruntime')")
    python = script(tmp_path / "python", f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {shlex.quote(ssh_python())} "$@"\n')
    message, transient = trouble(open_device(server.url(python=python)))
    assert "has no usable onnxruntime (No module named onnxruntime); install it there:" in message
    assert not transient


def ssh_python():
    import sys

    return sys.executable


def test_a_full_disk_there(server, model, tmp_path):
    python = script(tmp_path / "python", f'#!/bin/sh\nulimit -f 1\ntrap "" XFSZ\nexec {ssh_python()} "$@"\n')
    message, transient = trouble(open_device(server.url(python=python)), [model], settings=QUICK)
    assert "has no room for its temporary files" in message
    assert not transient
    assert server.left_behind() == []


def test_a_login_that_talks(server, model, tmp_path):
    python = script(tmp_path / "my python", f'#!/bin/sh\necho "Welcome {{}} to this board"\nexec {ssh_python()} "$@"\n')
    device = open_device(server.url(python=str(python).replace(" ", "%20")))
    assert device.measure([model], settings=QUICK)[0].p50 > 0


def test_nothing_of_the_user_is_read_by_a_shell(server, tmp_path):
    flag = tmp_path / "flag"
    message, _ = trouble(open_device(server.url(python=f"python3;touch%20{flag}")))
    assert "has no python3;touch" in message
    assert not flag.exists()


def test_a_missing_client(monkeypatch):
    monkeypatch.setattr(ssh, "SSH", "no-such-ssh")
    message, transient = trouble(open_device("ssh://127.0.0.1"))
    assert "no-such-ssh cannot be started" in message
    assert not transient


@pytest.mark.parametrize(
    "text",
    [
        "ssh://board",
        "ssh://Pi_4",
        "ssh://user@board.local:2222",
        "ssh://10.0.0.7?python=~/venv/bin/python&threads=4",
        "ssh://[fe80::1%eth0]:22",
    ],
)
def test_names(text):
    assert open_device(text).name == text


def test_what_ssh_is_called_with(tmp_path):
    (tmp_path / "key").touch()
    device = SshDevice.parse(f"ssh://me@[::1]:2222?key={tmp_path}/key&python=~/my%20env/python")
    argv = device._argv("print('a')\nprint(\"b\")")
    assert argv[0] == "ssh"
    assert argv[argv.index("--") + 1] == "me@::1"
    assert "BatchMode=yes" in argv
    assert not any("StrictHostKeyChecking" in part for part in argv)  # the user's own rule holds
    assert argv[argv.index("-i") + 1] == str(tmp_path / "key")
    line = argv[-1]
    assert "\n" not in line
    assert line.startswith("~/'my env/python' -c ")
    assert shlex.split(line)[2] == f"exec({argv_program()!r})"


def argv_program():
    return "print('a')\nprint(\"b\")"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ssh://me:secret@board", "A password cannot stand"),
        ("ssh:board", "A board is written"),
        ("ssh://", "A board is written"),
        ("ssh://-oProxyCommand=x", "A board is written"),
        ("ssh://me@-x", "A board is written"),
        ("ssh://a b", "A board is written"),
        ("ssh://board;id", "A board is written"),
        ("ssh://board:0", "A board is written"),
        ("ssh://board:99999", "A board is written"),
        ("ssh://board/folder", "A board is written"),
        ("ssh://board?user=me", "no option 'user'"),
        ("ssh://board?key=/none/key", "There is no file '/none/key'"),
        ("ssh://board?threads=x", "whole number"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(UserError, match=message) as raised:
        open_device(text)
    assert "secret" not in str(raised.value)
