"""Rows of spreadsheets and of database files, as those of any other table.

An Excel workbook is a zip of XML. Its sheet with the most rows is read, and the first row with two
filled cells names the columns. Of a SQLite file, the table with the most calls, by a format or a
guess, is read.
"""

from __future__ import annotations

import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
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
_TOGETHER = 256
_HEAD = 4096
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001  # a cell has no zone
_MOST_DAYS = 2_958_465  #: The last day of the year 9999.
_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_NO_DATE = re.compile(r"\[[^\]]*\]|\"[^\"]*\"|\\.")
_COLUMN = re.compile(r"([A-Z]{1,3})\d+")
_MOST_COLUMNS = 16_384

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
    no_cells = dict.fromkeys(filter(None, names))
    places: list[int | str] = []
    records: list[dict[str, Any]] = []
    for place, row in enumerate(rows[head + 1 :], start=head + 2):
        if not any(cell is not None for cell in row):
            continue
        tally.records += 1
        if sum(len(cell) for cell in row if isinstance(cell, str)) > limits.line_bytes:
            tally.skip(TOO_LONG, place)
            continue
        cells = {name: cell for name, cell in zip(names, row, strict=False) if name}
        places.append(place)
        records.append(no_cells | cells)
        if len(records) == _TOGETHER:
            yield places, records
            places = []
            records = []
    if records:
        yield places, records


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
    """The place of the first row with two filled cells; the number of rows where there is none."""
    for place, row in enumerate(rows):
        if sum(map(bool, row)) > 1:
            return place
    return len(rows)


def _safe(stream: Ahead, where: str) -> Ahead:
    """Refuse XML that defines entities of its own."""
    if b"<!DOCTYPE" in stream.peek(_HEAD) or b"<!ENTITY" in stream.peek(_HEAD):
        raise InputError("holds XML with entities", where=where, fix="save it as CSV")
    return stream


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _elements(stream: Ahead, tag: str) -> Iterator[ET.Element]:
    """Elements with a tag; each is released after use."""
    source: Any = stream  # whose reading gives bytes, which is what is parsed
    for _, element in ET.iterparse(source):  # noqa: S314  # see _safe
        if _plain(element.tag) == tag:
            yield element
            element.clear()


