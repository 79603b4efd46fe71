"""Records with our fields as traces, column by column. A record is a trace or a conversation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, compress
from typing import Any

import msgspec

from tuneworthy.model.evidence import COLUMNS, Batch
from tuneworthy.traces import skipped
from tuneworthy.traces.outcome import REFUSAL, failure_of, is_no_answer, stop_of
from tuneworthy.traces.skipped import SkippedRecords
from tuneworthy.traces.stream import Limits
from tuneworthy.traces.talk import (
    Talk,
    UnknownEnvelope,
    answer,
    asked,
    failure_text,
    http_code,
    passages,
    reference,
    system_text,
    talk,
    tool_calls,
)
from tuneworthy.traces.talk import text as plain_text
from tuneworthy.traces.values import (
    FAR_S,
    LastOfLength,
    as_mapping,
    dumped,
    name,
    nanoseconds,
    number,
    score,
    when,
    whole,
    yes_no,
)

Column = Sequence[Any]
Columns = dict[str, Column]
"""Values by the column of ``Batch``, or by our field. A column without any value is absent."""
Place = int | str
Row = dict[str, Any]

AMOUNTS = (
    *("latency_s", "time_to_first_token_s"),
    *("input_tokens", "output_tokens", "cached_tokens", "usd"),
)
NUMBERS = frozenset({*AMOUNTS, "score", "feedback", "turn", "timestamp"})
_OF_THE_LAST = ("score", "label", "reference", "error", "contexts", "answerable")
_TEXTS = frozenset({str, type(None)})
_NUMBERS = frozenset({float, type(None)})
_WHOLE = _NUMBERS | {int}
_OPENING = ("[", "{")


@dataclass(slots=True)
class ReadContext:
    """The context of reading a record: its file, and notes for the report about that file."""

    tally: SkippedRecords  #: Where what can't be used is counted.
    file: str  #: The file, for the names of conversations that have none.
    folder: str = ""  #: The folder it lies in, by which some tools name a model.
    notes: list[str] = field(default_factory=list)
    """Notes on the reading, such as which of several scores was used."""
    state: dict[str, Any] = field(default_factory=dict)
    """Values that a format keeps from one record to the next."""
    known: LastOfLength = field(default_factory=LastOfLength)

    def note(self, text: str) -> None:
        self.notes += [] if text in self.notes else [text]


# Columns of strangers into ours: as they are where their types say that nothing is to do.


def has_value(values: Column) -> bool:
    """Whether at least one value isn't None; False for no values."""
    # Mostly the first value tells, and comparing None with None is fast.
    return bool(values) and (values[0] is not None or values.count(None) < len(values))


def _each(values: Column, make: Callable[[Any], Any]) -> Column:
    return [None if value is None else make(value) for value in values]


def _names(values: Column) -> Column:
    quick = set(map(type, values)) <= _TEXTS and "" not in values
    return values if quick else _each(values, name)


def _amounts(values: Column) -> Column:
    """A column of numbers, in one step where all have one form."""
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return values
    if kinds <= _WHOLE or kinds <= _TEXTS:
        with suppress(OverflowError, ValueError):
            made = [None if value is None else float(value) for value in values]
            if all(map(math.isfinite, filter(None, made))):
                return made
    return _each(values, number)


def _systems(values: Column) -> Column:
    quick = set(map(type, values)) <= _TEXTS and not any(
        v and v[0] == "[" for v in values
    )
    return values if quick else _each(values, system_text)


def _times(values: Column) -> Column:
    """A column of times in seconds since 1970, in one step where all have one form."""
    kinds = set(map(type, values))
    if kinds == {float} and min(values) >= 0 and max(values) <= FAR_S:
        return values
    if kinds == {str}:
        counted = nanoseconds(values)
        if counted and min(counted) >= 10**18:
            return [float(each) / 1000 / 1000 / 1000 for each in counted]
        with suppress(msgspec.ValidationError, OverflowError, ValueError):
            moments = msgspec.convert(values, list[datetime])
            return [
                (t if t.tzinfo else t.replace(tzinfo=UTC)).timestamp() for t in moments
            ]
    return _each(values, when)


