"""``tool_call``: the right tools are called, with accepted arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import model_validator

from tuneworthy.model.base import wrong as refused
from tuneworthy.model.evalset import EvalCase
from tuneworthy.scoring.base import (
    FORMAT,
    NO_ANSWER,
    Output,
    Scored,
    Scorer,
    right,
    unscored,
    wrong,
)
from tuneworthy.scoring.values import plain, same

MOST_CALLS = 100
"""Calls that are compared; an output with more is wrong."""
_OPTIONAL = ""  # among accepted values: the argument may be missing
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call that the model made."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AcceptedCall:
    """A call that is right."""

    name: str
    arguments: Mapping[str, Any]
    """Values; with ``listed`` a list of accepted ones each."""
    listed: bool
    exact: bool
    """Whether capitals, marks and spaces of texts count."""

    def fits(self, call: ModelCall) -> bool:
        if call.name != self.name or set(call.arguments) - set(self.arguments):
            return False
        for name, accepted in self.arguments.items():
            if name not in call.arguments:
                if not (self.listed and _OPTIONAL in accepted):
                    return False
            elif self.listed:
                if not any(self._accepts(call.arguments[name], value) for value in accepted):
                    return False
            elif not self._equal(call.arguments[name], accepted):
                return False
        return True

    def _accepts(self, value: Any, accepted: Any, depth: int = 0) -> bool:
        """Inside accepted objects every value is a list of accepted ones again."""
        if depth > _DEEPEST:
            return False
        if isinstance(accepted, Mapping) and isinstance(value, Mapping):
            return not set(value) - set(accepted) and all(
                any(self._accepts(value[key], x, depth + 1) for x in _listed(values))
                if key in value
                else _OPTIONAL in _listed(values)
                for key, values in accepted.items()
            )
        if isinstance(accepted, list) and isinstance(value, list):
            return len(accepted) == len(value) and all(
                self._accepts(a, b, depth + 1) for a, b in zip(value, accepted, strict=True)
            )
        return self._equal(value, accepted, depth)

    def _equal(self, value: Any, expected: Any, depth: int = 0) -> bool:
        if isinstance(value, str) and isinstance(expected, str):
            return value == expected if self.exact else plain(value) == plain(expected)
        if depth > _DEEPEST:
            return False
        if isinstance(value, list) and isinstance(expected, list):
            return len(value) == len(expected) and all(
                self._equal(a, b, depth + 1) for a, b in zip(value, expected, strict=True)
            )
        if isinstance(value, Mapping) and isinstance(expected, Mapping):
            return value.keys() == expected.keys() and all(
                self._equal(value[key], expected[key], depth + 1) for key in value
            )
        return same(value, expected)


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _plain_name(name: str) -> str:
    """A tool's name; interfaces that take no dot write ``_`` for it."""
    return name.strip().replace(".", "_")


def model_calls(output: Output) -> list[ModelCall] | None:
    """The calls of an output, from the interface or else written as JSON.

    Returns:
        None where one has arguments that are not a JSON object; [] where there is none.
    """
    pairs: list[tuple[Any, Any]]
    if output.tool_calls:
        pairs = [(name, Output(text or "{}").json) for name, text in output.tool_calls]
    else:
        many = _listed(output.json)
        if not many or not all(isinstance(call, Mapping) and "name" in call for call in many):
            return []
        pairs = [(call["name"], call.get("arguments", {})) for call in many]
    if not all(isinstance(name, str) and isinstance(values, Mapping) for name, values in pairs):
        return None
    return [ModelCall(_plain_name(name), values) for name, values in pairs]


def accepted_calls(reference: Any, *, exact: bool = False) -> list[AcceptedCall] | None:
    """The calls a reference asks for: one call, or ``{calls: […]}``; None where it is none."""
    if not isinstance(reference, Mapping):
        return None
    many = reference.get("calls")
    calls = [
        _accepted_call(call, exact)
        for call in (many if isinstance(many, list | tuple) else [reference])
    ]
    return None if None in calls else [call for call in calls if call is not None]


