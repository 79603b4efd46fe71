"""A new case: a commented file, and its schema for editors."""

from __future__ import annotations

import os
from pathlib import Path

from tuneworthy.errors import CaseError, FrameworkError, one_line
from tuneworthy.files.case import CASE_FILE
from tuneworthy.files.disk import (
    FRAMEWORK_LIMIT,
    all_or_none,
    read_text,
    refuse_existing,
    write_new,
)
from tuneworthy.framework.load import LESSON
from tuneworthy.model.base import json_text
from tuneworthy.pipeline import load_framework

SCHEMA_FILE = "case.schema.json"
FRAMEWORK_FILE = "framework.yaml"


def start_case(
    folder: str | Path, name: str | None = None, own: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder, and return their paths.

    ``own`` is a file with a framework, which is copied beside the case. Where one of the files can't
    be written, none is left.
    """
    if not str(folder).strip():
        raise CaseError("is empty", where="DIR", fix="name a folder")
    target = Path(folder)
    framework = load_framework(own or LESSON)
    from tuneworthy.framework.schema import case_schema
    from tuneworthy.report.sections.framework import case_template

    title = name or plain_title(folder)
    if len(title) > _MOST_CHARACTERS:
        raise CaseError(
            f"is longer than {_MOST_CHARACTERS} characters",
            where="--name",
            fix="shorten it",
        )
    framework_name = None
    texts: dict[str, str] = {}
    if own not in (None, LESSON):
        framework_name = FRAMEWORK_FILE
        texts[FRAMEWORK_FILE] = read_text(Path(own), FRAMEWORK_LIMIT, FrameworkError)
    texts = {
        CASE_FILE: case_template(framework, title, SCHEMA_FILE, framework_name),
        SCHEMA_FILE: json_text(case_schema(framework)),
        **texts,
    }
    for file in texts:
        refuse_existing(
            target / file, "choose another folder, or edit the existing file"
        )
    with all_or_none(target) as written:
        for file, text in texts.items():
            write_new(target / file, text)
            written.append(target / file)
    return [target / file for file in texts]


_MOST_CHARACTERS = 200  #: Of the name of a case, as its record allows.


def plain_title(folder: str | Path) -> str:
    """The name of a use case, made from its folder."""
    name = one_line(Path(os.path.abspath(folder)).name)  # noqa: PTH100  # never raises
    return name.replace("-", " ").replace("_", " ").capitalize()[:200] or "My use case"
