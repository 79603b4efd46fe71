"""A model's answer sifted: what rests on the person's own words is put to them, nothing else."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tuneworthy.domain.conversation import Dropped, DropReason, Heard, Proposal, Turn
from tuneworthy.domain.errors import CaseError, one_line
from tuneworthy.domain.interview import Ask

MOST_PROPOSALS = 12
"""Proposals of an answer that are looked at; nobody says more in a sentence or two."""
_FEWEST_WORDS = 3  # a shorter quotation stands in many a sentence, so it counts for the last alone
_LONGEST_PATH, _LONGEST_VALUE, _LONGEST_QUOTE = 100, 4000, 1000
_PLAIN = str.maketrans(dict(zip("\u2019\u2018\u201c\u201d", "''\"\"", strict=True)))
_AROUND = " \t\n\"'`.,;:!?…"

Fits = Callable[[str, str], object]
"""Told an id and an answer; raises CaseError where that is none."""


def heard(
    text: str, *, asks: Mapping[str, Ask], opened: Collection[str], said: Sequence[Turn],
    fits: Fits, framework_path: Callable[[str], str],
) -> Heard:  # fmt: skip
    """What a model's answer comes to.

    Args:
        text: The answer, whatever it is.
        asks: What may be set by talking, by id.
        opened: Ids of what is open.
        said: All that was said; only the person's own words count.
        fits: Says whether a value is an answer.
        framework_path: The whole id for one that may be short.

    Returns:
        At most 12 proposals are looked at. An answer that is no JSON is a reply without proposals,
        unless it means to be some and is broken.
    """
    told = _mapping(text)
    if told is None:
        broken = text.lstrip().startswith(("{", "[", "```"))
        return Heard(reply="" if broken else text.strip(), unreadable=broken)
    reply, given = told.get("reply"), told.get("proposals")
    sifted = _Sieve(asks, [turn.words for turn in said if not turn.model], fits)
    for one in (given if isinstance(given, list) else [])[:MOST_PROPOSALS]:
        if isinstance(one, dict):
            sifted.take(one, framework_path)
    following = told.get("next")
    asked = framework_path(following[:_LONGEST_PATH]) if isinstance(following, str) else ""
    return Heard(
        reply=reply.strip() if isinstance(reply, str) else "",
        proposals=tuple(sifted.proposals.values()), dropped=tuple(sifted.dropped),
        asks=asked if asked in opened else "",
    )  # fmt: skip


class _Sieve:
    """Takes proposals one by one."""

    def __init__(self, asks: Mapping[str, Ask], words: Sequence[str], fits: Fits) -> None:
        self._asks, self._fits = asks, fits
        self._words = [folded(each) for each in words]
        self.proposals: dict[str, Proposal] = {}
        self.dropped: list[Dropped] = []

    def take(self, one: Mapping[str, Any], framework_path: Callable[[str], str]) -> None:
        """Keep a proposal, or note why not; one that says what stands already says nothing."""
        path = framework_path(_spoken(one.get("path"))[:_LONGEST_PATH])
        value, quote = _spoken(one.get("value")), _spoken(one.get("quote"))
        ask = self._asks.get(path)
        if ask is not None and (value == ask.value or path in self.proposals):
            return
        reason, fix = self._wrong(ask, value, quote)
        if reason is not None:
            self.dropped.append(Dropped(path, reason, fix))
        else:
            self.proposals[path] = Proposal(path, value, quote)

    def _wrong(self, ask: Ask | None, value: str, quote: str) -> tuple[DropReason | None, str]:
        if ask is None:
            return "unasked", ""
        if not self._quoted(quote):
            return "unquoted", ""
        if ask.kind == "text" and not self._own(ask, value):
            return "own_words", ""
        try:
            if len(value) > _LONGEST_VALUE:
                return "unfit", "keep it short"
            self._fits(ask.id, value)
        except CaseError as caught:
            return "unfit", caught.fix
        return None, ""

    def _quoted(self, quote: str) -> bool:
        """Whether the person wrote these words, one after the other."""
        piece = folded(quote).strip(_AROUND)
        if len(quote) > _LONGEST_QUOTE or not any(sign.isalnum() for sign in piece):
            return False
        short = len(piece.split()) < _FEWEST_WORDS
        return any(_holds(words, piece) for words in (self._words[-1:] if short else self._words))

    def _own(self, ask: Ask, value: str) -> bool:
        """Whether a text is the person's, word for word: nothing a model wrote gets into a case."""
        pieces = value.split(",") if ask.id.endswith(".models") else [value]
        told = [folded(piece) for piece in pieces if piece.strip()]
        return bool(told) and all(any(_holds(w, piece) for w in self._words) for piece in told)


def folded(text: str) -> str:
    """A text in which blanks, apostrophes and quotation marks are all of one kind."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_PLAIN)).split())


def _holds(words: str, piece: str) -> bool:
    """Whether whole words of a text are these."""
    if not piece:
        return False
    before = r"(?<!\w)" if piece[0].isalnum() else ""
    after = r"(?!\w)" if piece[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(piece)}{after}", words) is not None


def _spoken(value: Any) -> str:
    """A value as a person would type it; a text with visible escapes on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)[:40]
    if isinstance(value, list):
        return ", ".join(_spoken(one) for one in value[:50] if not isinstance(one, list))
    if not isinstance(value, str):
        return ""
    return one_line(" ".join(value[: _LONGEST_VALUE * 2].split()), limit=_LONGEST_VALUE * 2)


def _mapping(text: str) -> dict[str, Any] | None:
    """The object in an answer: alone, in a fenced block, or with talk around it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1]) if 0 <= begin < end else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
