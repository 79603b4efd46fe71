"""Formats of other tools, one reader a file, and which of them a record is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.traces.fields import FIELDS, ReadContext, Row, TraceFormat
from tuneworthy.traces.formats.chat import CHAT
from tuneworthy.traces.formats.inspect import INSPECT
from tuneworthy.traces.formats.langfuse import LANGFUSE
from tuneworthy.traces.formats.otel import OTEL, OTLP
from tuneworthy.traces.formats.promptfoo import PROMPTFOO


def _plain_rows(record: Mapping[str, Any], place: int | str, context: ReadContext) -> Iterator[Row]:
    return context.traces(record, place)


_TELLING = frozenset(FIELDS) - {"system", "input", "error", "score", "label", "reference", "turn"}

PLAIN = TraceFormat(
    "plain traces", lambda record: not _TELLING.isdisjoint(record), rows=_plain_rows
)
FORMATS: tuple[TraceFormat, ...] = (OTLP, INSPECT, PROMPTFOO, LANGFUSE, OTEL, CHAT, PLAIN)
"""All of them; the first that fits is the one."""


def recognise(record: Mapping[str, Any]) -> TraceFormat | None:
    """The format of a record, by its keys; None for one that nobody knows."""
    return next((each for each in FORMATS if each.fits(record)), None)
