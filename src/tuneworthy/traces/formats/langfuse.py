"""Langfuse observations, as its export and its interface give them; only generations count.

Fields: ``id, traceId, startTime, endTime, type, level, statusMessage, sessionId, input, output,
model, usageDetails, costDetails, totalCost, promptName, promptVersion, latency, timeToFirstToken``.
Of ``usageDetails`` every key with "input" in it counts as tokens read, every one with "output" as
tokens written, as Langfuse itself adds them up; times come from the clock where it has both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.traces.fields import (
    NO_CALL,
    ReadContext,
    Row,
    TraceFormat,
    as_mapping,
    has_any,
    number,
    turns,
    unpacked,
    when,
)


def _fits(record: Mapping[str, Any]) -> bool:
    return (
        has_any(record, "traceId", "trace_id")
        and has_any(record, "startTime", "start_time", "usageDetails", "parentObservationId")
        and has_any(record, "type", "level", "promptName", "usageDetails")
    )


def _rows(record: Mapping[str, Any], place: int | str, context: ReadContext) -> Iterator[Row]:
    get = _LangfuseFields(record)
    if str(get("type") or "GENERATION").upper() != "GENERATION":
        context.tally.skip(NO_CALL, place)
        return
    usage, started = _usage(get), when(get("startTime"))
    answer, calls = _answer(unpacked(get("output")))
    failed = str(get("level") or "").upper() == "ERROR"
    known: dict[str, Any] = {
        "timestamp": started,
        "conversation_id": get("sessionId") or get("traceId"),
        "model": get("model"),
        "prompt_name": get("promptName"),
        "prompt_version": get("promptVersion"),
        "output": answer,
        "tool_calls": calls,
        "latency_s": _between(started, when(get("endTime")), get("latency")),
        "time_to_first_token_s": _between(
            started, when(get("completionStartTime")), get("timeToFirstToken")
        ),
        "usd": _cost(get),
        "error": (get("statusMessage") or "error") if failed else None,
    } | usage
    asked = unpacked(get("input"))
    spoken = turns(asked) if _is_talk(asked) else []
    known |= {"messages": asked} if spoken else {"input": asked}
    if answer is None and not calls and spoken:  # what was asked is no answer, whoever said it
        known |= {"messages": None, "input": spoken[-1].content}
    yield from context.traces(known, place)


class _LangfuseFields:
    """Fields in camel case or, as some exports have them, with underscores."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    def __call__(self, key: str) -> Any:
        found = self._record.get(key)
        if found is None:
            found = self._record.get("".join(f"_{c.lower()}" if c.isupper() else c for c in key))
        return found


def _is_talk(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("messages"), list) or "role" in value
    return isinstance(value, list) and all(isinstance(v, Mapping) and "role" in v for v in value)


def _answer(value: Any) -> tuple[Any, Any]:
    """Text and tool calls of an output, which may be a message."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping) and "role" in value:
        spoken = turns(value)[-1:]
        calls = [call._asdict() for turn in spoken for call in turn.calls]
        return (spoken[0].content or None if calls else spoken[0].content), calls or None
    return value, None


def _usage(get: _LangfuseFields) -> dict[str, float | None]:
    details = unpacked(get("usageDetails") or get("usage"))
    if not isinstance(details, Mapping):
        return {
            "input_tokens": number(get("promptTokens")),
            "output_tokens": number(get("completionTokens")),
        }
    known = {
        str(key): found for key, value in details.items() if (found := number(value)) is not None
    }
    read = {k: v for k, v in known.items() if "input" in k or k == "promptTokens"}
    written = {k: v for k, v in known.items() if "output" in k or k == "completionTokens"}
    cached = {k: v for k, v in read.items() if "cache" in k and "creation" not in k}
    return {
        "input_tokens": sum(read.values()) if read else None,
        "output_tokens": sum(written.values()) if written else None,
        "cached_tokens": sum(cached.values()) if cached else None,
    }


def _cost(get: _LangfuseFields) -> float | None:
    total = as_mapping(unpacked(get("costDetails"))).get("total")
    costs = (total, get("totalCost"), get("calculatedTotalCost"))
    return number(next((cost for cost in costs if cost is not None), None))


def _between(start: float | None, end: float | None, stated: Any) -> float | None:
    if start is not None and end is not None and end >= start:
        return end - start
    return number(stated)


LANGFUSE = TraceFormat("Langfuse observations", _fits, rows=_rows)