def _by(make: Callable[[Any], Any]) -> Callable[[Column], Column]:
    return lambda values: _each(values, make)


def _score(value: Any) -> float | None:
    """The score; of several, the first."""
    return score(value[0] if isinstance(value, list) and value else value)


_MADE: dict[str, Callable[[Column], Column]] = {
    "conversation_id": _names,
    "turn": _by(whole),
    "timestamp": _times,
    "model": _names,
    "provider": _names,
    "system": _systems,
    "tool_calls": _by(lambda value: tool_calls(value) or None),
    "tools": _by(
        lambda value: float(len(value if type(value) is str else dumped(value)))
    ),
    "contexts": _by(passages),
    "reference": _by(reference),
    "answerable": _by(yes_no),
    "error": _by(failure_text),
    "finish": _names,
    "score": _by(_score),
    "label": _names,
    "case": _names,
    "group": _names,
} | dict.fromkeys(AMOUNTS, _amounts)
"""For each field, which names its column: the function that reads the values of other tools."""
FIELDS = (
    *(
        *_MADE,
        "prompt_name",
        "prompt_version",
        "messages",
        "input",
        "output",
        "feedback",
    ),
    *("status", "refusal"),
)


def batch_of(
    fields: Mapping[str, Column], places: Sequence[Place], context: ReadContext
) -> Batch | None:
    """The traces of records with these fields; unusable values are counted.

    A record with an output or an error is one trace. One with messages and neither is a whole
    conversation: one trace for each answer of the assistant. Values of the conversation (a score, a
    reference) are put on its last trace. Amounts of a conversation with several answers are given
    to none of them, and counted as skipped. Unjudged messages that end with a question and have
    passages are one trace without an output. A conversation of several turns without a name gets
    one from its file and place.
    """
    none: list[Any] = [None] * len(places)
    made = {
        ours.removesuffix("_id"): values  # of a conversation
        for ours, make in _MADE.items()
        if ours in fields and has_value(values := make(fields[ours]))
    }
    unknown: set[int] = set()
    made |= _answered(fields, made, unknown)
    made |= _refused(fields, made, none)
    made |= _failed(fields, made, none)
    made |= _told_truly(made)
    made |= _named(fields, none)
    if "feedback" in fields:
        made |= _judged(fields["feedback"], made, none)
    spoken = [*_each(fields["messages"], talk)] if "messages" in fields else [*none]
    splits = [each is not None for each in spoken]
    if "input" in fields:
        made |= _heard(fields["input"], made, spoken, unknown)
    kinds = _kinds(made, spoken, splits, unknown)
    for place in (n for n, kind in enumerate(kinds) if kind is None):
        why = skipped.UNKNOWN_ENVELOPE if place in unknown else skipped.NO_OUTPUT
        context.tally.skip(why, places[place])
    if has_value(spoken):
        made |= _fill_from_turns(made, spoken, kinds, none)
    if "system" in made:
        last = context.known.remember
        made["system"] = [last(text, str) if text else text for text in made["system"]]
    made.setdefault("output", none)
    if "split" in kinds:
        rows = _rows(made, kinds, context, places)
        places = [place for place, _ in rows]
        made = {name: [row.get(name) for _, row in rows] for name in COLUMNS}
    elif None in kinds:
        made = {name: [*compress(values, kinds)] for name, values in made.items()}
        places = [*compress(places, kinds)]
    if not places:
        return None
    _sound(made, context.tally, places)
    return Batch(**{k: v for k, v in made.items() if k == "output" or has_value(v)})  # type: ignore[arg-type]  # columns of any kind


def _understood(
    values: Column, read: Callable[[Any], tuple[Any, Any]], unknown: set[int]
) -> tuple[list[Any], list[Any]]:
    """Texts, and the other values in the envelopes around them."""
    pairs: list[tuple[Any, Any]] = []
    for n, value in enumerate(values):
        try:
            plain = value is None or (type(value) is str and value[:1] not in _OPENING)
            pairs.append((value, None) if plain else read(value))
        except UnknownEnvelope:
            unknown.add(n)
            pairs.append((None, None))
    return [text for text, _ in pairs], [more for _, more in pairs]


