"""``json_fields``: the output is an object whose fields are right, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneworthy.domain.evalset import EvalCase
from tuneworthy.scoring.asks import Asked
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    WRONG,
    Context,
    Kit,
    Output,
    Scored,
    right,
    unjudged,
    wrong,
)
from tuneworthy.scoring.schema import validator_of
from tuneworthy.scoring.values import KINDS, How, Path, alike, at, leaves

if TYPE_CHECKING:
    from tuneworthy.texts.schema import Validator


@dataclass(frozen=True, slots=True)
class JsonFields:
    """Right where every field is; the value is the share of fields that are."""

    fields: Mapping[Path, How] = field(default_factory=dict)
    """Those compared; empty: every field of the reference, by the type of its value."""
    valid: Validator | None = None
    """The output schema, where it has to hold too."""
    extra: bool = True
    """Whether the output may have fields the reference doesn't have."""
    id: str = "json_fields"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of fields that are right, for the accepted object that is met best.

        An output that is no JSON object, or breaks the schema, scores 0 and fails in form.
        """
        del context
        wanted = [one for one in map(as_object, case.accepted) if one is not None]
        if not wanted and self.valid is None:
            return unjudged("no_reference")
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        said = output.json
        if not isinstance(said, dict):
            return wrong("no_object", signal=FORMAT)
        if self.valid is not None and not self.valid(said):
            return wrong("breaks_schema", signal=FORMAT)
        if not wanted:
            return right("keeps_schema")
        return max((self._against(said, one) for one in wanted), key=lambda each: each.value)

    def _against(self, said: dict[str, Any], wanted: Mapping[str, Any]) -> Scored:
        compared = dict(self.fields) or {path: How() for path in leaves(wanted)}
        faults: list[tuple[str, str, str]] = []
        for path, how in compared.items():
            due, right_value = at(wanted, path)
            there, value = at(said, path)
            name = ".".join(path)
            if due and not there:
                faults.append(("field_missing", name, FORMAT))
            elif (there and not due) or (due and not alike(value, right_value, how)):
                faults.append(("field_differs", name, WRONG))
        asked = len(compared)
        if not self.extra:
            more = sorted(".".join(path) for path in set(leaves(said)) - set(leaves(wanted)))
            faults += [("field_extra", name, FORMAT) for name in more[:1]]
            asked += 1
        numbers = {"fields": asked, "failed": len(faults)}
        if not faults:
            return right("fields_equal", numbers)
        why, about, signal = faults[0]
        value = 1 - len(faults) / max(1, asked)
        return wrong(why, value=value, about=about, signal=signal, numbers=numbers)


def as_object(value: Any) -> Mapping[str, Any] | None:
    """A reference as an object: one itself, or a text that holds one; else None."""
    if isinstance(value, str):
        value = Output(value).json
    return value if isinstance(value, Mapping) else None


def make(of: Any, kit: Kit) -> JsonFields:
    """A scorer from its parameters: fields, schema, extra.

    ``schema: true`` holds the output against the case's output schema, or write a schema there.
    ``fields`` is a list of names, or a mapping of a name to a kind (exact, text, number, date, set)
    or to ``{as, within, relative}``; a dot goes into an object.

    Raises:
        InputError: If a parameter is wrong, or there is no schema, or it is none.
    """
    asked = Asked("json_fields", of, "fields", ("fields", "schema", "extra"))
    own = isinstance(asked.any("schema"), dict)
    valid = validator_of(asked, kit) if own or asked.flag("schema") else None
    return JsonFields(_fields(asked), valid, asked.flag("extra", default=True))


def _fields(asked: Asked) -> dict[Path, How]:
    given = asked.any("fields")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {tuple(name.split(".")): How() for name in asked.texts("fields")}
    return {tuple(str(name).split(".")): _how(asked, name, how) for name, how in given.items()}


def _how(asked: Asked, name: Any, how: Any) -> How:
    inner = Asked(f"{asked.scorer} {name}", how, "as", ("as", "within", "relative"))
    return How(
        inner.word("as", KINDS, "") if inner.has("as") else "",
        inner.number("within") or 0.0,
        inner.number("relative") or 0.0,
    )
