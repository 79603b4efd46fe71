"""The bytes of a file: counted and hashed while they are read, and unpacked within limits."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of reading. The defaults are our choice, wide enough for real logs."""

    line_bytes: int = 16 * MIB  #: A longer line is skipped.
    document_bytes: int = 256 * MIB
    """The most bytes of a file that is a single JSON value, as it has to be held in memory."""
    broken_share: float = 0.1  #: A file with a larger share of broken lines is refused,
    broken_lines: int = 20  #: if it has more than this many of them.
    unpacked_ratio: int = 400  #: A packed file may unfold to this many times its size,
    unpacked_free_bytes: int = 64 * MIB  #: and to this much whatever its size.
    members: int = 100_000  #: Files in an archive.
    files: int = 10_000  #: Files that a pattern or a folder may stand for.
    #: The memory that DuckDB may use for a table; its own files have large pages.
    memory_mib: int = 896
    batch_traces: int = 4096  #: Traces of a batch, at most;
    batch_bytes: int = 12 * MIB  #: one of very long records closes before.
    until_s: float = math.inf
    """Times after this one, in seconds since 1970, are errors of a clock, and are dropped."""


GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
ZIP = b"PK\x03\x04"
_STREAM_PIECE = MIB // 4  #: Packed bytes that are read at once.
#: Zstandard may look back 2^27 bytes, so that it takes no more memory.
_WINDOW_LOG = 27
_GZIP_OF_ANY_WINDOW = 31  #: zlib's sign for gzip with a window of any allowed size.


class Readable(Protocol):
    """A source of bytes, which returns none at its end."""

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes, and at least one before the end."""


class Raw:
    """A plain file, opened so that it can't block us, as a pipe could."""

    path: Path | str
    descriptor: int

    def __init__(self, path: Path) -> None:
        self._start(path)
        # Windows knows neither of these flags.
        nonblocking = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self.descriptor = os.open(path, os.O_RDONLY | nonblocking)
            self._unbuffered = io.FileIO(self.descriptor, closefd=False)
        except (OSError, ValueError) as caught:
            raise unreadable(path, caught) from None
        status = os.fstat(self.descriptor)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise InputError("is not a file", where=str(path), fix="name a plain file")

    def _start(self, path: Path | str, size: int = 0) -> None:
        self.path = path
        self.size = size
        self.done = 0
        self._digest = hashlib.sha256()
        self._is_whole = False

    def _some(self, buffer: memoryview) -> int:
        try:
            return self._unbuffered.readinto(buffer)
        except OSError as caught:
            raise unreadable(self.path, caught) from None

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a part of a buffer, and return the number of bytes; 0 at the end."""
        many = self._some(buffer)
        self.done += many
        self._digest.update(buffer[:many])
        return many

    def read(self, size: int, /) -> bytes:
        buffer = memoryview(bytearray(size))
        return bytes(buffer[: self.readinto(buffer)])

    def end(self, size: int) -> bytes:
        """The last bytes; empty where a store can't return a part of a file."""
        os.lseek(self.descriptor, max(0, self.size - size), os.SEEK_SET)
        data = os.read(self.descriptor, size)
        # Reading goes on where it was.
        os.lseek(self.descriptor, self.done, os.SEEK_SET)
        return data

    def digest(self) -> str:
        """SHA-256 of the whole file. The rest of it is read for that."""
        buffer = memoryview(bytearray(MIB))
        # Readers that go back and forth come after it, and leave the file anywhere.
        while not self._is_whole:
            self._is_whole = not self.readinto(buffer)
        return self._digest.hexdigest()

    def on_disk(self, stream: Ahead) -> str:
        """A path at which the whole file can be read again, if ``stream`` is still unread."""
        del stream
        return str(self.path)

    def close(self) -> None:
        os.close(self.descriptor)


def unreadable(path: Path | str, caught: Exception) -> InputError:
    what = "can't be read"
    if isinstance(caught, FileNotFoundError):
        what = "does not exist"
    elif isinstance(caught, PermissionError):
        what = "may not be read"
    return InputError(what, where=str(path), fix="check the path")


