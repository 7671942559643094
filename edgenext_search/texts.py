"""Small words that every room needs."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 epoch``, ``3 epochs``, ``1,280 classes``.

    Args:
        count: How many.
        one: The noun for one.
        many: The noun for all other counts; None for ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
