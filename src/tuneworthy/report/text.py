"""A document for a terminal: columns wrapped by display width. Color carries no meaning of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, zip_longest
from typing import Literal, NamedTuple

import wcwidth

from tuneworthy.errors import one_line
from tuneworthy.report import blocks as b
from tuneworthy.report.width import columns, most_lines, shows_details

_NARROWEST = 8  #: The least a column gives way to.

_LONGEST_WORD = 16  #: Columns of a word that a table doesn't break.

Style = Literal["strong", "dim", "good", "bad", "warn"]

_CODES: dict[Style, str] = {
    "strong": "1",
    "dim": "2",
    "good": "32",
    "bad": "31",
    "warn": "33",
}


class Paint(NamedTuple):
    """Puts color on text, or leaves it plain."""

    colour: bool = False

    def __call__(self, style: Style, text: str) -> str:
        """The text in a style; the plain text where there is no color."""
        if self.colour and text:
            return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
        return text

    def lines(
        self, style: Style, text: str, first: str = "", rest: str | None = None
    ) -> list[str]:
        """Wrap a user's text, and paint its lines in a style."""
        return [
            self(style, line) for line in wrapped(safe(text), first=first, rest=rest)
        ]


def safe(text: str) -> str:
    """Make a text of a user or a model safe: it can't move the cursor or recolor the screen."""
    return one_line(text, limit=4000)


def wrapped(
    text: str, *, first: str = "", rest: str | None = None, hyphens: bool = True
) -> list[str]:
    """One or more lines of at most ``columns()``; words longer than a line are broken.

    ``first`` begins the first line, ``rest`` the others (blanks as wide when not given).
    """
    # a broken address can't be followed
    address = text.startswith(("http://", "https://"))
    # and a broken command can't be copied
    hyphens &= not address and "`tuneworthy " not in text
    lines = wcwidth.wrap(
        text,
        columns() - 1,
        initial_indent=first,
        subsequent_indent=" " * wcwidth.width(first) if rest is None else rest,
        break_long_words=not address,
        break_on_hyphens=hyphens,
    )
    return [line.rstrip() for line in lines] or [first.rstrip()]


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows in aligned columns, every cell wrapped to its column. Empty for no rows."""
    widths = _widths(rows, indent) if rows else []
    return [line for cells in rows for line in _line(cells, widths, indent)]


def _room(indent: str) -> int:
    return columns() - 1 - len(indent)


def _widths(rows: Sequence[Sequence[str]], indent: str) -> list[int]:
    """Widths of columns: as wide as their cells, but the widest shrink where that is too much.

    A column shrinks to its longest word, and further only when all columns have.
    """
    room = _room(indent) - 2 * (len(rows[0]) - 1)
    widths = [max(map(wcwidth.width, cells)) for cells in zip(*rows, strict=True)]
    for least in (_words(rows), [_NARROWEST] * len(widths)):
        while sum(widths) > room:
            wide = [(width, n) for n, width in enumerate(widths) if width > least[n]]
            if not wide:
                break
            _, widest = max(wide)
            widths[widest] -= 1
    return widths


def _words(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of the longest word in each column, up to the length at which words are broken."""
    words = (" ".join(cells).split() for cells in zip(*rows, strict=True))
    return [
        min(max(map(wcwidth.width, column), default=0), _LONGEST_WORD)
        for column in words
    ]


def _line(cells: Sequence[str], widths: Sequence[int], indent: str) -> Iterator[str]:
    pairs = zip(cells, widths, strict=True)
    lines = (_cell_lines(cell, max(width, 1)) for cell, width in pairs)
    for parts in zip_longest(*lines, fillvalue=""):
        yield (indent + "  ".join(map(wcwidth.ljust, parts, widths))).rstrip()


def _cell_lines(cell: str, width: int) -> list[str]:
    """The lines of a cell in its column. A short cell isn't wrapped, as a list has thousands."""
    plain = cell.isascii() and cell.isprintable() and cell == cell.strip()
    fits = plain and len(cell) <= width
    return [cell] if fits else wcwidth.wrap(cell, width) or [""]


def render(
    document: b.Document, *, colour: bool = False, everything: bool = False
) -> str:
    """Render a document in columns; with ``everything``, including details.

    Without ``everything``, a command shows at most one screen of it.
    """
    paint = Paint(colour)
    everything |= shows_details()
    head = _title(document, paint) + _lead(document, paint)
    parts = [
        head + [line for text in document.byline for line in paint.lines("dim", text)]
    ]
    if document.facts is not None:
        parts.append(_block(document.facts, paint, "  ", everything))
    if document.warning:
        lines = [
            line
            for text in document.warning
            for line in wrapped(safe(text), first="  ")
        ]
        parts.append([paint("strong", "Before you rely on it"), *lines])
    sections = [_section(section, paint, everything) for section in document.sections]
    texts = (
        wrapped(safe(text), rest="      ", hyphens=False) for text in document.after
    )
    after = [line for lines in texts for line in lines]
    most = most_lines()
    if most and _height([*parts, *sections, after]) > most:
        sections = _cut_to_fit(document, [*parts, after], sections, most, paint)
        if REST not in after:
            after = [*after, REST]
    parts = [*parts, *sections, after]
    text = "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"
    return text.replace("’", "'")  # which every terminal can show


