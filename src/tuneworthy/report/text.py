"""A document for a terminal: columns wrapped by display width. Color carries no meaning of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Literal, NamedTuple

import wcwidth

from tuneworthy.errors import one_line
from tuneworthy.report import blocks as b
from tuneworthy.report.width import columns, most_lines, shows_details

_NARROWEST = 8  #: The least a column of a table shrinks to.

_LONGEST_WORD = 16  #: Columns of a word that a table doesn't break.

_BETWEEN = 2  #: Blanks between two columns of a table.

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

    def lines(self, style: Style, text: str, first: str = "") -> list[str]:
        """Wrap a user's text, and paint its lines in a style."""
        return [self(style, line) for line in wrapped(safe(text), first=first)]


def safe(text: str) -> str:
    """Make a text of a user or a model safe: it can't move the cursor or recolor the screen."""
    return one_line(text, limit=4000)


def wrapped(
    text: str, *, first: str = "", rest: str | None = None, hyphens: bool = True
) -> list[str]:
    """One or more lines of at most ``columns()``; words longer than a line are broken.

    ``first`` begins the first line, ``rest`` the others (blanks as wide when not given).
    ``hyphens`` allows breaks after them.
    """
    if rest is None:
        rest = " " * wcwidth.width(first)
    # a broken address can't be followed, and a broken command can't be copied
    is_address = text.startswith(("http://", "https://"))
    has_command = "`tuneworthy " in text
    lines = wcwidth.wrap(
        text,
        columns() - 1,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=not is_address,
        break_on_hyphens=hyphens and not is_address and not has_command,
    )
    return [line.rstrip() for line in lines] or [first.rstrip()]


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows in aligned columns, every cell wrapped to its column. Empty for no rows."""
    if not rows:
        return []
    widths = _widths(rows, indent)
    lines: list[str] = []
    for cells in rows:
        lines += _row_lines(cells, widths, indent)
    return lines


def _room(indent: str) -> int:
    return columns() - 1 - len(indent)


def _widths(rows: Sequence[Sequence[str]], indent: str) -> list[int]:
    """Widths of columns: as wide as their cells, but the widest shrink where that is too much.

    A column shrinks to its longest word, and further only when all columns have.
    """
    widths = [max(wcwidth.width(cell) for cell in column) for column in _columns(rows)]
    room = _room(indent) - _BETWEEN * (len(widths) - 1)
    for least in (_longest_words(rows), [_NARROWEST] * len(widths)):
        while sum(widths) > room:
            can_shrink = [n for n, width in enumerate(widths) if width > least[n]]
            if not can_shrink:
                break
            # of columns of one width the last, so that the name of a row keeps its own
            widest = max(can_shrink, key=lambda n: (widths[n], n))
            widths[widest] -= 1
    return widths


def _columns(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The cells of each column of a table."""
    return list(zip(*rows, strict=True))


