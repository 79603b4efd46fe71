"""Files that are only ever added to: a line of JSON at a time, each whole or not there."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path


def whole_lines(text: str) -> list[str]:
    """The lines of such a file; a last one without its end counts where it is whole JSON.

    An editor may have left out the last line feed, and a crash may have cut a line off anywhere.

    Args:
        text: The file; may be empty.
    """
    *lines, last = text.split("\n")
    return [*lines, last] if _is_whole(last) else lines


def append_line(path: Path, line: bytes, *, sync: bool = True) -> None:
    """A line at the end; half a line that a crash left goes first, so that ours is whole.

    Args:
        path: The file; made if it isn't there.
        line: What to add, with its line feed.
        sync: Wait until it is on the disk; without, only a loss of power can take it back.

    Raises:
        OSError: If it can't be written, is a link, or ends in a line that none of ours begins like.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    descriptor = os.open(path, flags, 0o666)
    try:
        left = memoryview(_mended(descriptor) + line)
        while left:  # a disk that is nearly full takes a part, and refuses only the next one
            left = left[os.write(descriptor, left) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mended(descriptor: int) -> bytes:
    """What has to come before a new line; half a line is cut off."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return b""
    data = os.pread(descriptor, size, 0)
    end = data.rfind(b"\n") + 1
    last = data[end:]
    if _is_whole(last):
        return b"\n"
    if last[:2] not in (b"{", b'{"'):  # as every line begins that we write
        raise OSError(errno.EINVAL, "its last line is none of ours")
    os.ftruncate(descriptor, end)
    return b""


def _is_whole(line: str | bytes) -> bool:
    """Whether a line is an object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):  # text that isn't UTF-8 too
        return False
