"""The evidence ledger of a case: one line for each run of ``measure``, only ever added to."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, OutputError
from tuneworthy.domain.evidence import Measured
from tuneworthy.files.appended import append_line, whole_lines
from tuneworthy.files.disk import CASES_LIMIT, read_text

FOLDER = ".tuneworthy"
"""What is computed for a case lies here, and nothing of the user's does."""
LEDGER = "evidence.jsonl"
_SCHEMA = Measured.model_fields["schema_"].default
_FIX = "move it away and measure again"


def ledger_path(case: Case) -> Path | None:
    """Where the ledger of a case lies, or would lie; None for a case without a folder.

    Raises:
        CaseError: If a link leads out of the case folder.
    """
    if case.folder is None:
        return None
    path = case.folder / FOLDER / LEDGER
    try:
        inside = path.resolve().is_relative_to(case.folder.resolve())
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise CaseError("leads out of the case folder", where=str(path), fix="remove the link")
    return path


def read_evidence(case: Case) -> tuple[Measured, ...]:
    """Every run that was recorded, the oldest first; () where nothing was measured yet.

    A last line that was cut off while it was written is left out.

    Raises:
        CaseError: If a line is no evidence, or the file is too large.
    """
    path = ledger_path(case)
    if path is None or not os.path.lexists(path):
        return ()
    lines = whole_lines(read_text(path, CASES_LIMIT, CaseError))
    return tuple(
        _run(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()
    )


def _run(line: str, where: str) -> Measured:
    try:
        found = Measured.model_validate_json(line)
    except (ValidationError, ValueError, RecursionError):
        raise CaseError("is no evidence", where=where, fix=_FIX) from None
    if found.schema_ != _SCHEMA:
        raise CaseError(
            "is evidence of another version",
            where=where,
            fix="update tuneworthy, or move the file away and measure again",
        )
    return found


def append_evidence(case: Case, measured: Measured) -> bool:
    """Add a run to the ledger.

    Returns:
        Whether it was added; false where the last run measured the same inputs.

    Raises:
        CaseError: If the ledger that is there can't be read.
        OutputError: If it can't be written.
    """
    path = ledger_path(case)
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    runs = read_evidence(case)
    if runs and runs[-1].inputs == measured.inputs:
        return False
    line = measured.model_dump_json(by_alias=True) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, line.encode("utf-8"))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None
    return True
