"""Tables through DuckDB: Parquet, and whatever lies on another machine.

The path is always a parameter and never part of a query. For a file on this machine DuckDB may
load nothing and reach nothing else; for an address that the user named it may fetch the extension
it needs.
"""

from __future__ import annotations

import codecs
import csv
import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.traces.fields import FIELDS, NOT_UTF8, Broken, Tally, decode_object
from tuneworthy.traces.stream import Limits, Readable

# Tables through DuckDB: Parquet, and whatever lies on another machine.

_BATCH = 1024
# A row as JSON: times with zones, decimals and nested values then need no care of their own.
_LOCAL = (
    "SELECT to_json(tuneworthy_row) FROM read_parquet(?, hive_partitioning=false) AS tuneworthy_row"
)
_CSV = "SELECT to_json(tuneworthy_row) FROM read_csv(?, all_varchar=true) AS tuneworthy_row"
_TABLES = {"parquet": _LOCAL, "csv": _CSV, "tsv": _CSV}
_OBJECTS = "SELECT CAST(json AS VARCHAR) FROM read_ndjson_objects(?, maximum_object_size=16777216)"
_DOCUMENT = "SELECT content FROM read_blob(?)"


def parquet_rows(path: str, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file on this machine, with their numbers from 1.

    Raises:
        InputError: If it can't be read.
    """
    # A name may hold the signs of a pattern, and must not be taken for an address.
    whole = glob.escape(os.path.abspath(path))  # noqa: PTH100  # text, which may be no usable path
    yield from _decoded(_values(_LOCAL, whole, limits, remote=False))


def remote_rows(address: str, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table on another machine: Parquet or CSV, by the end of its address.

    Raises:
        InputError: If it can't be reached or read.
    """
    yield from _decoded(_values(_TABLES[remote_kind(address)], address, limits, remote=True))


def remote_lines(address: str, limits: Limits) -> Iterator[bytes]:
    """Objects of a file of JSON lines on another machine.

    Raises:
        InputError: If it can't be reached or read.
    """
    for value in _values(_OBJECTS, address, limits, remote=True):
        yield str(value).encode()


def remote_document(address: str, limits: Limits) -> bytes:
    """A whole file from another machine.

    Raises:
        InputError: If it can't be reached or read, or is too large.
    """
    held = list(_values(_DOCUMENT, address, limits, remote=True))
    if len(held) != 1 or len(held[0]) > limits.document_bytes:
        raise InputError("is not one file that fits", where=address, fix="download it first")
    return bytes(held[0])


def remote_kind(address: str) -> str:
    """``parquet``, ``csv``, ``tsv``, ``json`` for a whole value, or ``jsonl`` for anything else."""
    plain = address.split("?", 1)[0].casefold().removesuffix(".gz").removesuffix(".zst")
    ending = plain.rpartition(".")[2]
    return ending if ending in {*_TABLES, "json"} else "jsonl"


def _decoded(values: Iterator[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, value in enumerate(values, start=1):
        try:
            row = decode_object(str(value).encode())
        except Broken:  # a number that is too large: the row then has nothing, and is counted so
            row = {}
        yield number, {name: each for name, each in row.items() if each is not None}


def _values(query: str, path: str, limits: Limits, *, remote: bool) -> Iterator[Any]:
    """The first column of a query whose one parameter is a path."""
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_mib}MiB",
            "threads": 1,
            "autoinstall_known_extensions": remote,
            "autoload_known_extensions": remote,
            "allow_community_extensions": False,
            "temp_directory": "",
        }
    )
    try:
        result = connection.execute(query, [path])
        while rows := result.fetchmany(_BATCH):
            yield from (row[0] for row in rows)
    except duckdb.Error as caught:
        fix = "download the file first" if remote else "check that it is whole"
        raise InputError(f"can't be read: {_cause(caught)}", where=path, fix=fix) from None
    finally:
        connection.close()


def _cause(caught: Exception) -> str:
    """The first line of what DuckDB says; its line about an extension breaks off within a name."""
    first = str(caught).strip().splitlines()[0][:200]
    lacking = re.search(r"install the required extension '(\w+)", first)
    if lacking:
        return f"it takes DuckDB's extension {lacking[1]}, which couldn't be fetched"
    return first.rstrip(" :.")


