"""What takes long to make, kept in the user's cache folder for the processes that come after."""

from __future__ import annotations

import os
import platform
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

_MOST = 1 << 28  #: Bytes of a file.
_DIGEST = 32


def cache_folder() -> Path:
    """The user's folder for what can be made or fetched again, whether it is there or not."""
    home, system = Path.home(), platform.system()
    variables = ("XDG_CACHE_HOME", "LOCALAPPDATA")
    named = (Path(os.environ.get(variable, "")) for variable in variables)
    cache, local = (path if path.is_absolute() else None for path in named)
    folders = {"Darwin": home / "Library" / "Caches"}
    folders["Windows"] = local or home / "AppData" / "Local"
    return (cache or folders.get(system, home / ".cache")) / "tuneworthy"


def cached(name: str, key: bytes, make: Callable[[], bytes]) -> bytes:
    """What ``make`` gives for a key, or gave in an earlier process; one file a name.

    Only what lies in a folder of this user, which nobody else may look into, and has the digest it
    should have is taken. Nothing is kept where that can't be told, as on Windows, or written.
    """
    if not hasattr(os, "getuid"):
        return make()
    with suppress(OSError, RuntimeError):
        folder = _own_folder()
        try:
            with suppress(OSError):
                if (data := _read(folder, name, key)) is not None:
                    return data
            made = make()
            with suppress(OSError):
                _write(folder, name, _digest(made, key) + made)
            return made
        finally:
            os.close(folder)
    return make()


def _digest(data: bytes, key: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST, key=blake2b(key).digest()).digest()


def _own_folder() -> int:
    path = cache_folder() / "made"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not _is_own(os.fstat(folder)):
        os.close(folder)
        raise PermissionError
    return folder


def _is_own(status: os.stat_result) -> bool:
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _read(folder: int, name: str, key: bytes) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_own(status) or status.st_size > _MOST:
            return None
        data = file.read(_MOST)
    digest, kept = data[:_DIGEST], data[_DIGEST:]
    return kept if digest == _digest(kept, key) else None


def _write(folder: int, name: str, data: bytes) -> None:
    """Whole or not at all: another process may write the same at this moment."""
    part = f"{name}.{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(data)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
