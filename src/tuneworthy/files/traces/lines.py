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
    room = _Room(longest)
    while room.fill(stream):
        yield from room.whole()
    yield from room.rest()


class _Room:
    """Memory that a stream is read into, a piece behind the beginning of a line that goes on."""

    def __init__(self, longest: int) -> None:
        self._longest, self._piece = longest, min(_PIECE, longest)
        self._data = bytearray(2 * self._piece)
        self._held = self._end = 0
        """Bytes of a line that goes on, and of all there is."""
        self._line, self._dropping = 1, False

    def fill(self, stream: Ahead) -> bool:
        """Read a piece; False at the end."""
        if len(self._data) < self._held + self._piece:
            self._data = self._data + bytearray(len(self._data))
        room = memoryview(self._data)[self._held : self._held + self._piece]
        self._end = self._held + stream.readinto(room)
        return self._end > self._held

    def whole(self) -> Iterator[Block]:
        """The whole lines there are; what is left of a line then stands first."""
        data, begin, end = self._data, 0, self._end
        first = data.find(b"\n", self._held, end) + 1
        if self._dropping:
            if not first:
                return
            yield self._too_long(ended=True)
            begin, self._dropping = first, False
        elif first - 1 > self._longest:
            yield self._too_long(ended=True)
            begin = first
        cut = data.rfind(b"\n", max(begin, self._held), end) + 1
        if lines := _breaks(data, begin, cut):
            yield Block(memoryview(data)[begin:cut], self._line, lines, ended=True)
            self._line += lines
        self._keep(max(begin, cut), end)

    def rest(self) -> Iterator[Block]:
        """The last line, where it has no end."""
        if self._dropping:
            yield self._too_long(ended=False)
        elif self._held:
            yield Block(memoryview(self._data)[: self._held], self._line, 1, ended=False)

    def _keep(self, begin: int, end: int) -> None:
        self._held = end - begin
        if self._held > self._longest:
            self._held, self._dropping = 0, True
        elif begin:
            view = memoryview(self._data)
            view[: self._held] = view[begin:end]

    def _too_long(self, *, ended: bool) -> Block:
        self._line += 1
        return Block(b"", self._line - 1, 1, ended=ended, too_long=True)


def _breaks(data: bytearray, begin: int, end: int) -> int:
    """How often lines break; looking for one byte goes over many at once, counting it does not."""
    many, find = 0, data.find
    while begin := find(b"\n", begin, end) + 1:
        many += 1
    return many
