"""Personal and secret data that gives itself away by how it is written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.gather.personal.contact import CONTACT
from tuneworthy.gather.personal.kinds import Kind, Sort
from tuneworthy.gather.personal.numbers import NUMBERS
from tuneworthy.gather.personal.secrets import SECRETS
from tuneworthy.texts.search import Pattern, Searcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS: tuple[Kind, ...] = (*SECRETS, *NUMBERS, *CONTACT)
"""Every kind; where two find the same, the earlier has it."""


_BEHIND = 64  # characters in front that are looked at
_NEAR = 80  # characters in front of the end of a gate in which a match mostly begins
_SIX = "six digits"


class Span(NamedTuple):
    """A place in a text, as characters."""

    start: int
    end: int
    kind: str
    """Id of the kind."""
    sort: Sort


class Scanner:
    """Looks for kinds of data in many texts at once.

    Args:
        kinds: What to look for.
        plain: Do without hyperscan.
    """

    def __init__(self, kinds: Sequence[Kind] = KINDS, *, plain: bool = False) -> None:
        self._kinds = tuple(kinds)
        first = {each.id: each.gate for each in kinds if not each.digits}
        # One coarse pattern for all numbers is much quicker than a pattern for each.
        self._first = Searcher(first | {_SIX: Pattern(r"\d(?:[ ./()-]{0,3}\d){5}")}, plain=plain)
        self._second = Searcher({each.id: each.gate for each in kinds if each.digits}, plain=plain)

    def rows(self, texts: Sequence[str | None]) -> dict[str, NDArray[np.bool_]]:
        """Which texts hold each kind, proven by its check.

        Returns:
            One array a kind, as long as ``texts``; false for None.
        """
        bits = self.bits(texts)
        return {each.id: (bits >> place & 1) == 1 for place, each in enumerate(self._kinds)}

    def bits(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """The same as bits of one whole number a text: bit k stands for the k-th kind."""
        found = np.zeros(len(texts), dtype=np.int64)
        first = self._first.ends(texts)
        places = np.flatnonzero(first.pop(_SIX))
        second = self._second.ends([texts[row] for row in places.tolist()])
        for place, each in enumerate(self._kinds):
            ends = second[each.id] if each.digits else first[each.id]
            if not ends.any():  # as mostly
                continue
            at = np.flatnonzero(ends)
            rows = places[at] if each.digits else at
            for row, end in zip(rows.tolist(), ends[at].tolist(), strict=True):
                if _holds(each, texts[row] or "", end):
                    found[row] |= 1 << place
        return found


def shared_scanner(*, plain: bool = False) -> Scanner:
    """A scanner for every kind, made once: that takes longer than going over some megabytes."""
    return _made_once(plain)


@cache
def _made_once(plain: bool) -> Scanner:
    return Scanner(plain=plain)


def spans(text: str, kinds: Sequence[Kind] = KINDS) -> tuple[Span, ...]:
    """Where a text holds personal or secret data, in the order of the text, without overlap.

    Where two kinds overlap the one that stands earlier in ``kinds`` has it.
    """
    kept: list[Span] = []
    for each in kinds:
        new = [span for span in _of_kind(each, text) if _is_free(span, kept)]
        kept = sorted([*kept, *new]) if new else kept
    return tuple(kept)


def _is_free(span: Span, kept: Sequence[Span]) -> bool:
    """Whether a span overlaps none of some others, which stand in the order of the text."""
    at = bisect_left(kept, (span.end,))
    return at == 0 or kept[at - 1].end <= span.start


def _holds(kind: Kind, text: str, gate: int) -> bool:
    """Whether a text holds a kind of data; mostly near where its gate ends, so there it begins.

    It begins behind a letter, so that no number is cut in two. The gate's end is told in bytes and
    so may lie too far behind: what isn't found from there is looked for from the beginning.
    """
    near = max(0, min(gate, len(text)) - _NEAR)
    while near and not text[near - 1].isalpha():
        near -= 1
    return any(True for _ in _of_kind(kind, text, near)) or (
        near > 0 and any(True for _ in _of_kind(kind, text))
    )


def _of_kind(kind: Kind, text: str, begin: int = 0) -> Iterator[Span]:
    for match in kind.exact.finditer(text, begin):
        group = match.lastindex or 0
        start, end = match.span(group)
        if kind.behind and not kind.behind.search(text, max(0, start - _BEHIND), start):
            continue
        if kind.trim is not None:
            end = start + len(kind.trim(text[start:end]))
            if end == start or text[end : end + 1].isalnum():
                continue
        if kind.check is None or kind.check(text[start:end]):
            yield Span(start, end, kind.id, kind.sort)
