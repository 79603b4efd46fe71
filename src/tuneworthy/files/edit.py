"""Answers written into a user's own YAML: comments, order and everything else stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, ConflictError
from tuneworthy.files.case import case_from_text, case_path, read_case
from tuneworthy.files.disk import BOM, CASE_LIMIT, read_raw, read_text, write_over
from tuneworthy.files.lock import alone
from tuneworthy.syntax.edit import K, Value, edit


@dataclass(frozen=True, slots=True)
class Written:
    """A case file as it was read or written."""

    case: Case
    digest: str
    """SHA-256 of its text, for compare-and-set."""


def read_with_digest(source: str | Path) -> Written:
    """A case with the digest of the very text it was read from.

    Raises:
        CaseError: If it isn't a case.
    """
    read_case(source)  # its errors are those of every reader
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    return Written(case_from_text(text, path), text_digest(text))


def put(
    source: str | Path, answers: Mapping[K, Value], *, read_digest: str | None = None,
    check: Callable[[Case], object] | None = None,
) -> Written:  # fmt: skip
    """Write answers into a case file; a second writer waits, so that no answer is lost.

    Args:
        source: Case folder or case file; a link to one is followed and stays a link.
        answers: Path inside the case to the value, such as ``("factors", "brand_voice")`` to
            ``"yes"``; what becomes of a mapping that stands there, ``syntax.edit`` says.
        read_digest: SHA-256 of the file as the caller saw it; nothing is written if the file has
            changed since.
        check: Looks at the case before it is written; if it raises, nothing is written.

    Returns:
        The case as it is now, and its digest.

    Raises:
        ConflictError: If the file has changed since it was read; then nothing is written.
        CaseError: If the result is no case; then nothing is written.
        OutputError: If it can't be written.
    """
    path = case_path(source)
    with alone(path):
        raw = read_raw(path, CASE_LIMIT, CaseError)
        text = raw.removeprefix(BOM)
        case_from_text(text, path)  # what isn't a case is refused before it is touched
        if read_digest is not None and text_digest(text) != read_digest:
            fix = "look at it again, then answer"
            raise ConflictError("was changed by somebody else meanwhile", where=str(path), fix=fix)
        changed = edit(text, answers, str(path), CaseError)
        case = case_from_text(changed, path)
        if check is not None:
            check(case)
        if changed != text:
            write_over(path, raw[: len(raw) - len(text)] + changed)
    return Written(case, text_digest(changed))


def write_answers(
    source: str | Path, answers: Mapping[tuple[str, ...], str], *, read_digest: str | None = None
) -> Case:
    """As ``put``, for plain values.

    Returns:
        The case as it is now.
    """
    return put(source, answers, read_digest=read_digest).case


def add_to_case(source: str | Path, lines: str) -> Case:
    """Add lines at the end of a case file, such as a section that it doesn't have yet.

    Returns:
        The case as it is now.

    Raises:
        CaseError: If the result is no case; then nothing is written.
        OutputError: If it can't be written.
    """
    path = case_path(source)
    with alone(path):
        changed = read_raw(path, CASE_LIMIT, CaseError) + lines
        case = case_from_text(changed.removeprefix(BOM), path)
        write_over(path, changed)
    return case


def text_digest(text: str) -> str:
    """SHA-256 of a file's text, for compare-and-set."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
