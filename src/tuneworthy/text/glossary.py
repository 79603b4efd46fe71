"""The words of a glossary, ready for searching a batch of texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuneworthy.model.base import Strings
from tuneworthy.model.case import Term, VoiceSamples
from tuneworthy.text.search import Pattern, Searcher

if TYPE_CHECKING:
    from tuneworthy.text.search import Flags, Texts

    Hits = Mapping[str, Flags]


class Glossary:
    """Searches for terms, for wrong words for them, and for words that call for them."""

    def __init__(self, terms: Sequence[Term]) -> None:
        # a blank term would match everywhere
        real = [term for term in terms if term.term.strip()]
        self._entries = tuple(_without_blank_words(term) for term in real)
        patterns: dict[str, Pattern] = {}
        #: For a wrong word within right terms, by the number of its term and its place.
        self._inside: dict[tuple[int, int], _WordInTerms] = {}
        for index, entry in enumerate(self._entries):
            words = {_right(index): entry.term}
            for place, word in enumerate(entry.forbidden):
                words[_wrong(index, place)] = word
                holders = _holders(word, self._entries)
                if holders:
                    terms_around = [self._entries[holder] for holder in holders]
                    is_outside = _outside(word, terms_around)
                    self._inside[index, place] = _WordInTerms(holders, is_outside)
            for place, word in enumerate(entry.due_when):
                words[_due(index, place)] = word
            for name, word in words.items():
                patterns[name] = _whole(word, caseless=not entry.case_sensitive)
        self._searcher = Searcher(patterns)

    def __len__(self) -> int:
        return len(self._entries)

    def right(self, index: int) -> str:
        """The right word of a term."""
        return self._entries[index].term

    def look(self, texts: Texts) -> Hits:
        """The words of the glossary in each text, for the methods below."""
        return self._searcher.rows(texts)

    def holds_right_word(self, hits: Hits, index: int) -> Flags:
        """Texts with the right word."""
        return hits[_right(index)]

    def called_for(self, hits: Hits, index: int) -> Flags:
        """Texts with the right word, a wrong word for it, or a word that calls for it."""
        entry = self._entries[index]
        names = [_right(index)]
        names += [_wrong(index, place) for place in range(len(entry.forbidden))]
        names += [_due(index, place) for place in range(len(entry.due_when))]
        called: Flags = np.any([hits[name] for name in names], axis=0)
        return called

    def wrong(self, hits: Hits, index: int, texts: Texts) -> list[tuple[str, Flags]]:
        """For each wrong word of a term, the texts with it.

        A wrong word may be part of another right term, as "plan" in "payment plan". A text counts
        only where it has the word outside of those.
        """
        by_word: list[tuple[str, Flags]] = []
        for place, word in enumerate(self._entries[index].forbidden):
            has_word = hits[_wrong(index, place)]
            inside = self._inside.get((index, place))
            if inside is not None:
                has_word = has_word.copy()
                terms = [self.holds_right_word(hits, h) for h in inside.holders]
                has_term = np.any(terms, axis=0)
                # only texts with such a term have to be searched once more
                for row in np.flatnonzero(has_word & has_term).tolist():
                    has_word[row] = inside.is_outside(texts[row] or "")
            by_word.append((word, has_word))
        return by_word


class _WordInTerms(NamedTuple):
    """A wrong word that is part of right terms."""

    holders: tuple[int, ...]  #: The numbers of these terms.
    is_outside: Callable[[str], bool]  #: Whether a text has the word outside of them.


def _right(index: int) -> str:
    """The name of the pattern for the right word of a term."""
    return f"{index} right"


def _wrong(index: int, place: int) -> str:
    """The name of the pattern for a wrong word of a term."""
    return f"{index} wrong {place}"


def _due(index: int, place: int) -> str:
    """The name of the pattern for a word that calls for a term."""
    return f"{index} due {place}"


def _without_blank_words(term: Term) -> Term:
    """A term without blank words, which would match everywhere."""
    words = {
        "term": " ".join(term.term.split()),
        "forbidden": tuple(word for word in term.forbidden if word.strip()),
        "due_when": tuple(word for word in term.due_when if word.strip()),
    }
    return term.model_copy(update=words)


def _whole(text: str, *, caseless: bool = True) -> Pattern:
    return Pattern(text, literal=True, word=True, caseless=caseless)


def _holders(word: str, entries: Sequence[Term]) -> tuple[int, ...]:
    """The numbers of the terms that contain a wrong word, and aren't that word themselves."""
    exact = _word(word)
    folded = " ".join(word.split()).casefold()
    holders: list[int] = []
    for index, entry in enumerate(entries):
        contains = re.search(exact, entry.term, re.IGNORECASE) is not None
        if contains and entry.term.casefold() != folded:
            holders.append(index)
    return tuple(holders)


