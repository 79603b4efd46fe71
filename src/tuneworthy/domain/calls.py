"""A call of a model: what is asked, what came back, and what became of the money."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field

from tuneworthy.domain.record import Name, Natural, NonNegative, Record


class ChatMessage(Record):
    """One message of a request."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Request(Record):
    """What is asked of a model, in the wire format that all endpoints speak.

    Two requests with equal fields are the same question: one answer serves both.
    """

    provider: Name
    """Preset of the endpoint, as ``openai`` or ``local``."""
    base_url: str
    """Where it is served, without a key."""
    model: Name
    """The endpoint's own name of the model."""
    messages: tuple[ChatMessage, ...]
    max_tokens: Natural | None = None
    """The most that may be written; it bounds the price."""
    temperature: float = 0.0
    seed: int | None = None
    response_schema: str | None = None
    """JSON Schema, as canonical JSON, that constrains the output."""
    grammar: str | None = None
    """GBNF grammar that constrains the output, where the endpoint takes one."""
    tools: str | None = None
    """Tool definitions, as canonical JSON."""

    def key(self, repeat: int = 0) -> str:
        """SHA-256 of the canonical request and the number of the repeat."""
        told = self.model_dump(mode="json", exclude_none=True)
        text = json.dumps([told, repeat], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Usage(Record):
    """Tokens as the endpoint counts them."""

    input_tokens: Natural = 0
    output_tokens: Natural = 0
    cached_tokens: Natural = 0


class Reply(Record):
    """What came back."""

    text: str
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments (JSON as the model wrote it) of each tool that is called."""
    finish: str = "stop"
    """Why it ended, as the endpoint says it."""
    usage: Usage = Usage()
    latency_s: NonNegative = 0.0
    """Until the answer was whole, on the wire, waiting in our queue left out."""


Status = Literal["sent", "settled", "failed", "in_doubt"]
"""Money put aside and on the wire; answered and paid; refused and not paid; nobody knows."""


class Settled(Record):
    """What became of a request."""

    key: str
    status: Status
    reply: Reply | None = None
    """None unless it was settled."""
    usd: NonNegative = 0.0
    """Paid, or put aside while that isn't known."""
    why: Annotated[str, Field(max_length=500)] = ""
    """For a failed or doubtful one: what happened, without a key or a header."""
    reused: bool = False
    """It was paid for before."""


class Spend(Record):
    """A run's money, in USD."""

    cap: NonNegative
    paid: NonNegative
    held: NonNegative
    """Put aside for calls on the wire and in doubt."""
    calls: Natural
    """Settled calls."""
    reused: Natural
    """Answers that were there already."""
    in_doubt: Natural
    failed: Natural


class Quote(Record):
    """What a run would cost, before anything is sent."""

    calls: Natural
    """Calls that would be sent."""
    reused: Natural
    """Answers that are there already."""
    usd_most: NonNegative
    """Worst case: every answer as long as it may be."""
    usd_likely: NonNegative
    """With answers as long as those of the same model so far, or half as long as they may be."""
    unpriced: tuple[str, ...] = ()
    """Models without a price: they are refused until one is given; 0 is a price."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks, for schemas and tools inside a request."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
