"""The results of reading a folder, kept as long as its files don't change."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
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
        # ``walk`` goes into the folders that are left in its list.
        folders[:] = [name for name in folders if os.path.join(place, name) != but]  # noqa: PTH118  # a hot path
        if len(marks) + len(files) > most:
            return None
        for name in files:
            path = f"{place}/{name}"
            with suppress(OSError):  # it went away meanwhile
                status = os.stat(path)  # noqa: PTH116  # a hot path
                marks.add((path, status.st_size, status.st_mtime_ns))
    return frozenset(marks)


T = TypeVar("T")


class Cache(Generic[T]):
    """The last value of each name, valid while its key is the same; the oldest values go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        #: Key and value by name, the longest unused first.
        self._kept: OrderedDict[Hashable, tuple[Hashable, T]] = OrderedDict()

    def find(self, name: Hashable, key: Hashable) -> T | None:
        """The value that was kept under a name with the same key; None for none."""
        with self._lock:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            old_key, value = self._kept[name]
            return value if old_key == key else None

    def keep(self, name: Hashable, key: Hashable, value: T) -> T:
        """Keep a value in the place of the one that was there."""
        with self._lock:
            self._kept[name] = (key, value)
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value
