"""Rubrics that were written on the page: each a file of its own, named by what it says."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError, OutputError
from tuneworthy.domain.labels import digest_of
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text, write_new
from tuneworthy.files.evidence import FOLDER

MOST_RUBRICS = 100
_FOLDER = f"{FOLDER}/rubrics"
_NAME = re.compile(r"[0-9a-f]{16}")


def rubric_path(case: Case, name: str) -> Path:
    """Where a rubric lies.

    Args:
        case: The case.
        name: Begin of the SHA-256 of its text.

    Raises:
        InputError: If that is no name of a rubric, or there is none of that name.
    """
    path = None
    if _NAME.fullmatch(name):
        path = beside(case, _FOLDER, f"{_FOLDER}/{name}.md")
    if path is None or not path.is_file():
        raise InputError("there is no such rubric", where="rubric", fix="choose one that is listed")
    return path


def read_rubrics(case: Case) -> dict[str, str]:
    """Every rubric by its name, the text without the blanks around it; {} for none.

    Raises:
        CaseError: If one is too large, or a link leads out of the case folder.
    """
    folder = beside(case, _FOLDER, _FOLDER)
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112  # never raises
        return {}
    names = sorted(path.stem for path in folder.iterdir() if _NAME.fullmatch(path.stem))
    found = {}
    for name in names[:MOST_RUBRICS]:
        text = read_text(rubric_path(case, name), MIB, CaseError).strip()
        if digest_of(text) == name:  # one that was changed is another rubric
            found[name] = text
    return found


def keep_rubric(case: Case, text: str) -> str:
    """Keep a rubric; the same text twice is one.

    Returns:
        Its name.

    Raises:
        InputError: If it says nothing, there are too many, or it can't be written.
    """
    told = "\n".join(text.split("\r\n")).strip()
    if not told:
        raise InputError("a rubric says what a good output is", where="rubric", fix="write it down")
    name = digest_of(told)
    known = read_rubrics(case)
    if name in known:
        return name
    if len(known) >= MOST_RUBRICS:
        fix = "take one of those that are there"
        raise InputError(f"there are {MOST_RUBRICS} rubrics already", where="rubric", fix=fix)
    path = beside(case, _FOLDER, f"{_FOLDER}/{name}.md")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    write_new(path, told + "\n", force=True)
    return name
