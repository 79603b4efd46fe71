"""Values as other tools write them into values as we keep them.

Everything here takes anything and never raises: what can't be understood is missing, which is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from tuneworthy.domain.traces import Message, ToolCall

Row = dict[str, Any]
"""A trace on its way into a batch: values by the column of ``Batch``; an absent one is None."""

_ROLES = {
    "human": "user", "gpt": "assistant", "agent": "assistant", "ai": "assistant",
    "model": "assistant", "bot": "assistant", "developer": "system", "function": "tool",
}  # fmt: skip
_OURS = frozenset({"user", "assistant", "system", "tool"})
_YES = frozenset({"yes", "true", "1", "answerable", "pass", "passed", "correct", "good"})
_NO = frozenset({"no", "false", "0", "unanswerable", "fail", "failed", "incorrect", "bad"})


class Turn(NamedTuple):
    """A turn of a conversation with the tools it calls."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()


def number(value: Any) -> float | None:
    """A finite number, also from text and from yes and no; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float | Decimal):
        try:
            found = float(value)
        except (OverflowError, ValueError):
            return None
        return found if math.isfinite(found) else None
    return None


def amount(value: Any) -> float | None:
    """Seconds, tokens or USD; an amount below zero is left to ``sound``, which counts it."""
    return number(value)


def whole(value: Any) -> int | None:
    """A count; None for one below zero."""
    found = value if type(value) is int else number(value)
    return int(found) if found is not None and found >= 0 else None


def yes_no(value: Any) -> bool | None:
    """A yes or a no, as a boolean, a number or a word; the first of a list."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    return True if word in _YES else False if word in _NO else None


def score(value: Any) -> float | None:
    """How good something was, as a number; a word such as pass or fail counts as 1 or 0."""
    found = number(value)
    if found is None and isinstance(value, str):
        word = yes_no(value)
        return None if word is None else float(word)
    return found


def name(value: Any) -> str | None:
    """A short name or an id; None for nothing, and for what is no name."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def dumped(value: Any) -> str:
    """A value as compact JSON."""
    try:
        return msgspec.json.encode(value).decode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError):
        return ""


def text(value: Any) -> str | None:
    """A text: as it is, the texts of a list of parts, or JSON for an object."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return _parts(value)
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    return dumped(value)


def _parts(value: Sequence[Any]) -> str:
    """Parts of a message; a list that holds none is data, and stays JSON."""
    if value and not any(
        isinstance(part, str) or (isinstance(part, Mapping) and "type" in part) for part in value
    ):
        return dumped(value)
    found = [one for part in value if (one := _part(part)) is not None]
    return "\n".join(found)


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return None
    kind = part.get("type")
    if isinstance(kind, str) and kind in _UNSAID:
        return None
    for key in ("text", "content", "refusal", "response", "result"):
        found = part.get(key)
        if isinstance(found, Mapping):
            found = found.get("value")
        if isinstance(found, str):
            return found
    return None


def tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Calls of tools in OpenAI's shape, flat, or as parts of a message."""
    if isinstance(value, str):
        value = unpacked(value)
    if not isinstance(value, list | tuple):
        value = [value] if isinstance(value, Mapping) else []
    return tuple([call for each in value if (call := _call(each)) is not None])


def _call(each: Any) -> ToolCall | None:
    if not isinstance(each, Mapping):
        return None
    function = each.get("function")
    if isinstance(function, Mapping):
        each = function
    elif isinstance(function, str):
        each = {"name": function, "arguments": each.get("arguments")}
    called = name(each.get("name"))
    if called is None:
        return None
    arguments = next(
        (each[key] for key in ("arguments", "args", "input") if each.get(key) is not None), ""
    )
    return ToolCall(called, arguments if isinstance(arguments, str) else dumped(arguments))


def unpacked(value: Any) -> Any:
    """A list or object that was written as text; anything else as it is."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return value
    return value


def turns(value: Any) -> list[Turn]:
    """Messages of any make; what is no message is left out."""
    value = unpacked(value)
    if isinstance(value, Mapping):
        value = value.get("messages", [value])
    if not isinstance(value, list | tuple):
        return []
    return [_turn(each) for each in value if isinstance(each, Mapping)]


def _turn(each: Mapping[str, Any]) -> Turn:
    role = next((each[key] for key in ("role", "speaker", "from") if key in each), "user")
    content = next(
        (each[key] for key in ("content", "parts", "text", "value") if each.get(key) is not None),
        "",
    )
    calls = tool_calls(each.get("tool_calls") or each.get("function_call"))
    if not calls and isinstance(content, list):
        calls = tool_calls(
            [p for p in content if isinstance(p, Mapping) and str(p.get("type")) in _CALLING]
        )
    return Turn(role_of(str(role)), text(content) or "", calls)


def role_of(name: str) -> str:
    """A role by our name for it; one that we have none for keeps its own, in small letters."""
    if name in _OURS:  # as mostly
        return name
    folded = name.casefold()
    return _ROLES.get(folded, folded)


_CALLING = frozenset({"tool_call", "tool_use"})
_UNSAID = _CALLING | {"reasoning", "thinking"}


def passages(value: Any) -> tuple[str, ...] | None:
    """Contexts: texts, or objects that hold one; None for none."""
    value = unpacked(value)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        return None
    return tuple(found for each in value if (found := _passage(each)) is not None)


def _passage(each: Any) -> str | None:
    if isinstance(each, Mapping):
        keys = ("text", "content", "page_content", "document")
        return next((each[key] for key in keys if isinstance(each.get(key), str)), None)
    return each if isinstance(each, str) else None


class Turns(Sequence[Message]):
    """The first ``n`` turns of a conversation, without a copy of them."""

    __slots__ = ("_n", "_turns")

    def __init__(self, turns: Sequence[Any], n: int) -> None:
        self._turns, self._n = turns, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(self._n)))
        if not -self._n <= place < self._n:
            raise IndexError(place)
        turn = self._turns[place % self._n]
        return Message(turn.role, turn.content or "")


def prompt_name(base: Any, version: Any) -> str | None:
    """Name and version of a prompt, as one name."""
    found = [one for one in (name(base), name(version)) if one is not None]
    return " ".join(found) or None


def first_of(record: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """The first of some keys that has a value."""
    return next((record[key] for key in keys if record.get(key) is not None), None)
