"""An interview answered from a file: the same talk, and nothing of the file left over."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tuneworthy.api.interview import Ask, Clash, Offer, Script, Standing
from tuneworthy.domain.conversation import Proposal
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import CaseError, one_line
from tuneworthy.report.interview.pages import choices, clash_choices, clash_page
from tuneworthy.surfaces.interview.terminal import Said


class Scripted:
    """Gives what stands in the file; what doesn't is not known. Goes through all three parts."""

    def __init__(self, script: Script, *, colour: bool = False) -> None:
        self.colour = colour
        self.script = script
        self._left = dict(script.answers)
        self._kept = list(script.kept)
        self._parts = ["e", "o", "m"]
        self._says, self._confirmed = list(script.says), list(script.confirmed)

    def say(self, text: str) -> None:
        """Show a text."""
        click.echo(text, nl=False, color=True)

    def ask(self, ask: Ask, number: int) -> Said:
        """The answer from the file."""
        given = self._left.pop(ask.id, None)
        return Said("pass") if given is None else self._shown(ask.id, given)

    def changes(self, names: Sequence[str]) -> list[tuple[str, Said]]:
        """Answers to some questions that will not come up, since they are answered already."""
        return [
            (name, self._shown(name, self._left.pop(name))) for name in names if name in self._left
        ]

    def refused(self, ask: Ask, caught: CaseError) -> None:
        """Stop where an answer in the file is none.

        Raises:
            CaseError: Always, with the line.
        """
        raise CaseError(caught.what, where=self.script.places.get(ask.id, ""), fix=caught.fix)

    def clash(self, clash: Clash, ask: Ask, others: Sequence[Ask]) -> str:
        """Keep both where the file says so, else leave it as it is."""
        self.say(clash_page(clash, ask, others, colour=self.colour, keys=False))
        if clash.challenge.id not in self._kept:
            return ""
        self._kept.remove(clash.challenge.id)
        return clash_choices(clash, ask, others)[-1][0]

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[Offer]) -> str:
        """The next part that has anything open."""
        offered = {key for key, _, _ in choices(offers)}
        while self._parts:
            if (key := self._parts.pop(0)) in offered:
                return key
        return "q"

    def words(self) -> str | None:
        """The next thing that is said; behind the last, single questions."""
        if not self._says:
            return "s"
        self.say(f"say: {one_line(self._says[0])}\n")
        return self._says.pop(0)

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """Yes where the file says so."""
        if proposal.path not in self._confirmed:
            return "n"
        self._confirmed.remove(proposal.path)
        return "y"

    def name(self, suggested: str) -> str | None:
        """The name in the file."""
        return self.script.name or suggested

    def finish(self) -> None:
        """Refuse what was never asked.

        Raises:
            CaseError: If anything in the file had no use.
        """
        for name in (*self._left, *self._kept, *self._says, *self._confirmed):
            fix = "leave it out, or give the answer that leads to it"
            raise CaseError(f"{name} never came up", where=self.script.places[name], fix=fix)

    def _shown(self, name: str, given: str) -> Said:
        self.say(f"{name}: {one_line(given)}\n")
        return Said("answer", given)
