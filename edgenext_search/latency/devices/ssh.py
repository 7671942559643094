"""A board that is reached with the system's OpenSSH client; it needs Python 3.8, numpy and onnxruntime."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.bounded_process import Finished
from edgenext_search.latency.devices.device import DeviceError, DeviceInfo, Progress, read_options, with_options
from edgenext_search.latency.devices.host import RUNTIME_OPTIONS, read_runtime, require_models, runtime_options
from edgenext_search.latency.devices.onboard_call import (
    DEFAULT_RUNTIME,
    Reply,
    Runtime,
    check_job,
    info_of,
    limits_for,
    measure_job,
    run_script,
)
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short

SSH = "ssh"
OPTIONS = ("config", "key", "python", *RUNTIME_OPTIONS)
# A host key is checked as the user's configuration says; an unknown one, which ssh would ask about, is refused.
FIXED = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "6",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "RemoteCommand": "none",
}
_PLACE = re.compile(
    r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
# What ssh says, whether it may pass by itself, and what to do.
_TROUBLES = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        False,
        "its host key is not the known one; check that it is the right board, then drop the old key: ssh-keygen -R",
    ),
    ("Host key verification failed", False, "its host key is not known here; connect once by hand and check the key"),
    (
        "Permission denied",
        False,
        "it refuses the login; load your key with ssh-add or name it with ?key=FILE (passwords are never asked for)",
    ),
    ("Bad configuration option", False, "the ssh configuration cannot be read"),
    ("Can't open user config file", False, "the ssh configuration cannot be read"),
    ("Could not resolve hostname", True, "the name is not known; check its spelling and the network"),
    ("Connection refused", True, "nothing answers there; is the ssh server running, and is it the right port?"),
    ("No route to host", True, "it cannot be reached; is it switched on and in this network?"),
    ("timed out", True, "it does not answer; is it switched on and in this network?"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshDevice:
    """``ssh://user@board:port?python=/opt/venv/bin/python&key=~/.ssh/board&threads=4``.

    Attributes:
        host: Name or address, or an alias of the user's ssh configuration.
        user: Login there; None leaves it to ssh.
        port: None leaves it to ssh.
        python: The interpreter there.
        key: A file with a private key; without one, the agent and ssh's usual files.
        config: An ssh configuration in place of the user's.
        runtime: How the models run there.
    """

    host: str
    user: str | None = None
    port: int | None = None
    python: str = "python3"
    key: str | None = None
    config: str | None = None
    runtime: Runtime = DEFAULT_RUNTIME

    @classmethod
    def parse(cls, text: str) -> SshDevice:
        """The device of a text that begins with ``ssh:``.

        Raises:
            UserError: It is not of that form, has a password, or an option is wrong.
        """
        place, _, query = text.removeprefix("ssh://").partition("?")
        if ":" in place.rpartition("@")[0]:
            raise UserError("A password cannot stand in ssh://...; use ssh-agent, or a key file with ?key=FILE.")
        found = _PLACE.fullmatch(place.removesuffix("/"))
        port = int(found["port"]) if found and found["port"] else None
        if not text.startswith("ssh://") or found is None or (port is not None and not 1 <= port <= 65_535):
            raise UserError(f"A board is written ssh://user@host or ssh://user@host:port, but got {short(text)}.")
        options = read_options(f"ssh://{place}", query, OPTIONS)
        files = {name: _file(name, options.get(name)) for name in ("key", "config")}
        return cls(
            host=found["host"],
            user=found["user"],
            port=port,
            python=options.get("python", "python3"),
            runtime=read_runtime(f"ssh://{place}", options),
            **files,
        )

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`; a key is named by its file."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        options: dict[str, str | int | None] = {
            "python": None if self.python == "python3" else self.python,
            "key": self.key,
            "config": self.config,
        }
        return with_options(f"ssh://{user}{self.host}{port}", options | runtime_options(self.runtime))

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return info_of(self._run(check_job(self.runtime), Reply(self.name, 0), DEFAULT_SETTINGS, []), self.runtime)

    def measure(
        self,
        models: Sequence[Path],
        *,
        reference: Path | None = None,
        settings: MeasureSettings = DEFAULT_SETTINGS,
        progress: Progress | None = None,
    ) -> list[Measurement]:
        """See :class:`~edgenext_search.latency.devices.device.Device`.

        The models lie in a private temporary folder of the board, which is removed at the end, also after failures
        and when the connection is lost.
        """
        files = [*models, *([reference] if reference else [])]
        require_models(files)
        names = [f"{index}.onnx" for index in range(len(files))]
        job = measure_job(names[: len(models)], names[-1] if reference else None, self.runtime, settings)
        reply = self._run(job, Reply(self.name, len(models), progress), settings, files)
        return [reply.measured[index] for index in range(len(models))]

    def _run(self, job: dict[str, Any], reply: Reply, settings: MeasureSettings, files: Sequence[Path]) -> Reply:
        sent = sum(path.stat().st_size for path in files)
        return run_script(
            self._argv,
            job,
            reply,
            limits=limits_for(reply.expected, settings, sent=sent),
            python=self.python,
            where="there",
            files=files,
            explain=self._explain,
        )

    def _argv(self, program: str) -> list[str]:
        """The ssh command that runs a Python program there; the login shell there sees one line, quoted."""
        line = f"exec({program!r})"
        fixed = [part for name, value in FIXED.items() for part in ("-o", f"{name}={value}")]
        given = [
            *(["-F", self.config] if self.config else []),
            *(["-p", str(self.port)] if self.port else []),
            *(["-i", self.key, "-o", "IdentitiesOnly=yes"] if self.key else []),
        ]
        place = f"{self.user}@{self.host.strip('[]')}" if self.user else self.host.strip("[]")
        return [SSH, "-T", *fixed, *given, "--", place, f"{_quoted_path(self.python)} -c {shlex.quote(line)}"]

    def _explain(self, finished: Finished) -> DeviceError | None:
        words = finished.last_words.rstrip(".")
        if finished.code in (126, 127):
            return DeviceError(
                f"{self.name} has no {self.python} ({words}); name the interpreter there with ?python=PATH.",
                transient=False,
            )
        if finished.code != 255:
            return None
        for said, transient, advice in _TROUBLES:
            if said in finished.stderr:
                return DeviceError(f"{self.name}: {advice} ({words}).", transient=transient)
        return DeviceError(
            f"{self.name}: the connection was lost ({words or 'ssh does not say why'}); is the board still on?",
            transient=True,
        )


def _quoted_path(path: str) -> str:
    """A path for the shell there, which may begin with ``~/``."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)


def _file(name: str, path: str | None) -> str | None:
    """The absolute path of a file that an option names.

    Raises:
        UserError: There is no such file.
    """
    if path is None:
        return None
    found = Path(path).expanduser().resolve()
    if not found.is_file():
        raise UserError(f"There is no file {path}, which ?{name}= names.")
    return str(found)
