"""A case folder to begin with."""

from __future__ import annotations

import os
from pathlib import Path

from tuneworthy.api.road import load_framework
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.errors import CaseError, FrameworkError, OutputError
from tuneworthy.files.case import CASE_FILE
from tuneworthy.files.disk import FRAMEWORK_LIMIT, read_text, write_new
from tuneworthy.framework.load import NAMES
from tuneworthy.framework.schema import case_schema
from tuneworthy.report.template import case_template

SCHEMA_FILE = "case.schema.json"
FRAMEWORK_FILE = "framework.yaml"


def start_case(
    folder: str | Path, name: str | None = None, chosen: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder.

    Args:
        folder: Where; made if it isn't there.
        name: What the use case is called; the folder's name when not given.
        chosen: Framework whose questions are asked; the lesson when not given. A framework in a
            file is copied into the folder, so that the case can be judged by it anywhere.

    Returns:
        The files that were written.

    Raises:
        InputError: If one of the files is there already, or the framework isn't one.
    """
    if not str(folder).strip():
        raise CaseError("is empty", where="DIR", fix="name a folder")
    target = Path(folder)
    framework = load_framework(chosen or "lesson")
    texts = {CASE_FILE: "", SCHEMA_FILE: json_text(case_schema(framework))}
    own = chosen
    if chosen is not None and chosen not in NAMES:
        own = FRAMEWORK_FILE
        texts[own] = read_text(Path(chosen), FRAMEWORK_LIMIT, FrameworkError)
    paths = [target / file for file in texts]
    for path in paths:
        if os.path.lexists(path):
            fix = "choose another folder, or edit the file that is there"
            raise OutputError("exists already", where=str(path), fix=fix)
    folder_name = Path(os.path.abspath(target)).name  # noqa: PTH100  # never raises
    called = name or folder_name.replace("-", " ").replace("_", " ").capitalize()[:200]
    if len(called) > 200:
        raise CaseError("is longer than 200 characters", where="--name", fix="shorten it")
    texts[CASE_FILE] = case_template(framework, called or "My use case", SCHEMA_FILE, own)
    for path, text in zip(paths, texts.values(), strict=True):
        write_new(path, text)
    return paths
