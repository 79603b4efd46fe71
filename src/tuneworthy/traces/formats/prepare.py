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
    lambda: lambda _: ()
)
"""By format, a function that gives the remaining records after a file has ended."""


def prepares(function: Prepare) -> Prepare:
    PREPARE[function.__name__] = function
    return function


# Spans: attributes may stand in the record itself, in a mapping, or in OTLP's list.

_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
_DEEPEST = 20
_SAID = {
    f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")
}
_SAID["gen_ai.choice"] = "assistant"  # conventions until 1.36


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
    *("startTimeUnixNano", "endTimeUnixNano", "traceId", "spanId", "parentSpanId"),
    *("name", "status", "events"),
)
_UNREAD = "traceState kind flags links droppedAttributesCount droppedEventsCount droppedLinksCount"


def _level(inside: str, kind: Any, others: Iterable[str]) -> Any:
    fields: list[Any] = [
        (inside, list[kind]),
        *((other, Any, None) for other in others),
    ]
    return msgspec.defstruct("Level", fields, gc=False, forbid_unknown_fields=True)


_Scope = _level(
    "spans",
    _level("attributes", _Pair, (*_READ, *_UNREAD.split())),
    ("scope", "schemaUrl"),
)
Export = _level(
    "resourceSpans", _level("scopeSpans", _Scope, ("resource", "schemaUrl")), ()
)
"""A line of OTLP in the usual form. Any other line is decoded into plain values."""
EXPORT = msgspec.json.Decoder(Export)
_MOST = 10_000  #: Resources, and scopes of each, as a path goes over them.
_read = attrgetter(*_READ)


def exported(line: Any) -> Iterator[Record]:
    """The spans of such a line, with their attributes by name."""
    for resource in line.resourceSpans[:_MOST]:
        for scope in resource.scopeSpans[:_MOST]:
            for each in scope.spans:
                flat = {
                    pair.key: _attribute_value(pair.value) for pair in each.attributes
                }
                yield {"attributes": flat, **dict(zip(_READ, _read(each), strict=True))}


def _attribute_value(value: _Value) -> Any:
    """The plain value of an OpenTelemetry attribute."""
    if value.string_value is not UNSET:
        return value.string_value
    return (
        _plain(msgspec.to_builtins(value))
        if value.int_value is UNSET
        else value.int_value
    )


def laid_spans(records: list[Any]) -> list[Any] | None:
    """Spans as ``span`` would rearrange them, most unchanged; None where each needs a closer look."""
    attributes = [record.get("attributes") for record in records]
    keys: set[str] = set().union(*records)
    # Each has its attributes by name already, none of them under a dotted key of the record.
    if {*map(type, attributes)} != {dict} or any("." in key for key in keys):
        return None
    if not _AS_LOGS.isdisjoint(keys):
        return None
    names: set[str] = set().union(*attributes)
    # ``llm.0.role`` is an item of a list, which ``span`` puts together.
    if not _ODD.isdisjoint(names) or any(".0." in name_ for name_ in names):
        return None
    if keys.isdisjoint(("events", "status", "status_code", "status_message")):
        return records
    return [_laid(r) if r.get("events") or _failed(r) else r for r in records]


_AS_LOGS = frozenset({"body", "eventName", "event_name", "customDimensions"})
_QUOTED = "langfuse.observation."
_FIRST_MS = "ai.response.msToFirstChunk"
_FIRST_S = "gen_ai.response.time_to_first_chunk"
_ODD = frozenset({"request_data", _FIRST_MS, f"{_QUOTED}completion_start_time"})


@prepares
def span(record: Record, context: ReadContext) -> Iterable[Record]:
    """Attributes by name. Attributes of its events are added where the span lacks them.

    A log record holds one turn of a call, or all of it, and belongs to the span that it names.
    """
    if (
        record.get("body") is not None
        or record.get("eventName")
        or record.get("event_name")
    ):
        return _logged(record)
    laid = _laid(record)
    return () if _is_told_later(laid["attributes"], laid, context) else (laid,)


