"""Answers that decline: no fault of format, and no sign of a voice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.texts.joined import joined
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


_OPENING = 18  # bytes in which a first word begins, if a refusal may stand there at all
_ALPHABETIC = np.array([chr(byte).isalpha() and byte < 0x80 for byte in range(256)])
_IS_MARK = np.array([chr(byte) in _MARKS for byte in range(256)])
_IN_PAIR = np.zeros((256, 256), dtype=bool)
for _one, _other in ((ord(one), other.encode()) for one in _BEGINS for other in _BEGINS[one]):
    _IN_PAIR[_one, _other[0]] = True


@remembered(1)
def refused(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts open with a refusal; None does not."""
    found = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(_perhaps(texts)).tolist():
        found[row] = refuses(texts[row] or "")
    return found


def _perhaps(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Texts that begin, behind marks, as a refusal may; most that are none are left out."""
    whole = joined(texts)
    opening = whole.opening(_OPENING)
    at = np.argmin(_IS_MARK[opening], axis=1)  # 0 where there are nothing but marks
    rows = np.arange(len(whole))
    first, second = opening[rows, at], opening[rows, np.minimum(at + 1, _OPENING - 1)]
    unlike = _ALPHABETIC[first] & ~_IN_PAIR[first, second] & (at < _OPENING - 4)
    perhaps: NDArray[np.bool_] = ~unlike & (whole.lengths > 0)
    return perhaps
