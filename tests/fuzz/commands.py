"""Calling a command with an odd input, and what must hold however it ends."""

import json
from pathlib import Path

from click.testing import CliRunner
from hypothesis import HealthCheck, settings

from edgenext_search.cli import main

NIGHTLY = 1000  # examples of the profile of this name


def examples(count):
    """Settings of a test that tries some inputs, all in one folder; in the nightly profile as many as that says."""
    return settings(
        max_examples=max(count, settings().max_examples if settings().max_examples >= NIGHTLY else 0),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


class Place:
    """A folder with a working directory, home, cache and temporary files, in which commands are called.

    Attributes:
        folder: The working directory.
        ports: What was bound to, or listened on.
    """

    def __init__(self, folder, capfd):
        self.folder = folder
        self.ports = []
        self._capfd = capfd

    def ends_well(self, *arguments, codes=(0, 2)):
        """Call a command; it has a result, or one message, nothing else on standard output and nothing written."""
        before = self._files()
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        said = f"{arguments!r}: {result.exit_code}\n{result.output}"
        assert result.exception is None or isinstance(result.exception, SystemExit), said
        assert result.exit_code in codes, said
        assert "Traceback" not in result.output, said
        assert "a bug of edgenext-search" not in result.output, said
        messages = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(messages) == 1 if result.exit_code == 2 else len(messages) <= 1, said
        if result.exit_code == 2:
            assert result.stdout == "", said
        elif "--json" in arguments and not messages:
            json.loads(result.stdout, parse_constant=_no_json)
        made = {name for name in before ^ self._files() if result.exit_code == 2 or name[0] != "here"}
        assert not made, f"{made} changed: {said}"
        assert not self.ports, said
        raw = self._capfd.readouterr()
        assert raw == ("", ""), f"{raw} was written by a library: {said}"
        return result

    def _files(self):
        """The files of the working directory, of home and of the folder of temporary files, with their sizes."""
        top = self.folder.parent
        return {
            (folder, str(path.relative_to(top)), path.lstat().st_size)
            for folder in ("here", "HOME", "TMPDIR")
            for path in (top / folder).rglob("*")
            if not path.is_dir()
        }


def _no_json(constant):
    raise AssertionError(f"{constant} is no JSON")


def written(name, content):
    """Write a file and return its name."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return name
