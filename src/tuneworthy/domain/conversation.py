"""A conversation about a case: what was said, and what a model takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DropReason = Literal["unasked", "unquoted", "own_words", "unfit"]
"""Nothing that a conversation may set; no quotation of the person's words; a text that the person
didn't write; no answer to its question."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said."""

    words: str
    """By the person themselves, or by the model."""
    pasted: str = ""
    """What the person passed on of somebody else's; nothing rests on it."""
    model: bool = False
    """Whether the model said it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value for a field, with what the person said for it. It is nothing until confirmed."""

    path: str
    """Id of the question."""
    value: str
    """In the form in which it is given as an answer."""
    quote: str
    """Words of the person's."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A proposal that is not put to the person."""

    path: str
    reason: DropReason
    fix: str = ""
    """For one that doesn't fit: what would."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model's answer comes to."""

    reply: str = ""
    """What it says to the person, as it stands; empty where it says nothing."""
    proposals: tuple[Proposal, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    asks: str = ""
    """Id of the question it has put; empty where it is none that is open."""
    unreadable: bool = False
    """Whether the answer is broken; then nothing of it counts."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came back from a model."""

    text: str = ""
    lost: str = ""
    """Why this one gave nothing; the next may."""
    over: str = ""
    """Why no more can be asked."""
