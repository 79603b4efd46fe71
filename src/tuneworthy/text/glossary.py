"""The words of a glossary, ready for searching a batch of texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

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
        self._entries = tuple(
            _without_blank_words(term) for term in terms if term.term.strip()
        )
        patterns: dict[str, Pattern] = {}
        for index, entry in enumerate(self._entries):
            named = (
                ("right", (entry.term,)),
                ("wrong", entry.forbidden),
                ("due", entry.due_when),
            )
            for kind, words in named:
                for k, word in enumerate(words):
                    whole = _whole(word, caseless=not entry.case_sensitive)
                    patterns[f"{index} {kind} {k}"] = whole
        self._searcher = Searcher(patterns)
        # for a wrong word within right terms: these terms, and a test for the word outside of them
        self._inside: dict[
            tuple[int, int], tuple[tuple[int, ...], Callable[[str], bool]]
        ] = {}
        for index, entry in enumerate(self._entries):
            for k, word in enumerate(entry.forbidden):
                holders = _holders(word, self._entries)
                if holders:
                    terms = [self._entries[holder] for holder in holders]
                    self._inside[index, k] = (holders, _outside(word, terms))

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
        return hits[f"{index} right 0"]

    def called_for(self, hits: Hits, index: int) -> Flags:
        """Texts with the right word, a wrong word for it, or a word that calls for it."""
        entry = self._entries[index]
        kinds = (("wrong", entry.forbidden), ("due", entry.due_when))
        named = [
            f"{index} {kind} {k}" for kind, words in kinds for k in range(len(words))
        ]
        held: Flags = np.any(
            [self.holds_right_word(hits, index), *(hits[name] for name in named)],
            axis=0,
        )
        return held

    def wrong(self, hits: Hits, index: int, texts: Texts) -> list[tuple[str, Flags]]:
        """For each wrong word of a term, the texts with it.

        A wrong word may be part of another right term, as "plan" in "payment plan". A text counts
        only where it has the word outside of those.
        """
        by_word = []
        for place, word in enumerate(self._entries[index].forbidden):
            flags = hits[f"{index} wrong {place}"]
            if (index, place) in self._inside:
                holders, is_outside = self._inside[index, place]
                flags = flags.copy()
                held = [self.holds_right_word(hits, holder) for holder in holders]
                # only texts with such a term have to be searched once more
                for row in np.flatnonzero(flags & np.any(held, axis=0)).tolist():
                    flags[row] = is_outside(texts[row] or "")
            by_word.append((word, flags))
        return by_word


def _without_blank_words(term: Term) -> Term:
    """A term without blank words."""
    words = {
        "term": " ".join(term.term.split()),
        "forbidden": tuple(word for word in term.forbidden if word.strip()),
        "due_when": tuple(word for word in term.due_when if word.strip()),
    }
    return term.model_copy(update=words)


def _whole(text: str, *, caseless: bool = True) -> Pattern:
    return Pattern(text, literal=True, word=True, caseless=caseless)


def _holders(word: str, entries: Sequence[Term]) -> tuple[int, ...]:
    """Terms that contain a wrong word."""
    exact = _word(word)
    return tuple(
        index
        for index, entry in enumerate(entries)
        if re.search(exact, entry.term, re.IGNORECASE)
        and entry.term.casefold() != " ".join(word.split()).casefold()
    )


def _outside(word: str, holders: Sequence[Term]) -> Callable[[str], bool]:
    """A test whether a text has a word outside the terms that contain it."""
    terms = sorted((_word(term.term) for term in holders), key=len, reverse=True)
    pattern = re.compile(f"(?:{'|'.join(terms)})|({_word(word)})", re.IGNORECASE)
    return lambda text: any(match[1] is not None for match in pattern.finditer(text))


def _word(text: str) -> str:
    """An expression for one or several whole words; any space matches any other."""
    words = r"\s{1,4}".join(re.escape(word) for word in text.split())
    front = r"(?<!\w)" if text.strip()[:1].isalnum() else ""
    return front + words + (r"(?!\w)" if text.strip()[-1:].isalnum() else "")


MOST_AVOIDED = 500  #: Further phrases of a team's own list are not looked for.


def generic_phrases() -> Strings:
    """The shipped list; its source and date are at its head."""
    text = files("tuneworthy.text").joinpath("generic_phrases.txt").read_text("utf-8")
    return tuple(
        line for line in text.splitlines() if line.strip() and not line.startswith("#")
    )


class Phrases:
    """Generic phrases, and phrases that a team avoids.

    A generic phrase in the team's own samples is part of its voice, and isn't searched for. A
    phrase that the team avoids always is. Straight and curly apostrophes are equal, and so are all
    spaces.
    """

    def __init__(self, voice: VoiceSamples | None) -> None:
        shipped = generic_phrases()
        avoided = tuple(
            phrase for phrase in (voice.avoid if voice else ()) if phrase.strip()
        )
        if voice is not None:
            own = dict(_counts(shipped, voice.samples))
            shipped = tuple(phrase for phrase in shipped if phrase not in own)
        avoided = avoided[:MOST_AVOIDED]
        #: All that is looked for.
        self.phrases = tuple(dict.fromkeys((*shipped, *avoided)))
        self._searcher = _searcher(shipped, avoided)

    def any(self, texts: Texts) -> Flags:
        """Which texts hold at least one."""
        held = [np.zeros(len(texts), dtype=bool), *self._searcher.rows(texts).values()]
        any_held: Flags = np.any(held, axis=0)
        return any_held

    def counts(self, texts: Texts) -> list[tuple[str, int]]:
        """Phrases in any of the texts, with the number of texts; the most frequent first."""
        held = np.flatnonzero(self.any(texts)).tolist()
        return _counts(self.phrases, [texts[row] or "" for row in held])


def _counts(phrases: Sequence[str], texts: Sequence[str]) -> list[tuple[str, int]]:
    """The number of texts with each phrase, one text at a time, for samples."""
    seen = Counter[str]()
    folded = [(phrase, _fold_case(phrase)) for phrase in phrases]
    for text in map(_fold_case, texts):
        for phrase, wanted in folded:
            if wanted in text and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text):
                seen[phrase] += 1
    return sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))


def _fold_case(text: str) -> str:
    return " ".join(text.replace("’", "'").casefold().split())


@lru_cache(maxsize=4)
def _searcher(shipped: Strings, avoided: Strings) -> Searcher:
    """The shipped phrases as one pattern, as most texts with one of them have several.

    It is remembered because compiling takes longer than searching a few thousand texts.
    """
    patterns: dict[str, Pattern] = {}
    if shipped:
        shipped_phrases = "|".join(_expression(phrase) for phrase in shipped)
        patterns["shipped"] = Pattern(rf"\b(?:{shipped_phrases})\b", caseless=True)
    for k, phrase in enumerate(avoided):
        for name, text in (
            ("a", phrase.replace("’", "'")),
            ("b", phrase.replace("'", "’")),
        ):
            patterns[f"{k} {name}"] = _whole(text)
    return Searcher(patterns, shipped=not avoided)


def _expression(phrase: str) -> str:
    words = [re.escape(word).replace("'", "(?:'|’)") for word in phrase.split()]
    return r"[ \t\r\n]{1,4}".join(words)
