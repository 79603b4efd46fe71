"""The model that listens in an interview."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tuneworthy.calls.transport import Transport


class Listener(NamedTuple):
    """Who listens, and under which cap."""

    model: str
    cap_usd: float
    transcript: str | None = None
    """File that keeps the conversation; None for none."""
    transport: Transport | None = None
    """What sends, in place of the model's own endpoint."""
