"""Cases to measure on: what goes in, what should come out, and what each may be used for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tuneworthy.domain.record import FileRecord, Name, NonNegative, wrong

Split = Literal["select", "report"]
"""Selecting among arms and reporting on the winner never share a case."""


class Said(FileRecord):
    """A message of a conversation that is the input."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""


class Passage(FileRecord):
    """A passage to answer from."""

    id: str = ""
    text: str


class CheckCall(FileRecord):
    """A scorer, with what it is given, for one case."""

    scorer: Name
    """Id of a scorer, as ``contains``."""
    of: Any = None
    """What it checks for, in the scorer's own terms."""


class EvalCase(FileRecord):
    """One case of an evaluation set (a line of its JSONL)."""

    id: Name
    """Unique in its set."""
    input: str | None = None
    """The input as text."""
    messages: tuple[Said, ...] = ()
    """Or as a conversation."""
    reference: Any = None
    """The right output: a text, an object, or a list of accepted ones."""
    contexts: tuple[Passage, ...] = ()
    """Passages that may be given to the model."""
    conversation_id: str | None = None
    """Cases of one conversation stand or fall together."""
    tags: tuple[str, ...] = ()
    """Words to group by, such as the intent."""
    checks: tuple[CheckCall, ...] = ()
    """Scorers of this case alone; those of the set apply as well."""
    split: Split | None = None
    """What it may be used for; drawn by a seeded hash of the conversation where it is missing."""
    weight: Annotated[NonNegative, Field(gt=0)] = 1.0
    """How often it stands for others like it."""

    @model_validator(mode="before")
    @classmethod
    def _messages_as_input(cls, data: Any) -> Any:
        """``input: {messages: […]}`` means the same as ``messages``."""
        given = data.get("input") if isinstance(data, dict) else None
        if isinstance(given, dict) and set(given) == {"messages"} and "messages" not in data:
            rest = {key: value for key, value in data.items() if key != "input"}
            return {**rest, "messages": given["messages"]}
        return data

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
        """The newest thing that was said to the model."""
        if self.input is not None:
            return self.input
        asked = [one.content for one in self.messages if one.role != "assistant"]
        return asked[-1] if asked else ""

    @property
    def accepted(self) -> tuple[Any, ...]:
        """Every output that counts as right; () where nobody said."""
        if self.reference is None:
            return ()
        return tuple(self.reference) if isinstance(self.reference, list) else (self.reference,)
