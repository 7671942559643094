"""Devices that are really there: an OpenSSH server on loopback, programs, and a stub of adb."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture
def bench(tmp_path):
    """The benchmark program, as an executable file."""
    return script(tmp_path / "bench.sh", f'#!/bin/sh\nexec {sys.executable} {HERE / "bench.py"} "$@"\n')


def script(path, text):
    """An executable file."""
    path.write_text(text)
    path.chmod(0o755)
    return path


class Server:
    """OpenSSH on a free port of this machine, with keys and a configuration of its own; started and stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if self.program is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                "needs an OpenSSH server: apt-get install openssh-server"
            )
        for name in ("host_key", "user_key", "other_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
        self.known_hosts = folder / "known_hosts"
        self.trust("host_key")
        self.config = folder / "ssh_config"
        self.config.write_text(f"UserKnownHostsFile {self.known_hosts}\nGlobalKnownHostsFile /dev/null\n")
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\nPidFile none\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"SetEnv TMPDIR={self.temporary}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def trust(self, key: str) -> None:
        """Make a host key the known one."""
        kind, text, *_ = (self.folder / f"{key}.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {text}\n")

    def url(self, **options: object) -> str:
        """The device; by default with the key that is let in, and the Python of these tests."""
        given = {"python": sys.executable, "key": self.folder / "user_key", "config": self.config, **options}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}?{query}"

    def left_behind(self) -> list[str]:
        """What lies in the temporary folder of the server's users."""
        return sorted(path.name for path in self.temporary.iterdir())

    def start(self) -> None:
        """Start and wait until it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it separates privileges
        command = [self.program, "-D", "-E", self.folder / "log", "-f", self.folder / "sshd_config"]
        self.process = subprocess.Popen(command, start_new_session=True)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"sshd did not start: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """End it, and with it the connections that it has."""
        if self.process is not None:
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            self.process.kill()
            self.process.wait()
            for child in map(int, children):
                subprocess.run(["kill", "-9", str(child)], check=False, stderr=subprocess.DEVNULL)
            self.process = None


@pytest.fixture(scope="session")
def running_server(tmp_path_factory):
    """The server for the whole session."""
    server = Server(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running_server):
    """The server, running and trusted, whatever the test before did to it."""
    if running_server.process is None:
        running_server.start()
    running_server.trust("host_key")
    return running_server


@pytest.fixture
def adb_root(tmp_path, monkeypatch):
    """A stub of the adb client on the PATH, and the folder that is the device's /data/local/tmp."""
    folder, root = tmp_path / "bin", tmp_path / "device"
    folder.mkdir()
    root.mkdir()
    script(folder / "adb", f"#!{sys.executable}\n{(HERE / 'adb_stub.py').read_text()}")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ADB_STUB_ROOT", str(root))
    return root
