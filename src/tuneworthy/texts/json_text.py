"""JSON as models write it: bare, or in one fenced block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import MsgspecError
from msgspec.json import Decoder

from tuneworthy.texts.joined import SPACES, joined
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

_decode = Decoder().decode
_NO_JSON = (MsgspecError, RecursionError, UnicodeError, ValueError)
_FENCED = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_LOOKS = re.compile(r"\s*(?:```[\w-]*\s*)?(?:\{|\[\s*[\[{\"\]])")
_BEGINS = frozenset('{["-0123456789tfn`')
_LOOKS_FROM = frozenset("{[`")
_MAY_BEGIN = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _BEGINS])
_MAY_LOOK = SPACES | np.isin(np.arange(256), [ord(sign) for sign in _LOOKS_FROM])
_BLOCK = re.compile(r"```json\b|```\s*\{")


class _Unread:
    """What a text gives that isn't JSON; JSON has a null of its own."""


UNREAD: Final = _Unread()
"""Stands for a text that can't be read as JSON."""


def read_json(text: str) -> tuple[Any, bool]:
    """The value a text holds, whole or as the content of one fenced block and nothing else.

    Args:
        text: Any text. Hostile ones are fine: what is too deep, or no Unicode, can't be read.

    Returns:
        The value, or ``UNREAD``; and whether it stood in a fenced block.
    """
    if not may_be_json(text):
        return UNREAD, False
    value = _decoded(text)
    if value is UNREAD and "```" in text[:200] and (found := _FENCED.fullmatch(text)):
        return _decoded(found[1]), True
    return value, False


def read_rows(texts: Sequence[str | None]) -> Iterator[tuple[int, Any, bool]]:
    """What ``read_json`` gives for those texts that it can read, one at a time with its place."""
    read = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(_MAY_BEGIN[joined(texts).first]).tolist():
        text = texts[row] or ""
        try:
            value, fenced = _decode(text), False
        except _NO_JSON:
            value, fenced = read_json(text)
            if value is UNREAD:
                continue
        read[row] = True
        yield row, value, fenced
    readable.note(texts, read)


@remembered(1)
def readable(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts ``read_json`` can read; None isn't one."""
    read = np.zeros(len(texts), dtype=bool)
    read[[row for row, _, _ in read_rows(texts)]] = True
    return read


def looking(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which texts ``looks_like_json`` says yes of; None isn't one."""
    whole = joined(texts)
    found: NDArray[np.bool_] = whole.first == ord("{")
    perhaps = _MAY_LOOK[whole.first] | whole.holding(b"```")
    for row in np.flatnonzero(perhaps & ~found).tolist():
        found[row] = looks_like_json(texts[row] or "")
    return found


def may_be_json(text: str) -> bool:
    """Whether a text begins as JSON or a fenced block may; asking first is quick."""
    first = text[:1]
    return first in _BEGINS or (first.isspace() and text.lstrip()[:1] in _BEGINS)


def looks_like_json(text: str) -> bool:
    """Whether a text means to be a JSON object or list, or carries one in a fenced block.

    A plain number or word is JSON too, and yet no sign of a structure.
    """
    first = text[:1]
    if (first in _LOOKS_FROM or first.isspace()) and _LOOKS.match(text):
        return True
    return "```" in text and _BLOCK.search(text) is not None


def _decoded(text: str) -> Any:
    try:
        return _decode(text)
    except _NO_JSON:
        return UNREAD
