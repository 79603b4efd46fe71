"""A cache in the user's folder, for results from shipped files that take long to compute.

It only saves time. A result that can't be read or written there is computed again.
"""

from __future__ import annotations

import os
import platform
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO


def cache_folder() -> Path:
    """The program's folder in the user's cache folder, whether it exists or not."""
    system = platform.system()
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    local = Path(os.environ.get("LOCALAPPDATA", ""))
    if named.is_absolute():
        base = named
    elif system == "Darwin":
        base = Path.home() / "Library" / "Caches"
    elif system != "Windows":
        base = Path.home() / ".cache"
    elif local.is_absolute():
        base = local
    else:
        base = Path.home() / "AppData" / "Local"
    return base / "tuneworthy"


def key_of(parts: Sequence[bytes]) -> str:
    """A name for a result of exactly these parts."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:32]


def open_kept(name: str, key: str) -> BinaryIO | None:
    """Open the file stored under a name and a key; None without one. The caller closes it.

    A file that another user could have written isn't opened.
    """
    with suppress(OSError, RuntimeError):
        file = (cache_folder() / f"{name}-{key}").open("rb")
        if _is_own(os.fstat(file.fileno())):
            return file
        file.close()
    return None


def keep(name: str, key: str, data: bytes, most: int = 1) -> None:
    """Store data under a name and a key, at most ``most`` of one name; the oldest are removed."""
    with suppress(OSError, RuntimeError):
        folder = cache_folder()
        folder.mkdir(0o700, parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(prefix=".kept-", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(written).replace(folder / f"{name}-{key}")
        except OSError:
            Path(written).unlink(missing_ok=True)
            raise
        there = sorted(folder.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
        for path in there[:-most]:
            path.unlink(missing_ok=True)


def _is_own(status: os.stat_result) -> bool:
    """Whether a file is a plain file of the user that nobody else may write."""
    owner = getattr(os, "getuid", lambda: status.st_uid)()
    others_write = os.name == "posix" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(status.st_mode) and status.st_uid == owner and not others_write