def _is_told_later(flat: Record, laid: Record, context: ReadContext) -> bool:
    """Whether it is the request of a stream, whose answer Logfire writes as a separate record."""
    # the span is logged again when it has ended
    if flat.get("logfire.span_type") == "pending_span":
        return True
    later = "request_data" in flat and _ANSWERED.isdisjoint(flat) and not laid["failed"]
    if later:
        context.tally.skip(NO_CALL, "stream")
    return later


_ANSWERED = frozenset(
    {
        *("response_data", "gen_ai.output.messages", "gen_ai.response.id"),
        *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    }
)


def _logged(record: Record) -> Iterator[Record]:
    """A log record of OpenTelemetry as a span, with its message as heard or answered."""
    pairs = _pairs(record.get("attributes"))
    name_ = (
        record.get("eventName") or record.get("event_name") or pairs.get("event.name")
    )
    body = _plain(record.get("body"))
    body = unpacked(body)
    own = {**(body if isinstance(body, dict) else {})}
    inner = as_mapping(own.get("message"))
    if name_ in _SAID:
        said = {"role": _SAID[name_], **own, **inner}
        own = {"answered" if name_ == "gen_ai.choice" else "heard": [said]}
    elif name_ is not None and name_ not in _WHOLE:
        own = {}
    span_id = record.get("spanId") or record.get("span_id")
    yield {
        "spanId": span_id,
        "traceId": record.get("traceId") or record.get("trace_id"),
        "attributes": {**own, **pairs},
        "failed": None,
        "timestamp": record.get("observedTimeUnixNano") or record.get("timestamp"),
    }


_WHOLE = frozenset(
    {"gen_ai.client.inference.operation.details", "gen_ai.evaluation.result"}
)


def _laid(record: Record) -> Record:
    """A span with all its attributes flat in one mapping, wherever its exporter puts them."""
    flat = _told_in_events(record["events"]) if record.get("events") else {}
    flat |= {
        key.removeprefix("attributes."): v for key, v in record.items() if "." in key
    }
    flat |= _pairs(record.get("customDimensions"))
    flat |= _pairs(record.get("attributes"))
    if _FIRST_MS in flat and (first := number(flat[_FIRST_MS])) is not None:
        flat[_FIRST_S] = first / 1000
    for key, value in flat.items():
        if key.startswith(_QUOTED) and isinstance(value, str) and value[:1] == '"':
            flat[key] = _opened(value)
    # Logfire's record of a stream that ended
    if "request_data" in flat and "duration" in flat:
        flat["took"] = flat["duration"]
        record = {**record, "end_time": None, "endTimeUnixNano": None}
    for prefix in {key.partition(".0.")[0] for key in flat if ".0." in key}:
        inner = {
            k[len(prefix) + 1 :]: v
            for k, v in flat.items()
            if k.startswith(f"{prefix}.")
        }
        flat.setdefault(prefix, nested(inner))
    return {**record, "attributes": flat, "failed": _failed(record)}


def _failed(record: Record) -> Any:
    """The message of a span that failed; None where it didn't."""
    status = as_mapping(record.get("status"))
    code = str(
        status.get("code", status.get("status_code", record.get("status_code")))
    ).upper()
    if code not in {"2", "ERROR", "STATUS_CODE_ERROR"}:
        return None
    message = (
        status.get("message")
        or status.get("description")
        or record.get("status_message")
    )
    return message or _thrown(record.get("events")) or "error"


def _thrown(events: Any) -> Any:
    """The message of an exception among the events of a span; None without one."""
    for event in mappings_in(unpacked(events)):
        pairs = _pairs(event.get("attributes"))
        if message := pairs.get("exception.message") or pairs.get("exception.type"):
            return message
    return None


def _told_in_events(events: Any) -> dict[str, Any]:
    """The attributes that a span's events hold, with messages as prompt and completion."""
    flat: dict[str, Any] = {}
    for event in mappings_in(unpacked(events)):
        pairs = _pairs(event.get("attributes"))
        kind = name(event.get("name"))
        if kind not in _SAID:
            flat |= pairs
            continue
        body = unpacked(pairs.get("gen_ai.event.content")) or event.get("body") or pairs
        body = as_mapping(as_mapping(body).get("message")) or as_mapping(body)
        heard = {"role": _SAID[kind], **body}
        if kind == "gen_ai.choice":
            flat["gen_ai.completion"] = [heard]
        else:
            flat.setdefault("gen_ai.prompt", []).append(heard)
    return flat


