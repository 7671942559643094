"""HTML that cannot forget to escape: plain text becomes markup only through :func:`element`."""

from __future__ import annotations

import html
import json


class Markup(str):
    """Text that is HTML already. All other text is escaped where it enters an element."""

    __slots__ = ()


def element(tag: str, *content: str | None, **attributes: str | int | bool | None) -> Markup:
    """One HTML element.

    Args:
        tag: Its name.
        content: What it holds; text that is not :class:`Markup` is escaped, None is left out.
        attributes: Its attributes. A trailing underscore is dropped (``class_``), other underscores become
            hyphens (``data_v``); True stands alone, None and False are left out.

    Returns:
        The element.
    """
    parts = [tag]
    for name, value in attributes.items():
        key = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(key)
        elif value is not None and value is not False:
            parts.append(f'{key}="{html.escape(str(value))}"')
    return Markup(f"<{' '.join(parts)}>{join(*content)}</{tag}>")


def join(*content: str | None) -> Markup:
    """Contents one after another, escaped where they are plain text."""
    return Markup("".join(text if isinstance(text, Markup) else html.escape(text) for text in content if text))


def json_script(identifier: str, values: object) -> Markup:
    """A script element with data that the page's code reads; no value can close it."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="{html.escape(identifier)}">{text}</script>')
