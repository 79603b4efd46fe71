"""What stands in a case: found by its dotted path, and in the form in which it can be given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tuneworthy.domain.answers import Answer, CheckAnswer
from tuneworthy.domain.case import Attempt, Case, QualityTarget, TokenPrice
from tuneworthy.domain.economics import Amount
from tuneworthy.domain.holdings import Holding

_HAVE_DEFAULTS = ("prompts", "metric")  # fields with a value that nobody has to have said


def at(case: Case, path: str) -> Any:
    """The value at a dotted path, places in lists counted from 1; None where there is none."""
    here: Any = case
    for step in path.split("."):
        if isinstance(here, tuple):
            place = int(step) - 1 if step.isdigit() else -1
            here = here[place] if 0 <= place < len(here) else None
        elif isinstance(here, Mapping):
            here = here.get(step)
        else:
            here = getattr(here, step, None) if isinstance(here, BaseModel) else None
        if here is None:
            return None
    return here


def stands(case: Case, path: str) -> bool:
    """Whether the case says something at a path; "unknown" says nothing."""
    above, _, last = path.rpartition(".")
    room = at(case, above) if last in _HAVE_DEFAULTS and above else None
    if isinstance(room, Attempt | QualityTarget) and last not in room.model_fields_set:
        return False
    return shown(at(case, path)) != ""


def shown(value: Any) -> str:
    """A value as it could be given again; empty for what is unknown or says nothing."""
    if value is None or value == "unknown":
        return ""
    if isinstance(value, CheckAnswer) and value.count is not None:
        return str(value.count)
    if isinstance(value, Answer | CheckAnswer):
        return shown(value.value)
    if isinstance(value, Amount):
        return _range(value)
    if isinstance(value, Holding):
        return shown(value.count)
    if isinstance(value, TokenPrice):
        return f"{_number(value.input)}, {_number(value.output)}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):  # the checks of an attempt
        done = ", ".join(name for name, answer in value.items() if answer.value == "yes")
        return done or ("none" if value else "")
    return _number(value) if isinstance(value, float) else str(value)


def _range(value: Amount) -> str:
    low, likely, high = map(_number, (value.low, value.likely, value.high))
    if low == high:
        return likely
    middle = (value.low + value.high) / 2
    return f"{low} to {high}" if value.likely == middle else f"{low} to {likely} to {high}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)
