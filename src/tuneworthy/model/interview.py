"""What an interview asks, how a case stands meanwhile, and what an answer came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuneworthy.model.base import LateRecord, Record
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Action, ChallengeResult, Dossier, Verdict
from tuneworthy.model.framework import Outcome

# What an interview asks, how a case stands meanwhile, and what an answer came to.

Part = Literal["evaluate", "options", "investment"]
"""The lesson's three conversations."""

PARTS: tuple[Part, ...] = ("evaluate", "options", "investment")

AskKind = Literal["state", "count", "number", "amount", "choice", "choices", "text"]
"""A yes, no or unknown; how many (for a check also yes or no); a number; a number or a range of
them; one of some; several of some, the first first; a line of text."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that may be chosen."""

    id: str
    title: str
    says: str = ""
    """What it stands for, in everyday words."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, with all that a surface needs to put it."""

    id: str
    """Dotted path into the case; places in lists count from 1, as in ``attempts.1.name``."""
    part: Part
    kind: AskKind
    title: str
    question: str
    example: str = ""
    why: str = ""
    choices: tuple[Choice, ...] = ()
    minutes: int = 1
    """Minutes it takes to find the answer out."""
    gain_bits: float | None = None
    """Doubt about the verdict that the answer removes; None where it can't change it."""
    value: str = ""
    """What stands there now, in a form in which it can be given again; empty for nothing."""
    left: int = 1
    """How many questions of this round are open, this one counted; a guess, since answers open
    and close others."""

    @property
    def path(self) -> str:
        """The same as ``id``."""
        return self.id


@dataclass(frozen=True, slots=True)
class OpenPart:
    """A part in which something is still worth knowing."""

    part: Part
    open: int
    """Questions of it that are open and were not passed."""
    minutes: int
    """Minutes it takes to find all of their answers out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is shown while a verdict forms."""

    outcome: Verdict
    leaning: Outcome
    final: bool
    """Whether no open answer can change it."""
    possible: tuple[tuple[Outcome, float], ...]
    """Outcomes that are still possible, with their share at even odds, the largest first."""
    open: int
    """Checks and factors without an answer."""
    matter: int
    """How many of those can still change the verdict."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Something that doesn't fit together since an answer was given."""

    challenge: ChallengeResult
    others: tuple[str, ...]
    """Ids of the questions on its other side; empty where it speaks of one answer alone."""
    recordable: bool
    """Whether keeping both can be noted in the case file."""


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What an answer came to."""

    case: Case
    dossier: Dossier
    before: Dossier
    """As it was decided without the answer."""
    clashes: tuple[Clash, ...]
    """What has to be talked about: all sides of it were said, and this answer is one of them."""
    digest: str
    """SHA-256 of the case file's text now, for the next compare-and-set."""


# A conversation about a case: what was said, and what a model takes from it.

DropReason = Literal["unasked", "unquoted", "own_words", "unfit"]
"""Nothing that a conversation may set; no quotation of the person's words; a text that the person
didn't write; no answer to its question."""


@dataclass(frozen=True, slots=True)
class ConversationTurn:
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
class ParsedReply:
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


# A conversation that an assistant can be asked to hold.


class AssistantPrompt(Record):
    """A conversation."""

    name: str
    """Its id."""
    title: str
    """What people call it."""
    says: str
    """What it is for, in a sentence."""
    arguments: tuple[tuple[str, str], ...]
    """Name of each thing that may be given, and what it is; all may be left out."""
    text: str
    """What the assistant is told."""


# A case as one line of a list.


class Listed(LateRecord):
    """A case with its verdict, or with what is wrong with it."""

    name: str
    """Name of its folder, by which the other tools know it."""
    title: str = ""
    """What the use case is called."""
    outcome: Verdict | None = None
    final: bool | None = None
    """Whether no open answer can change the outcome."""
    action: Action | None = None
    summary: str = ""
    next: str = ""
    """The next step."""
    problem: str = ""
    """Why it can't be judged; then nothing but the name is known."""
