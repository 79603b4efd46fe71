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
from typing import Any, NamedTuple

import msgspec

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.traces.skipped import NOT_UTF8, TOO_LONG, SkippedRecords
from tuneworthy.traces.stream import Ahead, Limits, Readable
from tuneworthy.traces.values import ANY, ITEMS_LATER, BrokenJson, decode

# rows, and signs, that are handed on together
_BATCH = 256  #: Rows that are handed on together,
_SIZE = MIB // 8  #: or fewer, where they have so many characters.
_MOST_ROWS = 1024  #: The same for Parquet, whose rows come as columns,
_MOST_ROW_BYTES = 8 * MIB  #: and the bytes after which a group of them is full.
# A row as JSON: times with zones, decimals and nested values then need no care of their own.
_FILE = "read_parquet(?, hive_partitioning=false)"
_CSV = (
    "SELECT to_json(row) FROM read_csv(?, all_varchar=true, header=true, delim=?, quote='\"', "
    "escape='\"', null_padding=true, strict_mode=false, parallel=false, max_line_size=?) AS row"
)
_ARRAY = "SELECT CAST(json AS VARCHAR) FROM read_json_objects(?, format='array', maximum_object_size=?)"


Rows = Iterator[tuple[list[int | str], list[dict[str, Any]]]]
"""Rows of a table in groups of a hundred, with their numbers. Each row has all columns."""
AskDatabase = Callable[[str, list[Any]], Any]
"""Asks DuckDB a query with its parameters."""


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


class ParquetFile:
    """A Parquet file, from which rows with some of its columns can be read, also several times."""

    def __init__(self, ask: AskDatabase, path: str, limits: Limits) -> None:
        self._ask = ask
        self._parameters = [_one_file(path)]
        self._limits = limits
        # It would hold whole groups of rows.
        ask("SET disable_parquet_prefetching = true", [])
        described = ask(f"DESCRIBE SELECT * FROM {_FILE}", self._parameters)  # noqa: S608  # no text of others
        #: The name and the type of each column.
        self._schema: list[tuple[str, str]] = []
        for name, type_, *_ in described.fetchall():
            self._schema.append((name, type_))

    def first_rows(self) -> TableRows:
        """The first rows with all columns, for a first look; none for an empty file."""
        columns = _picked_columns(self._schema, None, ())
        for _, rows in self._read(SkippedRecords(""), columns, f"LIMIT {_BATCH}"):
            return rows
        return TableRows((), ())

    def rows(
        self,
        tally: SkippedRecords,
        keys: Collection[str] | None = None,
        later: Collection[Any] = (),
    ) -> Iterator[tuple[list[int | str], TableRows]]:
        """All rows in groups, with their numbers from 1.

        Only columns in ``keys`` are read; None means all. Lists in the columns ``later`` stay
        undecoded.
        """
        return self._read(tally, _picked_columns(self._schema, keys, later), "")

    def _read(
        self, tally: SkippedRecords, columns: Sequence[PickedColumn], limit: str
    ) -> Iterator[tuple[list[int | str], TableRows]]:
        """Rows in groups; ``limit`` is SQL that says how many, or empty for all."""
        names = [column.name for column in columns]
        query = f"SELECT {_selected(columns)} FROM (FROM {_FILE} {limit})"  # noqa: S608  # names are ours
        fetched = iter(self._ask(query, self._parameters).fetchone, None)
        for places, batch in _together(fetched, tally, self._limits):
            # The last one, the size of each row, belongs to no column.
            *raw_columns, _ = zip(*batch, strict=True)
            pairs = zip(columns, raw_columns, strict=True)
            yield places, TableRows(names, [c.to_values(raw) for c, raw in pairs])


@contextmanager
def parquet(path: str, limits: Limits) -> Iterator[ParquetFile]:
    """Open a Parquet file; its connection closes behind it."""
    with _connected(limits, path) as ask:
        yield ParquetFile(ask, path, limits)


def _picked_columns(
    schema: Sequence[tuple[str, str]],
    keys: Collection[str] | None,
    later: Collection[Any],
) -> list[PickedColumn]:
    """The wanted columns; the first one where the file has none of them.

    ``schema`` has the name and the type of each column.
    """
    columns: list[PickedColumn] = []
    for number, (name, type_) in enumerate(schema, start=1):
        if keys is None or name in keys:
            columns.append(_picked(name, number, type_, name in later))
    if not columns:
        # Its rows are still counted, and then skipped as records without an output.
        name, type_ = schema[0]
        columns.append(_picked(name, 1, type_, name in later))
    return columns


def _selected(columns: Sequence[PickedColumn]) -> str:
    """The columns of a query, followed by the number of bytes of a row.

    For example ``#2, encode(CAST(to_json(#3) AS VARCHAR)), coalesce(strlen(#2), 0) + …``.
    """
    values = [column.value_sql for column in columns]
    # A missing value has no size, and a sum with one would be missing, too.
    sizes = [f"coalesce({c.size_sql}, 0)" for c in columns if c.size_sql]
    row_size = " + ".join(sizes) if sizes else "0"
    return ", ".join([*values, row_size])


