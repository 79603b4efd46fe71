"""What is asked of the model: the questions, how the case stands, and what was said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tuneworthy.api.conversation.catalogue import catalogue, following
from tuneworthy.api.interview.order import standing
from tuneworthy.calls.endpoints import LOCAL, Reached
from tuneworthy.domain.calls import ChatMessage, Request, canonical_json
from tuneworthy.domain.case import Case
from tuneworthy.domain.conversation import Turn
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.interview import Ask
from tuneworthy.report.interview.briefing import rules_text, short_rules, state

LONGEST_WORDS = 4_000
"""Characters of one message."""
_MOST_TURNS, _MOST_OPEN = 16, 6
_READS_LITTLE = 1_000  # characters, for the embedded model
_WRITES, _WRITES_LITTLE = 1_024, 256  # tokens of an answer
_SHOWN_REPLY = 2_000
_TEXT: dict[str, Any] = {"type": "string"}


def request_for(
    place: Reached, case: Case, framework: Framework, dossier: Dossier, said: Sequence[Turn], *,
    passed: Sequence[str] = (), schema: bool = True,
) -> Request:  # fmt: skip
    """What a model is asked next; the same conversation about the same case is the same request.

    Args:
        place: Where the model is reached.
        case: As it stands.
        framework: Whose questions are asked.
        dossier: The case decided.
        said: The conversation, the person's newest message last.
        passed: Ids that the person passed over.
        schema: Whether the endpoint takes a schema for its answer.
    """
    asks, opened = catalogue(case, framework), list(following(case, framework, passed=passed))
    if place.provider == LOCAL:
        messages, form = _little([asks[name] for name in opened[:1]], said[-1].words)
    else:
        now = state(standing(dossier), asks, opened, most=_MOST_OPEN)
        turns = said[-_MOST_TURNS:]
        messages = [ChatMessage(role="system", content=rules_text(list(asks.values()), framework))]
        messages += [_message(turn) for turn in turns[:-1]]
        messages += [_message(turn, now) for turn in turns[-1:]]
        form = _form(_TEXT if not asks else {**_TEXT, "enum": list(asks)})
    return Request(
        provider=place.provider, base_url=place.base_url, model=place.name,
        messages=tuple(messages),
        max_tokens=_WRITES_LITTLE if place.provider == LOCAL else _WRITES,
        response_schema=canonical_json(form) if schema else None,
    )  # fmt: skip


def _message(turn: Turn, now: dict[str, object] | None = None) -> ChatMessage:
    """Something that was said, as data between quotation marks."""
    if turn.model:
        told: dict[str, object] = {"reply": turn.words[:_SHOWN_REPLY]}
        return ChatMessage(role="assistant", content=canonical_json(told))
    told = {"person": turn.words}
    if turn.pasted:
        told["pasted"] = turn.pasted
    if now is not None:
        told["state"] = now
    return ChatMessage(role="user", content=canonical_json(told))


def _form(path: dict[str, Any]) -> dict[str, Any]:
    """The form of an answer."""
    one = _object({"path": path, "value": _TEXT, "quote": _TEXT})
    proposals = {"type": "array", "items": one}
    return _object({"reply": _TEXT, "proposals": proposals, "next": path})


def _little(asks: Sequence[Ask], words: str) -> tuple[list[ChatMessage], dict[str, Any]]:
    """For a very small model: one question, the newest words, and a form it can't leave."""
    told = "".join(f"{short_rules(ask)}\n" for ask in asks)
    sentences = [one for one in re.split(r"(?<=[.!?])\s+", words[:_READS_LITTLE]) if one]
    choices = [choice.id for ask in asks for choice in ask.choices]
    state_of = any(ask.kind == "state" for ask in asks)
    value: dict[str, Any] = {"pattern": "^[0-9]{1,9}$"}
    if state_of or choices:
        value = {"enum": ["yes", "no"] if state_of else choices}
    elif any(ask.kind == "text" for ask in asks):
        value = {"maxLength": 80}
    one = _object({
        "path": {**_TEXT, "enum": [ask.id for ask in asks]},
        "value": {**_TEXT, **value},
        "quote": {**_TEXT, "enum": list(dict.fromkeys(sentences)) or [""]},
    })  # fmt: skip
    proposals = {"type": "array", "items": one, "maxItems": 1}
    form = _object({"reply": {**_TEXT, "maxLength": 120}, "proposals": proposals})
    messages = [
        ChatMessage(role="system", content=told), ChatMessage(role="user", content=words)
    ]  # fmt: skip
    return messages, form


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": fields, "required": list(fields),
        "additionalProperties": False,
    }  # fmt: skip
