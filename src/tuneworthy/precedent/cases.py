"""Published cases from the catalogue or from a parsed file."""

from __future__ import annotations

from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.precedent import PublishedCase
from tuneworthy.framework.load import catalogue_text
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import Document, Path, parse

FILE = "published_cases.yaml"


def shipped_cases() -> tuple[PublishedCase, ...]:
    """The published cases that come with the package."""
    return read_cases(parse(catalogue_text(FILE), FILE, CaseError))


def read_cases(document: Document) -> tuple[PublishedCase, ...]:
    """Published cases from a parsed file.

    Args:
        document: A list of cases, each with at least ``id`` and ``winner``.

    Returns:
        The cases in the order of the file; never empty.

    Raises:
        CaseError: If it is no list, holds no case, or one of them is wrong; with the line.
    """
    data = document.data
    if not isinstance(data, list) or not data:
        raise CaseError(
            f"is {'empty' if not data else 'not a list of cases'}",
            where=document.where(()),
            fix="write a list, each case with at least an id and a winner",
        )
    lines = _lines_by_item(document)
    cases: list[PublishedCase] = []
    seen: dict[str, int] = {}
    for position, item in enumerate(data):
        line = document.lines.get((position,), 1)
        if not isinstance(item, dict):
            raise CaseError(
                "is no case",
                where=f"{document.name}:{line}",
                fix="write keys and values, at least an id and a winner",
            )
        own = {(): line, **lines.get(position, {})}
        case = build(PublishedCase, Document(item, document.name, own), CaseError)
        if case.id in seen:
            raise CaseError(
                f'case "{case.id}" stands twice, first on line {seen[case.id]}',
                where=f"{document.name}:{own.get(('id',), line)}",
                fix="give each case its own id, or keep one of them",
            )
        seen[case.id] = own.get(("id",), line)
        cases.append(case)
    return tuple(cases)


def _lines_by_item(document: Document) -> dict[int, dict[Path, int]]:
    """The lines of each item of the list, with paths that begin inside the item."""
    result: dict[int, dict[Path, int]] = {}
    for path, line in document.lines.items():
        if len(path) > 1 and isinstance(path[0], int):
            result.setdefault(path[0], {})[path[1:]] = line
    return result
