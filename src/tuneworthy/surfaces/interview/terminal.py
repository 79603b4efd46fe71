"""What an interview needs of whoever answers: a person at a terminal, a pipe, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from tuneworthy.api.interview import Ask, Clash, Offer, Standing
from tuneworthy.domain.conversation import Proposal
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError

Act = Literal["answer", "unknown", "why", "back", "skip", "quit", "keep", "pass"]
"""What may be done at a question; ``keep`` leaves what stands there, ``pass`` says nothing."""


class Said(NamedTuple):
    """What came back from a question."""

    act: Act
    text: str = ""
    """For an answer: what was given."""


COMMANDS: dict[str, Act] = {
    "d": "unknown", "don't know": "unknown", "?": "why", "b": "back", "s": "skip", "q": "quit",
}  # fmt: skip
"""What a line means that is no answer. An answer that looks like one is written behind ``=``."""


def said(line: str | None) -> Said | None:
    """What a line means; None for an empty one. The end of the input is the end of the talk."""
    if line is None:
        return Said("quit")
    word = line.strip()
    if not word:
        return None
    if (act := COMMANDS.get(word.casefold())) is not None:
        return Said(act)
    return Said("answer", word.removeprefix("="))


class Terminal(Protocol):
    """Shows pages and asks."""

    def say(self, text: str) -> None:
        """Show a text that ends its last line."""

    def ask(self, ask: Ask, number: int) -> Said:
        """Put a question."""

    def refused(self, ask: Ask, caught: CaseError) -> None:
        """Say that an answer is none, or can't be written."""

    def clash(self, clash: Clash, ask: Ask, others: Sequence[Ask]) -> str:
        """Which way out of a clash; a key of ``clash_choices``, or empty to leave it as it is."""

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[Offer]) -> str:
        """What to go on with; a key of ``choices``, ``b`` or ``q``."""

    def words(self) -> str | None:
        """What a person writes freely; several lines where it was pasted, None at the end."""

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """What to do with a proposal that was shown; a key of ``proposal_choices``."""

    def name(self, suggested: str) -> str | None:
        """What a new use case is called; None to make none."""
