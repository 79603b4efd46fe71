"""Values as other tools write them into values as we keep them.

Everything here takes anything and never raises: what can't be understood is missing, which is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from tuneworthy.errors import InputError
from tuneworthy.files.disk import MIB
from tuneworthy.model.evidence import Message, Skipped, ToolCall
from tuneworthy.traces.stream import Limits

# Values as other tools write them into values as we keep them.

# Values as other tools write them into values as we keep them.

Row = dict[str, Any]
"""A trace on its way into a batch: values by the column of ``Batch``; an absent one is None."""

_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "agent": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "developer": "system",
    "function": "tool",
}
_OURS = frozenset({"user", "assistant", "system", "tool"})
_YES = frozenset({"yes", "true", "1", "answerable", "pass", "passed", "correct", "good"})
_NO = frozenset({"no", "false", "0", "unanswerable", "fail", "failed", "incorrect", "bad"})


class SpokenTurn(NamedTuple):
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


def whole(value: Any) -> int | None:
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


def turns(value: Any) -> list[SpokenTurn]:
    """Messages of any make; what is no message is left out."""
    value = unpacked(value)
    if isinstance(value, Mapping):
        value = value.get("messages", [value])
    if not isinstance(value, list | tuple):
        return []
    return [_turn(each) for each in value if isinstance(each, Mapping)]


def _turn(each: Mapping[str, Any]) -> SpokenTurn:
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
    return SpokenTurn(role_of(str(role)), text(content) or "", calls)


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
    found = [one for one in (name(base), name(version)) if one is not None]
    return " ".join(found) or None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """An object as it is; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings_in(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none for anything else."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def first_of(record: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


# Timestamps as seconds, one by one and by the column.

FAR_S = 1e11
"""The year 5138: a larger number counts something smaller than seconds."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


def times(values: Sequence[Any]) -> Sequence[Any]:
    kinds = set(map(type, values))
    if kinds == {float} and min(values) >= 0 and max(values) <= FAR_S:
        return values
    return [None if value is None else _seconds(value) for value in values]


def _seconds(given: datetime | float) -> float | None:
    if isinstance(given, datetime):
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    return when(given)


def when(value: Any) -> float | None:
    """A time as seconds since 1970; a clock without a zone counts as UTC.

    Numbers may count seconds, milliseconds, microseconds or nanoseconds.
    """
    if isinstance(value, datetime):
        moment: datetime | None = value
    else:
        found = number(value)
        if found is not None:
            return _since_1970(found)
        moment = _moment(value)
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def _since_1970(found: float) -> float | None:
    while found > FAR_S:
        found /= 1000
    return found if found >= 0 else None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return msgspec.convert(value, datetime)  # as our own format is decoded at full speed
    except msgspec.ValidationError:
        pass
    if not _ISO.match(value) or len(value) > 64:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", value.removesuffix(" UTC")))
    except ValueError:
        return None


# What of a file could not be used: counted, with the first places.

NOT_JSON = "isn't JSON"
NOT_UTF8 = "isn't UTF-8"
CUT_OFF = "is cut off"
TOO_LONG = "is a line that is too long"
TOO_DEEP = "is nested too deeply"
TOO_MANY = "holds too many lists and objects"
OUT_OF_RANGE = "holds a number that is too large"
NO_OBJECT = "isn't an object"
NO_OUTPUT = "has no output"
NO_CALL = "is no call of a model"
OF_THE_WHOLE = "has amounts of a whole conversation, which belong to no single call"
BELOW_ZERO = "has an amount below zero, which is left out"
TO_COME = "has a time that is still to come, which is left out"
NOTHING_AT = "has nothing at "
"""How a reason begins that names a path of a mapping."""
IN_PART = frozenset({OF_THE_WHOLE, BELOW_ZERO, TO_COME})
"""Reasons that cost a record some of its values; the others are used."""
BROKEN = frozenset({NOT_JSON, NOT_UTF8, TOO_LONG, TOO_DEEP, TOO_MANY, OUT_OF_RANGE})
"""Reasons that say the file is damaged, not just that a record is of no use."""
_PLACES = 10


@dataclass(slots=True)
class SkippedRecords:
    name: str
    """The file, for places."""
    until_s: float = math.inf
    """A later time, in seconds since 1970, is that of a wrong clock."""
    records: int = 0
    """Records seen, the broken ones among them."""
    size: int = 0
    """Bytes or characters of those that were read one by one."""
    reasons: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, why: str, place: int | str) -> None:
        """Count a record; ``place`` is its line, its number or the file inside an archive."""
        self.reasons[why] = self.reasons.get(why, 0) + 1
        known = self.places.setdefault(why, [])
        if len(known) < _PLACES:
            known.append(f"{self.name}:{place}")

    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(
            Skipped(
                why=why,
                n=n,
                where=tuple(self.places[why]),
                in_part=why in IN_PART or why.startswith(NOTHING_AT),
            )
            for why, n in sorted(self.reasons.items())
        )

    def check(self, where: str, limits: Limits) -> None:
        """Refuse a file that is broken rather than scratched.

        Raises:
            InputError: If more records are broken than the limits allow.
        """
        broken = sum(n for why, n in self.reasons.items() if why in BROKEN)
        if broken <= limits.broken_lines or broken <= limits.broken_share * self.records:
            return
        worst = max((why for why in self.reasons if why in BROKEN), key=self.reasons.__getitem__)
        what = (
            f"has {broken} broken records of {self.records}, more than "
            f"{limits.broken_share:.0%}; the first that {worst} is {self.places[worst][0]}"
        )
        raise InputError(what, where=where, fix="fix the file or export it again")


# Our own format, read leniently: one object a trace, or one a whole conversation.

_WORDS = (
    "timestamp conversation_id turn model prompt_name prompt_version messages system input output "
    "tool_calls contexts reference answerable error feedback score label case "
    "latency_s time_to_first_token_s input_tokens output_tokens cached_tokens usd"
)
FIELDS = tuple(_WORDS.split())
AMOUNTS = FIELDS[-6:]
_LAST_ONLY = ("score", "label", "reference", "error", "contexts", "answerable")


def trace_rows(
    record: Mapping[str, Any], tally: SkippedRecords, place: int | str, *, conversation: str
) -> Iterator[Row]:
    """The traces of one record; what can't be used is counted.

    A record with an output is one trace. One with messages and no output is a whole conversation:
    one trace for each answer of the assistant, what was said of the conversation (a score, a
    reference) standing at its last. Amounts of a conversation of several answers are given to none
    of them, and counted as skipped. Messages that end in a question with passages, unjudged,
    are one trace without an output. A conversation of several turns without a name gets that of
    ``conversation``.
    """
    row = _fields(record)
    spoken = turns(record.get("messages"))
    answered = row["output"] is not None or row["tool_calls"]
    alone = answered or _awaits_answer(row, spoken)
    if not alone and any(turn.role == "assistant" for turn in spoken):
        yield from _answers(row, spoken, tally, place, conversation)
    elif alone or any(row[key] is not None for key in (*AMOUNTS, "error")):
        _from_turns(row, spoken, len(spoken))
        yield row
    else:
        tally.skip(NO_OUTPUT, place)


def _awaits_answer(row: Row, spoken: Sequence[SpokenTurn]) -> bool:
    """Whether the last turn is a question with its passages, and no answer yet."""
    passages = row["contexts"] is not None or row["answerable"] is not None
    rated = row["score"] is not None or row["label"] is not None
    return passages and not rated and bool(spoken) and spoken[-1].role == "user"


def _fields(record: Mapping[str, Any]) -> Row:
    get = record.get
    given = get("feedback")
    feedback = given if isinstance(given, Mapping) else {"score": given}
    system, asked = get("system"), get("input")
    row: Row = {key: number(get(key)) for key in AMOUNTS}
    row |= {
        "output": text(get("output")),
        "conversation": name(get("conversation_id")),
        "turn": whole(get("turn")),
        "timestamp": when(get("timestamp")),
        "model": name(get("model")),
        "prompt": prompt_name(get("prompt_name"), get("prompt_version")),
        "system": text(system),
        "tool_calls": tool_calls(get("tool_calls")) or None,
        "contexts": passages(get("contexts")),
        "reference": reference(get("reference")),
        "answerable": yes_no(get("answerable")),
        "error": said(get("error")),
        "score": score(get("score") if get("score") is not None else feedback.get("score")),
        "label": name(get("label")) or name(feedback.get("label")),
        "case": name(get("case")),
    }
    spoken = turns(asked) if isinstance(asked, list) else []
    row["input"] = None if spoken else text(asked)
    if spoken:
        _from_turns(row, spoken, len(spoken))
    return row


def reference(value: Any) -> str | None:
    """The right answer; of a list of accepted ones the first."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return text(value)


def said(value: Any) -> str | None:
    """What went wrong, as text; None for nothing, false and an empty text."""
    if isinstance(value, Mapping):
        value = value.get("message") or dumped(value)
    return text(value) if value else None


def _from_turns(row: Row, spoken: Sequence[SpokenTurn], before: int) -> None:
    """System prompt and newest message from the turns before an answer."""
    if not spoken:
        return
    if row.get("system") is None:
        row["system"] = next((turn.content for turn in spoken if turn.role == "system"), None)
    if row.get("input") is None:
        heard = (spoken[i] for i in range(before - 1, -1, -1))
        row["input"] = next(
            (t.content for t in heard if t.role not in {"assistant", "system"}), None
        )
    row["messages"] = Turns(spoken, before)


def _answers(
    of_all: Row,
    spoken: Sequence[SpokenTurn],
    tally: SkippedRecords,
    place: int | str,
    conversation: str,
) -> Iterator[Row]:
    """One trace for each answer; what was said of the whole conversation stands at the last."""
    answers = [i for i, turn in enumerate(spoken) if turn.role == "assistant"]
    apart = len(answers) > 1
    if apart and any(of_all[key] is not None for key in AMOUNTS):
        tally.skip(OF_THE_WHOLE, place)
    system = of_all["system"]
    if system is None:
        system = next((turn.content for turn in spoken if turn.role == "system"), None)
    heard, told = of_all["input"], 0
    for number, i in enumerate(answers):
        turn, row = spoken[i], dict(of_all)
        before = [t.content for t in spoken[told:i] if t.role not in {"assistant", "system"}]
        heard, told = before[-1] if before else heard, i
        row["output"] = turn.content or (None if turn.calls else "")
        row |= {"tool_calls": turn.calls or None, "system": system, "input": heard}
        row["messages"] = Turns(spoken, i)
        if apart:
            row["conversation"] = row["conversation"] or conversation
            row["turn"] = number
            row |= dict.fromkeys(AMOUNTS)
        if number < len(answers) - 1:
            row |= dict.fromkeys(_LAST_ONLY)
        yield row


# Values that can't be true are left out of a trace, and counted.


def sound(rows: Iterable[Row], tally: SkippedRecords, place: int | str) -> Iterator[Row]:
    """The traces of one record without amounts below zero and times that are still to come.

    They are changed in place; the record is counted once for each reason.
    """
    counted: set[str] = set()
    for row in rows:
        wrong = {key: BELOW_ZERO for key in AMOUNTS if (row.get(key) or 0) < 0}
        if (row.get("timestamp") or 0) > tally.until_s:
            wrong["timestamp"] = TO_COME
        row.update(dict.fromkeys(wrong))
        for why in dict.fromkeys(wrong.values()):
            if why not in counted:
                tally.skip(why, place)
        counted.update(wrong.values())
        yield row


def sound_columns(
    columns: dict[str, Sequence[Any]], tally: SkippedRecords, lines: Callable[[], Sequence[int]]
) -> None:
    """The same for traces as columns; ``lines`` gives the line of each."""
    debts: set[int] = set()
    for amount in AMOUNTS:
        values = columns.get(amount, ())
        if below_zero(values):
            debts |= {n for n, value in enumerate(values) if value is not None and value < 0}
            columns[amount] = drop_negative(values)
    clocks = columns.get("timestamp", ())
    late = set()
    if max(filter(None, clocks), default=0.0) > tally.until_s:
        late = {n for n, clock in enumerate(clocks) if clock is not None and clock > tally.until_s}
        columns["timestamp"] = [None if n in late else clock for n, clock in enumerate(clocks)]
    for why, found in ((BELOW_ZERO, debts), (TO_COME, late)):
        places = lines() if found else ()
        for place in sorted(found):
            tally.skip(why, places[place])


def below_zero(values: Sequence[Any]) -> bool:
    """Whether a column of numbers and None holds one below zero."""
    return min(filter(None, values), default=0) < 0


def drop_negative(values: Sequence[Any]) -> Sequence[Any]:
    """A column of numbers as it is; one below zero is none."""
    if below_zero(values):
        return [None if value is None or value < 0 else value for value in values]
    return values


# JSON of strangers into plain values, without a traceback for any bytes.

T = TypeVar("T")
Bytes = bytes | memoryview | msgspec.Raw
Raws = dict[str, msgspec.Raw]

_MOST_INSIDE, _MOST_RECORDS = 500_000, 5_000_000
"""Lists and objects of a record, and of a list of records that are left as they are: each takes
thirty times its bytes when there is nothing in it."""
_NO_NUMBER = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_HALF = re.compile(
    rb"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\[^u]|(\\u[dD][89a-fA-F]\w\w)", re.DOTALL
)


class BrokenJson(Exception):  # noqa: N818  # a finding that every caller takes, not an error of ours
    """Bytes that can't be used; says why, in a reason of ``tally``."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def decode(data: Bytes, kind: type[T]) -> T:
    """JSON as a type of msgspec; broken JSON says why.

    NaN and infinite numbers, which JSON has no word for, are missing; half a character, as a text
    that was cut by UTF-16 units ends in, becomes the mark for an unreadable one.
    """
    if kind not in (Raws, msgspec.Raw) and has_too_much(
        data, _MOST_RECORDS if kind == list[msgspec.Raw] else _MOST_INSIDE
    ):
        raise BrokenJson(TOO_MANY)
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise BrokenJson(TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError) as caught:
        first = caught
    raw = bytes(data)
    mended = _mended(raw)
    if mended == raw:
        raise BrokenJson(_why(raw, first))
    return decode(mended, kind)


def has_too_much(data: Bytes, most: int = _MOST_INSIDE) -> bool:
    """Whether there are more lists and objects in some JSON than memory should hold."""
    if memoryview(data).nbytes <= MIB:
        return False
    raw = bytes(data)
    return raw.count(b"{") + raw.count(b"[") > most


def _mended(raw: bytes) -> bytes:
    """The bytes with what the fallbacks can repair; equal where there is nothing."""
    mended = raw
    if b"NaN" in raw or b"Infinity" in raw:
        mended = _NO_NUMBER.sub(lambda found: found[1] or b"null", mended)
    if b"\\ud" in raw or b"\\uD" in raw:
        mended = _HALF.sub(lambda found: b"\\ufffd" if found[1] else found[0], mended)
    return mended


def _why(raw: bytes, caught: Exception) -> str:
    if isinstance(caught, msgspec.ValidationError):
        return OUT_OF_RANGE if "out of range" in str(caught) else NO_OBJECT
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
    return NOT_JSON


def decode_object(data: Bytes) -> dict[str, Any]:
    return decode(data, dict[str, Any])


# What a format is: how it is recognised, and how its records become traces.


@dataclass(slots=True)
class ReadContext:
    """What a reader knows of the file beside the record, and what it tells about it."""

    tally: SkippedRecords
    """Where what can't be used is counted."""
    file: str
    """The file, for the names of conversations that have none."""
    notes: list[str] = field(default_factory=list)
    """What the reading has to say, as which of several scores was taken."""

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def traces(self, record: Mapping[str, Any], place: int | str) -> Iterator[Row]:
        """The traces of a record that has our fields."""
        return trace_rows(record, self.tally, place, conversation=f"{self.file}:{place}")


@dataclass(frozen=True, slots=True)
class TraceFormat:
    name: str
    """What people call it."""
    fits: Callable[[Mapping[str, Any]], bool]
    """Whether a record is of it; the values of its keys may be undecoded."""
    rows: Callable[[Mapping[str, Any], int | str, ReadContext], Iterator[Row]] | None = None
    """Traces of a record that was decoded."""
    document: Callable[[Bytes, int | str, ReadContext], Iterator[Row]] | None = None
    """Traces of a large record that the reader decodes by itself."""


def has_any(record: Collection[str], *keys: str) -> bool:
    return any(key in record for key in keys)
