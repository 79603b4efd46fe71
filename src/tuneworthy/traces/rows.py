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
    SpokenTurn,
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
    "latency_s",
    "time_to_first_token_s",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "usd",
)
"""Columns of amounts, which belong to a single call and are never below zero."""
NUMBERS = frozenset({*AMOUNTS, "score", "feedback", "turn", "timestamp"})
"""Our fields that are numbers, or may be."""
_OF_THE_LAST = ("score", "label", "reference", "error", "contexts", "answerable")
"""Columns that say something of a whole conversation, and go to its last answer."""
_TEXTS = frozenset({str, type(None)})  #: Types of a column of texts,
_NUMBERS = frozenset({float, type(None)})  #: of fractions,
_WHOLE = _NUMBERS | {int}  #: and of any numbers.
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
        if text not in self.notes:
            self.notes.append(text)


# Columns of strangers into ours: as they are where their types say that nothing is to do.


def has_value(values: Column) -> bool:
    """Whether at least one value isn't None; False for no values."""
    # Mostly the first value tells, and comparing None with None is fast.
    return bool(values) and (values[0] is not None or values.count(None) < len(values))


def _each(values: Column, make: Callable[[Any], Any]) -> Column:
    return [None if value is None else make(value) for value in values]


def _names(values: Column) -> Column:
    """A column of short names."""
    are_names = set(map(type, values)) <= _TEXTS and "" not in values
    return values if are_names else _each(values, name)


def _amounts(values: Column) -> Column:
    """A column of numbers, in one step where all have one form."""
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return values
    if kinds <= _WHOLE or kinds <= _TEXTS:
        # A text that is no number, or a number that is too large, needs a look at each value.
        with suppress(OverflowError, ValueError):
            numbers = [None if value is None else float(value) for value in values]
            if all(map(math.isfinite, filter(None, numbers))):
                return numbers
    return _each(values, number)


def _systems(values: Column) -> Column:
    """A column of system prompts. A text may be a list of parts, written as JSON."""
    if not set(map(type, values)) <= _TEXTS:
        return _each(values, system_text)
    has_parts = any(value and value[0] == "[" for value in values)
    return _each(values, system_text) if has_parts else values


def _times(values: Column) -> Column:
    """A column of times in seconds since 1970, in one step where all have one form."""
    kinds = set(map(type, values))
    if kinds == {float} and min(values) >= 0 and max(values) <= FAR_S:
        return values
    if kinds == {str}:
        in_nanoseconds = nanoseconds(values)
        if in_nanoseconds and min(in_nanoseconds) >= _FIRST_NANOSECOND:
            return [_as_when_counts(moment) for moment in in_nanoseconds]
        # One text that isn't ISO 8601 needs a look at each.
        with suppress(msgspec.ValidationError, OverflowError, ValueError):
            moments = msgspec.convert(values, list[datetime])
            return [_seconds_since_1970(moment) for moment in moments]
    return _each(values, when)


_FIRST_NANOSECOND = 10**18
"""In September 2001. A smaller number of nineteen digits has zeros in front, and is none."""


def _as_when_counts(moment_ns: int) -> float:
    """Seconds of nanoseconds, rounded as by ``when``, which divides by a thousand three times."""
    return float(moment_ns) / 1000 / 1000 / 1000


