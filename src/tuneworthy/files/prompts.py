"""Prompt variants: front matter and two templates a file."""

from __future__ import annotations

import json
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


def names(variant: PromptVariant) -> frozenset[str]:
    """The variables that a prompt puts in, in either of its templates."""
    return frozenset(variables(f"{variant.system}\n{variant.user}"))


def variables(template: str) -> tuple[str, ...]:
    """The variables of a template in their order, each as often as it stands there."""
    return tuple(_VARIABLE.findall(template))


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
    text = text.replace("\r\n", "\n")
    head, body = _FRONT.match(text), text
    if head is None and text.startswith("---\n"):
        fix = "end it with a line of three hyphens"
        raise CaseError("has front matter without an end", where=f"{path}:1", fix=fix)
    data: dict[str, object] = {"name": path.stem}
    lines: dict[tuple[str | int, ...], int] = {}
    if head is not None:
        # a line more before it, so that errors name the line of the file
        document = parse("\n" + head[1], str(path), CaseError)
        if document.data is not None and not isinstance(document.data, dict):
            raise CaseError(
                "has front matter that is no mapping", where=f"{path}:2", fix="write name: …"
            )
        data |= document.data or {}
        lines = dict(document.lines)
        body = text[head.end() :]
    for name in ("system", "user"):
        if name in data:
            fix = f"write it in the body, under # {name}"
            line = lines.get((name,), 2)
            raise CaseError(f"gives {name} in its front matter", where=f"{path}:{line}", fix=fix)
    _check(body, path, text.count("\n") - body.count("\n"))
    data |= _parts(body, path)
    variant = build(PromptVariant, Document(data, str(path), lines), CaseError)
    if "input" not in names(variant):
        fix = "put {{ input }} where the case's input belongs"
        raise CaseError("never shows the input", where=str(path), fix=fix)
    return variant


def prompt_text(variant: PromptVariant) -> str:
    """A prompt as the text of a file that ``prompt_from`` reads as the same prompt.

    A template with a line that is a heading of such a file, or with blanks at its ends, is read as
    another one.
    """
    told = variant.model_dump(mode="json", by_alias=True, exclude={"system", "user"},
                              exclude_defaults=True)  # fmt: skip
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
    head = "\n".join(lines)
    return f"---\n{head}\n---\n# system\n{variant.system}\n# user\n{variant.user}\n"


def _parts(body: str, path: Path) -> dict[str, str]:
    heads = list(_PART.finditer(body))
    if not heads:
        return {"system": body.strip()}
    twice = {each[1].lower() for each in heads}
    if len(twice) < len(heads) or body[: heads[0].start()].strip():
        fix = "write one part under # system and one under # user, and nothing before them"
        raise CaseError("has text that belongs to no part, or a part twice",
                        where=str(path), fix=fix)  # fmt: skip
    ends = [*(each.start() for each in heads[1:]), len(body)]
    return {
        each[1].lower(): body[each.end() : end].strip()
        for each, end in zip(heads, ends, strict=True)
    }


def _check(body: str, path: Path, above: int) -> None:
    """Nothing but the three variables: a template is text from a stranger and no program."""
    listed = ", ".join(f"{{{{ {name} }}}}" for name in VARIABLES)
    for number, line in enumerate(body.split("\n"), start=above + 1):
        other = sorted(set(_VARIABLE.findall(line)) - set(VARIABLES))
        if other or _OTHER.search(_VARIABLE.sub("", line)):
            what = f'uses "{other[0][:40]}"' if other else "uses more of a template language"
            raise CaseError(what, where=f"{path}:{number}", fix=f"use {listed} alone")


def filled(template: str, values: dict[str, str]) -> str:
    """A template with its variables put in; what is put in is never looked at again."""
    return _VARIABLE.sub(lambda found: values.get(found[1], ""), template)
