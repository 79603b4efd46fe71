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
    FieldPath,
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


def _as_rules(value: Any) -> Any:
    """Read a list of fields as fields with the usual rule; a mapping stays as it is."""
    if isinstance(value, Mapping):
        return value
    return {name: {} for name in as_texts(value)}


class JsonFields(Scorer):
    """Each field of the output's object is right.

    The value is the share of right fields, by the accepted object with the highest share. An output
    that isn't an object, or that breaks the schema, scores 0 as a fault of form.
    """

    id = "json_fields"
    main = "fields"
    compares = True
    fields: Annotated[dict[str, FieldRule], BeforeValidator(_as_rules)] = {}
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
        objects = [as_object(reference) for reference in case.accepted]
        accepted = [value for value in objects if value is not None]
        if not accepted and self._valid is None:
            return unscored("no_reference")
        if not output.text.strip():
            return empty()
        value = output.json
        if not isinstance(value, dict):
            return wrong("no_object", signal=FORMAT)
        if self._valid is not None and not self._valid(value):
            return wrong("breaks_schema", signal=FORMAT)
        if not accepted:  # then the schema is all there is to keep
            return right("keeps_schema")
        results = [self._against(value, expected) for expected in accepted]
        return max(results, key=lambda result: result.value)

    def _against(self, value: dict[str, Any], expected: Mapping[str, Any]) -> Scored:
        """Compare the fields of an answer with those of an accepted answer."""
        rules = self._rules(expected)
        faults = list[Scored]()
        parts = dict[str, bool]()
        for path, rule in rules.items():
            fault = _field_fault(value, expected, path, rule)
            parts[".".join(path)] = fault is None
            if fault is not None:
                faults.append(fault)
        compared = len(rules)
        if not self.extra:
            compared += 1  # that there is no other field is one more condition
            faults += _extra_field_fault(value, expected)
        scored = conditions("fields_equal", faults, compared, fields=compared)
        return scored.model_copy(update={"parts": parts})

    def _rules(self, expected: Mapping[str, Any]) -> dict[FieldPath, FieldRule]:
        """Return the rule of each field to compare; without stated fields, of every expected one."""
        if not self.fields:
            return {path: FieldRule() for path in leaves(expected)}
        return {tuple(name.split(".")): rule for name, rule in self.fields.items()}


def _field_fault(
    value: Mapping[str, Any],
    expected: Mapping[str, Any],
    path: FieldPath,
    rule: FieldRule,
) -> Scored | None:
    """Return the fault of one field; None for a right one, or one that neither has."""
    name = ".".join(path)
    is_expected, wanted = value_at_path(expected, path)
    is_present, own = value_at_path(value, path)
    if is_expected and not is_present:
        return wrong("field_missing", about=name, signal=FORMAT)
    if not is_present:
        return None
    if is_expected and rule.equal(own, wanted):
        return None
    return wrong("field_differs", about=name)


def _extra_field_fault(
    value: Mapping[str, Any], expected: Mapping[str, Any]
) -> list[Scored]:
    """Return the fault of the first field that isn't expected, by name; [] without one."""
    expected_paths = set(leaves(expected))
    names = [".".join(path) for path in leaves(value) if path not in expected_paths]
    if not names:
        return []
    return [wrong("field_extra", about=min(names), signal=FORMAT)]


def as_object(value: Any) -> Mapping[str, Any] | None:
    """Return a reference as an object, also if a text holds it as JSON; else None."""
    if isinstance(value, str):
        value = Output(value).json
    return value if isinstance(value, Mapping) else None


# ``tool_call``: the right tools are called, with accepted arguments.

MOST_CALLS = 100  #: Calls that are compared; an output with more is wrong.
_OPTIONAL = ""  # among accepted values: the argument may be missing
_DEEPEST = 20  # levels of an argument that are compared


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
        """Whether a model's call is this one, with accepted arguments."""
        if call.name != self.name:
            return False
        return self._equal_fields(call.arguments, self.arguments, depth=0)

    def _equal(self, value: Any, wanted: Any, depth: int) -> bool:
        """Whether an argument equals a wanted value; ``depth`` is its level below the arguments."""
        if isinstance(value, str) and isinstance(wanted, str):
            if self.exact:
                return value == wanted
            return plain(value) == plain(wanted)
        if depth > _DEEPEST:
            return False
        if isinstance(value, list) and isinstance(wanted, list):
            if len(value) != len(wanted):
                return False
            return all(
                self._equal(own, other, depth + 1)
                for own, other in zip(value, wanted, strict=True)
            )
        if isinstance(value, Mapping) and isinstance(wanted, Mapping):
            return self._equal_fields(value, wanted, depth + 1)
        return same(value, wanted)

    def _equal_fields(
        self, value: Mapping[str, Any], wanted: Mapping[str, Any], depth: int
    ) -> bool:
        """Whether every field is wanted and right, and none is missing that isn't optional."""
        if not value.keys() <= wanted.keys():
            return False
        for key, accepted in wanted.items():
            choices = _as_list(accepted) if self.listed else [accepted]
            if key in value:
                if not any(
                    self._equal(value[key], choice, depth) for choice in choices
                ):
                    return False
            elif not self.listed or _OPTIONAL not in choices:
                return False
        return True


