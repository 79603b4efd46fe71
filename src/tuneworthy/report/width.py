"""Columns that texts are laid out for; apart, because every command sets them when it starts."""

from __future__ import annotations

from contextvars import ContextVar

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
