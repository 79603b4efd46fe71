"""A kind of personal or secret data: how it is written, and what proves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tuneworthy.texts.search import Pattern

Sort = Literal["personal", "secret"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of data looks like.

    Expressions are bounded in every repetition that could be tried again, so that no text makes
    them slow.
    """

    id: str
    """Its name, as ``card``."""
    sort: Sort
    """Whether it is about a person, or opens a door."""
    gate: Pattern
    """What every text with it matches: looked for in all texts at once."""
    exact: re.Pattern[str]
    """The thing itself; its last group, where it has one."""
    source: str
    """Who says that it looks so."""
    check: Callable[[str], bool] | None = None
    """What has to hold beyond the writing."""
    trim: Callable[[str], str] | None = None
    """Cuts off what the expression took too much of."""
    behind: re.Pattern[str] | None = None
    """What the characters in front of it have to end with."""
    digits: bool = False
    """Whether it has six digits in a row, spaces and signs aside: what has none isn't looked at."""


GAP = r"[a-z\n .:,;#=?!'\"()/-]{0,24}"
"""What may stand between a word for a number and the number, capitals or not."""

UPPER = "A-ZÀ-ÖØ-ÞŁŚŻŹĆŠČŘĐŽÅÄÖÆØ"
"""Capitals of the Latin alphabets, for a class."""


def kind(
    name: str,
    sort: Sort,
    *,
    gate: str,
    exact: str,
    source: str,
    check: Callable[[str], bool] | None = None,
    trim: Callable[[str], str] | None = None,
    caseless: bool = False,
    behind: str | None = None,
    digits: bool = False,
) -> Kind:
    """A kind from its expressions."""
    flags = re.IGNORECASE if caseless else 0
    return Kind(
        id=name,
        sort=sort,
        gate=Pattern(gate, caseless=caseless),
        exact=re.compile(exact, flags),
        source=source,
        check=check,
        trim=trim,
        behind=None if behind is None else re.compile(behind, flags),
        digits=digits,
    )


def alone(body: str) -> str:
    """An expression that no letter and no digit touches, and no other number goes on."""
    return rf"(?<![\w#])(?<!\d[.,/-])(?:{body})(?!\w)(?![.,/-]\d)"


def after(words: str, body: str) -> str:
    """An expression within 24 characters behind one of some words."""
    return rf"\b(?:{words})\b{GAP}({body})(?!\w)(?![.,/-]\d)"
