"""Seals that distinguish results of this machine from results that came with a folder.

A case folder may be a stranger's, and so may its measurements and answers. So each line of
evidence, each answer and each result of a pilot ends in a seal of two halves. The first is a
SHA-256, which shows whether a line was edited. The second is the same with a secret of this
machine, which nobody else can make. A line without the second half counts as brought, not checked.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from tuneworthy.llm.hosts import user_folder

Origin = Literal["here", "brought", "edited"]
"""Made on this machine; made elsewhere; or edited after it was sealed."""

_KEY = re.compile(rb"[0-9a-f]{64}")
_HALF = 64  # hexadecimal digits


def seal(text: str) -> str:
    """Return the seal of a text; only its first half where this machine can't keep a secret."""
    key = _read_key()
    if not key:
        _make_key()
        key = _read_key()  # that of another process, if that one was quicker
    sealed = _digest(text)
    if key:
        sealed += _digest(text, key)
    return sealed


def origin(text: str, sealed: str) -> Origin:
    """Return the origin of a text, by its seal; a text without a seal is brought."""
    digest = sealed[:_HALF]
    own_digest = sealed[_HALF:]
    if sealed and not hmac.compare_digest(digest, _digest(text)):
        return "edited"
    key = _read_key()
    if key and hmac.compare_digest(own_digest, _digest(text, key)):
        return "here"
    return "brought"


def _digest(text: str, key: bytes = b"") -> str:
    data = text.encode("utf-8", "surrogatepass")
    if key:
        return hmac.digest(key, data, "sha256").hex()
    return hashlib.sha256(data).hexdigest()


def _key_path() -> Path | None:
    """The path of this machine's secret; None without a home."""
    folder = user_folder("XDG_STATE_HOME", ".local/state")
    return None if folder is None else folder / "seal"


def _read_key() -> bytes:
    """The secret of this machine; empty without one."""
    path = _key_path()
    with suppress(OSError):
        if path is not None:
            return _cached_key(path, path.stat().st_mtime_ns)
    return b""


@lru_cache(maxsize=8)
def _cached_key(path: Path, modified_ns: int) -> bytes:  # noqa: ARG001  # another file by it
    key = path.read_bytes()[:_HALF]
    return key if _KEY.fullmatch(key) else b""


def _make_key() -> None:
    """Make a secret that only this user can read. If several processes do so, the first one counts."""
    path = _key_path()
    if path is None:
        return
    with suppress(OSError):  # without a secret, seals have one half
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".seal.")
        part = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_HALF // 2))
            # a link fails where there is one already, and nobody sees half a file
            path.hardlink_to(part)
        finally:
            part.unlink()
