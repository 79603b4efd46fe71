"""Hiding personal and secret data in what a report or the ledger shows.

What is hidden gives way to the word for what it was, as ``[email]``: no letter and no length stays,
so nobody can find it again. More is hidden than is counted: every long number and every long run of
letters and digits too, and every name the recogniser sees. It hides what it knows; a name that the
recogniser misses stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.gather.personal.patterns import spans
from tuneworthy.gather.personal.recogniser import persons

_NUMBER = re.compile(r"\d(?:[ ./()-]?\d){4,40}+")
_TOKEN = re.compile(r"(?<![\w+/=-])(?=[\w+/=-]{0,400}?\d)[\w+/=-]{20,}+")
_LABELS = {"phone_us": "phone", "phone_national": "phone", "phone_said": "phone"}
_LABELS |= {"street_in_front": "street", "street_joined": "street", "post_box": "street"}
_PASSES = 8
_REACH = 4000  # characters looked at on either side of an excerpt, more than any span is long


class _Hidden(NamedTuple):
    start: int
    end: int
    label: str


def mask(text: str) -> str:
    """A text with what is personal or secret replaced by words for it.

    Masking twice changes nothing more. Meant for samples: it takes some passes over the text.
    """
    while True:
        hidden = tuple(_hidden(text))
        if not hidden:
            return text
        # Every pass takes something away that no label holds, so there is a last one.
        text = "".join(_pieces(text, hidden, 0, len(text)))


class Masker:
    """Masks several texts that belong together: the same value gets the same word in all of them.

    The first e-mail address is ``[email]``, another one ``[email 2]``, and so on, so that a text
    still says which is which. A new masker for every case: nothing can be followed across cases.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was hidden so far, each kind once."""
        return tuple(self._counts)

    def seen(self) -> int:
        """How many different values were hidden so far."""
        return len(self._numbers)

    def __call__(self, text: str) -> str:
        """The text with words for what is personal or secret; ``mask`` changes nothing more."""
        for _ in range(_PASSES):
            hidden = [
                one._replace(label=self._label(one.label, text[one.start : one.end]))
                for one in _hidden(text)
            ]
            if not hidden:
                return text
            text = "".join(_pieces(text, tuple(hidden), 0, len(text)))
        return mask(text)  # words without numbers always come to an end

    def _label(self, label: str, value: str) -> str:
        key = label, " ".join(value.casefold().split())
        if key not in self._numbers:
            self._counts[label] = self._counts.get(label, 0) + 1
            self._numbers[key] = self._counts[label]
        number = self._numbers[key]
        return label if number == 1 else f"{label} {number}"


def without_secrets(name: str) -> str:
    """A name of a prompt or a model without keys, tokens and addresses; its numbers stay.

    A prompt without a name is called by its text in some tools. Of a long text the beginning is
    given back, as no more of it was looked at.
    """
    near = name[:_REACH]
    hidden = tuple(
        _Hidden(one.start, one.end, _label(one.kind, one.sort))
        for one in sorted(spans(near), key=lambda span: span.start)
        if one.sort == "secret" or one.kind == "email"
    )
    return "".join(_pieces(near, hidden, 0, len(near)))


def excerpt(text: str, start: int, end: int, *, around: int = 60) -> str:
    """A masked piece of a text on one line, without any part of what it cuts through.

    Args:
        text: The whole text, however long.
        start: Where the piece begins that it is about.
        end: Where that ends.
        around: Characters shown before and behind.
    """
    low, high = max(0, start - around), min(len(text), end + around)
    offset = max(0, low - _REACH)
    near = text[offset : high + _REACH]
    pieces = "".join(_pieces(near, tuple(_hidden(near)), low - offset, high - offset))
    shown = mask(" ".join(pieces.split()))
    return ("… " if low else "") + shown + (" …" if high < len(text) else "")


def _pieces(text: str, hidden: tuple[_Hidden, ...], low: int, high: int) -> Iterator[str]:
    """Pieces of a text from one place to another, with labels for what is hidden."""
    at = low
    for start, end, label in hidden:
        if end <= low or start >= high:
            continue
        yield text[at:start]
        yield f"[{label}]"
        at = max(at, end)
    yield text[at:high]


def _hidden(text: str) -> Iterator[_Hidden]:
    """What is to be hidden, in the order of the text, without overlap."""
    found = [_Hidden(s.start, s.end, _label(s.kind, s.sort)) for s in spans(text)]
    found += [_Hidden(name.start, name.end, "name") for name in persons(text)]
    found += [_Hidden(*match.span(), "number") for match in _NUMBER.finditer(text)]
    found += [_Hidden(*match.span(), "token") for match in _TOKEN.finditer(text)]
    at = 0
    for each in sorted(found, key=lambda hidden: (hidden.start, -hidden.end)):
        if each.end <= at:
            continue
        yield each if each.start >= at else each._replace(start=at)
        at = each.end


def _label(kind: str, sort: str) -> str:
    return "secret" if sort == "secret" else _LABELS.get(kind, kind)
