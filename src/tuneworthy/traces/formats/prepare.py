"""Rearrangement of records that a field map can't describe, before its paths are followed.

Each function takes a record, which may be None at the end of a file, and gives those that stand for
it. ``context.state`` keeps what a format has to remember from one to the next.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tuneworthy.traces.rows import ReadContext
from tuneworthy.traces.skipped import NO_CALL
from tuneworthy.traces.talk import Talk, nested, text
from tuneworthy.traces.values import (
    as_mapping,
    dumped,
    mappings_in,
    name,
    number,
    unpacked,
)

Record = Mapping[str, Any]
Prepare = Callable[[Record, ReadContext], Iterable[Record]]
PREPARE: dict[str, Prepare] = {}
FINISH: dict[str, Callable[[ReadContext], Iterable[Record]]] = defaultdict(
    lambda: _nothing_left
)
"""By format, a function that gives the remaining records after a file has ended."""


def _nothing_left(_: ReadContext) -> Iterable[Record]:
    return ()


def prepares(function: Prepare) -> Prepare:
    """Register a function as the preparation that maps call by its name."""
    PREPARE[function.__name__] = function
    return function


# Spans: attributes may stand in the record itself, in a mapping, or in OTLP's list.

_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
"""Keys of OTLP under which a plain value stands."""
_DEEPEST = 20  #: Values inside values; a stranger's file may nest any number.
_ROLE_OF_EVENT = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
"""Events and log records that hold a turn, in OpenTelemetry's conventions until 1.36."""


