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
"""The most lists and objects in a record. An empty one takes thirty times its bytes in memory."""
_MOST_RECORDS = 5_000_000
"""The most in a list of undecoded records: more, as what stays undecoded takes no memory."""
_NO_NUMBER = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|-?\bInfinity\b|\bNaN\b', re.DOTALL)
"""NaN or Infinity outside a text; a whole text is group 1, so that it can be put back."""
_HALF = re.compile(
    rb"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\[^u]|(\\u[dD][89a-fA-F]\w\w)", re.DOTALL
)
"""Half of a character as group 1; whole pairs and other escapes match without that group."""


class BrokenJson(Exception):  # noqa: N818  # a finding that every caller takes, not an error of ours
    """Unusable bytes, with the reason in the words of ``tally``."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def decode(data: Bytes, kind: type[T]) -> T:
    """Decode JSON into a type of msgspec; broken JSON raises ``BrokenJson`` with its reason.

    NaN and infinite numbers aren't JSON, and become missing. Half a character, at the end of a text
    cut by UTF-16 units, becomes the mark for an unreadable one.
    """
    stays_undecoded = kind in (Raws, msgspec.Raw)
    most = _MOST_RECORDS if kind == list[msgspec.Raw] else _MOST_INSIDE
    if not stays_undecoded and has_too_much(data, most):
        raise BrokenJson(skipped.TOO_MANY)
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise BrokenJson(skipped.TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError) as caught:
        first = caught
    # Nearly all data is sound, so it is only mended where decoding failed.
    raw = bytes(data)
    mended = _mended(raw)
    if mended == raw:
        raise BrokenJson(_why(raw, first))
    return decode(mended, kind)


def has_too_much(data: Bytes, most: int = _MOST_INSIDE) -> bool:
    """Whether JSON has more lists and objects than memory should hold."""
    # Short data can't be harmful, and counting takes time.
    if memoryview(data).nbytes <= MIB:
        return False
    raw = bytes(data)
    return raw.count(b"{") + raw.count(b"[") > most


def _mended(raw: bytes) -> bytes:
    """Replace what isn't JSON and still has a meaning; other bytes come back as they are."""
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
    """Decode a list or object that is written as text, or still undecoded; others stay as they are.

    A text that isn't JSON stays a text. Undecoded bytes that aren't JSON are None.
    """
    is_text = type(value) is str and value[:1] in _OPENING
    if not is_text and not isinstance(value, msgspec.Raw):
        return value
    try:
        return decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return value if is_text else None


class LastOfLength:
    """A memory of results: it keeps the result of the last text or bytes of each length.

    Logs repeat long texts, such as a system prompt. Comparing with one text of the same length is
    faster than hashing, and holds thirty megabytes at most.
    """

    _MOST = 300  #: Lengths.
    _LONGEST = 100_000  #: Characters or bytes of a text that is kept.

    def __init__(self) -> None:
        self._last: dict[int, tuple[Any, Any]] = {}  #: Text and result, by length.

    def remember(self, written: Any, make: Callable[[Any], Any]) -> Any:
        """Return ``make(written)``, without a second call for the last text of its length."""
        length = len(written)
        last = self._last.get(length)
        if last is not None:
            text, result = last
            if text == written:
                return result
        result = make(written)
        if length <= self._LONGEST:
            if len(self._last) >= self._MOST:
                self._last.clear()
            self._last[length] = (written, result)
        return result


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
    # The first check is the fast one, for most numbers of a log.
    if type(value) is not float and not isinstance(value, int | float | Decimal):
        return None
    try:
        as_float = float(value)
    except (OverflowError, ValueError):
        return None
    return as_float if math.isfinite(as_float) else None


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
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


FAR_S = 1e11  #: The year 5138: a larger number counts something smaller than seconds.
_ISO = re.compile(r"\d{4}[-/]\d\d[-/]\d\d")
_DOTTED = re.compile(r"^(\d\d)\.(\d\d)\.(\d{4})\b")  #: The day, the month and the year.
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_DIGITS = 19  #: Of nanoseconds since 1970.
_PER_S = 1e9  #: Nanoseconds.
_LONGEST_TIME = 64  #: Characters; a longer text is no time.


