"""Wrappers around answers: text around every answer of an arm that makes a scorer reject it.

An arm without a right answer may still know everything: it writes ``Answer: 4`` where ``4`` is
compared, or thinks in the open between tags of its own. Its bad score says nothing about the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product, takewhile

Unwrap = Callable[[str], str | None]
"""An answer without the text around it; None for an answer without such text."""

SHARED = 0.95  #: Share of answers that have to have a wrapper for it to be one.
_LEAST_MARKS = 2  # marks that a wrapper needs at least if it is equal in every answer
_MOST_CUT = 4  # words that wrapper and right answers may share
_WORD = re.compile(r"\w+")

_BLOCK = re.compile(r"\s*<([A-Za-z_]{1,30})>.*?</\1>\s*", re.DOTALL)
_FENCED = re.compile(r"```[a-z]{0,12}\n(.*?)```", re.DOTALL)
_LED = re.compile(
    r"\b(?:answer|result|output|label)(?: is)?\W{0,3}[:=]\W{0,3}", re.IGNORECASE
)


def _after_a_block(text: str) -> str | None:
    block = _BLOCK.match(text)
    return text[block.end() :] or None if block else None


def _in_a_fence(text: str) -> str | None:
    fence = _FENCED.search(text)
    return fence[1] if fence else None


def _after_a_lead(text: str) -> str | None:
    end = None
    for lead in _LED.finditer(text):
        end = lead.end()
    return None if end is None else text[end:].strip(" .*\n")


def _last_line(text: str) -> str | None:
    lines = text.strip().splitlines()
    return lines[-1].lstrip("# ") if len(lines) > 1 else None


_KINDS: dict[str, Unwrap] = {
    "a block between tags before it": _after_a_block,
    "a fence around it": _in_a_fence,
    "a lead before it, as “Answer:”": _after_a_lead,
    "other lines before it": _last_line,
}


def wrappers_of(texts: Sequence[str]) -> dict[str, Unwrap]:
    """Wrappers that nearly all answers have, each under its description."""
    around = _same_around(texts)
    kinds = {**around, **_KINDS}
    least = SHARED * len(texts)
    return {
        name: unwrap
        for name, unwrap in kinds.items()
        if sum(unwrap(text) is not None for text in texts) >= least
    }


def _same_around(texts: Sequence[str]) -> dict[str, Unwrap]:
    """Pairs of a beginning and an end that nearly all answers share, the longest first.

    Right answers may begin or end alike themselves, as in ``shelf 4``, so shorter pairs count, too.
    """
    longest = _shared_beginning(texts)
    led = [text[len(longest) :] for text in texts if text.startswith(longest)]
    last = _shared_beginning([text[::-1] for text in led])
    around: dict[str, Unwrap] = {}
    for before, after in product(_shorter(longest), _shorter(last)):
        if len(before.strip()) + len(after.strip()) >= _LEAST_MARKS:
            end = after[::-1]
            shown = f"“{before.strip()}…{end.strip()}” around it"
            around[shown] = partial(_without, before=before, after=end)
    return around


def _without(text: str, *, before: str, after: str) -> str | None:
    if not text.startswith(before):
        return None
    inner = text[len(before) :]
    if inner.endswith(after):
        return inner[: len(inner) - len(after)].strip()
    return None


def _shorter(text: str) -> list[str]:
    """A beginning, and the same with its last words removed one by one."""
    words = [match.start() for match in _WORD.finditer(text)]
    return [text, *(text[:start] for start in reversed(words[-_MOST_CUT:]))]


def _shared_beginning(texts: Sequence[str]) -> str:
    """The longest common beginning of nearly all texts, without a partial word at its end.

    In sorted order, texts with one beginning are next to each other, so the first and the last of a
    run show it.
    """
    ordered = sorted(texts)
    size = math.ceil(SHARED * len(ordered))
    pairs = zip(ordered, ordered[size - 1 :], strict=False)
    longest = max((_beginning(*pair) for pair in pairs), key=len, default="")
    return re.sub(r"\w+\Z", "", longest)


def _beginning(text: str, other: str) -> str:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False))
    return text[: sum(1 for _ in same)]
