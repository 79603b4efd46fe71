"""Answers that an assistant wrote into a case, and which of them no person has confirmed yet.

They are kept beside the case file, in ``.tuneworthy/``, so that its text stays as a person would
write it. An answer is an assistant's as long as it has the value that the assistant wrote; once
somebody changes it by hand, it is theirs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from tuneworthy.files.case import beside
from tuneworthy.files.disk import CASES_LIMIT, read_text
from tuneworthy.files.stores import FOLDER, JsonLines, Moment
from tuneworthy.model.base import Record
from tuneworthy.model.case import Case, overlaps

ASSISTANT = "an assistant"  #: Who wrote a version of a case file, in its history.
ASSISTANT_FILE = "assistant.jsonl"


class AuthoredAnswer(Record):
    """An answer that an assistant wrote or a person has confirmed."""

    at: Moment
    by: Literal["assistant", "person"]
    key: str  #: Dotted path into the case, as it was answered.
    quote: str = ""  #: The person's words that the assistant gave for it.
    digest: str = ""  #: SHA-256 of the case file that it came into.
    values: dict[str, str] = {}
    """The values that the assistant changed, by path; empty for a value that it removed."""


def stated_values(case: Case) -> dict[str, str]:
    """Every single value that a case file states, by its dotted path; list places count from 1."""
    return dict(_values_below("", case.model_dump(mode="json", exclude_defaults=True)))


def _values_below(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The single values of a mapping or a list."""
    if isinstance(value, Mapping):
        children: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        children = enumerate(value, start=1)
    else:
        yield path, str(value)
        return
    for step, child in children:
        yield from _values_below(f"{path}.{step}" if path else str(step), child)


def changed_values(before: Case, after: Case) -> dict[str, str]:
    """The values in which two cases differ, as the later case has them; empty for what it lacks."""
    old = stated_values(before)
    new = stated_values(after)
    changed = {path: value for path, value in new.items() if old.get(path) != value}
    for path in old:
        if path not in new:
            changed[path] = ""
    return changed


def keep_assistant_answers(
    case: Case, changed: Mapping[str, str], quotes: Mapping[str, str], digest: str
) -> None:
    """Write down what an assistant is about to change, by the key that it answers.

    This is written before the case file: if it fails, the case file holds none of these values.

    Args:
        case: The case, still as it was.
        changed: The new values, by path.
        quotes: The person's words for each answer, by its key.
        digest: SHA-256 of the case file that the answers come into.
    """
    values: dict[str, dict[str, str]] = {key: {} for key in quotes}
    for path, value in changed.items():
        keys = [key for key in quotes if overlaps(path, key)]
        if not keys:
            # a value written along with another, as a metric with its target, has no key of its own
            keys = list(quotes)
        most_exact = max(keys, key=len)
        values[most_exact][path] = value
    now = datetime.now(UTC)
    answers: list[AuthoredAnswer] = []
    for key, own_values in values.items():
        if own_values:
            answer = AuthoredAnswer(
                at=now,
                by="assistant",
                key=key,
                quote=quotes[key],
                digest=digest,
                values=own_values,
            )
            answers.append(answer)
    _append(case, answers)


def confirm_answers(case: Case, keys: Iterable[str]) -> None:
    """Write down that a person has confirmed an assistant's answers at some paths, or below them."""
    now = datetime.now(UTC)
    paths = [path for answer in unconfirmed(case) for path in answer.values]
    confirmed = [key for key in keys if any(overlaps(path, key) for path in paths)]
    _append(case, [AuthoredAnswer(at=now, by="person", key=key) for key in confirmed])


def unconfirmed(case: Case) -> tuple[AuthoredAnswer, ...]:
    """The answers of an assistant that no person has confirmed, by key, the oldest first.

    Each lists only the values that are still as the assistant wrote them.
    """
    newest = _newest_unconfirmed(case)
    if not newest:
        return ()
    now = stated_values(case)
    # a row that a person inserts moves an assistant's row and confirms nothing
    in_lists: set[tuple[str, str]] = set()
    for path, value in now.items():
        if _shape(path) != path:
            in_lists.add((_shape(path), value))
    waiting: dict[str, AuthoredAnswer] = {}
    for path, answer in newest.items():
        value = answer.values[path]
        was_moved = value != "" and (_shape(path), value) in in_lists
        if now.get(path, "") != value and not was_moved:
            continue  # a person changed it, so it is theirs
        earlier = waiting.get(answer.key)
        values = {} if earlier is None else earlier.values
        waiting[answer.key] = answer.model_copy(
            update={"values": {**values, path: value}}
        )
    return tuple(waiting.values())


def _newest_unconfirmed(case: Case) -> dict[str, AuthoredAnswer]:
    """The last answer of an assistant that wrote each value, by path, without confirmed ones."""
    newest: dict[str, AuthoredAnswer] = {}
    for answer in read_authored(case):
        if answer.by == "assistant":
            for path in answer.values:
                newest[path] = answer
        else:
            confirmed = [path for path in newest if overlaps(path, answer.key)]
            for path in confirmed:
                del newest[path]
    return newest


def _shape(path: str) -> str:
    """A path without the places in its lists."""
    return re.sub(r"\.\d+(?=\.|$)", ".*", path)


def read_authored(case: Case) -> tuple[AuthoredAnswer, ...]:
    """Every record that was written down, the oldest first; a line that can't be read is left out."""
    path = _file(case)
    if path is None or not os.path.lexists(path):
        return ()
    answers: list[AuthoredAnswer] = []
    for line in read_text(path, CASES_LIMIT).split("\n"):
        with suppress(ValidationError):  # half a line that a crash left
            answers.append(AuthoredAnswer.model_validate_json(line))
    return tuple(answers)


def _file(case: Case) -> Path | None:
    return beside(case, FOLDER, f"{FOLDER}/{ASSISTANT_FILE}")


def _append(case: Case, answers: list[AuthoredAnswer]) -> None:
    path = _file(case)
    if path is not None and answers:
        JsonLines(path, AuthoredAnswer, "answer", "take the line out").append(*answers)
