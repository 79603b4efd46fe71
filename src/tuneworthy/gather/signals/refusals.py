"""Answers that decline: no fault of format, and no sign of a voice."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CANNOT = r"(?:can(?:no|['’])t|cannot|(?:am |['’]m )?(?:unable|not able) to|won['’]t|will not)"
_SORRY = r"(?:(?:i['’]m|i am) (?:very |so |truly )?sorry|sorry|unfortunately|i apologi[sz]e)"
_DO = r"(?:help|assist|comply|provide|answer|fulfil|discuss|share|create|generate|write|do that)"
_BEGINS = {"I": " '’", "i": " '’", "S": "Oo", "s": "Oo", "U": "Nn", "u": "Nn", "A": "Ss", "a": "Ss"}
"""Letters a refusal begins with, and what follows them; asking that first is quick."""
_MARKS = " \n{[\"'"  # often before a first word, mostly in JSON
_REFUSAL = re.compile(
    rf"\W*+(?:{_SORRY}[^.!?\n]{{0,60}}\b{_CANNOT}\b"
    rf"|i(?: |['’]m ){_CANNOT} (?:\w+ )?{_DO}\b|as an ai\b[^.!?\n]{{0,60}}\b{_CANNOT}\b)",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether a text opens with a refusal in English.

    It looks at the opening alone, by a closed list of wordings: a refusal in other words, in the
    middle of a text or in another language isn't seen.
    """
    return _may_refuse(text) and _REFUSAL.match(text, 0, 240) is not None


def _may_refuse(text: str) -> bool:
    first = text[:1]
    if first in _BEGINS:
        return text[1:2] in _BEGINS[first]
    if first.isalpha():
        return False
    begin = text[:16].lstrip(_MARKS)
    return not begin[:1].isalpha() or begin[1:2] in _BEGINS.get(begin[:1], "-")


_Seen = tuple[Sequence[str | None], tuple[bool, ...]]
_last: _Seen = ((), ())


def refused(texts: Sequence[str | None]) -> tuple[bool, ...]:
    """Which texts open with a refusal; None does not.

    The texts that were asked for last are remembered with the answer, because several signals look
    at the outputs of the same batch, one after the other. They must not be changed in between.
    """
    global _last  # noqa: PLW0603  # a memory of one, read and replaced as a whole
    known, found = _last
    if known is not texts:
        found = tuple([text is not None and refuses(text) for text in texts])
        _last = (texts, found)
    return found
