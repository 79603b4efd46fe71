"""What an interview asks, how a case stands meanwhile, and what an answer came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.rules import Outcome
from tuneworthy.domain.sections import ChallengeResult

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
class Offer:
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
class Step:
    """What an answer came to."""

    case: Case
    dossier: Dossier
    before: Dossier
    """As it was decided without the answer."""
    clashes: tuple[Clash, ...]
    """What has to be talked about: all sides of it were said, and this answer is one of them."""
    digest: str
    """SHA-256 of the case file's text now, for the next compare-and-set."""
