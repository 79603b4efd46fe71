"""The base of all records, and the few values that they share."""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

State = Literal["yes", "no", "unknown"]
"""Three values all the way: what is not known is never taken for a no."""

States = Mapping[str, State]  #: The state of answers, by their ids.
Strings = tuple[str, ...]

YES_WORDS = frozenset({"yes", "y", "true", "on"})
NO_WORDS = frozenset({"no", "n", "false", "off"})
UNKNOWN_WORDS = frozenset(
    {
        "unknown",
        "?",
        "",
        "null",
        "~",
        "no idea",
        "don't know",
        "don’t know",
        "dont know",
        "i don't know",
        "i don’t know",
    }
)
R = TypeVar("R", bound="Record")
T = TypeVar("T")
_WORDS: dict[State, frozenset[str]] = {
    "yes": YES_WORDS,
    "no": NO_WORDS,
    "unknown": UNKNOWN_WORDS,
}
_STATES: dict[str, State] = {
    word: state for state, words in _WORDS.items() for word in words
}


class Record(
    BaseModel,
    frozen=True,
    extra="forbid",
    allow_inf_nan=False,
    hide_input_in_errors=True,
    defer_build=True,
):
    """A frozen, closed record. Its checks are built on first use, which saves time at the start."""


_ONE_AT_A_TIME = threading.RLock()  # several readers of a page may want the same


def _after_reading(name: str) -> Any:
    """A method of pydantic's, called after every field was computed.

    Pydantic takes the fields as they stand in ``__dict__``, so none may be missing.
    """

    def call(self: LazyRecord, *args: Any, **kwargs: Any) -> Any:
        self._field_values()
        return getattr(super(LazyRecord, self), name)(*args, **kwargs)

    return call


class LazyRecord(Record):
    """A record with fields that are computed when one of them is first read."""

    _later: dict[str, Callable[[], Any]] = PrivateAttr(default_factory=dict)

    @classmethod
    def waiting(cls, later: Mapping[str, Callable[[], Any]], **known: Any) -> Self:
        """A record with the ``known`` fields, unchecked; ``later`` computes each other one."""
        record = cls.model_construct(**known)
        for name in later:
            # pydantic filled in its default; Python calls __getattr__ only where nothing is
            record.__dict__.pop(name, None)
        record._later = {**later}  # noqa: SLF001  # a record of its own kind, seen by nobody yet
        return record  # type: ignore[return-value]  # the plugin forgets subclasses

    def postpone(self, later: Mapping[str, Callable[[], Any]]) -> Self:
        """This record, checked, as one in which ``later`` computes some of the fields."""
        return self.waiting(later, **self.__dict__)

    def changed(self, **fields: Any) -> Self:
        """This record with other values of some fields; fields that wait go on waiting."""
        with _ONE_AT_A_TIME:
            later = {n: work for n, work in self._later.items() if n not in fields}
            return self.waiting(later, **{**self.__dict__, **fields})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Compute a field when it is first read. Python asks here only for missing ones."""
            fields = type(self).model_fields
            if name not in fields:
                return super().__getattr__(name)
            with _ONE_AT_A_TIME:
                if name in self._later:
                    values = {**self.__dict__, name: self._later[name]()}
                    # pydantic writes fields in the order in which they stand here
                    in_order = {
                        field: values[field] for field in fields if field in values
                    }
                    object.__setattr__(self, "__dict__", in_order)
                    del self._later[name]
            if name in self.__dict__:
                return self.__dict__[name]
            return super().__getattr__(name)

        def __eq__(self, other: object) -> bool:
            return (
                type(self) is type(other)
                and self._field_values() == other._field_values()
            )

        def __hash__(self) -> int:
            return hash(self._field_values())

        # pydantic doesn't check these values, so none may be missing
        model_dump = _after_reading("model_dump")
        model_dump_json = _after_reading("model_dump_json")
        model_copy = _after_reading("model_copy")
        __copy__ = _after_reading("__copy__")
        __deepcopy__ = _after_reading("__deepcopy__")
        __getstate__ = _after_reading("__getstate__")
        __iter__ = _after_reading("__iter__")

    def _field_values(self) -> tuple[Any, ...]:
        """Read every field, those of lazy records inside too, and return the values."""
        values = tuple(getattr(self, name) for name in type(self).model_fields)
        for value in values:
            if isinstance(value, LazyRecord):
                value._field_values()  # noqa: SLF001  # of its own kind
        return values


class FileRecord(Record):
    """A record that people write by hand in a file.

    A key without a value counts as absent. An unknown key is refused together with the known keys,
    so that the error can suggest the key that was meant.
    """

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Refuse a key that the record doesn't have, and drop keys without a value."""
        if isinstance(data, cls):
            return data  # checked already
        keys = _keys(cls)
        if not isinstance(data, Mapping):
            raise PydanticCustomError("no_mapping", "no mapping", {"known": keys})
        for key, value in data.items():
            if key not in keys:
                context = {
                    "key": short_text(str(key)),
                    "known": keys,
                    "empty": value is None,
                }
                raise PydanticCustomError("unknown_key", "unknown key", context)
        return {key: value for key, value in data.items() if value is not None}


