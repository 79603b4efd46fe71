"""The results of reading a folder, kept as long as its files don't change."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar


def stamps(
    folder: Path, *, but: str = "", most: int = sys.maxsize
) -> frozenset[Any] | None:
    """The size and time of every file below a folder, without the folder ``but``; None if too many."""
    marks = set[tuple[str, int, int]]()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(place, name) != but]  # noqa: PTH118  # a hot path
        if len(marks) + len(files) > most:
            return None
        for path in (f"{place}/{name}" for name in files):
            with suppress(OSError):
                now = os.stat(path)  # noqa: PTH116  # a hot path
                marks.add((path, now.st_size, now.st_mtime_ns))
    return frozenset(marks)


T = TypeVar("T")


class Cache(Generic[T]):
    """The last value of each name, valid while its key is the same; the oldest values go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: dict[Hashable, tuple[Hashable, T]] = {}

    def find(self, name: Hashable, key: Hashable) -> T | None:
        with self._lock:
            entry = self._kept.pop(name, None)
            if entry is None:
                return None
            self._kept[name] = entry
            return entry[1] if entry[0] == key else None

    def keep(self, name: Hashable, key: Hashable, value: T) -> T:
        """Keep a value in the place of the one that was there."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = key, value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return value
