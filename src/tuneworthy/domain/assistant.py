"""A conversation that an assistant can be asked to hold."""

from __future__ import annotations

from tuneworthy.domain.record import Record


class Talk(Record):
    """A conversation."""

    name: str
    """Its id."""
    title: str
    """What people call it."""
    says: str
    """What it is for, in a sentence."""
    arguments: tuple[tuple[str, str], ...]
    """Name of each thing that may be given, and what it is; all may be left out."""
    text: str
    """What the assistant is told."""
