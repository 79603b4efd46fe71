"""The fields of a case as data: what each is called, how it is asked, and when."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import BeforeValidator

from tuneworthy.errors import FrameworkError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import LateRecord, one_or_many
from tuneworthy.model.interview import AskKind, Part
from tuneworthy.syntax.document import parse

_FILE = "fields.yaml"

LeverUnit = Literal["", "USD", "USD/h", "%", "hours", "months", "tokens"]


class LeverRange(LateRecord):
    """How an amount can be moved on the page."""

    group: str
    unit: LeverUnit = ""
    most: float
    """Where the lever ends if the case states nothing."""
    fixed: bool = False
    """Whether it ends there whatever the case states."""


class CaseField(LateRecord):
    """A field of the case; ``fields.yaml`` says what each key means."""

    part: Part | None = None
    """The conversation that asks for it; None for a field that nobody is asked for."""
    title: str
    question: str = ""
    example: str = ""
    why: str = ""
    minutes: int = 2
    kind: AskKind = "text"
    choices: dict[str, str] | Literal["goals", "options", "checks"] = {}
    share: bool = False
    when: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = ()
    """Conditions, all of which hold where it is asked."""
    label: str = ""
    lever: LeverRange | None = None

    @property
    def is_asked(self) -> bool:
        """Whether there is a question about it; the framework has those about safety."""
        return bool(self.question) or self.part is not None


@cache
def case_fields() -> dict[str, CaseField]:
    """Every field of a case by its path without places in lists, in the order of asking."""
    parts = parse(catalogue_text(_FILE), _FILE, FrameworkError).data
    return {
        path: CaseField.model_validate(entry if part in _NOT_ASKED else {**entry, "part": part})
        for part, entries in parts.items()
        for path, entry in entries.items()
    }


_NOT_ASKED = ("unasked", "titles")


def field_path(path: str) -> str:
    """A path without places in lists: ``attempts.name`` for ``attempts.1.name``."""
    return ".".join(step for step in path.split(".") if not step.isdigit())
