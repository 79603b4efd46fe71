"""Text for a terminal: columns, wrapping by display width, and colour that nothing depends on."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import wcwidth

from tuneworthy.errors import one_line

# How wide a text may be: eighty columns, and fewer where the terminal has fewer.

WIDEST, NARROWEST = 80, 40
"""Columns a text is laid out for, at most and at least."""

_COLUMNS: ContextVar[int] = ContextVar("columns", default=WIDEST)


def columns() -> int:
    """Columns that texts are laid out for; the last one stays free."""
    return _COLUMNS.get()


def lay_out_for(terminal: int) -> None:
    """Lay out what follows for a terminal of so many columns; 0 for one that doesn't say."""
    _COLUMNS.set(max(NARROWEST, min(WIDEST, terminal)) if terminal > 0 else WIDEST)


# Text for a terminal: columns, wrapping by display width, and colour that nothing depends on.

_NARROWEST = 8

Style = Literal["strong", "dim", "good", "bad", "warn"]

_CODES: dict[Style, str] = {"strong": "1", "dim": "2", "good": "32", "bad": "31", "warn": "33"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts colour on text, or leaves it as it is."""

    colour: bool = False

    def __call__(self, style: Style, text: str) -> str:
        """The text in a style; the same text where there is no colour."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour and text else text


def safe(text: str) -> str:
    """What a user or a model wrote, as text that can't move the cursor or recolour the screen."""
    return one_line(text, limit=4000)


def wrapped(
    text: str, *, first: str = "", rest: str | None = None, width: int | None = None
) -> list[str]:
    """Lines of at most ``width`` columns.

    Args:
        text: One paragraph, already safe.
        first: What the first line begins with.
        rest: What the others begin with; blanks as wide as ``first`` when not given.
        width: Columns; those of the terminal when not given.

    Returns:
        At least one line; words longer than a line are broken.
    """
    width = columns() if width is None else width
    indent = " " * wcwidth.width(first) if rest is None else rest
    lines = wcwidth.wrap(text, width - 1, initial_indent=first, subsequent_indent=indent)
    return [line.rstrip() for line in lines] or [first.rstrip()]


def pad(text: str, width: int) -> str:
    """Text filled up with blanks to a display width; longer text stays as it is."""
    return text + " " * max(0, width - wcwidth.width(text))


def row(label: str, text: str, *, mark: str = "", label_width: int = 11) -> list[str]:
    """A labelled row, wrapped beside its label, with a mark at the right end of its last line."""
    lines = wrapped(text, first="  " + pad(label, label_width), width=columns() - len(mark))
    if mark:
        lines[-1] = pad(lines[-1], columns() - 1 - len(mark)) + mark
    return lines


def table(rows: Sequence[Sequence[str]], indent: str = "  ", gap: int = 2) -> list[str]:
    """Rows in aligned columns, every cell wrapped to its column. Empty for no rows.

    The last column takes what the others leave; where that is too little, the widest give way.
    """
    if not rows:
        return []
    last = len(rows[0]) - 1
    room = columns() - 1 - len(indent) - gap * last
    natural = [max(wcwidth.width(line[c]) for line in rows) for c in range(last + 1)]
    widths = natural[:last]
    while widths and max(widths) > _NARROWEST and sum(widths) + min(natural[last], 28) > room:
        widths[widths.index(max(widths))] -= 1
    widths.append(room - sum(widths))
    found = []
    for line in rows:
        cells = [wcwidth.wrap(c, max(w, 1)) or [""] for c, w in zip(line, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (pad(part, w) for part, w in zip(parts, widths, strict=True))
            found.append((indent + (" " * gap).join(padded)).rstrip())
    return found