def _together(
    fetched: Iterator[tuple[Any, ...]], tally: SkippedRecords, limits: Limits
) -> Iterator[tuple[list[int | str], list[tuple[Any, ...]]]]:
    """Group rows that fit in memory together, by their sizes, which are the last value of each.

    The sizes matter, as a file may refer to one long value many times.
    """
    places: list[int | str] = []
    rows: list[tuple[Any, ...]] = []
    held_bytes = 0
    for place, row in enumerate(fetched, start=1):
        tally.records += 1
        size = row[-1]
        if size > limits.line_bytes:
            tally.skip(TOO_LONG, place)
            continue
        places.append(place)
        rows.append(row)
        held_bytes += size
        if held_bytes >= _MOST_ROW_BYTES or len(rows) == _MOST_ROWS:
            tally.size += held_bytes
            yield places, rows
            places = []
            rows = []
            held_bytes = 0
    tally.size += held_bytes
    if rows:
        yield places, rows


_PLAIN = re.compile(r"(?:BOOLEAN|U?(?:TINY|SMALL|BIG)?INT(?:EGER)?)")
"""DuckDB's names of types whose values are plain and short."""


def _picked(name: str, number: int, kind: str, later: bool) -> PickedColumn:
    """The reading of a column, by its type in DuckDB's words. With ``later``, lists stay undecoded.

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
    is_nested = kind.endswith(("]", ")"))  # such as STRUCT(a INTEGER)[]
    if kind == "JSON" or is_nested:
        written = f"encode(CAST(to_json({column}) AS VARCHAR))"
        decode_values = partial(_decode_column, ITEMS_LATER if later else ANY)
        return PickedColumn(name, written, f"octet_length({written})", decode_values)
    return _picked_text(name, f"CAST({column} AS VARCHAR)")


def _picked_text(name: str, sql: str) -> PickedColumn:
    return PickedColumn(name, sql, f"strlen({sql})", list)


def _decode_column(
    quick: Callable[[bytes], Any], column: Sequence[bytes | None]
) -> list[Any]:
    """The values of a column of JSON; None for one that is missing or can't be decoded."""
    longest = max(len(each or b"") for each in column)
    # One bad value fails them all, and a long one is counted before it is decoded.
    if longest <= MIB:
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            # a missing value stays as it is
            return [each and quick(each) for each in column]
    return [_decode_cell(quick, each) for each in column]


def _decode_cell(quick: Callable[[bytes], Any], written: bytes | None) -> Any:
    """The value of a cell of JSON; None for one that is missing or can't be decoded."""
    if not written:
        return written
    if len(written) <= MIB:
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            return quick(written)
    # ``decode`` mends some, and refuses what takes too much memory
    with suppress(BrokenJson):
        return decode(written, object)
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
    """Objects of a JSON array too large for memory. A packed or remote one is written to disk.

    Raises:
        InputError: If it is no array of objects, or if one of them is longer than a line may be.
    """
    most_mib = limits.document_bytes // MIB
    what = (
        f"is one JSON value of more than {most_mib} MiB, and no list of shorter records"
    )
    no_list = InputError(what, where=where, fix="write one record a line")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        path = where
        if not on_disk:
            path = file.name
            while data := stream.read(MIB):
                file.write(data)
            file.flush()
        values = _values(_ARRAY, [_one_file(path), limits.line_bytes], limits)
        try:
            for places, rows in _decoded(values, tally):
                # DuckDB lets pass somewhat larger records than the limit that it is told.
                if tally.size > limits.line_bytes * tally.records:
                    raise no_list
                yield places, rows
        except InputError:
            raise no_list from None


def csv_rows(
    stream: Readable, sign: str, tally: SkippedRecords, limits: Limits, where: str
) -> Rows:
    """Rows of a text table with this separator; line numbers count from the line of names."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        _copy_as_utf8(stream, file)
        parameters = [_one_file(file.name), sign, limits.line_bytes]
        try:
            values = _values(_CSV, parameters, limits)
            for places, rows in _decoded(values, tally, first=2):
                yield _without_broken_text(places, rows, tally)
        except InputError:
            fix = "check its quotes; one that isn't closed swallows all that follows"
            raise InputError("can't be read as CSV", where=where, fix=fix) from None


def _copy_as_utf8(stream: Readable, file: Any) -> None:
    """Write a text to a file, as DuckDB reads one, with a mark for bytes that aren't UTF-8."""
    decoder = codecs.getincrementaldecoder(_encoding(stream))("replace")
    while data := stream.read(MIB):
        file.write(decoder.decode(data).encode())
    file.write(decoder.decode(b"", final=True).encode())
    file.flush()


_NOT_DECODED = "\ufffd"  #: The mark that stands for bytes that aren't UTF-8.


