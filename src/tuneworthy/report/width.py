"""Columns and lines that texts are laid out for; apart, because every command sets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

WIDEST = 100  #: Columns a text is laid out for, at most.
USUAL = 80  #: The same for a file, a pipe, and a terminal that doesn't say.
NARROWEST = 40  #: At least.

_COLUMNS: ContextVar[int] = ContextVar("columns", default=USUAL)


def columns() -> int:
    """Columns that texts are laid out for; the last one stays free."""
    return _COLUMNS.get()


def lay_out_for(terminal: int) -> None:
    """Lay out what follows for a terminal of so many columns; 0 for one that doesn't say."""
    _COLUMNS.set(max(NARROWEST, min(WIDEST, terminal)) if terminal > 0 else USUAL)


SCREEN = 24  #: Lines of a first screen, at the widest; a narrower one has as many more.

Extent = Literal["whole", "screen", "everything"]
"""A text as long as it is, cut to one screen, or with all its details."""

_EXTENT: ContextVar[Extent] = ContextVar("extent", default="whole")


def most_lines() -> int:
    """Lines that a text may have; 0 for any number."""
    is_screen = _EXTENT.get() == "screen"
    return -(-SCREEN * WIDEST // max(columns(), USUAL)) if is_screen else 0


def shows_details() -> bool:
    """Whether details are shown that a terminal leaves out otherwise."""
    return _EXTENT.get() == "everything"


@contextmanager
def shown_to_extent(extent: Extent) -> Iterator[None]:
    """Lay out what follows as one screen, which says how the rest is shown, or all of it."""
    token = _EXTENT.set(extent)
    try:
        yield
    finally:
        _EXTENT.reset(token)