def _are_texts(values: Column) -> bool:
    texts = set(map(type, values)) <= _TEXTS
    return texts and not any(value and value[0] in _OPENING for value in values)


def _answered(
    fields: Mapping[str, Column], made: Columns, unknown: set[int]
) -> Columns:
    """Outputs, and the tool calls in them."""
    values = fields.get("output", ())
    if not values or ("tool_calls" not in made and _are_texts(values)):
        return {"output": values} if values else {}
    texts, calls = _understood(values, answer, unknown)
    known = made.get("tool_calls", [None] * len(texts))
    calls = [old or new or None for old, new in zip(known, calls, strict=True)]
    texts = [
        text or (None if call else text)
        for text, call in zip(texts, calls, strict=True)
    ]
    return {"output": texts} | ({"tool_calls": calls} if has_value(calls) else {})


def _refused(fields: Mapping[str, Column], made: Columns, none: Column) -> Columns:
    """Why models stopped, in one word for every maker, and their texts of refusal."""
    stops = [finish and stop_of(finish) for finish in made.get("finish", none)]
    outputs = [*made.get("output", none)]
    for n, refusal in enumerate(fields.get("refusal", ())):
        words = plain_text(refusal) if refusal else None
        if words:
            stops[n] = REFUSAL
            outputs[n] = outputs[n] or words
    changed: Columns = {"output": outputs} if "refusal" in fields else {}
    if has_value(stops):
        changed["finish"] = stops
    return changed


def _failed(fields: Mapping[str, Column], made: Columns, none: Column) -> Columns:
    """Errors, also of records with only a code, a level or a state for a failed call.

    A failed call has no tokens that count. Its model is named only where several models are
    compared. A server's text in place of an answer isn't an answer.
    """
    errors = [*made.get("error", none)]
    outputs = [*made.get("output", none)]
    for n, state in _states(fields):
        failure = None if errors[n] else failure_of(state)
        if failure is not None:
            errors[n] = outputs[n] or failure
            outputs[n] = None
    for n, finish in enumerate(made.get("finish", ())):
        if finish and not errors[n] and is_no_answer(finish):
            errors[n] = finish
    failed = [n for n, error in enumerate(errors) if error is not None]
    changed: Columns = {"error": errors, "output": outputs} if failed else {}
    of_a_test = made.get("case", none)
    for column in made.keys() & {*_OF_AN_ANSWER, "usd"} if failed else ():
        values = [*made[column]]
        for n in failed:
            kept = (column == "model" and of_a_test[n] is not None) or (
                column == "usd" and values[n]
            )
            values[n] = values[n] if kept else None
        changed[column] = values
    return changed


def _states(fields: Mapping[str, Column]) -> Iterator[tuple[int, Any]]:
    """The places of records with the status of their call; a server's answer may hold one, too."""
    for n, state in enumerate(fields.get("status", ())):
        if state is not None:
            yield n, state
    for n, output in enumerate(fields.get("output", ())):
        if type(output) is dict and (code := http_code(output)):
            yield n, code


_OF_AN_ANSWER = (
    *("model", "input_tokens", "output_tokens", "cached_tokens"),
    "time_to_first_token_s",
)


def _told_truly(made: Columns) -> Columns:
    """Amounts without the values that a maker writes for unknown ones.

    Every call reads something, and an answer in words writes something. Reading and writing cost
    something, so a price of 0 means that the maker knows none. Where the first word seems to come
    with the last one, its time is unknown.
    """
    changed: Columns = {}
    read = made.get("input_tokens", ())
    if 0 in read:
        changed["input_tokens"] = [each or None for each in read]
    written = made.get("output_tokens", ())
    if 0 in written:
        outputs = made.get("output", [None] * len(written))
        pairs = zip(written, outputs, strict=True)
        changed["output_tokens"] = [None if n == 0 and text else n for n, text in pairs]
    if 0 in made.get("usd", ()):
        used = [made.get(name, [None] * len(made["usd"])) for name in _TOKENS]
        rows = zip(made["usd"], zip(*used, strict=True), strict=True)
        changed["usd"] = [
            None if usd == 0 and any(tokens) else usd for usd, tokens in rows
        ]
    if "time_to_first_token_s" in made and "latency_s" in made:
        pairs = zip(made["time_to_first_token_s"], made["latency_s"], strict=True)
        changed["time_to_first_token_s"] = [
            None
            if first is not None and whole is not None and first >= whole * _AT_ONCE
            else first
            for first, whole in pairs
        ]
    return changed


