"""Wrappers around answers: text around every answer of an arm that makes a scorer reject it.

An arm without a right answer may still know everything: it writes ``Answer: 4`` where ``4`` is
compared, or thinks in the open between tags of its own. Its bad score says nothing about the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

Unwrap = Callable[[str], str | None]
"""An answer without the text around it; None for an answer without such text."""

SHARED = 0.95  #: Share of answers that have to have a wrapper for it to be one.
# characters that a wrapper needs at least if it is equal in every answer
_LEAST_MARKS = 2

_MOST_CUT = 4  # words that wrapper and right answers may share
_WORD = re.compile(r"\w+")

_BLOCK = re.compile(r"\s*<([A-Za-z_]{1,30})>.*?</\1>\s*", re.DOTALL)
_FENCED = re.compile(r"```[a-z]{0,12}\n(.*?)```", re.DOTALL)
_LED = re.compile(
    r"\b(?:answer|result|output|label)(?: is)?\W{0,3}[:=]\W{0,3}", re.IGNORECASE
)


def _after_a_block(text: str) -> str | None:
    block = _BLOCK.match(text)
    if block is None or block.end() == len(text):
        return None
    return text[block.end() :]


def _in_a_fence(text: str) -> str | None:
    fence = _FENCED.search(text)
    return fence[1] if fence else None


def _after_a_lead(text: str) -> str | None:
    leads = list(_LED.finditer(text))
    if not leads:
        return None
    last = leads[-1]  # a model may write its thoughts with such words before it answers
    return text[last.end() :].strip(" .*\n")


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
    """Return the wrappers that nearly all answers have, each under its description."""
    least = SHARED * len(texts)
    shared = dict[str, Unwrap]()
    for name, unwrap in {**_same_around(texts), **_KINDS}.items():
        wrapped = [text for text in texts if unwrap(text) is not None]
        if len(wrapped) >= least:
            shared[name] = unwrap
    return shared


def _same_around(texts: Sequence[str]) -> dict[str, Unwrap]:
    """Return pairs of a beginning and an end that nearly all answers share, the longest first.

    Right answers may begin or end alike themselves, as in ``shelf 4``, so shorter pairs count, too.
    """
    longest = _shared_beginning(texts)
    bare = [text[len(longest) :] for text in texts if text.startswith(longest)]
    # the end of a text is the beginning of its reverse
    reversed_end = _shared_beginning([text[::-1] for text in bare])
    around: dict[str, Unwrap] = {}
    for before, reversed_after in product(_shorter(longest), _shorter(reversed_end)):
        after = reversed_after[::-1]
        if len(before.strip()) + len(after.strip()) >= _LEAST_MARKS:
            name = f"“{before.strip()}…{after.strip()}” around it"
            around[name] = partial(_without, before=before, after=after)
    return around


def _without(text: str, *, before: str, after: str) -> str | None:
    """Return a text without its beginning and its end; None where it lacks one of them."""
    if not text.startswith(before):
        return None
    inner = text[len(before) :]
    if inner.endswith(after):
        return inner[: len(inner) - len(after)].strip()
    return None


def _shorter(text: str) -> list[str]:
    """Return a text, and the same with its last words removed one by one."""
    word_starts = [match.start() for match in _WORD.finditer(text)]
    last_starts = word_starts[-_MOST_CUT:]
    return [text, *(text[:start] for start in reversed(last_starts))]


def _shared_beginning(texts: Sequence[str]) -> str:
    """Return the longest common beginning of nearly all texts, without a partial word at its end.

    In sorted order, texts with one beginning are next to each other, so the first and the last of a
    run show it.
    """
    ordered = sorted(texts)
    size = math.ceil(SHARED * len(ordered))
    longest = ""
    # each run of as many texts as are nearly all: its first text with its last
    for first, last in zip(ordered, ordered[size - 1 :], strict=False):
        beginning = _common_beginning(first, last)
        if len(beginning) > len(longest):
            longest = beginning
    return re.sub(r"\w+\Z", "", longest)


def _common_beginning(text: str, other: str) -> str:
    shared = 0
    for mine, theirs in zip(text, other, strict=False):
        if mine != theirs:
            break
        shared += 1
    return text[:shared]
