"""Several answers at once: as a what-if, or written into the case file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tuneworthy.api.interview.asks import ask_of
from tuneworthy.api.interview.fields import INVESTMENT, UNASKED
from tuneworthy.api.interview.step import Places, places_of
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.interview import Ask
from tuneworthy.files.case import case_from_text, case_path
from tuneworthy.files.edit import Written, put
from tuneworthy.syntax.edit import edit


def amounts(case: Case, framework: Framework) -> tuple[Ask, ...]:
    """The questions about amounts of money, work and traffic that the case leaves room for."""
    asked = (*INVESTMENT, *UNASKED)
    return tuple(
        ask_of(case, framework, field.id)
        for field in asked
        if field.kind in ("amount", "number", "count") and field.when(case)
    )


def supposed(
    source: str | Path, case: Case, text: str, framework: Framework, given: Mapping[str, str]
) -> Case:
    """The case as it would be with other answers; nothing is written.

    Args:
        source: Case folder or case file.
        case: The case as it stands.
        text: Of its file.
        framework: Whose questions are answered.
        given: Id of a question to what is said, as for ``answered``; none gives the case itself.

    Raises:
        CaseError: If an answer is none, or they don't go together.
    """
    path, places = case_path(source), _all(case, framework, given)
    found = case_from_text(edit(text, places, str(path), CaseError), path)
    paths = frozenset(".".join(map(str, keys)) for keys in places)
    return found.placed(lambda place: ".".join(map(str, place)), found.folder, paths)


def put_all(
    source: str | Path, case: Case, framework: Framework, given: Mapping[str, str], *,
    read_digest: str, check: Callable[[Case], object],
) -> Written:  # fmt: skip
    """Write several answers into a case file, all or none.

    Args:
        source: Case folder or case file.
        case: The case as it stands.
        framework: Whose questions are answered.
        given: As for ``supposed``.
        read_digest: Digest of the file that the questions were made from.
        check: Looks at the case before it is written; if it raises, nothing is written.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: As ``supposed``.
        OutputError: If the file can't be written.
    """
    places = _all(case, framework, given)
    return put(source, places, read_digest=read_digest, check=check)


def _all(case: Case, framework: Framework, given: Mapping[str, str]) -> Places:
    found: Places = {}
    for name, said in given.items():
        found |= places_of(case, ask_of(case, framework, name), said)
    return found
