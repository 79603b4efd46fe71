"""Any file of records as plain objects. Files other than logs are read by the same code as logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.syntax.document import plain_values
from tuneworthy.traces.content import NotTraces, shape
from tuneworthy.traces.sheets import (
    BOOK,
    SQLITE,
    database_rows,
    database_tables,
    sheet_rows,
)
from tuneworthy.traces.skipped import SkippedRecords
from tuneworthy.traces.stream import (
    GZIP,
    ZIP,
    ZSTD,
    Ahead,
    Limits,
    Pieces,
    Raw,
    Unpacked,
)
from tuneworthy.traces.tables import Rows, csv_rows, parquet
from tuneworthy.traces.values import BrokenJson, decode

if sys.version_info >= (3, 14):
    import zipfile
else:
    from backports.zstd import zipfile

Broken = Callable[[int | str, str], None]
"""Called with each unreadable line and the reason."""
_PARQUET = b"PAR1"
_YAML = (".yaml", ".yml")
_LINES = (".jsonl", ".ndjson")
_AROUND = ("data", "examples", "items", "records", "rows")
"""Names of the list in an object around all records."""


def read_records(
    path: Path, broken: Broken
) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    """The objects of a file with their places: lines of JSON, a list, a table or a workbook.

    Raises:
        InputError: If it is none of these, or can't be read.
    """
    limits = Limits()
    tally = SkippedRecords(path.name)
    with closing(Raw(path)) as raw:
        stream = Ahead(raw)
        head = stream.peek(len(SQLITE))
        if head.startswith(_PARQUET):
            yield from _parquet(str(path), tally, limits)
        elif head == SQLITE:
            yield from _rows(_database(path, tally, limits))
        elif head.startswith(ZIP):
            yield from _workbook(path, tally, limits)
        else:
            packed = head.startswith((GZIP, ZSTD))
            text = Ahead(Unpacked(stream, raw, limits)) if packed else stream
            yield from _text(text, path, tally, limits, broken)
    for why, places in tally.places.items():
        for place in places:
            broken(place.rpartition(":")[2], why)


def _rows(rows: Rows) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    for places, records in rows:
        yield from zip(places, records, strict=True)


def _parquet(
    path: str, tally: SkippedRecords, limits: Limits
) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    everything: Any = type("Everything", (), {"keys": None, "later": ()})
    with parquet(path, limits) as rows:
        for places, table in rows(tally, everything):
            yield from zip(places, table, strict=True)


def _database(path: Path, tally: SkippedRecords, limits: Limits) -> Rows:
    """The rows of the table with the most columns, among those with a row."""
    tables = [
        (len(rows[0]), name)
        for name, rows in database_tables(str(path), str(path))
        if rows
    ]
    if not tables:
        raise InputError(
            "has no table with rows", where=str(path), fix="export it as CSV"
        )
    return database_rows(str(path), max(tables)[1], tally, limits, str(path))


def _workbook(
    path: Path, tally: SkippedRecords, limits: Limits
) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    """Read the rows of a workbook."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if BOOK not in names:
            raise InputError("is an archive", where=str(path), fix="unpack it")

        def opened(name: str) -> Ahead | None:
            if name not in names:
                return None
            return Ahead(Pieces(iter(partial(archive.open(name).read, MIB), b"")))

        yield from _rows(sheet_rows(opened, tally, limits, str(path)))


def _text(
    stream: Ahead, path: Path, tally: SkippedRecords, limits: Limits, broken: Broken
) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    """Read the records of a text file: YAML, JSON, JSON lines or CSV."""
    if path.suffix.casefold() in _YAML:
        data = plain_values(
            _whole(stream, path, limits).decode("utf-8", "replace"), str(path)
        )
        yield from _listed(data, broken)
        return
    try:
        form = shape(stream, str(path), limits)
    except NotTraces:
        form = "lines"  # each line is then reported as what it is
    if form == "document" and path.suffix.casefold() not in _LINES:
        try:
            data = decode(_whole(stream, path, limits), object)
        except BrokenJson as caught:
            what = caught.why
            raise InputError(
                what, where=str(path), fix="export it again, whole"
            ) from None
        yield from _listed(data, broken)
    elif form in {"document", "lines", "lists"}:
        yield from _lines(_whole(stream, path, limits), broken)
    else:
        yield from _rows(csv_rows(stream, form, tally, limits, str(path)))


def _whole(stream: Ahead, path: Path, limits: Limits) -> bytes:
    data = stream.peek(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        what = f"is larger than {limits.document_bytes // MIB} MiB"
        raise InputError(what, where=str(path), fix="split it into several files")
    return data


def _lines(
    data: bytes, broken: Broken
) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    """Read JSON lines; ``broken`` is told of each line that isn't an object."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record: Any = decode(line, object)
        except BrokenJson as caught:
            broken(number, caught.why)
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            broken(number, "is not an object")


def _listed(data: Any, broken: Broken) -> Iterator[tuple[int | str, Mapping[str, Any]]]:
    """The objects of a list, of the only list in an object, or the object itself."""
    if isinstance(data, dict):
        inside = (data[key] for key in _AROUND if isinstance(data.get(key), list))
        data = next(inside, [data])
    for number, record in enumerate(data if isinstance(data, list) else [], start=1):
        if isinstance(record, dict):
            yield number, record
        else:
            broken(number, "is not an object")
