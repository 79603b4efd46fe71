"""Recognize a file that a user gives: log, evaluation set, prompt, document, or training examples.

Its name and its first record decide. Users may state the kind instead, and a guess is always shown.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.searched import read_search
from tuneworthy.intake.measure import FileKind

_LOOKED_AT = 1 << 16  #: Bytes of a file that are looked at.
_LONGEST_PROMPT = 20_000  #: Bytes: a text that is longer is a document.
_DOCUMENTS = frozenset({".html", ".htm", ".pdf", ".rst"})
_TEXTS = frozenset({".md", ".txt", ".jinja", ".prompt"})
_OF_A_CASE = frozenset(
    {"reference", "logged", "checks", "expected", "label", "ideal", "split"}
)
_OF_A_CALL = frozenset(
    {
        "model",
        "usage",
        "latency",
        "latency_ms",
        "timestamp",
        "start_time",
        "trace_id",
        "span_id",
        "output",
        "response",
        "cost",
    }
)
"""Keys that the record of a call has, and that no case and no example has."""

_OF_A_QUESTION = frozenset({"input", "messages", "question", "prompt", "text"})
_OF_AN_EXAMPLE = frozenset(
    {"id", "input", "output", "system", "tags", "reviewed", "review"}
)

KIND_WORDS: Mapping[FileKind, str] = {
    "traces": "logs of calls",
    "evaluation": "an evaluation set",
    "prompts": "prompts",
    "documents": "documents",
    "training": "examples to tune on",
}


def recognise_files(files: Sequence[Path]) -> FileKind:
    """The kind of several files that are sent together.

    Raises:
        InputError: If they are of several kinds, or there is none.
    """
    kinds = {recognise_file(file): file.name for file in files}
    if not kinds:
        raise InputError("no file was sent")
    if len(kinds) > 1:
        # One file of each kind is enough to see what is mixed.
        held = [f"{name} holds {KIND_WORDS[kind]}" for kind, name in kinds.items()]
        raise InputError(
            "are of several kinds",
            where=", ".join(held),
            fix="send each kind by itself",
        )
    (kind,) = kinds
    return kind


def recognise_file(file: Path) -> FileKind:
    """The kind of a file. An unrecognized one counts as a log, whose reader says what is wrong."""
    suffix = file.suffix.casefold()
    if suffix in _DOCUMENTS:
        return "documents"
    if suffix == ".json" and _is_of_a_search(file):
        return "prompts"
    with file.open("rb") as opened:
        begin = opened.read(_LOOKED_AT).decode("utf-8", "replace")
    if suffix in _TEXTS:
        return _kind_of_text(begin, file)
    record = _first_row(begin) if suffix in (".csv", ".tsv") else _first_record(begin)
    return "traces" if record is None else _kind_of(record)


def _is_of_a_search(file: Path) -> bool:
    """Whether a file has prompts that another tool's search wrote."""
    try:
        return any(prompt.searched_by for prompt in read_search(file))
    except CaseError:  # others say what is wrong with it
        return False


def _kind_of_text(begin: str, file: Path) -> FileKind:
    """A prompt has a place for the input or addresses a model; a long text is a document."""
    if _PLACE.search(begin) or _TO_A_MODEL.search(begin):
        return "prompts"
    if file.stat().st_size > _LONGEST_PROMPT:
        return "documents"
    fix = "say which under “Say what they are”"
    raise InputError("may be a prompt or a document", where=file.name, fix=fix)


_PLACE = re.compile(r"\{\{.{1,60}\}\}|^# (?:system|user)\b", re.MULTILINE)
_TO_A_MODEL = re.compile(r"\b(?:you are|you help|your task|act as)\b", re.IGNORECASE)


def _kind_of(record: Mapping[str, Any]) -> FileKind:
    """The kind of a file by the names in one of its records.

    The order decides: a name that only one kind has counts before those that several have.
    """
    names = {str(name).casefold() for name in record}
    # An example may have an output like a call, but nothing else of a call.
    if names <= _OF_AN_EXAMPLE and {"input", "output"} <= names:
        return "training"
    if names & _OF_A_CALL:
        return "traces"
    if names & _OF_A_CASE and names & _OF_A_QUESTION:
        return "evaluation"
    if "messages" in names or {"prompt", "completion"} <= names:
        return "training"
    return "evaluation" if {"id", "input"} <= names else "traces"


def _first_record(text: str) -> Mapping[str, Any] | None:
    """The first object of JSON lines or of a list; None for other contents."""
    begin = text.find("{")
    if begin < 0 or text[:begin].strip(" \t\r\n[\ufeff"):
        return None
    try:
        record, _ = json.JSONDecoder().raw_decode(text[begin:])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _first_row(text: str) -> Mapping[str, Any] | None:
    """The columns of a spreadsheet, without values; None for an empty one."""
    for header in csv.reader(io.StringIO(text)):
        return dict.fromkeys(header) if header else None
    return None
