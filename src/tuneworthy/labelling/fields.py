"""An answer that is an object: split into fields to accept or edit, and joined again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tuneworthy.errors import InputError

FieldKind = Literal["text", "number", "choice", "json"]

_MOST_FIELDS = 60  # an answer with more fields is shown as one text
_LONG = 80  #: Characters from which a field takes several lines.


class AnswerField(NamedTuple):
    """One field of an answer, as a form shows it."""

    name: str
    kind: FieldKind
    text: str
    is_long: bool


def split_answer(text: str) -> list[AnswerField]:
    """Split an answer that is a JSON object; [] for another answer, or for too many fields."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_FIELDS:
        return []
    return [_field(name, each) for name, each in value.items()]


def _field(name: str, value: Any) -> AnswerField:
    """The field of a form for one value of a JSON answer."""
    if isinstance(value, bool):  # before the numbers: Python's bool is an int
        return AnswerField(name, "choice", json.dumps(value), is_long=False)
    if isinstance(value, int | float):
        return AnswerField(name, "number", json.dumps(value), is_long=False)
    if isinstance(value, str) or value is None:
        text = value or ""
        is_long = len(text) > _LONG or "\n" in text
        return AnswerField(name, "text", text, is_long=is_long)
    text = json.dumps(value, ensure_ascii=False)
    return AnswerField(name, "json", text, is_long=True)


def join_answer(text: str, typed: Mapping[str, str]) -> str:
    """Return the answer with the typed values of its fields; other fields stay unchanged.

    Raises:
        InputError: If a field can't hold its typed value, or the answer has no such field.
    """
    fields = {field.name: field for field in split_answer(text)}
    if not fields or not typed.keys() <= fields.keys():
        raise InputError(
            "the answer has other fields by now", fix="look at it once more"
        )
    value = json.loads(text)
    for name, entered in typed.items():
        # an untouched field keeps its value, which its text may not show exactly, as for null
        if _plain_lines(entered) != fields[name].text:
            value[name] = _typed_value(fields[name], entered)
    return json.dumps(value, ensure_ascii=False)


def _plain_lines(entered: str) -> str:
    """What somebody typed, with the line ends that the answer has; browsers send CR LF."""
    return entered.replace("\r\n", "\n")


def _typed_value(field: AnswerField, entered: str) -> Any:
    """Read what somebody entered in a field as a value of the field's kind."""
    if field.kind == "text":
        return _plain_lines(entered)
    try:
        value = json.loads(entered)
    except (ValueError, RecursionError):
        raise InputError(
            f'"{entered[:40]}" is not {_WORDS[field.kind]}', where=field.name
        ) from None
    # Python's bool is an int
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if field.kind == "number" and not is_number:
        raise InputError(f'"{entered[:40]}" is not a number', where=field.name)
    if field.kind == "choice" and not isinstance(value, bool):
        raise InputError(
            f'"{entered[:40]}" is neither true nor false', where=field.name
        )
    return value


_WORDS: Mapping[FieldKind, str] = {
    "number": "a number",
    "choice": "true or false",
    "json": "JSON",
}
