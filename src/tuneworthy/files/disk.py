"""Reading with limits, and writing so that no half file and no lost file is left behind."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneworthy.domain.errors import InputError, OutputError

MIB = 1024 * 1024
CASE_LIMIT = MIB
"""Bytes of a case file."""
FRAMEWORK_LIMIT = 2 * MIB
"""Bytes of a framework file."""
CASES_LIMIT = 16 * MIB
"""Bytes of a file of published cases, or of a dossier."""


BOM = "\ufeff"


def read_text(path: Path, limit: int, error: Callable[..., InputError]) -> str:
    """A text file, whole, without a byte order mark.

    Args:
        path: The file.
        limit: The most bytes it may have.
        error: The error class to raise.

    Raises:
        InputError: As ``error``, if it isn't there, isn't a plain file, is larger than the limit or
            isn't UTF-8.
    """
    return read_raw(path, limit, error).removeprefix(BOM)


def read_raw(path: Path, limit: int, error: Callable[..., InputError]) -> str:
    """As ``read_text``, with the byte order mark where the file has one."""
    data = _bytes(path, limit, error)
    if len(data) > limit:
        fix = "move what it carries into files beside it"
        raise error(f"is larger than {limit // MIB} MiB", where=str(path), fix=fix)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as caught:
        line = data[: caught.start].count(b"\n") + 1
        raise error("is not UTF-8", where=f"{path}:{line}", fix="save it as UTF-8") from None


def _bytes(path: Path, limit: int, error: Callable[..., InputError]) -> bytes:
    """At most one byte more than the limit, and never from anything that could keep us waiting."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise error("is not a file", where=str(path), fix="name a plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(limit + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as caught:
        what = "can't be read"
        if isinstance(caught, FileNotFoundError):
            what = "does not exist"
        elif isinstance(caught, PermissionError):
            what = "may not be read"
        raise error(what, where=str(path), fix="check the path") from None


def write_new(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file whole or not at all.

    Args:
        path: Where; its folder is made if it isn't there.
        text: What.
        force: Replace a file, or a link to one, that is there.

    Raises:
        OutputError: If something is there and ``force`` isn't given, if it is no plain file, or if
            it can't be written.
    """
    try:
        if os.path.lexists(path):
            if not force:
                raise OutputError(
                    "exists already", where=str(path), fix="use --force to replace it"
                )
            if not path.is_symlink() and not path.is_file():
                raise OutputError("is not a plain file", where=str(path), fix="name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except (OSError, ValueError) as caught:
        raise _not_written(path, caught) from None


def write_over(path: Path, text: str) -> None:
    """Put ``text`` in the place of a file that is there; a link to it stays a link.

    Raises:
        OutputError: If it can't be written; then the file is as it was.
    """
    try:
        _replace(path.resolve(strict=True), text)
    except (OSError, ValueError, RuntimeError) as caught:
        raise _not_written(path, caught) from None


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A new folder that is there with all its files, or isn't there at all.

    Args:
        folder: Where it shall stand.

    Yields:
        A folder beside it to fill; it takes its name in one step when the block ends well, and is
        gone when it doesn't.

    Raises:
        OutputError: If something stands there, or it can't be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:40]}.", suffix=".part")
    except (OSError, ValueError) as caught:
        raise _not_written(folder, caught) from None
    place = Path(made)
    try:
        yield place
        try:
            place.chmod(0o777 & ~_umask())
            if os.path.lexists(folder):
                raise OutputError("exists already", where=str(folder), fix="move it away")
            place.rename(folder)
        except OSError as caught:
            raise _not_written(folder, caught) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _not_written(path: Path, caught: Exception) -> OutputError:
    reason = getattr(caught, "strerror", None) or "not a usable name"
    return OutputError(f"can't be written ({reason})", where=str(path), fix="name another file")


def _replace(path: Path, text: str) -> None:
    """Put ``text`` where ``path`` is in one step, keeping the mode of a file that was there."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
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
