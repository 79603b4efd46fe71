"""Resources: the frameworks as they ship, and each case as its report."""

from __future__ import annotations

from urllib.parse import quote, unquote

from mcp import types

from tuneworthy.api.frameworks import names, show
from tuneworthy.domain.errors import InputError
from tuneworthy.report.assistant import cleaned, marked
from tuneworthy.report.markdown import markdown
from tuneworthy.surfaces.mcp_server.tools import Desk

FRAMEWORK = "tuneworthy://framework/"
CASE = "tuneworthy://case/"
MOST_SAID = 20_000
"""Characters that may be given to a conversation."""
_YAML, _MARKDOWN = "application/yaml", "text/markdown"

TEMPLATES = (
    types.ResourceTemplate(
        uri_template=f"{FRAMEWORK}{{name}}",
        name="framework",
        title="A decision framework",
        description="Questions, rules and figures of a framework of the catalogue, as they ship.",
        mime_type=_YAML,
    ),
    types.ResourceTemplate(
        uri_template=f"{CASE}{{name}}",
        name="case",
        title="The report of a case",
        description="A case judged as of today, as the command line reports it in Markdown.",
        mime_type=_MARKDOWN,
    ),
)
"""What the addresses look like."""


def listed(desk: Desk) -> tuple[types.Resource, ...]:
    """Every framework of the catalogue, and every case.

    Raises:
        InputError: If there are too many cases.
    """
    frameworks = (
        types.Resource(uri=FRAMEWORK + name, name=name, title=title, mime_type=_YAML)
        for name, title in names()
    )
    cases = (
        types.Resource(uri=CASE + quote(name, safe=""), name=cleaned(name), mime_type=_MARKDOWN)
        for name in desk.board.shelf.names()
    )
    return (*frameworks, *cases)


def read(desk: Desk, uri: str) -> types.ReadResourceResult:
    """A framework's YAML, or a case's report with the line that it is data.

    Raises:
        InputError: If there is nothing of that address, or a case can't be judged.
    """
    if uri.startswith(FRAMEWORK):
        return _text(uri, _framework(unquote(uri.removeprefix(FRAMEWORK))), _YAML)
    if uri.startswith(CASE):
        name = unquote(uri.removeprefix(CASE))
        return _text(uri, marked(markdown(desk.board.judged(name).dossier)), _MARKDOWN)
    fix = f"{FRAMEWORK}lesson, or {CASE}NAME"
    raise InputError(f'there is nothing at "{uri[:80]}"', fix=fix)


def _framework(name: str) -> str:
    known = [each for each, _ in names()]
    if name not in known:  # a path would be a framework too
        fix = f"one of {', '.join(known)}"
        raise InputError(f'"{name[:80]}" is no framework of the catalogue', fix=fix)
    return show(name, "yaml")


def _text(uri: str, text: str, kind: str) -> types.ReadResourceResult:
    content = types.TextResourceContents(uri=uri, text=text, mime_type=kind)
    return types.ReadResourceResult(contents=[content])
