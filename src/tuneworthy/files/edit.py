"""Answers written into a user's own YAML: comments, order and everything else stay."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.files.case import case_from_text, case_path
from tuneworthy.files.disk import BOM, CASE_LIMIT, read_raw, write_over
from tuneworthy.syntax.edit import edit


def write_answers(
    source: str | Path, answers: Mapping[tuple[str, ...], str], *, read_digest: str | None = None
) -> Case:
    """Write answers into a case file.

    Args:
        source: Case folder or case file; a link to one is followed and stays a link.
        answers: Path inside the case to the value, such as ``("factors", "brand_voice")`` to
            ``"yes"``. A mapping that stands there keeps its other keys and gets a new ``value``.
        read_digest: SHA-256 of the file as the caller saw it; nothing is written if the file has
            changed since.

    Returns:
        The case as it is now.

    Raises:
        CaseError: If the result is no case or the file has changed; then nothing is written.
        OutputError: If it can't be written.
    """
    path = case_path(source)
    raw = read_raw(path, CASE_LIMIT, CaseError)
    text = raw.removeprefix(BOM)
    case_from_text(text, path)  # what isn't a case is refused before it is touched
    if read_digest is not None and text_digest(text) != read_digest:
        fix = "look at it again, then answer"
        raise CaseError("was changed by somebody else meanwhile", where=str(path), fix=fix)
    changed = edit(text, answers, str(path), CaseError)
    case = case_from_text(changed, path)
    write_over(path, raw[: len(raw) - len(text)] + changed)
    return case


def add_to_case(source: str | Path, lines: str) -> Case:
    """Add lines at the end of a case file, such as a section that it doesn't have yet.

    Returns:
        The case as it is now.

    Raises:
        CaseError: If the result is no case; then nothing is written.
        OutputError: If it can't be written.
    """
    path = case_path(source)
    changed = read_raw(path, CASE_LIMIT, CaseError) + lines
    case = case_from_text(changed.removeprefix(BOM), path)
    write_over(path, changed)
    return case


def text_digest(text: str) -> str:
    """SHA-256 of a file's text, for compare-and-set."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
