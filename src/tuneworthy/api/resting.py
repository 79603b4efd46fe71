"""What a dossier rests on: a digest of every byte it would be made from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from tuneworthy.api.road import framework_of
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, FrameworkError
from tuneworthy.domain.framework import Framework
from tuneworthy.files.case import beside, case_from_text, case_path, missing_entries, prompt_texts
from tuneworthy.files.disk import CASE_LIMIT, CASES_LIMIT, FRAMEWORK_LIMIT, read_text
from tuneworthy.files.edit import text_digest
from tuneworthy.files.evidence import ledger_path
from tuneworthy.framework.load import NAMES, load_document
from tuneworthy.syntax.yaml import parse

_MOST_PARSED = 512


@dataclass(frozen=True, slots=True)
class Resting:
    """A case with what its dossier would rest on."""

    case: Case
    framework: Framework
    text: str
    """Of the case file."""
    digest: str
    """SHA-256 of the case file's text, for compare-and-set."""
    besides: str
    """Digest of all the rest: framework, evidence, prompts, what is missing, and the day."""


def resting_on(source: Path, chosen: str | None, day: date) -> Resting:
    """Read what a case's dossier would be made from.

    Contents and no times of change: a file that was changed twice in one tick of the clock is
    another file.

    Args:
        source: The case.
        chosen: Framework to judge it by; its own or the lesson when not given.
        day: The day the dossier would speak for.

    Raises:
        InputError: If the case or its framework can't be read.
    """
    path = case_path(source)
    text = read_text(path, CASE_LIMIT, CaseError)
    case = _parsed(text, path)
    framework, rules = _framework(case, chosen)
    besides = [day.isoformat(), rules, *missing_entries(case), *(prompt_texts(case) or ())]
    ledger = ledger_path(case)
    if ledger is not None and os.path.lexists(ledger):
        besides.append(read_text(ledger, CASES_LIMIT, CaseError))
    return Resting(case, framework, text, text_digest(text), _digest(besides))


def _framework(case: Case, chosen: str | None) -> tuple[Framework, str]:
    """The framework with its name in the catalogue, or the text it was read from."""
    named = chosen if chosen is not None else case.framework
    if named is None or named in NAMES:
        return _named(named or "lesson"), named or "lesson"
    path = Path(named) if chosen is not None else beside(case, "framework", named)
    if path is None or not path.is_file():
        return framework_of(case, chosen), named  # it says what is wrong
    text = read_text(path, FRAMEWORK_LIMIT, FrameworkError)
    return _written(text, str(path)), text


@lru_cache(maxsize=_MOST_PARSED)
def _parsed(text: str, path: Path) -> Case:
    return case_from_text(text, path)


@lru_cache(maxsize=32)
def _written(text: str, name: str) -> Framework:
    return load_document(parse(text, name, FrameworkError))


@lru_cache(maxsize=len(NAMES))
def _named(name: str) -> Framework:
    return framework_of(Case(name="any"), name)


def _digest(parts: list[str]) -> str:
    """Of several texts, each with its length, so that no two lists run together."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(f"{len(data)}:".encode() + data)
    return found.hexdigest()
