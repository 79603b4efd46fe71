"""JSON from strangers as plain values, and other tools' spelling of single values.

Functions for single values take anything and never raise. A value that they can't read is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from tuneworthy.files.disk import MIB
from tuneworthy.traces import skipped

T = TypeVar("T")
Bytes = bytes | memoryview | msgspec.Raw
Raws = dict[str, msgspec.Raw]

_MOST_INSIDE = 500_000
_MOST_RECORDS = 5_000_000
"""The most lists and objects in a record, or in a list of undecoded records. An empty one takes
thirty times its bytes in memory."""
_NO_NUMBER = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_HALF = re.compile(
    rb"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\[^u]|(\\u[dD][89a-fA-F]\w\w)", re.DOTALL
)


class BrokenJson(Exception):  # noqa: N818  # a finding that every caller takes, not an error of ours
    """Unusable bytes, with the reason in the words of ``tally``."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def decode(data: Bytes, kind: type[T]) -> T:
    """Decode JSON into a type of msgspec; broken JSON raises an error with its reason.

    NaN and infinite numbers aren't JSON, and become missing. Half a character, at the end of a text
    cut by UTF-16 units, becomes the mark for an unreadable one.
    """
    if kind not in (Raws, msgspec.Raw) and has_too_much(
        data, _MOST_RECORDS if kind == list[msgspec.Raw] else _MOST_INSIDE
    ):
        raise BrokenJson(skipped.TOO_MANY)
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise BrokenJson(skipped.TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError) as caught:
        first = caught
    raw = bytes(data)
    mended = _mended(raw)
    if mended == raw:
        raise BrokenJson(_why(raw, first))
    return decode(mended, kind)


def has_too_much(data: Bytes, most: int = _MOST_INSIDE) -> bool:
    """Whether JSON has more lists and objects than memory should hold."""
    if memoryview(data).nbytes <= MIB:
        return False
    raw = bytes(data)
    return raw.count(b"{") + raw.count(b"[") > most


def _mended(raw: bytes) -> bytes:
    """Repair the bytes where that is possible; returns equal bytes where it isn't."""
    mended = raw
    if b"NaN" in raw or b"Infinity" in raw:
        mended = _NO_NUMBER.sub(lambda match: match[1] or b"null", mended)
    if b"\\ud" in raw or b"\\uD" in raw:
        mended = _HALF.sub(lambda match: b"\\ufffd" if match[1] else match[0], mended)
    return mended


def _why(raw: bytes, caught: Exception) -> str:
    """The reason why a line isn't a JSON object."""
    if isinstance(caught, msgspec.ValidationError):
        return (
            skipped.OUT_OF_RANGE if "out of range" in str(caught) else skipped.NO_OBJECT
        )
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return skipped.NOT_UTF8
    return skipped.NOT_JSON


ANY = msgspec.json.Decoder().decode
ItemsLater = list[msgspec.Raw] | dict[str, Any] | str | int | float | bool | None
"""Any JSON, with undecoded items of lists: most turns are never read."""
ITEMS_LATER = msgspec.json.Decoder(ItemsLater).decode
_OPENING = ("[", "{")


def unpacked(value: Any, decode: Callable[[Any], Any] = ANY) -> Any:
    """Decode a list or object that is written as text, or still undecoded; others stay as they are."""
    written = type(value) is str and value[:1] in _OPENING
    if written or isinstance(value, msgspec.Raw):
        try:
            return decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return value if written else None
    return value


class LastOfLength:
    """A memory of results: it keeps the result of the last text or bytes of each length."""

    # thirty megabytes at most
    _MOST = 300
    _LONGEST = 100_000

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def remember(self, written: Any, make: Callable[[Any], Any]) -> Any:
        """Return ``make(written)``, without a second call for the last text of its length."""
        length = len(written)
        pair = self._known.get(length)
        if pair is None or pair[0] != written:
            pair = written, make(written)
            if length <= self._LONGEST:
                if len(self._known) >= self._MOST:
                    self._known.clear()
                self._known[length] = pair
        return pair[1]


def dumped(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError):
        return ""


# Single values.

_YES = frozenset(
    {"yes", "true", "1", "answerable", "pass", "passed", "correct", "good", "up"}
)
_NO = frozenset(
    {"no", "false", "0", "unanswerable", "fail", "failed", "incorrect", "bad", "down"}
)


