"""The interview in free words: a person writes, a model proposes, the person confirms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from tuneworthy.errors import CaseError
from tuneworthy.files.stores import Transcript
from tuneworthy.interview import free as api
from tuneworthy.interview import pages as report
from tuneworthy.interview.pages import why_page
from tuneworthy.interview.questions import answer_path, ask_of, standing
from tuneworthy.llm.endpoints import LOCAL, on_this_machine
from tuneworthy.model.base import UNKNOWN_WORDS
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.interview import Ask, ConversationTurn, ParsedReply, Proposal, Standing
from tuneworthy.model.lab import Request
from tuneworthy.pipeline import decide
from tuneworthy.report.text import safe
from tuneworthy.terminal.talk import Listener, Said, Talk, said

_OWN = "Kept as somebody else's text: nothing rests on it. Say in your own words what it shows."
_LONG = f"That is too long: write at most {api.LONGEST_WORDS:,} characters at a time."
_HIDDEN = "What looks like a key or an address was taken out before it is sent."
_BACK = "To change an answer say so, or press s and go back there."
_EDIT = "Write the answer as it should be:"
_ALL_SAID = "All that can be said by talking is said; single questions ask for the rest."


def converse(talk: Talk, listener: Listener) -> None:
    """Talk until whoever answers has had enough; what is left goes on with single questions.

    Raises:
        InputError: If the model can't be reached or has no price, one message may cost more than
            the cap, or the case can't be read or written.
    """
    model = api.model_named(talk.case, listener.model)
    day = talk.as_of or date.today()  # the local day, as everywhere
    with api.Caller(
        talk.case, model, cap_usd=listener.cap_usd, as_of=day, transport=listener.transport
    ) as caller:
        conversation = Conversation(talk, caller, listener)
        conversation.run()
        spent = report.spent_line(caller.spent_usd(), listener.cap_usd)
    talk.run()
    talk.terminal.say(spent)


@dataclass(slots=True)
class Conversation:
    """One talk with a model. The case file keeps what came of it."""

    talk: Talk
    caller: api.Caller
    listener: Listener
    said: list[ConversationTurn] = field(default_factory=list)
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
            report.opening_page(
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
            self._say(report.note(_ALL_SAID))

    def _turn(self) -> bool:
        """Hear one message; False where the talk with the model ends."""
        text = self.talk.terminal.words()
        words, pasted = parted(text or "")
        if text is None or not pasted:
            act = said(words if text is not None else None)
            if act is None:
                return True
            if act.act != "answer":
                return self._command(act)
            words = act.text
        if pasted:
            self.pasted = pasted[: api.LONGEST_WORDS]
            self._say(report.note(_OWN))
            return True
        if len(words) > api.LONGEST_WORDS:
            self._say(report.note(_LONG))
            return True
        return self._heard(words)

    def _command(self, act: Said) -> bool:
        """Do what a key stands for; False where it ends the talk with the model."""
        if act.act in ("quit", "skip"):
            self.talk.over = act.act == "quit"
            return False
        if act.act == "unknown":
            self.talk.passed.add(self.about)
            self._put("")
        elif act.act == "why":
            ask, dossier = self._ask(self.about), self._standing()[0]
            gains = {one.factor: one.gain_bits for one in dossier.next_questions}
            ask = replace(ask, gain_bits=gains.get(ask.id.rpartition(".")[2]))
            self._say(report.topic_page(ask, colour=self.talk.colour) + why_page(ask))
        else:
            self._say(report.note(_BACK))
        return True

    def _heard(self, words: str) -> bool:
        """Pass a message on, show what comes back, and have it confirmed."""
        turn = ConversationTurn(
            self._hidden(words), self._hidden(self.pasted) if self.pasted else ""
        )
        self.pasted = ""
        self.said.append(turn)
        self._keep("you", turn.words)
        self._keep("pasted", turn.pasted)
        self._say(report.WAITING)
        answer = self.caller.ask(self._request(self.said))
        if not answer.text and (why := answer.over or answer.lost):
            self._say(report.lost_line(self.listener.model, why, over=bool(answer.over)))
            return not answer.over
        heard = self._sifted(answer.text)
        if heard.reply:
            self.said.append(ConversationTurn(heard.reply, model=True))
            self._keep("model", heard.reply)
        self._say(report.reply_page(self.listener.model, heard, colour=self.talk.colour))
        self._say(report.dropped_line(heard.dropped))
        before = self.talk.digest
        self._confirm(heard.proposals)
        if self.talk.digest == before:
            self._say(report.rules_line(*self._standing()))
        self._put(heard.asks)
        return True

    def _sifted(self, text: str) -> ParsedReply:
        talk = self.talk

        def fits(ask_id: str, given: str) -> None:
            api.refuse_unfit(talk.source, talk.case, talk.framework, ask_id, given)

        def whole(path: str) -> str:
            try:
                return ".".join(answer_path(path, talk.framework))
            except CaseError:
                return path

        return api.heard(
            text,
            asks=api.catalogue(talk.case, talk.framework),
            opened=self._open(),
            said=self.said,
            fits=fits,
            framework_path=whole,
        )

    def _confirm(self, proposals: Sequence[Proposal]) -> None:
        """Put each proposal to the person, and write what they say yes to."""
        talk, of, rest = self.talk, len(proposals), ""
        for number, one in enumerate(proposals, start=1):  # all of them before the first is asked
            self._say(
                report.proposal_page(
                    one, self._ask(one.path), number=number, of=of, colour=talk.colour
                )
            )
        for number, one in enumerate(proposals, start=1):
            key = rest or talk.terminal.confirm(one, number, of)
            if rest == "y":
                self._say(report.confirm_line(one, (), number=number, of=of))
            elif key in ("a", "z"):
                key = rest = "y" if key == "a" else "n"
            value = one.value
            if key == "e":
                self._say(report.note(_EDIT))
                value = " ".join((talk.terminal.words() or "").split())
            if key != "n" and value:
                self._write(one.path, value)

    def _write(self, path: str, value: str) -> None:
        """Give an answer as a person gives it to a question."""
        unknown = value.casefold() in UNKNOWN_WORDS
        self._keep("confirmed", f"{path} = {value}")
        self.talk.change(path, Said("unknown") if unknown else Said("answer", value))
        self.talk.trail.append(path)
        if unknown:
            self.talk.passed.add(path)

    def _put(self, asked: str) -> None:
        """Put a question: the one the model has put, while it is open, else the best one."""
        opened = self._open()
        self.about = asked if asked in opened else next(iter(opened), "")
        if self.about:
            ask = self._ask(self.about)
            known = self.about == asked
            self._say(report.topic_page(ask, colour=self.talk.colour, said=known))

    def _open(self) -> list[str]:
        talk = self.talk
        return list(api.following(talk.case, talk.framework, passed=talk.passed))

    def _request(self, turns: Sequence[ConversationTurn]) -> Request:
        dossier, _ = self._standing()
        return api.request_for(
            self.caller.place,
            self.talk.case,
            self.talk.framework,
            dossier,
            turns,
            passed=tuple(self.talk.passed),
            schema=self.caller.takes_schema,
        )

    def _ask(self, ask_id: str) -> Ask:
        return ask_of(self.talk.case, self.talk.framework, ask_id)

    def _standing(self) -> tuple[Dossier, Standing]:
        dossier = decide(self.talk.case, self.talk.framework, as_of=self.talk.as_of)
        return dossier, standing(dossier)

    def _hidden(self, text: str) -> str:
        """A text as it may be sent: no control characters, no keys."""
        shown = "\n".join(safe(line) for line in text.splitlines())
        hidden = self.caller.without_secrets(shown)
        if hidden != shown:
            self._say(report.note(_HIDDEN))
        return hidden

    def _keep(self, who: str, text: str) -> None:
        if self.transcript is not None and text:
            self.transcript.add(who, text)

    def _say(self, text: str) -> None:
        if text:
            self.talk.terminal.say(text)


def parted(text: str) -> tuple[str, str]:
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