def _seconds_since_1970(moment: datetime) -> float:
    """A time without a zone counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _by(make: Callable[[Any], Any]) -> Callable[[Column], Column]:
    """A reader of a column that reads value by value."""
    return lambda values: _each(values, make)


def _tool_calls(value: Any) -> Any:
    return tool_calls(value) or None


def _size_of_tools(value: Any) -> float:
    """The number of characters of the tools that a request offered, as JSON."""
    written = value if type(value) is str else dumped(value)
    return float(len(written))


def _score(value: Any) -> float | None:
    """The score; of several, the first."""
    if isinstance(value, list) and value:
        value = value[0]
    return score(value)


_READERS: dict[str, Callable[[Column], Column]] = {
    "conversation_id": _names,
    "turn": _by(whole),
    "timestamp": _times,
    "model": _names,
    "provider": _names,
    "system": _systems,
    "tool_calls": _by(_tool_calls),
    "tools": _by(_size_of_tools),
    "contexts": _by(passages),
    "reference": _by(reference),
    "answerable": _by(yes_no),
    "error": _by(failure_text),
    "finish": _names,
    "score": _by(_score),
    "label": _names,
    "case": _names,
    "group": _names,
}
"""For each field, which names its column: the function that reads the values of other tools."""
for _amount in AMOUNTS:
    _READERS[_amount] = _amounts
FIELDS = (
    *_READERS,
    "prompt_name",
    "prompt_version",
    "messages",
    "input",
    "output",
    "feedback",
    "status",
    "refusal",
)
"""Our fields, as a mapping names them."""


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
    unknown: set[int] = set()  #: Rows whose text is in an unknown envelope.
    made = _read_answers(fields, none, unknown)
    spoken = [*_each(fields.get("messages", none), talk)]
    # Only messages in a field of their own may be a whole conversation, so this comes before
    # ``_questions``, which adds the conversations that were a question.
    splits = [conversation is not None for conversation in spoken]
    if "input" in fields:
        made |= _questions(fields["input"], made, spoken, unknown)
    kinds = _kinds(made, spoken, splits, unknown)
    _count_useless(kinds, unknown, places, context.tally)
    if has_value(spoken):
        made |= _fill_from_turns(made, spoken, kinds, none)
    if "system" in made:
        made["system"] = _shared_texts(made["system"], context.known)
    made.setdefault("output", none)
    if "split" in kinds:
        made, places = _split(made, kinds, context, places)
    elif None in kinds:
        # ``compress`` leaves out the rows whose kind is None.
        made = {column: [*compress(v, kinds)] for column, v in made.items()}
        places = [*compress(places, kinds)]
    if not places:
        return None
    _drop_impossible(made, context.tally, places)
    # Every batch has outputs, and other columns only with a value.
    columns = {c: v for c, v in made.items() if c == "output" or has_value(v)}
    return Batch(**columns)  # type: ignore[arg-type]  # columns of any kind


def _read_answers(
    fields: Mapping[str, Column], none: Column, unknown: set[int]
) -> Columns:
    """All that is said of a call's answer: its text, its amounts, its failure and its score.

    The steps follow each other: a refusal replaces a missing output, and a failure takes away an
    output and its amounts. Rows in an unknown envelope are added to ``unknown``.
    """
    made: Columns = {}
    for name_, read in _READERS.items():
        values = read(fields[name_]) if name_ in fields else ()
        if has_value(values):
            # the field is conversation_id, and its column conversation
            made[name_.removesuffix("_id")] = values
    made |= _outputs(fields, made, unknown)
    made |= _ends(fields, made, none)
    made |= _failures(fields, made, none)
    made |= _without_zeros(made)
    made |= _prompts(fields, none)
    if "feedback" in fields:
        made |= _ratings(fields["feedback"], made, none)
    return made


def _count_useless(
    kinds: Sequence[str | None],
    unknown: set[int],
    places: Sequence[Place],
    tally: SkippedRecords,
) -> None:
    """Count the records that are no trace, by their reason."""
    for row, kind in enumerate(kinds):
        if kind is None:
            why = skipped.UNKNOWN_ENVELOPE if row in unknown else skipped.NO_OUTPUT
            tally.skip(why, places[row])


def _shared_texts(texts: Column, known: LastOfLength) -> Column:
    """The same texts, equal ones as one object: a log repeats a long system prompt in each record."""
    return [known.remember(text, str) if text else text for text in texts]


def _understood(
    values: Column, read: Callable[[Any], tuple[Any, Any]], unknown: set[int]
) -> tuple[list[Any], list[Any]]:
    """Texts, and the other values in the envelopes around them, by ``answer`` or ``asked``.

    Rows in an unknown envelope are added to ``unknown`` and have neither.
    """
    texts: list[Any] = []
    others: list[Any] = []
    for row, value in enumerate(values):
        text = value
        other = None
        # Nothing is around a text that doesn't begin like JSON.
        if value is not None and (type(value) is not str or value[:1] in _OPENING):
            try:
                text, other = read(value)
            except UnknownEnvelope:
                unknown.add(row)
                text = None
        texts.append(text)
        others.append(other)
    return texts, others


def _are_texts(values: Column) -> bool:
    """Whether all values are texts without an envelope."""
    if not set(map(type, values)) <= _TEXTS:
        return False
    return not any(value and value[0] in _OPENING for value in values)


def _outputs(fields: Mapping[str, Column], made: Columns, unknown: set[int]) -> Columns:
    """Outputs, and the tool calls in them."""
    values = fields.get("output", ())
    if not values:
        return {}
    if "tool_calls" not in made and _are_texts(values):
        return {"output": values}
    texts, calls_inside = _understood(values, answer, unknown)
    calls = made.get("tool_calls", [None] * len(texts))
    outputs: list[Any] = []
    all_calls: list[Any] = []
    for text, own, inside in zip(texts, calls, calls_inside, strict=True):
        called = own or inside or None
        all_calls.append(called)
        # An empty text beside a call isn't an answer.
        is_only_call = called is not None and not text
        outputs.append(None if is_only_call else text)
    if not has_value(all_calls):
        return {"output": outputs}
    return {"output": outputs, "tool_calls": all_calls}


def _ends(fields: Mapping[str, Column], made: Columns, none: Column) -> Columns:
    """Why models stopped, in one word for every maker, and their texts of refusal as outputs."""
    stops = [finish and stop_of(finish) for finish in made.get("finish", none)]
    outputs = [*made.get("output", none)]
    for row, refusal in enumerate(fields.get("refusal", ())):
        words = plain_text(refusal) if refusal else None
        if words:
            stops[row] = REFUSAL
            outputs[row] = outputs[row] or words
    changed: Columns = {}
    if "refusal" in fields:
        changed["output"] = outputs
    if has_value(stops):
        changed["finish"] = stops
    return changed


def _failures(fields: Mapping[str, Column], made: Columns, none: Column) -> Columns:
    """Errors, also of records with only a code, a level or a state for a failed call.

    A server's text in place of an answer isn't an answer, but the error. A failed call takes nothing
    that an answer takes, so those columns are emptied in its row.
    """
    errors = [*made.get("error", none)]
    outputs = [*made.get("output", none)]
    for row, state in _states(fields):
        failure = None if errors[row] else failure_of(state)
        if failure is not None:
            errors[row] = outputs[row] or failure
            outputs[row] = None
    # A call that stopped in a way that gives no answer has that as its error.
    for row, finish in enumerate(made.get("finish", ())):
        if finish and not errors[row] and is_no_answer(finish):
            errors[row] = finish
    failed = [row for row, error in enumerate(errors) if error is not None]
    if not failed:
        return {}
    changed: Columns = {"error": errors, "output": outputs}
    of_a_test = [case is not None for case in made.get("case", none)]
    for column in made.keys() & {*_OF_AN_ANSWER, "usd"}:
        changed[column] = _without_failed(column, made[column], failed, of_a_test)
    return changed


def _without_failed(
    column: str, values: Column, failed: Sequence[int], of_a_test: Sequence[bool]
) -> Column:
    """A column without its values of failed calls, which say nothing of what an answer takes.

    Two stay: a price that was paid all the same, and the model where several are compared on test
    cases, as a failure is a result there.
    """
    kept = [*values]
    for row in failed:
        was_paid = column == "usd" and values[row]
        is_compared = column == "model" and of_a_test[row]
        if not was_paid and not is_compared:
            kept[row] = None
    return kept


def _states(fields: Mapping[str, Column]) -> Iterator[tuple[int, Any]]:
    """The places of records with the status of their call; a server's answer may hold one, too."""
    for row, state in enumerate(fields.get("status", ())):
        if state is not None:
            yield row, state
    for row, output in enumerate(fields.get("output", ())):
        code = http_code(output) if type(output) is dict else 0
        if code:
            yield row, code


