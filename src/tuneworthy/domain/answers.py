"""Answers as people write them: a word, a count, or a mapping that says more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tuneworthy.domain.record import FileRecord, Natural, Text, Tri, TriInput, is_whole_number


class Answer(FileRecord):
    """An answer about a factor or a signal."""

    value: Tri = "unknown"
    """The answer that counts."""
    note: Text = ""
    """Why, for people; no rule reads it."""
    now: Tri | None = None
    """The answer as things stand today, when ``value`` speaks of later."""
    by_month: Annotated[int, Field(ge=0, le=120)] | None = None
    """Months from today until ``value`` holds."""
    changes: Literal["content", "policy", "both"] | None = None
    """For changing requirements: what changes, the facts or the rules of behaviour."""


class CheckAnswer(FileRecord):
    """An answer to one check of the ceiling test."""

    value: Tri = "unknown"
    """Whether it was done."""
    count: Natural | None = None
    """How many, for checks that count: prompt variations, foundation models."""
    note: Text = ""
    """Why, for people; no rule reads it."""


def _to_answer(value: Any) -> Any:
    return value if isinstance(value, dict | Answer) else {"value": value}


def _to_check(value: Any) -> Any:
    if isinstance(value, dict | CheckAnswer):
        return value
    return {"count": value} if is_whole_number(value) else {"value": value}


SimpleAnswer = Annotated[
    Answer, BeforeValidator(_to_answer, json_schema_input_type=TriInput | Answer)
]
SimpleCheck = Annotated[
    CheckAnswer, BeforeValidator(_to_check, json_schema_input_type=TriInput | Natural | CheckAnswer)
]
