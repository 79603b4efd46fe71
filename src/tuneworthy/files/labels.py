"""Labels of a case: a file for each labeller, only ever added to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError, OutputError
from tuneworthy.domain.labels import ItemKey, Label
from tuneworthy.files.appended import append_line, whole_lines
from tuneworthy.files.case import beside
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.files.evidence import FOLDER

ADJUDICATED = "adjudicated"
"""The labeller who settles what the others differ on."""
MOST_LABELLERS = 50
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_FOLDER = f"{FOLDER}/labels"


def labeller_name(given: str) -> str:
    """A labeller's name as it may stand in a file's name.

    Raises:
        InputError: If it holds anything but letters, digits, - and _, or is kept for adjudication.
    """
    if not _NAME.fullmatch(given):
        fix = "use up to 40 letters, digits, - and _"
        raise InputError(f'"{given[:60]}" is no name', where="--labeller", fix=fix)
    if given.casefold() == ADJUDICATED:
        fix = "settle differences with: tuneworthy evalset adjudicate"
        raise InputError(f"{ADJUDICATED} is no person", where="--labeller", fix=fix)
    return given


def append_label(case: Case, labeller: str, label: Label) -> None:
    """Add a label; what was said before stays in the file.

    Raises:
        OutputError: If it can't be written.
    """
    path = beside(case, _FOLDER, f"{_FOLDER}/{labeller}.jsonl")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, (label.model_dump_json(exclude_defaults=True) + "\n").encode("utf-8"))
    except (OSError, ValueError) as caught:
        why = getattr(caught, "strerror", None) or "not a usable name"
        raise OutputError(f"can't be written ({why})", where=str(path), fix="check it") from None


def read_labels(case: Case) -> dict[str, tuple[Label, ...]]:
    """Labels by labeller, in the order they were given; a line that was cut off is left out.

    Returns:
        Nothing for a case without labels.

    Raises:
        CaseError: If a line is no label, or a file leads out of the case folder.
    """
    folder = beside(case, _FOLDER, _FOLDER)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".jsonl")
    if len(paths) > MOST_LABELLERS:
        fix = "keep those that count"
        raise CaseError(f"holds more than {MOST_LABELLERS} files", where=str(folder), fix=fix)
    found = {}
    for path in paths:
        beside(case, _FOLDER, f"{_FOLDER}/{path.name}")
        if _NAME.fullmatch(path.stem):
            found[path.stem] = _labels(path)
    return found


def _labels(path: Path) -> tuple[Label, ...]:
    lines = whole_lines(read_text(path, CASES_LIMIT, CaseError))
    return tuple(
        _label(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def _label(line: str, where: str) -> Label:
    try:
        return Label.model_validate_json(line)
    except (ValidationError, ValueError, RecursionError):
        fix = "take the line out, or move the file away"
        raise CaseError("is no label", where=where, fix=fix) from None


def latest_labels(labels: Iterable[Label]) -> dict[ItemKey, Label]:
    """What counts of a labeller's labels: the last of each item."""
    return {one.key: one for one in labels}