_OF_AN_ANSWER = (
    "model",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "time_to_first_token_s",
)
"""Columns that say what an answer takes."""


def _without_zeros(made: Columns) -> Columns:
    """Amounts without the values that a maker writes for unknown ones.

    Every call reads something, and an answer in words writes something. Reading and writing cost
    something, so a price of 0 means that the maker knows none. Where the first word seems to come
    with the last one, its time is unknown.
    """
    changed: Columns = {}
    read = made.get("input_tokens", ())
    written = made.get("output_tokens", ())
    usd = made.get("usd", ())
    if 0 in read:
        changed["input_tokens"] = [tokens or None for tokens in read]
    if 0 in written:
        outputs = made.get("output", [None] * len(written))
        changed["output_tokens"] = _without_zeros_where(written, outputs)
    if 0 in usd:
        none = [None] * len(usd)
        pairs = zip(read or none, written or none, strict=True)
        # a call without tokens may really cost nothing
        has_tokens = [bool(inward or outward) for inward, outward in pairs]
        changed["usd"] = _without_zeros_where(usd, has_tokens)
    if "time_to_first_token_s" in made and "latency_s" in made:
        pairs = zip(made["time_to_first_token_s"], made["latency_s"], strict=True)
        changed["time_to_first_token_s"] = [_first_token_s(f, w) for f, w in pairs]
    return changed


