"""Tables as text: CSV with commas, semicolons or tabs.

Read with Python's own reader and as text throughout: nothing guesses types, so an id keeps its
zeros, and nothing of the file is ever run.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneworthy.domain.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.files.traces.plain import FIELDS
from tuneworthy.files.traces.stream import Readable
from tuneworthy.files.traces.tally import NOT_UTF8, Tally

ALIASES: Mapping[str, str] = {
    "timestamp": "timestamp", "time": "timestamp", "createdat": "timestamp",
    "created": "timestamp", "starttime": "timestamp",
    "contexttokens": "input_tokens", "prompttokens": "input_tokens", "inputtokens": "input_tokens",
    "generatedtokens": "output_tokens", "completiontokens": "output_tokens",
    "outputtokens": "output_tokens", "cachedtokens": "cached_tokens",
    "response": "output", "completion": "output", "answer": "output", "output": "output",
    "prompt": "input", "question": "input", "query": "input", "input": "input",
    "expected": "reference", "groundtruth": "reference", "reference": "reference",
    "sessionid": "conversation_id", "conversationid": "conversation_id",
    "threadid": "conversation_id",
    "latency": "latency_s", "latencys": "latency_s", "cost": "usd", "costusd": "usd", "usd": "usd",
    "model": "model", "modelid": "model", "score": "score", "label": "label", "error": "error",
}  # fmt: skip
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
