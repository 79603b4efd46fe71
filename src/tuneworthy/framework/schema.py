"""JSON Schemas, generated from the nouns: for editors, and for whoever reads our output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.framework import Asked, Check, Framework
from tuneworthy.domain.lab import CeilingResult, VerifyResult
from tuneworthy.domain.precedent import PublishedCase
from tuneworthy.framework.told import Told

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def case_schema(framework: Framework) -> dict[str, Any]:
    """The case file's schema; checks, factors and signals are those of a framework."""
    schema = _of(Case, "validation", "Tuneworthy case")
    places: list[tuple[dict[str, Any], str, Mapping[str, Asked]]] = []
    for holder in (schema, schema["$defs"]["Attempt"]):
        places.append((holder, "ceiling", framework.ceiling))
        places.append((holder, "factors", framework.factors))
    places.append((schema, "signals", framework.signals))
    for holder, name, asked in places:
        section = holder["properties"][name]
        each = section.pop("additionalProperties")
        section["properties"] = {
            key: {**each, "description": f"{entry.title}: {_asked(framework, entry)}"}
            for key, entry in asked.items()
        }
        section["additionalProperties"] = False
    return schema


def _asked(framework: Framework, entry: Asked) -> str:
    return framework.filled(entry.ask, entry.at_least if isinstance(entry, Check) else None)


def framework_schema() -> dict[str, Any]:
    """The framework file's schema. A file that extends another may leave sections out."""
    schema = _of(Framework, "validation", "Tuneworthy framework")
    required = schema.pop("required")
    schema["if"] = {"not": {"required": ["extends"]}}
    schema["then"] = {"required": required}
    schema["else"] = {"required": ["name"]}
    return schema


def cases_schema() -> dict[str, Any]:
    """The schema of a file of published cases, or of an organisation's own: a list of them."""
    each = TypeAdapter(tuple[PublishedCase, ...]).json_schema(
        by_alias=True, mode="validation", schema_generator=Told
    )
    return {"$schema": _DRAFT, "title": "Tuneworthy cases", **each, "minItems": 1}


def dossier_schema() -> dict[str, Any]:
    """The schema of what ``--format json`` prints."""
    return _of(Dossier, "serialization", "Tuneworthy dossier")


def ceiling_schema() -> dict[str, Any]:
    """The schema of what ``ceiling --format json`` prints."""
    found = _lab(CeilingResult, "ceiling")
    text = {"type": "string"}
    found["properties"]["verdict"] = {
        "description": "The verdict of the case as it stands now.",
        "type": "object",
        "properties": {"outcome": text, "action": text},
    }
    return found


def verify_schema() -> dict[str, Any]:
    """The schema of what ``verify --format json`` prints."""
    return _lab(VerifyResult, "verify")


def _lab(noun: Any, name: str) -> dict[str, Any]:
    found = _of(noun, "serialization", f"Tuneworthy {name} lab")
    found["properties"] = {"schema": {"const": f"tuneworthy/{name}/1"}, **found["properties"]}
    return found


def _of(noun: Any, mode: Any, title: str) -> dict[str, Any]:
    schema: dict[str, Any] = noun.model_json_schema(mode=mode, by_alias=True, schema_generator=Told)
    schema.pop("title", None)
    return {"$schema": _DRAFT, "title": title, **schema}