def _as_list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _plain_name(name: str) -> str:
    """A tool's name with ``_`` for each dot, as some interfaces don't allow dots."""
    return name.strip().replace(".", "_")


def model_calls(output: Output) -> list[ModelCall] | None:
    """Return the tool calls of an output, from the interface or written as JSON; [] without any.

    None where the arguments of one aren't a JSON object.
    """
    written = list[tuple[Any, Any]]()
    if output.tool_calls:
        for name, text in output.tool_calls:
            # a call without arguments may come with an empty text
            written.append((name, Output(text or "{}").json))
    else:
        for call in _as_list(output.json):
            if not isinstance(call, Mapping) or "name" not in call:
                return []  # JSON that is no call
            written.append((call["name"], call.get("arguments", {})))
    calls = list[ModelCall]()
    for name, arguments in written:
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            return None
        calls.append(ModelCall(_plain_name(name), arguments))
    return calls


def accepted_calls(reference: Any, *, exact: bool = False) -> list[AcceptedCall] | None:
    """Return the calls that a reference demands: one call, or ``{calls: […]}``; None without any."""
    if not isinstance(reference, Mapping):
        return None
    together = reference.get("calls")
    written = together if isinstance(together, list | tuple) else [reference]
    calls = list[AcceptedCall]()
    for data in written:
        call = _accepted_call(data, exact)
        if call is None:
            return None
        calls.append(call)
    return calls


def _accepted_call(data: Any, exact: bool) -> AcceptedCall | None:
    """Read a reference as a call, in either form; None where it has neither.

    The forms are ``{name: …, arguments: {…}}`` and ``{NAME: {argument: [accepted values]}}``.
    """
    if not isinstance(data, Mapping):
        return None
    name = data.get("name")
    arguments = data.get("arguments", {})
    if (
        isinstance(name, str)
        and isinstance(arguments, Mapping)
        and data.keys() <= {"name", "arguments"}
    ):
        return AcceptedCall(_plain_name(name), arguments, listed=False, exact=exact)
    if len(data) != 1:
        return None
    ((name, choices),) = data.items()
    if not isinstance(name, str) or not isinstance(choices, Mapping):
        return None
    if not all(isinstance(values, list) for values in choices.values()):
        return None
    return AcceptedCall(_plain_name(name), choices, listed=True, exact=exact)


def is_call(value: Any) -> bool:
    """Whether a reference must be tool calls, as nothing else has its form."""
    if not isinstance(value, Mapping):
        return False
    if set(value) not in ({"name", "arguments"}, {"calls"}):
        return False
    return accepted_calls(value) is not None


def _count_pairs(
    calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall], *, ordered: bool
) -> int:
    """Return the largest number of calls that fit accepted calls, each another one."""
    if ordered:
        fitting = [
            call
            for call, other in zip(calls, accepted, strict=False)
            if other.fits(call)
        ]
        return len(fitting)
    # for each call, the places of the accepted calls that it fits
    fits = list[list[int]]()
    for call in calls:
        fits.append([at for at, other in enumerate(accepted) if other.fits(call)])
    # taking the first fit for each call could leave a later call without one
    call_of_accepted = dict[int, int]()
    pairs = 0
    for index in range(len(calls)):
        if _find_partner(index, fits, call_of_accepted, set()):
            pairs += 1
    return pairs


def _find_partner(
    index: int,
    fits: Sequence[list[int]],
    call_of_accepted: dict[int, int],
    tried: set[int],
) -> bool:
    """Find an accepted call for a call, moving others where that helps (Kuhn's method)."""
    for place in fits[index]:
        if place in tried:
            continue
        tried.add(place)
        is_free = place not in call_of_accepted
        if is_free or _find_partner(
            call_of_accepted[place], fits, call_of_accepted, tried
        ):
            call_of_accepted[place] = index
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
        accepted = list[list[AcceptedCall]]()
        for reference in references:
            wanted = accepted_calls(as_object(reference), exact=self.exact)
            if wanted is not None:
                accepted.append(wanted)
        if not accepted:
            return unscored("no_reference")
        calls = model_calls(output)
        if calls is None:
            return wrong("unreadable_call", signal=FORMAT)
        if not calls:
            if any(len(wanted) == 0 for wanted in accepted):
                return right("no_call_wanted")
            return wrong("no_call", signal=NO_ANSWER if output.blank else FORMAT)
        results = [self._against(calls, wanted) for wanted in accepted]
        return max(results, key=lambda result: result.value)

    def _against(
        self, calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall]
    ) -> Scored:
        """Compare calls with those of an accepted answer; the score is the share of pairs."""
        numbers = {"called": len(calls), "wanted": len(accepted)}
        if len(calls) > MOST_CALLS:
            return wrong("too_many_calls", numbers=numbers)
        pairs = _count_pairs(calls, accepted, ordered=self.ordered)
        most = max(len(calls), len(accepted))
        if pairs == most:
            return right("calls_equal", numbers)
        names = {call.name for call in accepted}
        others = [call.name for call in calls if call.name not in names]
        about = calls[0].name
        if others:
            why = "other_tool"
            about = others[0]
        elif len(calls) == len(accepted):
            why = "arguments_differ"
        else:
            why = "calls_differ"
        return wrong(why, value=pairs / most, about=about, numbers=numbers)
