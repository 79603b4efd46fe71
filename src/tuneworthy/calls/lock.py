"""One process at a time may pay."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuneworthy.domain.errors import InputError


def locked(path: Path) -> int:
    """Lock a file beside another; the lock goes with the process, however that ends.

    Args:
        path: What is locked; its folder is made if it isn't there.

    Returns:
        The descriptor that holds the lock; closing it lets go.

    Raises:
        InputError: If another process holds it, or the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(f"{path}.lock", flags, 0o644)
    except OSError as caught:
        what = f"can't be written ({caught.strerror})"
        raise InputError(what, where=str(path), fix="check the folder") from None
    try:
        _lock(descriptor)
    except OSError:
        os.close(descriptor)
        fix = "wait for it, or stop it"
        raise InputError("is in use by another run", where=str(path), fix=fix) from None
    return descriptor


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
