"""Rows of workbooks and of database files, as those of any other table.

Of a workbook, the sheet with the most rows is read. Of a SQLite file, the table with the most calls,
by a format or a guess.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.traces.skipped import TOO_LONG, SkippedRecords
from tuneworthy.traces.stream import Limits, check_ratio
from tuneworthy.traces.tables import Rows

BOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
"""The member of an archive by which it is a workbook: of Excel, or of an open format."""
SQLITE = b"SQLite format 3\0"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"  #: How a workbook of before 2007 begins.
_TOGETHER = 256  #: Rows that are handed on together.
_READER = Path(__file__).with_name("workbook.py")
_MOST_S = 300  #: Seconds of a processor for a workbook; one of a million rows takes 20.


def sheet_rows(path: str, tally: SkippedRecords, limits: Limits, where: str) -> Rows:
    """Rows of the longest sheet of a workbook, by the names in its header."""
    names: list[str] | None = None
    places: list[int | str] = []
    records: list[dict[str, Any]] = []
    for place, row in _sheet_lines(path, limits, where):
        if names is None:
            names = [str(name or "").strip() for name in row]
            continue
        tally.records += 1
        tally.size += _text_size(row)
        places.append(place)
        # Cells without a name stand beside the table.
        records.append({n: cell for n, cell in zip(names, row, strict=True) if n})
        if len(records) == _TOGETHER:
            yield places, records
            places = []
            records = []
    if records:
        yield places, records


def _sheet_lines(
    path: str, limits: Limits, where: str
) -> Iterator[tuple[int, list[Any]]]:
    """The rows that a process of its own reads, the header first.

    Raises:
        InputError: If it can't read the workbook, or the rows are far larger than the file.
    """
    import python_calamine

    del python_calamine  # the process needs it, and here it says what to install
    memory_bytes = limits.memory_mib * MIB
    command = [sys.executable, "-I", str(_READER), path]
    packed_bytes = Path(path).stat().st_size
    unpacked_bytes = 0
    line = b""
    with subprocess.Popen(  # noqa: S603  # our own Python and script
        [*command, str(memory_bytes), str(_MOST_S)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        try:
            # a row without its end is longer than a line may be, or the process broke off
            while (line := process.stdout.readline(limits.line_bytes)).endswith(b"\n"):
                unpacked_bytes += len(line)
                check_ratio(unpacked_bytes, packed_bytes, where, limits)
                place, row = json.loads(line)
                yield place, row
        finally:  # whoever reads may stop early, too
            if line:
                process.kill()
    if line or process.returncode:
        fix = "save it again, or save it as CSV"
        raise InputError("can't be read as a workbook", where=where, fix=fix)


def _text_size(cells: Iterable[Any]) -> int:
    """The number of characters in the texts among some cells."""
    return sum(len(cell) for cell in cells if isinstance(cell, str))


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
