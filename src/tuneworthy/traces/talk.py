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
_THEIRS = {
    "user": "human",
    "assistant": "gpt agent ai model bot chatbot function_call",
    "system": "developer",
    "tool": "function function_call_output tool_result",
}
"""Makers' names of each of our roles."""
_ROLES = {each: each for each in _OURS}
for _ours, _names in _THEIRS.items():
    for _name in _names.split():
        _ROLES[_name] = _ours
_CONTENT = ("content", "parts", "contents", "text", "value", "output")
"""Keys of what a message says; the first with a value counts."""
_CALLING = {"tool_call", "tool_use", "function_call", "functionCall", "toolUse"}
"""Kinds of a part, or its only key, that are a call of a tool."""
_UNSAID = _CALLING | {"reasoning", "thinking", "redacted_thinking"}
"""Kinds of parts without a text for the user."""
_SAYING = {
    "text",
    "input_text",
    "output_text",
    "refusal",
    "tool_result",
    "tool_call_response",
    "image_url",
    "input_image",
    "image",
    "document",
    "file",
    "input_file",
    "input_audio",
}
"""Kinds of parts that hold a text, or stand for a picture, a file or a sound."""
_PIECES = {"text", "functionCall", "functionResponse", "toolUse", "message_content"}
"""Keys of a part that states no kind."""


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
    texts: list[str] = []
    for part in value:
        part_text = _part(part)
        if part_text is not None:
            texts.append(part_text)
    if not texts and value and not any(map(is_part, value)):
        return dumped(value)
    return "\n".join(texts)


def is_part(part: Any) -> bool:
    """Whether an object is a part of a message, by its kind or by its only key."""
    if not isinstance(part, dict):
        return isinstance(part, str)
    kind = part.get("type")
    if isinstance(kind, str):
        if kind in _UNSAID or kind in _SAYING:
            return True
        # an unknown kind, as new ones appear each year
        return isinstance(part.get("text"), str) or isinstance(part.get("content"), str)
    # Beside that key some makers write one more, as a signature.
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
    for key in _TEXT_OF_PART:
        inner = part.get(key)
        if isinstance(inner, dict):  # OpenAI's assistants: {"text": {"value": …}}
            inner = inner.get("value")
        # Anthropic's results
        if isinstance(inner, list) and inner and all(map(is_part, inner)):
            inner = _parts(inner)
        if isinstance(inner, str):
            return inner
    return None


_TEXT_OF_PART = ("text", "content", "refusal", "response", "result")


def tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Tool calls in OpenAI's shape, flat, or as parts of a message."""
    if isinstance(value, str):
        value = unpacked(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        return ()
    calls: list[ToolCall] = []
    for item in value:
        call = _call(item)
        if call is not None:
            calls.append(call)
    return tuple(calls)


def _call(call: Any) -> ToolCall | None:
    """Read a call of a tool in any maker's form; None where it names no tool."""
    if not isinstance(call, dict):
        return None
    if any("." in key for key in call):  # OpenInference's, flat
        call = as_mapping(nested(call))
    for key in ("tool_call", "functionCall", "toolUse"):
        call = as_mapping(call.get(key)) or call
    function = call.get("function")
    if isinstance(function, dict):  # OpenAI's
        call = function
    elif isinstance(function, str):
        call = {"name": function, "arguments": call.get("arguments")}
    tool = name(call.get("name", call.get("toolName")))
    if tool is None:
        return None
    arguments = _first_value(call, ("arguments", "args", "input"))
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        arguments = dumped(arguments)
    return ToolCall(tool, arguments)


def _first_value(mapping: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the first of these keys that has one; None where none has."""
    for key in keys:
        value = mapping.get(key)
        if value is not None:
            return value
    return None


def system_text(value: Any) -> str | None:
    """A system prompt. Its parts may be written as text."""
    if isinstance(value, str) and value[:1] != "[":
        return value
    parts = unpacked(value)
    if isinstance(parts, list) and parts and all(map(is_part, parts)):
        return text(parts)
    # A prompt that only looks like a list stays as it was written.
    return text(value)


# Turns.


def _bare(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message itself, without the objects around it."""
    if "role" in message:
        return message
    if any(key.startswith("message.") for key in message):  # OpenInference, flat
        message = as_mapping(nested(message))
    for key in ("message", "data", "kwargs"):
        inner = message.get(key)
        if not isinstance(inner, dict):
            continue
        # LangChain names the role beside the message, and other makers in it.
        role = _role_by_class(
            message.get("id") if key == "kwargs" else message.get("type")
        )
        if role in _ROLES:
            inner = {"role": role, **inner}
        return _bare(inner)
    return message


def _role_by_class(kind: Any) -> str:
    """LangChain's class of a message as a role: ``AIMessageChunk`` is ``ai``."""
    if isinstance(kind, list) and kind:  # the path of the class, which comes last
        kind = kind[-1]
    class_name = str(kind or "")
    return class_name.removesuffix("Chunk").removesuffix("Message").casefold()


def turn_of(message: Any) -> SpokenTurn:
    """Read a message in any maker's shape."""
    if type(message) is not dict:
        message = as_mapping(unpacked(message))
    message = _bare(message)
    kind = message.get("type")
    if kind == "function_call":
        return SpokenTurn("assistant", "", tool_calls(message))
    if kind == "reasoning":
        return SpokenTurn("assistant", "")
    role = _role_in(message)
    if role == "message":  # an item of OpenAI's Responses, whose kind that is
        role = "assistant"
    content = _first_value(message, _CONTENT)
    return SpokenTurn(role, text(content) or "", _calls_in(message, content))


def _role_in(message: Mapping[str, Any]) -> str:
    """Our name for the role of a message; a message that names none is a user's."""
    for key in ("role", "speaker", "from", "type"):
        if key in message:
            return role_of(str(message[key]))
    return "user"


def _calls_in(message: Mapping[str, Any], content: Any) -> tuple[ToolCall, ...]:
    """The calls of tools in a message: in its own field, or among its parts."""
    # LangChain keeps what is the maker's own apart.
    for fields in (message, as_mapping(message.get("additional_kwargs"))):
        calls = tool_calls(fields.get("tool_calls") or fields.get("function_call"))
        if calls:
            return calls
    if not isinstance(content, list):
        return ()
    return tool_calls([part for part in content if _is_call(part)])


def _is_call(part: Any) -> bool:
    """Whether a part of a message is a call of a tool, by its kind or by a key."""
    if not isinstance(part, dict):
        return False
    return name(part.get("type")) in _CALLING or not _CALLING.isdisjoint(part)


class Talk(Sequence[Message]):
    """The first ``n`` messages of a conversation, each read only when it is needed."""

    __slots__ = ("_items", "_n", "_turns")

    def __init__(
        self, items: list[Any], n: int, turns: dict[int, SpokenTurn] | None = None
    ) -> None:
        self._items = items
        self._n = n
        #: Messages that were read, by their place.
        self._turns: dict[int, SpokenTurn] = {} if turns is None else turns

    def turn(self, place: int) -> SpokenTurn:
        turn = self._turns.get(place)
        if turn is None:
            turn = _turn_of_any(self._items[place])
            self._turns[place] = turn
        return turn

    @property
    def turns(self) -> list[SpokenTurn]:
        return [self.turn(place) for place in range(self._n)]

    @property
    def answers(self) -> list[int]:
        """Places of the assistant's turns."""
        turns = enumerate(self.turns)
        return [place for place, turn in turns if turn.role == "assistant"]

    def first(self, n: int) -> Talk:
        """The same conversation up to a turn. It shares the messages that were read."""
        return Talk(self._items, n, self._turns)

    def system(self) -> str | None:
        """The system prompt; None where the conversation has none."""
        for place in range(self._n):
            turn = self.turn(place)
            if turn.role == "system":
                return turn.content
        return None

    def newest(self) -> str | None:
        """The last message of another role than the assistant's."""
        for place in reversed(range(self._n)):
            turn = self.turn(place)
            if turn.role not in {"assistant", "system"}:
                return turn.content
        return None

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, place: Any) -> Any:
        """A message by its place, or some of them by a slice, as of any sequence."""
        if isinstance(place, slice):
            turns = map(self.turn, range(*place.indices(self._n)))
            return tuple([Message(turn.role, turn.content) for turn in turns])
        if not -self._n <= place < self._n:
            raise IndexError(place)
        # A place below zero counts from the end of these messages, and not of all items.
        turn = self.turn(place % self._n)
        return Message(turn.role, turn.content)


def _turn_of_any(message: Any) -> SpokenTurn:
    """Read a message: decoded or not, or one that was read when the conversation was recognized."""
    if type(message) is SpokenTurn:
        return message
    if type(message) is msgspec.Raw:
        turn = _plain_turn(message)
        if turn is not None:
            return turn
    return turn_of(message)


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
"""Decodes a list of a single message."""
_PLAIN_PARTS = ("text", "input_text", "output_text")
_OPENINGS = LastOfLength()  # first messages, which many conversations share


def _plain_turn(raw: bytes | msgspec.Raw) -> SpokenTurn | None:
    """A message in a usual shape; None in any other."""
    try:
        return _spoken_turn(_PLAIN_TURN(raw))
    except (msgspec.MsgspecError, ValueError):
        return None


def _spoken_turn(turn: _PlainTurn) -> SpokenTurn | None:
    """A message whose content is a text or one part of text; None for any other."""
    content = turn.parts if turn.content is None else turn.content
    if type(content) is list and len(content) == 1:
        (part,) = content
        if part.type in _PLAIN_PARTS:
            content = part.content if part.text is None else part.text
    if type(content) is not str:
        return None
    return SpokenTurn(role_of(turn.role), content)


def _in_list(value: list[Any], depth: int) -> list[Any] | None:
    """The messages of a list; None where it holds none. Only the first and last are checked.

    These two are decoded in place, so that they aren't decoded again.
    """
    if not value:
        return None
    if type(value[0]) is msgspec.Raw and _decode_ends(value):
        return value
    if _is_message(value[0]):
        return value if _is_message(value[-1]) else None
    # a list of one may be a wrapping around the messages
    return messages_in(value[0], depth + 1) if len(value) == 1 else None


def _decode_ends(value: list[Any]) -> bool:
    """Decode the first and last item of a list; True where both are plain messages."""
    last = _plain_turn(value[-1])
    first = last
    if last is not None and len(value) > 1:
        first = _OPENINGS.remember(bytes(value[0]), _plain_turn)
    if first is None or last is None:
        # both are read before one is put back, as they are the same item in a list of one
        last = unpacked(value[-1])
        value[0] = unpacked(value[0])
        value[-1] = last
        return False
    value[0] = first
    value[-1] = last
    return True


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
    for key in _AROUND:
        inner = _inside(value, key)
        messages = messages_in(inner, depth + 1) if inner else None
        if messages is not None:
            return messages
    # a choice of OpenAI's older completions, which is a text without a role
    if isinstance(value.get("text"), str) and not _RAW_CHOICE.isdisjoint(value):
        return [{"role": "assistant", "content": value["text"]}]
    return None


def _inside(value: Mapping[str, Any], key: str) -> Any:
    """The list or object under a key; of several answers to one request, only the first."""
    inner = value.get(key)
    if isinstance(inner, list) and key in _ONE_OF_MANY:
        return inner[:1]
    return inner if isinstance(inner, list | dict) else None


_DEEPEST = 6  #: Objects around a message, of which makers write four at most.
_ONE_OF_MANY = ("choices", "candidates", "generations")
"""Keys of several answers to one request."""
_AROUND = (*_ONE_OF_MANY, "messages", "contents", "output", "message", "content")
"""Keys under which messages stand in a maker's wrapping, in the order of trial."""
_RAW_CHOICE = {"finish_reason", "logprobs", "generation_info", "index"}
"""Keys of an answer that is a text and no message."""
_KINDS = {"human", "ai", "function_call", "function_call_output", "constructor"}
"""Kinds of a message without a role."""


def _is_message(value: Any, *, alone: bool = False) -> bool:
    """Whether a value is a message; ``alone`` asks for more, as no list is around it."""
    if not isinstance(value, dict):
        return type(value) is SpokenTurn  # it was checked when it was made
    role = value.get("role", value.get("speaker", value.get("from")))
    if isinstance(role, str):
        return not alone or (role.casefold() in _ROLES and len(value) > 1)
    kind = value.get("type")
    if isinstance(kind, str) and kind in _KINDS:
        return True
    # Alone, an object of these kinds may be the wrapping around messages.
    if kind in ("message", "reasoning") and not alone:
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
"""A key in a text of JSON that may be a wrapping: without one it is read as it is."""
_MARKS = {
    "span_id",
    "op_name",
    "stop_reason",
    "finish_reason",
    "finishReason",
    "lc",
    "traceId",
    "response_metadata",
    "usage_metadata",
    "usageMetadata",
    "run_type",
    "span_attributes",
}
"""Keys that only makers' wrappings have."""


def is_envelope(value: Any) -> bool:
    """Whether an object is a maker's wrapping around an answer, by its usual keys."""
    if isinstance(value, list):
        # Three items are enough to tell, and a list may be long.
        return bool(value) and all(map(is_envelope, value[:3]))
    if not isinstance(value, dict):
        return False
    if not _MARKS.isdisjoint(value):
        return True
    if http_code(value) and is_envelope(unpacked(value["body"])):
        return True
    kind = value.get("object")
    if isinstance(kind, str) and kind.startswith(_OBJECTS):
        return True
    usage = value.get("usage")
    if isinstance(usage, dict) and any("token" in str(key) for key in usage):
        return True
    for key in _ONE_OF_MANY:
        answers = value.get(key)
        if (
            isinstance(answers, list)
            and answers
            and isinstance(answers[0], dict | list)
        ):
            return True
    return False


_OBJECTS = ("chat.", "response", "text_completion")
"""How the ``object`` of OpenAI's wrappings begins."""


def http_code(value: Any) -> int:
    """The status code of a server's answer in a log of requests; 0 for any other value."""
    if not isinstance(value, dict) or "body" not in value:
        return 0
    code = _stated_code(value)
    if isinstance(code, str) and re.match(r"[1-5]\d\d\b", code):  # as in *200 OK*
        code = int(code[:3])
    return code if type(code) is int and 100 <= code < 600 else 0


def _stated_code(answer: Mapping[str, Any]) -> Any:
    """What a server's answer states as its code; a body alone, or with headers, was answered well."""
    for key in ("status", "status_code", "statusCode"):
        if key in answer:
            return answer[key]
    return 200 if answer.keys() <= {"body", "headers"} else 0


def asked(value: Any) -> tuple[str | None, Talk | None]:
    """The question of a call: a text, or the conversation; neither for an empty wrapping.

    Raises:
        UnknownEnvelope: If it is wrapped in an object of an unknown form.
    """
    if isinstance(value, str) and not _may_be_wrapped(value):
        return value, None
    value, opened = _without_http(value)
    items = _in_list(opened, 0) if type(opened) is list else messages_in(opened)
    if items:
        return None, Talk(items, len(items))
    if isinstance(opened, list):
        opened = [*map(unpacked, opened)]
        # A text stays as it was written, and other values have to be decoded to be written.
        value = value if isinstance(value, str) else opened
        if opened and all(isinstance(each, dict) and is_part(each) for each in opened):
            return None, Talk([{"role": "user", "content": opened}], 1)
    if isinstance(opened, dict) and _is_empty_wrapping(opened):
        return None, None
    if is_envelope(opened):
        raise UnknownEnvelope
    return text(value), None


def _may_be_wrapped(value: str) -> bool:
    """Whether a text may be JSON with a conversation, without decoding it."""
    if value.startswith("{"):
        return _LIKELY.search(value) is not None
    return value.startswith("[")


def _without_http(value: Any) -> tuple[Any, Any]:
    """The body of a server's answer, or the value itself, as it was written and decoded.

    Both are None for a failed request.
    """
    # The model's own JSON may look like a server's answer, if it is an object written as text.
    may_be_the_models = isinstance(value, str) and value.startswith("{")
    decoded = unpacked(value, ITEMS_LATER)
    while type(decoded) is dict:
        code = http_code(decoded)
        if not code:
            break
        body = unpacked(decoded["body"], ITEMS_LATER)
        failed = isinstance(body, dict) and isinstance(body.get("error"), dict)
        if may_be_the_models and not failed and not is_envelope(body):
            break
        if code >= 400:  # HTTP's, for a call that failed
            return None, None
        value = decoded["body"]
        decoded = body
    return value, decoded


def _is_empty_wrapping(value: Mapping[str, Any]) -> bool:
    """Whether an object is a wrapping with an error, or with nothing in it."""
    if not value or isinstance(value.get("error"), dict):
        return True
    return any(value.get(key) == [] for key in _AROUND)


def answer(value: Any) -> tuple[str | None, tuple[ToolCall, ...]]:
    """The answer of a call, as text and tool calls; for a conversation, its end.

    An answer without a text is None where it calls a tool, else empty.

    Raises:
        UnknownEnvelope: If it is wrapped in an object of an unknown form.
    """
    plain = _plain_answer(value)
    if plain is not None:
        return plain, ()
    content, spoken = asked(value)
    if spoken is None:
        return content, ()
    # A single message is the answer, whoever is said to speak.
    turns = spoken.turns if len(spoken) == 1 else _last_answer(spoken.turns)
    calls: list[ToolCall] = []
    for turn in turns:
        calls += turn.calls
    content = "\n".join(turn.content for turn in turns if turn.content)
    if not content and calls:
        return None, tuple(calls)
    return content, tuple(calls)


def _plain_answer(value: Any) -> str | None:
    """The text of the two forms that most logs have, for speed; None for any other.

    They are a message of the assistant, and a list with a single message, written as text.
    """
    if type(value) is dict and value.keys() == _ROLE_AND_CONTENT:
        content = value["content"]
        if value["role"] == "assistant" and type(content) is str:
            return content
    if type(value) is str and value[:1] == "[":
        with suppress(msgspec.MsgspecError, ValueError):
            (message,) = _LONE_TURN(value)
            turn = _spoken_turn(message)
            if turn is not None:
                return turn.content
    return None


_ROLE_AND_CONTENT = {"role", "content"}


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
    if isinstance(value, str):
        value = _as_python_list(value)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        return None
    texts: list[str] = []
    for item in value:
        passage = _passage(item)
        if passage is not None:
            texts.append(passage)
    return tuple(texts)


def _as_python_list(written: str) -> Any:
    """The list in a text as Python writes it, which data frames export; else the text itself."""
    if written[:2] not in {"['", '["'} or len(written) > _LONGEST_LITERAL:
        return written
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return written


_LONGEST_LITERAL = 1 << 20  #: Characters; parsing takes many times its memory.


def _passage(passage: Any) -> str | None:
    """The text of a passage; None where it has none."""
    if not isinstance(passage, dict):
        return passage if isinstance(passage, str) else None
    if type(passage.get("text")) is str:  # the usual form, which needs no search
        return str(passage["text"])
    passage = as_mapping(passage.get("document")) or passage
    for key in ("text", "content", "page_content", "document", "document.content"):
        if isinstance(passage.get(key), str):
            return str(passage[key])
    return None


def reference(value: Any) -> str | None:
    """The right answer; the first one of a list of accepted answers."""
    if isinstance(value, list | tuple) and not messages_in(value):
        value = value[0] if value else None
    spoken = talk(value) if isinstance(value, dict | list) else None
    if spoken is None:
        return text(value)
    # of a conversation, the last message is the right answer
    return spoken.turn(len(spoken) - 1).content


def failure_text(value: Any) -> str | None:
    """The text of an error; None for nothing, false and an empty text."""
    value = unpacked(value)
    if isinstance(value, dict):
        value = value.get("message") or dumped(value)
    words = text(value) if value else None
    if words is None or words.strip().casefold() in _NOTHING:
        return None
    return words


_NOTHING = frozenset({"", "false", "none", "null", "nan", "ok", "0", "-", "n/a"})
"""Words in the field for an error of calls without an error."""


def nested(flat: Mapping[str, Any]) -> Any:
    """Dotted keys as objects and lists: ``a.0.b`` means the b in the first item of a."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *steps, last = key.split(".", _MOST_STEPS)
        branch = _branch(tree, steps)
        if branch is not None:
            branch.setdefault(last, value)
    return _with_lists(tree)


def _branch(tree: dict[str, Any], steps: Sequence[str]) -> dict[str, Any] | None:
    """The object at some steps, made if it isn't there; None where a value is in the way.

    So ``a.b`` is left out behind a plain ``a``.
    """
    branch = tree
    for step in steps:
        inner = branch.setdefault(step, {})
        if not isinstance(inner, dict):
            return None
        branch = inner
    return branch


_MOST_STEPS = 20  #: Of a dotted key; a stranger's key may hold any number of dots.


def _with_lists(tree: Any) -> Any:
    """The same tree, with a list in place of each object whose keys are all numbers."""
    if not isinstance(tree, dict):
        return tree
    inner = {key: _with_lists(value) for key, value in tree.items()}
    if inner and all(map(_is_place, inner)):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _is_place(key: str) -> bool:
    """Whether a key is a place in a list. A number of seven digits is rather an id."""
    return key.isascii() and key.isdigit() and len(key) < 7
