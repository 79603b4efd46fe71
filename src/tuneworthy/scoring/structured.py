"""Scorers of objects: their schema and their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    FieldRule,
    Kit,
    Output,
    Scored,
    Scorer,
    as_texts,
    conditions,
    empty,
    leaves,
    plain,
    right,
    same,
    unscored,
    value_at_path,
    wrong,
)

if TYPE_CHECKING:
    from tuneworthy.text.json import Validator


class JsonSchema(Scorer):
    """The output is valid JSON by a schema, bare or in one fence; its content doesn't count."""

    id = "json_schema"
    own: bool | dict[str, Any] = Field(True, alias="schema")
    """True: the case's output schema; or a schema of its own."""
    _valid: Validator

    def prepare(self, kit: Kit) -> None:
        self._valid = _validator(self.own, kit)

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Whether the output is JSON that keeps the schema."""
        from tuneworthy.text.json import UNREAD

        if not output.text.strip():
            return empty()
        if output.json is UNREAD:
            return wrong("no_json", signal=FORMAT)
        if not self._valid(output.json):
            return wrong("breaks_schema", signal=FORMAT)
        return right("keeps_schema")


def _validator(own: bool | dict[str, Any], kit: Kit) -> Validator:
    """The validator of the scorer's own schema, or of the case's."""
    from tuneworthy.text.json import validator

    valid, problem = validator(
        own if isinstance(own, dict) else kit.materials.output_schema
    )
    if valid is None:
        raise refused(
            "needs a schema", problem or "name data.output_schema in the case"
        )
    return valid


class JsonFields(Scorer):
    """Each field of the output's object is right.

    The value is the share of right fields, by the accepted object with the highest share. An output
    that isn't an object, or that breaks the schema, scores 0 as a fault of form.
    """

    id = "json_fields"
    main = "fields"
    compares = True
    fields: Annotated[
        dict[str, FieldRule],
        BeforeValidator(
            lambda f: f if isinstance(f, Mapping) else {n: {} for n in as_texts(f)}
        ),
    ] = {}
    """Names, or a mapping of a name to its rule; a dot goes into an object. Empty: every field of
    the reference, by the type of its value."""
    own: bool | dict[str, Any] = Field(False, alias="schema")
    """True: the case's output schema has to hold too; or a schema of its own."""
    #: Whether the output may have fields that the reference doesn't have.
    extra: bool = True
    _valid: Validator | None = PrivateAttr(None)

    def prepare(self, kit: Kit) -> None:
        if self.own is not False:
            self._valid = _validator(self.own, kit)

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Compare the output with each accepted object, and take the best result."""
        accepted = [
            value for value in map(as_object, case.accepted) if value is not None
        ]
        if not accepted and self._valid is None:
            return unscored("no_reference")
        if not output.text.strip():
            return empty()
        value = output.json
        if not isinstance(value, dict):
            return wrong("no_object", signal=FORMAT)
        if self._valid is not None and not self._valid(value):
            return wrong("breaks_schema", signal=FORMAT)
        results = [self._against(value, expected) for expected in accepted]
        return max(
            results, key=lambda result: result.value, default=right("keeps_schema")
        )

    def _against(self, value: dict[str, Any], expected: Mapping[str, Any]) -> Scored:
        """Compare the fields of an answer with those of an accepted answer."""
        rules = {tuple(name.split(".")): rule for name, rule in self.fields.items()}
        rules = rules or {path: FieldRule() for path in leaves(expected)}
        faults = list[Scored]()
        parts = dict[str, bool]()
        for path, rule in rules.items():
            name = ".".join(path)
            due, wanted = value_at_path(expected, path)
            present, own = value_at_path(value, path)
            if due and not present:
                faults.append(wrong("field_missing", about=name, signal=FORMAT))
            elif present and not (due and rule.equal(own, wanted)):
                faults.append(wrong("field_differs", about=name))
            parts[name] = name not in {fault.about for fault in faults[-1:]}
        if not self.extra:
            more = sorted(
                ".".join(path) for path in {*leaves(value)} - {*leaves(expected)}
            )
            faults += [
                wrong("field_extra", about=name, signal=FORMAT) for name in more[:1]
            ]
        compared = len(rules) + (not self.extra)
        scored = conditions("fields_equal", faults, compared, fields=compared)
        return scored.model_copy(update={"parts": parts})


def as_object(value: Any) -> Mapping[str, Any] | None:
    """A reference as an object, also if a text holds it as JSON; else None."""
    if isinstance(value, str):
        value = Output(value).json
    return value if isinstance(value, Mapping) else None


# ``tool_call``: the right tools are called, with accepted arguments.

MOST_CALLS = 100  #: Calls that are compared; an output with more is wrong.
_OPTIONAL = ""  # among accepted values: the argument may be missing
_DEEPEST = 20


class ModelCall(NamedTuple):
    """A call that the model made."""

    name: str
    arguments: Mapping[str, Any]


class AcceptedCall(NamedTuple):
    """A call that is right."""

    name: str
    arguments: Mapping[str, Any]
    listed: bool  #: Whether there is a list of accepted values for each, at any depth.
    exact: bool  #: Whether capitals, marks and spaces of texts count.

    def fits(self, call: ModelCall) -> bool:
        return call.name == self.name and self._equal(
            call.arguments, self.arguments, -1
        )

    def _equal(self, value: Any, wanted: Any, depth: int) -> bool:
        """Whether an argument equals the wanted one, or one of the choices that are listed."""
        if isinstance(value, str) and isinstance(wanted, str):
            if self.exact:
                return value == wanted
            return plain(value) == plain(wanted)
        if depth > _DEEPEST:
            return False
        if isinstance(value, list) and isinstance(wanted, list):
            pairs = zip(value, wanted, strict=False)
            return len(value) == len(wanted) and all(
                self._equal(*p, depth + 1) for p in pairs
            )
        if isinstance(value, Mapping) and isinstance(wanted, Mapping):
            return self._equal_fields(value, wanted, depth)
        return same(value, wanted)

    def _equal_fields(
        self, value: Mapping[str, Any], wanted: Mapping[str, Any], depth: int
    ) -> bool:
        """Whether every field is wanted and right, and none is missing that isn't optional."""
        if not value.keys() <= wanted.keys():
            return False
        for key, accepted in wanted.items():
            choices = _as_list(accepted) if self.listed else [accepted]
            if key not in value:
                if not self.listed or _OPTIONAL not in choices:
                    return False
            elif not any(self._equal(value[key], each, depth + 1) for each in choices):
                return False
        return True