# Tables as text: CSV with commas, semicolons or tabs.

ALIASES: Mapping[str, str] = {
    "timestamp": "timestamp",
    "time": "timestamp",
    "createdat": "timestamp",
    "created": "timestamp",
    "starttime": "timestamp",
    "contexttokens": "input_tokens",
    "prompttokens": "input_tokens",
    "inputtokens": "input_tokens",
    "generatedtokens": "output_tokens",
    "completiontokens": "output_tokens",
    "outputtokens": "output_tokens",
    "cachedtokens": "cached_tokens",
    "response": "output",
    "completion": "output",
    "answer": "output",
    "output": "output",
    "prompt": "input",
    "question": "input",
    "query": "input",
    "input": "input",
    "expected": "reference",
    "groundtruth": "reference",
    "reference": "reference",
    "sessionid": "conversation_id",
    "conversationid": "conversation_id",
    "threadid": "conversation_id",
    "latency": "latency_s",
    "latencys": "latency_s",
    "cost": "usd",
    "costusd": "usd",
    "usd": "usd",
    "model": "model",
    "modelid": "model",
    "score": "score",
    "label": "label",
    "error": "error",
}
"""Usual names of columns, in small letters and without signs, with the field each is taken for."""
_SIGNS = (",", "\t", ";", "|")
_REPLACED = "\ufffd"


def fields_of(columns: Sequence[str]) -> dict[str, str]:
    """Our field for each column of a table that has one; our own names come first."""
    known = {column: column for column in columns if column in FIELDS}
    for column in columns:
        field = ALIASES.get("".join(c for c in column.casefold() if c.isalnum()))
        if field is not None and field not in known.values() and column not in known:
            known[column] = field
    return known


def looks_like_table(head: bytes) -> str | None:
    """The sign between the columns of a first line; None where it is no line of names."""
    first = head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8", "replace")
    counts = {sign: first.count(sign) for sign in _SIGNS}
    sign = max(counts, key=counts.__getitem__)
    if not counts[sign] or any(c in first for c in "{}<>\0"):
        return None
    return sign


def table_rows(
    stream: Readable, sign: str, tally: Tally, *, where: str, longest: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table by column, with their lines.

    Raises:
        InputError: If it can't be read as a table.
    """
    csv.field_size_limit(longest)
    lines = _Counted(_lines(stream, longest, where), longest)
    reader = csv.reader(lines, delimiter=sign)
    names: list[str] = []
    try:
        for row in reader:
            lines.taken = 0
            if not names:
                names = row
                continue
            if not row:
                continue
            tally.records += 1
            if any(_REPLACED in cell for cell in row):
                tally.skip(NOT_UTF8, reader.line_num)
                continue
            yield reader.line_num, {n: v for n, v in zip(names, row, strict=False) if v != ""}
    except (csv.Error, OverflowError):
        raise _unreadable(where, reader.line_num) from None


def _unreadable(where: str, line: int) -> InputError:
    fix = "check its quotes; one that isn't closed swallows all that follows"
    return InputError("can't be read as CSV", where=f"{where}:{line}", fix=fix)


class _Counted:
    """Lines, as many as a row may take: a reader asks for more until its quotes are closed."""

    def __init__(self, lines: Iterator[str], longest: int) -> None:
        self._lines, self._longest = lines, longest
        self.taken = 0
        """Characters of this row so far."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken += len(line)
        if self.taken - len(line) > self._longest:  # a line alone is bounded already
            raise OverflowError
        return line


def _lines(stream: Readable, longest: int, where: str) -> Iterator[str]:
    """Lines of text; a byte that isn't UTF-8 is marked."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest, number = "", 0
    while data := stream.read(MIB):
        lines = (rest + decoder.decode(data)).split("\n")
        rest = lines.pop()
        yield from (f"{line}\n" for line in lines)
        number += len(lines)
        if len(rest) > longest:
            raise _unreadable(where, number + 1)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
