"""The interview in a terminal: ask, write, show what moved, push back, go back, go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tuneworthy.errors import CaseError, ConflictError, InputError, one_line
from tuneworthy.files.case import CASE_FILE, read_with_digest
from tuneworthy.files.stores import Transcript
from tuneworthy.interview import pages
from tuneworthy.interview.answers import accept_conflict, read_script, write_answer
from tuneworthy.interview.free import (
    LONGEST_WORDS,
    Caller,
    check_answer,
    open_asks,
    parse_reply,
    request_for,
    settable,
)
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
    welcome,
    why_page,
)
from tuneworthy.interview.questions import (
    answer_path,
    ask_of,
    is_answered,
    next_ask,
    offers,
    part_asks,
    standing,
)
from tuneworthy.llm.endpoints import LOCAL, on_this_machine
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import (
    PARTS,
    AnswerResult,
    Ask,
    Conflict,
    ConversationTurn,
    ParsedReply,
    Part,
    Proposal,
)
from tuneworthy.model.lab import Request
from tuneworthy.pipeline import decide, framework_of, load_framework, today
from tuneworthy.report.text import safe
from tuneworthy.terminal.terminals import (
    Entry,
    MenuTerminal,
    PlainTerminal,
    ScriptedTerminal,
    Terminal,
    read_entry,
)
from tuneworthy.workspace.cases import plain_title, start_case

if TYPE_CHECKING:
    from tuneworthy.llm.endpoints import Transport


# The interview in a terminal: ask, write, show what moved, push back, go back, go on.

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


# Which terminal there is, and a case to talk about.


def interview(
    source: str,
    *,
    chosen: str | None,
    as_of: date | None,
    plain: bool,
    script: str | None,
    colour: bool,
    listener: Listener | None = None,
) -> None:
    """Talk about a case until whoever answers has had enough.

    Args:
        source: Case folder or case file; a folder that isn't there, or holds no case, gets one.
        chosen: Framework, as on the command line.
        as_of: The day the verdict speaks for.
        plain: Lines only, also where there could be menus.
        script: File with the answers, instead of a person.
        colour: Whether the terminal takes colour.
        listener: The model for an interview in free words; None for single questions.
    """
    terminal: Terminal
    if script is not None:
        answers = read_script(script, _framework(source, chosen))
        if answers.messages and listener is None:
            fix = "add --model MODEL, or leave say out"
            raise InputError("says something to no model", where=script, fix=fix)
        terminal = ScriptedTerminal(answers)
    elif plain or not _moves():
        terminal = PlainTerminal(colour=colour)
    else:
        terminal = MenuTerminal(colour=colour)
    if not _is_there(source):
        name = terminal.name(plain_title(source))
        if name is None:
            return
        start_case(source, name, chosen)
    session = InterviewSession(source, terminal, chosen, as_of, colour)
    terminal.say(welcome(session.case.name, source))
    if isinstance(terminal, ScriptedTerminal):
        names = _answered_already(session, list(terminal.script.answers))
        for name, entry in [(name, terminal.answer(name)) for name in names]:
            session.change(name, entry)
    if listener is None:
        session.run()
    else:
        converse(session, listener)
    if isinstance(terminal, ScriptedTerminal):
        terminal.finish()


def _moves() -> bool:
    """Whether the terminal can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _is_there(source: str) -> bool:
    """Whether there is a case, or something else that reading it will name."""
    path = Path(source)
    if path.is_dir():
        return os.path.lexists(path / CASE_FILE)
    return os.path.lexists(path) or path.suffix in (".yaml", ".yml")


def _framework(source: str, chosen: str | None) -> Framework:
    if _is_there(source):
        return framework_of(read_with_digest(source).case, chosen)
    return load_framework(chosen or "lesson")


def _answered_already(session: InterviewSession, names: Sequence[str]) -> list[str]:
    """Ids of a script that the interview won't ask for, since the case has an answer."""
    case, framework = session.case, session.framework
    open_asks = {name for part in PARTS for name in part_asks(case, framework, part)}
    return [name for name in names if name not in open_asks and is_answered(case, framework, name)]


