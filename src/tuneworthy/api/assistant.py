"""What an assistant's tools need beyond the board: texts as they stand, what-ifs, new cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from tuneworthy.api.board import Board, Judged, fault_of_ours, plain_error
from tuneworthy.api.cases import with_answers
from tuneworthy.api.road import decide
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError, OutputError
from tuneworthy.domain.shelf import Listed
from tuneworthy.files.case import beside, case_from_text, case_path
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.files.edit import text_digest

__all__ = [
    "Board",
    "Judged",
    "Told",
    "files_of",
    "inside",
    "listed",
    "new_case",
    "read_told",
    "supposed",
]


@dataclass(frozen=True, slots=True)
class Told:
    """A case file as it stands."""

    case: Case
    text: str
    digest: str
    """SHA-256 of the text, for compare-and-set."""


def read_told(source: Path) -> Told:
    """The text of a case file, with the case it is.

    Raises:
        CaseError: If it can't be read or is no case.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    return Told(case_from_text(text, path), text, text_digest(text))


def supposed(
    board: Board, name: str, answers: Mapping[str, str], as_of: date | None = None
) -> Judged:
    """A case judged, with other answers as a what-if; nothing is written.

    Args:
        board: The cases.
        name: The case.
        answers: Check, factor, signal or dotted path to its value; the case as told for none.
        as_of: The day the dossier speaks for; the board's own when not given.

    Raises:
        InputError: If there is no such case, or an answer is wrong.
    """
    seen = board.judged(name)
    if not answers and as_of in (None, seen.dossier.as_of):
        return seen
    case = seen.case
    if answers:
        case = with_answers(case, seen.framework, answers)
    day = as_of or seen.dossier.as_of
    return replace(seen, case=case, dossier=decide(case, seen.framework, as_of=day))


def listed(board: Board, names: Sequence[str]) -> tuple[Listed, ...]:
    """One line for each case; one that can't be judged says why. Empty for no names."""
    return tuple(_line(board, name) for name in names)


def _line(board: Board, name: str) -> Listed:
    try:
        dossier = board.judged(name).dossier
    except InputError as caught:
        return Listed(name=name, problem=plain_error(caught, board.shelf))
    except Exception as caught:  # noqa: BLE001  # one case must not hide all the others
        return Listed(name=name, problem=plain_error(fault_of_ours(caught, name), board.shelf))
    verdict = dossier.verdict
    return Listed(
        name=name,
        title=dossier.case.name,
        outcome=verdict.outcome,
        final=verdict.final,
        action=verdict.action,
        summary=verdict.summary,
        next=verdict.next,
    )


def new_case(board: Board, name: str, title: str | None = None) -> Judged:
    """A commented case folder with nothing answered yet, there whole or not at all.

    Args:
        board: The cases.
        name: Name of the folder.
        title: What the use case is called; made from the folder's name when not given.

    Raises:
        InputError: If the name is none for a folder, or taken.
    """
    board.start(name, title or name.replace("-", " ").replace("_", " ").capitalize())
    return board.judged(name)


def files_of(board: Board, name: str) -> tuple[str, ...]:
    """Names of the files in a case folder, sorted.

    Raises:
        CaseError: If there is no such case.
    """
    return tuple(sorted(path.name for path in board.shelf.path(name).iterdir()))


def inside(source: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Files by their names in a case folder, as paths.

    Raises:
        InputError: If one isn't a file there, or lies outside.
    """
    case = read_told(source).case
    found = []
    for name in names:
        path = beside(case, "files", name)
        if path is None or not path.is_file():
            fix = "name a file in the case folder"
            raise OutputError(f'"{name[:80]}" is no file', where=source.name, fix=fix)
        found.append(str(path))
    return tuple(found)
