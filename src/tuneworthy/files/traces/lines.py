"""A stream as blocks of whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.files.traces.stream import Ahead

_PIECE = 256 * 1024  # what a processor holds near, together with what is made of it


class Block(NamedTuple):
    """Whole lines, the last one with or without its end."""

    data: bytes | memoryview
    """The lines, until the next block is asked for; empty where ``too_long``."""
    first: int
    """Number of the first line, from 1."""
    lines: int
    """How many lines these are."""
    ended: bool
    """Whether the last line has its end."""
    too_long: bool = False
    """One line that was longer than allowed, and was thrown away."""


def blocks(stream: Ahead, longest: int) -> Iterator[Block]:
    """Blocks of about 256 KiB, one after the other in the same memory.

    It is bounded by the longest line allowed.
    """
    piece = min(_PIECE, longest)
    room = bytearray(2 * piece)
    held, line, dropping = 0, 1, False  # bytes of a line that goes on, and its number
    while True:
        if len(room) < held + piece:
            room = room + bytearray(len(room))
        seen = memoryview(room)
        if not (more := stream.readinto(seen[held : held + piece])):
            break
        begin, end = 0, held + more
        if dropping:
            begin = room.find(b"\n", 0, end) + 1
            if not begin:
                continue
            yield Block(b"", line, 1, ended=True, too_long=True)
            line, dropping = line + 1, False
        cut = room.rfind(b"\n", max(begin, held), end) + 1
        if cut:
            first = room.find(b"\n", max(begin, held), cut) + 1
            if first - 1 - begin > longest:
                yield Block(b"", line, 1, ended=True, too_long=True)
                line, begin = line + 1, first
            if lines := _breaks(room, begin, cut):
                yield Block(seen[begin:cut], line, lines, ended=True)
                line += lines
            begin = cut
        held = end - begin
        if held > longest:
            held, dropping = 0, True
        elif begin:
            seen[:held] = seen[begin:end]
    if dropping:
        yield Block(b"", line, 1, ended=False, too_long=True)
    elif held:
        yield Block(memoryview(room)[:held], line, 1, ended=False)


def _breaks(data: bytearray, begin: int, end: int) -> int:
    """How often lines break; looking for one byte goes over many at once, counting it does not."""
    many, find = 0, data.find
    while begin := find(b"\n", begin, end) + 1:
        many += 1
    return many
