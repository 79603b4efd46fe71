"""Tables through DuckDB: Parquet, CSV, and JSON arrays that are too large for memory.

The path is always a parameter and never part of a query. DuckDB may load no extension and open no
other file.
"""

from __future__ import annotations

import ast
import codecs
import glob
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import compress
from operator import not_
from typing import Any, NamedTuple

import msgspec

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.traces.skipped import NOT_UTF8, TOO_LONG, SkippedRecords
from tuneworthy.traces.stream import Ahead, Limits, Readable
from tuneworthy.traces.values import ANY, ITEMS_LATER, BrokenJson, decode

# rows, and signs, that are handed on together
_BATCH = 256
_SIZE = MIB // 8
_MOST_ROWS = 1024  # rows of Parquet, which come as columns
# A row as JSON: times with zones, decimals and nested values then need no care of their own.
_FILE = "read_parquet(?, hive_partitioning=false)"
_CSV = (
    "SELECT to_json(row) FROM read_csv(?, all_varchar=true, header=true, delim=?, quote='\"', "
    "escape='\"', null_padding=true, strict_mode=false, parallel=false, max_line_size=?) AS row"
)
_ARRAY = "SELECT CAST(json AS VARCHAR) FROM read_json_objects(?, format='array', maximum_object_size=?)"


Rows = Iterator[tuple[list[int | str], list[dict[str, Any]]]]
"""Rows of a table in groups of a hundred, with their numbers. Each row has all columns."""


class TableRows:
    """Some rows of a table, stored by column; iterating gives each row as an object."""

    def __init__(self, names: Sequence[str], columns: Sequence[list[Any]]) -> None:
        self.columns = dict(zip(names, columns, strict=True))

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, row, strict=True))

    def __getitem__(self, some: slice) -> TableRows:
        return TableRows(
            [*self.columns], [each[some] for each in self.columns.values()]
        )

    def only(self, kept: Sequence[bool]) -> TableRows:
        return TableRows(
            [*self.columns], [[*compress(v, kept)] for v in self.columns.values()]
        )


class PickedColumn(NamedTuple):
    """The reading of one column of a Parquet file."""

    name: str
    #: The SQL that selects the value, or a nested value as bytes of JSON.
    value_sql: str
    size_sql: str  #: How many bytes it has; empty for a type of fixed size.
    to_values: Callable[[Any], list[Any]]  #: Makes a list of what DuckDB gives.


@contextmanager
def parquet(path: str, limits: Limits) -> Iterator[Callable[..., Any]]:
    """A function that yields all rows with a map's columns; for None, the first row with all."""
    parameters = [_one_file(path)]
    with _connected(limits, path) as ask:
        # It would hold whole groups of rows.
        ask("SET disable_parquet_prefetching = true", [])
        schema = ask(f"DESCRIBE SELECT * FROM {_FILE}", parameters).fetchall()  # noqa: S608  # no text of others

        def rows(
            tally: SkippedRecords, kind: Any
        ) -> Iterator[tuple[list[int | str], TableRows]]:
            """Read the rows of the file, only the columns that the format uses."""
            columns = _picked_columns(schema, kind)
            names = [column.name for column in columns]
            limit = "" if kind else f"LIMIT {_BATCH}"
            query = f"SELECT {_selected(columns)} FROM (FROM {_FILE} {limit})"  # noqa: S608  # names are ours
            fetched = iter(ask(query, parameters).fetchone, None)
            for places, batch in _together(fetched, tally, limits):
                # The last one, the size of each row, belongs to no column.
                raw_values = zip(*batch, strict=True)
                pairs = zip(columns, raw_values, strict=False)
                values = [column.to_values(raw) for column, raw in pairs]
                yield places, TableRows(names, values)

        yield rows


def _picked_columns(schema: Sequence[Sequence[str]], kind: Any) -> list[PickedColumn]:
    """The columns that a map reads, all for None; the first one where the map reads none of them.

    ``schema`` has a row for each column, which begins with its name and its type.
    """
    keys = kind.keys if kind else None
    later = kind.later if kind else ()
    columns: list[PickedColumn] = []
    for number, (name, type_, *_) in enumerate(schema, start=1):
        if keys is None or name in keys:
            columns.append(_picked(name, number, type_, name in later))
    if not columns:
        name, type_, *_ = schema[0]
        columns.append(_picked(name, 1, type_, name in later))
    return columns


def _selected(columns: Sequence[PickedColumn]) -> str:
    """The columns of a query, followed by the number of bytes of a row.

    For example ``#2, encode(CAST(to_json(#3) AS VARCHAR)), coalesce(strlen(#2), 0) + …``.
    """
    values = [column.value_sql for column in columns]
    sizes = [f"coalesce({c.size_sql}, 0)" for c in columns if c.size_sql]
    return ", ".join([*values, " + ".join(sizes) or "0"])


