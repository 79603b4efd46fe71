"""Any file of records as plain objects. Files other than logs are read by the same code as logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.syntax.document import plain_values
from tuneworthy.traces.content import NotTraces, shape
from tuneworthy.traces.sheets import (
    BOOKS,
    OLD_EXCEL,
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
PlacedRecords = Iterator[tuple[int | str, Mapping[str, Any]]]
"""Objects of a file, each after its place: the number of its line, row or item."""


def read_records(path: Path, broken: Broken) -> PlacedRecords:
    """Read the objects of a file: lines of JSON, a list, a table or a workbook.

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
        elif head.startswith((ZIP, OLD_EXCEL)):
            yield from _workbook(path, tally, limits)
        else:
            packed = head.startswith((GZIP, ZSTD))
            text = Ahead(Unpacked(stream, raw, limits)) if packed else stream
            yield from _text(text, path, tally, limits, broken)
    for why, places in tally.places.items():
        for place in places:
            # the tally writes FILE:PLACE, and the caller knows the file
            broken(place.rpartition(":")[2], why)


def _rows(rows: Rows) -> PlacedRecords:
    for places, records in rows:
        yield from zip(places, records, strict=True)


def _parquet(path: str, tally: SkippedRecords, limits: Limits) -> PlacedRecords:
    with parquet(path, limits) as file:
        for places, table in file.rows(tally):
            yield from zip(places, table, strict=True)


def _database(path: Path, tally: SkippedRecords, limits: Limits) -> Rows:
    """Read the table with the most columns, among those with a row; of equals, the last by name."""
    widths: dict[str, int] = {}
    for name, rows in database_tables(str(path), str(path)):
        if rows:
            widths[name] = len(rows[0])
    if not widths:
        raise InputError(
            "has no table with rows", where=str(path), fix="export it as CSV"
        )
    widest = max(widths, key=lambda name: (widths[name], name))
    return database_rows(str(path), widest, tally, limits, str(path))


def _workbook(path: Path, tally: SkippedRecords, limits: Limits) -> PlacedRecords:
    """Read the rows of a workbook, which mostly is an archive."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if not any(book in archive.namelist() for book in BOOKS):
                raise InputError("is an archive", where=str(path), fix="unpack it")
    yield from _rows(sheet_rows(str(path), tally, limits, str(path)))


def _text(
    stream: Ahead, path: Path, tally: SkippedRecords, limits: Limits, broken: Broken
) -> PlacedRecords:
    """Read the records of a text file: YAML, JSON, JSON lines or CSV."""
    suffix = path.suffix.casefold()
    if suffix in _YAML:
        text = _whole(stream, path, limits).decode("utf-8", "replace")
        yield from _listed(plain_values(text, str(path)), broken)
        return
    try:
        form = shape(stream, str(path), limits)
    except NotTraces:
        form = "lines"  # each line is then reported as what it is
    # A file of lines may have a single one, which looks like a document.
    if form == "document" and suffix not in _LINES:
        yield from _listed(_decoded(_whole(stream, path, limits), path), broken)
    elif form in {"document", "lines", "lists"}:
        yield from _lines(_whole(stream, path, limits), broken)
    else:
        yield from _rows(csv_rows(stream, form, tally, limits, str(path)))


def _decoded(data: bytes, path: Path) -> Any:
    """Decode a JSON document; refuse a broken one, as none of its records can be read alone."""
    try:
        return decode(data, object)
    except BrokenJson as caught:
        fix = "export it again, whole"
        raise InputError(caught.why, where=str(path), fix=fix) from None


def _whole(stream: Ahead, path: Path, limits: Limits) -> bytes:
    data = stream.peek(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        what = f"is larger than {limits.document_bytes // MIB} MiB"
        raise InputError(what, where=str(path), fix="split it into several files")
    return data


def _lines(data: bytes, broken: Broken) -> PlacedRecords:
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


def _listed(data: Any, broken: Broken) -> PlacedRecords:
    """Read the objects of a list, of the list in an object around it, or the object itself."""
    for number, record in enumerate(_items(data), start=1):
        if isinstance(record, dict):
            yield number, record
        else:
            broken(number, "is not an object")


def _items(data: Any) -> list[Any]:
    """The items of a JSON document; [] for a single text or number."""
    if isinstance(data, list):
        return data
    if not isinstance(data, dict):
        return []
    for key in _AROUND:
        inside = data.get(key)
        if isinstance(inside, list):
            return inside
    return [data]
