"""The talk itself: ask, write, show what moved, push back, go back, go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

from tuneworthy.api import interview as api
from tuneworthy.api.interview import Ask, Clash, Part, Step
from tuneworthy.api.road import decide, framework_of
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, ConflictError, one_line
from tuneworthy.domain.framework import Framework
from tuneworthy.report.interview.pages import (
    LEFT,
    MARGIN,
    clash_choices,
    closing_page,
    kept_line,
    standing_line,
    why_page,
)
from tuneworthy.surfaces.interview.terminal import Said, Terminal

_PARTS: dict[str, Part] = {"e": "evaluate", "o": "options", "m": "investment"}


@dataclass(slots=True)
class Talk:
    """One sitting. Everything that was answered is in the case file; this is the rest."""

    source: str
    terminal: Terminal
    chosen: str | None
    as_of: date | None
    colour: bool = False
    case: Case = field(init=False)
    framework: Framework = field(init=False)
    digest: str = field(init=False)
    passed: set[str] = field(default_factory=set)
    """Ids that weren't known."""
    trail: list[str] = field(default_factory=list)
    """Ids that were asked, for going back."""
    asked: int = 0
    left: int = 1
    """How many were open when the last one was asked."""
    over: bool = False
    """Whether whoever answers has had enough."""

    def __post_init__(self) -> None:
        """Read the case."""
        self._read()

    def run(self) -> None:
        """Ask until whoever answers has had enough, or nothing is left to ask.

        Raises:
            InputError: If the case can't be read or written.
        """
        part: Part | None = None
        while True:
            self._part(part)
            dossier = decide(self.case, self.framework, as_of=self.as_of)
            now = api.standing(dossier)
            offers = api.offers(self.case, self.framework, passed=self.passed)
            key = "q"
            if offers and not self.over:
                key = self.terminal.rest(dossier, now, offers)
            if key == "b":
                self._back()
                continue
            if key not in _PARTS:
                path = one_line(self.source)
                self.terminal.say(closing_page(dossier, now, path, colour=self.colour))
                return
            part = _PARTS[key]

    def change(self, name: str, said: Said) -> None:
        """Give an answer that wasn't asked for just now; it is asked for where it doesn't go.

        Raises:
            InputError: As ``run``.
        """
        ask = api.ask_of(self.case, self.framework, name)
        if not self._taken(ask, said):
            self._question(ask)

    def _part(self, part: Part | None) -> None:
        """Ask what is open in a part, to its end or until it is left."""
        while not self.over:
            ask = api.next_ask(self.case, self.framework, passed=self.passed, part=part)
            if ask is None:
                return
            self.left = ask.left
            act = self._question(ask)
            while act == "back":
                act = self._back() or self._question(ask)
            if act == "skip":
                return

    def _back(self) -> str:
        """Ask the question before the present one again; empty where there is none."""
        if not self.trail:
            self.terminal.say(f"{MARGIN}This is the first one.\n")
            return ""
        name = self.trail.pop()
        self.passed.discard(name)
        self.asked = max(self.asked - 1, 0)
        self.left += 1
        ask = api.ask_of(self.case, self.framework, name)
        act = self._question(replace(ask, left=self.left))
        return self._back() if act == "back" else act

    def _question(self, ask: Ask) -> str:
        """Put one question until it is answered or left."""
        while True:
            said = self.terminal.ask(ask, self.asked + 1)
            if said.act == "why":
                self.terminal.say(why_page(ask))
            elif said.act in ("back", "skip", "quit"):
                self.over = said.act == "quit"
                return said.act
            elif said.act in ("keep", "pass") or self._taken(ask, said):
                self._passed_by(ask, known=said.act not in ("unknown", "pass"))
                return "next"
            else:
                again = api.ask_of(self.case, self.framework, ask.id)
                ask = replace(again, left=ask.left, gain_bits=ask.gain_bits)

    def _passed_by(self, ask: Ask, *, known: bool) -> None:
        self.asked += 1
        self.trail.append(ask.id)
        if not known:
            self.passed.add(ask.id)

    def _taken(self, ask: Ask, said: Said) -> bool:
        """Write what was said, and show what it moved; False to ask once more."""
        step = self._step(ask, "unknown" if said.act == "unknown" else said.text)
        if step is None:
            return False
        moved, self.digest, self.case = step.digest != self.digest, step.digest, step.case
        now = api.standing(step.dossier)
        self.terminal.say(standing_line(step.before, step.dossier, now) if moved else LEFT)
        return all(self._settled(ask, clash) for clash in step.clashes)

    def _step(self, ask: Ask, text: str) -> Step | None:
        """Write an answer; None where that didn't go, which is said."""
        try:
            return api.answered(
                self.source, ask.id, text, chosen=self.chosen, read_digest=self.digest,
                as_of=self.as_of,
            )  # fmt: skip
        except ConflictError:
            self._read()
            told = "The file was changed by somebody else meanwhile; nothing is lost. Once more:"
            self.terminal.say(f"{MARGIN}{told}\n")
        except CaseError as caught:
            self.terminal.refused(ask, caught)
        return None

    def _settled(self, ask: Ask, clash: Clash) -> bool:
        """Talk a clash over; False where the answer itself shall be given again."""
        if clash.challenge.id not in self._challenged():
            return True  # an answer that was changed meanwhile has settled it
        others = [api.ask_of(self.case, self.framework, name) for name in self._known(clash)]
        keys = [key for key, _ in clash_choices(clash, ask, others)]
        picked = self.terminal.clash(clash, ask, others)
        if picked == "1":
            return False
        if picked == keys[-1]:
            step = api.keep_both(
                self.source, ask.id, clash.challenge.id, chosen=self.chosen, as_of=self.as_of
            )
            self.case, self.digest = step.case, step.digest
            self.terminal.say(kept_line(clash))
        elif picked in keys:
            self._question(others[int(picked) - 2])
        return True

    def _known(self, clash: Clash) -> list[str]:
        """The other sides that are questions of the interview."""
        found = []
        for name in clash.others:
            try:
                found.append(api.ask_of(self.case, self.framework, name).id)
            except CaseError:
                continue
        return list(dict.fromkeys(found))

    def _challenged(self) -> set[str]:
        dossier = decide(self.case, self.framework, as_of=self.as_of)
        return {one.id for one in dossier.challenges}

    def _read(self) -> None:
        read = api.read_with_digest(self.source)
        self.case, self.digest = read.case, read.digest
        self.framework = framework_of(self.case, self.chosen)
