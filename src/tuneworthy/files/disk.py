"""Reading with limits, and writing so that no half file and no lost file is left behind."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from tuneworthy.domain.errors import InputError, OutputError

MIB = 1024 * 1024
CASE_LIMIT = MIB
"""Bytes of a case file."""
FRAMEWORK_LIMIT = 2 * MIB
"""Bytes of a framework file."""
CASES_LIMIT = 16 * MIB
"""Bytes of a file of published cases, or of a dossier."""


def read_text(path: Path, limit: int, error: Callable[..., InputError]) -> str:
    """A text file, whole.

    Args:
        path: The file.
        limit: The most bytes it may have.
        error: The error class to raise.

    Raises:
        InputError: As ``error``, if it isn't there, isn't a plain file, is larger than the limit or
            isn't UTF-8.
    """
    name = str(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as caught:
        what = "can't be opened"
        if isinstance(caught, FileNotFoundError):
            what = "does not exist"
        elif isinstance(caught, PermissionError):
            what = "may not be read"
        raise error(what, where=name, fix="check the path") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error("is not a file", where=name, fix="name a plain file")
        data = file.read(limit + 1)
    if len(data) > limit:
        fix = "move what it carries into files beside it"
        raise error(f"is larger than {limit // MIB} MiB", where=name, fix=fix)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as caught:
        line = data[: caught.start].count(b"\n") + 1
        raise error("is not UTF-8", where=f"{name}:{line}", fix="save it as UTF-8") from None


def write_new(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file whole or not at all.

    Args:
        path: Where; its folder is made if it isn't there.
        text: What.
        force: Replace a file that is there.

    Raises:
        OutputError: If a file is there and ``force`` isn't given, or it can't be written.
    """
    if not force and os.path.lexists(path):
        raise OutputError("exists already", where=str(path), fix="use --force to replace it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, text)
    except (OSError, ValueError) as caught:
        reason = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({reason})", where=str(path)) from None


def replace_whole(path: Path, text: str) -> None:
    """Put ``text`` where ``path`` is in one step, keeping the mode of a file that was there."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode if mode is not None else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
