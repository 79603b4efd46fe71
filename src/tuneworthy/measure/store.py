"""Columns of numbers, kept out of memory.

They lie in a DuckDB file of the run, in one table for some ten thousand rows each, in the narrowest
type that holds them exactly: most are shares of 0 and 1, or nowhere known. No name given from
outside is ever part of a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ROWS = 1 << 16  # rows that are gathered before they are written
_FIRST = 512  # rows that mostly tell what a column isn't
_UNKNOWN_SHARE = 2  # stands for NaN where all else is 0 or 1
_TYPES = {
    "u1": "UTINYINT",
    "i2": "SMALLINT",
    "i8": "BIGINT",
    "u8": "UBIGINT",
    "f4": "FLOAT",
    "f8": "DOUBLE",
}


class Columns(Protocol):
    """Anything that keeps columns."""

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take some more rows: columns of equal length, the same names and kinds every time."""

    def get(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some columns whole, in the order of their rows, as float64, int64 or uint64."""


class Memory:
    """Columns kept in memory, for few rows."""

    def __init__(self) -> None:
        self._columns: dict[str, list[NDArray[Any]]] = {}

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take some more rows."""
        for name, values in columns.items():
            self._columns.setdefault(name, []).append(values)

    def get(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some columns whole."""
        return {name: np.concatenate(self._columns[name]) for name in names}


class Store:
    """Columns kept in a DuckDB file.

    Args:
        folder: An empty folder that is the store's own.
        memory: The most memory DuckDB may take, such as ``512MB``.
    """

    def __init__(self, folder: Path, memory: str) -> None:
        import duckdb

        self._connection = duckdb.connect(
            str(folder / "rows.duckdb"),
            config={
                "memory_limit": memory,
                "temp_directory": str(folder / "spilled"),
                "threads": 1,  # a query here is one copy; more threads cost more than they give
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,
            },
        )
        # What is never committed needs no log: the file is thrown away with the run.
        self._connection.execute("BEGIN")
        self._waiting: list[Mapping[str, NDArray[Any]]] = []
        self._rows = 0
        self._tables: list[dict[str, _Kept]] = []
        self._kinds: dict[str, np.dtype[Any]] = {}

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take some more rows; a column that is missing in some is NaN there."""
        for name, values in columns.items():
            self._kinds.setdefault(name, values.dtype)
        rows = max((len(values) for values in columns.values()), default=0)
        if any(len(values) != rows for values in columns.values()):
            raise ValueError("columns of one batch differ in length")
        self._waiting.append(columns)
        self._rows += rows
        if self._rows >= _ROWS:
            self._write()

    def get(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some columns whole, in the order of their rows."""
        self._write()
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        for number, table in enumerate(self._tables):
            wanted = [table[name].column for name in names if table[name].column]
            # Names of columns and tables are numbers of ours.
            query = f"SELECT {', '.join(wanted)} FROM rows{number}"  # noqa: S608  # no outside text
            read = self._connection.execute(query).fetchnumpy() if wanted else {}
            for name in names:
                parts[name].append(table[name].values(read, self._kinds[name]))
        return {
            name: np.concatenate(some) if some else np.empty(0, dtype=self._kinds.get(name))
            for name, some in parts.items()
        }

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _write(self) -> None:
        """Put what was gathered into a table of its own."""
        if not self._rows:
            return
        kept: dict[str, _Kept] = {}
        narrow: dict[str, NDArray[Any]] = {}
        for name, kind in self._kinds.items():
            values = np.concatenate([self._part(batch, name, kind) for batch in self._waiting])
            kept[name] = _Kept(len(values), values[0])
            if not (_is_one(values[:_FIRST]) and _is_one(values)):
                column = f"c{len(narrow)}"
                narrow[column] = _narrowed(values)
                kept[name].column = column
        if narrow:
            self._insert(f"rows{len(self._tables)}", narrow)
        self._tables.append(kept)
        self._waiting, self._rows = [], 0

    @staticmethod
    def _part(batch: Mapping[str, NDArray[Any]], name: str, kind: np.dtype[Any]) -> NDArray[Any]:
        if name in batch:
            return batch[name]
        rows = max(len(values) for values in batch.values())
        return np.full(rows, np.nan if kind.kind == "f" else 0, dtype=kind)

    def _insert(self, table: str, columns: dict[str, NDArray[Any]]) -> None:
        types = ", ".join(f"{name} {_TYPES[v.dtype.str[1:]]}" for name, v in columns.items())
        self._connection.execute(f"CREATE TABLE {table} ({types})")
        self._connection.register("gathered", columns)
        self._connection.execute(f"INSERT INTO {table} SELECT * FROM gathered")  # noqa: S608  # no outside text
        self._connection.unregister("gathered")


class _Kept:
    """Where a column of some rows is: in a table, or nowhere because it is one value throughout."""

    __slots__ = ("_rows", "_value", "column")

    def __init__(self, rows: int, value: Any) -> None:
        self._rows, self._value = rows, value
        self.column = ""

    def values(self, read: Mapping[str, Any], kind: np.dtype[Any]) -> NDArray[Any]:
        """The values as they were given."""
        if not self.column:
            return np.full(self._rows, self._value, dtype=kind)
        found: NDArray[Any] = read[self.column]
        if isinstance(found, np.ma.MaskedArray):  # NaN goes in and comes out as a NULL
            found = found.filled(np.nan)
        values = found.astype(kind, copy=False)
        if found.dtype == np.uint8 and kind.kind == "f":
            values[found == _UNKNOWN_SHARE] = np.nan
        return values


def _is_one(values: NDArray[Any]) -> bool:
    """Whether all values are the same; of NaN each is."""
    return bool((np.isnan(values) if np.isnan(values[0]) else values == values[0]).all())


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the narrowest type that holds them exactly."""
    kind = values.dtype.kind
    if kind == "u":
        return values
    if kind == "i":
        short = values.astype(np.int16)
        return short if np.array_equal(short, values) else values
    if _are_shares(values[:_FIRST]) and _are_shares(values):
        return np.where(np.isnan(values), _UNKNOWN_SHARE, values).astype(np.uint8)
    if _are_single(values[:_FIRST]) and _are_single(values):
        return values.astype(np.float32)
    return values


def _are_shares(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | (values == 1) | np.isnan(values)).all())


def _are_single(values: NDArray[Any]) -> bool:
    with np.errstate(over="ignore"):
        return bool(((values.astype(np.float32) == values) | np.isnan(values)).all())
