"""Messages, answers, tool calls and passages, in the shapes of any maker.

One reader covers all of them: OpenAI's chat and Responses, Anthropic's blocks, Google's and
OpenTelemetry's parts, LangChain's and OpenInference's messages. An unknown object around an answer
is never read as text: it raises ``UnknownEnvelope``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from tuneworthy.model.evidence import Message, ToolCall
from tuneworthy.traces.values import (
    ITEMS_LATER,
    LastOfLength,
    as_mapping,
    dumped,
    name,
    unpacked,
)


class UnknownEnvelope(Exception):  # noqa: N818  # a finding that the caller counts
    """An object around a text has an unknown shape."""


class SpokenTurn(NamedTuple):
    """A turn of a conversation with its tool calls."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()


_OURS = frozenset({"user", "assistant", "system", "tool"})
_ROLES = {each: each for each in _OURS} | {
    theirs: ours
    for ours, names in {
        "user": "human",
        "assistant": "gpt agent ai model bot chatbot function_call",
        "system": "developer",
        "tool": "function function_call_output tool_result",
    }.items()
    for theirs in names.split()
}
_CONTENT = ("content", "parts", "contents", "text", "value", "output")
_CALLING = {"tool_call", "tool_use", "function_call", "functionCall", "toolUse"}
_UNSAID = _CALLING | {"reasoning", "thinking", "redacted_thinking"}
_SAYING = {
    *(
        "text",
        "input_text",
        "output_text",
        "refusal",
        "tool_result",
        "tool_call_response",
    ),
    *(
        "image_url",
        "input_image",
        "image",
        "document",
        "file",
        "input_file",
        "input_audio",
    ),
}
_PIECES = {"text", "functionCall", "functionResponse", "toolUse", "message_content"}


def role_of(name: str) -> str:
    """Our name for a role; an unknown role keeps its own, in small letters."""
    if name in _OURS:  # as mostly
        return name
    folded = name.casefold()
    return _ROLES.get(folded, folded)


# Texts and calls of one message.


def text(value: Any) -> str | None:
    """A text: the value itself, the texts in a list of parts, or JSON for an object."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return _parts(value)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    return dumped(value)


def _parts(value: Sequence[Any]) -> str:
    """The text of a message's parts. A list without any part is data, and stays JSON."""
    texts = [said for part in value if (said := _part(part)) is not None]
    if not texts and value and not any(map(is_part, value)):
        return dumped(value)
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def is_part(part: Any) -> bool:
    """Whether an object is a part of a message, by its kind or by its only key."""
    if not isinstance(part, dict):
        return isinstance(part, str)
    kind = part.get("type")
    if isinstance(kind, str):
        known = kind in _UNSAID or kind in _SAYING
        return known or any(
            isinstance(part.get(key), str) for key in ("text", "content")
        )
    return len(part) <= 2 and not _PIECES.isdisjoint(part)


def _part(part: Any) -> str | None:
    """The text of one part of a message; None where it holds none."""
    if isinstance(part, str):
        return part
    if not is_part(part):
        return None
    part = as_mapping(part.get("message_content")) or part  # OpenInference's
    if name(part.get("type")) in _UNSAID:
        return None
    for key in ("text", "content", "refusal", "response", "result"):
        inner = part.get(key)
        if isinstance(inner, dict):
            inner = inner.get("value")
        # Anthropic's results
        if isinstance(inner, list) and inner and all(map(is_part, inner)):
            inner = _parts(inner)
        if isinstance(inner, str):
            return inner
    return None


def tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Tool calls in OpenAI's shape, flat, or as parts of a message."""
    if isinstance(value, str):
        value = unpacked(value)
    if not isinstance(value, list | tuple):
        value = [value] if isinstance(value, dict) else []
    return tuple([call for item in value if (call := _call(item)) is not None])


