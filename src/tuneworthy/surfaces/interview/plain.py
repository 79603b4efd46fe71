"""Lines in, lines out: for a pipe, a dumb terminal, and whoever likes it plain."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterable, Sequence

import click

from tuneworthy.api.interview import Ask, Clash, Offer, Standing
from tuneworthy.domain.conversation import Proposal
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, one_line
from tuneworthy.report.interview.conversation import confirm_line, proposal_choices
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
_FENCE = "```"
_PASTED_S = 0.03  # nobody types the next line that fast


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

    def words(self) -> str | None:
        """A line, with those that were pasted along or stand between lines of backticks."""
        line = self._line()
        if line is None:
            return None
        told, fenced = [line], line.lstrip().startswith(_FENCE)
        while fenced or _waiting():
            more = self._read()
            told.append(more if more and sum(map(len, told)) < _LONGEST else "")
            if more is None or (fenced and more.strip() == _FENCE):
                break
        return "".join(told)

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """What to do with a proposal; nothing at the end of the input."""
        told = proposal_choices(of - number + 1)
        self.say(confirm_line(proposal, told, number=number, of=of))
        return self._one([key for key, _ in told], "n")

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
        """A line of the input; None at its end."""
        self.say(f"{MARGIN}> ")
        sys.stdout.flush()
        return self._read()

    def _read(self) -> str | None:
        """As ``_line``, with nothing asked; cut where it is far too long."""
        given = part = sys.stdin.readline(_LONGEST)
        while part and not part.endswith("\n"):
            part = sys.stdin.readline(_LONGEST)
        if not sys.stdin.isatty():
            self.say("\n")
        return given or None


def _waiting() -> bool:
    """Whether more lines came along with the last one, as when a text is pasted."""
    if not sys.stdin.isatty():
        return False
    try:
        return bool(select.select([sys.stdin], [], [], _PASTED_S)[0])
    except (OSError, ValueError):  # a system on which a terminal can't be waited for
        return False
