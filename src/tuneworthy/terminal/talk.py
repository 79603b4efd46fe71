"""The talk itself: ask, write, show what moved, push back, go back, go on."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast

import click

from tuneworthy.errors import CaseError, ConflictError, InputError, one_line
from tuneworthy.files.case import read_with_digest
from tuneworthy.interview import answers as api
from tuneworthy.interview.answers import Script
from tuneworthy.interview.pages import (
    LEFT,
    MARGIN,
    choices,
    clash_choices,
    clash_page,
    closing_page,
    confirm_line,
    kept_line,
    keys_line,
    proposal_choices,
    question_page,
    rest_page,
    standing_line,
    why_page,
)
from tuneworthy.interview.questions import ask_of, next_ask, offers, standing
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import AnswerResult, Ask, Clash, OpenPart, Part, Proposal, Standing
from tuneworthy.pipeline import decide, framework_of
from tuneworthy.report.text import wrapped

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from questionary import Style

    from tuneworthy.llm.endpoints import Transport


# What an interview needs of whoever answers: a person at a terminal, a pipe, or a file.

Act = Literal["answer", "unknown", "why", "back", "skip", "quit", "keep", "pass"]
"""What may be done at a question; ``keep`` leaves what stands there, ``pass`` says nothing."""


class Said(NamedTuple):
    """What came back from a question."""

    act: Act
    text: str = ""
    """For an answer: what was given."""


COMMANDS: dict[str, Act] = {
    "d": "unknown",
    "don't know": "unknown",
    "?": "why",
    "b": "back",
    "s": "skip",
    "q": "quit",
}
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

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[OpenPart]) -> str:
        """What to go on with; a key of ``choices``, ``b`` or ``q``."""

    def words(self) -> str | None:
        """What a person writes freely; several lines where it was pasted, None at the end."""

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """What to do with a proposal that was shown; a key of ``proposal_choices``."""

    def name(self, suggested: str) -> str | None:
        """What a new use case is called; None to make none."""


# The talk itself: ask, write, show what moved, push back, go back, go on.

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
            now = standing(dossier)
            open_parts = offers(self.case, self.framework, passed=self.passed)
            key = "q"
            if open_parts and not self.over:
                key = self.terminal.rest(dossier, now, open_parts)
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
        ask = ask_of(self.case, self.framework, name)
        if not self._taken(ask, said):
            self._question(ask)

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
        self.asked = max(self.asked - 1, 0)
        self.left += 1
        ask = ask_of(self.case, self.framework, name)
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
                again = ask_of(self.case, self.framework, ask.id)
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
        now = standing(step.dossier)
        self.terminal.say(standing_line(step.before, step.dossier, now) if moved else LEFT)
        return all(self._settled(ask, clash) for clash in step.clashes)

    def _step(self, ask: Ask, text: str) -> AnswerResult | None:
        """Write an answer; None where that didn't go, which is said."""
        try:
            return api.answered(
                self.source,
                ask.id,
                text,
                chosen=self.chosen,
                read_digest=self.digest,
                as_of=self.as_of,
            )
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
        others = [ask_of(self.case, self.framework, name) for name in self._known(clash)]
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
                found.append(ask_of(self.case, self.framework, name).id)
            except CaseError:
                continue
        return list(dict.fromkeys(found))

    def _challenged(self) -> set[str]:
        dossier = decide(self.case, self.framework, as_of=self.as_of)
        return {one.id for one in dossier.challenges}

    def _read(self) -> None:
        read = read_with_digest(self.source)
        self.case, self.digest = read.case, read.digest
        self.framework = framework_of(self.case, self.chosen)


# Lines in, lines out: for a pipe, a dumb terminal, and whoever likes it plain.

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

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[OpenPart]) -> str:
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


# Menus to move about in and lines to edit, where the terminal can: by questionary.

_MOVES = (
    ("d", "I don't know"),
    ("?", "why is this asked?"),
    ("b", "back"),
    ("s", "skip this part"),
    ("q", "quit"),
)
_STATES = (("y", "yes"), ("n", "no"))


