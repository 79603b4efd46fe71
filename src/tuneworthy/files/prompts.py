"""Prompt variants: front matter and two templates a file."""

from __future__ import annotations

import re
from pathlib import Path

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.case import prompt_files
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.syntax.build import build
from tuneworthy.syntax.yaml import Document, parse

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PART = re.compile(r"^#[ \t]+(system|user)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_VARIABLE = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
_OTHER = re.compile(r"\{[%#]|\{\{")
VARIABLES = ("input", "contexts", "examples")
"""What a template may name."""


def read_prompts(case: Case) -> tuple[PromptVariant, ...]:
    """The prompt variants a case names, by file name; () where it names no folder.

    Raises:
        CaseError: If one of them can't be read, or two have the same name.
    """
    found: dict[str, PromptVariant] = {}
    for path in prompt_files(case) or ():
        variant = prompt_from(read_text(path, MIB, CaseError), path)
        if variant.name in found:
            raise CaseError(
                f'prompt "{variant.name[:60]}" stands twice', where=str(path), fix="rename one"
            )
        found[variant.name] = variant
    return tuple(found.values())


def prompt_from(text: str, path: Path) -> PromptVariant:
    """A prompt from its text; one without ``# system`` and ``# user`` is a system prompt.

    Raises:
        CaseError: If its front matter is wrong, or a template uses more than the three variables.
    """
    head, body = _FRONT.match(text), text
    data: dict[str, object] = {"name": path.stem}
    lines: dict[tuple[str | int, ...], int] = {}
    if head is not None:
        document = parse(head[1], str(path), CaseError)
        if document.data is not None and not isinstance(document.data, dict):
            raise CaseError(
                "has front matter that is no mapping", where=str(path), fix="write name: …"
            )
        data |= document.data or {}
        lines = {key: line + 1 for key, line in document.lines.items()}
        body = text[head.end() :]
    for name in ("system", "user"):
        if name in data:
            fix = f"write it in the body, under # {name}"
            raise CaseError(f"gives {name} in its front matter", where=str(path), fix=fix)
    data |= _parts(body)
    for part in ("system", "user"):
        _check(str(data.get(part, "")), path)
    return build(PromptVariant, Document(data, str(path), lines), CaseError)


def _parts(body: str) -> dict[str, str]:
    heads = list(_PART.finditer(body))
    if not heads:
        return {"system": body.strip()}
    ends = [*(each.start() for each in heads[1:]), len(body)]
    return {
        each[1].lower(): body[each.end() : end].strip()
        for each, end in zip(heads, ends, strict=True)
    }


def _check(template: str, path: Path) -> None:
    """Nothing but the three variables: a template is text from a stranger and no program."""
    names = set(_VARIABLE.findall(template))
    other = sorted(names - set(VARIABLES))
    if other or _OTHER.search(_VARIABLE.sub("", template)):
        what = f'uses "{other[0][:40]}"' if other else "uses more of a template language"
        listed = ", ".join(f"{{{{ {name} }}}}" for name in VARIABLES)
        raise CaseError(what, where=str(path), fix=f"use {listed} alone")


def filled(template: str, values: dict[str, str]) -> str:
    """A template with its variables put in; what is put in is never looked at again."""
    return _VARIABLE.sub(lambda found: values.get(found[1], ""), template)
