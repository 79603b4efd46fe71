"""The words of a glossary, ready to be looked for in a batch of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.materials import Term
from tuneworthy.texts.needle import Pattern
from tuneworthy.texts.search import Searcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Hits = Mapping[str, Flags]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A term with the words that matter, blank ones left out."""

    right: str
    wrong: tuple[str, ...]
    due: tuple[str, ...]
    case_sensitive: bool


class Glossary:
    """Looks for terms, for words that are wrong for them, and for words that call for them.

    Args:
        terms: The glossary; a term of nothing but spaces is left out.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self._entries = tuple(_entry(each) for each in terms if each.term.strip())
        self._searcher = Searcher(_patterns(self._entries))
        self._inside = {
            (index, k): (holders, _outside(word, [self._entries[h] for h in holders]))
            for index, entry in enumerate(self._entries)
            for k, word in enumerate(entry.wrong)
            if (holders := _holders(word, self._entries))
        }

    def __len__(self) -> int:
        return len(self._entries)

    def right(self, index: int) -> str:
        """The right word of a term."""
        return self._entries[index].right

    def look(self, texts: Sequence[str | None]) -> Hits:
        """What stands in which text, for the methods below."""
        return self._searcher.rows(texts)

    def said(self, hits: Hits, index: int) -> Flags:
        """Texts that hold the right word."""
        return hits[f"{index} right"]

    def called_for(self, hits: Hits, index: int) -> Flags:
        """Texts that hold the right word, one that is wrong for it, or one that calls for it."""
        entry = self._entries[index]
        flags = self.said(hits, index).copy()
        for k in range(len(entry.wrong)):
            flags |= hits[f"{index} wrong {k}"]
        for k in range(len(entry.due)):
            flags |= hits[f"{index} due {k}"]
        return flags

    def wrong(self, hits: Hits, index: int, texts: Sequence[str | None]) -> list[tuple[str, Flags]]:
        """For each wrong word the texts that hold it, outside every right term it is part of."""
        told = []
        for k, word in enumerate(self._entries[index].wrong):
            flags = hits[f"{index} wrong {k}"]
            if (index, k) in self._inside:
                holders, outside = self._inside[index, k]
                flags = flags.copy()
                near = np.any([self.said(hits, holder) for holder in holders], axis=0)
                for row in np.flatnonzero(flags & near).tolist():
                    flags[row] = outside(texts[row] or "")
            told.append((word, flags))
        return told


def _entry(term: Term) -> _Entry:
    return _Entry(
        " ".join(term.term.split()),
        tuple(word for word in term.forbidden if word.strip()),
        tuple(word for word in term.due_when if word.strip()),
        term.case_sensitive,
    )


def _patterns(entries: Sequence[_Entry]) -> dict[str, Pattern]:
    """Every word as a pattern, named by its place."""
    patterns = {}
    for index, entry in enumerate(entries):
        words = {f"{index} right": entry.right}
        words |= {f"{index} wrong {k}": word for k, word in enumerate(entry.wrong)}
        words |= {f"{index} due {k}": word for k, word in enumerate(entry.due)}
        for name, word in words.items():
            caseless = not entry.case_sensitive
            patterns[name] = Pattern(word, literal=True, word=True, caseless=caseless)
    return patterns


def _holders(word: str, entries: Sequence[_Entry]) -> tuple[int, ...]:
    """Terms that a wrong word is part of."""
    exact = _word(word)
    return tuple(
        index
        for index, entry in enumerate(entries)
        if re.search(exact, entry.right, re.IGNORECASE)
        and entry.right.casefold() != " ".join(word.split()).casefold()
    )


def _outside(word: str, holders: Sequence[_Entry]) -> Callable[[str], bool]:
    """Whether a word stands outside the terms it is part of."""
    terms = sorted((_word(each.right) for each in holders), key=len, reverse=True)
    pattern = re.compile(f"(?:{'|'.join(terms)})|({_word(word)})", re.IGNORECASE)
    return lambda text: any(match[1] is not None for match in pattern.finditer(text))


def _word(text: str) -> str:
    """A whole word or words as an expression; any space stands for any other."""
    words = r"\s{1,4}".join(re.escape(each) for each in text.split())
    front = r"(?<!\w)" if text.strip()[:1].isalnum() else ""
    return front + words + (r"(?!\w)" if text.strip()[-1:].isalnum() else "")