def _together(
    fetched: Iterator[tuple[Any, ...]], tally: SkippedRecords, limits: Limits
) -> Iterator[tuple[list[int | str], list[tuple[Any, ...]]]]:
    """Group rows that fit in memory together, by their sizes, which are the last value of each.

    The sizes matter, as a file may refer to one long value many times.
    """
    places: list[int | str] = []
    rows: list[tuple[Any, ...]] = []
    held = 0
    for place, row in enumerate(fetched, start=1):
        tally.records += 1
        if (size := row[-1]) > limits.line_bytes:
            tally.skip(TOO_LONG, place)
            continue
        places.append(place)
        rows.append(row)
        held += size
        if held >= 8 * MIB or len(rows) == _MOST_ROWS:
            tally.size += held
            yield places, rows
            places = []
            rows = []
            held = 0
    tally.size += held
    if rows:
        yield places, rows


_PLAIN = re.compile(r"(?:BOOLEAN|U?(?:TINY|SMALL|BIG)?INT(?:EGER)?)")


def _picked(name: str, number: int, kind: str, later: bool) -> PickedColumn:
    """The reading of a column, by its type.

    The query uses the column's number, so that no name from the file gets into it.
    """
    column = f"#{number}"
    if kind in {"DOUBLE", "FLOAT"}:
        return PickedColumn(name, f"if(isfinite({column}), {column}, NULL)", "", list)
    if kind == "BLOB":  # a text whose writer didn't mark it as one
        return _picked_text(name, f"try(decode({column}))")
    if kind == "VARCHAR":
        return _picked_text(name, column)
    if _PLAIN.fullmatch(kind):
        return PickedColumn(name, column, "", list)
    if kind == "JSON" or kind[-1] in "])":
        written = f"encode(CAST(to_json({column}) AS VARCHAR))"
        decode_values = partial(_values_of, ITEMS_LATER if later else ANY)
        return PickedColumn(name, written, f"octet_length({written})", decode_values)
    return _picked_text(name, f"CAST({column} AS VARCHAR)")


def _picked_text(name: str, sql: str) -> PickedColumn:
    return PickedColumn(name, sql, f"strlen({sql})", list)


def _values_of(
    quick: Callable[[bytes], Any], column: Sequence[bytes | None]
) -> list[Any]:
    if max(len(each or b"") for each in column) <= MIB:
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            return [each and quick(each) for each in column]
    return [_value(quick, each) for each in column]


def _value(quick: Callable[[bytes], Any], written: bytes | None) -> Any:
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        if written is None or len(written) <= MIB:
            return written and quick(written)
    with suppress(BrokenJson):  # such as a number that is too large
        return decode(written or b"", object)
    return None


def _one_file(path: str) -> str:
    # A name may hold the signs of a pattern, and must not be taken for an address.
    return glob.escape(os.path.abspath(path))  # noqa: PTH100  # text, which may be no usable path


def array_rows(
    stream: Readable,
    tally: SkippedRecords,
    limits: Limits,
    where: str,
    *,
    on_disk: bool,
) -> Rows:
    """Objects of a JSON array too large for memory. A packed or remote one is written to disk."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file, suppress(InputError):
        while not on_disk and (data := stream.read(MIB)):
            file.write(data)
        file.flush()
        parameters = [_one_file(where if on_disk else file.name), limits.line_bytes]
        values = _values(_ARRAY, parameters, limits)
        for places, rows in _decoded(values, tally):
            if tally.size > limits.line_bytes * tally.records:
                break
            yield places, rows
        else:
            return
    what = f"is one JSON value of more than {limits.document_bytes // MIB} MiB"
    fix = "write one record a line"
    raise InputError(f"{what}, and no list of shorter records", where=where, fix=fix)


def csv_rows(
    stream: Readable, sign: str, tally: SkippedRecords, limits: Limits, where: str
) -> Rows:
    """Rows of a text table with this separator; line numbers count from the line of names.

    DuckDB reads a file, so the text is written to one, with a mark for bytes that aren't UTF-8.
    """
    decoder = codecs.getincrementaldecoder(_encoding(stream))("replace")
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        while data := stream.read(MIB):
            file.write(decoder.decode(data).encode())
        file.write(decoder.decode(b"", final=True).encode())
        file.flush()
        parameters = [_one_file(file.name), sign, limits.line_bytes]
        try:
            values = _values(_CSV, parameters, limits)
            for places, rows in _decoded(values, tally, first=2):
                whole = [
                    not any("\ufffd" in cell for cell in row.values() if cell)
                    for row in rows
                ]
                for place in compress(places, map(not_, whole)):
                    tally.skip(NOT_UTF8, place)
                kept = (row.items() for row in compress(rows, whole))
                records = [{name: cell or None for name, cell in row} for row in kept]
                yield [*compress(places, whole)], records
        except InputError:
            fix = "check its quotes; one that isn't closed swallows all that follows"
            raise InputError("can't be read as CSV", where=where, fix=fix) from None


_WRONG = 3  #: Signs outside ASCII after which a text without one of UTF-8 is another's.


def _encoding(stream: Readable) -> str:
    """UTF-8, or Windows' encoding for a text with bytes that aren't UTF-8."""
    head = stream.peek(MIB) if isinstance(stream, Ahead) else b""
    text = head.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(sign > "\x7f" for sign in text) - wrong
    return "cp1252" if wrong >= _WRONG and not right else "utf-8-sig"


_COMMA = re.compile(r"^(-?\d+),(\d+)$")
_THOUSANDS = re.compile(r"^-?\d{1,3}(?:\.\d{3})+(?:,\d+)?$")


def with_points(
    rows: list[dict[str, Any]], columns: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Rows in which columns of numbers have decimal points for commas; ``None`` means all columns."""
    names = {name for row in rows for name in row if columns is None or name in columns}
    for name in names:
        cells = [row.get(name) for row in rows]
        texts = [cell for cell in cells if isinstance(cell, str)]
        # A point parts thousands only where a comma stands for the point.
        with_commas = any(
            "," in cell and cell.replace(".", "").replace(",", "").isdigit()
            for cell in texts
        )
        for row in rows:
            cell = row.get(name)
            if not isinstance(cell, str):
                continue
            if with_commas and _THOUSANDS.match(cell):
                cell = cell.replace(".", "").replace(",", ".")
            row[name] = _COMMA.sub(r"\1.\2", cell)
    return rows