_TOKENS = ("input_tokens", "output_tokens")
#: Share of the whole time after which a first word says nothing of a stream.
_AT_ONCE = 0.99


def _named(fields: Mapping[str, Column], none: Column) -> Columns:
    """Names of prompts, with their versions."""
    if "prompt_name" not in fields and "prompt_version" not in fields:
        return {}
    named = [
        _names(fields.get(each, none)) for each in ("prompt_name", "prompt_version")
    ]
    known = {
        pair: " ".join(filter(None, pair)) or None
        for pair in set(zip(*named, strict=True))
    }
    return {"prompt": [known[pair] for pair in zip(*named, strict=True)]}


def _judged(feedback: Column, made: Columns, none: Column) -> Columns:
    """Scores and labels, also where only the feedback has them."""
    scores = [*made.get("score", none)]
    labels = [*made.get("label", none)]
    for n, value in enumerate(feedback):
        if value is not None:
            rated = value if isinstance(value, dict) else {"score": value}
            scores[n] = score(rated.get("score")) if scores[n] is None else scores[n]
            labels[n] = labels[n] or name(rated.get("label"))
    return {"score": scores, "label": labels}


def _heard(
    values: Column, made: Columns, spoken: list[Any], unknown: set[int]
) -> Columns:
    """Questions. One that is a whole conversation is put into ``spoken``."""
    if _are_texts(values):
        return {"input": values}
    inputs, talks = _understood(values, asked, unknown)
    systems = [*made.get("system", [None] * len(inputs))]
    for n, heard in enumerate(talks):
        if heard is not None and spoken[n] is None:
            spoken[n] = heard
            beside = as_mapping(values[n])
            if beside and systems[n] is None:
                systems[n] = system_text(
                    beside.get("system", beside.get("instructions"))
                )
        elif heard is not None:
            inputs[n] = heard.newest()
    return {"input": inputs, "system": systems}


def _fill_from_turns(
    made: Columns,
    spoken: Sequence[Talk | None],
    kinds: Sequence[str | None],
    none: Column,
) -> Columns:
    """System prompts and newest messages, from the turns where no other field has them."""
    systems = [*made.get("system", none)]
    inputs = [*made.get("input", none)]
    for n, heard in enumerate(spoken):
        if heard is not None:
            systems[n] = heard.system() if systems[n] is None else systems[n]
            if inputs[n] is None and kinds[n] != "split":
                inputs[n] = heard.newest()
    return {"system": systems, "input": inputs, "messages": spoken}


def _kinds(
    made: Columns,
    spoken: Sequence[Talk | None],
    splits: Sequence[bool],
    unknown: set[int],
) -> list[str | None]:
    """The kind of each record: a trace, a conversation to be split, or None for a useless one."""
    if not unknown and None not in made.get("output", (None,)):
        return ["trace"] * len(spoken)
    kinds: list[str | None] = []
    answered = [False] * len(spoken)
    for column in made.keys() & {*_ANSWERED}:
        pairs = zip(answered, made[column], strict=True)
        answered = [before or value is not None for before, value in pairs]
    for row, heard in enumerate(spoken):
        if answered[row]:
            kinds.append("trace")
        elif row in unknown:
            kinds.append(None)
        else:
            kinds.append(_kind_unanswered(made, row, heard if splits[row] else None))
    return kinds


_ANSWERED = ("output", "tool_calls", "error")


def _kind_unanswered(made: Columns, row: int, heard: Talk | None) -> str | None:
    """The kind of a record without an answer: a trace, or a conversation that holds answers.

    A conversation is to be ``split`` into a trace for each answer. A record without any of these
    is a trace if it has a price or tokens, and otherwise of no use (None).
    """
    if heard:
        # A question whose passages are to be judged is a trace, though nobody answered it yet.
        passages_only = _has_any(made, row, ("contexts", "answerable")) and not (
            _has_any(made, row, ("score", "label"))
        )
        if passages_only and heard.turn(len(heard) - 1).role == "user":
            return "trace"
        if heard.answers:
            return "split"
    return "trace" if _has_any(made, row, AMOUNTS) else None


