"""The interview and what-ifs over a board of cases, judged by its framework and its clock.

Whatever is written here is written if the case file is still as its reader saw it, and what it said
before is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tuneworthy.api.board import Board, Judged
from tuneworthy.api.history import remember
from tuneworthy.api.interview import answered, keep_both, put_all, supposed
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.interview import Step


def say(board: Board, name: str, ask_id: str, given: str, digest: str) -> Step:
    """Write one answer of an interview into a case, and say what it came to.

    Args:
        board: The cases.
        name: Which.
        ask_id: What was asked.
        given: What was said, as a person says it.
        digest: Of the case file, as the question was made from it.

    Raises:
        ConflictError: If somebody else changed the case file meanwhile; nothing is written.
        InputError: If it is no answer; nothing is written.
    """
    before, place = board.judged(name), board.shelf.path(name)
    step = answered(
        place, ask_id, given, chosen=board.chosen, read_digest=digest, as_of=board.day(),
        draw=board.draw,
    )  # fmt: skip
    _remember(board, name, before)
    return step


def keep(board: Board, name: str, ask_id: str, challenge_id: str, digest: str) -> Step:
    """Note beside an answer that it stands although something doesn't fit with it.

    Args:
        board: The cases.
        name: Which.
        ask_id: The answer that was given.
        challenge_id: What doesn't fit.
        digest: Of the case file, as the reader saw it.

    Raises:
        ConflictError: As ``say``.
        InputError: If there is no such challenge now.
    """
    before, place = board.judged(name), board.shelf.path(name)
    step = keep_both(
        place, ask_id, challenge_id, chosen=board.chosen, read_digest=digest, as_of=board.day(),
        draw=board.draw,
    )  # fmt: skip
    _remember(board, name, before)
    return step


def says_so(board: Board, name: str, ask_id: str, given: str) -> bool:
    """Whether a case says already what is given: it was sent twice, or others say the same."""
    judged = board.judged(name)
    try:
        told = supposed(
            board.shelf.path(name), judged.case, judged.text, judged.framework, {ask_id: given}
        )
    except InputError:
        return False
    return told.model_dump() == judged.case.model_dump()  # and not where either was read from


def what_if(board: Board, name: str, given: Mapping[str, str]) -> Judged:
    """A case judged with other answers; nothing is written.

    Args:
        board: The cases.
        name: Which.
        given: Id of a question of the interview to what is said; none gives the case as it is.

    Raises:
        InputError: If an answer is none, or they don't go together.
    """
    judged = board.judged(name)
    if not given:
        return judged
    place = board.shelf.path(name)
    case = supposed(place, judged.case, judged.text, judged.framework, given)
    return replace(judged, case=case, dossier=board.decide(case, judged.framework))


def write_all(board: Board, name: str, given: Mapping[str, str], digest: str) -> Judged:
    """Write several answers into a case, all or none, and judge it again.

    Args:
        board: The cases.
        name: Which.
        given: As for ``what_if``.
        digest: Of the case file, as the reader saw it.

    Raises:
        ConflictError: As ``say``.
        InputError: As ``what_if``; nothing is written.
    """
    before = board.judged(name)
    put_all(
        board.shelf.path(name), before.case, before.framework, given, read_digest=digest,
        check=lambda case: board.decide(case, before.framework),
    )  # fmt: skip
    _remember(board, name, before)
    return board.judged(name)


def _remember(board: Board, name: str, before: Judged) -> None:
    after = board.judged(name)
    if after.digest != before.digest:
        remember(after.case, (before.text, after.text))
