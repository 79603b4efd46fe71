"""Reads frameworks: by name from the catalogue, or from a file that has been parsed."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import FrameworkError
from tuneworthy.model.framework import Framework
from tuneworthy.syntax.document import ParsedFile, build, did_you_mean, parse

if TYPE_CHECKING:
    from tuneworthy.model.interview import CaseField

NAMES = ("lesson",)  #: Frameworks of the catalogue.
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


# a shipped framework never changes, and a server asks for it all day
@lru_cache(maxsize=8)
def load_named(name: str) -> Framework:
    """Read a framework of the catalogue; raises a FrameworkError if it has none of that name."""
    return load_document(_named_document(name, name))


def load_document(document: ParsedFile) -> Framework:
    """Read a framework from a parsed file and the one it extends; a FrameworkError if it is none."""
    return build(Framework, _whole(document), FrameworkError)


def _whole(document: ParsedFile) -> ParsedFile:
    """Fill in the sections that a document leaves out; the framework it extends may extend another."""
    data: Any = document.data
    base = data.get("extends") if isinstance(data, dict) else None
    if base is None:
        return document
    parent = _whole(_named_document(str(base), document.where(("extends",)))).data
    inherited = {key: value for key, value in parent.items() if key not in _OWN}
    return ParsedFile({**inherited, **data}, document.name, document.lines)


def _named_document(name: str, where: str) -> ParsedFile:
    """A framework of the catalogue as a parsed file, or an error that suggests the nearest name.

    ``where`` is the place of the name in a file; the name itself where no file has it.
    """
    if name in NAMES:
        return _parse_catalogue_file(f"{name}.yaml")
    guess = did_you_mean(name, NAMES)
    if guess.endswith("?"):
        fix = f"{guess} Or name a file"
    else:
        fix = f"{guess}, or name a file"
    raise FrameworkError(
        f'"{name}" is not a framework of the catalogue',
        where="" if where == name else where,
        fix=fix,
    )


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
