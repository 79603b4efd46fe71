"""Formats of other tools, a field map for each, and the recognition of a record's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from tuneworthy.plugins import plugin_texts
from tuneworthy.traces.mapping import FieldMap, RecordChunk, hold, mapping_from_text

_ORDER = (
    "otlp azure_monitor inspect promptfoo promptfoo_rows promptfoo_table deepeval evals eval_items "
    "lm_eval mlflow scores own_scores langsmith_batch langsmith braintrust weave litellm helicone "
    "langfuse_traces opik langfuse openinference otel agents agents_batch claude_code codex "
    "gemini_cli pydantic_ai dspy ollama openai_batch batch_requests bedrock vertex portkey "
    "openrouter anthropic openai gemini converse exchange chat plain"
)  #: The first that fits is the one.


@cache
def formats_by_name() -> dict[str, FieldMap]:
    """All maps in the order of trial; the last one is our own format.

    Maps of installed packages come first, then specific maps before general ones.
    """
    texts = dict(plugin_texts("formats"))
    folder = files("tuneworthy.traces.formats")
    for name in _ORDER.split():
        texts[name] = folder.joinpath(f"{name}.yaml").read_text("utf-8")
    maps: dict[str, FieldMap] = {}
    for name, text in texts.items():
        maps[name] = mapping_from_text(text, f"{name}.yaml", makers=True)
    for name, kind in maps.items():
        if kind.like:
            maps[name] = _completed(kind, maps[kind.like])
    return maps


def _completed(kind: FieldMap, base: FieldMap) -> FieldMap:
    """A map with the paths and the settings of the map that it is like, where it has none itself."""
    return replace(
        kind,
        picks={**base.picks, **kind.picks},
        only=kind.only or base.only,
        prepare=kind.prepare or base.prepare,
        id=kind.id or base.id,
        parent=kind.parent or base.parent,
        trace=kind.trace or base.trace,
    )


@cache
def formats() -> tuple[FieldMap, ...]:
    """The maps of ``formats_by_name``."""
    return tuple(formats_by_name().values())


def plain() -> FieldMap:
    return formats_by_name()["plain"]


def own_scores() -> FieldMap:
    return formats_by_name()["own_scores"]


def recognise(record: Mapping[str, Any]) -> FieldMap | None:
    """The format of a record, by its keys; None for an unknown one."""
    chunk = RecordChunk([record])
    for kind in formats():
        for alternative in kind.fits:
            if all(hold(alternative, chunk)):
                return kind
    return None


def recognise_most(records: Iterable[Mapping[str, Any]]) -> FieldMap | None:
    """The format of most records; None where all are unknown.

    Our own format has names that any tool may use, so it counts only where no maker's format fits a
    record.
    """
    makers: dict[str, list[FieldMap]] = {}
    is_ours = False
    for record in records:
        kind = recognise(record)
        if kind is plain():
            is_ours = True
        elif kind is not None:
            makers.setdefault(kind.name, []).append(kind)
    if not makers:
        return plain() if is_ours else None
    # Two maps of one maker may share a name; the first that fits is the one.
    kind, *_ = max(makers.values(), key=len)
    return kind