_PYTHONS = re.compile(r"[\[{]\s*(?:\{\s*)?['{]")
_ROWS = re.compile(r"\}\s*\n\s*\{")  # numpy prints the items of an array like this


def with_literals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in which cells with a list or an object in Python's notation are parsed."""
    for row in rows:
        for name, cell in row.items():
            if isinstance(cell, str) and _PYTHONS.match(cell):
                row[name] = _literal(cell)
    return rows


def _literal(cell: str) -> Any:
    """Read a cell that was written as a Python literal; the text itself where it is none."""
    if len(cell) > MIB:
        return cell
    for written in (cell, _ROWS.sub("}, {", cell)):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            value = ast.literal_eval(written)
            return msgspec.json.decode(msgspec.json.encode(value))
    return cell


def _decoded(values: Iterator[str], tally: SkippedRecords, first: int = 1) -> Rows:
    """Objects from their JSON texts, at most ``_BATCH`` or about ``_SIZE`` signs at once.

    Numbers count from ``first``. A text that is no object gives an empty one, so that the numbers
    after it hold: a ``null`` in a list is the text "null" here and never None.
    """
    for texts, size in _text_batches(values):
        rows = _decoded_batch(texts)
        tally.records += len(rows)
        tally.size += size
        yield [*range(first, first + len(rows))], rows
        first = first + len(rows)


def _text_batches(values: Iterator[str]) -> Iterator[tuple[list[str], int]]:
    """Texts in batches, each with its number of characters."""
    batch: list[str] = []
    size = 0
    for value in values:
        batch.append(value)
        size += len(value)
        if len(batch) == _BATCH or size > _SIZE:
            yield batch, size
            batch = []
            size = 0
    if batch:
        yield batch, size


_ROW = msgspec.json.Decoder(dict[str, Any])


def _decoded_batch(texts: Sequence[str]) -> list[dict[str, Any]]:
    try:
        return _ROW.decode_lines("\n".join(texts))
    except (msgspec.MsgspecError, RecursionError):
        return [_value(_ROW.decode, text.encode()) or {} for text in texts]


def _values(query: str, parameters: list[Any], limits: Limits) -> Iterator[Any]:
    """The first column of a query whose first parameter is a path."""
    with _connected(limits, parameters[0]) as ask:
        result = ask(query, parameters)
        while rows := result.fetchmany(_BATCH):
            yield from (row[0] for row in rows)


@contextmanager
def _connected(limits: Limits, where: str) -> Iterator[Callable[[str, list[Any]], Any]]:
    """A function that queries DuckDB within the limits."""
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_mib}MiB",
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "temp_directory": "",
        }
    )
    try:
        yield connection.execute
    except duckdb.OutOfMemoryException:
        what = f"takes more than the {limits.memory_mib} MiB that a table may"
        fix = "write it again in smaller row groups, of 10,000 rows"
        raise InputError(what, where=where, fix=fix) from None
    except duckdb.Error as caught:
        fix = "check that it is whole"
        cause = str(caught).strip().splitlines()[0][:200].rstrip(" :.")
        raise InputError(f"can't be read: {cause}", where=where, fix=fix) from None
    finally:
        connection.close()


# Signs of tables.

_SIGNS = (",", "\t", ";", "|")


def looks_like_table(head: bytes) -> str | None:
    """The separator in a first line; None where the line isn't a row of names."""
    first = (
        head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8", "replace")
    )
    counts = {sign: first.count(sign) for sign in _SIGNS}
    sign = max(counts, key=counts.__getitem__)
    if not counts[sign] or any(c in first for c in "{}<>\0"):
        return None
    return sign
