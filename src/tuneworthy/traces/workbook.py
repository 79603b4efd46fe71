"""Writes the rows of a workbook's longest sheet to its standard output, as lines of JSON.

It runs as a process of its own, with a limit of memory and time: a workbook of a few kilobytes may
name cells, or repeat a text, that no memory holds, and the library then ends its whole process.
Each line is the number of a row, and its cells; the first one is the header.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum


def limit(memory_bytes: int, seconds: int) -> None:
    """Limit this process, where the system can."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


def longest_sheet(book: CalamineWorkbook) -> CalamineSheet | None:
    """The sheet of cells with the most rows; None for a workbook without any."""
    longest = None
    for about in book.sheets_metadata:
        if about.typ is SheetTypeEnum.WorkSheet:
            sheet = book.get_sheet_by_name(about.name)
            if longest is None or sheet.height > longest.height:
                longest = sheet
    return longest


def table(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """The rows with a value from the header on, by their numbers from 1.

    The header is the first row with two filled cells: one above it with a single cell is a title.
    """
    rows = enumerate(sheet.iter_rows(), start=1)
    for number, row in rows:
        header = [plain(cell) for cell in row]
        if sum(1 for cell in header if cell) > 1:
            yield number, header
            break
    merged = merged_rows(sheet)
    repeated: dict[int, tuple[str, int]] = {}
    for number, row in rows:
        cells = [plain(cell) for cell in row]
        for column, (text, last) in repeated.items():
            if number <= last:
                cells[column] = text
        for column, last in merged.get(number, ()):
            if isinstance(cells[column], str):
                repeated[column] = (cells[column], last)
        if any(cell is not None for cell in cells):
            yield number, cells


def merged_rows(sheet: CalamineSheet) -> dict[int, list[tuple[int, int]]]:
    """By row, the columns of cells that are merged with those below, and the last row of each.

    Such a text stands in each of its rows, as the session of several calls. A number doesn't: an
    amount belongs to one call.
    """
    _, first_column = sheet.start or (0, 0)
    merged: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        column = left - first_column
        if bottom > top and 0 <= column < sheet.width:
            merged.setdefault(top + 1, []).append((column, bottom + 1))
    return merged


def plain(cell: Any) -> Any:
    """A cell as JSON has it: None for an empty one or an error, seconds for a duration."""
    if cell == "":
        return None
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell


def main(path: str, memory_bytes: str, seconds: str) -> None:
    limit(int(memory_bytes), int(seconds))
    with (
        Path(path).open("rb") as file,
        CalamineWorkbook.from_filelike(file) as book,
    ):
        sheet = longest_sheet(book)
        if sheet is not None:
            for row in table(sheet):
                sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