def when(value: Any) -> float | None:
    """A time in seconds since 1970. A time without a zone counts as UTC.

    Numbers may count seconds, milliseconds, microseconds or nanoseconds.
    """
    moment = value if isinstance(value, datetime) else None
    if moment is None:
        clock = number(value)
        if clock is not None:
            return _in_seconds(clock)
        moment = _moment(value)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def _in_seconds(clock: float) -> float | None:
    """Seconds since 1970, of a clock in seconds or a thousandth part of them; None before 1970."""
    while clock > FAR_S:
        clock /= 1000
    return clock if clock >= 0 else None


def nanoseconds(values: Sequence[Any]) -> list[int] | None:
    """Nanoseconds since 1970 where all are written as text; else None."""
    if {*map(len, values)} != {_DIGITS}:
        return None
    # One look at all digits together is faster than a look at each value.
    digits = "".join(values)
    if not digits.isascii() or not digits.isdigit():
        return None
    return [int(value) for value in values]


def _moment(value: Any) -> datetime | None:
    """A time from a text, as ISO 8601 or with dots or slashes; None for another text."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    value = _DOTTED.sub(r"\3-\2-\1", value, count=1)
    if not _ISO.match(value):
        return None
    value = value.replace("/", "-")
    # msgspec is fastest, and Python reads more forms, if with no more than six decimals.
    with suppress(msgspec.ValidationError):
        return msgspec.convert(value, datetime)
    with suppress(ValueError):
        return datetime.fromisoformat(value)
    with suppress(ValueError):
        shortened = _LONG_FRACTION.sub(r"\1", value.removesuffix(" UTC"))
        return datetime.fromisoformat(shortened)
    return None


def spent_between(start: Sequence[Any], end: Sequence[Any]) -> list[float | None]:
    """Seconds from each start to its end; exact for nanoseconds, for which a float is too coarse.

    A pair that can't be read, or ends before it starts, gives None.
    """
    # Most logs write all times in one form, and then they are read together.
    kinds = {*map(type, start), *map(type, end)}
    spent: list[float | None] | None = None
    if kinds == {float}:
        spent = _spent_in_seconds(start, end)
    elif kinds == {str}:
        spent = _spent_in_nanoseconds(start, end)
        if spent is None:
            spent = _spent_in_iso(start, end)
    return [*map(_seconds_between, start, end)] if spent is None else spent


def _spent_in_seconds(
    start: Sequence[float], end: Sequence[float]
) -> list[float | None] | None:
    """The durations where all clocks count seconds; None where one may count smaller units."""
    if min(*start, *end) < 0 or max(*start, *end) > FAR_S:
        return None
    pairs = zip(start, end, strict=True)
    return [last - first if last >= first else None for first, last in pairs]


def _spent_in_nanoseconds(
    start: Sequence[str], end: Sequence[str]
) -> list[float | None] | None:
    """The durations where all times are nanoseconds written as text; else None."""
    started = nanoseconds(start)
    ended = nanoseconds(end)
    if not started or not ended:
        return None
    pairs = zip(started, ended, strict=True)
    return [(last - first) / _PER_S if last >= first else None for first, last in pairs]


def _spent_in_iso(
    start: Sequence[str], end: Sequence[str]
) -> list[float | None] | None:
    """The durations where msgspec reads all times; else None."""
    try:
        started = msgspec.convert([*start], list[datetime])
        ended = msgspec.convert([*end], list[datetime])
        pairs = zip(started, ended, strict=True)
        spent = [(last - first).total_seconds() for first, last in pairs]
    # such as one time with a zone and the other without
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError):
        return None
    return [seconds if seconds >= 0 else None for seconds in spent]


def _seconds_between(start: Any, end: Any) -> float | None:
    """The seconds from start to end, in whatever form both are; None if they go backwards."""
    # From the exact form to the rough one: each reads more than the one before it.
    readers: Any = ((_nanoseconds, _PER_S), (_moment, timedelta(seconds=1)), (when, 1))
    for read, second in readers:
        first = read(start)
        last = read(end)
        if first is not None and last is not None:
            # only one of the two times may have a time zone
            with suppress(TypeError, OverflowError):
                return (last - first) / second if last >= first else None
    return None


def _nanoseconds(value: Any) -> int | None:
    """A time in nanoseconds since 1970; None for another form."""
    if type(value) is int:
        return value if value >= 10 ** (_DIGITS - 1) else None
    if not isinstance(value, str) or len(value) != _DIGITS:
        return None
    return int(value) if value.isascii() and value.isdigit() else None