def _pairs(value: Any) -> dict[str, Any]:
    """Attributes by name as plain values, from an object or from OTLP's list of pairs."""
    value = unpacked(value)
    if isinstance(value, dict):
        return value
    pairs: dict[str, Any] = {}
    for each in mappings_in(value):
        typed = each.get("value")
        if isinstance(typed, dict):
            # Most are texts.
            text_ = typed.get("stringValue", UNSET)
            pairs[str(each.get("key"))] = _plain(typed) if text_ is UNSET else text_
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
        return [
            _plain(each, depth + 1)
            for each in (items if isinstance(items, list) else [])
        ]
    if "kvlistValue" in value:
        items = mappings_in(as_mapping(value["kvlistValue"]).get("values"))
        return {
            str(each.get("key")): _plain(each.get("value"), depth + 1) for each in items
        }
    return value


# Inspect: scores of several scorers, tokens with and without the cache, texts stored apart.

_GRADES = {"C": 1, "I": 0, "P": 0.5, "N": 0}
_ATTACHED = "attachment://"
_CACHE = ("input_tokens_cache_read", "input_tokens_cache_write")


@prepares
def inspect(record: Record, context: ReadContext) -> Iterator[Record]:
    """The records of a sample of Inspect.

    Epochs repeat a case, so they share its name. Of several scorers the first one counts, and the
    reading names it. C is 1, I and N are 0, P is a half; NaN means unscored, and so does an error.
    A sample with one answer has the tokens and the time of that call. A sample with several has
    those of the whole sample, which include a grader with the same model. Task arguments, solver
    and settings distinguish two logs of a task.
    """
    run = as_mapping(as_mapping(record.get("^")).get("eval"))
    messages = _with_attachments(record)
    spoken = Talk(messages, len(messages))
    laid = {
        **record,
        "case": f"{run.get('task') or context.file}:{name(record.get('id')) or 'sample'}",
        "arm": _inspect_arm(run),
        "told": spoken.system(),
    }
    failed = bool(record.get("error"))
    if not failed:
        laid |= _grade(record, context)
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
    words = [
        f"{key}={value if isinstance(value, str) else dumped(value)}"
        for key, value in settings.items()
        if value is not None
    ]
    return ", ".join(words)[:200] or None


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
    scores = as_mapping(sample.get("scores") or {"score": sample.get("score")})
    scorer, value = _first_entry(scores)
    if isinstance(value, dict):
        value = value.get("value")
    if value is None:
        return {}
    context.note(f"scored by {scorer}")
    if len(scores) > 1:
        context.note("the first of several")
    if isinstance(value, dict) and value:
        key, value = _first_entry(value)
        context.note(f"of its values the first, {key}")
    word = value if isinstance(value, str) else None
    return {"grade": _GRADES.get(word or "", value), "label": word}


def _first_entry(values: Mapping[str, Any]) -> tuple[str, Any]:
    """The first key with its value; empty and None without keys."""
    for key, value in values.items():
        return key, value
    return "", None


def _amounts(sample: Record, several: bool, run: Record) -> Record:
    """Tokens and seconds of the call; of the whole sample where it has ``several`` answers."""
    output = as_mapping(sample.get("output"))
    if several:
        by_model = as_mapping(sample.get("model_usage"))
        usage = as_mapping(by_model.get(str(run.get("model"))))
    else:
        usage = as_mapping(output.get("usage"))
    latency = None if several else output.get("time")
    return {
        "took": sample.get("total_time") if latency is None else latency,
        "read": _tokens_read(usage),
        "usage": usage,
    }


