"""Formats of other tools, a field map for each, and the recognition of a record's format."""

from __future__ import annotations

from collections import Counter
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
    maps: dict[str, FieldMap] = {}
    for name, text in plugin_texts("formats").items():
        maps[name] = mapping_from_text(text, f"{name}.yaml", makers=True)
    for name in _ORDER.split():
        text = (
            files("tuneworthy.traces.formats")
            .joinpath(f"{name}.yaml")
            .read_text("utf-8")
        )
        maps[name] = mapping_from_text(text, f"{name}.yaml", makers=True)
    for name, kind in maps.items():
        if kind.like:
            base = maps[kind.like]
            parts = ("only", "prepare", "id", "parent", "trace")
            own: Any = {
                part: getattr(kind, part) or getattr(base, part) for part in parts
            }
            maps[name] = replace(kind, picks={**base.picks, **kind.picks}, **own)
    return maps


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
    fits = (kind for kind in formats() for each in kind.fits if all(hold(each, chunk)))
    return next(fits, None)


def recognise_most(records: Iterable[Mapping[str, Any]]) -> FieldMap | None:
    """The format of most records; None where all are unknown.

    Our own format has names that any tool may use, so it counts only where no maker's format fits a
    record.
    """
    kinds = [kind for record in records if (kind := recognise(record)) is not None]
    makers = [kind for kind in kinds if kind is not plain()]
    names = Counter(kind.name for kind in makers or kinds)
    most = max(names, key=names.__getitem__, default="")
    return next((kind for kind in kinds if kind.name == most), None)
