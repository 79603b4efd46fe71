"""The columns and lines of texts. They have a module of their own, as every command sets them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

WIDEST = 100  #: Columns a text is laid out for, at most.
USUAL = 80  #: Columns for a file, a pipe, and a terminal that doesn't say.
NARROWEST = 40  #: At least.

_COLUMNS: ContextVar[int] = ContextVar("columns", default=USUAL)


def columns() -> int:
    """The columns for texts; the last column of the terminal stays free."""
    return _COLUMNS.get()


def lay_out_for(terminal: int) -> None:
    """Set the columns of a terminal for all later texts; 0 for an unknown number."""
    if terminal <= 0:
        _COLUMNS.set(USUAL)
    else:
        _COLUMNS.set(max(NARROWEST, min(WIDEST, terminal)))


SCREEN = 24  #: Lines of a first screen, at the widest; a narrower one has as many more.

Extent = Literal["whole", "screen", "everything"]
"""A text in full length, cut to one screen, or with all its details."""

_EXTENT: ContextVar[Extent] = ContextVar("extent", default="whole")


def most_lines() -> int:
    """The most lines that a text may have; 0 for any number."""
    if _EXTENT.get() != "screen":
        return 0
    # a narrower screen wraps the same text into more lines
    return math.ceil(SCREEN * WIDEST / max(columns(), USUAL))


def shows_details() -> bool:
    """Whether details are shown that a terminal usually leaves out."""
    return _EXTENT.get() == "everything"


@contextmanager
def shown_to_extent(extent: Extent) -> Iterator[None]:
    """Lay out the texts inside as one screen, which says how to see the rest, or in full."""
    token = _EXTENT.set(extent)
    try:
        yield
    finally:
        _EXTENT.reset(token)
