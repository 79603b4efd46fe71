"""What a model was asked and what it answered, as columns.

One trace is one call: one output. A conversation that was logged as a whole becomes one trace for
each answer of the assistant. Columns are plain lists, so that a function over them knows nothing of
the engine that filled them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple


class Message(NamedTuple):
    """A turn of a conversation."""

    role: str
    """``system``, ``user``, ``assistant`` or ``tool``."""
    content: str
    """Its text; empty for a turn without one."""


class ToolCall(NamedTuple):
    """A call of a tool that the model asked for."""

    name: str
    """The tool."""
    arguments: str
    """Its arguments as the model wrote them: JSON, if all went well."""


@dataclass(slots=True)
class Batch:
    """Some traces: every column is as long as ``output``, or empty where no trace has it.

    Times are seconds (``timestamp`` since 1970 in UTC), amounts USD, sizes tokens. A value that is
    missing is None.
    """

    output: list[str | None] = field(default_factory=list)
    """What the model wrote."""
    conversation: list[str | None] = field(default_factory=list)
    """Traces of one conversation share it; one without stands alone."""
    turn: list[int | None] = field(default_factory=list)
    """Place in the conversation, from 0."""
    timestamp: list[float | None] = field(default_factory=list)
    """When the call was made."""
    model: list[str | None] = field(default_factory=list)
    """The model that answered."""
    prompt: list[str | None] = field(default_factory=list)
    """Name and version of the prompt, as ``name version``."""
    system: list[str | None] = field(default_factory=list)
    """The system prompt."""
    input: list[str | None] = field(default_factory=list)
    """What the user asked: the last message that isn't the assistant's."""
    messages: Sequence[Sequence[Message] | None] = field(default_factory=list)
    """The conversation so far, where it is there; what isn't new is there again."""
    tool_calls: list[Sequence[ToolCall] | None] = field(default_factory=list)
    """Tools the output calls."""
    contexts: Sequence[Sequence[str] | None] = field(default_factory=list)
    """Passages that were given to the model."""
    reference: list[str | None] = field(default_factory=list)
    """The right answer."""
    answerable: list[bool | None] = field(default_factory=list)
    """Whether the contexts hold the answer, where somebody labelled that."""
    latency_s: list[float | None] = field(default_factory=list)
    """Until the answer was whole."""
    time_to_first_token_s: list[float | None] = field(default_factory=list)
    """Until its first token."""
    input_tokens: list[float | None] = field(default_factory=list)
    """Tokens read, those from a cache among them."""
    output_tokens: list[float | None] = field(default_factory=list)
    """Tokens written."""
    cached_tokens: list[float | None] = field(default_factory=list)
    """Tokens read from a cache."""
    usd: list[float | None] = field(default_factory=list)
    """What the call cost."""
    error: list[str | None] = field(default_factory=list)
    """What went wrong; None where nothing did."""
    score: list[float | None] = field(default_factory=list)
    """How good it was, by feedback, a label or a test: 1 right, 0 wrong."""
    label: list[str | None] = field(default_factory=list)
    """The same in a word."""
    case: list[str | None] = field(default_factory=list)
    """For results of a test: the test case."""

    def __len__(self) -> int:
        return len(self.output)

    def column(self, name: str) -> list[object]:
        """A column whole: as long as ``output``, of None where no trace has it."""
        values: list[object] = getattr(self, name)
        return values or [None] * len(self.output)


COLUMNS: tuple[str, ...] = tuple(each.name for each in fields(Batch))
"""Names of the columns."""


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """A system prompt that was seen, with when."""

    text: str
    n: int
    """Traces that carry it."""
    first: float | None
    """Earliest timestamp, seconds since 1970."""
    last: float | None
    """Latest timestamp."""
