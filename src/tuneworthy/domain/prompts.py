"""A prompt variant: one file of the folder of prompts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneworthy.domain.record import FileRecord, Name, Tri


class Structure(FileRecord):
    """The four parts of a structured prompt, as its author sees them."""

    persona: Tri = "unknown"
    context: Tri = "unknown"
    task: Tri = "unknown"
    format: Tri = "unknown"


class FewShot(FileRecord):
    """Examples in the prompt."""

    k: int = Field(default=8, ge=0, le=200)
    """How many."""
    source: Literal["fixed", "nearest"] = Field(default="fixed", alias="from")
    """The same for every case, or the nearest to each one."""


class PromptVariant(FileRecord):
    """A prompt: its front matter and its two templates."""

    name: Name
    model: str | None = None
    """Model it was written for; every model of the case when absent."""
    structured: Structure | None = None
    few_shot: FewShot | None = None
    constrained: Literal["schema", "grammar"] | None = None
    temperature: float = Field(default=0.0, ge=0, le=2)
    system: str = ""
    """Template of the system message; ``{{ input }}``, ``{{ contexts }}``, ``{{ examples }}``."""
    user: str = "{{ input }}"
    """Template of the user message."""
