"""What a team wrote down about how its outputs should be: glossary, voice, schema, prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneworthy.domain.record import FileRecord, Name, Text


class Term(FileRecord):
    """A term of a glossary."""

    term: Name
    """The right word."""
    means: Text = ""
    """What it means."""
    forbidden: tuple[Name, ...] = ()
    """Words that are wrong for it."""
    case_sensitive: bool = False
    """Whether capitals matter."""
    due_when: tuple[Name, ...] = ()
    """Words of the input that call for the term."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How a brand speaks."""

    samples: tuple[str, ...]
    """Texts that sound right."""
    avoid: tuple[str, ...] = ()
    """Phrases it never uses."""


@dataclass(frozen=True, slots=True)
class Materials:
    """Everything beside the case file that says how outputs should be; None where it is not named.

    ``latency_target_s`` and ``quality_target`` are the case's targets.
    """

    glossary: tuple[Term, ...] | None = None
    voice: Voice | None = None
    output_schema: Mapping[str, Any] | None = None
    prompts: tuple[str, ...] | None = None
    examples_need: int | None = None
    """Examples the approach of the primary goal needs at least."""
    latency_target_s: float | None = None
    quality_target: float | None = None
