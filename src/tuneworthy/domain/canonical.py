"""The digest of a record: equal meaning, equal digest."""

from __future__ import annotations

import hashlib
import json

from tuneworthy.domain.record import Record


def digest(record: Record) -> str:
    """SHA-256 of the canonical JSON of a validated record, as 64 hexadecimal digits.

    An absent key and its default are the same thing; the order of keys, quotes, comments and the
    spelling of a yes don't count.
    """
    data = record.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
