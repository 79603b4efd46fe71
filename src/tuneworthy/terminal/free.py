"""The interview in free words: a person writes, a model proposes, the person confirms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tuneworthy.errors import CaseError
from tuneworthy.files.stores import Transcript
from tuneworthy.interview import pages
from tuneworthy.interview.free import (
    LONGEST_WORDS,
    Caller,
    check_answer,
    open_asks,
    parse_reply,
    request_for,
    settable,
)
from tuneworthy.interview.questions import answer_path, standing
from tuneworthy.llm.endpoints import LOCAL, on_this_machine
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.interview import ConversationTurn, ParsedReply, Proposal
from tuneworthy.model.lab import Request
from tuneworthy.pipeline import today
from tuneworthy.report.text import safe
from tuneworthy.terminal.session import InterviewSession, Listener
from tuneworthy.terminal.terminals import Entry, read_entry

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
