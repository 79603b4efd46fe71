"""Labs that ran, kept beside their case in ``.tuneworthy/runs``, wherever they were started.

A run is a record of what it found; a ceiling lab also keeps, masked, what every arm answered to
every case of either part.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, TypeAdapter, model_validator

from tuneworthy.errors import CaseError, InputError, NoSuchCaseError
from tuneworthy.files.case import beside
from tuneworthy.files.disk import CASES_LIMIT, MIB, OWN_FOLDER, read_text, write_new
from tuneworthy.files.stores import JsonLines, Moment
from tuneworthy.model.base import Record, json_text
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import Split
from tuneworthy.model.lab import CeilingResult, RetrievalResult, VerifyResult
from tuneworthy.model.pilot import PilotResult

LabKind = Literal["ceiling", "retrieve", "verify", "pilot"]
LabResult = CeilingResult | VerifyResult | RetrievalResult | PilotResult
_RESULTS: dict[str, type[Record]] = {
    "ceiling": CeilingResult,
    "retrieve": RetrievalResult,
    "verify": VerifyResult,
    "pilot": PilotResult,
}
_RUNS = f"{OWN_FOLDER}/runs"
_MOST_RUNS = 50  # runs of a list
_MOST_LETTERS = 8_000_000  # characters of the kept answers
_MOST_LISTED = 64 * MIB  # of files, for one list
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")  # time and a random part
_ANSWERS: dict[Split, str] = {"report": "cases.json", "select": "select.json"}
"""The endings of the files with the answers to the cases of each part."""


class KeptRun(Record):
    """A lab that ran, in the words of its day."""

    id: Annotated[str, Field(pattern=_RUN.pattern)]
    kind: LabKind
    at: Moment  #: Its end.
    says: str  #: The finding, in a sentence.
    #: Its remarks on the case, as label and text.
    answered: tuple[tuple[str, str], ...] = ()
    result: LabResult

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        """Refuse the result of another kind of lab."""
        if not isinstance(self.result, _RESULTS[self.kind]):
            raise ValueError(f"holds no {self.kind}")  # noqa: TRY004  # what pydantic takes
        return self


def keep_run(
    case: Case,
    kind: LabKind,
    result: LabResult,
    says: str,
    answered: Sequence[tuple[str, str]] = (),
    answers: dict[Split, list[list[str]]] | None = None,
) -> None:
    """Keep what a lab found; a folder that can't be written costs no paid result, so it never fails.

    ``answers`` are rows for each part: a head, then the case's id, its question, its right answers,
    and what each arm answered after its score.
    """
    now = datetime.now(UTC)
    run = KeptRun(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        kind=kind,
        at=now,
        says=says,
        answered=tuple(answered),
        result=result,
    )
    texts = {}
    for part, rows in (answers or {}).items():
        texts[_ANSWERS[part]] = json_text(_as_many_as_fit(rows))
    # the record comes last: a run is listed by it, and then all its files are there
    texts["json"] = run.model_dump_json()
    with suppress(InputError):
        for ending, text in texts.items():
            path = _path(case, f"{run.id}.{ending}")
            if path is not None:
                write_new(path, text, force=True)


def _as_many_as_fit(rows: list[list[str]]) -> list[list[str]]:
    """The first rows, as many as may be kept."""
    kept = []
    left = _MOST_LETTERS
    for row in rows:
        left -= sum(len(text) for text in row)
        if left > 0:
            kept.append(row)
    return kept


def kept_runs(case: Case, most: int = _MOST_RUNS) -> tuple[KeptRun, ...]:
    """Read the kept runs of a case, the newest first: fifty at most, and as many as fit in a list.

    A file without a valid run is left out; () where none is kept.
    """
    folder = _path(case, "")
    runs = list[KeptRun]()
    left = _MOST_LISTED  # bytes
    for run_id in _run_ids(folder)[:most]:
        with suppress(CaseError, OSError):
            size = (Path(folder or "") / f"{run_id}.json").stat().st_size
            left -= min(size, CASES_LIMIT)  # a larger file isn't read
            if left < 0:
                break
            runs.append(kept_run(case, run_id))
    # a file may have been renamed, so the time inside counts
    return tuple(sorted(runs, key=lambda run: run.at, reverse=True))


def count_unread_runs(case: Case, runs: Sequence[KeptRun]) -> int:
    """The number of files of runs beside those that were read: of another version, or too many."""
    return len({*_run_ids(_path(case, ""))} - {run.id for run in runs})


def _run_ids(folder: Path | None) -> list[str]:
    """The ids of the runs that have a file, the newest first; [] without a folder."""
    ids = set[str]()
    with suppress(OSError):  # there is no such folder, or we may not read it
        if folder is not None:
            ids = {file.stem for file in folder.iterdir() if _RUN.fullmatch(file.stem)}
    return sorted(ids, reverse=True)  # an id begins with the run's time


def kept_run(case: Case, run_id: str) -> KeptRun:
    """Read a kept run by its id.

    Raises:
        NoSuchCaseError: If there is none.
    """
    # an id of another form could lead out of the folder
    path = _path(case, f"{run_id}.json") if _RUN.fullmatch(run_id) else None
    run = None
    if path is not None:
        lines = JsonLines(path, KeptRun, "kept run", "take it out")
        run = lines.read_whole(CASES_LIMIT)
    if run is None or run.id != run_id:
        raise NoSuchCaseError(
            "there is no such run", where=case.name, fix="choose one of the list"
        )
    return run


class GradedAnswer(NamedTuple):
    """The answer of one arm."""

    is_right: bool | None  #: Whether every part is right; None without an answer.
    text: str  #: The answer after its score; empty where the arm wasn't asked.


class GradedCase(NamedTuple):
    """A case with the answers of all arms."""

    id: str
    asked: str
    right: str  #: Every answer that counts as right.
    answers: tuple[GradedAnswer, ...]  #: One for each arm.


Shown = Literal["all", "wrong", "differ"]
_GRID = TypeAdapter(tuple[Annotated[tuple[str, ...], Field(min_length=4)], ...])
# the case's id, its question, and its right answers
_COLUMNS_BEFORE_ARMS = 3


def graded_cases(
    case: Case,
    run: KeptRun,
    arm: str = "",
    show: Shown = "all",
    part: Split = "report",
) -> tuple[tuple[str, ...], list[GradedCase]]:
    """Return the arms of a run, and the cases to show: asked or wrong ones of an arm, or of any.

    With ``differ``, the cases on which arms differ. Empty where the answers weren't kept.
    """
    path = _path(case, f"{run.id}.{_ANSWERS[part]}")
    grid: tuple[tuple[str, ...], ...] = ()
    if path is not None and path.is_file():
        with suppress(ValueError):  # somebody else wrote the file
            grid = _GRID.validate_json(read_text(path, CASES_LIMIT, CaseError))
    if not grid:
        return (), []
    head, *rows = grid
    arms = tuple(head[_COLUMNS_BEFORE_ARMS:])
    graded = list[GradedCase]()
    for row in rows:
        if len(row) != len(head):  # somebody else wrote it
            continue
        case_id, question, right, *texts = row
        answers = tuple(GradedAnswer(_is_right(text), text) for text in texts)
        graded_case = GradedCase(case_id, question, right, answers)
        if _is_shown(graded_case, arms, arm, show):
            graded.append(graded_case)
    return arms, graded


def _is_shown(graded: GradedCase, arms: Sequence[str], arm: str, show: Shown) -> bool:
    """Whether a case is to be shown; ``arm`` is empty for any arm."""
    if show == "differ":
        return len({answer.is_right for answer in graded.answers}) > 1
    asked = [
        answer.is_right
        for name, answer in zip(arms, graded.answers, strict=True)
        if arm in ("", name) and answer.text
    ]
    if show == "wrong":
        return False in asked
    return bool(asked)


def _is_right(text: str) -> bool | None:
    """Whether a kept answer has the score 1, which stands before it; None without a score."""
    score, _, _ = text.partition(":")
    try:
        return float(score) == 1
    except ValueError:
        return None


def _path(case: Case, name: str) -> Path | None:
    return beside(case, _RUNS, f"{_RUNS}/{name}")