@cache
def _keys(record: type[FileRecord]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in record.model_fields.items())


def every(states: Iterable[State]) -> State:
    """No if one is no, else unknown if one is unknown, else yes; yes for none."""
    distinct = set(states)
    if "no" in distinct:
        return "no"
    if "unknown" in distinct:
        return "unknown"
    return "yes"


def to_state(value: Any) -> Any:
    """Read yes, no or unknown, also written as on, off, true, false or nothing.

    Other values raise a PydanticCustomError.
    """
    if value is None:
        return "unknown"
    # a number is no answer, though 1 may look like true
    if isinstance(value, str | bool):
        text = str(value).strip().casefold()
        if text in _STATES:
            return _STATES[text]
    raise PydanticCustomError(
        "state", "use yes, no or unknown", {"given": short_text(value)}
    )


def short_text(value: Any) -> str:
    """A value in at most 40 characters, for an error message."""
    if isinstance(value, str):
        # half of a surrogate pair would break whatever prints the message
        text = value[:40].encode("utf-8", "backslashreplace").decode("utf-8")
        return text if len(value) <= 40 else text[:39] + "…"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else str(value)[:40]


_PLACE = re.compile(r"[1-9][0-9]{0,3}")


def read_place(step: str) -> int | None:
    """Read a place in a list as people write it, counted from 1; None for another text.

    Digits of other scripts, signs and leading zeros aren't read, so each place has one spelling.
    """
    return int(step) if _PLACE.fullmatch(step) else None


def field_path(path: str) -> str:
    """A path without the places in lists: ``attempts.name`` for ``attempts.1.name``."""
    return ".".join(step for step in path.split(".") if read_place(step) is None)


def wrong(what: str, fix: str) -> PydanticCustomError:
    """A validator's error: the fault, and the fix."""
    return PydanticCustomError("fix", "{what}", {"what": what, "fix": fix})


def is_whole_number(value: Any) -> bool:
    """Whether a value is a count as people write it; yes and true aren't."""
    if isinstance(value, str):
        return re.fullmatch(r"\s*[-+]?[0-9][0-9_.]*\s*", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_key(name: str, count: str = "") -> Callable[[Any], Any]:
    """Make a reader that takes a plain value as the key ``name``, or a whole number as ``count``.

    So a person may write ``documents: 500`` for ``documents: {count: 500}``.
    """

    def mapping(value: Any) -> Any:
        if isinstance(value, Mapping | Record):
            return value
        if count and is_whole_number(value):
            return {count: value}
        return {name: value}

    return mapping


def as_bytes(text: str) -> bytes:
    """Text as UTF-8. Half of a surrogate pair, which broken JSON may have, becomes three bytes."""
    return text.encode("utf-8", "surrogatepass")


def readable(text: str) -> str:
    """Text that any file can hold; half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_or_many(value: Any) -> Any:
    """Read a single word as a list of one word."""
    return [value] if isinstance(value, str) else value


MOST_PARTS = 100  #: Of a path or a pattern: each is searched within the one before.


def inside_folder(value: str) -> str:
    """Check a relative path that can't leave the case folder; else an error of the validator."""
    parts = re.split(r"[/\\]", value)  # paths of both kinds of systems
    if len(parts) > MOST_PARTS:
        raise wrong(
            f'"{short_text(value)}" has more than {MOST_PARTS} parts',
            "name a shorter path",
        )
    if "\0" in value or not value.strip():
        raise wrong("is not a path", "name a file or folder beside case.yaml")
    is_absolute = value.startswith(("/", "\\", "~"))
    has_scheme = re.match(r"[A-Za-z][\w+.-]*:", value)  # a drive or a URL
    if is_absolute or has_scheme or ".." in parts:
        raise wrong(
            f'"{short_text(value)}" leaves the case folder',
            "name it relative to case.yaml",
        )
    return value


#: A path beside the case file.
RelativePath = Annotated[str, AfterValidator(inside_folder)]

_TRI_PATTERN = "^(?:[Yy](?:[Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|[Tt]rue|[Ff]alse|[Uu]nknown)$"

TriInput = (
    Literal["yes", "no", "unknown"]
    | bool
    | Annotated[
        str, Field(pattern=_TRI_PATTERN, description="The same in any spelling.")
    ]
    | None
)

Tri = Annotated[State, BeforeValidator(to_state, json_schema_input_type=TriInput)]
"""A state as people write it."""

Natural = Annotated[int, Field(ge=0, le=10**15)]
"""A count. The upper end keeps arithmetic finite; nobody has that many."""

NonNegative = Annotated[float, Field(ge=0, le=1e15)]
"""An amount that can't be below zero, in the unit its field names."""

Share = Annotated[float, Field(ge=0, le=1)]  #: A share between 0 and 1.

Text = Annotated[str, Field(max_length=4000)]  #: A note or a description.

Name = Annotated[str, Field(min_length=1, max_length=200)]  #: A short name.

ChatRole = Literal["system", "user", "assistant", "tool"]

Ident = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""An id: a lowercase word, with underscores."""


class Range(Record):
    """A value between two ends, both included, in the unit of its field.

    JSON shows it as ``{low, high}``. A number with a value between its ends is an ``Interval``.
    """

    low: float  #: The least.
    high: float | Literal["open"]  #: The most, or ``open`` when it has no upper end.

    @classmethod
    def between(cls, low: float, high: float) -> Range:
        """A range from two numbers; ``math.inf`` as the upper end means open."""
        return cls(low=low, high="open" if math.isinf(high) else high)

    @classmethod
    def total(cls, ranges: Iterable[Range]) -> Range:
        """The sum of ranges, open if one of them is; 0 for none."""
        parts = tuple(ranges)
        return cls.between(
            math.fsum(p.low for p in parts), math.fsum(p.most for p in parts)
        )

    @property
    def most(self) -> float:
        """The upper end as a number: ``math.inf`` when open."""
        return math.inf if self.high == "open" else self.high

    def narrowed(self) -> float | Range:
        """The number alone if both ends are equal."""
        return self.low if self.low == self.high else self

    def __add__(self, other: Range) -> Range:
        return Range.between(self.low + other.low, self.most + other.most)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its ends, for calculations; an end may be ``math.inf``."""

    low: float
    value: float
    high: float

    @classmethod
    def certain(cls, value: float) -> Interval:
        """A number without doubt."""
        return cls(value, value, value)

    @property
    def varies(self) -> bool:
        """Whether the ends differ."""
        return self.low < self.high

    def narrowed(self) -> float | Range:
        """The value alone if the ends are equal, else the ends."""
        if self.low != self.high:
            return Range.between(self.low, self.high)
        return self.value

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            self.low + other.low, self.value + other.value, self.high + other.high
        )

    def __sub__(self, other: Interval) -> Interval:
        """The widest difference: from the lowest less the highest to the highest less the lowest."""
        return Interval(
            self.low - other.high, self.value - other.value, self.high - other.low
        )


