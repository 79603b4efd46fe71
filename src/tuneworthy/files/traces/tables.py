"""Tables through DuckDB: Parquet, and whatever lies on another machine.

The path is always a parameter and never part of a query. For a file on this machine DuckDB may
load nothing and reach nothing else; for an address that the user named it may fetch the extension
it needs.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import Any

from tuneworthy.domain.errors import InputError
from tuneworthy.files.traces.decoding import Broken, decode_object
from tuneworthy.files.traces.limits import Limits

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
