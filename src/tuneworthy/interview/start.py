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
from tuneworthy.framework.load import NAMES
from tuneworthy.model.base import json_text
from tuneworthy.pipeline import load_framework

SCHEMA_FILE = "case.schema.json"
FRAMEWORK_FILE = "framework.yaml"


def start_case(
    folder: str | Path, name: str | None = None, chosen: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder, and return their paths.

    Where one of them can't be written, none is left.
    """
    if not str(folder).strip():
        raise CaseError("is empty", where="DIR", fix="name a folder")
    target = Path(folder)
    framework = load_framework(chosen or "lesson")
    from tuneworthy.framework.schema import case_schema
    from tuneworthy.report.sections.framework import case_template

    texts = {CASE_FILE: "", SCHEMA_FILE: json_text(case_schema(framework))}
    own = chosen
    if chosen is not None and chosen not in NAMES:
        own = FRAMEWORK_FILE
        texts[own] = read_text(Path(chosen), FRAMEWORK_LIMIT, FrameworkError)
    paths = [target / file for file in texts]
    for path in paths:
        refuse_existing(path, "choose another folder, or edit the existing file")
    called = name or plain_title(folder)
    if len(called) > 200:
        raise CaseError(
            "is longer than 200 characters", where="--name", fix="shorten it"
        )
    texts[CASE_FILE] = case_template(framework, called, SCHEMA_FILE, own)
    with all_or_none(target) as written:
        for path, text in zip(paths, texts.values(), strict=True):
            write_new(path, text)
            written.append(path)
    return paths


def plain_title(folder: str | Path) -> str:
    """The name of a use case, made from its folder."""
    name = one_line(Path(os.path.abspath(folder)).name)  # noqa: PTH100  # never raises
    return name.replace("-", " ").replace("_", " ").capitalize()[:200] or "My use case"
