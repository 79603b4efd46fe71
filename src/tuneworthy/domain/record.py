"""The base of every noun, and the few values that all of them share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

State = Literal["yes", "no", "unknown"]
"""Three values all the way: what is not known is never taken for a no."""

YES_WORDS = frozenset({"yes", "y", "true", "on"})
NO_WORDS = frozenset({"no", "n", "false", "off"})
UNKNOWN_WORDS = frozenset({"unknown", "?", "", "null", "~", "don't know", "dont know"})


class Record(BaseModel):
    """A frozen, closed noun."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class LateRecord(Record):
    """A record that few runs need, or only as a part: built on first use, to save starting time."""

    model_config = ConfigDict(defer_build=True)


class FileRecord(Record):
    """A noun that people write by hand in a file.

    A key with nothing behind it counts as absent, and a key we don't know is refused together
    with the keys we do know, so that the error can say which was meant.
    """

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if not isinstance(data, Mapping):
            raise PydanticCustomError("no_mapping", "no mapping", {"known": tuple(known)})
        for key, value in data.items():
            if key not in known:
                context = {"key": shown(str(key)), "known": tuple(known), "empty": value is None}
                raise PydanticCustomError("unknown_key", "unknown key", context)
        return {key: value for key, value in data.items() if value is not None}


def to_state(value: Any) -> Any:
    """What a person means by yes, no, on, off, true, false, unknown or nothing at all.

    Raises:
        PydanticCustomError: If it is none of these.
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    word = value.strip().casefold() if isinstance(value, str) else None
    if word in YES_WORDS:
        return "yes"
    if word in NO_WORDS:
        return "no"
    if word in UNKNOWN_WORDS:
        return "unknown"
    raise PydanticCustomError("state", "use yes, no or unknown", {"given": shown(value)})


def shown(value: Any) -> str:
    """A short picture of a value for an error message."""
    if isinstance(value, str):
        text = value[:40].encode("utf-8", "backslashreplace").decode("utf-8")
        return text if len(value) <= 40 else text[:39] + "…"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return str(value)[:40]


def wrong(what: str, fix: str) -> PydanticCustomError:
    """A finding of a validator: what is wrong, and the fix."""
    return PydanticCustomError("fix", "{what}", {"what": what, "fix": fix})


def is_whole_number(value: Any) -> bool:
    """Whether a value is a count as people write it; yes and true are not."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (
        isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9][0-9_.]*\s*", value) is not None
    )


def one_or_many(value: Any) -> Any:
    """A single word where a list of them is meant."""
    return [value] if isinstance(value, str) else value


MOST_PARTS = 100
"""Of a path or a pattern: each is searched within the one before."""


def inside_folder(value: str) -> str:
    """A relative path that can't leave the case folder by its own words.

    Raises:
        PydanticCustomError: For an absolute path, a parent folder, a home, a drive or an address,
            and for more than ``MOST_PARTS`` folders within each other.
    """
    parts = re.split(r"[/\\]", value)
    if len(parts) > MOST_PARTS:
        raise wrong(f'"{shown(value)}" has more than {MOST_PARTS} parts', "name a shorter path")
    if "\0" in value or not value.strip():
        raise wrong("is not a path", "name a file or folder beside case.yaml")
    if value.startswith(("/", "\\", "~")) or ".." in parts or re.match(r"[A-Za-z][\w+.-]*:", value):
        raise wrong(f'"{shown(value)}" leaves the case folder', "name it relative to case.yaml")
    return value


_TRI_PATTERN = "^(?:[Yy](?:[Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|[Tt]rue|[Ff]alse|[Uu]nknown)$"

TriInput = (
    Literal["yes", "no", "unknown"]
    | bool
    | Annotated[str, Field(pattern=_TRI_PATTERN, description="The same in any spelling.")]
    | None
)

Tri = Annotated[State, BeforeValidator(to_state, json_schema_input_type=TriInput)]
"""A state as people write it."""

Natural = Annotated[int, Field(ge=0, le=10**15)]
"""A count. The upper end keeps arithmetic finite; nobody has that many."""

NonNegative = Annotated[float, Field(ge=0, le=1e15)]
"""An amount that can't be below zero, in the unit its field names."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share between 0 and 1."""

Text = Annotated[str, Field(max_length=4000)]
"""A note or a description."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A short name."""

Ident = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""An id: a lowercase word, with underscores."""


class Range(Record):
    """A value between two ends, both included, in the unit of its field."""

    low: float
    """The least."""
    high: float | Literal["open"]
    """The most, or ``open`` when it has no upper end."""


class Unknown(Record):
    """A value nobody knows yet."""

    unknown: Literal[True] = True
    """Always true: it tells this object from a value."""
    ask: str
    """The step that would settle it, as a command or a question."""
