"""JSON of strangers into plain values, without a traceback for any bytes."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from tuneworthy.files.disk import MIB
from tuneworthy.files.traces.tally import (
    NO_OBJECT,
    NOT_JSON,
    NOT_UTF8,
    OUT_OF_RANGE,
    TOO_DEEP,
    TOO_MANY,
)

T = TypeVar("T")
Bytes = bytes | memoryview | msgspec.Raw
Raws = dict[str, msgspec.Raw]

_MOST_INSIDE, _MOST_RECORDS = 500_000, 5_000_000
"""Lists and objects of a record, and of a list of records that are left as they are: each takes
thirty times its bytes when there is nothing in it."""
_NO_NUMBER = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_HALF = re.compile(
    rb"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\[^u]|(\\u[dD][89a-fA-F]\w\w)", re.DOTALL
)


class Broken(Exception):  # noqa: N818  # a finding that every caller takes, not an error of ours
    """Bytes that can't be used; says why, in a reason of ``tally``."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def decode(data: Bytes, kind: type[T]) -> T:
    """JSON as a type of msgspec.

    NaN and infinite numbers, which JSON has no word for, are missing; half a character, as a text
    that was cut by UTF-16 units ends in, becomes the mark for an unreadable one.

    Raises:
        Broken: If it isn't JSON of that type.
    """
    if kind not in (Raws, msgspec.Raw) and has_too_much(
        data, _MOST_RECORDS if kind == list[msgspec.Raw] else _MOST_INSIDE
    ):
        raise Broken(TOO_MANY)
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise Broken(TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError) as caught:
        first = caught
    raw = bytes(data)
    mended = _mended(raw)
    if mended is not raw:
        try:
            return msgspec.json.decode(mended, type=kind)
        except RecursionError:
            raise Broken(TOO_DEEP) from None
        except (msgspec.MsgspecError, ValueError) as caught:
            first = caught
    raise Broken(_why(raw, first)) from None


def has_too_much(data: Bytes, most: int = _MOST_INSIDE) -> bool:
    """Whether there are more lists and objects in some JSON than memory should hold."""
    if memoryview(data).nbytes <= MIB:
        return False
    raw = bytes(data)
    return raw.count(b"{") + raw.count(b"[") > most


def _mended(raw: bytes) -> bytes:
    """The bytes with what the fallbacks can mend; the same object where there is nothing."""
    mended = raw
    if b"NaN" in raw or b"Infinity" in raw:
        mended = _NO_NUMBER.sub(lambda found: found[1] or b"null", mended)
    if b"\\ud" in raw or b"\\uD" in raw:
        mended = _HALF.sub(lambda found: b"\\ufffd" if found[1] else found[0], mended)
    return mended


def _why(raw: bytes, caught: Exception) -> str:
    if isinstance(caught, msgspec.ValidationError):
        return OUT_OF_RANGE if "out of range" in str(caught) else NO_OBJECT
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
    return NOT_JSON


def decode_object(data: Bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Broken: If it isn't one.
    """
    return decode(data, dict[str, Any])
