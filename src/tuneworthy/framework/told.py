"""What a field means, read from the line below it in the source when somebody wants a schema.

pydantic can do the same while classes are made. That reads the source of every record each time the
program starts, which took a sixth of the time of a decision.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class Told(GenerateJsonSchema):
    """A schema whose properties say what the source says of the fields."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of a record, with a description for each field that has a line below it."""
        made: dict[str, Any] = super().model_schema(schema)
        noun: type[BaseModel] = schema["cls"]
        says = meanings(noun)
        for name, field in noun.model_fields.items():
            there = made.get("properties", {}).get(field.alias or name)
            if there is not None and field.description is None and name in says:
                there["description"] = says[name]
        return made


def meanings(noun: type[BaseModel]) -> dict[str, str]:
    """What the source says of a record's fields, those of its bases included; by field."""
    found: dict[str, str] = {}
    for each in reversed(noun.__mro__):
        found |= _lines_below(each.__module__).get(each.__name__, {})
    return {name: text for name, text in found.items() if name in noun.model_fields}


@cache
def _lines_below(module: str) -> dict[str, dict[str, str]]:
    """The text below each annotated name, by class; empty for a module that isn't ours."""
    if not module.startswith("tuneworthy."):
        return {}
    tree = ast.parse(inspect.getsource(import_module(module)))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {one.name: _texts(one) for one in classes}


def _texts(one: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(one.body, one.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found
