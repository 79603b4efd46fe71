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

from tuneworthy.texts.needle import BETWEEN, Needle, Pattern, as_bytes, at_edges, make

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
        found = np.zeros((len(self._names), len(texts)), dtype=bool)
        if self._names and texts:
            whole = _prepared(texts)
            start = 0
            for stop in whole.passes():
                self._pass(whole, start, stop, found[:, start:stop])
                start = stop
        return dict(zip(self._names, found, strict=True))

    def _pass(self, texts: _Texts, start: int, stop: int, found: NDArray[np.bool_]) -> None:
        """Mark which of some texts each pattern is in."""
        joined, last = texts.joined(start, stop)
        plain = texts.plain[start:stop]
        refuted: set[tuple[int, int]] = set()
        ids: list[int] = []
        ends: list[int] = []

        def resolve() -> None:
            which, stops = np.array(ids, dtype=np.int64), np.array(ends, dtype=np.int64)
            at = np.searchsorted(last, stops)
            # In plain ASCII the engine has seen to the edges; every place of a match is alike.
            simple = self._simple[which] & plain[at]
            found[which[simple], at[simple]] = True
            for k in np.flatnonzero(~simple).tolist():
                index, row = ids[k], int(at[k])
                if found[index, row] or (index, row) in refuted:
                    continue
                exact = self._confirm[index]
                if exact is not None:
                    found[index, row] = is_there = exact.search(texts.one(start + row)) is not None
                    if not is_there:
                        refuted.add((index, row))
                elif at_edges(self._needles[index], joined, ends[k]):
                    found[index, row] = True
            ids.clear()
            ends.clear()

        def seen(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ids.append(index)
            ends.append(end)
            if len(ids) >= _RESOLVE_AT:
                resolve()

        self._scan(joined, seen)
        if ids:
            resolve()


class _Texts:
    """Texts on their way into bytes; plain ASCII, as most are, needs no encoding one by one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self.plain = np.fromiter(map(str.isascii, texts), dtype=bool, count=len(texts))
        """Which are nothing but ASCII."""
        self._bytes: Sequence[bytes] = () if self.plain.all() else _encoded(texts)
        sizes = map(len, self._bytes or texts)
        self._lengths = np.fromiter(sizes, dtype=np.int64, count=len(texts))
        self._whole: tuple[bytes, NDArray[np.int64]] | None = None

    def one(self, row: int) -> bytes:
        """A text as UTF-8."""
        return self._bytes[row] if self._bytes else self._texts[row].encode()

    def joined(self, start: int, stop: int) -> tuple[bytes, NDArray[np.int64]]:
        """Some texts with ``BETWEEN`` between them, and where each of them ends."""
        if stop - start < len(self._lengths):
            return self._joined(start, stop)
        if self._whole is None:
            self._whole = self._joined(start, stop)
        return self._whole

    def _joined(self, start: int, stop: int) -> tuple[bytes, NDArray[np.int64]]:
        last = np.cumsum(self._lengths[start:stop] + 1) - 1
        if self._bytes:
            return BETWEEN.join(self._bytes[start:stop]), last
        return BETWEEN.decode("latin-1").join(self._texts[start:stop]).encode("latin-1"), last

    def passes(self) -> list[int]:
        """Where each pass stops, so that none joins more than it may."""
        ends = np.cumsum(self._lengths + 1)
        stops: list[int] = []
        taken = 0
        while taken < len(ends):
            before = int(ends[taken - 1]) if taken else 0
            taken = max(taken + 1, int(np.searchsorted(ends, before + _PASS_BYTES, side="right")))
            stops.append(taken)
        return stops


_REMEMBERED = 4  # lists: outputs and inputs of a batch, which several signals look through
_recent: tuple[tuple[Sequence[str | None], _Texts], ...] = ()


def _prepared(texts: Sequence[str | None]) -> _Texts:
    """Texts ready to be searched; lists are told apart as objects."""
    global _recent  # noqa: PLW0603  # a memory of a few, read and replaced as a whole
    for known, whole in _recent:
        if known is texts:
            return whole
    whole = _Texts([text or "" for text in texts])
    _recent = ((texts, whole), *_recent[: _REMEMBERED - 1])
    return whole


def _encoded(texts: Sequence[str]) -> list[bytes]:
    try:
        return list(map(str.encode, texts))
    except UnicodeEncodeError:
        return list(map(as_bytes, texts))


def _hyperscan(needles: Sequence[Needle]) -> Callable[[bytes, Seen], None]:
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

    def scan(joined: bytes, seen: Seen) -> None:
        with one_at_a_time:
            database.scan(joined, match_event_handler=seen)

    return scan


def _plain(needles: Sequence[Needle]) -> Callable[[bytes, Seen], None]:
    """A scan by `re`: one pass a pattern."""
    compiled = [
        # Looking ahead finds matches that overlap: the second may be a whole word.
        re.compile(each.raw if each.backward is None else b"(?=(" + each.raw + b"))", each.flags)
        for each in needles
    ]

    def scan(joined: bytes, seen: Seen) -> None:
        for index, (each, pattern) in enumerate(zip(needles, compiled, strict=True)):
            if each.crosses:  # any text may hold it
                for end in re.finditer(rb"\xff|\Z", joined):
                    seen(index, 0, end.start(), 0, None)
            else:
                group = 0 if each.backward is None else 1
                for match in pattern.finditer(joined):
                    seen(index, 0, match.end(group), 0, None)

    return scan