def _without_zeros_where(amounts: Column, isnt_free: Column) -> Column:
    """Amounts, with None for a 0 in the rows where ``isnt_free`` is true or a text."""
    pairs = zip(amounts, isnt_free, strict=True)
    return [None if amount == 0 and wrong else amount for amount, wrong in pairs]


def _first_token_s(first_s: float | None, whole_s: float | None) -> float | None:
    """The time of the first word; None where all words came at once, without a stream."""
    if first_s is not None and whole_s is not None and first_s >= whole_s * _AT_ONCE:
        return None
    return first_s


#: The share of the whole time after which the first word came with the last.
_AT_ONCE = 0.99


def _prompts(fields: Mapping[str, Column], none: Column) -> Columns:
    """Names of prompts, each followed by its version."""
    if "prompt_name" not in fields and "prompt_version" not in fields:
        return {}
    names = _names(fields.get("prompt_name", none))
    versions = _names(fields.get("prompt_version", none))
    pairs = [*zip(names, versions, strict=True)]
    # A log has few prompts, so each pair is joined once.
    joined = {pair: " ".join(filter(None, pair)) or None for pair in set(pairs)}
    return {"prompt": [joined[pair] for pair in pairs]}


def _ratings(feedback: Column, made: Columns, none: Column) -> Columns:
    """Scores and labels, also where only the feedback has them.

    Feedback is a score itself, or an object with a score and a label.
    """
    scores = [*made.get("score", none)]
    labels = [*made.get("label", none)]
    for row, value in enumerate(feedback):
        if value is None:
            continue
        rating = value if isinstance(value, dict) else {"score": value}
        if scores[row] is None:
            scores[row] = score(rating.get("score"))
        labels[row] = labels[row] or name(rating.get("label"))
    return {"score": scores, "label": labels}


