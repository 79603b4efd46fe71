"""Reading with limits, and writing so that no half file and no lost file is left behind."""

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

OWN_FOLDER = ".tuneworthy"  #: What is computed for a case is in here, and nothing of the user's is.

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


def make_folder(folder: Path) -> None:
    """Make a folder with those above it; ``.tuneworthy`` begins with what git leaves out of it."""
    above = (folder, *folder.parents)
    own = next((place for place in above if place.name == OWN_FOLDER), None)
    is_new = own is not None and not os.path.lexists(own)
    folder.mkdir(parents=True, exist_ok=True)
    if own is not None and is_new:
        with suppress(OSError):  # a help, and no part of what is kept
            (own / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")


def read_text(path: Path, limit: int, error: Error = CaseError) -> str:
    """A text file, whole, without a byte order mark.

    An ``error`` if it isn't there, isn't a plain file, is larger than the limit or isn't UTF-8.
    """
    return read_raw(path, limit, error).removeprefix(BOM)


def read_raw(path: Path, limit: int, error: Error = CaseError) -> str:
    """As ``read_text``, with the byte order mark where the file has one."""
    data = read_bytes(path, limit, error)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as caught:
        line = data[: caught.start].count(b"\n") + 1
        raise error(
            "is not UTF-8", where=f"{path}:{line}", fix="save it as UTF-8"
        ) from None


def read_bytes(path: Path, limit: int, error: Error = CaseError) -> bytes:
    """The bytes of a plain file, and never of anything that could keep us waiting."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise error("is not a file", where=path, fix="name a plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(limit + 1)
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

    With ``force`` a file, or a link to one, that is there is replaced. An OutputError if something
    is there without it, if that is no plain file, or if it can't be written.
    """
    with writing(path):
        if not force:
            refuse_existing(path, "use --force to replace it")
        elif os.path.lexists(path) and not path.is_symlink() and not path.is_file():
            raise OutputError(
                "is not a plain file", where=path, fix="name another file"
            )
        make_folder(path.parent)
        _replace(path, text)


def refuse_existing(path: str | Path, fix: str) -> None:
    """Refuse to go on where something is at a path, be it a link that leads nowhere."""
    if os.path.lexists(path):
        raise OutputError("exists already", where=path, fix=fix)


def write_over(path: Path, text: str) -> None:
    """Put ``text`` in the place of a file that is there; a link to it stays a link.

    An OutputError if it can't be written; then the file is as it was.
    """
    with writing(path):
        _replace(path.resolve(strict=True), text)


@contextmanager
def writing(path: Path, *, fix: str = "name another file") -> Iterator[None]:
    """Say in one line what keeps a file from being written."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as problem:
        number = getattr(problem, "errno", None)
        if isinstance(problem, shutil.Error):  # of a folder: the first file says why
            number = int(re.findall(r"Errno (\d{1,4})", f"{problem} Errno 5")[0])
        message = getattr(problem, "strerror", "")
        reason = message or (os.strerror(number) if number else "not a usable name")
        if number in (errno.ENOSPC, errno.EDQUOT):
            fix = "make room"
        raise OutputError(f"can't be written ({reason})", where=path, fix=fix) from None


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A new folder that is there with all its files, or isn't there at all.

    Yields one beside it to fill, which takes its name in one step when the block ends well.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(
            dir=folder.parent, prefix=f".{folder.name[:40]}.", suffix=".part"
        )
    place = Path(name)
    try:
        yield place
        with writing(folder):
            place.chmod(0o777 & ~_umask())
            refuse_existing(folder, "move it away")
            place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def all_or_none(folder: Path) -> Iterator[list[Path]]:
    """A list for the files that the block puts into a folder.

    If the block fails they are gone again, and so is the folder if it wasn't there before.
    """
    is_new = not os.path.lexists(folder)
    placed = list[Path]()
    try:
        yield placed
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        if is_new:
            # a name that can't be one was never made
            with suppress(OSError, ValueError):
                folder.rmdir()
        raise


def _replace(path: Path, text: str | bytes) -> None:
    """Put ``text`` where ``path`` is in one step, keeping the mode of a file that was there."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part"
    )
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
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