class Estimated(Record):
    """A measured number and its 95% interval, in one unit."""

    value: float
    low: float
    high: float


class EstimatedShare(Record):
    """A measured share and its 95% interval."""

    value: Share
    low: Share
    high: Share


class Unknown(Record):
    """A value that nobody knows yet. A dossier has no other "none"."""

    unknown: Literal[True] = True  #: Always true: it tells this object from a value.
    ask: str  #: The step that would settle it, as a command or a question.


#: A number, its ends where it is open, or what would settle it.
Number = float | Range | Unknown

_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that move a cursor or reverse text, and that JSON itself doesn't escape."""


def json_text(data: Any) -> str:
    """Plain data as JSON, indented by two, with a final line feed; a ValueError for NaN.

    Characters that a terminal would act on are escaped; the value stays the same.
    """
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def digest(record: Record) -> str:
    """SHA-256 of the canonical JSON of a validated record, as 64 hexadecimal digits.

    An absent key and its default are the same thing; the order of keys, quotes, comments and the
    spelling of a yes don't count.
    """
    data = record.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def of_the_last(work: Callable[[R], T]) -> Callable[[R], T]:
    """Make a function remember its last result, as many decisions share one large record."""
    last: tuple[R, T] | None = None

    def remembered(record: R) -> T:
        nonlocal last
        # several threads may call this: each reads and replaces the pair as a whole
        pair = last
        if pair is not None:
            last_record, last_result = pair
            if last_record is record:
                return last_result
        result = work(record)
        last = (record, result)
        return result

    return remembered


remembered_digest = of_the_last(digest)

MONTHS_PER_QUARTER = 3
MONTHS_PER_YEAR = 12
HOURS_PER_MONTH = 730.0  # 365 days of 24 hours, over 12
DAYS_PER_MONTH = 365.25 / 12
MOST_USD = 1e15  #: As much as any amount may be.
_CENTURY = 1200  # months: growth for longer is no plan
TOKENS_PER_MTOK = 1_000_000


def usd_per_request(
    *,
    input_tokens: float,
    output_tokens: float,
    usd_per_mtok_input: float,
    usd_per_mtok_output: float,
) -> float:
    """Price of one request in USD, without cached tokens."""
    usd = input_tokens * usd_per_mtok_input + output_tokens * usd_per_mtok_output
    return usd / TOKENS_PER_MTOK


def break_even(upfront_usd: float, net_usd: float) -> float:
    """Months until ``upfront_usd`` is back at ``net_usd`` a month; ``math.inf`` for never."""
    if upfront_usd <= 0:
        return 0.0
    return upfront_usd / net_usd if net_usd > 0 else math.inf


def months_to_reach(
    *, now: float, target: float, growth_per_month: float
) -> int | None:
    """Months until ``now``, growing by a share a month, has reached ``target``; None for never."""
    if now >= target:
        return 0
    if now <= 0 or growth_per_month <= 0:
        return None
    months = (math.log(target) - math.log(now)) / math.log1p(growth_per_month)
    months -= 1e-9  # a rounding error isn't a further month
    return math.ceil(months) if months <= _CENTURY else None