def _sheets(opened: Opening) -> list[str]:
    """The paths of the sheets, in the order of the workbook."""
    book = opened(BOOK)
    links = opened("xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return []
    targets = {
        link.get("Id"): link.get("Target", "")
        for link in _elements(_safe(links, BOOK), "Relationship")
    }
    paths: list[str] = []
    for sheet in _elements(_safe(book, BOOK), "sheet"):
        ids = (value for key, value in sheet.attrib.items() if _plain(key) == "id")
        target = targets.get(next(ids, None), "")
        paths.append(posixpath.normpath(posixpath.join("/xl", target)).lstrip("/"))
    return paths


def _shared(opened: Opening) -> list[str]:
    stream = opened("xl/sharedStrings.xml")
    if stream is None:
        return []
    return [_text(item) for item in _elements(_safe(stream, BOOK), "si")]


def _text(element: ET.Element) -> str:
    """The text of an element, without the phonetic text beside Japanese words."""
    own = [child for child in element if _plain(child.tag) != "rPh"]
    texts = (
        each.text or ""
        for child in own
        for each in child.iter()
        if _plain(each.tag) == "t"
    )
    return "".join(texts)


def _date_styles(opened: Opening) -> set[int]:
    """The numbers of cell styles that show days."""
    stream = opened("xl/styles.xml")
    if stream is None:
        return set()
    source: Any = _safe(stream, BOOK)
    root = ET.parse(source).getroot()  # noqa: S314  # see _safe
    own: dict[int, str] = {}
    styles: list[int] = []
    for element in root.iter():
        if _plain(element.tag) == "numFmt":
            own[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
        elif _plain(element.tag) == "cellXfs":
            styles = [int(style.get("numFmtId", "0")) for style in element]
    days = {
        code
        for code, form in own.items()
        if set(_NO_DATE.sub("", form)) & set("dyhDYH")
    }
    return {
        place for place, code in enumerate(styles) if code in _DATES or code in days
    }


def _cells(
    stream: Ahead, texts: list[str], dates: set[int], tally: SkippedRecords
) -> Iterator[list[Any]]:
    """The rows of a sheet as lists of cells; a missing cell is None."""
    for row in _elements(stream, "row"):
        cells: list[Any] = []
        for cell in row:
            match = _COLUMN.fullmatch(cell.get("r", ""))
            place = _number_of(match[1]) if match else len(cells)
            if place >= _MOST_COLUMNS:
                continue
            cells += [None] * (place + 1 - len(cells))
            cells[place] = _value(cell, texts, dates)
        tally.size += sum(len(each) for each in cells if isinstance(each, str))
        yield cells


def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ET.Element, texts: list[str], dates: set[int]) -> Any:
    """The value of a cell; a number with a date's format is a date."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell) or None
    written = next((child.text for child in cell if _plain(child.tag) == "v"), None)
    if written is None or written == "" or kind == "e":
        return None
    if kind == "s":
        place = int(written) if written.isdigit() else len(texts)
        return (texts[place] or None) if place < len(texts) else None
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


# SQLite.


def database_tables(
    path: str, where: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The tables of a database file, each with its first rows."""
    with closing(_connected(path, where)) as database:
        for name in _names(database, where):
            query, columns = _query(database, name, where)
            rows = _asked(database, f"{query} LIMIT 20", where)
            yield (
                name,
                [dict(zip(columns, map(_readable, row), strict=True)) for row in rows],
            )


def database_rows(
    path: str, name: str, tally: SkippedRecords, limits: Limits, where: str
) -> Rows:
    """All rows of a table."""
    with closing(_connected(path, where)) as database:
        query, columns = _query(database, name, where)
        cursor = _asked(database, query, where)
        first = 1
        while rows := _some(cursor, where):
            records = [
                dict(zip(columns, map(_readable, row), strict=True)) for row in rows
            ]
            places: list[int | str] = [*range(first, first + len(records))]
            first += len(records)
            tally.records += len(records)
            kept: list[dict[str, Any]] = []
            where_kept: list[int | str] = []
            for place, record in zip(places, records, strict=True):
                size = sum(
                    len(cell) for cell in record.values() if isinstance(cell, str)
                )
                tally.size += size
                if size > limits.line_bytes:
                    tally.skip(TOO_LONG, place)
                else:
                    kept.append(record)
                    where_kept.append(place)
            yield where_kept, kept


def _names(database: sqlite3.Connection, where: str) -> list[str]:
    """Tables with rows of the user, without those for full-text search or for the file itself."""
    names = _asked(
        database, "SELECT name FROM sqlite_master WHERE type = 'table'", where
    )
    return [
        name
        for (name,) in names
        if "_fts" not in name and not name.startswith("sqlite_")
    ]


def _query(
    database: sqlite3.Connection, name: str, where: str
) -> tuple[str, list[str]]:
    """The query for the rows of a table with the rows they refer to by id, and its columns."""
    others = {other.casefold(): other for other in _names(database, where)}
    columns = _columns(database, name, where)
    picked = [f"a.{_quoted(column)}" for column in columns]
    joins: list[str] = []
    for column in [*columns]:
        stem = column.casefold().removesuffix("_id")
        other = others.get(f"{stem}s") or others.get(stem)
        if stem == column.casefold() or other is None or other == name:
            continue
        theirs = _columns(database, other, where)
        if "id" not in theirs or len(joins) == _MOST_JOINS:
            continue
        alias = f"b{len(joins)}"
        joins.append(
            f" LEFT JOIN {_quoted(other)} {alias} ON {alias}.id = a.{_quoted(column)}"
        )
        for each in theirs:
            if each not in columns:
                columns.append(each)
                picked.append(f"{alias}.{_quoted(each)}")
    return f"SELECT {', '.join(picked)} FROM {_quoted(name)} a{''.join(joins)}", columns  # noqa: S608  # names are quoted, and values are bound


_MOST_JOINS = 4


def _connected(path: str, where: str) -> sqlite3.Connection:
    """Open a file read-only, so that none of its own views and functions runs."""
    try:
        address = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(address, uri=True)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error as caught:
        raise _unreadable(caught, where) from None
    return database


def _asked(database: sqlite3.Connection, query: str, where: str) -> sqlite3.Cursor:
    try:
        return database.execute(query)
    except sqlite3.Error as caught:
        raise _unreadable(caught, where) from None


def _some(cursor: sqlite3.Cursor, where: str) -> list[tuple[Any, ...]]:
    try:
        return cursor.fetchmany(_TOGETHER)
    except sqlite3.Error as caught:
        raise _unreadable(caught, where) from None


def _columns(database: sqlite3.Connection, name: str, where: str) -> list[str]:
    cursor = _asked(database, f"SELECT * FROM {_quoted(name)} LIMIT 0", where)  # noqa: S608  # names are quoted, and values are bound
    return [str(column) for column, *_ in cursor.description]


def _unreadable(caught: sqlite3.Error, where: str) -> InputError:
    return InputError(
        f"can't be read as SQLite: {caught}", where=where, fix="check that it is whole"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _readable(cell: Any) -> Any:
    if isinstance(cell, bytes):
        with suppress(UnicodeDecodeError):
            return cell.decode()
        return None
    return cell
