"""Rows of spreadsheets and of database files, as those of any other table.

An Excel workbook is a zip of XML. Its sheet with the most rows is read, and the first row with two
filled cells names the columns. Of a SQLite file, the table with the most calls, by a format or a
guess, is read.
"""

from __future__ import annotations

import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # no document with entities gets this far

from tuneworthy.errors import InputError
from tuneworthy.traces.skipped import TOO_LONG, SkippedRecords
from tuneworthy.traces.stream import Ahead, Limits
from tuneworthy.traces.tables import Rows

BOOK = "xl/workbook.xml"
SQLITE = b"SQLite format 3\0"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"  #: How a workbook of before 2007 begins.
_TOGETHER = 256  #: Rows that are handed on together.
_HEAD = 4096  #: Bytes in which XML declares its entities, if it has any.
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001  # a cell has no zone
_MOST_DAYS = 2_958_465  #: The last day of the year 9999.
_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Excel's numbers of built-in formats that show days or times."""
_NO_DATE = re.compile(r"\[[^\]]*\]|\"[^\"]*\"|\\.")
"""Parts of a format's code that are shown as they are, and so say nothing of days."""
_COLUMN = re.compile(r"([A-Z]{1,3})\d+")  #: The place of a cell, as ``AB12``.
_MOST_COLUMNS = 16_384  #: Excel's own limit; a file may name a column far beyond it.

Opening = Callable[[str], Ahead | None]
"""Opens a member of an archive by its name; None without such a member."""


def sheet_rows(
    opened: Opening, tally: SkippedRecords, limits: Limits, where: str
) -> Rows:
    """Rows of the longest sheet of a workbook, by the names in its header."""
    rows = _longest_sheet(opened, tally, where)
    head = _head_of(rows)
    if head == len(rows):
        return
    names = [str(name or "").strip() for name in rows[head]]
    no_cells = {name: None for name in names if name}
    places: list[int | str] = []
    records: list[dict[str, Any]] = []
    # Excel counts rows from 1, and the first record is in the row after the header.
    for place, row in enumerate(rows[head + 1 :], start=head + 2):
        if not any(cell is not None for cell in row):
            continue
        tally.records += 1
        if _text_size(row) > limits.line_bytes:
            tally.skip(TOO_LONG, place)
            continue
        # A row may be shorter than the header, and may have cells beside the table.
        cells = {name: cell for name, cell in zip(names, row, strict=False) if name}
        places.append(place)
        records.append(no_cells | cells)
        if len(records) == _TOGETHER:
            yield places, records
            places = []
            records = []
    if records:
        yield places, records


def _text_size(cells: Iterable[Any]) -> int:
    """The number of characters in the texts among some cells."""
    return sum(len(cell) for cell in cells if isinstance(cell, str))


def _longest_sheet(
    opened: Opening, tally: SkippedRecords, where: str
) -> list[list[Any]]:
    """The cells of the sheet with the most rows; [] for a workbook without rows."""
    longest: list[list[Any]] = []
    try:
        texts = _shared(opened)
        dates = _date_styles(opened)
        for path in _sheets(opened):
            stream = opened(path)
            if stream is not None:
                rows = [*_cells(_safe(stream, where), texts, dates, tally)]
                longest = max(longest, rows, key=len)
    except ET.ParseError:
        fix = "save it again, or save it as CSV"
        raise InputError("can't be read as a workbook", where=where, fix=fix) from None
    return longest


def _head_of(rows: Sequence[Sequence[Any]]) -> int:
    """The place of the first row with two filled cells; the number of rows where there is none.

    A row above it with a single cell is the title of the sheet.
    """
    for place, row in enumerate(rows):
        filled = [cell for cell in row if cell]
        if len(filled) > 1:
            return place
    return len(rows)


def _safe(stream: Ahead, where: str) -> Ahead:
    """Refuse XML that defines entities of its own, as these may unfold to any size."""
    head = stream.peek(_HEAD)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise InputError("holds XML with entities", where=where, fix="save it as CSV")
    return stream