REST = "The rest: add --all"  #: The last line of a screen that doesn't show everything.
_LEAST_LINES = 3  # least lines of a shortened section: its title and a part of it


def _section(section: b.Section, paint: Paint, everything: bool) -> list[str]:
    """The lines of a section; none where all of it is a detail."""
    blocks = section.blocks if everything or not section.detail else ()
    lines = _blocks(blocks, paint, "  ", everything)
    if not section.title or not lines:
        return lines
    return paint.lines("strong", section.title) + lines


def _height(parts: Iterable[Sequence[str]]) -> int:
    """Lines of some parts, with a blank one between them."""
    heights = [len(lines) + 1 for lines in parts if lines]
    return sum(heights) - 1


def _cut_to_fit(
    document: b.Document,
    around: Sequence[Sequence[str]],
    sections: Sequence[list[str]],
    most: int,
    paint: Paint,
) -> list[list[str]]:
    """The sections that fit, in their order, and as much of the next ones as fits."""
    *_, after = around
    # the last line says how the rest is shown
    room = most - _height(around) - (1 if after else 2)
    shown = []
    for section, lines in zip(document.sections, sections, strict=True):
        if not lines:
            continue
        if len(lines) + 1 <= room:
            fitting = lines
        else:
            fitting = _cut_section(section, paint, room - 1)
        if fitting:
            shown.append(fitting)
            room -= len(fitting) + 1
    return shown


def _cut_section(section: b.Section, paint: Paint, room: int) -> list[str]:
    """The first blocks of a section that fit; the last one may be cut."""
    title = paint.lines("strong", section.title) if section.title else []
    lines: list[str] = []
    for block in section.blocks:
        if getattr(block, "detail", False):
            continue
        blank = [""] if lines else []  # before every block but the first
        left = room - len(title) - len(lines) - len(blank)
        # every item takes a line or more, so a block with too many isn't even laid out
        may_fit = _count_items(block) <= left
        whole = _block(block, paint, "  ", False) if may_fit else []
        if may_fit and not whole:
            continue
        if may_fit and len(whole) <= left:
            lines += [*blank, *whole]
            continue
        beginning = _cut_block(block, paint, left)
        if beginning:
            lines += [*blank, *beginning]
        break
    if len(title) + len(lines) >= _LEAST_LINES or not title:
        return title + lines
    return []


def _cut_block(block: b.Block, paint: Paint, room: int) -> list[str]:
    """The first items of a block, and the number of those left out; [] where none fits."""
    if isinstance(block, b.Picture):
        block = block.table
    if isinstance(block, b.Part):
        inner = b.Section("", block.title, block.blocks)
        return [
            f"  {line}" if line else "" for line in _cut_section(inner, paint, room)
        ]
    every = _count_items(block)
    most = min(every - 1, room)
    for kept in range(most, 0, -1):
        lines = _block(_first_items(block, kept), paint, "  ", False)
        if len(lines) < room:
            return [*lines, f"  … {every - kept} more"]
    return []


def _count_items(block: b.Block) -> int:
    """The number of rows or items of a block; 0 for a block without any."""
    if isinstance(block, b.Table | b.Facts):
        return len(block.rows)
    if isinstance(block, b.Bullets | b.Claims):
        return len(block.items)
    return 0


def _first_items(block: b.Block, kept: int) -> b.Block:
    """A block with only its first items."""
    if isinstance(block, b.Table):
        if block.chosen is not None and block.chosen < kept:
            chosen = block.chosen
        else:
            chosen = None
        return replace(block, rows=block.rows[:kept], chosen=chosen)
    if isinstance(block, b.Facts):
        return replace(block, rows=block.rows[:kept])
    if isinstance(block, b.Bullets):
        return replace(block, items=block.items[:kept])
    assert isinstance(block, b.Claims)  # the others have no items
    return replace(block, items=block.items[:kept])


def _title(document: b.Document, paint: Paint) -> list[str]:
    """The title in its look, or only the word that it begins with."""
    word = document.word
    lines = wrapped(safe(document.title), rest="  ", hyphens=False)
    if not word or not lines[0].startswith(word):
        return [paint(document.look, line) for line in lines]
    first = paint(document.look, word) + paint("strong", lines[0].removeprefix(word))
    return [first, *(paint("strong", line) for line in lines[1:])]


def _lead(document: b.Document, paint: Paint) -> list[str]:
    """The lines of the next step, with the badge at the right end, or below where it doesn't fit."""
    if document.lead:
        lines = wrapped(safe(document.lead), rest="     ", hyphens=False)
    else:
        lines = []
    badge = safe(document.badge)
    if not badge:
        return lines
    free = _room("") - wcwidth.width(badge)
    if lines and wcwidth.width(lines[-1]) + 2 <= free:
        lines[-1] = wcwidth.ljust(lines[-1], free) + paint("warn", badge)
        return lines
    return [*lines, " " * free + paint("warn", badge)]


