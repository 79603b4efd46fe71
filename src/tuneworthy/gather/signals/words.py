"""Words, sentences and stems of English text, as the detectors of knowledge count them."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDINGS = ("ingly", "edly", "ing", "ied", "ies", "ed", "es", "ly", "s", "er")

_COMMON = (
    "a an the and or but if then so of in on at to for from by with as is are was were be been "
    "being it its this that these those he she they we you i me my your his her their our them us "
    "him do does did have has had not no n't nt can could will would should may might there here "
    "what which who whom whose when where why how than too very just also about into over after "
    "before up out off down all any some such only own same s t d ll m re ve"
)
_PERSONAL = "i me my mine we our us i'm i've i'd i'll im ive you your"

COMMON = frozenset(_COMMON.split())
"""Words that carry grammar rather than content."""

NEGATIONS = frozenset(("not", "no", "never", "none", "nothing", "neither", "nor", "cannot"))
"""Words that deny; a word that ends in ``n't`` does too."""

PERSONAL = frozenset(_PERSONAL.split())
"""Words by which a speaker talks about himself or to the other."""


def words(text: str) -> list[str]:
    """Words and numbers in lower case, split contractions joined; none for an empty text."""
    plain = text.lower().replace("’", "'").replace(" n't", "n't").replace(" 's", "'s")
    return _WORD.findall(plain)


def sentences(text: str) -> list[str]:
    """Sentences that hold a word: parts that end with a stop or a line; none for an empty text."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part.lower())]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its commonest endings, so that ``prices`` meets ``price``.

    Far cruder than Porter's (1980); numbers stay as they are.
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def stems(text: str) -> list[str]:
    """Stems of all words of a text, in order."""
    return [stem(word) for word in words(text)]


def denies(word: str) -> bool:
    """Whether a word is a negation."""
    return word in NEGATIONS or word.endswith("n't")
