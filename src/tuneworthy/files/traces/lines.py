"""A stream as blocks of whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.files.traces.stream import Readable

_PIECE = 512 * 1024  # what a processor holds near: much larger blocks were measured to be slower


class Block(NamedTuple):
    """Whole lines, the last one with or without its end."""

    data: bytes
    """The lines; empty where ``too_long``."""
    first: int
    """Number of the first line, from 1."""
    ended: bool
    """Whether the last line has its end."""
    too_long: bool = False
    """One line that was longer than allowed, and was thrown away."""
    breaks: tuple[int, ...] = ()
    """Where lines break, each place counted from the beginning of ``data``."""


def blocks(stream: Readable, longest: int) -> Iterator[Block]:
    """Blocks of about 512 KiB; memory is bounded by the longest line allowed."""
    parts: list[bytes] = []
    held, line = 0, 1
    dropping = False
    while data := stream.read(min(_PIECE, longest)):
        cut = data.rfind(b"\n") + 1
        if dropping:
            end = data.find(b"\n") + 1
            if not end:
                continue
            yield Block(b"", line, ended=True, too_long=True)
            line += 1
            data, cut, dropping = data[end:], cut - end, False
        if not cut:
            parts.append(data)
            held += len(data)
            if held > longest:
                parts, held, dropping = [], 0, True
            continue
        whole = b"".join((*parts, memoryview(data)[:cut]))
        breaks = _breaks(whole)
        yield from _capped(whole, line, longest, breaks)
        line += len(breaks)
        parts, held = [data[cut:]], len(data) - cut
    if dropping:
        yield Block(b"", line, ended=False, too_long=True)
    elif rest := b"".join(parts):
        yield Block(rest, line, ended=False, breaks=_breaks(rest))


def _breaks(data: bytes) -> tuple[int, ...]:
    """Where lines break; looking for one byte goes over many at once, counting it does not."""
    found: list[int] = []
    find, at = data.find, -1
    while (at := find(b"\n", at + 1)) >= 0:
        found.append(at)
    return tuple(found)


def _capped(data: bytes, line: int, longest: int, breaks: tuple[int, ...]) -> Iterator[Block]:
    """Whole lines, where the first may be longer than allowed."""
    end = breaks[0] + 1
    if end - 1 > longest:
        yield Block(b"", line, ended=True, too_long=True)
        data, line = data[end:], line + 1
        breaks = tuple(at - end for at in breaks[1:])
    if data:
        yield Block(data, line, ended=True, breaks=breaks)
