"""The interview in a terminal: ask, write, show what moved, push back, go back, go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from tuneworthy.errors import CaseError, ConflictError, one_line
from tuneworthy.files.case import read_with_digest
from tuneworthy.interview.answers import accept_conflict, write_answer
from tuneworthy.interview.pages import (
    LEFT,
    MARGIN,
    accepted_line,
    closing_page,
    conflict_choices,
    conflict_page,
    rest_choices,
    rest_page,
    standing_line,
    why_page,
)
from tuneworthy.interview.questions import (
    ask_of,
    next_ask,
    offers,
    standing,
)
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import AnswerResult, Ask, Conflict, Part
from tuneworthy.pipeline import decide, framework_of
from tuneworthy.terminal.terminals import Entry, Terminal

if TYPE_CHECKING:
    from tuneworthy.llm.endpoints import Transport

_PARTS: dict[str, Part] = {"e": "evaluate", "o": "options", "m": "investment"}


class Listener(NamedTuple):
    """The model that an interview in free words is held with, and its cap."""

    model: str
    cap_usd: float
    transcript: str | None = None
    """File that keeps the conversation; None for none."""
    transport: Transport | None = None
    """What sends, in place of the model's own endpoint."""


@dataclass(slots=True)
class InterviewSession:
    """One sitting. The case file has every answer; this is the rest."""

    source: str
    terminal: Terminal
    chosen: str | None
    as_of: date | None
    colour: bool = False
    case: Case = field(init=False)
    framework: Framework = field(init=False)
    dossier: Dossier = field(init=False)
    digest: str = field(init=False)
    passed: set[str] = field(default_factory=set)
    """Ids that weren't known."""
    trail: list[str] = field(default_factory=list)
    """Ids that were asked, for going back."""
    answered: int = 0
    left: int = 1
    """How many were open when the last one was asked."""
    over: bool = False
    """Whether whoever answers has had enough."""

    def __post_init__(self) -> None:
        """Read the case."""
        self._read()

    def run(self) -> None:
        """Ask until whoever answers has had enough, or nothing is left to ask."""
        part: Part | None = None
        while True:
            self._part(part)
            now = standing(self.dossier)
            open_parts = offers(self.case, self.framework, passed=self.passed)
            key = "q"
            if open_parts and not self.over:
                page = rest_page(
                    self.dossier, now, open_parts, colour=self.colour, keys=self.terminal.keys
                )
                key = self.terminal.choose("rest", "", page, rest_choices(open_parts))
            if key == "b":
                self._back()
                continue
            if key not in _PARTS:
                path = one_line(self.source)
                self.terminal.say(closing_page(self.dossier, now, path, colour=self.colour))
                return
            part = _PARTS[key]

    def change(self, name: str, entry: Entry) -> None:
        """Take an answer that wasn't asked for just now; ask for it where it is refused."""
        ask = self.ask_of(name)
        if not self._is_taken(ask, entry):
            self._question(ask)

    def ask_of(self, name: str) -> Ask:
        """A question by its id."""
        return ask_of(self.case, self.framework, name)

    def _part(self, part: Part | None) -> None:
        """Ask what is open in a part, to its end or until it is left."""
        while not self.over:
            ask = next_ask(self.case, self.framework, passed=self.passed, part=part)
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
        self.answered = max(self.answered - 1, 0)
        self.left += 1
        act = self._question(replace(self.ask_of(name), left=self.left))
        return self._back() if act == "back" else act

    def _question(self, ask: Ask) -> str:
        """Put one question until it is answered or left."""
        while True:
            entry = self.terminal.ask(ask, self.answered + 1)
            if entry.act == "why":
                self.terminal.say(why_page(ask))
            elif entry.act in ("back", "skip", "quit"):
                self.over = entry.act == "quit"
                return entry.act
            elif entry.act in ("keep", "pass") or self._is_taken(ask, entry):
                self.answered += 1
                self.trail.append(ask.id)
                if entry.act in ("unknown", "pass"):
                    self.passed.add(ask.id)
                return "next"
            else:
                ask = replace(self.ask_of(ask.id), left=ask.left, gain_bits=ask.gain_bits)

    def _is_taken(self, ask: Ask, entry: Entry) -> bool:
        """Write an answer, and show what it moved; False to ask once more."""
        text = "unknown" if entry.act == "unknown" else entry.text
        before = self.digest
        try:
            step = self._apply(write_answer, ask.id, text)
        except CaseError as caught:
            self.terminal.refused(ask, caught)
            return False
        if step is None:
            return False
        moved = standing_line(step.before, step.dossier, standing(step.dossier))
        self.terminal.say(LEFT if step.digest == before else moved)
        return all(self._is_settled(ask, conflict) for conflict in step.conflicts)

    def _apply(
        self, write: Callable[..., AnswerResult], ask_id: str, what: str
    ) -> AnswerResult | None:
        """Write something into the case file; None where it was changed meanwhile."""
        try:
            step = write(
                self.source,
                self.case,
                self.dossier,
                self.framework,
                ask_id,
                what,
                read_digest=self.digest,
                judge=self._decide,
            )
        except ConflictError:
            self._read()
            again = "The file was changed by somebody else meanwhile; nothing is lost. Once more:"
            self.terminal.say(f"{MARGIN}{again}\n")
            return None
        self.case, self.dossier, self.digest = step.case, step.dossier, step.digest
        return step

    def _is_settled(self, ask: Ask, conflict: Conflict) -> bool:
        """Talk a conflict over; False where the answer itself shall be changed."""
        challenge = conflict.challenge.id
        if all(each.id != challenge for each in self.dossier.challenges):
            return True  # an answer that was changed meanwhile has settled it
        others = self._sides(conflict)
        ways = conflict_choices(conflict, ask, others)
        page = conflict_page(conflict, ask, others, colour=self.colour, keys=self.terminal.keys)
        picked = self.terminal.choose("conflict", challenge, page, ways)
        if picked == "1":
            return False
        if picked == ways[-1][0]:
            if self._apply(accept_conflict, ask.id, challenge) is None:
                return False
            self.terminal.say(accepted_line(conflict))
        elif picked:
            self._question(others[int(picked) - 2])
        return True

    def _sides(self, conflict: Conflict) -> Sequence[Ask]:
        """The other sides that are questions of the interview."""
        asks: dict[str, Ask] = {}
        for name in conflict.others:
            try:
                ask = self.ask_of(name)
            except CaseError:
                continue
            asks.setdefault(ask.id, ask)
        return list(asks.values())

    def _decide(self, case: Case) -> Dossier:
        return decide(case, self.framework, as_of=self.as_of)

    def _read(self) -> None:
        read = read_with_digest(self.source)
        self.case, self.digest = read.case, read.digest
        self.framework = framework_of(self.case, self.chosen)
        self.dossier = self._decide(self.case)
