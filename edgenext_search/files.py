"""Finding and reading the YAML files that users write: search spaces and study recipes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from edgenext_search.errors import UserError

Kind = Literal["space", "study"]
_FOLDERS: dict[Kind, str] = {"space": "spaces", "study": "studies"}
_PACKAGE = Path(__file__).resolve().parent

# Tag, form and first characters of the numbers that YAML 1.2 has and PyYAML lacks.
_FLOAT = ("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789."))


def shipped_folder(kind: Kind) -> Path:
    """Where the shipped spaces or studies lie: inside an installed package, or at the root of a checkout."""
    inside = _PACKAGE / _FOLDERS[kind]
    return inside if inside.is_dir() else _PACKAGE.parent / _FOLDERS[kind]


def shipped_names(kind: Kind) -> list[str]:
    """Names of the shipped spaces or studies, as ``--space`` and ``--study`` take them."""
    return sorted(path.stem for path in shipped_folder(kind).glob("*.yaml"))


def find_file(kind: Kind, name: str) -> Path:
    """The file of a space or study that was given by name (``demo``) or by path (``my/space.yaml``).

    Raises:
        UserError: There is no such file; the message lists the shipped names.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    shipped = shipped_folder(kind) / f"{name}.yaml"
    if path.name == name and shipped.is_file():
        return shipped
    raise UserError(
        f"There is no {kind} {name!r}: it is neither a file nor one of the shipped {_FOLDERS[kind]} "
        f"({', '.join(shipped_names(kind))})."
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, read without running anything that it may hold.

    Raises:
        UserError: The file cannot be read, is not YAML, or holds something else than a mapping.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} must hold a mapping of names to values, but holds {type(values).__name__}.")
    return values


def parse_yaml(text: str) -> object:
    """The value of a YAML text, with ``1e-3`` read as a number, as YAML 1.2 and everybody who types it means it.

    Raises:
        ValueError: The text is not YAML.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader of its own, so that other users of the library keep theirs."""

    Loader.add_implicit_resolver(*_FLOAT)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def dump_yaml(values: object) -> str:
    """The YAML text that :func:`parse_yaml` reads back as ``values``, short lists on one line.

    What it would read as a number, such as the fingerprint 12345e678901, is quoted.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """A safe dumper of its own, so that other users of the library keep theirs."""

    Dumper.add_implicit_resolver(*_FLOAT)
    return yaml.dump(values, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=100)
