"""``json_fields``: the output is an object whose fields are right, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    KINDS,
    NO_ANSWER,
    WRONG,
    Asked,
    Context,
    FieldPath,
    How,
    Kit,
    Output,
    Scored,
    alike,
    at,
    leaves,
    normal,
    right,
    same,
    unjudged,
    wrong,
)

if TYPE_CHECKING:
    from tuneworthy.text.json import Validator


# ``json_schema``: the output keeps the case's output schema; its content is not looked at.


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Right where the output is JSON, bare or in one fence, that keeps a schema."""

    valid: Validator
    id: str = "json_schema"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """1 for an output that keeps the schema, else 0."""
        from tuneworthy.text.json import UNREAD

        del case, context
        if not output.text.strip():
            return wrong("empty", signal=NO_ANSWER)
        if output.json is UNREAD:
            return wrong("no_json", signal=FORMAT)
        if not self.valid(output.json):
            return wrong("breaks_schema", signal=FORMAT)
        return right("keeps_schema")


def make(of: Any, kit: Kit) -> JsonSchema:
    """A scorer from its parameter: schema, else the case's output schema.

    Raises:
        InputError: If there is no schema, or it is none that stands alone.
    """
    return JsonSchema(validator_of(Asked("json_schema", of, "", ("schema",)), kit))


def validator_of(asked: Asked, kit: Kit) -> Validator:
    """The test for a check's own schema, else for the case's.

    Raises:
        InputError: If there is none, or it is no JSON Schema.
    """
    from tuneworthy.text.json import validator

    own = asked.any("schema")
    schema = own if isinstance(own, dict) else kit.materials.output_schema
    valid, lacking = validator(schema)
    if valid is None:
        raise asked.bad("needs a schema", lacking or "name data.output_schema in the case")
    return valid


# ``json_fields``: the output is an object whose fields are right, one by one.


@dataclass(frozen=True, slots=True)
class JsonFields:
    """Right where every field is; the value is the share of fields that are."""

    fields: Mapping[FieldPath, How] = field(default_factory=dict)
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


def json_fields_make(of: Any, kit: Kit) -> JsonFields:
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


def _fields(asked: Asked) -> dict[FieldPath, How]:
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


# Tool calls as they are made, as they are wanted, and how they pair off.

MOST_CALLS = 100
"""Calls that are compared; an output with more is wrong."""

_LEFT_OUT = ""  # among accepted values: the argument may be missing
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that is right."""

    name: str
    arguments: Mapping[str, Any]
    """Values; with ``listed`` a list of accepted ones each."""
    listed: bool


def plain_name(name: str) -> str:
    """A tool's name; interfaces that take no dot write ``_`` for it."""
    return name.strip().replace(".", "_")


def said_calls(output: Output) -> list[Call] | None:
    """The calls of an output, from the interface or else written as JSON.

    Returns:
        None where one has arguments that are no JSON object; [] where there is none.
    """
    read: list[tuple[Any, Any]]
    if output.tool_calls:
        read = [(name, Output(text or "{}").json) for name, text in output.tool_calls]
    else:
        value = output.json
        many = value if isinstance(value, list) else [value]
        if not many or not all(isinstance(one, Mapping) and "name" in one for one in many):
            return []
        read = [(one["name"], one.get("arguments", {})) for one in many]
    if not all(isinstance(name, str) and isinstance(given, Mapping) for name, given in read):
        return None
    return [Call(plain_name(name), given) for name, given in read]


def wanted_calls(reference: Any) -> list[Wanted] | None:
    """The calls a reference wants: one call, or ``{calls: […]}``; None where it wants none."""
    if not isinstance(reference, Mapping):
        return None
    if isinstance(reference.get("calls"), list | tuple):
        found = [_wanted(one) for one in reference["calls"]]
        return None if None in found else [one for one in found if one is not None]
    one = _wanted(reference)
    return None if one is None else [one]


def _wanted(told: Any) -> Wanted | None:
    if not isinstance(told, Mapping):
        return None
    name, given = told.get("name"), told.get("arguments", {})
    if isinstance(name, str) and isinstance(given, Mapping) and set(told) <= {"name", "arguments"}:
        return Wanted(plain_name(name), given, listed=False)
    if len(told) == 1:
        name, given = next(iter(told.items()))
        lists = isinstance(given, Mapping) and all(isinstance(v, list) for v in given.values())
        if isinstance(name, str) and lists:
            return Wanted(plain_name(name), given, listed=True)
    return None


def matched(said: Sequence[Call], wanted: Sequence[Wanted], *, ordered: bool, exact: bool) -> int:
    """How many calls pair off with wanted ones, at most.

    Args:
        said: Calls that were made, at most ``MOST_CALLS``.
        wanted: Calls that are right.
        ordered: Pair the first with the first, and so on.
        exact: Whether capitals, marks and spaces of texts count.
    """
    if ordered:
        both = zip(said, wanted, strict=False)
        return sum(_fits(one, other, exact=exact) for one, other in both)
    fits = [[k for k, other in enumerate(wanted) if _fits(one, other, exact=exact)] for one in said]
    taken: dict[int, int] = {}
    return sum(_place(index, fits, taken, set()) for index in range(len(said)))


def _place(index: int, fits: Sequence[list[int]], taken: dict[int, int], seen: set[int]) -> bool:
    """Find a wanted call for one that was made, moving others where that helps (Kuhn's method)."""
    for k in fits[index]:
        if k in seen:
            continue
        seen.add(k)
        if k not in taken or _place(taken[k], fits, taken, seen):
            taken[k] = index
            return True
    return False


