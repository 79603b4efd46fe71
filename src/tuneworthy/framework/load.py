"""Reads frameworks: the lesson, or a file that has been parsed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import FrameworkError
from tuneworthy.model.base import short_text
from tuneworthy.model.framework import Framework
from tuneworthy.syntax.document import ParsedFile, build, parse

if TYPE_CHECKING:
    from tuneworthy.model.interview import CaseField

LESSON = "lesson"  #: The name of the framework that ships.
FIELDS = "fields.yaml"

_OWN = frozenset({"title", "source", "dated", "worked_example"})
"""Sections that concern one framework alone and are never inherited."""


def catalogue_text(file: str) -> str:
    """Read a file of the catalogue."""
    return (
        files("tuneworthy.framework")
        .joinpath("catalogue", file)
        .read_text(encoding="utf-8")
    )


def _parse_catalogue_file(file: str) -> ParsedFile:
    return parse(catalogue_text(file), file, FrameworkError)


@cache  # it never changes, and a server asks for it all day
def lesson() -> Framework:
    """The framework that ships: the published lesson."""
    return build(Framework, _parse_catalogue_file(f"{LESSON}.yaml"), FrameworkError)


def load_document(document: ParsedFile) -> Framework:
    """Read a framework from a parsed file, with what it takes over from the lesson."""
    data: Any = document.data
    base = data.get("extends") if isinstance(data, dict) else None
    if base is None:
        return build(Framework, document, FrameworkError)
    if base != LESSON:
        raise not_shipped(str(base), document.where(("extends",)))
    parent = _parse_catalogue_file(f"{LESSON}.yaml").data
    inherited = {key: value for key, value in parent.items() if key not in _OWN}
    whole = ParsedFile({**inherited, **data}, document.name, document.lines)
    return build(Framework, whole, FrameworkError)


def not_shipped(name: str, where: str = "") -> FrameworkError:
    """The error for a name that is neither the lesson's nor a file's."""
    what = f'"{short_text(name)}" names no known framework'
    fix = f"write {LESSON}, or name a file with its path"
    return FrameworkError(what, where=where, fix=fix)


@cache
def case_fields() -> dict[str, CaseField]:
    """Every field of a case by its path, without the places in lists, in the order of asking."""
    # imported here, because a decision asks no question
    from tuneworthy.model.interview import CaseField

    fields = {}
    for part, entries in _parse_catalogue_file(FIELDS).data.items():
        # what nobody is asked belongs to no part of the interview
        of_part = {} if part in ("unasked", "titles") else {"part": part}
        for path, entry in entries.items():
            fields[path] = CaseField.model_validate({**entry, **of_part})
    return fields