def _has_any(made: Columns, row: int, names: Sequence[str]) -> bool:
    """Whether a record has a value in one of these columns."""
    return any(field in made and made[field][row] is not None for field in names)


def _rows(
    made: Columns,
    kinds: Sequence[str | None],
    context: ReadContext,
    places: Sequence[Place],
) -> list[tuple[Place, Row]]:
    """The rows of some columns; a record with several answers gives a row for each."""
    rows: list[tuple[Place, Row]] = []
    for n, (place, kind) in enumerate(zip(places, kinds, strict=True)):
        row = {column: values[n] for column, values in made.items()}
        if kind == "split":
            rows += [(place, each) for each in _answers(row, context, place)]
        elif kind is not None:
            rows.append((place, row))
    return rows


def _answers(of_all: Row, context: ReadContext, place: Place) -> Iterator[Row]:
    """One trace for each answer; values of the whole conversation are put on the last one."""
    spoken: Talk = of_all["messages"]
    turns = spoken.turns
    answers = spoken.answers
    apart = len(answers) > 1
    if apart and any(of_all.get(key) is not None for key in AMOUNTS):
        context.tally.skip(skipped.OF_THE_WHOLE, place)
    heard = of_all.get("input")
    start = 0
    for nth, i in enumerate(answers):
        turn = turns[i]
        row = dict(of_all)
        before = [
            t.content for t in turns[start:i] if t.role not in {"assistant", "system"}
        ]
        heard = before[-1] if before else heard
        start = i
        row["output"] = turn.content or (None if turn.calls else "")
        row |= {
            "tool_calls": turn.calls or None,
            "input": heard,
            "messages": spoken.first(i),
        }
        if apart:
            row["conversation"] = row.get("conversation") or f"{context.file}:{place}"
            row["turn"] = nth
            row |= dict.fromkeys(AMOUNTS)
        if nth < len(answers) - 1:
            row |= dict.fromkeys(_OF_THE_LAST)
        yield row


def _sound(made: Columns, tally: SkippedRecords, places: Sequence[Place]) -> None:
    """Drop amounts below zero and times in the future, counted once for each record."""
    wrong: dict[str, set[int]] = {}
    for column in (*AMOUNTS, "timestamp"):
        values = made.get(column, ())
        late = column == "timestamp"
        known = [value for value in values if value]
        if not known or (max(known) <= tally.until_s if late else min(known) >= 0):
            continue
        bad = {
            n
            for n, v in enumerate(values)
            if v and (v > tally.until_s if late else v < 0)
        }
        wrong.setdefault(skipped.TO_COME if late else skipped.BELOW_ZERO, set()).update(
            bad
        )
        made[column] = [None if n in bad else value for n, value in enumerate(values)]
    for why, rows in wrong.items():
        for place in dict.fromkeys(places[n] for n in sorted(rows)):
            tally.skip(why, place)


# Batches into batches of a good size.


def packed(
    parts: Iterator[Batch], limits: Limits, tally: SkippedRecords
) -> Iterator[Batch]:
    """Join small batches into batches of a good size."""
    held: list[Batch] = []
    many = 0
    closes = tally.size + limits.batch_bytes
    for part in parts:
        held.append(part)
        many += len(part)
        if many >= limits.batch_traces or tally.size >= closes:
            yield from _joined(held)
            many = 0
            closes = tally.size + limits.batch_bytes
    yield from _joined(held)


def _joined(held: list[Batch]) -> Iterator[Batch]:
    """Join batches into one, if there are any. Nothing of it is kept here while it is used."""
    if len(held) > 1:
        made: dict[str, list[Any]] = {}
        for column in COLUMNS:
            if any(getattr(part, column) for part in held):
                made[column] = list(
                    chain.from_iterable(part.column(column) for part in held)
                )
        held[:] = [Batch(**made)]
    while held:
        yield held.pop()
