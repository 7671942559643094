"""A board that is reached with the OpenSSH client of this machine; it needs Python 3.8, numpy and onnxruntime."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.bounded_process import Finished
from edgenext_search.latency.devices.device import (
    DeviceError,
    DeviceInfo,
    KnownFailure,
    Progress,
    existing_file,
    one_line,
    read_options,
    require_models,
    with_options,
)
from edgenext_search.latency.devices.onboard_call import DEFAULT_RUNTIME, RUNTIME_OPTIONS, Job, Runtime, call_onboard
from edgenext_search.latency.measurement import DEFAULT_SETTINGS, Measurement, MeasureSettings
from edgenext_search.validation import short

SSH = "ssh"
OPTIONS = ("config", "key", "python", *RUNTIME_OPTIONS)
# Host keys are checked as the user's configuration says. BatchMode refuses an unknown one, which ssh would ask about.
SSH_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "6",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "RemoteCommand": "none",
}
_ADDRESS = re.compile(
    r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_KNOWN_FAILURES = (
    KnownFailure(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        False,
        "its host key is not the known one; check that it is the right board, then drop the old key: ssh-keygen -R",
    ),
    KnownFailure(
        "Host key verification failed",
        False,
        "its host key is not known here; connect once by hand and check the key",
    ),
    KnownFailure(
        "Permission denied",
        False,
        "it refuses the login; load your key with ssh-add or name it with ?key=FILE (passwords are never asked for)",
    ),
    KnownFailure("Bad configuration option", False, "the ssh configuration cannot be read"),
    KnownFailure("Can't open user config file", False, "the ssh configuration cannot be read"),
    KnownFailure("Could not resolve hostname", True, "the name is not known; check its spelling and the network"),
    KnownFailure(
        "Connection refused", True, "nothing answers there; is the ssh server running, and is it the right port?"
    ),
    KnownFailure("No route to host", True, "it cannot be reached; is it switched on and in this network?"),
    KnownFailure("timed out", True, "it does not answer; is it switched on and in this network?"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshDevice:
    """``ssh://user@board:port?python=/opt/venv/bin/python&key=~/.ssh/board&threads=4``.

    Attributes:
        host: Name, address, or alias of the user's ssh configuration.
        user: Login name there; None for ssh's default.
        port: Port there; None for ssh's default.
        python: Python interpreter there.
        key: File with a private key; None for the agent and ssh's usual files.
        config: File with an ssh configuration in place of the user's.
        runtime: Settings of ONNX Runtime there.
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
        """Parse a text that begins with ``ssh:``.

        Raises:
            UserError: The text has another form or a password, or an option is wrong.
        """
        address, _, query = text.removeprefix("ssh://").partition("?")
        if ":" in address.rpartition("@")[0]:
            raise UserError("A password cannot stand in ssh://...; use ssh-agent, or a key file with ?key=FILE.")
        parts = _ADDRESS.fullmatch(address.removesuffix("/"))
        port = int(parts["port"]) if parts and parts["port"] else None
        if not text.startswith("ssh://") or parts is None or (port is not None and not 1 <= port <= 65_535):
            raise UserError(f"A board is written ssh://user@host or ssh://user@host:port, but got {short(text)}.")
        options = read_options(f"ssh://{address}", query, OPTIONS)
        return cls(
            host=parts["host"],
            user=parts["user"],
            port=port,
            python=options.get("python", "python3"),
            key=_file("key", options.get("key")),
            config=_file("config", options.get("config")),
            runtime=Runtime.parse(f"ssh://{address}", options),
        )

    @property
    def name(self) -> str:
        """See :class:`~edgenext_search.latency.devices.device.Device`; a key is named by its file."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        python = None if self.python == "python3" else self.python
        options = {"python": python, "key": self.key, "config": self.config, **self.runtime.options}
        return with_options(f"ssh://{user}{self.host}{port}", options)

    def check(self) -> DeviceInfo:
        """See :class:`~edgenext_search.latency.devices.device.Device`."""
        return self._call(Job(runtime=self.runtime))[0]

    def measure(
        self,
        models: Sequence[Path],
        *,
        reference: Path | None = None,
        settings: MeasureSettings = DEFAULT_SETTINGS,
        progress: Progress | None = None,
    ) -> list[Measurement]:
        """See :class:`~edgenext_search.latency.devices.device.Device`.

        Models are sent to a private temporary folder of the board, which the on-board code removes at its end.
        """
        files = (*models, *([reference] if reference else []))
        require_models(files)
        names = tuple(f"{index}.onnx" for index in range(len(files)))
        job = Job(
            runtime=self.runtime,
            models=names[: len(models)],
            reference=names[-1] if reference else None,
            settings=settings,
            files=files,
        )
        return self._call(job, progress)[1]

    def _call(self, job: Job, progress: Progress | None = None) -> tuple[DeviceInfo, list[Measurement]]:
        return call_onboard(
            self.name,
            job,
            argv=self._argv,
            python=self.python,
            where="there",
            progress=progress,
            explain=self._explain,
        )

    def _argv(self, program: str) -> list[str]:
        """The ssh command that runs a Python program there. The login shell there sees one quoted line."""
        line = f"exec({program!r})"
        fixed = [part for name, value in SSH_OPTIONS.items() for part in ("-o", f"{name}={value}")]
        given = [
            *(["-F", self.config] if self.config else []),
            *(["-p", str(self.port)] if self.port else []),
            *(["-i", self.key, "-o", "IdentitiesOnly=yes"] if self.key else []),
        ]
        host = self.host.strip("[]")
        address = f"{self.user}@{host}" if self.user else host
        return [SSH, "-T", *fixed, *given, "--", address, f"{_quoted_path(self.python)} -c {shlex.quote(line)}"]

    def _explain(self, finished: Finished) -> DeviceError | None:
        words = one_line(finished.last_words)
        if finished.code in (126, 127):
            return DeviceError(
                f"{self.name} has no {self.python} ({words}); name the interpreter there with ?python=PATH.",
                transient=False,
            )
        if finished.code != 255:
            return None
        for output, transient, advice in _KNOWN_FAILURES:
            if output in finished.stderr:
                return DeviceError(f"{self.name}: {advice} ({words}).", transient=transient)
        return DeviceError(
            f"{self.name}: the connection was lost ({words or 'ssh gives no reason'}); is the board still on?",
            transient=True,
        )


def _quoted_path(path: str) -> str:
    """Quote a path for the shell of the board; a leading ``~/`` keeps its meaning."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)


def _file(option: str, path: str | None) -> str | None:
    """The absolute path of the file that an option names.

    Raises:
        UserError: The file does not exist.
    """
    if path is None:
        return None
    file = existing_file(path)
    if file is None:
        raise UserError(f"There is no file {short(path)}, which ?{option}= names.")
    return str(file.resolve())