def _call(call: Any) -> ToolCall | None:
    """Read a call of a tool in any maker's form; None where it names no tool."""
    if not isinstance(call, dict):
        return None
    if any("." in key for key in call):  # OpenInference's, flat
        call = as_mapping(nested(call))
    for key in ("tool_call", "functionCall", "toolUse"):
        call = as_mapping(call.get(key)) or call
    function = call.get("function")
    if isinstance(function, dict):
        call = function
    elif isinstance(function, str):
        call = {"name": function, "arguments": call.get("arguments")}
    called = name(call.get("name", call.get("toolName")))
    if called is None:
        return None
    arguments = next(
        (
            call[key]
            for key in ("arguments", "args", "input")
            if call.get(key) is not None
        ),
        "",
    )
    return ToolCall(
        called, arguments if isinstance(arguments, str) else dumped(arguments)
    )


def system_text(value: Any) -> str | None:
    """A system prompt. Its parts may be written as text."""
    if isinstance(value, str) and value[:1] != "[":
        return value
    parts = unpacked(value)
    are_parts = isinstance(parts, list) and bool(parts) and all(map(is_part, parts))
    return text(parts if are_parts else value)


# Turns.


def _bare(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message itself, without the objects around it."""
    if "role" in message:
        return message
    if any(key.startswith("message.") for key in message):  # OpenInference, flat
        message = as_mapping(nested(message))
    for key in ("message", "data", "kwargs"):
        inner = message.get(key)
        if isinstance(inner, dict):
            kind = message.get("id") if key == "kwargs" else message.get("type")
            # LangChain's class
            kind = kind[-1] if isinstance(kind, list) and kind else kind
            kind = (
                str(kind or "").removesuffix("Chunk").removesuffix("Message").casefold()
            )
            return _bare({"role": kind, **inner} if kind in _ROLES else inner)
    return message


def turn_of(message: Any) -> SpokenTurn:
    """Read a message in any maker's shape."""
    message = _bare(message if type(message) is dict else as_mapping(unpacked(message)))
    role = next(
        (message[key] for key in ("role", "speaker", "from", "type") if key in message),
        "user",
    )
    role = role_of(str(role))
    kind = message.get("type")
    if kind == "function_call":
        return SpokenTurn("assistant", "", tool_calls(message))
    if kind == "reasoning":
        return SpokenTurn("assistant", "")
    content = next(
        (message[key] for key in _CONTENT if message.get(key) is not None), ""
    )
    calls = _calls_in(message, content)
    return SpokenTurn(
        "assistant" if role == "message" else role, text(content) or "", calls
    )


def _calls_in(message: Mapping[str, Any], content: Any) -> tuple[ToolCall, ...]:
    """The calls of tools in a message: in its own field, or among its parts."""
    for held in (message, as_mapping(message.get("additional_kwargs"))):
        called = held.get("tool_calls") or held.get("function_call")
        if called and (calls := tool_calls(called)):
            return calls
    if not isinstance(content, list):
        return ()
    parts = [part for part in content if isinstance(part, dict)]
    return tool_calls(
        [
            p
            for p in parts
            if name(p.get("type")) in _CALLING or not _CALLING.isdisjoint(p)
        ]
    )


class Talk(Sequence[Message]):
    """The first ``n`` messages of a conversation, each read only when it is needed."""

    __slots__ = ("_items", "_made", "_n")

    def __init__(
        self, items: list[Any], n: int, made: dict[int, SpokenTurn] | None = None
    ) -> None:
        self._items = items
        self._n = n
        self._made: dict[int, SpokenTurn] = {} if made is None else made

    def turn(self, place: int) -> SpokenTurn:
        turn = self._made.get(place)
        if turn is None:
            held = self._items[place]
            held = _plain_turn(held) or held if type(held) is msgspec.Raw else held
            turn = self._made[place] = (
                held if type(held) is SpokenTurn else turn_of(held)
            )
        return turn

    @property
    def turns(self) -> list[SpokenTurn]:
        return [self.turn(place) for place in range(self._n)]

    @property
    def answers(self) -> list[int]:
        """Places of the assistant's turns."""
        return [
            place for place, turn in enumerate(self.turns) if turn.role == "assistant"
        ]

    def first(self, n: int) -> Talk:
        """The same conversation up to a turn."""
        return Talk(self._items, n, self._made)

    def system(self) -> str | None:
        for n in range(self._n):
            if (turn := self.turn(n)).role == "system":
                return turn.content
        return None

    def newest(self) -> str | None:
        """The last message of another role than the assistant's."""
        for n in range(self._n - 1, -1, -1):
            if (turn := self.turn(n)).role not in {"assistant", "system"}:
                return turn.content
        return None

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            turns = map(self.turn, range(*place.indices(self._n)))
            return tuple([Message(turn.role, turn.content) for turn in turns])
        if not -self._n <= place < self._n:
            raise IndexError(place)
        turn = self.turn(place % self._n)
        return Message(turn.role, turn.content)


def talk(value: Any) -> Talk | None:
    """The conversation in a value; None without one."""
    items = messages_in(value)
    return Talk(items, len(items)) if items else None


class _PlainPart(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    type: str
    text: str | None = None
    content: str | None = None


class _PlainTurn(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The form of most messages: a role with a text, or with one part that holds it."""

    role: str
    content: str | list[_PlainPart] | None = None
    parts: list[_PlainPart] | None = None
    finish_reason: Any = None


_PLAIN_TURN = msgspec.json.Decoder(_PlainTurn).decode
_LONE_TURN = msgspec.json.Decoder(tuple[_PlainTurn]).decode
_PLAIN_PARTS = ("text", "input_text", "output_text")
_OPENINGS = LastOfLength()  # first messages, which many conversations share


def _plain_turn(raw: bytes | msgspec.Raw) -> SpokenTurn | None:
    """A message in a usual shape; None in any other."""
    try:
        return _spoken_turn(_PLAIN_TURN(raw))
    except (msgspec.MsgspecError, ValueError):
        return None


def _spoken_turn(turn: _PlainTurn) -> SpokenTurn | None:
    content = turn.parts if turn.content is None else turn.content
    if type(content) is list and len(content) == 1 and content[0].type in _PLAIN_PARTS:
        content = content[0].content if content[0].text is None else content[0].text
    return SpokenTurn(role_of(turn.role), content) if type(content) is str else None


def _in_list(value: list[Any], depth: int) -> list[Any] | None:
    """The messages of a list. Only the first and the last one are checked."""
    if value and type(value[0]) is msgspec.Raw:
        last = _plain_turn(value[-1])
        first = (
            last
            if len(value) == 1
            else last and _OPENINGS.remember(bytes(value[0]), _plain_turn)
        )
        if first is not None:
            value[0] = first
            value[-1] = last
            return value
        last = unpacked(value[-1])
        value[0] = unpacked(value[0])
        value[-1] = last
    if len(value) == 1 and not _is_message(value[0]):
        return messages_in(value[0], depth + 1)
    return value if value and _is_message(value[0]) and _is_message(value[-1]) else None


def messages_in(value: Any, depth: int = 0) -> list[Any] | None:
    """The messages inside any maker's wrapping; None without any."""
    value = unpacked(value, ITEMS_LATER)
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        return _in_list(value, depth)
    if not isinstance(value, dict):
        return None
    if _is_message(value, alone=True):
        return [value]
    inside = (inner for key in _AROUND if (inner := _inside(value, key)))
    lists = (messages_in(inner, depth + 1) for inner in inside)
    messages = next((items for items in lists if items is not None), None)
    if messages is not None:
        return messages
    if isinstance(value.get("text"), str) and not _RAW_CHOICE.isdisjoint(value):
        return [{"role": "assistant", "content": value["text"]}]
    return None


def _inside(value: Mapping[str, Any], key: str) -> Any:
    inner = value.get(key)
    if isinstance(inner, list) and key in _ONE_OF_MANY:
        return inner[:1]
    return inner if isinstance(inner, list | dict) else None


_DEEPEST = 6
_ONE_OF_MANY = ("choices", "candidates", "generations")
_AROUND = (*_ONE_OF_MANY, "messages", "contents", "output", "message", "content")
_RAW_CHOICE = {"finish_reason", "logprobs", "generation_info", "index"}
_KINDS = {"human", "ai", "function_call", "function_call_output", "constructor"}


def _is_message(value: Any, *, alone: bool = False) -> bool:
    """Whether a value is a message; ``alone`` asks for more, as no list is around it."""
    if not isinstance(value, dict):
        return type(value) is SpokenTurn  # it was checked when it was made
    role = value.get("role", value.get("speaker", value.get("from")))
    if isinstance(role, str):
        return not alone or (role.casefold() in _ROLES and len(value) > 1)
    kind = value.get("type")
    if isinstance(kind, str) and (
        kind in _KINDS or (kind in {"message", "reasoning"} and not alone)
    ):
        return True
    inner = value.get("message")
    if isinstance(inner, dict):
        return not {"role", "content", "kwargs", "lc"}.isdisjoint(inner)
    return "message.role" in value


# An answer, and what may not be taken for one.

_LIKELY = re.compile(
    r'"(?:choices|candidates|generations|messages?(?:\.role)?|role|from|usage\w*|span_id|op_name|object|lc'
    r'|stop_reason|finish_reason|output|type)"\s*:'
)
_MARKS = {
    *(
        "span_id",
        "op_name",
        "stop_reason",
        "finish_reason",
        "finishReason",
        "lc",
        "traceId",
    ),
    *(
        "response_metadata",
        "usage_metadata",
        "usageMetadata",
        "run_type",
        "span_attributes",
    ),
}


def is_envelope(value: Any) -> bool:
    """Whether an object is a maker's wrapping around an answer, by its usual keys."""
    if isinstance(value, list):
        return bool(value) and all(map(is_envelope, value[:3]))
    if not isinstance(value, dict):
        return False
    if not _MARKS.isdisjoint(value) or (
        http_code(value) and is_envelope(unpacked(value["body"]))
    ):
        return True
    kind = value.get("object")
    usage = value.get("usage")
    if isinstance(kind, str) and kind.startswith(
        ("chat.", "response", "text_completion")
    ):
        return True
    if isinstance(usage, dict) and any("token" in str(key) for key in usage):
        return True
    return any(
        isinstance(held := value.get(key), list)
        and bool(held)
        and isinstance(held[0], dict | list)
        for key in _ONE_OF_MANY
    )


_SAYS = {"role", "content"}


def http_code(value: Any) -> int:
    """The status code of a server's answer in a log of requests; 0 for any other value."""
    if not isinstance(value, dict) or "body" not in value:
        return 0
    for key in ("status", "status_code", "statusCode"):
        if key in value:
            code = value[key]
            break
    else:
        # A body alone, or with headers, was answered well.
        code = 200 if value.keys() <= {"body", "headers"} else 0
    if isinstance(code, str) and re.match(r"[1-5]\d\d\b", code):  # as in *200 OK*
        code = int(code[:3])
    return code if type(code) is int and 100 <= code < 600 else 0


def asked(value: Any) -> tuple[str | None, Talk | None]:
    """The question of a call: a text, or the conversation.

    Raises:
        UnknownEnvelope: If it is wrapped in an object of an unknown form.
    """
    opens = value[:1] if isinstance(value, str) else "["
    if opens != "[" and (opens != "{" or not _LIKELY.search(value)):
        return value, None
    opened = unpacked(value, ITEMS_LATER)
    while type(opened) is dict and (code := http_code(opened)):
        inside = unpacked(opened["body"], ITEMS_LATER)
        failed = isinstance(inside, dict) and isinstance(inside.get("error"), dict)
        if opens == "{" and not (failed or is_envelope(inside)):
            break  # the model's own JSON
        if code >= 400:  # HTTP's, for a call that failed
            return None, None
        value = opened["body"]
        opened = inside
    items = _in_list(opened, 0) if type(opened) is list else messages_in(opened)
    spoken = Talk(items, len(items)) if items else None
    if spoken is None and isinstance(opened, list):
        opened = [*map(unpacked, opened)]
        value = value if isinstance(value, str) else opened
    pieces = opened if spoken is None and isinstance(opened, list) else []
    if pieces and all(isinstance(piece, dict) and is_part(piece) for piece in pieces):
        spoken = Talk([{"role": "user", "content": opened}], 1)
    if spoken is not None:
        return None, spoken
    if isinstance(opened, dict) and (
        not opened
        or any(opened.get(key) == [] for key in _AROUND)
        or isinstance(opened.get("error"), dict)
    ):
        return None, None
    if is_envelope(opened):
        raise UnknownEnvelope
    return text(value), None


def answer(value: Any) -> tuple[str | None, tuple[ToolCall, ...]]:
    """The answer of a call, as text and tool calls; for a conversation, its end.

    Raises:
        UnknownEnvelope: If it is wrapped in an object of an unknown form.
    """
    # Two short cuts for what most logs hold: a plain message, and a list of a single one as text.
    if type(value) is dict and value.keys() == _SAYS and value["role"] == "assistant":
        content = value["content"]
        if type(content) is str:
            return content, ()
    if type(value) is str and value[:1] == "[":
        with suppress(msgspec.MsgspecError, ValueError):
            lone = _spoken_turn(*_LONE_TURN(value))
            if lone is not None:
                return lone.content, ()
    content, spoken = asked(value)
    if spoken is None:
        return content, ()
    if len(spoken) == 1:
        turn = spoken.turn(0)
        return turn.content or (None if turn.calls else ""), turn.calls
    turns = _last_answer(spoken.turns)
    calls = tuple(call for turn in turns for call in turn.calls)
    content = "\n".join(turn.content for turn in turns if turn.content)
    return content or (None if calls else ""), calls


def _last_answer(turns: Sequence[SpokenTurn]) -> Sequence[SpokenTurn]:
    """The last run of the assistant's turns, whatever follows; all turns where there is none."""
    end = len(turns)
    while end and turns[end - 1].role != "assistant":
        end -= 1
    begin = end
    while begin and turns[begin - 1].role == "assistant":
        begin -= 1
    return turns[begin:end] if end else turns


def passages(value: Any) -> tuple[str, ...] | None:
    """Contexts: texts, or objects with a text each; None without any."""
    value = unpacked(value)
    if isinstance(value, str) and value[:2] in {"['", '["'}:  # as Python writes a list
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(value) if len(value) <= _LONGEST_LITERAL else value
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        return None
    return tuple([passage for item in value if (passage := _passage(item)) is not None])


_LONGEST_LITERAL = 1 << 20  #: Characters.


def _passage(passage: Any) -> str | None:
    """The text of a passage; None where it has none."""
    if isinstance(passage, dict):
        if type(passage.get("text")) is str:
            return passage["text"]  # type: ignore[no-any-return]  # just looked at
        passage = as_mapping(passage.get("document")) or passage
        keys = ("text", "content", "page_content", "document", "document.content")
        return next(
            (passage[key] for key in keys if isinstance(passage.get(key), str)), None
        )
    return passage if isinstance(passage, str) else None


def reference(value: Any) -> str | None:
    """The right answer; the first one of a list of accepted answers."""
    if isinstance(value, list | tuple) and not messages_in(value):
        value = value[0] if value else None
    spoken = talk(value) if isinstance(value, dict | list) else None
    return text(value) if spoken is None else spoken.turn(len(spoken) - 1).content


def failure_text(value: Any) -> str | None:
    """The text of an error; None for nothing, false and an empty text."""
    value = unpacked(value)
    if isinstance(value, dict):
        value = value.get("message") or dumped(value)
    words = text(value) if value else None
    return None if words is None or words.strip().casefold() in _NOTHING else words


_NOTHING = frozenset({*("", "false", "none", "null", "nan", "ok", "0", "-"), "n/a"})
"""Words in the field for an error of calls without an error."""


def nested(flat: Mapping[str, Any]) -> Any:
    """Dotted keys as objects and lists: ``a.0.b`` means the b in the first item of a."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        at = tree
        *steps, last = key.split(".", 20)
        for step in steps:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at.setdefault(last, value)
    return _listed(tree)


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    inner = {key: _listed(value) for key, value in tree.items()}
    if inner and all(key.isdigit() and key.isascii() and len(key) < 7 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
