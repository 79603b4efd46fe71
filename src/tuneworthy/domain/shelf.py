"""A case as one line of a list."""

from __future__ import annotations

from tuneworthy.domain.decision import Action, Verdict
from tuneworthy.domain.record import LateRecord


class Listed(LateRecord):
    """A case with its verdict, or with what is wrong with it."""

    name: str
    """Name of its folder, by which the other tools know it."""
    title: str = ""
    """What the use case is called."""
    outcome: Verdict | None = None
    final: bool | None = None
    """Whether no open answer can change the outcome."""
    action: Action | None = None
    summary: str = ""
    next: str = ""
    """The next step."""
    problem: str = ""
    """Why it can't be judged; then nothing but the name is known."""