def _plain(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def _elements(stream: Ahead, tag: str) -> Iterator[ET.Element]:
    """Elements with a tag; each is released after use."""
    source: Any = stream  # whose reading gives bytes, which is what is parsed
    for _, element in ET.iterparse(source):  # noqa: S314  # see _safe
        if _plain(element.tag) == tag:
            yield element
            element.clear()


def _sheets(opened: Opening) -> list[str]:
    """The paths of the sheets, in the order of the workbook.

    The workbook names each sheet by an id, and a file beside it says which path each id means.
    """
    book = opened(BOOK)
    links = opened("xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return []
    targets: dict[str, str] = {}
    for link in _elements(_safe(links, BOOK), "Relationship"):
        targets[link.get("Id", "")] = link.get("Target", "")
    paths: list[str] = []
    for sheet in _elements(_safe(book, BOOK), "sheet"):
        target = targets.get(_id_of(sheet), "")
        paths.append(posixpath.normpath(posixpath.join("/xl", target)).lstrip("/"))
    return paths


def _id_of(sheet: ET.Element) -> str:
    """The id of a sheet, whose attribute has a namespace; empty where it has none."""
    for key, value in sheet.attrib.items():
        if _plain(key) == "id":
            return value
    return ""


def _shared(opened: Opening) -> list[str]:
    """The texts that cells refer to by their number."""
    stream = opened("xl/sharedStrings.xml")
    if stream is None:
        return []
    return [_text(item) for item in _elements(_safe(stream, BOOK), "si")]


def _text(element: ET.Element) -> str:
    """The text of an element, without the phonetic text beside Japanese words."""
    text = ""
    for child in element:
        if _plain(child.tag) == "rPh":
            continue
        for inner in child.iter():
            if _plain(inner.tag) == "t":
                text += inner.text or ""
    return text


def _date_styles(opened: Opening) -> set[int]:
    """The numbers of cell styles that show days or times."""
    stream = opened("xl/styles.xml")
    if stream is None:
        return set()
    source: Any = _safe(stream, BOOK)
    root = ET.parse(source).getroot()  # noqa: S314  # see _safe
    date_formats = set(_DATES)
    formats_by_style: list[int] = []
    for element in root.iter():
        tag = _plain(element.tag)
        if tag == "numFmt" and _shows_date(element.get("formatCode", "")):
            date_formats.add(int(element.get("numFmtId", "0")))
        elif tag == "cellXfs":
            formats_by_style = [int(style.get("numFmtId", "0")) for style in element]
    return {
        style for style, code in enumerate(formats_by_style) if code in date_formats
    }


def _shows_date(code: str) -> bool:
    """Whether a format's code, as ``dd.mm.yyyy``, has a letter for days, years or hours."""
    return not set(_NO_DATE.sub("", code)).isdisjoint("dyhDYH")


def _cells(
    stream: Ahead, texts: list[str], dates: set[int], tally: SkippedRecords
) -> Iterator[list[Any]]:
    """The rows of a sheet as lists of cells; a missing cell is None."""
    for row in _elements(stream, "row"):
        cells: list[Any] = []
        for cell in row:
            match = _COLUMN.fullmatch(cell.get("r", ""))
            # Some programs don't write where a cell is; then it follows the one before.
            column = _column_number(match[1]) if match else len(cells)
            if column >= _MOST_COLUMNS:
                continue
            cells += [None] * (column + 1 - len(cells))
            cells[column] = _value(cell, texts, dates)
        tally.size += _text_size(cells)
        yield cells


def _column_number(letters: str) -> int:
    """The number of a column from 0: A is 0, Z is 25, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ET.Element, texts: list[str], dates: set[int]) -> Any:
    """The value of a cell; a number with a date's format is a date."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell) or None
    written = _written(cell)
    if not written or kind == "e":  # an error, as #DIV/0!
        return None
    if kind == "s":
        return _shared_text(written, texts)
    if kind == "b":
        return written == "1"
    if kind != "n":
        return written
    try:
        number = float(written)
    except ValueError:
        return written
    if int(cell.get("s", "0")) in dates and 0 <= number <= _MOST_DAYS:
        return (_DAY_0 + timedelta(days=number)).isoformat()
    return int(number) if number.is_integer() else number


def _written(cell: ET.Element) -> str | None:
    """The text of a cell's value as the file has it; None for an empty cell."""
    for child in cell:
        if _plain(child.tag) == "v":
            return child.text
    return None


def _shared_text(number: str, texts: list[str]) -> str | None:
    """The shared text of this number; None for an empty or a missing one."""
    if not number.isdigit() or int(number) >= len(texts):
        return None
    return texts[int(number)] or None


# SQLite.


def database_tables(
    path: str, where: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The tables of a database file, each with its first rows."""
    with _connected(path, where) as database:
        for name in _names(database):
            query, columns = _query(database, name)
            rows = database.execute(f"{query} LIMIT {_FIRST_ROWS}")
            yield name, [_record(columns, row) for row in rows]


_FIRST_ROWS = 20  #: Rows of a table for a first look.


def _record(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(columns, map(_readable, row), strict=True))


def database_rows(
    path: str, name: str, tally: SkippedRecords, limits: Limits, where: str
) -> Rows:
    """All rows of a table, with their numbers from 1."""
    with _connected(path, where) as database:
        query, columns = _query(database, name)
        cursor = database.execute(query)
        place = 0
        while rows := cursor.fetchmany(_TOGETHER):
            places: list[int | str] = []
            records: list[dict[str, Any]] = []
            for row in rows:
                place += 1
                record = _record(columns, row)
                size = _text_size(record.values())
                tally.records += 1
                tally.size += size
                if size > limits.line_bytes:
                    tally.skip(TOO_LONG, place)
                else:
                    places.append(place)
                    records.append(record)
            yield places, records


def _names(database: sqlite3.Connection) -> list[str]:
    """Tables with rows of the user, without those for full-text search or for the file itself."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    names = [name for (name,) in database.execute(query)]
    return [n for n in names if "_fts" not in n and not n.startswith("sqlite_")]


def _query(database: sqlite3.Connection, name: str) -> tuple[str, list[str]]:
    """The query for the rows of a table with the rows they refer to by id, and its columns.

    A log of calls often has a ``model_id`` whose name is in a table ``models``.
    """
    names = _names(database)
    columns = _columns(database, name)
    picked = [f"a.{_quoted(column)}" for column in columns]
    joins: list[str] = []
    for column in [*columns]:
        other = _table_meant(column, names)
        if other is None or other == name or len(joins) == _MOST_JOINS:
            continue
        others_columns = _columns(database, other)
        if "id" not in others_columns:
            continue
        alias = f"b{len(joins)}"
        joins.append(
            f" LEFT JOIN {_quoted(other)} {alias} ON {alias}.id = a.{_quoted(column)}"
        )
        for each in others_columns:
            # The table's own column of a name wins, such as its own id.
            if each not in columns:
                columns.append(each)
                picked.append(f"{alias}.{_quoted(each)}")
    query = f"SELECT {', '.join(picked)} FROM {_quoted(name)} a{''.join(joins)}"  # noqa: S608  # names are quoted, and values are bound
    return query, columns


def _table_meant(column: str, tables: Sequence[str]) -> str | None:
    """The table that a column refers to, as ``models`` or ``model`` by ``model_id``; else None."""
    stem = column.casefold().removesuffix("_id")
    if stem == column.casefold():
        return None
    by_name = {table.casefold(): table for table in tables}
    return by_name.get(f"{stem}s") or by_name.get(stem)


_MOST_JOINS = 4  #: Tables that are read beside one; a query with many takes too long.


@contextmanager
def _connected(path: str, where: str) -> Iterator[sqlite3.Connection]:
    """Open a file read-only, so that none of its own views and functions runs.

    Raises:
        InputError: For whatever SQLite can't read, while the connection is open.
    """
    address = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            yield database
    except sqlite3.Error as caught:
        what = f"can't be read as SQLite: {caught}"
        raise InputError(what, where=where, fix="check that it is whole") from None


def _columns(database: sqlite3.Connection, name: str) -> list[str]:
    """The names of a table's columns."""
    cursor = database.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0")  # noqa: S608  # names are quoted, and values are bound
    return [str(column) for column, *_ in cursor.description]


def _quoted(name: str) -> str:
    """A name as SQL has it, whatever signs are in it."""
    return '"' + name.replace('"', '""') + '"'


def _readable(cell: Any) -> Any:
    """A cell's value; bytes as text where they are UTF-8, else None."""
    if not isinstance(cell, bytes):
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None
