"""OpenTelemetry spans of generative AI: flat attributes, exported spans, or an OTLP export.

Fields: ``gen_ai.*`` attributes of the semantic conventions, which are still in development, and
their old names (``gen_ai.system, gen_ai.prompt, gen_ai.completion, gen_ai.usage.prompt_tokens,
gen_ai.usage.completion_tokens``). Content is opt-in, so a span may come without text. Only calls of
a model count: no embeddings, no tools, no agents around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.traces.fields import (
    NO_CALL,
    Bytes,
    ReadContext,
    Row,
    TraceFormat,
    as_mapping,
    decode_object,
    first_of,
    mappings_in,
    number,
    text,
    turns,
    unpacked,
    when,
)

# Attributes of OpenTelemetry spans, however they were written down.

_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
_DEEPEST = 20


def spans(export: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Spans of an OTLP export in JSON: ``resourceSpans[].scopeSpans[].spans[]``."""
    for resource in mappings_in(export.get("resourceSpans")):
        for key in ("scopeSpans", "instrumentationLibrarySpans"):
            for scope in mappings_in(resource.get(key)):
                yield from mappings_in(scope.get("spans"))


def attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a span by name, those of its events among them where the span lacks them.

    They may stand in the record itself, in a mapping, or in OTLP's list of keys and values.
    """
    found: dict[str, Any] = {}
    for event in mappings_in(record.get("events")):
        found |= _pairs(event.get("attributes"))
    found |= {key: value for key, value in record.items() if "." in key}
    return found | _pairs(record.get("attributes"))


def _pairs(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items() if each is not None}
    return {str(each.get("key")): _plain(each.get("value")) for each in mappings_in(value)}


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of OTLP, ``{stringValue: …}``, as a plain one."""
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return value
    for kind in _KINDS:
        if kind in value:
            return value[kind]
    for kind, inner in (("arrayValue", list), ("kvlistValue", dict)):
        if kind not in value:
            continue
        values = as_mapping(value[kind]).get("values")
        if inner is list:
            return [_plain(each, depth + 1) for each in values or []]
        return {str(e.get("key")): _plain(e.get("value"), depth + 1) for e in mappings_in(values)}
    return value


def indexed(found: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Messages that were flattened into ``prefix.0.role, prefix.0.content, …``."""
    messages: dict[int, dict[str, Any]] = {}
    pattern = re.compile(re.escape(prefix) + r"(\d{1,6})\.(\w+)")
    for key, value in found.items():
        if match := pattern.fullmatch(key):
            messages.setdefault(int(match[1]), {})[match[2]] = value
    return [messages[number] for number in sorted(messages)]


# OpenTelemetry spans of generative AI: flat attributes, exported spans, or an OTLP export.

_CALLS = frozenset({"chat", "text_completion", "generate_content", "completion"})
_START = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "timestamp")
_END = ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")


def _is_span(record: Mapping[str, Any]) -> bool:
    return any(key.startswith("gen_ai.") for key in record) or (
        "attributes" in record
        and "output" not in record
        and any(key in record for key in (*_START, "traceId", "context"))
    )


def _export(raw: Bytes, place: int | str, context: ReadContext) -> Iterator[Row]:
    for count, span in enumerate(spans(decode_object(raw)), start=1):
        yield from _rows(span, f"{place} span {count}", context)


def _rows(record: Mapping[str, Any], place: int | str, context: ReadContext) -> Iterator[Row]:
    found = attributes(record)
    operation = found.get("gen_ai.operation.name")
    if not any(key.startswith("gen_ai.") for key in found) or (
        operation is not None and str(operation) not in _CALLS
    ):
        context.tally.skip(NO_CALL, place)
        return
    asked, answer = _asked(found), _answer(found)
    started = when(first_of(record, _START))
    known = {
        "timestamp": started,
        "conversation_id": found.get("gen_ai.conversation.id") or _trace_id(record),
        "model": found.get("gen_ai.response.model") or found.get("gen_ai.request.model"),
        "prompt_name": found.get("gen_ai.prompt.name"),
        "prompt_version": found.get("gen_ai.prompt.version"),
        "system": text(unpacked(found.get("gen_ai.system_instructions"))),
        "latency_s": _latency(record, started),
        "time_to_first_token_s": found.get("gen_ai.response.time_to_first_chunk"),
        "error": _error(record, found),
        "score": found.get("gen_ai.evaluation.score.value"),
        "label": found.get("gen_ai.evaluation.score.label"),
    } | _usage(found)
    yield from context.traces(known | asked | answer, place)


def _usage(found: Mapping[str, Any]) -> dict[str, float | None]:
    names = {
        "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        "cached_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
        ),
    }
    return {key: number(first_of(found, keys)) for key, keys in names.items()}


def _asked(found: Mapping[str, Any]) -> dict[str, Any]:
    given = first_of(found, ("gen_ai.input.messages", "gen_ai.prompt"))
    given = unpacked(given) if given is not None else indexed(found, "gen_ai.prompt.")
    if isinstance(given, str):
        return {"input": given}
    # As a question the newest message counts, also where the assistant's own turns stand before.
    return {"input": spoken} if (spoken := _dicts(given)) else {}


def _dicts(given: Any) -> list[Any]:
    return [
        {"role": t.role, "content": t.content, "tool_calls": [c._asdict() for c in t.calls]}
        for t in turns(given)
    ]


def _answer(found: Mapping[str, Any]) -> dict[str, Any]:
    given = first_of(found, ("gen_ai.output.messages", "gen_ai.completion"))
    given = unpacked(given) if given is not None else indexed(found, "gen_ai.completion.")
    if isinstance(given, str):
        return {"output": given}
    spoken = turns(given)
    if not spoken:
        return {}
    calls = [call._asdict() for turn in spoken for call in turn.calls]
    said = "\n".join(turn.content for turn in spoken if turn.content)
    return {"output": said or (None if calls else ""), "tool_calls": calls or None}


def _latency(record: Mapping[str, Any], started: float | None) -> float | None:
    start, end = (_nanoseconds(first_of(record, keys)) for keys in (_START, _END))
    if start is not None and end is not None:
        return (end - start) / 1e9 if end >= start else None
    ended = when(first_of(record, _END))
    if started is None or ended is None or ended < started:
        return None
    return ended - started


def _nanoseconds(value: Any) -> int | None:
    """A time of OTLP, exactly: a float is too coarse for it."""
    if isinstance(value, str) and len(value) == _DIGITS and value.isascii() and value.isdigit():
        return int(value)
    return value if type(value) is int and value >= 10 ** (_DIGITS - 1) else None


_DIGITS = 19


def _trace_id(record: Mapping[str, Any]) -> Any:
    inner = as_mapping(record.get("context"))
    return first_of(record, ("traceId", "trace_id")) or inner.get("trace_id")


def _error(record: Mapping[str, Any], found: Mapping[str, Any]) -> Any:
    if kind := found.get("error.type"):
        return kind
    status = as_mapping(record.get("status"))
    code = str(first_of(status, ("code", "status_code")))
    failed = code in {"2", "ERROR", "STATUS_CODE_ERROR"}
    return (first_of(status, ("message", "description")) or "error") if failed else None


OTEL = TraceFormat("OpenTelemetry GenAI", _is_span, rows=_rows)
OTLP = TraceFormat(
    "OpenTelemetry GenAI (OTLP)", lambda record: "resourceSpans" in record, document=_export
)
