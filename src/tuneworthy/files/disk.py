"""Reads files with limits, and writes so that no half-written file and no lost file is left behind."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tuneworthy.errors import CaseError, InputError, OutputError

MIB = 1024 * 1024
CASE_LIMIT = MIB  #: Bytes of a case file.
FRAMEWORK_LIMIT = 2 * MIB  #: Bytes of a framework file.
CASES_LIMIT = 16 * MIB  #: Bytes of a file of published cases, or of a dossier.
Error = Callable[..., InputError]


BOM = "\ufeff"

OWN_FOLDER = ".tuneworthy"
"""The folder of computed results; it holds nothing of the user's own."""

_GITIGNORE = """\
# By Tuneworthy. Texts of your users, answers of models and training rows stay out of git; what a
# decision rests on goes in. This file is written once: change it as you like.
/*
!/.gitignore
!/evidence.jsonl
!/history.jsonl
!/assistant.jsonl
!/label-tasks.jsonl
!/labels/
!/rubrics/
!/ceiling-plan.json
!/verify-plan.json
!/training.json
!/pilot/
/pilot/*
!/pilot/plan.json
!/pilot/result.json
"""


def with_home(path: str) -> Path:
    """A path with a home in place of ``~``; as it was written where there is no such user or home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; a new ``.tuneworthy`` gets a file that git ignores it by."""
    own = [place for place in (folder, *folder.parents) if place.name == OWN_FOLDER]
    new = [place for place in own if not os.path.lexists(place)]
    folder.mkdir(parents=True, exist_ok=True)
    for place in new:
        with suppress(OSError):  # the file only helps git users
            (place / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")


def read_text(path: Path, limit: int, error: Error = CaseError) -> str:
    """Read a whole text file, without a byte order mark.

    Raises ``error`` if the file isn't there, isn't a plain file, is larger than the limit or isn't
    UTF-8.
    """
    return read_raw(path, limit, error).removeprefix(BOM)


def read_raw(path: Path, limit: int, error: Error = CaseError) -> str:
    """Read a text file like ``read_text``, but keep a byte order mark."""
    data = read_bytes(path, limit, error)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as caught:
        line = data[: caught.start].count(b"\n") + 1
        where = f"{path}:{line}"
        raise error("is not UTF-8", where=where, fix="save it as UTF-8") from None


def read_bytes(path: Path, limit: int, error: Error = CaseError) -> bytes:
    """Read the bytes of a plain file; refuse anything, such as a pipe, that could keep us waiting."""
    flags = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise error("is not a file", where=path, fix="name a plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(limit + 1)  # one more shows that it is too large
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as caught:
        what = "can't be read"
        if isinstance(caught, FileNotFoundError):
            what = "does not exist"
        elif isinstance(caught, PermissionError):
            what = "may not be read"
        raise error(what, where=path, fix="check the path") from None
    if len(data) > limit:
        fix = "move what it carries into files beside it"
        raise error(f"is larger than {limit // MIB} MiB", where=path, fix=fix)
    return data


def write_new(path: Path, text: str | bytes, *, force: bool = False) -> None:
    """Write a file whole or not at all; its folder is made if it isn't there.

    With ``force`` a file that is there, or a link to one, is replaced. Raises an OutputError if
    something is there and ``force`` isn't given, if it isn't a plain file, or if it can't be
    written.
    """
    with writing(path):
        if not force:
            refuse_existing(path, "use --force to replace it")
        # A link is replaced itself, whatever it leads to.
        is_replaceable = path.is_symlink() or path.is_file()
        if os.path.lexists(path) and not is_replaceable:
            fix = "name another file"
            raise OutputError("is not a plain file", where=path, fix=fix)
        make_folder(path.parent)
        _replace(path, text)


def refuse_existing(path: str | Path, fix: str) -> None:
    """Refuse to go on where something is at a path, even a link that leads nowhere."""
    if os.path.lexists(path):
        raise OutputError("exists already", where=path, fix=fix)


def write_over(path: Path, text: str) -> None:
    """Replace the text of a file that is there; a link to it stays a link.

    Raises an OutputError if it can't be written; then the file is as it was.
    """
    with writing(path):
        _replace(path.resolve(strict=True), text)


@contextmanager
def writing(path: Path, *, fix: str = "name another file") -> Iterator[None]:
    """Turn an error in writing a file into one line that says what kept it from being written."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as problem:
        number = _error_number(problem)
        reason = getattr(problem, "strerror", "")
        if not reason:
            reason = os.strerror(number) if number else "not a usable name"
        if number in (errno.ENOSPC, errno.EDQUOT):
            fix = "make room"
        raise OutputError(f"can't be written ({reason})", where=path, fix=fix) from None


def _error_number(problem: Exception) -> int | None:
    """The system's number of an error; None for one that isn't the system's."""
    if isinstance(problem, shutil.Error):
        # For a folder, only its text has the numbers, and the first file says why.
        numbers = re.findall(r"Errno (\d{1,4})", str(problem))
        return int(numbers[0]) if numbers else errno.EIO
    number: int | None = getattr(problem, "errno", None)
    return number


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """Make a new folder that is there with all its files, or isn't there at all.

    Yields a folder beside it to fill. That folder takes the new name in one step when the block
    ends without an error.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A name may have 255 bytes, and ours is longer than the folder's.
        prefix = f".{folder.name[:40]}."
        part = tempfile.mkdtemp(dir=folder.parent, prefix=prefix, suffix=".part")
    place = Path(part)
    try:
        yield place
        with writing(folder):
            # ``mkdtemp`` lets only the user in; a new folder has the usual rights.
            place.chmod(0o777 & ~_umask())
            refuse_existing(folder, "move it away")
            place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def all_or_none(folder: Path) -> Iterator[list[Path]]:
    """Collect the files that the block puts into a folder, and remove them if the block fails.

    If it fails, the folder is removed too, unless it was there before.
    """
    is_new = not os.path.lexists(folder)
    placed = list[Path]()
    try:
        yield placed
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        if is_new:
            # a folder whose name is impossible was never made
            with suppress(OSError, ValueError):
                folder.rmdir()
        raise


def _replace(path: Path, text: str | bytes) -> None:
    """Put ``text`` at ``path`` in one step; a file that was there passes its mode on."""
    mode = 0o666 & ~_umask()  # the usual rights of a new file
    if path.is_file():
        mode = stat.S_IMODE(path.stat().st_mode)
    prefix = f".{path.name[:40]}."  # a name may have 255 bytes
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
            file.flush()
            # Else a loss of power could leave an empty file under the new name.
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise


def _umask() -> int:
    """The rights that new files don't get. The system tells them only when they are set."""
    current = os.umask(0)
    os.umask(current)
    return current


# Patterns of paths --------------------------------------------------------------------------------

_SIGNS = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"


def matching(pattern: str, within: Path | None = None) -> Iterator[Path]:
    """Find files and folders that fit a pattern, in no particular order.

    ``*``, ``?`` and ``[]`` stand for characters of one name. ``**`` stands for any number of
    folders within each other, including none. Hidden names fit only a part that begins with a dot.

    ``**`` follows no link to a folder, because a link could lead anywhere, and in circles. Other
    parts follow links. A folder that can be reached in several ways is listed once.

    A pattern that isn't absolute is relative to the folder ``within``, whatever characters that
    folder's name has, or else to the working directory. Raises a ValueError if a part can't be the
    name of a file.
    """
    whole = Path(pattern)
    places: Iterable[str] = [whole.anchor or str(within or "")]
    parts = list(whole.parts[1:] if whole.anchor else whole.parts)
    for number, part in enumerate(parts):
        rest = parts[number + 1 :]
        # Two signs for any number of folders mean the same as one.
        if part == _ANY_DEPTH and rest[:1] == [_ANY_DEPTH]:
            continue
        places = _next(places, part, last=not rest)
    return map(Path, places)


def _next(places: Iterable[str], part: str, *, last: bool) -> Iterator[str]:
    """The entries that fit the next part of a pattern, in all folders that fit the parts before."""
    seen: set[tuple[int, int]] = set()
    folders = [place for place in places if _new(place, seen)]
    if part == _ANY_DEPTH:
        yield from _anywhere(folders, seen, last=last)
    elif not _SIGNS.search(part):
        joined = (os.path.join(place, part) for place in folders)  # noqa: PTH118  # as it was given
        yield from filter(os.path.lexists, joined)
    else:
        for folder in folders:
            for entry in _entries(folder, hidden=part.startswith(".")):
                # Before the last part, only folders lead on.
                if fnmatch.fnmatch(entry.name, part) and (last or entry.is_dir()):
                    yield _path(folder, entry)


def _anywhere(
    waiting: list[str], seen: set[tuple[int, int]], *, last: bool
) -> Iterator[str]:
    """The folders themselves and all folders below; for the last part also the files in them."""
    while waiting:
        place = waiting.pop()
        yield place
        for entry in _entries(place):
            path = _path(place, entry)
            if last and not os.path.isdir(path):  # noqa: PTH112  # never raises
                yield path
            if entry.is_dir(follow_symlinks=False) and _new(path, seen):
                waiting.append(path)


def _entries(place: str, *, hidden: bool = False) -> list[os.DirEntry[str]]:
    """The names in a folder; none where it is no folder or may not be read."""
    try:
        with os.scandir(place or ".") as entries:
            return [
                entry for entry in entries if hidden or not entry.name.startswith(".")
            ]
    except OSError:
        return []


def _path(place: str, entry: os.DirEntry[str]) -> str:
    return os.path.join(place, entry.name)  # noqa: PTH118  # many, of which few become paths


def _new(place: str, seen: set[tuple[int, int]]) -> bool:
    """Whether this folder wasn't seen before, under whatever name; it is now."""
    try:
        status = os.stat(place or ".")  # noqa: PTH116  # as above
    except OSError:
        return False
    device_and_file = (status.st_dev, status.st_ino)
    if device_and_file in seen:
        return False
    seen.add(device_and_file)
    return True


# One writer at a time -----------------------------------------------------------------------------

MOST_WAIT_S = 10.0  #: Seconds until a second writer gives up.
_STEP_S = 0.005  #: Seconds between two tries; writing a case file takes about as long.


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other writers out between reading a file and replacing it.

    The file itself is locked, so that no lock file is left beside it. A writer that waited may hold
    the lock of a file that was replaced meanwhile; it then takes the lock of the new file. Where
    the system or the place has no such lock, only the digest guards, and nobody waits. Where the
    file isn't there, the reading that follows says so. Raises a CaseError if somebody else holds
    the lock for ``MOST_WAIT_S``.
    """
    until = time.monotonic() + MOST_WAIT_S
    with ExitStack() as lock:
        while not _holds_lock(path, lock):
            if time.monotonic() > until:
                what = "is being written by somebody else"
                fix = "try again when the other program is done"
                raise CaseError(what, where=path, fix=fix)
            time.sleep(_STEP_S)
        yield


def _holds_lock(path: Path, lock: ExitStack) -> bool:
    """Try to lock the file that stands there now; ``lock`` gives it free again.

    True where we hold the lock, and where no lock can be had; False where somebody else holds it.
    """
    if sys.platform == "win32":
        return True
    import fcntl  # not on every system

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # whoever reads it next says what is wrong
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been replaced before we got the lock of the old one.
        is_ours = os.path.samestat(os.fstat(descriptor), path.stat())
    except BlockingIOError:  # somebody else holds it
        is_ours = False
    except OSError:  # files can't be locked there
        is_ours = True
    if is_ours:
        lock.callback(os.close, descriptor)
    else:
        os.close(descriptor)
    return is_ours