class Menus(Plain):
    """Yes and no by one key or the arrows; numbers and text on a line that can be edited.

    Raises:
        InputError: If questionary isn't installed.
    """

    def __init__(self, *, colour: bool = False) -> None:
        try:
            import questionary
        except ImportError:
            fix = 'install them with pip install "tuneworthy[interview]", or use --plain'
            raise InputError("the interview's menus aren't installed", fix=fix) from None
        super().__init__(colour=colour)
        self._library: Any = questionary

    def ask(self, ask: Ask, number: int) -> Said:
        """Put a question: as a menu where there are few answers, else as a line."""
        if ask.kind not in ("state", "choice"):
            return self._typed(ask, number)
        self.say(question_page(ask, number=number, colour=self.colour, keys=False))
        if ask.kind == "state":
            told = list(_STATES)
        else:
            told = [(str(n), choice.id) for n, choice in enumerate(ask.choices, start=1)]
        stay = [("k", f"keep {ask.value}")] if ask.value else []
        picked = self._menu([*stay, *told, *_MOVES], at="k" if ask.value else "d")
        if picked == "k":
            return Said("keep")
        return said(dict(told).get(picked, picked)) or Said("keep")

    def clash(self, clash: Clash, ask: Ask, others: Sequence[Ask]) -> str:
        """Which way out of a clash."""
        self.say(clash_page(clash, ask, others, colour=self.colour, keys=False))
        return self._menu(clash_choices(clash, ask, others))

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[OpenPart]) -> str:
        """What to go on with."""
        self.say(rest_page(dossier, now, offers, colour=self.colour, keys=False))
        told = [(key, name) for key, name, _ in choices(offers)]
        return self._menu([*told, ("b", "back"), ("q", "that's enough")])

    def words(self) -> str | None:
        """A line that can be edited; what is pasted into it may have several."""
        return self._line()

    def confirm(self, proposal: Proposal, number: int, of: int) -> str:
        """What to do with a proposal."""
        told = proposal_choices(of - number + 1)
        self.say(confirm_line(proposal, (), number=number, of=of))
        return self._menu(told, at="n")

    def _typed(self, ask: Ask, number: int) -> Said:
        self.say(question_page(ask, number=number, colour=self.colour, keys=False))
        self.say("\n".join(wrapped(keys_line(ask), first=MARGIN)) + "\n")
        while (found := said(self._line())) is None:
            if ask.value:
                return Said("keep")
            self.say(f"{MARGIN}Answer it, or d if you don't know.\n")
        return found

    def _line(self) -> str | None:
        """A line that can be edited; None at Ctrl-D."""
        question = self._library.text(
            f"{MARGIN[1:]}>", qmark="", style=self._style(), **self._depth()
        )
        try:
            return str(question.unsafe_ask())
        except EOFError:
            return None

    def _menu(self, told: Sequence[tuple[str, str]], at: str | None = None) -> str:
        """The key of one entry: by its key alone, or by the arrows and Enter.

        It begins at a given one, so that Enter alone never answers a question.
        """
        made = [self._library.Choice(f"{key}  {what}", value=key) for key, what in told]
        question = self._library.select(
            "",
            choices=made,
            qmark="",
            instruction=" ",
            style=self._style(),
            use_jk_keys=False,
            default=at,
            erase_when_done=True,
            **self._depth(),
        )
        bindings = cast("KeyBindings", question.application.key_bindings)
        for key, _ in told:
            for typed in {key, key.upper()}:
                bindings.add(typed, eager=True)(_leave_with(key))
        picked = str(question.unsafe_ask())
        self.say(f"{MARGIN}> {dict(told)[picked]}\n")
        return picked

    def _style(self) -> Style:
        """No colour of the library's own: what is pointed at stands behind a sign."""
        plain = "fg:default bg:default noreverse"
        names = ("qmark", "question", "answer", "pointer", "highlighted", "selected", "text")
        bold = {"pointer": "bold", "highlighted": "bold"} if self.colour else {}
        return cast(
            "Style",
            self._library.Style([(name, f"{plain} {bold.get(name, 'nobold')}") for name in names]),
        )

    def _depth(self) -> dict[str, Any]:
        if self.colour:
            return {}
        from prompt_toolkit.output import ColorDepth

        return {"color_depth": ColorDepth.DEPTH_1_BIT}


def _leave_with(key: str) -> Any:
    """A handler that ends the menu with a key's entry."""

    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=key)

    return leave


# An interview answered from a file: the same talk, and nothing of the file left over.


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

    def rest(self, dossier: Dossier, now: Standing, offers: Sequence[OpenPart]) -> str:
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


# The model that listens in an interview.


class Listener(NamedTuple):
    """Who listens, and under which cap."""

    model: str
    cap_usd: float
    transcript: str | None = None
    """File that keeps the conversation; None for none."""
    transport: Transport | None = None
    """What sends, in place of the model's own endpoint."""
