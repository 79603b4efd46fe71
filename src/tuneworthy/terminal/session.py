"""The interview in a terminal: ask, write, show what moved, push back, go back, go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tuneworthy.errors import CaseError, ConflictError, InputError, one_line
from tuneworthy.files.case import CASE_FILE, case_path, read_with_digest
from tuneworthy.files.disk import CASE_LIMIT, read_text
from tuneworthy.files.stores import Transcript
from tuneworthy.interview import answers, free, pages
from tuneworthy.interview.questions import answer_path, offers
from tuneworthy.llm.endpoints import on_this_machine
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.case import Case
from tuneworthy.model.interview import AnswerResult, Ask, Conflict, ConversationTurn, Part, Proposal
from tuneworthy.pipeline import decide, framework_of, today
from tuneworthy.report.sections.common import headline, reach_text
from tuneworthy.report.text import safe
from tuneworthy.terminal.terminals import Entry, MenuTerminal, PlainTerminal, read_entry
from tuneworthy.words import small_usd
from tuneworthy.workspace.cases import plain_title, start_case

_PARTS: dict[str, Part] = {"e": "evaluate", "o": "options", "m": "investment"}


class Listener(NamedTuple):
    """The model that an interview in free words is held with, and its cap."""

    model: str
    cap_usd: float
    transcript: str | None = None  #: File that keeps the conversation; None for none.


@dataclass
class InterviewSession:
    """One sitting. The case file has every answer; this is the rest."""

    source: str
    terminal: PlainTerminal
    chosen: str | None
    as_of: date | None
    now: answers.EvaluatedCase = field(init=False)
    passed: set[str] = field(default_factory=set)  #: Ids that weren't known.
    trail: list[str] = field(default_factory=list)  #: Ids that were asked, for going back.
    part: Part | None = None  #: What is asked now; None for the framework's own round.
    over: bool = False  #: Whether whoever answers has had enough.

    def __post_init__(self) -> None:
        self._read()

    def greet(self) -> None:
        """Say what is asked here, and how much of it."""
        first, name = self.next(), self.now.case.name
        self.terminal.say(pages.welcome(name, self.source, first.of if first else 0))

    def run(self) -> None:
        """Ask until whoever answers has had enough, or nothing is left to ask."""
        while True:
            self._part()
            dossier, framework = self.now.dossier, self.now.framework
            open_parts = offers(self.now.case, framework, passed=self.passed)
            key = "q"
            if open_parts and not self.over:
                page = pages.rest_page(dossier, framework, open_parts)
                key = self.terminal.choose("rest", page, pages.rest_choices(open_parts))
            if key == "b":
                self._back()
                continue
            if key not in _PARTS:
                self.terminal.say(pages.closing_page(dossier, self.source))
                return
            self.part = _PARTS[key]

    def take(self, script: answers.Script) -> None:
        """Write a file of answers, all of them or none, and show what they come to."""
        before = self.now.dossier
        by, judge = partial(framework_of, chosen=self.chosen), partial(decide, as_of=self.as_of)
        try:
            changes = answers.write_typed(self.source, script.answers, by, judge).changes
        except CaseError as caught:
            where = script.places.get(caught.where, caught.where)
            raise CaseError(caught.what, where=where, fix=caught.fix) from None
        self._read()
        moved = pages.moved_text(before, self.now.dossier, self.now.framework)
        self.terminal.say(pages.changes_page(changes, moved))
        for name in script.kept:
            sides = [item.between for item in self.now.dossier.challenges if item.id == name]
            if not sides:
                fix = "leave it out, or give the answers that lead to it"
                raise CaseError(f"{name} never came up", where=script.places[name], fix=fix)
            self._apply(answers.accept_conflict, ".".join(sides[0][0].split(".")[:2]), name)
        self.terminal.say(pages.closing_page(self.now.dossier, self.source))

    def change(self, name: str, entry: Entry) -> None:
        """Take an answer that wasn't asked for just now; ask for it where it is refused."""
        ask = self.now.ask(name)
        if not self._is_taken(ask, entry):
            self._question(ask)

    def next(self, name: str = "") -> Ask | None:
        """The next question of the part, or one by its id."""
        return self.now.next(name, passed=self.passed, part=self.part)

    def _part(self) -> None:
        """Ask what is open in the part, to its end or until it is left."""
        while not self.over:
            ask = self.next()
            if ask is None:
                return
            act = self._question(ask)
            while act == "back":
                act = self._back() or self._question(ask)
            if act == "skip":
                return

    def _back(self) -> str:
        """Ask the question before the present one again; empty where there is none."""
        if not self.trail:
            self.terminal.say(f"{pages.MARGIN}This is the first one.\n")
            return ""
        name = self.trail.pop()
        self.passed.discard(name)
        act = self._question(self.next(name) or self.now.ask(name))
        return self._back() if act == "back" else act

    def _question(self, ask: Ask) -> str:
        while True:
            entry = self.terminal.ask(ask)
            if entry.act == "why":
                self._note(pages.why_text(ask))
            elif entry.act in ("back", "skip", "quit"):
                self.over = entry.act == "quit"
                return entry.act
            elif entry.act in ("keep", "pass") or self._is_taken(ask, entry):
                self.trail.append(ask.id)
                if entry.act in ("unknown", "pass"):
                    self.passed.add(ask.id)
                return "next"
            else:
                ask = self.next(ask.id) or ask

    def _is_taken(self, ask: Ask, entry: Entry) -> bool:
        """Write an answer, and show what it moved; False to ask once more."""
        text = "unknown" if entry.act == "unknown" else entry.text
        before = self.now.digest
        try:
            step = self._apply(answers.write_answer, ask.id, text)
        except CaseError as caught:
            self._note(one_line(pages.refused(caught)))
            return False
        if step is None:
            return False
        moved = pages.moved_text(step.before, step.dossier, self.now.framework)
        self.terminal.say(pages.LEFT if step.digest == before else pages.note(moved))
        return all(self._is_settled(ask, conflict) for conflict in step.conflicts)

    def _apply(
        self, write: Callable[..., AnswerResult], ask_id: str, what: str
    ) -> AnswerResult | None:
        """Write something into the case file; None where it was changed meanwhile."""
        try:
            step = write(self.now, ask_id, what, judge=partial(decide, as_of=self.as_of))
        except ConflictError:
            self._read()
            again = "The file was changed by somebody else meanwhile; nothing is lost. Once more:"
            self.terminal.say(f"{pages.MARGIN}{again}\n")
            return None
        text = read_text(case_path(self.source), CASE_LIMIT, CaseError)
        wrote: Any = {"case": step.case, "dossier": step.dossier, "digest": step.digest}
        self.now = replace(self.now, text=text, **wrote)
        return step

    def _is_settled(self, ask: Ask, conflict: Conflict) -> bool:
        """Talk a conflict over; False where the answer itself shall be changed."""
        challenge = conflict.challenge.id
        if all(item.id != challenge for item in self.now.dossier.challenges):
            return True  # an answer that was changed meanwhile has settled it
        others = self.now.asks(conflict.others)
        ways = pages.conflict_choices(conflict, ask, others)
        page = pages.conflict_page(conflict, ways, others)
        picked = self.terminal.choose("conflict", page, ways)
        if picked in ("1", "b"):
            return False
        if picked == str(len(ways) - len(pages.LEAVE)):
            if self._apply(answers.accept_conflict, ask.id, challenge) is None:
                return False
            done = "Noted in the case file" if conflict.recordable else "Kept"
            self._note(f"{done}; the report will show it.")
        elif picked in ("d", "q"):
            self.over = picked == "q"
            self._note(pages.OPEN_CONFLICT)
        elif self._question(others[int(picked) - 2]) == "back":
            return self._is_settled(ask, conflict)
        return True

    def _note(self, text: str) -> None:
        self.terminal.say(pages.note(text))

    def _read(self) -> None:
        read = read_with_digest(self.source)
        framework = framework_of(read.case, self.chosen)
        dossier = decide(read.case, framework, as_of=self.as_of)
        self.now = answers.EvaluatedCase(
            self.source, read.case, framework, read.text, read.digest, "", dossier
        )


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

    A folder that isn't there, or holds no case, gets one. ``plain`` wants lines only, also where
    there could be menus, and ``script`` is a file with the answers, instead of a person. With a
    listener the interview is in free words.
    """
    is_there = _is_there(source)
    terminal, written = PlainTerminal(colour=colour), None
    if script is not None:
        if listener is not None:
            raise InputError("answers in a file take no model", where="--model", fix="leave it out")
        case = read_with_digest(source).case if is_there else Case(name="new")
        written = answers.read_script(script, framework_of(case, chosen))
    elif not plain and _moves():
        terminal = MenuTerminal(colour=colour)
    if not is_there:
        title = plain_title(source)
        called = terminal.name(title) if written is None else written.name or title
        if called is None:
            return
        start_case(source, called, chosen)
    about = source, terminal, chosen, as_of
    session = FreeInterview(*about, listener=listener) if listener else InterviewSession(*about)
    if written is not None:
        session.take(written)
        return
    if listener is None:  # else once the model is known to be there
        session.greet()
    session.run()


def _moves() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _is_there(source: str) -> bool:
    """Whether there is a case, or something else that reading it will name."""
    path = Path(source)
    if path.is_dir():
        return os.path.lexists(path / CASE_FILE)
    return os.path.lexists(path) or path.suffix in (".yaml", ".yml")


# The interview in free words: a person writes, a model proposes, the person confirms.

_OWN = "Kept as somebody else's text: nothing rests on it. Say in your own words what it shows."
_LONG = f"That is too long: write at most {free.LONGEST_WORDS:,} characters at a time."
_HIDDEN = "What looks like a key or an address was taken out before it is sent."
_BACK = "To change an answer say so, or press s and go back there."
_EDIT = "Write the answer as it should be:"
_ALL_SAID = "All that can be said by talking is said; single questions ask for the rest."


@dataclass(kw_only=True)
class FreeInterview(InterviewSession):
    """A sitting that begins with a talk with a model; single questions ask for what is left."""

    listener: Listener
    caller: free.Caller = field(init=False)
    turns: list[ConversationTurn] = field(default_factory=list)
    pasted: str = ""  #: Somebody else's text that goes along with the next message.
    about: str = ""  #: Id of the question that was put last; empty when none is left.
    transcript: Transcript | None = None

    def run(self) -> None:
        """Talk until whoever answers has had enough; then go on with single questions."""
        listener = self.listener
        about, day = (self.now.case, listener.model), self.as_of or today()
        with free.Caller(*about, cap_usd=listener.cap_usd, as_of=day) as self.caller:
            self._talk()
            spent, cap = self.caller.spent_usd(), small_usd(listener.cap_usd)
        super().run()
        if spent:
            self.terminal.say(f"The model has cost {small_usd(spent)} of {cap}.\n")

    def _talk(self) -> None:
        listener, place = self.listener, self.caller.place
        longest = [ConversationTurn("x" * 1000)]
        self.caller.check(self.caller.request(self.now, longest))
        if listener.transcript is not None:
            self.transcript = Transcript(listener.transcript)
        self.greet()
        here = not place.base_url or on_this_machine(place.base_url)
        address = "" if here else place.base_url
        self.terminal.say(pages.opening_page(listener.model, address, cap_usd=listener.cap_usd))
        self._put("")
        while self.about and self._turn():
            pass
        if not self.about:
            self._note(_ALL_SAID)

    def _turn(self) -> bool:
        """Take one message; False where the talk with the model ends."""
        text = self.terminal.words()
        words, pasted = split_message(text or "")
        if text is None or not pasted:
            entry = read_entry(words if text is not None else None)
            if entry is None:
                return True
            if entry.act != "answer":
                return self._command(entry)
            words = entry.text
        if pasted:
            self.pasted = pasted[: free.LONGEST_WORDS]
            self._note(_OWN)
        elif len(words) > free.LONGEST_WORDS:
            self._note(_LONG)
        else:
            return self._send(words)
        return True

    def _command(self, entry: Entry) -> bool:
        """Do what a key stands for; False where it ends the talk with the model."""
        if entry.act in ("quit", "skip"):
            self.over = entry.act == "quit"
            return False
        if entry.act == "unknown":
            self.passed.add(self.about)
            self._put("")
        elif entry.act == "why":
            ask = self.next(self.about) or self.now.ask(self.about)
            self.terminal.say(pages.topic_page(ask))
            self._note(pages.why_text(ask))
        else:
            self._note(_BACK)
        return True

    def _send(self, words: str) -> bool:
        """Pass a message on, show what comes back, and have it confirmed."""
        model = self.listener.model
        turn = ConversationTurn(self._hidden(words), self._hidden(self.pasted))
        self.pasted = ""
        self.turns.append(turn)
        self._keep("you", turn.words)
        self._keep("pasted", turn.pasted)
        self.terminal.say(pages.WAITING)
        request = self.caller.request(self.now, self.turns, passed=self.passed)
        answer = self.caller.ask(request)
        if not answer.text and (why := answer.over or answer.lost):
            self._note(pages.lost_text(model, why, over=bool(answer.over)))
            return not answer.over
        now = self.now
        reply = free.parse_reply(
            answer.text,
            asks=free.settable(now.case, now.framework),
            opened=self._open(),
            turns=self.turns,
            check=lambda ask_id, value: answers.what_if(now, {ask_id: value}),
            full_path=self._full_path,
        )
        if reply.reply:
            self.turns.append(ConversationTurn(reply.reply, model=True))
            self._keep("model", reply.reply)
        self.terminal.say(pages.reply_page(model, reply))
        if reply.dropped:
            self._note(pages.dropped_text(reply.dropped))
        self._confirm(reply.proposals)
        if self.now.digest == now.digest:
            dossier = self.now.dossier
            self._note(f"By the rules: {headline(dossier)} {reach_text(dossier)}")
        self._put(reply.asks)
        return True

    def _full_path(self, path: str) -> str:
        try:
            return ".".join(answer_path(path, self.now.framework))
        except CaseError:
            return path

    def _confirm(self, proposals: Sequence[Proposal]) -> None:
        of, rest = len(proposals), ""
        places = [f"{number}/{of}" for number in range(1, of + 1)]
        for place, item in zip(places, proposals, strict=True):
            self.terminal.say(pages.proposal_page(item, self.now.ask(item.path), place))
        for number, item in enumerate(proposals):
            key, place = rest, places[number] if of > 1 else ""
            if rest == "y":
                self.terminal.say(pages.confirm_page(item, place, ()))
            elif not rest:
                ways = pages.proposal_choices(of - number)
                page = pages.confirm_page(item, place, ways)
                key = self.terminal.choose("confirm", page, ways)
                if key in ("a", "z"):
                    key = rest = "y" if key == "a" else "n"
            value = item.value
            if key == "e":
                self._note(_EDIT)
                value = " ".join((self.terminal.words() or "").split())
            if key != "n" and value:
                self._write(item.path, value)

    def _write(self, path: str, value: str) -> None:
        """Give an answer as a person gives it to a question."""
        unknown = value.casefold() in UNKNOWN_WORDS
        self._keep("confirmed", f"{path} = {value}")
        self.change(path, Entry("unknown") if unknown else Entry("answer", value))
        self.trail.append(path)
        if unknown:
            self.passed.add(path)

    def _put(self, wanted: str) -> None:
        opened = self._open()
        self.about = wanted if wanted in opened else next(iter(opened), "")
        if self.about:
            page = pages.topic_page(self.now.ask(self.about), named=self.about == wanted)
            self.terminal.say(page)

    def _open(self) -> list[str]:
        now = self.now
        return free.open_asks(now.case, now.framework, passed=self.passed)

    def _hidden(self, text: str) -> str:
        """A text as it may be sent: no control characters, no keys."""
        cleaned = "\n".join(safe(line) for line in text.splitlines())
        if (hidden := self.caller.without_secrets(cleaned)) != cleaned:
            self._note(_HIDDEN)
        return hidden

    def _keep(self, who: str, text: str) -> None:
        if self.transcript is not None and text:
            self.transcript.add(who, text)


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