def _as_list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _plain_name(name: str) -> str:
    """A tool's name with ``_`` for each dot, as some interfaces don't allow dots."""
    return name.strip().replace(".", "_")


def model_calls(output: Output) -> list[ModelCall] | None:
    """The tool calls of an output, from the interface or written as JSON; [] without any.

    None where the arguments of one aren't a JSON object.
    """
    pairs: list[tuple[Any, Any]]
    if output.tool_calls:
        pairs = [(name, Output(text or "{}").json) for name, text in output.tool_calls]
    else:
        many = _as_list(output.json)
        if not many or not all(
            isinstance(call, Mapping) and "name" in call for call in many
        ):
            return []
        pairs = [(call["name"], call.get("arguments", {})) for call in many]
    if not all(
        isinstance(name, str) and isinstance(values, Mapping) for name, values in pairs
    ):
        return None
    return [ModelCall(_plain_name(name), values) for name, values in pairs]


def accepted_calls(reference: Any, *, exact: bool = False) -> list[AcceptedCall] | None:
    """The calls that a reference demands: one call, or ``{calls: […]}``; None without any."""
    if not isinstance(reference, Mapping):
        return None
    many = reference.get("calls")
    listed = many if isinstance(many, list | tuple) else [reference]
    calls = [_accepted_call(data, exact) for data in listed]
    readable = [call for call in calls if call is not None]
    return readable if len(readable) == len(calls) else None


