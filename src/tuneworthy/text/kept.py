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
    return _user_caches() / "tuneworthy"


def _user_caches() -> Path:
    """The folder of caches that the user names, else the usual one of the system."""
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():  # by its standard, a relative path doesn't count
        return xdg
    system = platform.system()
    if system == "Darwin":
        return Path.home() / "Library" / "Caches"
    if system != "Windows":
        return Path.home() / ".cache"
    local = Path(os.environ.get("LOCALAPPDATA", ""))
    return local if local.is_absolute() else Path.home() / "AppData" / "Local"


def key_of(parts: Sequence[bytes]) -> str:
    """A name for a result of exactly these parts."""
    digest = sha256()
    for part in parts:
        # With its length before it, no two lists of parts give the same bytes.
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
    with suppress(OSError, RuntimeError):  # it only saves time
        folder = cache_folder()
        folder.mkdir(0o700, parents=True, exist_ok=True)
        # Written beside it and renamed, so that nobody reads half of it.
        descriptor, written = tempfile.mkstemp(prefix=".kept-", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(written).replace(folder / f"{name}-{key}")
        except OSError:
            Path(written).unlink(missing_ok=True)
            raise
        kept = sorted(folder.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-most]:
            path.unlink(missing_ok=True)


def _is_own(status: os.stat_result) -> bool:
    """Whether a file is a plain file of the user that nobody else may write."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if os.name != "posix":  # its folder is the user's, and modes say nothing
        return True
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.getuid() and not others_write
