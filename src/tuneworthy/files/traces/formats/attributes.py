"""Attributes of OpenTelemetry spans, however they were written down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")
_DEEPEST = 20


def spans(export: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Spans of an OTLP export in JSON: ``resourceSpans[].scopeSpans[].spans[]``."""
    for resource in _objects(export.get("resourceSpans")):
        for key in ("scopeSpans", "instrumentationLibrarySpans"):
            for scope in _objects(resource.get(key)):
                yield from _objects(scope.get("spans"))


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Mapping))


def attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a span by name, those of its events among them where the span lacks them.

    They may stand in the record itself, in a mapping, or in OTLP's list of keys and values.
    """
    found: dict[str, Any] = {}
    for event in _objects(record.get("events")):
        found |= _pairs(event.get("attributes"))
    found |= {key: value for key, value in record.items() if "." in key}
    return found | _pairs(record.get("attributes"))


def _pairs(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items() if each is not None}
    return {str(each.get("key")): _plain(each.get("value")) for each in _objects(value)}


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
        holder = value[kind]
        values = holder.get("values") if isinstance(holder, Mapping) else None
        if inner is list:
            return [_plain(each, depth + 1) for each in values or []]
        return {str(e.get("key")): _plain(e.get("value"), depth + 1) for e in _objects(values)}
    return value


def indexed(found: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Messages that were flattened into ``prefix.0.role, prefix.0.content, …``."""
    messages: dict[int, dict[str, Any]] = {}
    pattern = re.compile(re.escape(prefix) + r"(\d{1,6})\.(\w+)")
    for key, value in found.items():
        if match := pattern.fullmatch(key):
            messages.setdefault(int(match[1]), {})[match[2]] = value
    return [messages[number] for number in sorted(messages)]