class Ahead:
    """A stream with a look at its next bytes before they are read."""

    def __init__(self, under: Readable) -> None:
        self._under = under
        self._held = b""  #: Bytes that were looked at.
        # How many of them were read. Cutting these off would copy the rest each time.
        self._at = 0
        self._ended = False

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or all where there are fewer; they stay unread."""
        unread = self._held[self._at :]
        pieces = [unread]
        have = len(unread)
        while have < size and not self._ended:
            data = self._under.read(min(MIB, size - have))
            self._ended = not data
            pieces.append(data)
            have += len(data)
        self._held = b"".join(pieces)
        self._at = 0
        return self._held[:size]

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes, first those that were looked at."""
        if not self._held:
            return b"" if self._ended else self._under.read(size)
        data = self._held[self._at : self._at + size]
        self._at += size
        if self._at >= len(self._held):
            self._held = b""
            self._at = 0
        return data

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a part of a buffer, and return the number of bytes; 0 at the end."""
        # Of a plain file, the system writes into the buffer itself, without a copy.
        if isinstance(self._under, Raw) and not self._held:
            return 0 if self._ended else self._under.readinto(buffer)
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Pieces:
    """Pieces of bytes of any length, as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        data = self._rest[:size]
        self._rest = self._rest[size:]
        return data


UNPACKING: tuple[type[Exception], ...] = (
    *(zlib.error, EOFError, RuntimeError, MemoryError),
    zstd.ZstdError,
)
"""Errors that libraries raise for damaged packed bytes."""


class Unpacked(Pieces):
    """A packed stream, unpacked piece by piece and within limits.

    Reading raises InputError if the file unpacks to more than the limits allow, or is damaged.
    """

    def __init__(self, under: Ahead, raw: Raw, limits: Limits) -> None:
        super().__init__(self._unpacked(under, raw, limits))
        self.kind = "gzip" if under.peek(4).startswith(GZIP) else "zstd"
        #: Whether it ended before it was whole; known once all was read.
        self.torn = False
        self._unpacked_bytes = 0

    def _unpacked(self, under: Ahead, raw: Raw, limits: Limits) -> Iterator[bytes]:
        """Unpack all packed parts of a file. Several may follow each other, and zeros at the end."""
        try:
            data = under.read(_STREAM_PIECE)
            while data.strip(b"\0"):
                part = self._machine()
                yield from self._unpacked_part(part, data, under, raw, limits)
                if self.torn:
                    return
                data = part.unused_data or under.read(_STREAM_PIECE)
        except UNPACKING:
            fix = "pack it again, or unpack it yourself"
            what = f"can't be unpacked as {self.kind}"
            raise InputError(what, where=str(raw.path), fix=fix) from None

    def _machine(self) -> Any:
        """A new object that unpacks one packed part."""
        if self.kind == "gzip":
            return zlib.decompressobj(_GZIP_OF_ANY_WINDOW)
        window = zstd.DecompressionParameter.window_log_max
        return zstd.ZstdDecompressor(None, {window: _WINDOW_LOG})

    def _unpacked_part(
        self, machine: Any, data: bytes, under: Ahead, raw: Raw, limits: Limits
    ) -> Iterator[bytes]:
        """Unpack one part, of which ``data`` is the beginning; ``torn`` where it isn't whole."""
        is_gzip = self.kind == "gzip"
        while True:
            out = machine.decompress(data, MIB)
            if out:
                self._unpacked_bytes += len(out)
                check_ratio(self._unpacked_bytes, raw.done, str(raw.path), limits)
                yield out
            if machine.eof:
                return
            # What didn't fit into one piece of output: zlib hands it back, Zstandard keeps it.
            data = machine.unconsumed_tail if is_gzip else b""
            if not data and (is_gzip or machine.needs_input):
                data = under.read(_STREAM_PIECE)
                if not data:
                    self.torn = True
                    return


def check_ratio(unpacked: int, packed: int, where: str, limits: Limits) -> None:
    """Refuse a file that unpacks to far more bytes than it has, as an archive made to harm does."""
    most = max(limits.unpacked_free_bytes, limits.unpacked_ratio * packed)
    if unpacked > most:
        what = f"unfolds to more than {limits.unpacked_ratio} times its size"
        fix = "unpack it yourself and measure what you trust"
        raise InputError(what, where=where, fix=fix)


# A stream as blocks of whole lines.

_PIECE = 256 * 1024  # so small that it and its result stay in the processor's cache


class Block(NamedTuple):
    """Whole lines, the last one with or without its end."""

    data: memoryview  #: The lines; empty where ``too_long``.
    first: int  #: Number of the first line, from 1.
    lines: int  #: How many lines these are.
    ended: bool  #: Whether the last line has its end.
    #: One line that was longer than allowed, and was thrown away.
    too_long: bool = False