def _without_broken_text(
    places: list[int | str], rows: list[dict[str, Any]], tally: SkippedRecords
) -> tuple[list[int | str], list[dict[str, Any]]]:
    """Rows without those whose bytes aren't UTF-8, which are counted. An empty cell becomes None."""
    kept_places: list[int | str] = []
    kept: list[dict[str, Any]] = []
    for place, row in zip(places, rows, strict=True):
        if any(cell and _NOT_DECODED in cell for cell in row.values()):
            tally.skip(NOT_UTF8, place)
        else:
            kept_places.append(place)
            kept.append({name: cell or None for name, cell in row.items()})
    return kept_places, kept


_WRONG = 3  #: Signs outside ASCII after which a text without one of UTF-8 is another's.


def _encoding(stream: Readable) -> str:
    """UTF-8, or Windows' encoding for a text with bytes that aren't UTF-8."""
    head = stream.peek(MIB) if isinstance(stream, Ahead) else b""
    text = head.decode("utf-8", "replace")
    wrong = text.count(_NOT_DECODED)
    not_ascii = sum(1 for character in text if character > "\x7f")
    # A broken UTF-8 text has some right characters, too, and another encoding has none.
    is_other = wrong >= _WRONG and not_ascii == wrong
    return "cp1252" if is_other else "utf-8-sig"


_COMMA = re.compile(r"^(-?\d+),(\d+)$")  #: As ``12,5``.
_THOUSANDS = re.compile(r"^-?\d{1,3}(?:\.\d{3})+(?:,\d+)?$")  #: As ``1.234,5``.


def with_points(
    rows: list[dict[str, Any]], columns: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Rows in which columns of numbers have decimal points for commas; ``None`` means all columns."""
    names = {name for row in rows for name in row}
    for name in names if columns is None else names.intersection(columns):
        texts = [row[name] for row in rows if isinstance(row.get(name), str)]
        has_commas = any(map(_is_number_with_comma, texts))
        for row in rows:
            cell = row.get(name)
            if isinstance(cell, str):
                row[name] = _with_point(cell, points_part_thousands=has_commas)
    return rows


def _is_number_with_comma(cell: str) -> bool:
    return "," in cell and cell.replace(".", "").replace(",", "").isdigit()


def _with_point(cell: str, *, points_part_thousands: bool) -> str:
    """A number with a decimal point; any other text as it is."""
    # In a column without commas, 1.234 is a little more than one.
    if points_part_thousands and _THOUSANDS.match(cell):
        return cell.replace(".", "").replace(",", ".")
    return _COMMA.sub(r"\1.\2", cell)


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
    if len(cell) > MIB:  # parsing takes many times its memory
        return cell
    for written in (cell, _ROWS.sub("}, {", cell)):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            value = ast.literal_eval(written)
            # JSON has no tuples and sets, and readers of records know none.
            return msgspec.json.decode(msgspec.json.encode(value))
    return cell


def _decoded(values: Iterator[str], tally: SkippedRecords, first: int = 1) -> Rows:
    """Objects from their JSON texts, at most ``_BATCH`` or about ``_SIZE`` characters at once.

    Numbers count from ``first``. A text that is no object gives an empty one, so that the numbers
    after it hold: a ``null`` in a list is the text "null" here and never None.
    """
    for texts, size in _text_batches(values):
        rows = _decoded_batch(texts)
        tally.records += len(rows)
        tally.size += size
        yield [*range(first, first + len(rows))], rows
        first += len(rows)


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
        return [_decode_cell(_ROW.decode, text.encode()) or {} for text in texts]


def _values(query: str, parameters: list[Any], limits: Limits) -> Iterator[Any]:
    """The first column of a query whose first parameter is a path."""
    with _connected(limits, parameters[0]) as ask:
        result = ask(query, parameters)
        while rows := result.fetchmany(_BATCH):
            yield from (row[0] for row in rows)


@contextmanager
def _connected(limits: Limits, where: str) -> Iterator[AskDatabase]:
    """Give a function that queries DuckDB within the limits.

    Raises:
        InputError: For whatever DuckDB can't read, while the connection is open.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_mib}MiB",
            "threads": 1,
            # A file of a stranger must not make it load code, or write to the disk.
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
        # Its first line says what is wrong; the others quote the file.
        first_line = str(caught).strip().splitlines()[0]
        cause = first_line[:_LONGEST_CAUSE].rstrip(" :.")
        fix = "check that it is whole"
        raise InputError(f"can't be read: {cause}", where=where, fix=fix) from None
    finally:
        connection.close()


_LONGEST_CAUSE = 200  #: Characters of DuckDB's own words in an error of ours.


# Signs of tables.

_SIGNS = (",", "\t", ";", "|")


def looks_like_table(head: bytes) -> str | None:
    """The separator in a first line; None where the line isn't a row of names."""
    first_line = head.removeprefix(codecs.BOM_UTF8).partition(b"\n")[0]
    names = first_line.decode("utf-8", "replace")
    counts = {sign: names.count(sign) for sign in _SIGNS}
    sign = max(counts, key=counts.__getitem__)
    # Names of columns have none of these, while JSON, a web page and a binary file do.
    if counts[sign] == 0 or any(c in names for c in "{}<>\0"):
        return None
    return sign