def _questions(
    values: Column, made: Columns, spoken: list[Any], unknown: set[int]
) -> Columns:
    """Questions and system prompts. A question that is a whole conversation is put into ``spoken``."""
    if _are_texts(values):
        return {"input": values}
    inputs, talks = _understood(values, asked, unknown)
    systems = [*made.get("system", [None] * len(inputs))]
    for row, conversation in enumerate(talks):
        if conversation is None:
            continue
        if spoken[row] is not None:
            # The record has its messages elsewhere, too; here only the question counts.
            inputs[row] = conversation.newest()
            continue
        spoken[row] = conversation
        request = as_mapping(values[row])
        if request and systems[row] is None:
            prompt = request.get("system", request.get("instructions"))
            systems[row] = system_text(prompt)
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
    for row, conversation in enumerate(spoken):
        if conversation is None:
            continue
        if systems[row] is None:
            systems[row] = conversation.system()
        # A conversation to be split has a question before each answer.
        if inputs[row] is None and kinds[row] != "split":
            inputs[row] = conversation.newest()
    return {"system": systems, "input": inputs, "messages": spoken}


def _kinds(
    made: Columns,
    spoken: Sequence[Talk | None],
    splits: Sequence[bool],
    unknown: set[int],
) -> list[str | None]:
    """The kind of each record: a trace, a conversation to be split, or None for a useless one.

    ``splits`` says which conversations may be split.
    """
    # The usual case: every record has an output. A log without outputs is looked at row by row.
    if not unknown and None not in made.get("output", (None,)):
        return ["trace"] * len(spoken)
    answered = [False] * len(spoken)
    for column in made.keys() & {*_ANSWERED}:
        pairs = zip(answered, made[column], strict=True)
        answered = [before or value is not None for before, value in pairs]
    kinds: list[str | None] = []
    for row, conversation in enumerate(spoken):
        if answered[row]:
            kinds.append("trace")
        elif row in unknown:
            kinds.append(None)
        else:
            to_split = conversation if splits[row] else None
            kinds.append(_kind_unanswered(made, row, to_split))
    return kinds


_ANSWERED = ("output", "tool_calls", "error")
"""Columns whose value shows that a call came to an end."""


def _kind_unanswered(made: Columns, row: int, heard: Talk | None) -> str | None:
    """The kind of a record without an answer: a trace, or a conversation that holds answers.

    A conversation is to be ``split`` into a trace for each answer. A record without any of these
    is a trace if it has a price or tokens, and otherwise of no use (None).
    """
    if heard:
        # A question whose passages are to be judged is a trace, though nobody answered it yet.
        has_passages = _has_any(made, row, ("contexts", "answerable"))
        is_judged = _has_any(made, row, ("score", "label"))
        ends_with_question = heard.turn(len(heard) - 1).role == "user"
        if has_passages and not is_judged and ends_with_question:
            return "trace"
        if heard.answers:
            return "split"
    return "trace" if _has_any(made, row, AMOUNTS) else None


def _has_any(made: Columns, row: int, names: Sequence[str]) -> bool:
    """Whether a record has a value in one of these columns."""
    return any(field in made and made[field][row] is not None for field in names)


def _split(
    made: Columns,
    kinds: Sequence[str | None],
    context: ReadContext,
    places: Sequence[Place],
) -> tuple[Columns, list[Place]]:
    """Columns with a row for each answer of a conversation, and without useless records."""
    rows: list[Row] = []
    places_of_rows: list[Place] = []
    for n, (place, kind) in enumerate(zip(places, kinds, strict=True)):
        row = {column: values[n] for column, values in made.items()}
        if kind == "split":
            answers = [*_answers(row, context, place)]
            rows += answers
            places_of_rows += [place] * len(answers)
        elif kind is not None:
            rows.append(row)
            places_of_rows.append(place)
    columns: Columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    return columns, places_of_rows


