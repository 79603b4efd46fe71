"""Whether a zstd stream ended where one of its frames does: the unpacker itself doesn't say.

The layout is that of RFC 8878, section 3.1. Nothing is unpacked here, bodies are passed over.
"""

from __future__ import annotations

from collections.abc import Generator

from tuneworthy.files.traces.stream import ZSTD, Readable

_SKIPPABLE = b"\x2a\x4d\x18"
_CHECKSUM = 4
_RLE = 1


class Frames:
    """A packed stream that is watched while somebody else unpacks it."""

    def __init__(self, under: Readable) -> None:
        self._under, self._held, self._inside = under, b"", False
        self._walk = self._steps()
        self._wanted, self._kept = next(self._walk)

    def read(self, size: int, /) -> bytes:
        """The next bytes, looked at on their way."""
        data = self._under.read(size)
        rest = memoryview(data)
        while len(rest) + len(self._held) >= self._wanted and rest:
            take = self._wanted - len(self._held)
            whole = self._held + bytes(rest[:take]) if self._kept else b""
            rest, self._held = rest[take:], b""
            self._wanted, self._kept = self._walk.send(whole)
        if self._kept:
            self._held += bytes(rest)
        else:
            self._wanted -= len(rest)
        return data

    @property
    def torn(self) -> bool:
        """Whether what was read so far ends inside a frame."""
        return self._inside or bool(self._held)

    def _steps(self) -> Generator[tuple[int, bool], bytes, None]:
        """How many bytes come next, and whether they are to be looked at; these are sent back."""
        while True:
            self._inside = False
            magic = yield 4, True
            self._inside = True
            if magic[1:] == _SKIPPABLE:
                size = int.from_bytes((yield 4, True), "little")
                if size:
                    yield size, False
            elif magic == ZSTD:
                yield from self._frame()
            else:  # the unpacker refuses it
                yield 1 << 62, False

    def _frame(self) -> Generator[tuple[int, bool], bytes, None]:
        told = (yield 1, True)[0]
        alone = bool(told & 0x20)
        length = (0, 2, 4, 8)[told >> 6] or int(alone)
        head = (not alone) + (0, 1, 2, 4)[told & 3] + length
        if head:
            yield head, False
        last = False
        while not last:
            block = int.from_bytes((yield 3, True), "little")
            last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
            if kind == _RLE:
                size = 1
            if size:
                yield size, False
        if told & 4:
            yield _CHECKSUM, False