def find_upwards(name: str, folder: Path) -> Path | None:
    """A file of this name in a folder, or in the nearest one above it; None for none.

    A folder that is everybody's, as ``/tmp``, is passed over: who put the file there isn't known.
    """
    start = Path(os.path.abspath(folder))  # noqa: PTH100  # never raises
    for place in (start, *start.parents):
        path = place / name
        if os.path.lexists(path) and (place == start or not _is_everybodys(place)):
            return path
    return None


def _is_everybodys(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return True
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


# Patterns of paths --------------------------------------------------------------------------------

_SIGNS = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"


def matching(pattern: str, within: Path | None = None) -> Iterator[Path]:
    """Files and folders that fit a pattern, in no order.

    ``*``, ``?`` and ``[]`` stand for what is in one name, ``**`` for any number of folders within
    each other, none included. Hidden ones fit only a part that begins with a dot. ``**`` follows no
    link to a folder: one could lead anywhere, and in circles. Other parts follow it, and what lies
    in one folder is found by one way only. A pattern that isn't absolute is relative to the folder
    ``within``, whatever signs its own name holds, or to the working directory. A ValueError if a
    part is no name that a file could have.
    """
    whole = Path(pattern)
    places: Iterable[str] = [whole.anchor or str(within or "")]
    parts = whole.parts[1:] if whole.anchor else whole.parts
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        if part != _ANY_DEPTH or following != _ANY_DEPTH:
            places = _next(places, part, last=following is None)
    return map(Path, places)


def _next(places: Iterable[str], part: str, *, last: bool) -> Iterator[str]:
    """Entries that fit the next part, in every folder that fits those before."""
    seen: set[tuple[int, int]] = set()
    waiting = [place for place in places if _new(place, seen)]
    if not _SIGNS.search(part):
        joined = (os.path.join(place, part) for place in waiting)  # noqa: PTH118  # as it was given
        yield from filter(os.path.lexists, joined)
    elif part != _ANY_DEPTH:
        for place in waiting:
            for entry in _entries(place, hidden=part.startswith(".")):
                if fnmatch.fnmatch(entry.name, part) and (last or entry.is_dir()):
                    yield _path(place, entry)
    else:
        yield from _anywhere(waiting, seen, last=last)


def _anywhere(
    waiting: list[str], seen: set[tuple[int, int]], *, last: bool
) -> Iterator[str]:
    """Folders at any depth, themselves included; of the last part also what lies in them."""
    while waiting:
        place = waiting.pop()
        yield place
        for entry in _entries(place):
            path = _path(place, entry)
            below = entry.is_dir(follow_symlinks=False)
            if last and not os.path.isdir(path):  # noqa: PTH112  # never raises
                yield path
            if below and _new(path, seen):
                waiting.append(path)


def _entries(place: str, *, hidden: bool = False) -> list[os.DirEntry[str]]:
    """Names in a folder; none where it is no folder, or may not be read."""
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
    """Whether this is a folder that wasn't there yet, by whatever name."""
    try:
        status = os.stat(place or ".")  # noqa: PTH116  # as above
    except OSError:
        return False
    before = len(seen)
    seen.add((status.st_dev, status.st_ino))
    return len(seen) > before


# One writer at a time -----------------------------------------------------------------------------

MOST_WAIT_S = 10.0
_STEP_S = 0.005


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other writers out for the moment between reading a file and replacing it.

    The file itself is locked, so that nothing is left beside it. A writer that waited may hold the
    lock of a file that was replaced meanwhile; it then takes that of the new one. Where the system
    or the place has no such lock, the digest is all that guards, and nobody waits. Where the file
    isn't there, reading it says so. A CaseError if somebody else holds it for ``MOST_WAIT_S``.
    """
    until = time.monotonic() + MOST_WAIT_S
    with ExitStack() as held:
        while not _taken(path, held):
            if time.monotonic() > until:
                fix = "try again when the other program is done"
                raise CaseError(
                    "is being written by somebody else", where=path, fix=fix
                )
            time.sleep(_STEP_S)
        yield


def _taken(path: Path, held: ExitStack) -> bool:
    """Whether the lock of the file which stands there is ours, or there is none to be had."""
    if sys.platform == "win32":
        return True
    import fcntl  # not on every system

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # whoever reads it next says what is wrong
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError as caught:
        # else files can't be locked there
        ours = not isinstance(caught, BlockingIOError)
    if ours:
        held.callback(os.close, descriptor)
    else:
        os.close(descriptor)
    return ours
