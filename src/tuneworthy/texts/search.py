"""Many patterns in many texts, in one pass.

The texts of a batch are joined as UTF-8 with the byte 0xFF between them, which no text can hold,
and hyperscan goes over the whole once. Where hyperscan is not installed, `re` goes over it once a
pattern: slower, and with the same answer, because both are given the same pattern in bytes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.texts.joined import Joined, joined
from tuneworthy.texts.needle import Needle, Pattern, at_edges, make

__all__ = ["Pattern", "Searcher"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PASS_BYTES = 1 << 28  # hyperscan counts in 32 bits; a longer batch goes in several passes

_RESOLVE_AT = 1_000_000  # hits kept at once, so that no text can fill the memory

Seen = Callable[[int, int, int, int, object], None]
"""Told of a hit as hyperscan tells it: pattern, nothing of use, end, nothing, nothing."""


class Searcher:
    """Looks for patterns in the texts of a batch.

    Args:
        patterns: By name.
        plain: Use `re` although hyperscan is there.

    Raises:
        ValueError: A pattern matches the empty text, is refused, or can't be compiled.
    """

    def __init__(self, patterns: Mapping[str, Pattern], *, plain: bool = False) -> None:
        self._names = tuple(patterns)
        self._needles = tuple(make(name, pattern) for name, pattern in patterns.items())
        self._confirm = tuple(
            re.compile(each.raw, each.flags) if each.crosses else None for each in self._needles
        )
        self._simple = np.array([each.simple for each in self._needles], dtype=bool)
        hyper = find_spec("hyperscan") is not None and not plain
        self._scan = (_hyperscan if hyper else _plain)(self._needles)

    def rows(self, texts: Sequence[str | None]) -> dict[str, NDArray[np.bool_]]:
        """Which texts each pattern is found in.

        Args:
            texts: Any texts; None is found by nothing. What the last few lists were turned into is
                remembered, so a list must not be changed between searches.

        Returns:
            One array a pattern, as long as ``texts``.
        """
        return {name: ends > 0 for name, ends in self.ends(texts).items()}

    def ends(self, texts: Sequence[str | None]) -> dict[str, NDArray[np.int32]]:
        """Where in each text a match of each pattern ends, mostly the first: in bytes of UTF-8.

        Returns:
            One array a pattern, as long as ``texts``; 0 where it isn't found.
        """
        found = np.zeros((len(self._names), len(texts)), dtype=np.int32)
        if self._names and texts:
            whole = joined(texts)
            start = 0
            for stop in _passes(whole):
                self._pass(whole, start, stop, found)
                start = stop
        return dict(zip(self._names, found, strict=True))

    def _pass(self, texts: Joined, start: int, stop: int, found: NDArray[np.int32]) -> None:
        """Mark where in some texts each pattern is."""
        begins = texts.ends - texts.lengths
        begin = int(begins[start])
        refuted: set[tuple[int, int]] = set()
        ids: list[int] = []
        ends: list[int] = []

        def resolve() -> None:
            which, stops = np.array(ids, dtype=np.int64), np.array(ends, dtype=np.int64) + begin
            at = np.searchsorted(texts.ends, stops)
            within = stops - begins[at]
            # In plain ASCII the engine has seen to the edges; every place of a match is alike.
            simple = self._simple[which] & texts.plain[at]
            sure = np.flatnonzero(simple)[::-1]  # backwards, so that of several the first stays
            found[which[sure], at[sure]] = within[sure]
            for k in np.flatnonzero(~simple).tolist():
                index, row = ids[k], int(at[k])
                if found[index, row] or (index, row) in refuted:
                    continue
                exact = self._confirm[index]
                if exact is not None:
                    if (match := exact.search(texts.one(row))) is not None:
                        found[index, row] = match.end()
                    else:
                        refuted.add((index, row))
                elif at_edges(self._needles[index], texts.data, int(stops[k])):
                    found[index, row] = within[k]
            ids.clear()
            ends.clear()

        def seen(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ids.append(index)
            ends.append(end)
            if len(ids) >= _RESOLVE_AT:
                resolve()

        self._scan(memoryview(texts.data)[begin : int(texts.ends[stop - 1])], seen)
        if ids:
            resolve()


def _passes(texts: Joined) -> list[int]:
    """Where each pass stops, so that none goes over more than it may."""
    ends = texts.ends + 1
    stops: list[int] = []
    taken = 0
    while taken < len(ends):
        before = int(ends[taken - 1]) if taken else 0
        taken = max(taken + 1, int(np.searchsorted(ends, before + _PASS_BYTES, side="right")))
        stops.append(taken)
    return stops


def _hyperscan(needles: Sequence[Needle]) -> Callable[[memoryview, Seen], None]:
    """A scan by hyperscan: one pass for all patterns."""
    import hyperscan

    database = hyperscan.Database()
    if needles:
        flags = [hyperscan.HS_FLAG_CASELESS if each.flags else 0 for each in needles]
        try:
            database.compile(expressions=[each.raw for each in needles], flags=flags)
        except hyperscan.error as problem:
            raise ValueError(f"a pattern can't be compiled: {problem}") from None
    one_at_a_time = threading.Lock()  # a database has one scratch space

    def scan(data: memoryview, seen: Seen) -> None:
        with one_at_a_time:
            database.scan(data, match_event_handler=seen)  # type: ignore[type-var]  # any buffer

    return scan


def _plain(needles: Sequence[Needle]) -> Callable[[memoryview, Seen], None]:
    """A scan by `re`: one pass a pattern."""
    compiled = [
        # Looking ahead finds matches that overlap: the second may be a whole word.
        re.compile(each.raw if each.backward is None else b"(?=(" + each.raw + b"))", each.flags)
        for each in needles
    ]

    def scan(data: memoryview, seen: Seen) -> None:
        for index, (each, pattern) in enumerate(zip(needles, compiled, strict=True)):
            if each.crosses:  # any text may hold it
                for end in re.finditer(rb"\xff|\Z", data):
                    seen(index, 0, end.start(), 0, None)
            else:
                group = 0 if each.backward is None else 1
                for match in pattern.finditer(data):
                    seen(index, 0, match.end(group), 0, None)

    return scan
