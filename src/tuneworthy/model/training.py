"""Examples a model is tuned on, who reviewed them, and the set that passed the gates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from tuneworthy.model.base import (
    ChatRole,
    FileRecord,
    Name,
    Natural,
    Record,
    Share,
    Unknown,
    as_bytes,
)

SetPart = Literal["train", "validation"]


class CalledFunction(FileRecord):
    """A function as a model calls it."""

    name: Name
    arguments: str = "{}"  #: JSON, as the model wrote it.


class FunctionCall(FileRecord):
    """A call of a tool in an assistant's message."""

    id: str = ""
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatTurn(FileRecord):
    """A message of a training example, as OpenAI's chat format has it."""

    role: ChatRole
    content: str = ""
    tool_calls: Annotated[tuple[FunctionCall, ...], Field(max_length=1_000)] = ()
    tool_call_id: str = ""  #: Which call a tool's message answers.
    name: str = ""

    @property
    def empty(self) -> bool:
        """Whether it has no text and calls nothing."""
        return not self.content.strip() and not self.tool_calls


class TrainingExample(FileRecord):
    """A conversation whose last message is the answer to learn (a line of JSONL)."""

    id: Name  #: Begin of the SHA-256 of its messages, tools and worse answer.
    messages: Annotated[tuple[ChatTurn, ...], Field(min_length=1, max_length=10_000)]
    tools: Annotated[tuple[dict[str, Any], ...], Field(max_length=1_000)] = ()
    #: A worse answer to the same, for preference tuning; empty for none.
    rejected: str = ""
    source: str = ""  #: File and line, or file and place among its traces.
    #: Examples of one conversation are never parted.
    conversation_id: str | None = None
    origin: Literal["file", "trace"] = "file"
    split: SetPart = "train"

    @property
    def answer(self) -> ChatTurn:
        """The text that the model learns to write: the last message."""
        return self.messages[-1]

    @property
    def asked(self) -> str:
        """The newest message to the model."""
        heard = [
            turn.content for turn in self.messages[:-1] if turn.role != "assistant"
        ]
        return heard[-1] if heard else ""

    @property
    def cluster(self) -> str:
        """The conversation, or the example's own id where none is known."""
        return self.conversation_id or f"example {self.id}"

    @property
    def disliked(self) -> bool:
        """Whether its answer is the worse one and no better one is known."""
        return bool(self.rejected) and self.rejected == self.answer.content

    def as_disliked(self) -> TrainingExample:
        """This example with its answer also as the worse one, which a model learns not to say."""
        worse = self.answer.content
        name = content_id(self.messages, self.tools, worse)
        return self.model_copy(update={"rejected": worse, "id": name})

    def with_answer(self, text: str) -> TrainingExample:
        """This example with another answer; its former answer becomes the worse one."""
        turn = ChatTurn(role="assistant", content=text)
        worse = self.rejected or self.answer.content
        return self.model_copy(
            update={"messages": (*self.messages[:-1], turn), "rejected": worse}
        )


def content_id(
    messages: Iterable[ChatTurn], tools: Iterable[Any] = (), rejected: str = ""
) -> str:
    """The beginning of the SHA-256 of an example's content, whatever its name and place.

    16 hexadecimal digits are 64 bits: two of a million examples collide with a chance of 3e-8.
    """
    turns = [turn.model_dump(mode="json", exclude_defaults=True) for turn in messages]
    content = json.dumps(
        [turns, list(tools), rejected], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(as_bytes(content)).hexdigest()[:16]


def set_digest(examples: Iterable[TrainingExample]) -> str:
    """SHA-256 over the examples' contents and parts, in any order."""
    lines = sorted(
        f"{content_id(e.messages, e.tools, e.rejected)} {e.split}" for e in examples
    )
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


REVIEWS = ("accept", "edit", "reject")  #: The words a person may say of a candidate.


class GateFinding(Record):
    """Candidates that one gate kept out, or only names."""

    id: Name  #: The gate, as ``near_evaluation``.
    examples: Natural  #: Candidates it concerns.
    of: Natural  #: Candidates it looked at.
    #: All of them, each with its file and line; texts are masked.
    lines: tuple[str, ...] = ()
    keeps_out: bool = True  #: Whether they are left out of the set, or only named.


class PlantedSwaps(Record):
    """How good the naming of wrong labels is, by labels that were swapped on purpose."""

    swapped: Natural  #: Labels that were swapped; no cut was chosen on these lines.
    named: Natural  #: Lines that were named, swapped or not.
    right: Natural  #: Lines that were named and swapped.
    precision_low: Share  #: Ends of the 95% interval of right ones among those named.
    precision_high: Share

    @property
    def precision(self) -> float:
        """The share of swapped labels among the named ones. Labels wrong from the start lower it."""
        return self.right / self.named

    @property
    def recall(self) -> float:
        """The share of swapped labels that were named."""
        return self.right / self.swapped


class BetterThanModel(Record):
    """Whether labels are better than the model's own answers, by people who saw no names.

    The share of pairs in which the label was better; a tie counts half.
    """

    arm: str  #: Whose answers they were held against.
    share: Share
    low: Share  #: Ends of its 95% interval.
    high: Share
    pairs: Natural
    people: tuple[str, ...]
    needed: Natural | None = None
    """Pairs in all that would tell this share from one half; None where it is, or none would."""


class TrainingSet(Record):
    """The set that passed every gate: what is tuned on, exported and piloted.

    Its examples lie beside this record in ``training.jsonl``.
    """

    digest: str  #: SHA-256 over the examples and their parts, whatever their order.
    train: Natural
    validation: Natural
    accepted: Natural  #: Candidates that a person accepted as they were.
    edited: Natural  #: Candidates that a person gave a better answer.
    stated: Natural
    """Examples of the files under data.training that nobody reviewed one by one here."""
    rejected: Natural  #: Candidates that a person rejected.
    #: Rejected candidates by the reason that was given.
    reasons: dict[str, Natural] = {}
    #: Candidates of logs that nobody reviewed; none of them is in the set.
    unreviewed: Natural = 0
    #: The reasons that kept candidates out, or that are only named.
    gates: tuple[GateFinding, ...] = ()
    label_check: PlantedSwaps | Unknown = Unknown(
        ask="check the examples: tuneworthy data CASE"
    )
    """How good the naming of likely wrong labels is on this set."""
    reviewers: tuple[str, ...] = ()
    twice: Natural = 0  #: Candidates that two people or more reviewed.
    agreed: Natural = 0  #: Of these, candidates of which all said the same.
    better: BetterThanModel | None = None  #: None where nobody compared them.
    disliked: Natural = 0
    """Logged answers with a bad score that passed the gates; none of them is in the set."""
    disliked_digest: str = ""  #: SHA-256 over these; empty for none.
    brought: bool = Field(default=False, exclude=True)
    """Whether no seal of this machine is on it; worked out as it is read, and never kept."""

    @property
    def size(self) -> int:
        """Examples of both parts."""
        return self.train + self.validation