def _tokens_read(usage: Record) -> float | None:
    """Tokens of the input, including those from the cache, which some versions count separately."""
    read = number(usage.get("input_tokens"))
    if read is None:
        return None
    written = number(usage.get("output_tokens"))
    total = number(usage.get("total_tokens"))
    if total is not None and written is not None and total >= written:
        return max(read, total - written)
    cached = [number(usage.get(key)) or 0 for key in _CACHE]
    return read + sum(cached)


# promptfoo: one row is one answer, a prompt and a provider on a test case.

_LONGEST_LABEL = 80


@prepares
def promptfoo(record: Record, context: ReadContext) -> Iterator[Record]:
    """Rows of promptfoo's version 3, or the cells of a line of version 2's table.

    Right or wrong is ``success``, by the team's own criterion. A row without assertions was never
    judged, and a row with an error (``failureReason`` 2) has no answer, so neither has a score. The
    variables name the case, so that files of one test set can be compared. Cases with equal
    variables are distinguished by their order.
    """
    for row in _cells(record, context) if "outputs" in record else (record,):
        test = as_mapping(row.get("testCase"))
        grading = row.get("gradingResult")
        laid = {
            **row,
            "case": _case(row, test, context),
            "prompt_name": _prompt(row, context),
        }
        for check in mappings_in(test.get("assert")):
            if name(check.get("type")) in {"equals", "similar", "factuality"}:
                laid.setdefault("wanted", check.get("value"))
        # Without assertions every answer counts as passed, though nothing was judged.
        if grading:
            judged = as_mapping(grading).get("reason") != "No assertions"
        else:
            judged = bool(test.get("assert"))
        if judged and row.get("failureReason") != 2:
            passed = row.get("success")
            laid["judged"] = row.get("score")
            laid["label"] = None
            if isinstance(passed, bool):
                laid["judged"] = passed
                laid["label"] = "pass" if passed else "fail"
        yield laid