def _blocks(
    parts: Iterable[b.Block], paint: Paint, indent: str, everything: bool
) -> list[str]:
    """Write blocks as lines, with an empty line between them."""
    lines: list[str] = []
    for block in parts:
        if everything or not getattr(block, "detail", False):
            shown = _block(block, paint, indent, everything)
        else:
            shown = []
        lines += ["", *shown] if lines and shown else shown
    return lines


def _block(block: b.Block, paint: Paint, indent: str, everything: bool) -> list[str]:
    """Write one block as lines for a terminal."""
    match block:
        case b.Prose(look="small"):
            return paint.lines("dim", block.text, indent)
        case b.Prose():
            return wrapped(safe(block.text), first=indent)
        case b.Todo():
            return wrapped(safe(f"{block.what} To find out: {block.ask}"), first=indent)
        case b.Bullets():
            return _bullets(block, paint, indent)
        case b.Facts():
            return _facts(block, indent)
        case b.Table():
            caption = [] if block.quiet else wrapped(safe(block.caption), first=indent)
            return [*caption, *_table(block, paint, indent)]
        case b.Picture():
            return _picture(block, paint, indent, everything)
        case b.Claims():
            return _claims(block, paint, indent)
        case b.Fold() | b.Part():
            inner = _blocks(block.blocks, paint, indent + "  ", everything)
            return paint.lines("strong", block.title, indent) + inner if inner else []


def _picture(
    block: b.Picture, paint: Paint, indent: str, everything: bool
) -> list[str]:
    """The table of a picture, unless another table shows it or it is a detail."""
    if block.table_is == "elsewhere":
        return []
    if block.table.detail and not everything:
        return []
    return _block(block.table, paint, indent, everything)


def _bullets(block: b.Bullets, paint: Paint, indent: str) -> list[str]:
    """Items after their marks. A line without one is indented, and ``!`` at its start is a warning."""
    if not block.mark:
        lines = [
            line
            for item in block.items
            for line in wrapped(safe(item), first=indent, rest="    ")
        ]
        begins = f"{indent}! "
        warns = f"{indent}{paint('warn', '!')} "
        return [
            warns + line.removeprefix(begins) if line.startswith(begins) else line
            for line in lines
        ]
    marks = (f"{n}. " if block.ordered else f"{block.mark} " for n in count(1))
    pairs = zip(block.items, marks, strict=False)
    return [
        line
        for item, mark in pairs
        for line in wrapped(safe(item), first=indent + mark)
    ]


def _facts(block: b.Facts, indent: str) -> list[str]:
    """Labels beside values; a long label is wrapped, too."""
    rows = [
        (safe(fact.label), safe(f"{fact.value} {fact.beside}".strip()))
        for fact in block.rows
    ]
    room = _room(indent)
    label = min(
        max((wcwidth.width(label) for label, _ in rows), default=0), room * 2 // 5
    )
    return [
        line for row in rows for line in _line(row, (label, room - label - 2), indent)
    ]


def _claims(block: b.Claims, paint: Paint, indent: str) -> list[str]:
    lines: list[str] = []
    for number, claim in enumerate(block.items, 1):
        first = f"{indent}[{number}] "
        lines += wrapped(safe(claim.says), first=first)
        lines += paint.lines("dim", f"To settle: {claim.settle}", " " * len(first))
    return lines


def _table(block: b.Table, paint: Paint, indent: str) -> list[str]:
    """Write a table as lines; where the terminal is too narrow, each row becomes a list."""
    titles = [safe(column.title) for column in block.head]
    rows = [[_cell(cell) for cell in line] for line in block.rows]
    if not rows:
        return []
    every = [titles, *rows]
    if sum(_words(every)) + 2 * (len(titles) - 1) <= _room(indent):
        widths = _widths(every, indent)
        head = [paint("dim", line) for line in _line(titles, widths, indent)]
        whole = [list(_line(row, widths, indent)) for row in rows]
    else:  # the terminal is too narrow: a row is a list of its cells
        head = []
        whole = [_narrow_row(titles, row, indent) for row in rows]
    if block.chosen is not None:
        whole[block.chosen] = _mark_chosen(whole[block.chosen], indent, paint)
    return [*head, *(line for lines in whole for line in lines)]


def _narrow_row(titles: Sequence[str], row: Sequence[str], indent: str) -> list[str]:
    name, *rest = row
    named = zip(titles[1:], rest, strict=True)
    beside = "; ".join(f"{title}: {cell}" for title, cell in named if cell)
    return [*wrapped(name, first=indent), *wrapped(beside, first=indent + "  ")]


def _mark_chosen(lines: Sequence[str], indent: str, paint: Paint) -> list[str]:
    """Mark the row of the advised way in its indent."""
    first, *others = lines
    mark = indent[:-2] + "> " if len(indent) >= 2 else "> "
    return [paint("strong", mark + first.removeprefix(indent)), *others]


def _cell(cell: str | b.Cell) -> str:
    if isinstance(cell, str):
        return safe(cell)
    return safe(f"{cell.text} ({cell.below})" if cell.below else cell.text)
