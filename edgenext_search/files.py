"""Files: YAML that users write, and writing that leaves a file whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgenext_search.errors import UserError
from edgenext_search.temporary import temporary_file
from edgenext_search.texts import nearest

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.nodes import Node, ScalarNode

LONGEST_BYTES = 1_000_000  # of a YAML file; a hundred times what a space or study takes
MOST_VALUES = 100_000  # in a YAML file with its aliases followed

Kind = Literal["space", "study"]
_FOLDERS: dict[Kind, str] = {"space": "spaces", "study": "studies"}
_PACKAGE = Path(__file__).resolve().parent


def expanded(text: str) -> Path:
    """The path that a user wrote, ``~`` and ``~user`` being home folders where they are known.

    ``./~x`` is a file of that name, which a :class:`~pathlib.Path` no longer shows: expand texts, never paths.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111 - leaves what is not known as it is


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
    path = expanded(name)
    if path.is_file():
        return path
    shipped = shipped_folder(kind) / f"{name}.yaml"
    if path.name == name and shipped.is_file():
        return shipped
    raise UserError(
        f"There is no {kind} {name!r}: it is neither a file nor one of the shipped {_FOLDERS[kind]} "
        f"({', '.join(shipped_names(kind))}).{nearest(name, shipped_names(kind))}"
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, read without running anything that it may hold.

    Raises:
        UserError: The file cannot be read, is too long, is not YAML, or holds something else than a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > LONGEST_BYTES:
        raise UserError(f"{path} must be at most {LONGEST_BYTES:,} bytes long; is it the right file?")
    try:
        values = parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not YAML: byte {error.start + 1} is not UTF-8 text.") from error
    except ValueError as error:
        raise UserError(f"{path} is not YAML: {str(error).rstrip('.')}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold a mapping of names to values, but holds {_in_words(values)}.")
    if odd := [key for key in values if not isinstance(key, str)]:
        raise UserError(f"{path} must hold a mapping of names to values, but one of its names is {odd[0]!r}.")
    return values


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; what is written there replaces ``path`` at the end of the block.

    A reader sees the old file or the new one, never a part of it, also after a power failure. Nothing is left behind
    when the block raises, and for no longer than until the next writing there when the process is killed.

    Raises:
        OSError: The file cannot be written; the former one stays.
    """
    with temporary_file(path) as temporary:
        yield temporary
        _sync(temporary, os.O_RDWR)
        temporary.replace(path)
        _sync(path.parent, os.O_RDONLY)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; see :func:`replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    r"""Write a file as UTF-8, whole or not at all, with its line ends as they are; see :func:`replacing`.

    Bytes of a path that are no UTF-8 are written as ``\udce9``.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_output(path: Path, text: str) -> None:
    """Write a file that the user asked for, whole or not at all; a device or pipe is written to directly.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            write_text(path.resolve(), text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def _sync(path: Path, flags: int) -> None:
    """Ask the system to store a file's content, or a folder's entries, now."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parse_yaml(text: str) -> object:
    """The value of a YAML 1.2 text, with any aliases followed.

    Raises:
        ValueError: The text is not YAML, gives a key twice, or holds more than :data:`MOST_VALUES` values once its
            aliases are followed; one line, with line and column where there is one.
    """
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        constructor, _ = _yaml().get_constructor_parser(text)
        node = constructor.composer.get_single_node()
        if node is None:
            return None
        _refuse_bombs(node)
        return _constructed(constructor, node)
    except MarkedYAMLError as error:
        raise ValueError(_located(error)) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        character = text[error.position : error.position + 1]
        raise ValueError(f"line {line}, column {column}: the character {character!r} cannot stand here") from error
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
    except (AttributeError, KeyError, IndexError, TypeError) as error:  # of the library, for values such as !!bool x
        raise ValueError("a value does not fit its tag; leave out what begins with !!") from error


def dump_yaml(values: object) -> str:
    """The YAML text that :func:`parse_yaml` reads back as ``values``, short lists on one line."""
    text = io.StringIO()
    _yaml().dump(values, text)
    return text.getvalue()


def _yaml() -> YAML:
    """Reader and writer of plain values, in Python alone: it runs nothing that a file may hold."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Representer(SafeRepresenter):
        """Puts text with the line ends of Unicode between double quotes, where they are escaped and so read back."""

        def represent_str(self, data: str) -> ScalarNode:
            """A text as YAML."""
            style = '"' if any(sign in data for sign in "\x85\u2028\u2029") else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Representer.add_representer(str, Representer.represent_str)
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = Representer
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the library's own type is wrong
    yaml.width = 100
    return yaml


def _constructed(constructor: SafeConstructor, node: Node) -> object:
    """The value of a document; what Python says of an impossible number or date is put in our words."""
    try:
        return constructor.construct_document(node)
    except ValueError as error:
        if "digits" in str(error):
            raise ValueError(f"a number has more than {sys.get_int_max_str_digits():,} digits") from error
        raise ValueError(f"a value cannot be read: {error}; put quotes around it if it is text") from error


def _located(error: MarkedYAMLError) -> str:
    """The library's message in one line that begins with line and column, without its drawing of the place."""
    problem = " ".join(str(error.problem or error.context).split())
    mark = error.problem_mark or error.context_mark
    if "'\\t'" in problem:
        problem = "a tab cannot indent; use spaces"
    elif problem.startswith("found duplicate key"):
        key = problem.split('"')[1]
        problem = f"the key {key!r} is given twice; keep one of the two"
    elif error.problem and error.context and error.context_mark:
        problem += f" ({error.context}, which begins in line {error.context_mark.line + 1})"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


def _refuse_bombs(root: Node) -> None:
    """Count the values of a document with its aliases followed, each node once."""
    sizes: dict[int, int | None] = {}

    def size(node: Node) -> int:
        if id(node) in sizes:
            counted = sizes[id(node)]
            if counted is None:
                line = node.start_mark.line + 1
                raise ValueError(f"line {line}: an alias stands inside of the value that it repeats")
            return counted
        sizes[id(node)] = None
        children: list[Node] = []
        if isinstance(node.value, list):  # nodes of a list, or pairs of them
            children = [child for item in node.value for child in (item if isinstance(item, tuple) else (item,))]
        total = sizes[id(node)] = 1 + sum(size(child) for child in children)
        return total

    if (total := size(root)) > MOST_VALUES:
        raise ValueError(f"it holds {total:,} values once its aliases are followed, where {MOST_VALUES:,} are allowed")


def _in_words(value: object) -> str:
    """What a file holds that is no mapping."""
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else repr(value)
