"""Bytes of a file: counted and digested as they are read, unpacked within bounds."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3

from tuneworthy.domain.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.files.traces.limits import Limits

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_PIECE = MIB // 4


class Readable(Protocol):
    """Something that gives bytes until it gives none."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, not fewer than one before the end."""


class Raw:
    """A plain file, opened so that nothing can keep us waiting."""

    def __init__(self, path: Path) -> None:
        self.path, self.done = path, 0
        self._digest = blake3()
        try:
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(path, flags)
            self._file = FileIO(self._descriptor, closefd=False)
        except (OSError, ValueError) as caught:
            raise unreadable(path, caught) from None
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise InputError("is not a file", where=str(path), fix="name a plain file")

    def read(self, size: int, /) -> bytes:
        """The next bytes.

        Raises:
            InputError: If the disk says no.
        """
        try:
            data = os.read(self._descriptor, size)
        except OSError as caught:
            raise unreadable(self.path, caught) from None
        self.done += len(data)
        self._digest.update(data)
        return data

    def readinto(self, room: memoryview) -> int:
        """The next bytes, as many as there is room for; how many they are.

        Raises:
            InputError: If the disk says no.
        """
        try:
            size = self._file.readinto(room) or 0
        except OSError as caught:
            raise unreadable(self.path, caught) from None
        self.done += size
        self._digest.update(room[:size])
        return size

    def digest(self) -> str:
        """BLAKE3 of the whole file; what was not read yet is read now."""
        while self.read(MIB):
            pass
        return self._digest.hexdigest()

    @property
    def descriptor(self) -> int:
        """The open file, for an archive that has to be read from its end."""
        return self._descriptor

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def unreadable(path: Path | str, caught: Exception) -> InputError:
    """What the system said, as one of our errors."""
    what = "can't be read"
    if isinstance(caught, FileNotFoundError):
        what = "does not exist"
    elif isinstance(caught, PermissionError):
        what = "may not be read"
    return InputError(what, where=str(path), fix="check the path")


class Ahead:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, under: Readable) -> None:
        self._under, self._held, self._ended = under, b"", False

    def peek(self, size: int) -> bytes:
        """The first bytes that are still to be read: ``size`` of them, or all there are."""
        held = [self._held]
        have = len(self._held)
        while have < size and not self._ended:
            data = self._under.read(min(MIB, size - have))
            self._ended = not data
            held.append(data)
            have += len(data)
        self._held = b"".join(held)
        return self._held[:size]

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
            return data
        return b"" if self._ended else self._under.read(size)

    def readinto(self, room: memoryview) -> int:
        """The next bytes into memory that is there already; how many they are, 0 at the end."""
        if isinstance(self._under, Raw) and not (self._held or self._ended):
            return self._under.readinto(room)
        data = self.read(len(room))
        room[: len(data)] = data
        return len(data)


class Unpacked:
    """A packed stream, unpacked a piece at a time and within bounds."""

    def __init__(self, under: Ahead, raw: Raw, limits: Limits) -> None:
        self._under, self._raw, self._limits = under, raw, limits
        self._gzip = under.peek(4).startswith(GZIP)
        self._given, self._rest = 0, b""
        self.torn = False
        """Whether it ended before it was whole; known once all was read."""
        self._feed = self._gunzip() if self._gzip else self._unzstd()

    def read(self, size: int, /) -> bytes:
        """The next unpacked bytes.

        Raises:
            InputError: If the file unfolds to more than the limits allow.
        """
        if not self._rest:
            self._rest = next(self._feed, b"")
            self._given += len(self._rest)
            check_ratio(self._given, self._raw.done, str(self._raw.path), self._limits)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    @property
    def kind(self) -> str:
        """How it was packed."""
        return "gzip" if self._gzip else "zstd"

    def _gunzip(self) -> Iterator[bytes]:
        """Several packed pieces may stand behind one another, and zeros behind the last."""
        data = b""
        while (data := data or self._under.read(_PIECE)).strip(b"\0"):
            machine = zlib.decompressobj(31)
            while True:
                if out := self._tried(machine.decompress, data, MIB):
                    yield out
                if machine.eof:
                    data = machine.unused_data
                    break
                data = machine.unconsumed_tail or self._under.read(_PIECE)
                if not data:
                    self.torn = True
                    return

    def _unzstd(self) -> Iterator[bytes]:
        import zstandard

        from tuneworthy.files.traces.frames import Frames

        machine = zstandard.ZstdDecompressor(max_window_size=128 * MIB)
        watched = Frames(self._under)
        under: Any = watched
        reader = machine.stream_reader(under, read_size=_PIECE, read_across_frames=True)
        while out := self._tried(reader.read, MIB):
            yield out
        self.torn = watched.torn

    def _tried(self, step: Callable[..., bytes], *arguments: object) -> bytes:
        import zstandard

        try:
            return step(*arguments)
        except (zlib.error, zstandard.ZstdError, EOFError, MemoryError):
            raise InputError(
                f"can't be unpacked as {self.kind}",
                where=str(self._raw.path),
                fix="pack it again, or unpack it yourself",
            ) from None


def check_ratio(given: int, packed: int, where: str, limits: Limits) -> None:
    """Refuse what unfolds to far more than it is.

    Raises:
        InputError: If it does.
    """
    if given > max(limits.unpacked_free_bytes, limits.unpacked_ratio * packed):
        what = f"unfolds to more than {limits.unpacked_ratio} times its size"
        raise InputError(what, where=where, fix="unpack it yourself and measure what you trust")
