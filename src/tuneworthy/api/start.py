"""A case folder to begin with."""

from __future__ import annotations

from pathlib import Path

from tuneworthy.api.road import load_framework
from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.errors import OutputError
from tuneworthy.files.case import CASE_FILE
from tuneworthy.files.disk import write_new
from tuneworthy.framework.load import NAMES
from tuneworthy.framework.schema import case_schema
from tuneworthy.report.template import case_template

SCHEMA_FILE = "case.schema.json"


def start_case(
    folder: str | Path, name: str | None = None, chosen: str | None = None
) -> list[Path]:
    """Write a commented case file and its schema into a folder.

    Args:
        folder: Where; made if it isn't there.
        name: What the use case is called; the folder's name when not given.
        chosen: Framework whose questions are asked; the lesson when not given.

    Returns:
        The files that were written.

    Raises:
        InputError: If one of the files is there already, or the framework isn't one.
    """
    target = Path(folder)
    framework = load_framework(chosen or "lesson")
    paths = [target / CASE_FILE, target / SCHEMA_FILE]
    for path in paths:
        if path.exists():
            fix = "choose another folder, or edit the file that is there"
            raise OutputError("exists already", where=str(path), fix=fix)
    called = name or target.resolve().name.replace("-", " ").replace("_", " ").capitalize()
    own = chosen if chosen is not None and chosen in NAMES else None
    write_new(paths[0], case_template(framework, called or "My use case", SCHEMA_FILE, own))
    write_new(paths[1], json_text(case_schema(framework)))
    return paths
