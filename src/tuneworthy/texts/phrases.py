"""Phrases that could be anybody's, and which texts hold one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.domain.materials import Voice
from tuneworthy.texts.needle import Pattern
from tuneworthy.texts.search import Searcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_AVOIDED = 500
"""Further phrases of a team's own list are not looked for."""


def generic_phrases() -> tuple[str, ...]:
    """The list that ships with the package; its source and date stand at its head."""
    text = files("tuneworthy.texts").joinpath("generic_phrases.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))


class Phrases:
    """Generic phrases and those a team avoids.

    A generic phrase that the team's own samples use is part of its voice and not looked for; what
    it says it avoids always is. Straight and curly apostrophes are the same, and so are all spaces.

    Args:
        voice: The team's samples and what it avoids; None for the shipped list alone.
    """

    def __init__(self, voice: Voice | None) -> None:
        shipped = generic_phrases()
        avoided = tuple(each for each in (voice.avoid if voice else ()) if each.strip())
        if voice is not None:
            own = dict(_counts(shipped, voice.samples))
            shipped = tuple(phrase for phrase in shipped if phrase not in own)
        avoided = avoided[:MOST_AVOIDED]
        self.phrases = tuple(dict.fromkeys((*shipped, *avoided)))
        """All that is looked for."""
        self._searcher = _searcher(shipped, avoided)

    def any(self, texts: Sequence[str | None]) -> NDArray[np.bool_]:
        """Which texts hold at least one."""
        held = np.zeros(len(texts), dtype=bool)
        for flags in self._searcher.rows(texts).values():
            held |= flags
        return held

    def counts(self, texts: Sequence[str | None]) -> list[tuple[str, int]]:
        """Phrases that any text holds, with how many do; most frequent first."""
        held = np.flatnonzero(self.any(texts)).tolist()
        return _counts(self.phrases, [texts[row] or "" for row in held])


def _counts(phrases: Sequence[str], texts: Sequence[str]) -> list[tuple[str, int]]:
    """How many texts hold each phrase, one text at a time: for samples."""
    seen = Counter[str]()
    folded = [(phrase, _folded(phrase)) for phrase in phrases]
    for text in map(_folded, texts):
        for phrase, wanted in folded:
            if wanted in text and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text):
                seen[phrase] += 1
    return sorted(seen.items(), key=lambda each: (-each[1], each[0]))


def _folded(text: str) -> str:
    return " ".join(text.replace("’", "'").casefold().split())


@lru_cache(maxsize=4)
def _searcher(shipped: tuple[str, ...], avoided: tuple[str, ...]) -> Searcher:
    """The shipped phrases as one pattern, because most texts that hold one hold several.

    Kept, because compiling takes longer than looking through a few thousand texts.
    """
    patterns: dict[str, Pattern] = {}
    if shipped:
        each = "|".join(_expression(phrase) for phrase in shipped)
        patterns["shipped"] = Pattern(rf"\b(?:{each})\b", caseless=True)
    for k, phrase in enumerate(avoided):
        for name, text in (("a", phrase.replace("’", "'")), ("b", phrase.replace("'", "’"))):
            patterns[f"{k} {name}"] = Pattern(text, literal=True, word=True, caseless=True)
    return Searcher(patterns)


def _expression(phrase: str) -> str:
    """A shipped phrase, which is plain ASCII, as an expression."""
    words = [re.escape(word).replace("'", "(?:'|’)") for word in phrase.split()]
    return r"[ \t\r\n]{1,4}".join(words)