def _fits(said: Call, wanted: Wanted, *, exact: bool) -> bool:
    if said.name != wanted.name or set(said.arguments) - set(wanted.arguments):
        return False
    for name, accepted in wanted.arguments.items():
        if name not in said.arguments:
            if not (wanted.listed and _LEFT_OUT in accepted):
                return False
        elif wanted.listed:
            if not _any_of(said.arguments[name], accepted, exact=exact, depth=0):
                return False
        elif not _equal(said.arguments[name], accepted, exact=exact, depth=0):
            return False
    return True


def _any_of(said: Any, accepted: Sequence[Any], *, exact: bool, depth: int) -> bool:
    """Whether a value is accepted; inside objects every value is a list of accepted ones again."""
    return any(_accepts(said, one, exact=exact, depth=depth) for one in accepted)


def _accepts(said: Any, one: Any, *, exact: bool, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(one, Mapping) and isinstance(said, Mapping):
        if set(said) - set(one):
            return False
        return all(
            _any_of(said[key], _listed(values), exact=exact, depth=depth + 1)
            if key in said
            else _LEFT_OUT in _listed(values)
            for key, values in one.items()
        )
    if isinstance(one, list) and isinstance(said, list):
        return len(one) == len(said) and all(
            _accepts(a, b, exact=exact, depth=depth + 1) for a, b in zip(said, one, strict=True)
        )
    return _equal(said, one, exact=exact, depth=depth)


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _equal(said: Any, wanted: Any, *, exact: bool, depth: int) -> bool:
    if isinstance(said, str) and isinstance(wanted, str):
        if exact:
            return said == wanted
        return _plain(said) == _plain(wanted)
    if depth > _DEEPEST:
        return False
    if isinstance(said, list) and isinstance(wanted, list):
        return len(said) == len(wanted) and all(
            _equal(a, b, exact=exact, depth=depth + 1) for a, b in zip(said, wanted, strict=True)
        )
    if isinstance(said, Mapping) and isinstance(wanted, Mapping):
        return said.keys() == wanted.keys() and all(
            _equal(said[key], wanted[key], exact=exact, depth=depth + 1) for key in said
        )
    return same(said, wanted)


def _plain(text: str) -> str:
    return normal(text) or " ".join(text.split())


# ``tool_call``: the right tools are called, with accepted arguments.


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Right where calls and accepted calls can be paired off, whatever their order."""

    ordered: bool = False
    """Whether the order counts."""
    exact: bool = False
    """Whether capitals, marks and spaces of text arguments count."""
    calls: tuple[Any, ...] = ()
    """Accepted sets of calls, instead of the case's reference."""
    id: str = "tool_call"

    def score(self, output: Output, case: EvalCase, context: Context) -> Scored:
        """The share of calls that are right, over those wanted or made, whichever are more.

        Without calls of the interface, calls that are written as JSON count. An accepted set
        without calls means that none is right.
        """
        del context
        told = [wanted_calls(one) for one in self.calls or case.accepted]
        accepted = [one for one in told if one is not None]
        if not accepted:
            return unjudged("no_reference")
        said = said_calls(output)
        if said is None:
            return wrong("unreadable_call", signal=FORMAT)
        if not said and any(not one for one in accepted):
            return right("no_call_wanted")
        if not said:
            return wrong("no_call", signal=NO_ANSWER if output.blank else FORMAT)
        scored = [self._against(said, one) for one in accepted]
        return max(scored, key=lambda one: one.value)

    def _against(self, said: Sequence[Call], wanted: Sequence[Wanted]) -> Scored:
        numbers = {"called": len(said), "wanted": len(wanted)}
        if len(said) > MOST_CALLS:
            return wrong("too_many_calls", numbers=numbers)
        pairs = matched(said, wanted, ordered=self.ordered, exact=self.exact)
        most = max(len(said), len(wanted))
        if pairs == most:
            return right("calls_equal", numbers)
        value = pairs / most
        names = {one.name for one in wanted}
        stray = [one.name for one in said if one.name not in names]
        if stray:
            return wrong("other_tool", value=value, about=stray[0], numbers=numbers)
        why = "arguments_differ" if len(said) == len(wanted) else "calls_differ"
        return wrong(why, value=value, about=said[0].name, numbers=numbers)


def tool_call_make(of: Any, kit: Kit) -> ToolCall:
    """A scorer from its parameters: calls, ordered, exact.

    ``calls`` is a list of accepted calls made together; each is ``{name, arguments}`` with exact
    values, or ``{tool: {argument: [accepted values]}}`` where ``""`` means it may be left out.

    Raises:
        InputError: If a parameter is wrong.
    """
    del kit
    asked = Asked("tool_call", of, "calls", ("calls", "ordered", "exact"))
    calls: tuple[Any, ...] = ()
    if asked.has("calls"):
        calls = ({"calls": asked.any("calls")},)
        if wanted_calls(calls[0]) is None:
            raise asked.bad("gives calls that are none", "write [{name: …, arguments: {…}}]")
    return ToolCall(asked.flag("ordered"), asked.flag("exact"), calls)


def is_call(value: Any) -> bool:
    """Whether a reference can't mean anything but tool calls."""
    told = isinstance(value, Mapping) and set(value) in ({"name", "arguments"}, {"calls"})
    return told and wanted_calls(value) is not None
