"""What a file of text is by its beginning: lines of JSON, one JSON value, or a table."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from tuneworthy.domain.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.files.traces.decoding import Broken, decode
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.stream import Ahead
from tuneworthy.files.traces.texttable import looks_like_table

UNDERSTOOD = (
    "plain traces, OpenAI chat, OpenTelemetry GenAI, Langfuse observations, promptfoo results, "
    "Inspect logs, CSV and Parquet"
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class NotTraces(InputError):  # noqa: N818  # a finding: InputError stands behind it
    """A file that holds nothing for us; among the files of a folder it is passed over."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file of text is."""

    kind: Literal["lines", "document", "table"]
    sign: str = ""
    """What stands between the columns of a table."""


def not_recognised(where: str) -> NotTraces:
    """The error for a file nobody knows."""
    fix = f"what is understood: {UNDERSTOOD}; any other JSON or table by a mapping (--map)"
    return NotTraces("isn't recognised", where=where, fix=fix)


def shape(stream: Ahead, where: str, limits: Limits) -> Shape:
    """Look at the beginning of a text, and take off its byte order mark.

    Raises:
        InputError: If it is empty, in another encoding, or nothing we know.
    """
    head = stream.peek(MIB)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(3)
        head = stream.peek(MIB)
    if (wide := _wide(head)) is not None:
        raise InputError(f"is {wide} text", where=where, fix="save it as UTF-8")
    if not head.strip():
        raise NotTraces("is empty", where=where, fix="name a file with traces or results")
    if b"\n" not in head:
        head = stream.peek(limits.line_bytes + 1)
        if b"\n" not in head:
            head = stream.peek(limits.document_bytes + 1)
    start = head.lstrip()[:1]
    if start == b"[" or (start == b"{" and not _is_lines(head)):
        too_much = len(head) > limits.document_bytes and b"\n" not in head
        return Shape("lines" if too_much else "document")
    if _is_lines(head):
        return Shape("lines")
    if start != b"{" and (sign := looks_like_table(head)) is not None:
        return Shape("table", sign)
    raise not_recognised(where)


def _wide(head: bytes) -> str | None:
    """The encoding of a text with more than a byte a sign: by its mark, or by where zeros stand."""
    zeros = tuple(place for place, byte in enumerate(head[:4]) if not byte)
    if head.startswith(_UTF32) or zeros in {(0, 1, 2), (1, 2, 3)}:
        return "UTF-32"
    return "UTF-16" if head.startswith(_UTF16) or zeros in {(0, 2), (1, 3)} else None


def _is_lines(head: bytes) -> bool:
    """Whether it is one JSON value a line: a line that is an object, and more behind it."""
    found = list(objects(head, most=1))
    if not found:
        return False
    number = found[0][0]
    return number > 0 or bool(head.lstrip().partition(b"\n")[2].strip())


def objects(head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The first lines that are objects with something in them, with their places from 0."""
    for number, line in enumerate(head.lstrip().split(b"\n")):
        if not line.startswith(b"{"):
            continue
        try:
            keys = decode(line, dict[str, msgspec.Raw])
        except Broken:
            continue
        if keys:
            yield number, line
            most -= 1
        if not most:
            return
