"""Numbers for names, and for the system prompts, of which there may be too many to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.traces import SystemPrompt
from tuneworthy.gather.shingles import mix64
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, distinct
from tuneworthy.texts.joined import Joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_NAMES = 5_000
"""More distinct models, prompts or system prompts than this are no versions of one thing."""

_MOST_CHARACTERS = 64 << 20  # of all system prompts together
_HASHED_AT_ONCE = 64  # characters of a name
_MOST_DIGESTS = 1_000_000  # counted no further
_LONGEST_NAME = 200
_NEITHER = -1


class Names:
    """Models or prompt versions by number, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: _NEITHER}

    def of(self, values: Sequence[str | None]) -> NDArray[np.int64]:
        """The number of each; -1 for none, and for what comes after too many."""
        codes = self._codes
        try:
            return np.fromiter(map(codes.__getitem__, values), np.int64, len(values))
        except KeyError:
            return np.array([self._code(value) for value in values], dtype=np.int64)

    def _code(self, value: str | None) -> int:
        if value is not None and len(value) > _LONGEST_NAME:
            value = value[:_LONGEST_NAME]
        known = self._codes.get(value)
        if known is not None:
            return known
        if len(self._codes) > MOST_NAMES:
            return _NEITHER
        self._codes[value] = len(self._codes) - 1
        return len(self._codes) - 2

    @property
    def all(self) -> tuple[str, ...]:
        """The names by number."""
        return tuple(name for name in self._codes if name is not None)


class _Seen:
    """How often a system prompt was seen, and when."""

    __slots__ = ("first", "last", "n")

    def __init__(self) -> None:
        self.n = 0
        self.first: float | None = None
        self.last: float | None = None

    def note(self, n: int, first: float, last: float) -> None:
        """Seen so often more, between these times; NaN where no time is known."""
        self.n += n
        if not math.isnan(first):
            self.first = first if self.first is None else min(first, self.first)
            self.last = last if self.last is None else max(last, self.last)


class Systems:
    """System prompts by number, in the order of their first appearance.

    Where there are more than ``MOST_NAMES``, or more text than memory should hold, none is kept:
    they are a template with something else filled in each time.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._seen: list[_Seen] = []
        self._characters = 0
        self._digests: set[bytes] | None = None

    def of(self, values: Sequence[str | None], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number of each; -1 for none."""
        texts, place = distinct(values)
        codes = [_NEITHER if text is None else self._code(text) for text in texts]
        found = np.array(codes, dtype=np.int64)[place]
        self._note(found, times)
        return found

    def _code(self, value: str) -> int:
        if self._digests is not None:
            if len(self._digests) < _MOST_DIGESTS:
                self._digests.add(_digest(value))
            return _NEITHER
        known = self._codes.get(value)
        if known is not None:
            return known
        self._codes[value] = len(self._seen)
        self._seen.append(_Seen())
        self._characters += len(value)
        if len(self._seen) > MOST_NAMES or self._characters > _MOST_CHARACTERS:
            self._digests = {_digest(text) for text in self._codes}
            self._codes, self._seen = {}, []
            return _NEITHER
        return len(self._seen) - 1

    def _note(self, found: NDArray[np.int64], times: NDArray[np.float64]) -> None:
        """Count what was seen, and when."""
        if not self._seen or not len(found):
            return
        order = np.argsort(found, kind="stable")
        ordered, clock = found[order], times[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        counts = np.diff(np.append(begins, len(found)))
        first, last = np.fmin.reduceat(clock, begins), np.fmax.reduceat(clock, begins)
        for place, code in enumerate(ordered[begins].tolist()):
            if 0 <= code < len(self._seen):
                self._seen[code].note(int(counts[place]), float(first[place]), float(last[place]))

    @property
    def distinct(self) -> int:
        """How many there were."""
        return len(self._seen) if self._digests is None else len(self._digests)

    def kept(self, conversations: int) -> tuple[SystemPrompt, ...]:
        """The system prompts by number.

        Args:
            conversations: Conversations that have one; where each has another the prompts are a
                template, and none is given.
        """
        if conversations >= ENOUGH_CONVERSATIONS and self.distinct >= conversations:
            return ()
        return tuple(
            SystemPrompt(text, seen.n, seen.first, seen.last)
            for text, seen in zip(self._codes, self._seen, strict=True)
        )


def hashed(names: Sequence[str]) -> NDArray[np.uint64]:
    """A hash of each name, the same in every run: of all its characters, two at a time."""
    found = np.zeros(len(names), dtype=np.uint64)
    for pair in _characters(names).view(np.uint64).T:
        found = np.where(pair != 0, mix64(found ^ pair), found)
    return found


def _characters(names: Sequence[str]) -> NDArray[np.uint32]:
    """Characters by number, an even number a name; of a long name those of its digest."""
    whole = Joined(names)
    if whole.plain.all() and (longest := int(whole.lengths.max(initial=0))) <= _HASHED_AT_ONCE:
        return whole.opening(longest + longest % 2).astype(np.uint32)
    short = [name if len(name) <= _HASHED_AT_ONCE else _digest(name).hex() for name in names]
    table = np.array(short)
    characters = table.dtype.itemsize // 4
    table = table.astype(f"U{characters + characters % 2}")
    return table.view(np.uint32).reshape(len(names), -1)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
