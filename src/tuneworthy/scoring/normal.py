"""Texts made alike where their difference means nothing."""

from __future__ import annotations

import re
import unicodedata

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


def normal(text: str, *, punctuation: bool = False, articles: bool = False) -> str:
    """A text without differences of case, width, spacing and punctuation.

    Unicode is brought to its compatibility form (NFKC), capitals are folded, punctuation marks of
    any script become spaces and spaces are single. A point or comma between digits, a sign before
    a digit, ``%`` and signs of money stay: they change a number.

    Args:
        text: Any text.
        punctuation: Keep the marks.
        articles: Leave out the English articles too.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not punctuation:
        folded = "".join(
            " " if _is_mark(folded, place) else letter for place, letter in enumerate(folded)
        )
    if articles:
        folded = _ARTICLES.sub(" ", folded)
    return " ".join(folded.split())


def _is_mark(text: str, place: int) -> bool:
    letter = text[place]
    if letter.isalnum() or unicodedata.category(letter)[0] != "P" or letter == "%":
        return False
    before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
    if letter in ".,:" and before.isdigit() and after.isdigit():
        return False
    return not (letter in "-\u2010\u2212" and after.isdigit() and not before.isalnum())


def unfenced(text: str) -> str:
    """What stands in a fenced block that is the whole text; other texts as they are."""
    found = _FENCE.fullmatch(text) if "```" in text[:200] else None
    return found[1] if found else text