# The interview in free words: a person writes, a model proposes, the person confirms.

_OWN = "Kept as somebody else's text: nothing rests on it. Say in your own words what it shows."
_LONG = f"That is too long: write at most {LONGEST_WORDS:,} characters at a time."
_HIDDEN = "What looks like a key or an address was taken out before it is sent."
_BACK = "To change an answer say so, or press s and go back there."
_EDIT = "Write the answer as it should be:"
_ALL_SAID = "All that can be said by talking is said; single questions ask for the rest."


def converse(session: InterviewSession, listener: Listener) -> None:
    """Talk until whoever answers has had enough; what is left goes on with single questions."""
    with Caller(
        session.case,
        listener.model,
        cap_usd=listener.cap_usd,
        as_of=session.as_of or today(),
        transport=listener.transport,
    ) as caller:
        FreeInterview(session, caller, listener).run()
        spent = pages.spent_line(caller.spent_usd(), listener.cap_usd)
    session.run()
    session.terminal.say(spent)


@dataclass(slots=True)
class FreeInterview:
    """One talk with a model. The case file keeps what came of it."""

    session: InterviewSession
    caller: Caller
    listener: Listener
    turns: list[ConversationTurn] = field(default_factory=list)
    pasted: str = ""
    """Somebody else's text that goes along with the next message."""
    about: str = ""
    """Id of the question that was put last; empty when none is left."""
    transcript: Transcript | None = None

    def run(self) -> None:
        """Go on until it is over, or only single questions are left."""
        self.caller.check(self._request([ConversationTurn("x" * 1000)]))
        if self.listener.transcript is not None:
            self.transcript = Transcript(self.listener.transcript)
        place = self.caller.place
        here = not place.base_url or on_this_machine(place.base_url)
        self._say(
            pages.opening_page(
                self.listener.model,
                "" if here else place.base_url,
                cap_usd=self.listener.cap_usd,
                weak=place.provider == LOCAL,
            )
        )
        self._put("")
        while self.about and self._turn():
            pass
        if not self.about:
            self._say(pages.note(_ALL_SAID))

    def _turn(self) -> bool:
        """Take one message; False where the talk with the model ends."""
        text = self.session.terminal.words()
        words, pasted = split_message(text or "")
        if text is None or not pasted:
            entry = read_entry(words if text is not None else None)
            if entry is None:
                return True
            if entry.act != "answer":
                return self._command(entry)
            words = entry.text
        if pasted:
            self.pasted = pasted[:LONGEST_WORDS]
            self._say(pages.note(_OWN))
            return True
        if len(words) > LONGEST_WORDS:
            self._say(pages.note(_LONG))
            return True
        return self._send(words)

    def _command(self, entry: Entry) -> bool:
        """Do what a key stands for; False where it ends the talk with the model."""
        if entry.act in ("quit", "skip"):
            self.session.over = entry.act == "quit"
            return False
        if entry.act == "unknown":
            self.session.passed.add(self.about)
            self._put("")
        elif entry.act == "why":
            ask = self.session.ask_of(self.about)
            gains = {q.factor: q.gain_bits for q in self.session.dossier.next_questions}
            ask = replace(ask, gain_bits=gains.get(ask.id.rpartition(".")[2]))
            topic = pages.topic_page(ask, colour=self.session.colour)
            self._say(topic + pages.why_page(ask))
        else:
            self._say(pages.note(_BACK))
        return True

    def _send(self, words: str) -> bool:
        """Pass a message on, show what comes back, and have it confirmed."""
        turn = ConversationTurn(
            self._hidden(words), self._hidden(self.pasted) if self.pasted else ""
        )
        self.pasted = ""
        self.turns.append(turn)
        self._keep("you", turn.words)
        self._keep("pasted", turn.pasted)
        self._say(pages.WAITING)
        answer = self.caller.ask(self._request(self.turns))
        if not answer.text and (why := answer.over or answer.lost):
            self._say(pages.lost_line(self.listener.model, why, over=bool(answer.over)))
            return not answer.over
        reply = self._parsed(answer.text)
        if reply.reply:
            self.turns.append(ConversationTurn(reply.reply, model=True))
            self._keep("model", reply.reply)
        self._say(pages.reply_page(self.listener.model, reply, colour=self.session.colour))
        self._say(pages.dropped_line(reply.dropped))
        before = self.session.digest
        self._confirm(reply.proposals)
        if self.session.digest == before:
            dossier = self.session.dossier
            self._say(pages.rules_line(dossier, standing(dossier)))
        self._put(reply.asks)
        return True

    def _parsed(self, text: str) -> ParsedReply:
        session = self.session

        def check(ask_id: str, value: str) -> None:
            check_answer(session.source, session.case, session.framework, ask_id, value)

        def full_path(path: str) -> str:
            try:
                return ".".join(answer_path(path, session.framework))
            except CaseError:
                return path

        return parse_reply(
            text,
            asks=settable(session.case, session.framework),
            opened=self._open(),
            turns=self.turns,
            check=check,
            full_path=full_path,
        )

    def _confirm(self, proposals: Sequence[Proposal]) -> None:
        """Show all proposals, have each confirmed, and write those."""
        session, of, rest = self.session, len(proposals), ""
        for number, item in enumerate(proposals, start=1):
            ask = session.ask_of(item.path)
            self._say(pages.proposal_page(item, ask, number=number, of=of, colour=session.colour))
        for number, item in enumerate(proposals, start=1):
            key = rest
            if rest == "y":
                self._say(pages.confirm_line(item, (), number=number, of=of))
            elif not rest:
                ways = pages.proposal_choices(of - number + 1)
                shown = ways if session.terminal.keys else ()
                page = pages.confirm_line(item, shown, number=number, of=of)
                key = session.terminal.choose("confirm", item.path, page, ways)
                if key in ("a", "z"):
                    key = rest = "y" if key == "a" else "n"
            value = item.value
            if key == "e":
                self._say(pages.note(_EDIT))
                value = " ".join((session.terminal.words() or "").split())
            if key != "n" and value:
                self._write(item.path, value)

    def _write(self, path: str, value: str) -> None:
        """Give an answer as a person gives it to a question."""
        unknown = value.casefold() in UNKNOWN_WORDS
        self._keep("confirmed", f"{path} = {value}")
        self.session.change(path, Entry("unknown") if unknown else Entry("answer", value))
        self.session.trail.append(path)
        if unknown:
            self.session.passed.add(path)

    def _put(self, wanted: str) -> None:
        """Put a question: the one the model has put, while it is open, else the best one."""
        opened = self._open()
        self.about = wanted if wanted in opened else next(iter(opened), "")
        if self.about:
            ask, named = self.session.ask_of(self.about), self.about == wanted
            self._say(pages.topic_page(ask, colour=self.session.colour, named=named))

    def _open(self) -> list[str]:
        session = self.session
        return open_asks(session.case, session.framework, passed=session.passed)

    def _request(self, turns: Sequence[ConversationTurn]) -> Request:
        session = self.session
        return request_for(
            self.caller.place,
            session.case,
            session.framework,
            session.dossier,
            turns,
            passed=tuple(session.passed),
            schema=self.caller.takes_schema,
        )

    def _hidden(self, text: str) -> str:
        """A text as it may be sent: no control characters, no keys."""
        shown = "\n".join(safe(line) for line in text.splitlines())
        hidden = self.caller.without_secrets(shown)
        if hidden != shown:
            self._say(pages.note(_HIDDEN))
        return hidden

    def _keep(self, who: str, text: str) -> None:
        if self.transcript is not None and text:
            self.transcript.add(who, text)

    def _say(self, text: str) -> None:
        if text:
            self.session.terminal.say(text)


def split_message(text: str) -> tuple[str, str]:
    """A message as the person's own words, and what was pasted.

    Several lines at once, lines between backticks, and a line behind ``>`` are somebody else's:
    nobody types those. The one or the other is empty.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    fenced = bool(lines) and lines[0].lstrip().startswith(("```", ">"))
    if len(lines) > 1 or fenced:
        inside = [line for line in lines if not line.lstrip().startswith("```")]
        return "", "\n".join(inside) or " "
    return text.strip(), ""