def number(value: Any) -> float | None:
    """A finite number, also from text and from yes and no; None for any other value."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if type(value) is float or isinstance(value, int | float | Decimal):
        try:
            as_float = float(value)
        except (OverflowError, ValueError):
            return None
        return as_float if math.isfinite(as_float) else None
    return None


def whole(value: Any) -> int | None:
    n = value if type(value) is int else number(value)
    return int(n) if n is not None and n >= 0 else None


def yes_no(value: Any) -> bool | None:
    """A yes or a no, from a boolean, a number or a word; the first item of a list."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _YES:
        return True
    return False if word in _NO else None


def score(value: Any) -> float | None:
    """A score as a number; a word such as pass or fail counts as 1 or 0."""
    n = number(value)
    if n is None and isinstance(value, str):
        word = yes_no(value)
        return None if word is None else float(word)
    return n


def name(value: Any) -> str | None:
    """A short name or an id; None for other values."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The object itself; {} for any other value."""
    return value if isinstance(value, dict) else {}


def mappings_in(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; [] for any other value."""
    return (
        [item for item in value if isinstance(item, dict)]
        if isinstance(value, list)
        else []
    )


FAR_S = 1e11  #: The year 5138: a larger number counts something smaller than seconds.
_ISO = re.compile(r"\d{4}[-/]\d\d[-/]\d\d")
_DOTTED = re.compile(r"^(\d\d)\.(\d\d)\.(\d{4})\b")  #: The day, the month and the year.
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_DIGITS = 19  #: Of nanoseconds since 1970.


def when(value: Any) -> float | None:
    """A time in seconds since 1970. A time without a zone counts as UTC.

    Numbers may count seconds, milliseconds, microseconds or nanoseconds.
    """
    moment = value if isinstance(value, datetime) else None
    if moment is None:
        clock = number(value)
        if clock is not None:
            while clock > FAR_S:
                clock /= 1000
            return clock if clock >= 0 else None
        moment = _moment(value)
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def nanoseconds(values: Sequence[Any]) -> list[int] | None:
    """Nanoseconds since 1970 where all are written as text; else None."""
    if {*map(len, values)} != {_DIGITS}:
        return None
    whole = "".join(values)
    return [*map(int, values)] if whole.isascii() and whole.isdigit() else None


def _moment(value: Any) -> datetime | None:
    """A time from a text, as ISO 8601 or with dots or slashes; None for another text."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    value = _DOTTED.sub(r"\3-\2-\1", value, count=1)
    if not _ISO.match(value):
        return None
    value = value.replace("/", "-")
    try:
        return msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        pass
    for written in (value, _LONG_FRACTION.sub(r"\1", value.removesuffix(" UTC"))):
        try:
            return datetime.fromisoformat(written)
        except ValueError:
            continue
    return None


def spent_between(start: Sequence[Any], end: Sequence[Any]) -> list[float | None]:
    """Seconds from each start to its end; exact for nanoseconds, for which a float is too coarse."""
    kinds = {*map(type, start), *map(type, end)}
    if kinds == {float} and min(*start, *end) >= 0 and max(*start, *end) <= FAR_S:
        return [b - a if b >= a else None for a, b in zip(start, end, strict=True)]
    if kinds == {str}:
        began = nanoseconds(start)
        ended = nanoseconds(end)
        if began and ended:
            return [
                (b - a) / 1e9 if b >= a else None
                for a, b in zip(began, ended, strict=True)
            ]
        with suppress(msgspec.ValidationError, TypeError, ValueError, OverflowError):
            moments = (
                msgspec.convert([*times], list[datetime]) for times in (end, start)
            )
            spent = ((b - a).total_seconds() for b, a in zip(*moments, strict=True))
            return [each if each >= 0 else None for each in spent]
    return [*map(_seconds_between, start, end)]


def _seconds_between(start: Any, end: Any) -> float | None:
    """The seconds from start to end, in whatever form both are; None if they go backwards."""
    readers: Any = ((_nanoseconds, 1e9), (_moment, timedelta(seconds=1)), (when, 1))
    for read, second in readers:
        first = read(start)
        last = read(end)
        if first is not None and last is not None:
            # only one of the two times may have a time zone
            with suppress(TypeError, OverflowError):
                return (last - first) / second if last >= first else None
    return None


def _nanoseconds(value: Any) -> Any:
    """A time in nanoseconds since 1970; None for another form."""
    if (
        isinstance(value, str)
        and len(value) == _DIGITS
        and value.isascii()
        and value.isdigit()
    ):
        return int(value)
    return value if type(value) is int and value >= 10 ** (_DIGITS - 1) else None
