"""Answers written down beforehand, for tests, scripts and whoever likes to type in an editor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneworthy.api.interview.asks import is_asked
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.framework import Framework
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.syntax.yaml import parse

_LINE = re.compile(r"(?P<id>[A-Za-z][\w.]*)[ \t]*=[ \t]*(?P<given>.*)", re.ASCII)
_NAME, _KEPT, _SAY, _CONFIRM = "name", "kept", "say", "confirm"


@dataclass(frozen=True, slots=True)
class Script:
    """What to answer, by id; with the place of each in its file."""

    answers: Mapping[str, str]
    """Id of the question to what is given."""
    kept: tuple[str, ...] = ()
    """Challenges to which the answer is that both sides hold."""
    name: str = ""
    """What a case is called that isn't there yet."""
    says: tuple[str, ...] = ()
    """What is said to a model, in order."""
    confirmed: tuple[str, ...] = ()
    """Ids of what a model proposes to which the answer is yes."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Id, or challenge, to file and line."""


def read_script(path: str | Path, framework: Framework) -> Script:
    """A file of answers.

    Either a mapping in YAML from ids to answers, or lines of ``id = answer``. ``kept`` lists
    challenges, ``name`` names a case that isn't there yet. ``say`` is what a model is told, a list
    or one line each, and ``confirm`` lists the ids to which the answer is yes.

    Raises:
        CaseError: If it can't be read, gives an answer twice, or answers what isn't asked.
    """
    text = read_text(Path(path), CASE_LIMIT, CaseError)
    pairs = _lines(text, str(path)) if _is_lines(text) else _mapping(text, str(path))
    answers: dict[str, str] = {}
    places: dict[str, str] = {}
    kept: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    name = ""
    for key, given, where in pairs:
        if key == _NAME:
            name = _text(given, where)
        elif key == _KEPT:
            kept = _names(given, where)
            places |= dict.fromkeys(kept, where)
        elif key == _SAY:
            told = given if isinstance(given, list) else [given]
            says = (*says, *(_line(one, where) for one in told))
            places |= dict.fromkeys(says, where)
        elif key == _CONFIRM:
            confirmed = tuple(is_asked(framework, one, where) for one in _names(given, where))
            places |= dict.fromkeys(confirmed, where)
        else:
            path_of = is_asked(framework, key, where)
            if path_of in answers:
                raise CaseError(f"answers {path_of} twice", where=where, fix="keep one of them")
            answers[path_of], places[path_of] = _text(given, where), where
    return Script(answers, kept, name, says, confirmed, places)


def _is_lines(text: str) -> bool:
    """Whether the first line that says something is ``id = answer``."""
    told = (line.strip() for line in text.splitlines())
    first = next((line for line in told if line and not line.startswith("#")), "")
    return _LINE.fullmatch(first) is not None


def _lines(text: str, name: str) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        told = line.strip()
        if not told or told.startswith("#"):
            continue
        parts = _LINE.fullmatch(told)
        if parts is None:
            raise CaseError(
                "is no id = answer", where=f"{name}:{number}", fix="write few_shot = yes"
            )
        if parts["id"] != _SAY and any(parts["id"] == key for key, _, _ in found):
            fix = "keep one of them"
            raise CaseError(f"answers {parts['id']} twice", where=f"{name}:{number}", fix=fix)
        found.append((parts["id"], parts["given"], f"{name}:{number}"))
    return found


def _mapping(text: str, name: str) -> list[tuple[str, Any, str]]:
    document = parse(text, name, CaseError)
    if not isinstance(document.data, dict):
        fix = "write few_shot: yes, one answer a line"
        raise CaseError("is no list of answers", where=name, fix=fix)
    return [(key, given, document.where((key,))) for key, given in document.data.items()]


def _line(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise CaseError("is nothing to say", where=where, fix="write a sentence")
    return given


def _names(given: Any, where: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r",\s*", _text(given, where)) if part)


def _text(given: Any, where: str) -> str:
    """An answer as a person would type it: a list with commas, a range with its words."""
    if given is None:
        return "unknown"
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return ", ".join(given)
    ends = ("low", "likely", "high")
    if isinstance(given, dict) and set(given) == set(ends):
        told = [given[end] for end in ends]
        if all(isinstance(one, str) for one in told):
            return " to ".join(told)
    fix = "write a word, a number, a list, or {low, likely, high}"
    raise CaseError("is no answer", where=where, fix=fix)
