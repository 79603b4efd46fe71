"""Our own format by the types it says, as it is decoded at full speed.

What another spelling would say is typed as None: a line that has it fits no type, and is read
leniently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tuneworthy.domain.traces import Message
from tuneworthy.files.traces.values import role_of


class Said(msgspec.Struct, gc=False, rename={"from_": "from"}):
    """A turn of a conversation."""

    role: str = "user"
    content: str | None = None
    tool_calls: Any = None
    speaker: None = None
    from_: None = None
    parts: None = None
    text: None = None
    value: None = None


class Feedback(msgspec.Struct, gc=False):
    """What somebody thought of an answer."""

    score: float | bool | str | None = None
    label: str | None = None


class Passage(msgspec.Struct, gc=False):
    """A passage that was given to the model."""

    text: str | None = None
    content: None = None
    page_content: None = None
    document: None = None


class Trace(msgspec.Struct, gc=False):
    """A trace."""

    timestamp: datetime | float | None = None
    conversation_id: str | int | None = None
    turn: int | None = None
    model: str | None = None
    prompt_name: str | int | None = None
    prompt_version: str | int | float | None = None
    messages: list[Said] | None = None
    system: str | None = None
    input: str | None = None
    output: str | None = None
    tool_calls: Any = None
    contexts: list[Passage] | None = None
    reference: Any = None
    answerable: bool | None = None
    latency_s: float | None = None
    time_to_first_token_s: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    cached_tokens: float | None = None
    usd: float | None = None
    error: Any = None
    feedback: Feedback | None = None
    score: float | bool | str | None = None
    label: str | None = None
    case: str | int | None = None


FIELDS: tuple[str, ...] = tuple(each.name for each in msgspec.structs.fields(Trace))
"""Names of a trace's fields, in the order of ``msgspec.structs.astuple``."""


class SaidTurns(Sequence[Message]):
    """Turns as messages, made when somebody asks: most are never looked at."""

    __slots__ = ("_said",)

    def __init__(self, said: Sequence[Said]) -> None:
        self._said = said

    def __len__(self) -> int:
        return len(self._said)

    def __getitem__(self, place: Any) -> Any:
        found: Any = self._said[place]
        return [*map(_message, found)] if isinstance(place, slice) else _message(found)

    def __iter__(self) -> Iterator[Message]:
        return map(_message, self._said)


def _message(said: Said) -> Message:
    return Message(role_of(said.role), said.content or "")


class Views(Sequence[Any]):
    """A column of which each value is made when somebody asks, and None stays None."""

    __slots__ = ("_make", "_values")

    def __init__(self, values: Sequence[Any], make: Callable[[Any], Any]) -> None:
        self._values, self._make = values, make

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Views(self._values[place], self._make)
        value = self._values[place]
        return None if value is None else self._make(value)


class Passages(Sequence[str]):
    """Passages as texts; one without a text is none."""

    __slots__ = ("_given",)

    def __init__(self, given: Sequence[Passage]) -> None:
        self._given = given

    def __len__(self) -> int:
        return len(self._texts())

    def __getitem__(self, place: Any) -> Any:
        return self._texts()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts())

    def _texts(self) -> tuple[str, ...]:
        return tuple(each.text for each in self._given if each.text is not None)
