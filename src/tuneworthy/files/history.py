"""Versions of a case file as they were written from the page: only ever added to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, OutputError
from tuneworthy.domain.record import LateRecord
from tuneworthy.files.appended import append_line
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text, write_over
from tuneworthy.files.evidence import FOLDER

HISTORY = "history.jsonl"
_MOST = 4 * MIB
"""Bytes that are kept; what is older goes."""
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""Times that every place on earth has a calendar day for."""


class Version(LateRecord):
    """A case file as it was."""

    at: Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
    """When it was written, or first seen."""
    digest: str
    """SHA-256 of its text."""
    text: str


def read_versions(case: Case) -> tuple[Version, ...]:
    """Every version that is kept, the oldest first; () where none is.

    A line that is none, as a crash leaves it, is left out.

    Raises:
        CaseError: If a link leads out of the case folder, or the file can't be read.
    """
    path = _path(case)
    if path is None or not os.path.lexists(path):
        return ()
    found = []
    for line in read_text(path, 2 * _MOST, CaseError).split("\n"):
        try:
            found.append(Version.model_validate_json(line))
        except ValidationError:
            continue
    return tuple(found)


def add_versions(case: Case, versions: Sequence[Version]) -> None:
    """Add versions; the oldest go where there would be too many.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If it can't be written.
    """
    path = _path(case)
    if path is None:
        return
    try:
        path.parent.mkdir(exist_ok=True)
        lines = "".join(version.model_dump_json() + "\n" for version in versions)
        append_line(path, lines.encode("utf-8"), sync=False)  # a help, and no part of an answer
        if path.stat().st_size > _MOST:
            write_over(path, _newest(path))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None


def _newest(path: Path) -> str:
    """The newest lines that take half of what may be kept; the last one whatever it takes."""
    kept: list[str] = []
    for line in reversed(path.read_text("utf-8").splitlines(keepends=True)):
        if kept and sum(map(len, kept)) + len(line) > _MOST // 2:
            break
        kept.append(line)
    return "".join(reversed(kept))


def _path(case: Case) -> Path | None:
    return beside(case, FOLDER, f"{FOLDER}/{HISTORY}")