def _answers(record: Row, context: ReadContext, place: Place) -> Iterator[Row]:
    """The row of each answer in a conversation, which is ``record``'s ``messages``.

    The last answer has the score and the reference of the conversation. Its amounts belong to no
    single one of several answers, so these have none.
    """
    spoken: Talk = record["messages"]
    turns = spoken.turns
    last = spoken.answers[-1]
    of_several: Row = {}
    if len(spoken.answers) > 1:
        of_several = _values_of_several(record, context, place)
    question = record.get("input")
    previous = 0
    for nth, i in enumerate(spoken.answers):
        calls = turns[i].calls
        text = turns[i].content
        question = _newest_question(turns[previous:i], question)
        previous = i
        row = {**record, **of_several}
        if of_several:
            row["turn"] = nth
        if i != last:
            row |= dict.fromkeys(_OF_THE_LAST)  # each None
        # An empty text beside a call isn't an answer.
        row["output"] = None if calls and not text else text
        row["tool_calls"] = calls or None
        row["input"] = question
        row["messages"] = spoken.first(i)
        yield row


def _values_of_several(record: Row, context: ReadContext, place: Place) -> Row:
    """The values that each of several answers has in place of its conversation's own.

    Amounts are None, and counted as skipped where the conversation has any. A conversation without
    a name gets one, by which its rows belong together.
    """
    if any(record.get(column) is not None for column in AMOUNTS):
        context.tally.skip(skipped.OF_THE_WHOLE, place)
    values: Row = dict.fromkeys(AMOUNTS)  # each None
    values["conversation"] = record.get("conversation") or f"{context.file}:{place}"
    return values


def _newest_question(turns: Sequence[SpokenTurn], before: Any) -> Any:
    """What was last said to the assistant in some turns; else what was said ``before`` them."""
    for turn in reversed(turns):
        if turn.role not in {"assistant", "system"}:
            return turn.content
    return before


def _drop_impossible(
    made: Columns, tally: SkippedRecords, places: Sequence[Place]
) -> None:
    """Drop amounts below zero and times in the future, counted once for each record."""
    below_zero: set[int] = set()
    for column in AMOUNTS:
        values = made.get(column, ())
        # The quick look: mostly no value is below zero.
        if min(filter(None, values), default=0) < 0:
            rows = {row for row, value in enumerate(values) if value and value < 0}
            made[column] = _without(values, rows)
            below_zero |= rows
    _count_places(skipped.BELOW_ZERO, below_zero, tally, places)
    times = made.get("timestamp", ())
    if max(filter(None, times), default=0) > tally.until_s:
        late = {row for row, time in enumerate(times) if time and time > tally.until_s}
        made["timestamp"] = _without(times, late)
        _count_places(skipped.TO_COME, late, tally, places)


def _count_places(
    why: str, rows: set[int], tally: SkippedRecords, places: Sequence[Place]
) -> None:
    """Count the places of some rows under a reason, in the order of the file.

    The rows of a conversation have one place, which is counted once.
    """
    counted: set[Place] = set()
    for row in sorted(rows):
        if places[row] not in counted:
            counted.add(places[row])
            tally.skip(why, places[row])


def _without(values: Column, rows: set[int]) -> Column:
    """A column in which the values of some rows are missing."""
    return [None if row in rows else value for row, value in enumerate(values)]


# Batches into batches of a good size.


def packed(
    parts: Iterator[Batch], limits: Limits, tally: SkippedRecords
) -> Iterator[Batch]:
    """Join small batches into batches of a good size."""
    waiting: list[Batch] = []
    traces = 0
    closes_at = tally.size + limits.batch_bytes
    for part in parts:
        waiting.append(part)
        traces += len(part)
        if traces >= limits.batch_traces or tally.size >= closes_at:
            yield from _joined(waiting)
            traces = 0
            closes_at = tally.size + limits.batch_bytes
    yield from _joined(waiting)


def _joined(waiting: list[Batch]) -> Iterator[Batch]:
    """Join batches into one, if there are any, and empty the list of them.

    Nothing of a batch is kept here while it is used, as its memory is soon needed for the next.
    """
    if len(waiting) > 1:
        columns: dict[str, list[Any]] = {}
        for column in COLUMNS:
            if any(getattr(part, column) for part in waiting):
                parts = [part.column(column) for part in waiting]
                columns[column] = list(chain.from_iterable(parts))
        waiting[:] = [Batch(**columns)]
    while waiting:
        yield waiting.pop()
