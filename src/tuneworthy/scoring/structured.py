"""Scorers of objects: their schema and their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    WRONG,
    Kit,
    Output,
    Scored,
    Scorer,
    as_texts,
    empty,
    right,
    unscored,
    wrong,
)
from tuneworthy.scoring.values import FieldRule, at, leaves

if TYPE_CHECKING:
    from tuneworthy.text.json import Validator


class JsonSchema(Scorer):
    """The output is JSON, bare or in one fence, that keeps a schema; its content doesn't count."""

    id = "json_schema"
    own: bool | dict[str, Any] = Field(True, alias="schema")
    """True: the case's output schema; or a schema of its own."""
    _valid: Validator

    def prepare(self, kit: Kit) -> None:
        self._valid = _validator(self.own, kit)

    def score(self, output: Output, case: EvalCase, system: str = "") -> Scored:
        from tuneworthy.text.json import UNREAD

        if not output.text.strip():
            return empty()
        if output.json is UNREAD:
            return wrong("no_json", signal=FORMAT)
        if not self._valid(output.json):
            return wrong("breaks_schema", signal=FORMAT)
        return right("keeps_schema")


def _validator(own: bool | dict[str, Any], kit: Kit) -> Validator:
    from tuneworthy.text.json import validator

    valid, problem = validator(own if isinstance(own, dict) else kit.materials.output_schema)
    if valid is None:
        raise refused("needs a schema", problem or "name data.output_schema in the case")
    return valid


def _by_name(fields: Any) -> Any:
    return fields if isinstance(fields, Mapping) else {name: {} for name in as_texts(fields)}


class JsonFields(Scorer):
    """The output is an object whose fields are right, one by one.

    The value is the share of fields that are right, for the accepted object that is met best. An
    output that is not an object, or breaks the schema, scores 0 and fails in form.
    """

    id, main, compares = "json_fields", "fields", True
    fields: Annotated[dict[str, FieldRule], BeforeValidator(_by_name)] = {}
    """Names, or a mapping of a name to its rule; a dot goes into an object. Empty: every field of
    the reference, by the type of its value."""
    own: bool | dict[str, Any] = Field(False, alias="schema")
    """True: the case's output schema has to hold too; or a schema of its own."""
    extra: bool = True
    """Whether the output may have fields that the reference doesn't have."""
    _valid: Validator | None = PrivateAttr(None)

    def prepare(self, kit: Kit) -> None:
        if self.own is not False:
            self._valid = _validator(self.own, kit)

    def score(self, output: Output, case: EvalCase, system: str = "") -> Scored:
        accepted = [value for value in map(as_object, case.accepted) if value is not None]
        if not accepted and self._valid is None:
            return unscored("no_reference")
        if not output.text.strip():
            return empty()
        value = output.json
        if not isinstance(value, dict):
            return wrong("no_object", signal=FORMAT)
        if self._valid is not None and not self._valid(value):
            return wrong("breaks_schema", signal=FORMAT)
        if not accepted:
            return right("keeps_schema")
        results = (self._against(value, expected) for expected in accepted)
        return max(results, key=lambda result: result.value)

    def _against(self, value: dict[str, Any], expected: Mapping[str, Any]) -> Scored:
        rules = {tuple(name.split(".")): rule for name, rule in self.fields.items()}
        rules = rules or {path: FieldRule() for path in leaves(expected)}
        faults: list[tuple[str, str, str]] = []
        for path, rule in rules.items():
            due, right_value = at(expected, path)
            present, own = at(value, path)
            if due and not present:
                faults.append(("field_missing", ".".join(path), FORMAT))
            elif present and not (due and rule.equal(own, right_value)):
                faults.append(("field_differs", ".".join(path), WRONG))
        compared = len(rules)
        if not self.extra:
            more = sorted(".".join(path) for path in {*leaves(value)} - {*leaves(expected)})
            faults += [("field_extra", name, FORMAT) for name in more[:1]]
            compared += 1
        numbers = {"fields": compared, "failed": len(faults)}
        if not faults:
            return right("fields_equal", numbers)
        why, about, signal = faults[0]
        share = 1 - len(faults) / max(1, compared)
        return wrong(why, value=share, about=about, signal=signal, numbers=numbers)


def as_object(value: Any) -> Mapping[str, Any] | None:
    """A reference as an object: one itself, or a text that holds one; else None."""
    if isinstance(value, str):
        value = Output(value).json
    return value if isinstance(value, Mapping) else None
