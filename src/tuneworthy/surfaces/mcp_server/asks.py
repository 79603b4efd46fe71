"""What the tools may be asked: closed records, so that a word nobody knows is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tuneworthy.domain.record import FileRecord, shown, wrong

_MOST = 100


def _day(value: Any) -> date:
    try:
        found = date.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or not 1970 <= found.year <= 2200:
        raise wrong(f'is "{shown(value)}", which is no date', "write 2026-11-24")
    return found


def _word(value: Any) -> Any:
    """A yes that came as true, and a number, as the words a case file has for them."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else value


def _parsed(value: Any) -> Any:
    """A mapping or list that an assistant wrote as JSON inside a text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]
CaseName = Annotated[str, Field(min_length=1, max_length=100)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, BeforeValidator(_word), Field(max_length=4000)]
FileName = Annotated[str, Field(max_length=500)]
Answers = Annotated[dict[Key, Value], BeforeValidator(_parsed), Field(max_length=_MOST)]


class List(FileRecord):
    """Which part of the list."""

    after: str = ""
    """Begin after this name; from the first when not given."""


class Read(FileRecord):
    """Which case."""

    case: CaseName
    """Name of the case, as list_cases gives it."""


class Suppose(Read):
    """Which case, and what to suppose of it."""

    what_if: Answers = {}
    """Other answers to suppose; nothing is written. Keys are checks, factors, signals or dotted
    paths into the case, such as economics.upfront.hours; values yes, no, unknown or a number."""
    as_of: Day | None = None
    """The day to speak for, as 2026-11-24; today when not given. A plan starts on it."""

    def answers(self) -> Mapping[str, str]:
        """What is supposed."""
        return self.what_if


class Decide(Suppose):
    """Which case to judge, and how much of the dossier to give."""

    whole: bool = False
    """Every section of the dossier, and the whole report as text: about twenty times as long."""


class Explain(Suppose):
    """Which case, and which answer of it."""

    factor: str | None = None
    """A check, factor or signal; the walk through all rules when not given."""


class New(FileRecord):
    """A case to begin."""

    case: CaseName
    """Name of its folder: letters, digits, spaces, dots and hyphens."""
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What the use case is called; made from the folder's name when not given."""


class Said(FileRecord):
    """An answer, with what it rests on."""

    key: Key
    """A check, factor, signal or dotted path into the case, such as targets.latency_p95_s."""
    value: Value
    """yes, no, unknown, a count or an amount."""
    quote: Annotated[str, Field(min_length=1, max_length=1000)]
    """The person's own words that this answer rests on. Shown back, and not written."""


class Answer(Read):
    """Answers to write into a case."""

    answers: Annotated[
        tuple[Said, ...], BeforeValidator(_parsed), Field(min_length=1, max_length=_MOST)
    ]
    """What the person answered; each key once."""
    file_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The file_digest of the last result about this case. If the file has changed since, nothing
    is written."""


class Measure(Read):
    """Which case to measure."""

    files: Annotated[tuple[FileName, ...], BeforeValidator(_parsed), Field(max_length=_MOST)] = ()
    """Files in the case folder with traces or results, in place of those the case names."""


class QuoteCeiling(Read):
    """Which lab to price."""

    repeats: Annotated[int, Field(ge=1, le=20)] = 1
    """Times each case would be asked."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Tokens an answer may have; it bounds the price."""
