"""One text for one meaning: digests, and JSON that is safe to print."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tuneworthy.domain.record import Record

_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What moves a cursor or turns text around and that JSON itself doesn't escape."""


def json_text(data: Any) -> str:
    """Plain data as JSON, two spaces deep, with a line feed at its end.

    Characters a terminal would act on instead of showing are escaped; the value stays the same.

    Raises:
        ValueError: For NaN or infinity, which JSON doesn't have.
    """
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def digest(record: Record) -> str:
    """SHA-256 of the canonical JSON of a validated record, as 64 hexadecimal digits.

    An absent key and its default are the same thing; the order of keys, quotes, comments and the
    spelling of a yes don't count.
    """
    data = record.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


_last: tuple[Record | None, str] = (None, "")


def remembered_digest(record: Record) -> str:
    """``digest`` of a large record that many decisions share; that of the last one is remembered.

    Records are told apart as objects, which is enough because they are frozen.
    """
    global _last  # noqa: PLW0603  # a memory of one, read and replaced as a whole
    known, told = _last
    if known is not record:
        told = digest(record)
        _last = (record, told)
    return told