def _count_lines(data: bytearray, begin: int, end: int) -> int:
    """The number of line breaks. Searching for a byte is faster here than counting it."""
    lines = 0
    after_break = data.find(b"\n", begin, end) + 1
    while after_break:
        lines += 1
        after_break = data.find(b"\n", after_break, end) + 1
    return lines


_KEPT = 64  #: Buffers that are kept for reuse,
_TRIED = 3  #: and how many of them are looked at before there is a new one.


def _free(buffers: deque[bytearray], size: int) -> bytearray:
    """A buffer that is no longer in use, else a new one: new memory costs more than reuse.

    Turns that are decoded later use their buffer as long as their batch lives.
    """
    for _ in range(min(len(buffers), _TRIED)):
        buffers.rotate(-1)
        buffer = buffers[-1]
        # Python refuses to change the length of a buffer while somebody holds a view of it.
        with suppress(BufferError):
            buffer.append(buffer.pop())
            return buffer
    buffers.append(bytearray(size))
    return buffers[-1]


def _fill(stream: Ahead, buffer: memoryview) -> int:
    """Fill a buffer as far as the stream goes, and return the number of bytes."""
    filled = 0
    while filled < len(buffer):
        added = stream.readinto(buffer[filled:])
        if not added:
            break
        filled += added
    return filled


def blocks(stream: Ahead, longest: int) -> Iterator[Block]:
    """Blocks of about 256 KiB. The longest allowed line limits the memory.

    What follows the last line break of a piece is held, and copied before the next piece.
    """
    pieces = _PieceReader(stream, min(_PIECE, longest))
    cutter = _LineCutter(longest)
    while True:
        piece = pieces.read_after(cutter.held)
        if piece is None:
            break
        yield from cutter.cut(piece)
    yield from cutter.last_line()


class _Piece(NamedTuple):
    """Some bytes of a file, behind those that were held of the piece before."""

    data: bytearray
    end: int  #: The bytes of ``data`` behind this place are of an earlier piece.


class _PieceReader:
    """Reads a file piece by piece into buffers that are used again."""

    def __init__(self, stream: Ahead, usual: int) -> None:
        self._stream = stream
        self._usual = usual
        # a piece, and a line that is held before it
        self._usual_buffer = usual + usual // 2
        self._buffers = deque[bytearray](maxlen=_KEPT)

    def read_after(self, held: memoryview) -> _Piece | None:
        """The next piece behind what is held; None at the end of the file."""
        begin = len(held)
        # for a long line twice as much, so that it is copied only a few times
        more = max(self._usual, begin)
        size = begin + more
        if size > self._usual_buffer:
            data = bytearray(size)
        else:
            data = _free(self._buffers, self._usual_buffer)
        view = memoryview(data)
        view[:begin] = held
        space = view[begin:size]
        # A usual piece is handed on as it comes, and only a long line waits for all of it.
        if more == self._usual:
            added = self._stream.readinto(space)
        else:
            added = _fill(self._stream, space)
        return _Piece(data, begin + added) if added else None


class _LineCutter:
    """Cuts pieces behind line breaks, and drops lines that are too long."""

    def __init__(self, longest: int) -> None:
        self.held = memoryview(b"")  #: What follows the last line break so far.
        self._longest = longest
        self._line = 1  # number of the next line
        self._dropping = False  # whether we are inside a line that is too long

    def cut(self, piece: _Piece) -> Iterator[Block]:
        """The whole lines of a piece, and a block without text for a long line that ends in it."""
        data = piece.data
        view = memoryview(data)
        begin = 0
        # One more than the place of the first break: 0 without any.
        after_first = data.find(b"\n", 0, piece.end) + 1
        self.held = view[:0]
        # The first line is too long: all of it is thrown away.
        if self._dropping or after_first - 1 > self._longest:
            if not after_first:
                return  # it goes on in the next piece
            yield Block(view[:0], self._line, 1, ended=True, too_long=True)
            self._line += 1
            begin = after_first
            self._dropping = False
        after_last = data.rfind(b"\n", begin, piece.end) + 1
        if after_last:
            lines = _count_lines(data, begin, after_last)
            yield Block(view[begin:after_last], self._line, lines, ended=True)
            self._line += lines
            begin = after_last
        self.held = view[begin : piece.end]
        if len(self.held) > self._longest:
            self.held = view[:0]
            self._dropping = True

    def last_line(self) -> Iterator[Block]:
        """What follows the last line break of the file; nothing where nothing does."""
        if self._dropping or self.held:
            yield Block(self.held, self._line, 1, ended=False, too_long=self._dropping)
