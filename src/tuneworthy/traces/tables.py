"""Tables through DuckDB: Parquet, CSV, and JSON arrays that are too large to be held.

The path is always a parameter and never part of a query. DuckDB may load nothing and reach nothing
else.
"""

from __future__ import annotations

import codecs
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, compress
from operator import not_
from typing import Any

import msgspec

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.traces.skipped import NOT_UTF8, SkippedRecords
from tuneworthy.traces.stream import Limits, Readable
from tuneworthy.traces.values import BrokenJson, decode

_BATCH, _SIZE = 256, MIB // 8  # rows, and signs, that are handed on together
# A row as JSON: times with zones, decimals and nested values then need no care of their own.
_PARQUET = "SELECT to_json(row) FROM read_parquet(?, hive_partitioning=false) AS row"
_CSV = (
    "SELECT to_json(row) FROM read_csv(?, all_varchar=true, header=true, delim=?, quote='\"', "
    "escape='\"', null_padding=true, strict_mode=false, parallel=false, max_line_size=?) AS row"
)
_ARRAY = (
    "SELECT CAST(json AS VARCHAR) FROM read_json_objects(?, format='array', maximum_object_size=?)"
)


Rows = Iterator[tuple[list[int | str], list[dict[str, Any]]]]
"""Rows of a table by the hundred, with their numbers, each with all columns."""


def parquet_rows(path: str, tally: SkippedRecords, limits: Limits) -> Rows:
    # A name may hold the signs of a pattern, and must not be taken for an address.
    whole = glob.escape(os.path.abspath(path))  # noqa: PTH100  # text, which may be no usable path
    yield from _decoded(_values(_PARQUET, [whole], limits), tally)


def array_rows(
    stream: Readable, tally: SkippedRecords, limits: Limits, where: str, *, on_disk: bool
) -> Rows:
    """Objects of a JSON array that is too large to be held; packed or far, it's written to disk."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file, suppress(InputError):
        while not on_disk and (data := stream.read(MIB)):
            file.write(data)
        file.flush()
        path = os.path.abspath(where) if on_disk else file.name  # noqa: PTH100  # as above
        values = _values(_ARRAY, [glob.escape(path), limits.line_bytes], limits)
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
    """Rows of a text with some sign between the columns; lines count from that of the names.

    DuckDB reads a file, so the text is written to one, with a mark for what isn't UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        while data := stream.read(MIB):
            file.write(decoder.decode(data).encode())
        file.write(decoder.decode(b"", final=True).encode())
        file.flush()
        given = [glob.escape(file.name), sign, limits.line_bytes]
        try:
            values = _values(_CSV, given, limits)
            for places, rows in _decoded(values, tally, first=2):
                whole = [not any("\ufffd" in cell for cell in row.values() if cell) for row in rows]
                for place in compress(places, map(not_, whole)):
                    tally.skip(NOT_UTF8, place)
                kept = compress(rows, whole)
                yield (
                    [*compress(places, whole)],
                    [{name: cell or None for name, cell in row.items()} for row in kept],
                )
        except InputError:
            fix = "check its quotes; one that isn't closed swallows all that follows"
            raise InputError("can't be read as CSV", where=where, fix=fix) from None


def _decoded(values: Iterator[Any], tally: SkippedRecords, first: int = 1) -> Rows:
    decoder, held, size = msgspec.json.Decoder(dict[str, Any]), [], 0
    for value in chain(values, [None]):
        if value is not None:
            held.append(value)
            size += len(value)
        if held and (value is None or len(held) == _BATCH or size > _SIZE):
            try:
                rows = decoder.decode_lines("\n".join(held))
            except (msgspec.MsgspecError, RecursionError):
                rows = [*map(_row, held)]
            tally.records += len(rows)
            tally.size += size
            yield [*range(first, first + len(rows))], rows
            first, held, size = first + len(rows), [], 0


def _row(value: str) -> dict[str, Any]:
    try:
        return decode(value.encode(), dict[str, Any])
    except BrokenJson:  # a number that is too large: the row has nothing, and is counted so
        return {}


def _values(query: str, given: list[Any], limits: Limits) -> Iterator[Any]:
    """The first column of a query whose first parameter is a path."""
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
        result = connection.execute(query, given)
        while rows := result.fetchmany(_BATCH):
            yield from (row[0] for row in rows)
    except duckdb.Error as caught:
        fix = "check that it is whole"
        raise InputError(f"can't be read: {_cause(caught)}", where=given[0], fix=fix) from None
    finally:
        connection.close()


def _cause(caught: Exception) -> str:
    return str(caught).strip().splitlines()[0][:200].rstrip(" :.")


# Signs of tables.

_SIGNS = (",", "\t", ";", "|")


def looks_like_table(head: bytes) -> str | None:
    """The sign between the columns of a first line; None where it is no line of names."""
    first = head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8", "replace")
    counts = {sign: first.count(sign) for sign in _SIGNS}
    sign = max(counts, key=counts.__getitem__)
    if not counts[sign] or any(c in first for c in "{}<>\0"):
        return None
    return sign
