"""One writer at a time on a file that is replaced as a whole."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuneworthy.domain.errors import CaseError

MOST_WAIT_S = 10.0
_STEP_S = 0.005


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other writers out for the moment between reading a file and replacing it.

    The file itself is locked, so that nothing is left beside it. A writer that waited may hold the
    lock of a file that was replaced meanwhile; it then takes that of the new one. Where the system
    or the place has no such lock, the digest is all that guards, and nobody waits.

    Args:
        path: A file that is there; where it isn't, reading it says so.

    Raises:
        CaseError: If somebody else holds it for longer than ``MOST_WAIT_S``.
    """
    descriptor = _locked(path, time.monotonic() + MOST_WAIT_S)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(path: Path, until: float) -> int | None:
    """The descriptor that holds the lock; None where there is no lock to be had."""
    if sys.platform == "win32":
        return None
    while True:
        descriptor = None
        with suppress(OSError, ValueError):  # whoever reads it next says what is wrong
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor is None:
            return None
        kept = False
        try:
            kept = _taken(descriptor, path)
            if kept:
                return descriptor
        except OSError:
            return None
        finally:
            if not kept:
                os.close(descriptor)
        if time.monotonic() > until:
            fix = "try again when the other program is done"
            raise CaseError("is being written by somebody else", where=str(path), fix=fix)
        time.sleep(_STEP_S)


def _taken(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours and still that of the file which stands there.

    Raises:
        OSError: If files can't be locked in that place.
    """
    import fcntl  # not on every system

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.path.samestat(os.fstat(descriptor), path.stat())