def _longest_words(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of the longest word in each column, up to the length at which words are broken."""
    longest = []
    for column in _columns(rows):
        words = " ".join(column).split()
        width = max((wcwidth.width(word) for word in words), default=0)
        longest.append(min(width, _LONGEST_WORD))
    return longest


def _row_lines(
    cells: Sequence[str], widths: Sequence[int], indent: str
) -> Iterator[str]:
    """The lines of a row: each cell wrapped to its column, all from the top."""
    wrapped_cells = [
        _cell_lines(cell, max(width, 1))
        for cell, width in zip(cells, widths, strict=True)
    ]
    for parts in zip_longest(*wrapped_cells, fillvalue=""):
        padded = [
            wcwidth.ljust(part, width)
            for part, width in zip(parts, widths, strict=True)
        ]
        yield (indent + (" " * _BETWEEN).join(padded)).rstrip()


def _cell_lines(cell: str, width: int) -> list[str]:
    """The lines of a cell in its column."""
    is_plain = cell.isascii() and cell.isprintable() and cell == cell.strip()
    if is_plain and len(cell) <= width:
        return [cell]  # wrapping it takes time, and a list has thousands
    return wcwidth.wrap(cell, width) or [""]


def render(
    document: b.Document, *, colour: bool = False, everything: bool = False
) -> str:
    """Render a document in columns; with ``everything``, including details.

    Without ``everything``, a command shows at most one screen of it.
    """
    paint = Paint(colour)
    everything = everything or shows_details()
    head = list(_head_parts(document, paint, everything))
    sections = [_section(section, paint, everything) for section in document.sections]
    after: list[str] = []
    for text in document.after:
        after += wrapped(safe(text), rest="      ", hyphens=False)
    most = most_lines()
    if most and _height([*head, *sections, after]) > most:
        sections = _cut_to_fit(document, [*head, after], sections, most, paint)
        if REST not in after:
            after.append(REST)
    parts = ["\n".join(lines) for lines in (*head, *sections, after) if lines]
    text = "\n\n".join(parts) + "\n"
    return text.replace("’", "'")  # which every terminal can show


def _head_parts(
    document: b.Document, paint: Paint, everything: bool
) -> Iterator[list[str]]:
    """The lines of each part before the sections: title and byline, facts, warning."""
    first = _title(document, paint) + _lead(document, paint)
    for text in document.byline:
        first += paint.lines("dim", text)
    yield first
    if document.facts is not None:
        yield _block(document.facts, paint, "  ", everything)
    if document.warning:
        warning = [paint("strong", "Before you rely on it")]
        for text in document.warning:
            warning += wrapped(safe(text), first="  ")
        yield warning


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
    """The sections that fit, in their order, and as much of the next ones as fits.

    ``around`` are the parts before and after them, the lines after them last.
    """
    *_, after = around
    # the line that says how the rest is shown; alone, it has a blank line before it
    rest_line = 1 if after else 2
    room = most - _height(around) - rest_line
    shown = []
    for section, lines in zip(document.sections, sections, strict=True):
        if not lines:
            continue
        if len(lines) + 1 <= room:  # with the blank line before it
            fitting = lines
        else:
            fitting = _cut_section(section, paint, room - 1)
        if fitting:
            shown.append(fitting)
            room -= len(fitting) + 1
    return shown


def _cut_section(section: b.Section, paint: Paint, room: int) -> list[str]:
    """The first blocks of a section that fit into ``room`` lines; the last one may be cut."""
    title = paint.lines("strong", section.title) if section.title else []
    lines: list[str] = []
    for block in section.blocks:
        if _is_detail(block):
            continue
        blank = [""] if lines else []  # before every block but the first
        left = room - len(title) - len(lines) - len(blank)
        # every item takes a line or more, so a block with too many isn't even laid out
        if _count_items(block) <= left:
            whole = _block(block, paint, "  ", False)
            if not whole:  # all of it is a detail
                continue
            if len(whole) <= left:
                lines += [*blank, *whole]
                continue
        beginning = _cut_block(block, paint, left)
        if beginning:
            lines += [*blank, *beginning]
        break
    if title and len(title) + len(lines) < _LEAST_LINES:
        return []  # a title with hardly anything below it says nothing
    return title + lines


def _is_detail(block: b.Block) -> bool:
    """Whether a terminal shows a block only on demand; most kinds of blocks never are such."""
    return bool(getattr(block, "detail", False))


def _cut_block(block: b.Block, paint: Paint, room: int) -> list[str]:
    """The first items of a block, and the number of those left out; [] where none fits."""
    if isinstance(block, b.Picture):
        block = block.table
    if isinstance(block, b.Part):
        inner = b.Section("", block.title, block.blocks)
        lines = _cut_section(inner, paint, room)
        return [f"  {line}" if line else "" for line in lines]
    every = _count_items(block)
    most = min(every - 1, room)  # every item takes a line or more
    for kept in range(most, 0, -1):
        lines = _block(_first_items(block, kept), paint, "  ", False)
        if len(lines) < room:  # one line is for the number left out
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
        chosen = block.chosen
        if chosen is not None and chosen >= kept:  # its row is cut off
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
    first, *others = lines
    if not word or not first.startswith(word):
        return [paint(document.look, line) for line in lines]
    after_word = first.removeprefix(word)
    return [
        paint(document.look, word) + paint("strong", after_word),
        *(paint("strong", line) for line in others),
    ]


def _lead(document: b.Document, paint: Paint) -> list[str]:
    """The lines of the next step, with the badge at the right end, or below where it doesn't fit."""
    lines = []
    if document.lead:
        lines = wrapped(safe(document.lead), rest="     ", hyphens=False)
    badge = safe(document.badge)
    if not badge:
        return lines
    before_badge = _room("") - wcwidth.width(badge)
    painted = paint("warn", badge)
    if lines and wcwidth.width(lines[-1]) + _BETWEEN <= before_badge:
        lines[-1] = wcwidth.ljust(lines[-1], before_badge) + painted
        return lines
    return [*lines, " " * before_badge + painted]


def _blocks(
    parts: Iterable[b.Block], paint: Paint, indent: str, everything: bool
) -> list[str]:
    """Write blocks as lines, with an empty line between them."""
    lines: list[str] = []
    for block in parts:
        if _is_detail(block) and not everything:
            continue
        shown = _block(block, paint, indent, everything)
        if lines and shown:
            lines.append("")
        lines += shown
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
            return _block(block.table, paint, indent, everything)
        case b.Claims():
            return _claims(block, paint, indent)
        case b.Fold() | b.Part():
            inner = _blocks(block.blocks, paint, indent + "  ", everything)
            return paint.lines("strong", block.title, indent) + inner if inner else []


def _bullets(block: b.Bullets, paint: Paint, indent: str) -> list[str]:
    """Items after their marks; items of a list without marks are indented."""
    lines: list[str] = []
    for number, item in enumerate(block.items, start=1):
        if not block.mark:
            lines += _unmarked(item, paint, indent)
            continue
        mark = f"{number}. " if block.ordered else f"{block.mark} "
        lines += wrapped(safe(item), first=indent + mark)
    return lines


def _unmarked(item: str, paint: Paint, indent: str) -> list[str]:
    """An item without a mark; ``!`` at its start is a warning."""
    first, *others = wrapped(safe(item), first=indent, rest="    ")
    if first.startswith(f"{indent}! "):
        first = f"{indent}{paint('warn', '!')} {first.removeprefix(f'{indent}! ')}"
    return [first, *others]


def _facts(block: b.Facts, indent: str) -> list[str]:
    """Labels beside values; a long label is wrapped, too."""
    rows = [
        (safe(fact.label), safe(f"{fact.value} {fact.beside}".strip()))
        for fact in block.rows
    ]
    room = _room(indent)
    longest = max((wcwidth.width(label) for label, _ in rows), default=0)
    label_width = min(longest, room * 2 // 5)  # the values need most of the room
    widths = (label_width, room - label_width - _BETWEEN)
    lines: list[str] = []
    for row in rows:
        lines += _row_lines(row, widths, indent)
    return lines


def _claims(block: b.Claims, paint: Paint, indent: str) -> list[str]:
    """Numbered challenges, each with what settles it."""
    lines: list[str] = []
    for number, claim in enumerate(block.items, start=1):
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
    least_width = sum(_longest_words(every)) + _BETWEEN * (len(titles) - 1)
    if least_width <= _room(indent):
        widths = _widths(every, indent)
        lines = [paint("dim", line) for line in _row_lines(titles, widths, indent)]
        lines_of_rows = [list(_row_lines(row, widths, indent)) for row in rows]
    else:  # the terminal is too narrow: a row is a list of its cells
        lines = []
        lines_of_rows = [_narrow_row(titles, row, indent) for row in rows]
    for place, row_lines in enumerate(lines_of_rows):
        if place == block.chosen:
            lines += _mark_chosen(row_lines, indent, paint)
        else:
            lines += row_lines
    return lines


def _narrow_row(titles: Sequence[str], row: Sequence[str], indent: str) -> list[str]:
    """The name of a row, and below it each other cell after its title; empty ones are left out."""
    name, *cells = row
    _, *cell_titles = titles
    named = [
        f"{title}: {cell}"
        for title, cell in zip(cell_titles, cells, strict=True)
        if cell
    ]
    below = wrapped("; ".join(named), first=indent + "  ")
    return [*wrapped(name, first=indent), *below]


def _mark_chosen(lines: Sequence[str], indent: str, paint: Paint) -> list[str]:
    """Mark the row of the advised way in its indent."""
    first, *others = lines
    mark = indent[:-2] + "> "  # as wide as the indent, if that has room
    return [paint("strong", mark + first.removeprefix(indent)), *others]


def _cell(cell: str | b.Cell) -> str:
    if isinstance(cell, str):
        return safe(cell)
    return safe(f"{cell.text} ({cell.below})" if cell.below else cell.text)
