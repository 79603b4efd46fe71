"""Cases to measure on: what goes in, what should come out, and what each may be used for."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from tuneworthy.model.base import (
    ChatRole,
    FileRecord,
    Name,
    Natural,
    NonNegative,
    Record,
    Unknown,
    as_bytes,
    wrong,
)
from tuneworthy.model.framework import CauseId

Split = Literal["select", "report"]
"""Selecting among arms and reporting on the winner never share a case."""


class CaseMessage(FileRecord):
    """A message of a conversation that is the input."""

    role: ChatRole
    content: str = ""


class CasePassage(FileRecord):
    """A passage to answer from."""

    id: str = ""
    text: str


class CheckCall(FileRecord):
    """A scorer, with what it is given, for one case."""

    scorer: Name  #: Id of a scorer, as ``contains``.
    of: Any = None  #: The value it checks for, in the scorer's own terms.


class EvalCase(FileRecord):
    """One case of an evaluation set (a line of its JSONL)."""

    id: Name  #: Unique in its set.
    input: str | None = None
    messages: tuple[CaseMessage, ...] = ()
    #: The right output: a text, an object, or a list of accepted ones.
    reference: Any = None
    logged: str | None = None
    """The answer in the log. It isn't known to be right, but a labeller may accept or edit it."""
    contexts: tuple[CasePassage, ...] = ()  #: Passages that may be given to the model.
    #: Cases of one conversation stand or fall together.
    conversation_id: str | None = None
    tags: tuple[str, ...] = ()  #: Words to group by, such as the intent.
    #: Scorers of this case alone, beside those of the set.
    checks: tuple[CheckCall, ...] = ()
    split: Split | None = None
    """The part the case belongs to. Where it is missing, a seeded hash of the conversation draws
    it."""
    #: How often it stands for others like it.
    weight: Annotated[NonNegative, Field(gt=0)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _messages_as_input(cls, data: Any) -> Any:
        """``input: {messages: […]}`` means the same as ``messages``."""
        conversation = data.get("input") if isinstance(data, dict) else None
        if not isinstance(conversation, dict) or set(conversation) != {"messages"}:
            return data
        if "messages" in data:
            return data  # it has both, which another check refuses
        rest = {key: value for key, value in data.items() if key != "input"}
        return {**rest, "messages": conversation["messages"]}

    @model_validator(mode="after")
    def _has_input(self) -> EvalCase:
        if (self.input is None) == (not self.messages):
            raise wrong("has no input, or two", "give input as text, or messages")
        return self

    @property
    def cluster(self) -> str:
        """The conversation, or the case's own id where it has none."""
        return self.conversation_id or f"case {self.id}"

    @property
    def text(self) -> str:
        """The newest message to the model."""
        if self.input is not None:
            return self.input
        heard = [m.content for m in self.messages if m.role != "assistant"]
        return heard[-1] if heard else ""

    @property
    def accepted(self) -> tuple[Any, ...]:
        """Every output that counts as right; () where nobody said."""
        if self.reference is None:
            return ()
        if isinstance(self.reference, list):
            return tuple(self.reference)
        return (self.reference,)


IntentBy = Literal["reference", "embedding", "nothing"]
"""How kinds of request were distinguished: by few and short right answers, or by similar vectors."""


class Stratum(Record):
    """Conversations drawn from together; without an intent or a length these are empty."""

    intent: str
    length: Literal["short", "medium", "long", ""]
    failed: bool | None
    traces: Natural  #: Traces it stands for.
    conversations: Natural  #: Conversations that could be drawn, near copies folded.
    drawn: Natural
    cases: Natural


class EvalSample(Record):
    """A drawn set, with what was done to it."""

    cases: tuple[EvalCase, ...]  #: In the order of reading; weights have a mean of 1.
    strata: tuple[Stratum, ...]  #: Failures first, then by size.
    intent_by: IntentBy
    #: A masked request for each kind that bears only a number.
    examples: dict[str, str] = {}
    read: Natural
    framed: Natural  #: Traces it could be drawn from: all, or those drawn by a hash.
    without_input: Natural = 0  #: Traces left out, as nothing says what was asked.
    folded: Natural = 0
    failures: dict[str, int] = {}  #: Traces that failed, by what gave it away.
    masked: dict[str, int] = {}
    #: Right answers left out because masking hid what only they hold.
    lost: Natural = 0
    cut: Natural = 0
    unlabelled: Natural = 0


class Precision(Record):
    """How sure a score on a set can be."""

    cases: Natural
    #: Independent cases of equal weight these are worth, at the worst.
    worth: NonNegative
    expected: float  #: The share right that is assumed.
    low: float  #: Ends of the 95% interval at that share.
    high: float


Task = Literal["answer", "rubric", "pairwise", "training", "failure"]
"""Give the right answer, hold an output against a rubric, say which of two is better, say whether
an example is one to learn from, or why an answer is wrong."""


class GroupKey(NamedTuple):
    """The labels whose agreement is computed together: those of one task and one rubric."""

    task: str
    rubric: str  #: As in ``ItemKey``.


class ItemKey(NamedTuple):
    """The item that a label is about."""

    task: str
    #: Begin of the SHA-256 of rubric and scale; empty for a task without one.
    rubric: str
    case: str  #: Id of the case.
    arm: str  #: The arm whose output it is; empty for a right answer.
    against: str  #: The other arm of a pair.

    @property
    def group(self) -> GroupKey:
        return GroupKey(self.task, self.rubric)


SCALES = {
    "yes-no": ("yes", "no"),
    "1-5": ("1", "2", "3", "4", "5"),
}  #: The scale for an output.
PAIRS = ("first", "second", "tie")
"""Answers to which of two outputs is better, in the order of the arms' names and not as shown."""


def digest_of(*parts: str) -> str:
    """The beginning of the SHA-256 of texts: of a rubric and its scale, or of shown outputs."""
    return hashlib.sha256(as_bytes("\0".join(parts))).hexdigest()[:16]


class Label(Record):
    """One person's answer about one item."""

    task: Task
    case: Name  #: Id of the case.
    value: Annotated[str, Field(max_length=100_000)]
    """A right answer, a word of a scale, of ``PAIRS``, of ``training.REVIEWS`` or of
    ``framework.CAUSES``."""
    #: Of an edit, why of a rejection.
    text: Annotated[str, Field(max_length=100_000)] = ""
    arm: str = ""  #: The arm whose output it was; empty for a right answer.
    against: str = ""  #: The other arm of a pair.
    rubric: str = ""  #: Begin of the SHA-256 of rubric and scale.
    output: str = ""  #: Begin of the SHA-256 of the outputs that were shown.

    @property
    def key(self) -> ItemKey:
        """The item it is about. A later label with an equal key replaces an earlier one."""
        return ItemKey(self.task, self.rubric, self.case, self.arm, self.against)


class DrawnFailure(Record):
    """A wrong answer that was drawn to be read."""

    case: EvalCase  #: The question and the right answer; masked.
    #: The answer that was given; masked.
    output: Annotated[str, Field(max_length=100_000)]
    proposed: str = ""  #: The cause that a model proposed; empty for none.


class FailureDraw(Record):
    """Failures of one way that people give a cause each."""

    way: Name  #: Whose failures they are: the log, or an arm of a lab.
    source: Literal["log", "lab"]
    seed: Natural
    drawn_on: date
    failures: Natural  #: How many there were to draw from.
    quality: float | Unknown  #: Share of cases that this way gets right.
    quality_low: float | Unknown  #: Ends of its 95% interval.
    quality_high: float | Unknown
    cases: Natural  #: Cases that share was counted on.
    #: Failures among the drawn that are held-out cases of the lab.
    held_out: Natural = 0
    drawn: tuple[DrawnFailure, ...]  #: In the order of reading.


class SaidCauses(NamedTuple):
    """Causes that people named for the failures that were drawn."""

    draw: FailureDraw
    counts: dict[CauseId, int]  #: Failures by their cause.
    open: int  #: Failures of which nobody said anything.
    differ: int  #: Failures on which people differ, and nobody has settled it.


class Coefficient(Record):
    """Agreement beyond chance, with its 95% interval where one can be given."""

    id: Literal["cohen_kappa", "fleiss_kappa", "nominal_alpha"]
    value: float | Unknown
    low: float | None = None
    high: float | None = None
    items: Natural = 0


class Disagreement(Record):
    """An item on which labellers differ."""

    key: ItemKey
    said: tuple[tuple[str, str], ...]  #: Labeller and what they said.
    #: The label that adjudication gave; None while it is open.
    settled: str | None = None


class AgreementOf(Record):
    """How far the labellers of one task agree."""

    task: Task
    rubric: str
    labellers: tuple[str, ...]
    labelled: Natural  #: Items with a label.
    both: Natural  #: Items with two labels or more.
    same: Natural  #: Of these, items on which all say the same.
    low: float  #: Ends of the 95% interval of the share that is the same.
    high: float
    coefficients: tuple[Coefficient, ...]
    disagreements: tuple[Disagreement, ...]
