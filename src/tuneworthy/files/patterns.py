"""What a pattern of paths stands for, found without walking in circles."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_SIGNS = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"


def matching(pattern: str, within: Path | None = None) -> Iterator[Path]:
    """Files and folders that fit a pattern, in no order; none for a pattern that fits nothing.

    ``*``, ``?`` and ``[]`` stand for what is in one name, ``**`` for any number of folders within
    each other, none included. Hidden ones fit only a part that begins with a dot. ``**`` follows no
    link to a folder: one could lead anywhere, and in circles. Other parts follow it, and what lies
    in one folder is found by one way only.

    Args:
        pattern: Relative to a folder, or absolute.
        within: The folder, whatever signs its own name holds; the working directory for None.

    Raises:
        ValueError: If a part is no name that a file could have.
    """
    whole = Path(pattern)
    places: Iterable[str] = [whole.anchor or str(within or "")]
    parts = whole.parts[1:] if whole.anchor else whole.parts
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        if part != _ANY_DEPTH or following != _ANY_DEPTH:
            places = _next(places, part, last=following is None)
    return map(Path, places)


def _next(places: Iterable[str], part: str, *, last: bool) -> Iterator[str]:
    """What fits the next part, in every folder that fits those before."""
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


def _anywhere(waiting: list[str], seen: set[tuple[int, int]], *, last: bool) -> Iterator[str]:
    """Folders at any depth, themselves included; of the last part also what lies in them."""
    while waiting:
        place = waiting.pop()
        yield place
        for entry in _entries(place):
            path, below = _path(place, entry), entry.is_dir(follow_symlinks=False)
            if last and not os.path.isdir(path):  # noqa: PTH112  # never raises
                yield path
            if below and _new(path, seen):
                waiting.append(path)


def _entries(place: str, *, hidden: bool = False) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing where it is none, or may not be read."""
    try:
        with os.scandir(place or ".") as found:
            return [entry for entry in found if hidden or not entry.name.startswith(".")]
    except OSError:
        return []


def _path(place: str, entry: os.DirEntry[str]) -> str:
    return os.path.join(place, entry.name)  # noqa: PTH118  # many, of which few become paths


def _new(place: str, seen: set[tuple[int, int]]) -> bool:
    """Whether this is a folder that wasn't there yet, by whatever name."""
    try:
        told = os.stat(place or ".")  # noqa: PTH116  # as above
    except OSError:
        return False
    before = len(seen)
    seen.add((told.st_dev, told.st_ino))
    return len(seen) > before
