"""Tool calls as they are made, as they are wanted, and how they pair off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneworthy.scoring.base import Output
from tuneworthy.scoring.normal import normal
from tuneworthy.scoring.values import same

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