def _cells(line: Record, context: ReadContext) -> Iterator[Record]:
    """The cells of one line of promptfoo's results, a record each."""
    count = context.state["lines"] = context.state.get("lines", -1) + 1
    top = as_mapping(line.get("^"))
    table = as_mapping(as_mapping(top.get("results")).get("table") or top.get("table"))
    heads = mappings_in(as_mapping(table.get("head")).get("prompts"))
    for column, cell in enumerate(mappings_in(line.get("outputs"))):
        prompt = heads[column] if column < len(heads) else {}
        yield {
            "testIdx": line.get("testIdx", count),
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
    place = row.get("promptIdx")
    label = prompt.get("label") or prompt.get("display") or prompt.get("raw")
    label = " ".join((text(label) or "").split())
    if 0 < len(label) <= _LONGEST_LABEL:
        return label
    ids = context.state.setdefault("prompts", [])
    known = row.get("promptId") or label or place
    if known not in ids:
        ids.append(known)
    return f"prompt {ids.index(known) + 1}" + (
        f": {label[:_LONGEST_LABEL]}…" if label else ""
    )


def _case(row: Record, test: Record, context: ReadContext) -> str:
    """The name of a row's case; rows of one test share it."""
    index = row.get("testIdx")
    rows = context.state.get("rows", 0) + 1
    context.state["rows"] = rows
    variables = test.get("vars") or (row.get("vars") if index is None else None)
    mark = str(index) if index is not None else f"row {rows}"
    if not variables:
        return f"test {mark}" if test or index is not None else mark
    digest = hashlib.sha256(dumped(variables).encode()).hexdigest()[:12]
    owners = context.state.setdefault(digest, [])
    if index is None:
        return digest
    if mark not in owners:
        owners.append(mark)
    place = owners.index(mark)
    return digest if place == 0 else f"{digest}#{place + 1}"


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
    quoted = (
        isinstance(value, str) and value[:1] == '"' == value[-1:] and len(value) > 1
    )
    return (
        unpacked(f"[{value}]")[0]
        if quoted and isinstance(unpacked(f"[{value}]"), list)
        else value
    )


@prepares
def claude_code(record: Record, context: ReadContext) -> Iterator[Record]:
    """Requests from lines of a session. A line that answers the same message continues its request."""
    state = context.state
    message = as_mapping(record.get("message"))
    kind = name(record.get("type"))
    model = message.get("model")
    if (
        kind not in {"user", "assistant"}
        or record.get("isMeta")
        or model == "<synthetic>"
    ):
        return
    asked = state.setdefault("asked", {})
    session = (
        name(record.get("sessionId")) or name(record.get("session_id")),
        name(record.get("agentId")),
    )
    if kind == "user":
        yield from _finished(context)
        asked[session] = [*asked.get(session, []), record]
        return
    held = state.get("held")
    if held is None or held["message"].get("id") != message.get("id"):
        yield from _finished(context)
        heard = asked.get(session, [])
        state["turns"] = turns = state.get("turns", {})
        turns[session] = turns.get(session, -1) + 1
        state["held"] = held = {
            **record,
            "message": {**message, "content": []},
            "turn": turns[session],
            "heard": [as_mapping(each.get("message")) for each in heard[-1:]],
            "asked_at": heard[-1].get("timestamp")
            if heard
            else record.get("timestamp"),
        }
    blocks = message.get("content")
    held["message"]["content"] += blocks if isinstance(blocks, list) else [blocks or ""]
    held["message"]["usage"] = message.get("usage") or held["message"].get("usage")
    held["timestamp"] = record.get("timestamp")
    if record.get("isApiErrorMessage"):
        held["failed"] = text(held["message"]["content"]) or "error"


def _finished(context: ReadContext) -> Iterator[Record]:
    if (held := context.state.pop("held", None)) is not None:
        yield held


FINISH["claude_code"] = _finished


@prepares
def evals(record: Record, context: ReadContext) -> Iterator[Record]:
    """A call with the score of its sample. The events of a sample are next to each other."""
    state = context.state
    data = as_mapping(record.get("data"))
    if spec := as_mapping(record.get("spec")):
        state["spec"] = spec
    kind = record.get("type")
    sample = str(record.get("sample_id"))
    if kind == "sampling":
        state.setdefault("open", {})[sample] = record
        return
    judged = data.get("correct", data.get("score", data.get("accuracy")))
    call = state.get("open", {}).pop(sample, None) if judged is not None else None
    if call is not None:
        wanted = data.get("expected", data.get("ideal"))
        yield from _sampled(call, context, {"judged": judged, "wanted": wanted})


def _sampled(call: Record, context: ReadContext, more: Record) -> Iterator[Record]:
    """Give a call the model and the case that the run's specification names."""
    spec = as_mapping(context.state.get("spec"))
    models = spec.get("completion_fns") or as_mapping(spec.get("model_names")).values()
    named = {
        "model": as_mapping(call.get("data")).get("model") or next(iter(models), None),
        "case": f"{spec.get('eval_name') or context.file}:{call.get('sample_id')}",
    }
    yield {**call, **named, **more}


def _unjudged(context: ReadContext) -> Iterator[Record]:
    for call in context.state.get("open", {}).values():
        yield from _sampled(call, context, {})


FINISH["evals"] = _unjudged
_TASK = re.compile(
    r"(?:samples_)?(.*?)(?:_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl?(?: \(\d+\))?"
)


@prepares
def lm_eval(record: Record, context: ReadContext) -> Iterator[Record]:
    """A sample. The file's name holds its task, and the folder's name its model."""
    responses = unpacked(record.get("filtered_resps") or record.get("resps"))
    first = responses[0] if isinstance(responses, list) and responses else responses
    if isinstance(first, list) and len(first) == 1:
        first = first[0]
    metrics = unpacked(record.get("metrics"))
    names = metrics if isinstance(metrics, list) and metrics else _METRICS
    score = next(
        (record[key] for key in names if isinstance(key, str) and key in record), None
    )
    task = _TASK.fullmatch(context.file)
    yield {
        **record,
        "text": first if isinstance(first, str) else None,
        "judged": score,
        "case": f"{task[1] if task else context.file}:{record.get('doc_id')}",
        "model": context.folder.replace("__", "/", 1),
    }


_METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "f1", "em", "bleu", "rouge1")
