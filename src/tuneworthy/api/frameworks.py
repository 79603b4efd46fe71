"""Frameworks: which there are, what they ask, where they contradict themselves."""

from __future__ import annotations

from typing import Any

from tuneworthy.api.road import load_framework
from tuneworthy.domain.lint import Lint
from tuneworthy.framework.load import NAMES, catalogue_text
from tuneworthy.report.framework import framework_text
from tuneworthy.report.lint import lint_dict, lint_text

__all__ = ["check", "lint_dict", "lint_text", "names", "schema", "show"]


def names() -> list[tuple[str, str]]:
    """Name and title of every framework of the catalogue."""
    return [(name, load_framework(name).title) for name in NAMES]


def show(source: str, form: str = "text") -> str:
    """A framework in words, or the YAML of one of the catalogue as it stands (``yaml``).

    Raises:
        FrameworkError: If it isn't a framework.
    """
    framework = load_framework(source)
    if form == "yaml" and source in NAMES:
        return catalogue_text(f"{source}.yaml")
    return framework_text(framework)


def check(source: str) -> Lint:
    """Go through every combination of answers a framework can be given.

    Raises:
        FrameworkError: If it isn't a framework, or has too many factors.
    """
    from tuneworthy.framework.check import check as lint  # numpy is needed only here

    return lint(load_framework(source))


def schema(what: str, chosen: str | None = None) -> dict[str, Any]:
    """The JSON Schema of a ``case``, ``cases``, a ``framework``, or what is printed as JSON.

    That is a ``dossier``, or what the labs ``ceiling`` and ``verify`` found.

    Raises:
        FrameworkError: If the framework whose factors a case may answer isn't one.
    """
    from tuneworthy.framework import schema as schemas

    if what == "case":
        return schemas.case_schema(load_framework(chosen or "lesson"))
    makes = {
        "cases": schemas.cases_schema,
        "framework": schemas.framework_schema,
        "ceiling": schemas.ceiling_schema,
        "verify": schemas.verify_schema,
    }
    return makes.get(what, schemas.dossier_schema)()
