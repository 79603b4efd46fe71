"""Generates JSON Schemas from the records, for editors and for programs that read our output."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Criterion, Framework
from tuneworthy.model.lab import CeilingResult, VerifyResult
from tuneworthy.model.pilot import PilotResult


class FieldDocs(GenerateJsonSchema):
    """Makes schemas whose properties have the description that the source gives each field."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Make a record's schema, with a description for each field that has one in the source."""
        document: dict[str, Any] = super().model_schema(schema)
        record: type[BaseModel] = schema["cls"]
        docs = field_docs(record)
        properties = document.get("properties", {})
        for name, field in record.model_fields.items():
            key = field.alias or name
            if key in properties and field.description is None and name in docs:
                properties[key]["description"] = docs[name]
        return document


def field_docs(record: type[BaseModel]) -> dict[str, str]:
    """The descriptions of a record's fields in the source, with those of its bases, by field."""
    docs: dict[str, str] = {}
    for base in reversed(record.__mro__):
        docs |= _docs_of(base.__module__).get(base.__name__, {})
    return {name: text for name, text in docs.items() if name in record.model_fields}


@cache
def _docs_of(module: str) -> dict[str, dict[str, str]]:
    """The comments and texts about each annotated name, by class; only our own modules are read."""
    if not module.startswith("tuneworthy."):
        return {}
    source = inspect.getsource(import_module(module))
    lines = source.splitlines()
    return {
        node.name: _docs_of_class(node, lines)
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _docs_of_class(node: ast.ClassDef, lines: Sequence[str]) -> dict[str, str]:
    """Read the text about each annotated name of a class, which stands below, behind or above.

    ``lines`` are those of the whole module, because Python's parser drops comments.
    """
    docs = {}
    # each statement with the one below it, where a field's text may stand; the last has none
    for statement, below in pairwise([*node.body, None]):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) as field:
                pass
            case _:
                continue
        match below:
            case ast.Expr(value=ast.Constant(value=str(written_below))):
                text = inspect.cleandoc(written_below)
            case _:
                text = _comment_on(field, lines)
        if text:
            docs[name] = text
    return docs


def _comment_on(field: ast.AnnAssign, lines: Sequence[str]) -> str:
    """The text behind ``#:`` on one of a field's lines or on those above it; empty for none."""
    first = field.lineno - 1  # the parser counts from 1
    last = field.end_lineno or field.lineno
    for line in lines[first:last]:
        _, mark, text = line.partition("  #: ")
        if mark:
            return text
    above: list[str] = []
    for line in reversed(lines[:first]):
        stripped = line.strip()
        if not stripped.startswith("#: "):
            break
        above.insert(0, stripped.removeprefix("#: "))
    return " ".join(above)


_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def case_schema(framework: Framework) -> dict[str, Any]:
    """Make the case file's schema; its checks, factors and signals are those of a framework."""
    schema = _make_schema(Case, "validation", "Tuneworthy case")
    attempt = schema["$defs"]["Attempt"]
    # an attempt may have its own answers to checks and factors
    for record in (schema, attempt):
        _allow_only(record, "ceiling", _questions(framework, framework.ceiling))
        _allow_only(record, "factors", _questions(framework, framework.factors))
    _allow_only(schema, "signals", _questions(framework, framework.signals))
    return schema


def _questions(
    framework: Framework, criteria: Mapping[str, Criterion]
) -> dict[str, str]:
    """The title and the question of each criterion, by its name."""
    return {
        name: f"{each.title}: {framework.filled(each.ask, each)}"
        for name, each in criteria.items()
    }


def _allow_only(
    record: dict[str, Any], name: str, descriptions: Mapping[str, str]
) -> None:
    """Let a record's property, a mapping of any names, have only the described names."""
    section = record["properties"][name]
    entry = section.pop("additionalProperties")
    section["properties"] = {
        key: {**entry, "description": text} for key, text in descriptions.items()
    }
    section["additionalProperties"] = False


def framework_schema() -> dict[str, Any]:
    """Make the framework file's schema; a file that extends another may leave sections out."""
    schema = _make_schema(Framework, "validation", "Tuneworthy framework")
    required = schema.pop("required")
    extends_none = {"not": {"required": ["extends"]}}
    schema["if"] = extends_none
    schema["then"] = {"required": required}
    schema["else"] = {"required": ["name"]}
    return schema


def dossier_schema() -> dict[str, Any]:
    """Make the schema of what ``--format json`` prints."""
    return _make_schema(Dossier, "serialization", "Tuneworthy dossier")


_LABS = {"ceiling": CeilingResult, "verify": VerifyResult, "pilot": PilotResult}


def lab_schema(name: str) -> dict[str, Any]:
    """Make the schema of what ``ceiling``, ``verify`` or ``pilot`` prints with ``--format json``.

    A print-out has two properties more than the record: its schema, and for a ceiling the verdict.
    """
    schema = _make_schema(_LABS[name], "serialization", f"Tuneworthy {name} lab")
    schema["properties"] = {
        "schema": {"const": f"tuneworthy/{name}/1"},
        **schema["properties"],
    }
    if name == "ceiling":
        schema["properties"]["verdict"] = {
            "description": "The verdict of the case as it stands now.",
            "type": "object",
            "properties": {
                key: {"type": "string"} for key in ("outcome", "answer", "rule")
            },
        }
    return schema


def _make_schema(record: Any, mode: Any, title: str) -> dict[str, Any]:
    """A schema of its own for each caller, who changes it."""
    return {"$schema": _DRAFT, "title": title, **deepcopy(_generate(record, mode))}


@cache
def _generate(record: Any, mode: Any) -> dict[str, Any]:
    """A record's schema without its title: it takes a tenth of a second, and is always the same."""
    schema = TypeAdapter(record).json_schema(mode=mode, schema_generator=FieldDocs)
    schema.pop("title", None)
    return schema
