"""Formats of other tools, a field map each, and which of them a record is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from tuneworthy.traces.mapping import FieldMap, RecordChunk, hold, mapping_from_text

_ORDER = (
    "otlp inspect promptfoo deepeval evals lm_eval mlflow scores own_scores langsmith braintrust "
    "weave litellm helicone langfuse openinference otel claude_code openai_batch batch_requests "
    "anthropic openai exchange chat plain"
)  #: The first that fits is the one.


@cache
def formats() -> tuple[FieldMap, ...]:
    """All maps, the more telling before the others; the last is our own format."""
    maps: dict[str, FieldMap] = {}
    for name in _ORDER.split():
        text = files("tuneworthy.traces.formats").joinpath(f"{name}.yaml").read_text("utf-8")
        maps[name] = mapping_from_text(text, f"{name}.yaml", makers=True)
    for name, kind in maps.items():
        if kind.like:
            base = maps[kind.like]
            parts = ("only", "prepare", "id")
            own: Any = {part: getattr(kind, part) or getattr(base, part) for part in parts}
            maps[name] = replace(kind, picks={**base.picks, **kind.picks}, **own)
    return tuple(maps.values())


def plain() -> FieldMap:
    return formats()[-1]


def own_scores() -> FieldMap:
    return formats()[_ORDER.split().index("own_scores")]


def recognise(record: Mapping[str, Any]) -> FieldMap | None:
    """The format of a record, by what stands in it; None for one that nobody knows."""
    chunk = RecordChunk([record])
    fits = (kind for kind in formats() for each in kind.fits if all(hold(each, chunk)))
    return next(fits, None)