class _Value(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    string_value: str | UnsetType = UNSET
    int_value: Any = UNSET
    double_value: Any = UNSET
    bool_value: Any = UNSET
    array_value: Any = UNSET
    kvlist_value: Any = UNSET


class _Pair(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    key: str
    value: _Value


_READ = (
    "startTimeUnixNano",
    "endTimeUnixNano",
    "traceId",
    "spanId",
    "parentSpanId",
    "name",
    "status",
    "events",
)
"""Keys of a span that maps read."""
_UNREAD = (
    "traceState",
    "kind",
    "flags",
    "links",
    "droppedAttributesCount",
    "droppedEventsCount",
    "droppedLinksCount",
)


def _level(inside: str, kind: Any, others: Iterable[str]) -> Any:
    """A type for decoding an object with a list under ``inside`` and some other keys, and no more."""
    fields: list[Any] = [(inside, list[kind])]
    # A line may lack the other keys, so they have a default.
    fields += [(other, Any, None) for other in others]
    return msgspec.defstruct("Level", fields, gc=False, forbid_unknown_fields=True)


_Scope = _level(
    "spans", _level("attributes", _Pair, (*_READ, *_UNREAD)), ("scope", "schemaUrl")
)
_Resource = _level("scopeSpans", _Scope, ("resource", "schemaUrl"))
Export = _level("resourceSpans", _Resource, ())
"""A line of OTLP in the usual form. Any other line is decoded into plain values."""
EXPORT = msgspec.json.Decoder(Export)
_MOST = 10_000  #: Resources of a line, and scopes of a resource, that are read.
_read = attrgetter(*_READ)


def exported(line: Any) -> Iterator[Record]:
    """The spans of a line of the type ``Export``, with their attributes by name."""
    for resource in line.resourceSpans[:_MOST]:
        for scope in resource.scopeSpans[:_MOST]:
            for span_ in scope.spans:
                pairs = span_.attributes
                attributes = {pair.key: _attribute_value(pair.value) for pair in pairs}
                fields = dict(zip(_READ, _read(span_), strict=True))
                yield {"attributes": attributes, **fields}


def _attribute_value(value: _Value) -> Any:
    """The plain value of an OpenTelemetry attribute. Most are texts or whole numbers."""
    if value.string_value is not UNSET:
        return value.string_value
    if value.int_value is not UNSET:
        return value.int_value
    return _plain(msgspec.to_builtins(value))


def laid_spans(records: list[Any]) -> list[Any] | None:
    """Spans as ``span`` would rearrange them, most unchanged; None where each needs a closer look.

    It is much faster than ``span``, as it looks at the keys of all the records at once.
    """
    keys: set[str] = set().union(*records)
    if not _have_plain_attributes(records, keys):
        return None
    # Without these, none has an event with attributes, and none failed.
    if keys.isdisjoint(("events", "status", "status_code", "status_message")):
        return records
    spans: list[Any] = []
    for record in records:
        needs_laying = record.get("events") or _failed(record)
        spans.append(_laid(record) if needs_laying else record)
    return spans


def _have_plain_attributes(records: list[Any], keys: set[str]) -> bool:
    """Whether ``span`` would change no attribute of these records, which have these ``keys``."""
    attributes = [record.get("attributes") for record in records]
    if {*map(type, attributes)} != {dict}:
        return False
    # A dotted key of a record is an attribute beside the others.
    if any("." in key for key in keys) or not _AS_LOGS.isdisjoint(keys):
        return False
    names: set[str] = set().union(*attributes)
    # ``llm.0.role`` is an item of a list, which ``span`` puts together.
    return _ODD.isdisjoint(names) and not any(".0." in name_ for name_ in names)


_AS_LOGS = frozenset({"body", "eventName", "event_name", "customDimensions"})
"""Keys of log records."""
#: How attributes begin that are JSON, even for a text.
_QUOTED = "langfuse.observation."
_FIRST_MS = "ai.response.msToFirstChunk"
_FIRST_S = "gen_ai.response.time_to_first_chunk"
_ODD = frozenset({"request_data", _FIRST_MS, f"{_QUOTED}completion_start_time"})
"""Attributes that ``span`` changes, or by which it leaves a span out."""


@prepares
def span(record: Record, context: ReadContext) -> Iterable[Record]:
    """Attributes by name. Attributes of its events are added where the span lacks them.

    A log record holds one turn of a call, or all of it, and belongs to the span that it names.
    """
    has_body = record.get("body") is not None
    if has_body or record.get("eventName") or record.get("event_name"):
        return (_logged(record),)
    laid = _laid(record)
    if laid["attributes"].get("logfire.span_type") == "pending_span":
        return ()  # Logfire writes the span again when it has ended
    if _is_request_of_stream(laid):
        context.tally.skip(NO_CALL, "stream")
        return ()
    return (laid,)


def _is_request_of_stream(laid: Record) -> bool:
    """Whether it is the request of a stream, whose answer Logfire writes as a separate record."""
    attributes = laid["attributes"]
    if "request_data" not in attributes or laid["failed"]:
        return False
    return _ANSWERED.isdisjoint(attributes)


_ANSWERED = frozenset(
    {
        "response_data",
        "gen_ai.output.messages",
        "gen_ai.response.id",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }
)
"""Attributes of a span that has its answer."""


def _logged(record: Record) -> Record:
    """A log record of OpenTelemetry as a span, with its message as heard or answered."""
    pairs = _pairs(record.get("attributes"))
    event = (
        record.get("eventName") or record.get("event_name") or pairs.get("event.name")
    )
    body = unpacked(_plain(record.get("body")))
    attributes = _from_body(event, as_mapping(body))
    return {
        "spanId": record.get("spanId") or record.get("span_id"),
        "traceId": record.get("traceId") or record.get("trace_id"),
        "attributes": {**attributes, **pairs},
        "failed": None,
        "timestamp": record.get("observedTimeUnixNano") or record.get("timestamp"),
    }


def _from_body(event: Any, body: Record) -> Record:
    """The attributes that the body of a log record holds, by the name of its event."""
    if event in _ROLE_OF_EVENT:
        # The body is a message itself, or a choice with one in it.
        message = as_mapping(body.get("message"))
        turn = {"role": _ROLE_OF_EVENT[event], **body, **message}
        key = "answered" if event == "gen_ai.choice" else "heard"
        return {key: [turn]}
    # Without an event's name, the body may hold the attributes themselves.
    if event is None or event in _WHOLE:
        return body
    return {}


_WHOLE = frozenset(
    {"gen_ai.client.inference.operation.details", "gen_ai.evaluation.result"}
)
"""Events whose body holds all of a call, or a score of it."""


def _laid(record: Record) -> Record:
    """A span with all its attributes flat in one mapping, wherever its exporter puts them.

    Of two values of an attribute, the one that stands closer to the span itself counts, so events
    come first and are replaced.
    """
    attributes = _from_events(record["events"]) if record.get("events") else {}
    for key, value in record.items():
        if "." in key:
            attributes[key.removeprefix("attributes.")] = value
    attributes |= _pairs(record.get("customDimensions"))
    attributes |= _pairs(record.get("attributes"))
    _convert_attributes(attributes)
    # Logfire's record of a stream that ended: its own times are those of writing it.
    if "request_data" in attributes and "duration" in attributes:
        attributes["took"] = attributes["duration"]
        record = {**record, "end_time": None, "endTimeUnixNano": None}
    _put_lists_together(attributes)
    return {**record, "attributes": attributes, "failed": _failed(record)}


def _convert_attributes(attributes: dict[str, Any]) -> None:
    """Bring attributes into the unit and the form in which maps read them."""
    first_ms = number(attributes.get(_FIRST_MS))
    if first_ms is not None:
        attributes[_FIRST_S] = first_ms / 1000
    for key, value in attributes.items():
        if key.startswith(_QUOTED) and isinstance(value, str) and value[:1] == '"':
            attributes[key] = _opened(value)


def _put_lists_together(attributes: dict[str, Any]) -> None:
    """Add a list for attributes such as ``llm.0.role``, under the name before the place."""
    prefixes = {key.partition(".0.")[0] for key in attributes if ".0." in key}
    for prefix in prefixes:
        inner: dict[str, Any] = {}
        for key, value in attributes.items():
            if key.startswith(f"{prefix}."):
                inner[key.removeprefix(f"{prefix}.")] = value
        attributes.setdefault(prefix, nested(inner))


def _failed(record: Record) -> Any:
    """The message of a span that failed; None where it didn't."""
    status = as_mapping(record.get("status"))
    code = status.get("code", status.get("status_code", record.get("status_code")))
    # OTLP writes the state as a number, 2 for an error; exporters write its name.
    if str(code).upper() not in {"2", "ERROR", "STATUS_CODE_ERROR"}:
        return None
    # The first text that says something; an empty one doesn't.
    return (
        status.get("message")
        or status.get("description")
        or record.get("status_message")
        or _thrown(record.get("events"))
        or "error"
    )


def _thrown(events: Any) -> Any:
    """The message of an exception among the events of a span; None without one."""
    for event in mappings_in(unpacked(events)):
        pairs = _pairs(event.get("attributes"))
        message = pairs.get("exception.message") or pairs.get("exception.type")
        if message:
            return message
    return None


def _from_events(events: Any) -> dict[str, Any]:
    """The attributes that a span's events hold, with messages as prompt and completion."""
    attributes: dict[str, Any] = {}
    for event in mappings_in(unpacked(events)):
        pairs = _pairs(event.get("attributes"))
        kind = name(event.get("name"))
        if kind not in _ROLE_OF_EVENT:
            attributes |= pairs
            continue
        turn = _turn_of_event(event, pairs, _ROLE_OF_EVENT[kind])
        if kind == "gen_ai.choice":
            attributes["gen_ai.completion"] = [turn]
        else:
            attributes.setdefault("gen_ai.prompt", []).append(turn)
    return attributes


def _turn_of_event(event: Record, pairs: Record, role: str) -> Record:
    """The message of an event, in its content, its body or its attributes ``pairs``.

    ``role`` is the role of the message where it names none itself.
    """
    body = unpacked(pairs.get("gen_ai.event.content")) or event.get("body") or pairs
    whole = as_mapping(body)
    # A choice has its message inside.
    message = as_mapping(whole.get("message")) or whole
    return {"role": role, **message}


def _pairs(value: Any) -> dict[str, Any]:
    """Attributes by name as plain values, from an object or from OTLP's list of pairs."""
    value = unpacked(value)
    if isinstance(value, dict):
        return value
    pairs: dict[str, Any] = {}
    for pair in mappings_in(value):
        typed = pair.get("value")
        if isinstance(typed, dict):
            # Most are texts, which need no search.
            text_ = typed.get("stringValue", UNSET)
            pairs[str(pair.get("key"))] = _plain(typed) if text_ is UNSET else text_
    return pairs


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of OTLP, such as ``{stringValue: …}``, as a plain one."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return value
    for kind in _KINDS:
        if kind in value:
            return value[kind]
    if "arrayValue" in value:
        items = as_mapping(value["arrayValue"]).get("values")
        if not isinstance(items, list):
            return []
        return [_plain(each, depth + 1) for each in items]
    if "kvlistValue" in value:
        items = mappings_in(as_mapping(value["kvlistValue"]).get("values"))
        return {str(i.get("key")): _plain(i.get("value"), depth + 1) for i in items}
    return value


# Inspect: scores of several scorers, tokens with and without the cache, texts stored apart.

_GRADES = {"C": 1, "I": 0, "P": 0.5, "N": 0}
"""Inspect's grades: correct, incorrect, partial, no answer."""
_ATTACHED = "attachment://"
_CACHE = ("input_tokens_cache_read", "input_tokens_cache_write")


@prepares
def inspect(record: Record, context: ReadContext) -> Iterator[Record]:
    """The record of a sample of Inspect, which is one trace.

    Epochs repeat a case, so they share its name. Of several scorers the first one counts, and the
    reading names it. C is 1, I and N are 0, P is a half; NaN means unscored, and so does an error.
    A sample with one answer has the tokens and the time of that call. A sample with several has
    those of the whole sample, which include a grader with the same model. Task arguments, solver
    and settings distinguish two logs of a task.
    """
    run = as_mapping(as_mapping(record.get("^")).get("eval"))
    messages = _with_attachments(record)
    spoken = Talk(messages, len(messages))
    task = run.get("task") or context.file
    laid = {
        **record,
        "case": f"{task}:{name(record.get('id')) or 'sample'}",
        "arm": _inspect_arm(run),
        "told": spoken.system(),
    }
    failed = bool(record.get("error"))
    if not failed:
        laid |= _grade(record, context)
    # A sample that was never run has amounts of nothing.
    if failed or as_mapping(record.get("output")).get("choices"):
        laid |= _amounts(record, len(spoken.answers) > 1, run)
    yield laid


def _inspect_arm(run: Record) -> str | None:
    """A name from the settings that distinguish one log of a task from another; None for none."""
    settings = dict(as_mapping(run.get("task_args")))
    if run.get("solver"):
        settings["solver"] = run["solver"]
        settings |= as_mapping(run.get("solver_args"))
    settings |= as_mapping(run.get("model_generate_config"))
    words: list[str] = []
    for key, value in settings.items():
        if value is not None:
            written = value if isinstance(value, str) else dumped(value)
            words.append(f"{key}={written}")
    return ", ".join(words)[:_LONGEST_ARM] or None


_LONGEST_ARM = 200  #: Characters; settings may hold a whole prompt.


def _with_attachments(record: Record) -> list[Record]:
    """Messages with their long texts, which Inspect stores separately."""
    stored = as_mapping(record.get("attachments"))
    messages: list[Record] = []
    for message in mappings_in(record.get("messages")):
        content = message.get("content")
        if isinstance(content, str) and content.startswith(_ATTACHED):
            text_ = stored.get(content.removeprefix(_ATTACHED), content)
            messages.append({**message, "content": text_})
        else:
            messages.append(message)
    return messages


def _grade(sample: Record, context: ReadContext) -> Record:
    """The grade by the first scorer, with its word if it is one; {} without a score."""
    # Some versions write a single score without its scorer.
    scores = as_mapping(sample.get("scores") or {"score": sample.get("score")})
    scorer = _first_key(scores)
    value = scores.get(scorer)
    if isinstance(value, dict):
        value = value.get("value")
    if value is None:
        return {}
    context.note(f"scored by {scorer}")
    if len(scores) > 1:
        context.note("the first of several")
    if isinstance(value, dict) and value:
        # A scorer may give several values by their names.
        key = _first_key(value)
        value = value[key]
        context.note(f"of its values the first, {key}")
    if isinstance(value, str):
        # A word that is no grade of Inspect's may still be a number.
        return {"grade": _GRADES.get(value, value), "label": value}
    return {"grade": value, "label": None}


def _first_key(values: Mapping[str, Any]) -> str:
    """The first key as the file has them; empty without any."""
    for key in values:
        return key
    return ""


def _amounts(sample: Record, several: bool, run: Record) -> Record:
    """Tokens and seconds of the call; of the whole sample where it has ``several`` answers.

    A sample counts tokens by model, and only those of the model that ``run`` tests are wanted.
    """
    if several:
        by_model = as_mapping(sample.get("model_usage"))
        usage = as_mapping(by_model.get(str(run.get("model"))))
        took = sample.get("total_time")
    else:
        output = as_mapping(sample.get("output"))
        usage = as_mapping(output.get("usage"))
        took = output.get("time")
        if took is None:
            took = sample.get("total_time")
    return {"took": took, "read": _tokens_read(usage), "usage": usage}


def _tokens_read(usage: Record) -> float | None:
    """Tokens of the input, including those from the cache, which some versions count separately."""
    read = number(usage.get("input_tokens"))
    if read is None:
        return None
    written = number(usage.get("output_tokens"))
    total = number(usage.get("total_tokens"))
    # The total always counts the cache. Where ``read`` is more, the total leaves something out.
    if total is not None and written is not None and total >= written:
        return max(read, total - written)
    cached = [number(usage.get(key)) or 0 for key in _CACHE]
    return read + sum(cached)


# promptfoo: one row is one answer, a prompt and a provider on a test case.

_LONGEST_LABEL = 80


@prepares
def promptfoo(record: Record, context: ReadContext) -> Iterator[Record]:
    """Rows of promptfoo's version 3, or the cells of a line of version 2's table.

    The variables name the case, so that files of one test set can be compared. Cases with equal
    variables are distinguished by their order.
    """
    rows: Iterable[Record] = (record,)
    if "outputs" in record:  # a line of version 2's table
        rows = _cells(record, context)
    for row in rows:
        test = as_mapping(row.get("testCase"))
        laid = {
            **row,
            "case": _case(row, test, context),
            "prompt_name": _prompt(row, context),
        }
        for check in mappings_in(test.get("assert")):
            # These compare with the right answer; of several the first counts.
            if name(check.get("type")) in {"equals", "similar", "factuality"}:
                laid.setdefault("wanted", check.get("value"))
        yield {**laid, **_promptfoo_score(row, test)}


_NO_ANSWER = 2  #: promptfoo's ``failureReason`` of a row that ended with an error.


def _promptfoo_score(row: Record, test: Record) -> Record:
    """The score of a row: ``success``, by the team's own criterion, else its number.

    {} for a row that was never judged, as it has no assertions, or that has no answer.
    """
    grading = row.get("gradingResult")
    # Without assertions every answer counts as passed, though nothing was judged.
    if grading:
        judged = as_mapping(grading).get("reason") != "No assertions"
    else:
        judged = bool(test.get("assert"))
    if not judged or row.get("failureReason") == _NO_ANSWER:
        return {}
    passed = row.get("success")
    if isinstance(passed, bool):
        return {"judged": passed, "label": "pass" if passed else "fail"}
    return {"judged": row.get("score"), "label": None}


def _cells(line: Record, context: ReadContext) -> Iterator[Record]:
    """The cells of one line of promptfoo's results, each as a row of version 3.

    A cell's own fields replace those of its line, except for the prompt and the response, which
    version 2 writes as plain texts.
    """
    # Lines are counted from 0, as promptfoo counts tests.
    line_number = context.state.get("lines", -1) + 1
    context.state["lines"] = line_number
    top = as_mapping(line.get("^"))
    table = as_mapping(as_mapping(top.get("results")).get("table") or top.get("table"))
    prompts = mappings_in(as_mapping(table.get("head")).get("prompts"))
    for column, cell in enumerate(mappings_in(line.get("outputs"))):
        prompt = prompts[column] if column < len(prompts) else {}
        yield {
            "testIdx": line.get("testIdx", line_number),
            "testCase": line.get("test"),
            "provider": prompt.get("provider"),
            "success": cell.get("pass"),
            "^": top,
            **cell,
            "promptIdx": column,
            "prompt": {"raw": cell.get("prompt"), **prompt},
            "response": {
                "output": cell.get("text"),
                **as_mapping(cell.get("response")),
            },
        }


def _prompt(row: Record, context: ReadContext) -> str | None:
    """A name for the prompt: its label if that is short, or its beginning with a number.

    A prompt has one id with every provider, while its place counts providers, too.
    """
    prompt = as_mapping(row.get("prompt"))
    # Versions name it differently, and without a name its text stands for it.
    written = prompt.get("label") or prompt.get("display") or prompt.get("raw")
    label = " ".join((text(written) or "").split())
    if label and len(label) <= _LONGEST_LABEL:
        return label
    ids = context.state.setdefault("prompts", [])
    own = row.get("promptId") or label or row.get("promptIdx")
    if own not in ids:
        ids.append(own)
    numbered = f"prompt {ids.index(own) + 1}"
    return f"{numbered}: {label[:_LONGEST_LABEL]}…" if label else numbered


def _case(row: Record, test: Record, context: ReadContext) -> str:
    """The name of a row's case; rows of one test share it.

    It is made of the test's variables, and of its place where it has none.
    """
    rows = context.state.get("rows", 0) + 1
    context.state["rows"] = rows
    index = row.get("testIdx")
    variables = test.get("vars")
    if index is None:
        # Without its test's place, only a row's own variables tell tests apart.
        variables = variables or row.get("vars")
        if variables:
            return _short_digest(variables)
        return f"test row {rows}" if test else f"row {rows}"
    if not variables:
        return f"test {index}"
    return _numbered_digest(variables, str(index), context)


def _numbered_digest(variables: Any, index: str, context: ReadContext) -> str:
    """A name for a test by its variables; tests with equal ones are numbered as they come.

    ``index`` is the place of the test, by which its rows are known again.
    """
    digest = _short_digest(variables)
    tests = context.state.setdefault(digest, [])
    if index not in tests:
        tests.append(index)
    number_ = tests.index(index) + 1
    return digest if number_ == 1 else f"{digest}#{number_}"


def _short_digest(value: Any) -> str:
    """A name for a value, equal for equal values."""
    return hashlib.sha256(dumped(value).encode()).hexdigest()[:12]


# Others.


@prepares
def json_attributes(record: Record, _: ReadContext) -> Iterator[Record]:
    """MLflow's attributes. Each of them is JSON written as text."""
    pairs = _pairs(record.get("attributes"))
    opened = {key: _opened(value) for key, value in pairs.items()}
    yield {**record, "attributes": opened, "failed": _failed(record)}


def _opened(value: Any) -> Any:
    """Read a value that was written as JSON, even where it is quoted twice."""
    value = unpacked(value)
    if not isinstance(value, str) or len(value) < 2:
        return value
    if not value.startswith('"') or not value.endswith('"'):
        return value
    # Only lists and objects are opened, so the quoted text is put into a list.
    items = unpacked(f"[{value}]")
    return items[0] if isinstance(items, list) else value


@prepares
def claude_code(record: Record, context: ReadContext) -> Iterator[Record]:
    """Read a line of a Claude Code session; a request is yielded once it is complete.

    A line of the assistant that answers the same message continues its request.
    """
    state = context.state
    message = as_mapping(record.get("message"))
    kind = name(record.get("type"))
    # Neither a note of the program nor a text that it writes in the model's place is a call.
    if record.get("isMeta") or message.get("model") == "<synthetic>":
        return
    if kind == "user":
        yield from _finished(context)
        asked = state.setdefault("asked", {})
        asked[_session_of(record)] = record
    elif kind == "assistant":
        request = state.get("open")
        if request is None or request["message"].get("id") != message.get("id"):
            yield from _finished(context)
            request = _new_request(record, message, context)
            state["open"] = request
        _continue_request(request, record, message)


def _session_of(record: Record) -> tuple[str | None, str | None]:
    """The session and, within it, the agent that a line belongs to."""
    session = name(record.get("sessionId")) or name(record.get("session_id"))
    return (session, name(record.get("agentId")))


def _new_request(record: Record, message: Record, context: ReadContext) -> Any:
    """A request with the first line of its answer, still without that line's content."""
    session = _session_of(record)
    turns = context.state.setdefault("turns", {})
    turns[session] = turns.get(session, -1) + 1  # counted from 0
    request = {
        **record,
        "message": {**message, "content": []},
        "turn": turns[session],
        "heard": [],
        "asked_at": record.get("timestamp"),
    }
    # A session that goes on from an older file has no question before its first answer.
    asked = context.state.get("asked", {}).get(session)
    if asked is not None:
        request["heard"] = [as_mapping(asked.get("message"))]
        request["asked_at"] = asked.get("timestamp")
    return request


def _continue_request(request: Any, record: Record, message: Record) -> None:
    """Add a line of the assistant to its request."""
    blocks = message.get("content")
    answer = request["message"]
    answer["content"] += blocks if isinstance(blocks, list) else [blocks or ""]
    # Each line has the tokens of the whole message so far.
    answer["usage"] = message.get("usage") or answer.get("usage")
    request["timestamp"] = record.get("timestamp")
    if record.get("isApiErrorMessage"):
        request["failed"] = text(answer["content"]) or "error"


def _finished(context: ReadContext) -> Iterator[Record]:
    """The open request of a session, which is complete now; nothing where none is open."""
    request = context.state.pop("open", None)
    if request is not None:
        yield request


FINISH["claude_code"] = _finished


@prepares
def evals(record: Record, context: ReadContext) -> Iterator[Record]:
    """Give a call once its sample has a score. The events of a sample are next to each other."""
    state = context.state
    spec = as_mapping(record.get("spec"))
    if spec:  # the first line of a run
        state["spec"] = spec
    open_calls = state.setdefault("open", {})
    sample = str(record.get("sample_id"))
    if record.get("type") == "sampling":
        open_calls[sample] = record
        return
    data = as_mapping(record.get("data"))
    judged = data.get("correct", data.get("score", data.get("accuracy")))
    if judged is not None and sample in open_calls:
        wanted = data.get("expected", data.get("ideal"))
        call = open_calls.pop(sample)
        yield _sampled(call, context, {"judged": judged, "wanted": wanted})


def _sampled(call: Record, context: ReadContext, score: Record) -> Record:
    """A call with its score, and with the model and the case that the run's specification names."""
    spec = as_mapping(context.state.get("spec"))
    models = spec.get("completion_fns")
    if not models:
        models = [*as_mapping(spec.get("model_names")).values()]
    model = as_mapping(call.get("data")).get("model")
    if not model and isinstance(models, list) and models:
        model = models[0]  # of several, the first one is what is tested
    case = f"{spec.get('eval_name') or context.file}:{call.get('sample_id')}"
    return {**call, "model": model, "case": case, **score}


def _unjudged(context: ReadContext) -> Iterator[Record]:
    """The calls of a run that got no score."""
    for call in context.state.get("open", {}).values():
        yield _sampled(call, context, {})


FINISH["evals"] = _unjudged
_TASK = re.compile(
    r"(?:samples_)?(?P<task>.*?)(?:_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl?(?: \(\d+\))?"
)
"""The name of a file of samples, as ``samples_parcels_2026-11-02T08-00-00.000000.jsonl``."""


@prepares
def lm_eval(record: Record, context: ReadContext) -> Iterator[Record]:
    """A sample. The file's name holds its task, and the folder's name its model."""
    responses = unpacked(record.get("filtered_resps") or record.get("resps"))
    match = _TASK.fullmatch(context.file)
    task = match["task"] if match is not None else context.file
    yield {
        **record,
        "text": _first_text(responses),
        "judged": _metric(record),
        "case": f"{task}:{record.get('doc_id')}",
        # the maker writes the slash of a model's name as two low lines
        "model": context.folder.replace("__", "/", 1),
    }


def _first_text(responses: Any) -> str | None:
    """The first of some responses, which may be in a list of its own; None where it is no text."""
    response = responses
    if isinstance(response, list) and response:
        response = response[0]
    # Several values in a list of its own are likelihoods, and no text.
    if isinstance(response, list) and len(response) == 1:
        response = response[0]
    return response if isinstance(response, str) else None


def _metric(record: Record) -> Any:
    """The value of a sample's first metric, by the names it states, else by usual names."""
    stated = unpacked(record.get("metrics"))
    names = stated if isinstance(stated, list) and stated else _METRICS
    for name_ in names:
        if isinstance(name_, str) and name_ in record:
            return record[name_]
    return None


_METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "f1", "em", "bleu", "rouge1")