def _accepted_call(data: Any, exact: bool) -> AcceptedCall | None:
    """Read a reference as a call, in the form with a name or as name to lists of choices."""
    if not isinstance(data, Mapping):
        return None
    name = data.get("name")
    values = data.get("arguments", {})
    listed = not isinstance(name, str) or not data.keys() <= {"name", "arguments"}
    if listed or not isinstance(values, Mapping):
        if len(data) != 1:
            return None
        ((name, values),) = data.items()
        listed = True
        if not isinstance(values, Mapping) or not all(
            isinstance(v, list) for v in values.values()
        ):
            return None
    if isinstance(name, str):
        return AcceptedCall(_plain_name(name), values, listed, exact)
    return None


def is_call(value: Any) -> bool:
    """Whether a reference must be tool calls, as nothing else has its form."""
    shape = isinstance(value, Mapping) and set(value) in (
        {"name", "arguments"},
        {"calls"},
    )
    return shape and accepted_calls(value) is not None


def _pairs(
    calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall], *, ordered: bool
) -> int:
    """The largest number of calls that can be matched to accepted calls, each to another one."""
    if ordered:
        return sum(
            other.fits(call) for call, other in zip(calls, accepted, strict=False)
        )
    fits = [
        [k for k, other in enumerate(accepted) if other.fits(call)] for call in calls
    ]
    # taking the first fit for each call could leave a later call without one
    partner: dict[int, int] = {}
    return sum(
        _find_partner(index, fits, partner, set()) for index in range(len(calls))
    )


def _find_partner(
    index: int, fits: Sequence[list[int]], partner: dict[int, int], seen: set[int]
) -> bool:
    """Find a partner for a call, moving others where that helps (Kuhn's method)."""
    for k in fits[index]:
        if k in seen:
            continue
        seen.add(k)
        if k not in partner or _find_partner(partner[k], fits, partner, seen):
            partner[k] = index
            return True
    return False


class ToolCalls(Scorer):
    """Each call matches an accepted call of its own, whatever their order.

    The value is the number of right calls, divided by the calls made or accepted, whichever are
    more. Where the interface reports no calls, calls written as JSON count. An accepted set without
    calls means that the model must call nothing.
    """

    id = "tool_call"
    main = "calls"
    compares = True
    calls: Any = None
    """Accepted calls that are made together, instead of the case's reference: ``{name, arguments}``
    with exact values, or ``{tool: {argument: [accepted values]}}``, where ``""`` means that the
    argument may be left out."""
    ordered: bool = False  #: Whether the order counts.
    exact: bool = False  #: Whether capitals, marks and spaces of text arguments count.

    @model_validator(mode="after")
    def _calls_are_calls(self) -> ToolCalls:
        if self.calls is not None and accepted_calls({"calls": self.calls}) is None:
            raise refused(
                "has calls that are none", "write [{name: …, arguments: {…}}]"
            )
        return self

    def score(self, output: Output, case: EvalCase) -> Scored:
        """Compare the output's calls with each accepted answer, and take the best result."""
        references = case.accepted if self.calls is None else ({"calls": self.calls},)
        read = (
            accepted_calls(as_object(reference), exact=self.exact)
            for reference in references
        )
        accepted = [calls for calls in read if calls is not None]
        if not accepted:
            return unscored("no_reference")
        calls = model_calls(output)
        if calls is None:
            return wrong("unreadable_call", signal=FORMAT)
        if not calls and not all(accepted):
            return right("no_call_wanted")
        if not calls:
            return wrong("no_call", signal=NO_ANSWER if output.blank else FORMAT)
        results = (self._against(calls, choice) for choice in accepted)
        return max(results, key=lambda result: result.value)

    def _against(
        self, calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall]
    ) -> Scored:
        """Compare calls with those of an accepted answer; the score is the share of pairs."""
        numbers = {"called": len(calls), "wanted": len(accepted)}
        if len(calls) > MOST_CALLS:
            return wrong("too_many_calls", numbers=numbers)
        pairs = _pairs(calls, accepted, ordered=self.ordered)
        most = max(len(calls), len(accepted))
        if pairs == most:
            return right("calls_equal", numbers)
        why = "calls_differ"
        names = {call.name for call in accepted}
        other = next((call.name for call in calls if call.name not in names), "")
        if other or len(calls) == len(accepted):
            why = "other_tool" if other else "arguments_differ"
        about = other or calls[0].name
        return wrong(why, value=pairs / most, about=about, numbers=numbers)