def _outside(word: str, holders: Sequence[Term]) -> Callable[[str], bool]:
    """A test whether a text has a word outside the terms that contain it."""
    # Longer terms first, as the first alternative that fits is taken.
    terms = sorted((_word(term.term) for term in holders), key=len, reverse=True)
    # A match of a term swallows the word in it, and only a match of the word alone has its group.
    pattern = re.compile(
        f"(?:{'|'.join(terms)})|(?P<alone>{_word(word)})", re.IGNORECASE
    )

    def is_outside(text: str) -> bool:
        return any(match["alone"] is not None for match in pattern.finditer(text))

    return is_outside


def _word(text: str) -> str:
    """An expression for one or several whole words; any space matches any other."""
    words = r"\s{1,4}".join(re.escape(word) for word in text.split())
    bare = text.strip()
    # A sign at its end, as in C++, has no boundary.
    front = r"(?<!\w)" if bare[:1].isalnum() else ""
    behind = r"(?!\w)" if bare[-1:].isalnum() else ""
    return front + words + behind


MOST_AVOIDED = 500  #: Further phrases of a team's own list are not looked for.


def generic_phrases() -> Strings:
    """The shipped list; its source and date are at its head."""
    text = files("tuneworthy.text").joinpath("generic_phrases.txt").read_text("utf-8")
    filled = [line for line in text.splitlines() if line.strip()]
    return tuple(line for line in filled if not line.startswith("#"))


class Phrases:
    """Generic phrases, and phrases that a team avoids.

    A generic phrase in the team's own samples is part of its voice, and isn't searched for. A
    phrase that the team avoids always is. Straight and curly apostrophes are equal, and so are all
    spaces.
    """

    def __init__(self, voice: VoiceSamples | None) -> None:
        generic = generic_phrases()
        avoided: Strings = ()
        if voice is not None:
            own = {phrase for phrase, _ in _counts(generic, voice.samples)}
            generic = tuple(phrase for phrase in generic if phrase not in own)
            real = [phrase for phrase in voice.avoid if phrase.strip()]
            avoided = tuple(real[:MOST_AVOIDED])
        #: All that is looked for, in this order; a phrase of both lists is there once.
        self.phrases = tuple(dict.fromkeys((*generic, *avoided)))
        self._searcher = _searcher(generic, avoided)

    def any(self, texts: Texts) -> Flags:
        """Which texts hold at least one."""
        # Without phrases there are no rows, and then no text holds one.
        none = np.zeros(len(texts), dtype=bool)
        by_phrase = self._searcher.rows(texts).values()
        any_held: Flags = np.any([none, *by_phrase], axis=0)
        return any_held

    def counts(self, texts: Texts) -> list[tuple[str, int]]:
        """Phrases in any of the texts, with the number of texts; the most frequent first."""
        # Only texts with any phrase are searched for each of them.
        rows = np.flatnonzero(self.any(texts)).tolist()
        return _counts(self.phrases, [texts[row] or "" for row in rows])


def _counts(phrases: Sequence[str], texts: Sequence[str]) -> list[tuple[str, int]]:
    """The number of texts with each phrase, one text at a time; the most frequent first."""
    texts_with = Counter[str]()
    folded_phrases = [(phrase, _fold_case(phrase)) for phrase in phrases]
    for text in map(_fold_case, texts):
        for phrase, folded in folded_phrases:
            # The plain search saves the other one for most phrases.
            if folded in text and re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", text):
                texts_with[phrase] += 1
    return sorted(texts_with.items(), key=lambda pair: (-pair[1], pair[0]))


def _fold_case(text: str) -> str:
    """A text in small letters, with straight apostrophes and single spaces."""
    return " ".join(text.replace("’", "'").casefold().split())


@lru_cache(maxsize=4)
def _searcher(generic: Strings, avoided: Strings) -> Searcher:
    """The generic phrases as one pattern, as most texts with one of them have several.

    It is remembered because compiling takes longer than searching a few thousand texts.
    """
    patterns: dict[str, Pattern] = {}
    if generic:
        alternatives = "|".join(_expression(phrase) for phrase in generic)
        patterns["generic"] = Pattern(rf"\b(?:{alternatives})\b", caseless=True)
    for number, phrase in enumerate(avoided):
        patterns[f"{number} straight"] = _whole(phrase.replace("’", "'"))
        patterns[f"{number} curly"] = _whole(phrase.replace("'", "’"))
    return Searcher(patterns, shipped=not avoided)


def _expression(phrase: str) -> str:
    """The expression for a phrase with any apostrophe and any spaces."""
    words = [re.escape(word).replace("'", "(?:'|’)") for word in phrase.split()]
    return r"[ \t\r\n]{1,4}".join(words)
