"""Lines in, lines out: for a pipe, a dumb terminal, and whoever likes it plain."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

from tuneworthy.api.interview import Ask, Clash, Offer, Standing
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, one_line
from tuneworthy.report.interview.pages import (
    MARGIN,
    choices,
    clash_choices,
    clash_page,
    question_page,
    rest_page,
)
from tuneworthy.report.layout import wrapped
from tuneworthy.surfaces.interview.terminal import Said, said

_LONGEST = 10_000  # characters of a line


class Plain:
    """Reads from stdin line by line; needs no more of a terminal than that it shows text."""

    def __init__(self, *, colour: bool = False) -> None:
        self.colour = colour

    def say(self, text: str) -> None:
        """Show a text."""
        click.echo(text, nl=False, color=True)  # the report has decided about colour

    def ask(self, ask: Ask, number: int) -> Said:
        """Put a question until something is said."""
        self.say(question_page(ask, number=number, colour=self.colour))
        while (found := said(self._line())) is None:
            if ask.value:
                return Said("keep")
            self.say(f"{MARGIN}Answer it, or d if you don't know.\n")
        return found

    def refused(self, ask: Ask, caught: CaseError) -> None:
        """Say that an answer is none, or can't be written."""
        fix = f" {caught.fix[:1].upper()}{caught.fix[1:]}" if caught.fix else ""
        self.say("\n".join(wrapped(one_line(f"{caught.what}.{fix}"), first=MARGIN)) + "\n")

    def clash(self, clash: Clash, ask: Ask, others: Sequence[Ask]) -> str:
        """Which way out of a clash."""
        self.say(clash_page(clash, ask, others, colour=self.colour))
        return self._one([key for key, _ in clash_choices(clash, ask, others)], "")

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[Offer]) -> str:
        """What to go on with."""
        self.say(rest_page(dossier, now, offers, colour=self.colour))
        return self._one([*(key for key, _, _ in choices(offers)), "b", "q"], "q")

    def name(self, suggested: str) -> str | None:
        """What a new use case is called."""
        self.say(f"There is no case here yet. What is it called? (Enter: {suggested}; q stops)\n")
        line = self._line()
        if line is None or line.strip().casefold() == "q":
            return None
        return line.strip() or suggested

    def _one(self, keys: Iterable[str], at_end: str) -> str:
        """One of some keys; at the end of the input what is left to say."""
        known = tuple(keys)
        while (line := self._line()) is not None:
            if (word := line.strip().casefold()) in known:
                return word
            self.say(f"{MARGIN}Type {', '.join(known[:-1])} or {known[-1]}.\n")
        return at_end

    def _line(self) -> str | None:
        """A line of the input, cut where it is far too long; None at its end."""
        self.say(f"{MARGIN}> ")
        sys.stdout.flush()
        given = part = sys.stdin.readline(_LONGEST)
        while part and not part.endswith("\n"):
            part = sys.stdin.readline(_LONGEST)
        if not sys.stdin.isatty():
            self.say("\n")
        return given or None