def _accepted_call(data: Any, exact: bool) -> AcceptedCall | None:
    if not isinstance(data, Mapping):
        return None
    name, values = data.get("name"), data.get("arguments", {})
    if isinstance(name, str) and isinstance(values, Mapping) and set(data) <= {"name", "arguments"}:
        return AcceptedCall(_plain_name(name), values, listed=False, exact=exact)
    if len(data) == 1:
        name, values = next(iter(data.items()))
        lists = isinstance(values, Mapping) and all(isinstance(v, list) for v in values.values())
        if isinstance(name, str) and lists:
            return AcceptedCall(_plain_name(name), values, listed=True, exact=exact)
    return None


def is_call(value: Any) -> bool:
    """Whether a reference can't mean anything but tool calls."""
    shape = isinstance(value, Mapping) and set(value) in ({"name", "arguments"}, {"calls"})
    return shape and accepted_calls(value) is not None


def _pairs(calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall], *, ordered: bool) -> int:
    """How many calls pair off with accepted ones, at most."""
    if ordered:
        return sum(other.fits(call) for call, other in zip(calls, accepted, strict=False))
    fits = [[k for k, other in enumerate(accepted) if other.fits(call)] for call in calls]
    partner: dict[int, int] = {}
    return sum(_placed(index, fits, partner, set()) for index in range(len(calls)))


def _placed(index: int, fits: Sequence[list[int]], partner: dict[int, int], seen: set[int]) -> bool:
    """Find a partner for a call, moving others where that helps (Kuhn's method)."""
    for k in fits[index]:
        if k in seen:
            continue
        seen.add(k)
        if k not in partner or _placed(partner[k], fits, partner, seen):
            partner[k] = index
            return True
    return False


class ToolCalls(Scorer):
    """Calls and accepted calls can be paired off, whatever their order.

    The value is the share of calls that are right, over those accepted or made, whichever are more.
    Without calls of the interface, calls that are written as JSON count. An accepted set without
    calls means that none is right.
    """

    id, main, compares = "tool_call", "calls", True
    calls: Any = None
    """Accepted calls made together, instead of the case's reference: ``{name, arguments}`` with
    exact values, or ``{tool: {argument: [accepted values]}}`` where ``""`` means that it may be
    left out."""
    ordered: bool = False
    """Whether the order counts."""
    exact: bool = False
    """Whether capitals, marks and spaces of text arguments count."""

    @model_validator(mode="after")
    def _calls_are_calls(self) -> ToolCalls:
        if self.calls is not None and accepted_calls({"calls": self.calls}) is None:
            raise refused("has calls that are none", "write [{name: …, arguments: {…}}]")
        return self

    def score(self, output: Output, case: EvalCase, system: str = "") -> Scored:
        references = case.accepted if self.calls is None else ({"calls": self.calls},)
        read = (accepted_calls(reference, exact=self.exact) for reference in references)
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
        return max(
            (self._against(calls, each) for each in accepted), key=lambda scored: scored.value
        )

    def _against(self, calls: Sequence[ModelCall], accepted: Sequence[AcceptedCall]) -> Scored:
        numbers = {"called": len(calls), "wanted": len(accepted)}
        if len(calls) > MOST_CALLS:
            return wrong("too_many_calls", numbers=numbers)
        pairs, most = _pairs(calls, accepted, ordered=self.ordered), max(len(calls), len(accepted))
        if pairs == most:
            return right("calls_equal", numbers)
        names = {call.name for call in accepted}
        stray = [call.name for call in calls if call.name not in names]
        if stray:
            return wrong("other_tool", value=pairs / most, about=stray[0], numbers=numbers)
        why = "arguments_differ" if len(calls) == len(accepted) else "calls_differ"
        return wrong(why, value=pairs / most, about=calls[0].name, numbers=numbers)
