"""Inputs that nobody means to give: files damaged byte by byte, values of another kind, odd words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

ODD_WORDS = (
    "", " ", "-", "--", "-1", "0", "1", "1e9", "1e999", "nan", "-inf", "1.3M", "1.3M,params=2", "params=", "=1", "=",
    "latency=", "9" * 400, "½", "١٢", "1_000", "0x10", "true", "null", "~", "~nobody/x", ".", "a" * 300, "{}", "{0}",
    "%s", "%n", "[red]", "[/]", "*", "[", "(?", "\\", "'", '"', "$(id)", "`id`", ";", "|", "\t", "\n", "é", "e\u0301",
    "\u202e", "\U0001f600", "ssh:", "ssh://", "adb:", "cmd:", "tfds/x", "hfds/", "sqlite:///", "postgresql://a:b@/",
    "edgenext_small", "demo", "imagenet", "edgenext", "proxy.epochs=", "proxy.epochs=x", "a.b.c=1", "search.cohort=-1",
)  # fmt: skip


def words() -> st.SearchStrategy[str]:
    """Words of a command line: chosen to hurt, or of any characters but ``/``, so that none leads out of the folder."""
    anything = st.text(st.characters(exclude_characters="\0/", exclude_categories=("Cs",)), max_size=12)
    return st.sampled_from(ODD_WORDS) | anything


def values() -> st.SearchStrategy[Any]:
    """What a YAML or JSON file can hold."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD_WORDS) | st.text(max_size=8)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )


def changed(document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A document with one to three of its values replaced, removed or added, at any depth."""
    change = st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.sampled_from("rda"), values())

    def apply(changes: list[tuple[list[int], str, Any]]) -> dict[str, Any]:
        made = copy.deepcopy(document)
        for path, what, value in changes:
            _change(made, path, what, value)
        return made

    return st.lists(change, min_size=1, max_size=3).map(apply)


def _change(node: Any, path: list[int], what: str, value: Any) -> None:
    """Follow a path of positions as far as there are containers, and change what is there."""
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = keys[path[0] % len(keys)]
    if len(path) > 1 and isinstance(node[key], (dict, list)):
        _change(node[key], path[1:], what, value)
    elif what == "d":
        del node[key]
    elif what == "a" and isinstance(node, dict):
        node[f"{key}_"] = value
    else:
        node[key] = value


def _flip(at: int, bits: int) -> Callable[[bytes], bytes]:
    return lambda b: b[:at] + bytes(byte ^ bits for byte in b[at : at + 1]) + b[at + 1 :]


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """A file after one to four accidents: bytes that flip, a part that is lost, doubled, zeroed, put in."""
    place, few = st.integers(0, max(len(content) - 1, 0)), st.integers(1, 64)
    accidents: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
        st.builds(_flip, place, st.integers(1, 255)),
        st.builds(lambda at: lambda b: b[:at], place),
        st.builds(lambda at, n: lambda b: b[:at] + b[at + n :], place, few),
        st.builds(lambda at, n: lambda b: b[:at] + b[at : at + n] + b[at:], place, few),
        st.builds(lambda at, n: lambda b: b[:at] + bytes(len(b[at : at + n])) + b[at + n :], place, few),
        st.builds(lambda at, more: lambda b: b[:at] + more + b[at:], place, st.binary(max_size=16)),
    )

    def apply(steps: list[Callable[[bytes], bytes]]) -> bytes:
        made = content
        for step in steps:
            made = step(made)
        return made

    return st.lists(accidents, min_size=1, max_size=4).map(apply)
