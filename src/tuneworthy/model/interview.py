"""Questions of an interview, the state of its case, and the effect of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator

from tuneworthy.model.base import Record, one_or_many
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import ChallengeResult, Dossier

#: The lesson's three conversations.
Part = Literal["evaluate", "options", "investment"]

PARTS: tuple[Part, ...] = ("evaluate", "options", "investment")

AskKind = Literal["state", "count", "number", "amount", "choice", "choices", "text"]
"""A yes, no or unknown; how many (for a check also yes or no); a number; a number or a range of
them; one of some; several of some, the first first; a line of text."""


LeverUnit = Literal["", "USD", "USD/h", "%", "hours", "months", "tokens"]


class LeverRange(Record):
    """How an amount can be moved on the page."""

    group: str
    unit: LeverUnit = ""
    most: float  #: Where the lever ends if the case states nothing.
    fixed: bool = False  #: Whether it ends there whatever the case states.


class CaseField(Record):
    """A field of the case; ``fields.yaml`` says what each key means."""

    #: The conversation that asks for it; None where none does.
    part: Part | None = None
    title: str
    question: str = ""
    example: str = ""
    why: str = ""
    minutes: int = 2
    kind: AskKind = "text"
    choices: dict[str, str] | Literal["goals", "options", "checks", "causes"] = {}
    share: bool = False
    when: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = ()
    """Conditions, all of which hold where it is asked."""
    label: str = ""
    lever: LeverRange | None = None

    @property
    def is_asked(self) -> bool:
        """Whether there is a question about it. The framework asks those about safety."""
        return bool(self.question) or self.part is not None


class Choice(NamedTuple):
    id: str
    title: str
    says: str = ""  #: what it stands for, in everyday words


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, with all that a surface needs to put it."""

    id: str  #: dotted path into the case; places in lists count from 1, as in attempts.1.name
    part: Part
    kind: AskKind
    title: str
    question: str
    example: str = ""
    why: str = ""
    choices: tuple[Choice, ...] = ()
    share: bool = False  #: whether the answer may be in per cent
    minutes: int = 1  #: minutes it takes to find the answer out
    gain_bits: float | None = None  #: None where the answer can't change the verdict
    #: what knowing it is worth before the choice to tune; 0 where unknown
    worth_usd: float = 0.0
    value: str = ""  #: the present answer, in a form in which it can be given again
    #: open questions of this round with this one; answers open and close others
    left: int = 1
    of: int = 1  #: questions of this round, whether answered or not

    @property
    def number(self) -> int:
        """The place of this question among all of the round, from 1."""
        return self.of - self.left + 1


class OpenPart(NamedTuple):
    """A part in which something is still worth knowing."""

    part: Part
    open: int  #: questions of it that are open and were not passed


class Conflict(NamedTuple):
    """Something that doesn't fit together since an answer was given."""

    challenge: ChallengeResult
    others: tuple[str, ...]  #: ids of the questions on its other side, if it has one
    recordable: bool  #: whether keeping both can be noted in the case file


class GrowthDoubt(NamedTuple):
    """A growth that was typed as a plain number, and would be more than 100% a month."""

    says: str
    likely: str  #: what was likely meant, with per cent signs
    typed: str  #: what the number means as it was typed, with per cent signs


class AnswerChange(NamedTuple):
    """The value of a key before and after; equal where it didn't change, empty for unknown."""

    path: str
    title: str
    before: str
    after: str


class AnswerResult(NamedTuple):
    """A case file into which answers were written."""

    case: Case
    dossier: Dossier
    before: Dossier  #: without the answers; the same as ``dossier`` where nobody judged that
    digest: str  #: SHA-256 of the case file's text now, for the next compare-and-set
    changes: tuple[AnswerChange, ...] = ()
    #: all of whose sides are answered, one of them just now
    conflicts: tuple[Conflict, ...] = ()
