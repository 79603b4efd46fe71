"""The interview in free words: a model proposes answers, a person confirms, the rules decide.

The model sees the questions and the states of answers, never a note, a name or a trace.
"""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Self

from tuneworthy.errors import CaseError, InputError, one_line
from tuneworthy.files.config import read_config
from tuneworthy.framework.load import case_fields, field_path
from tuneworthy.interview.answers import EvaluatedCase
from tuneworthy.interview.pages import WORDS
from tuneworthy.interview.questions import ask_of, every_ask, is_stated, part_asks
from tuneworthy.lab.session import ledger_of, ledger_or_none, stopped_by_user
from tuneworthy.llm.choose import prices_of, transport_for
from tuneworthy.llm.endpoints import LOCAL, most_usd, reach
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.measure.personal import without_secrets
from tuneworthy.model.case import Case, Model
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import (
    PARTS,
    Ask,
    ConversationTurn,
    Dropped,
    DropReason,
    ModelAnswer,
    ParsedReply,
    Proposal,
)
from tuneworthy.model.lab import ChatMessage, Request, canonical_json
from tuneworthy.words import small_usd

RUN = "interview"  #: Name of the run in the ledger: all conversations about a case share one cap.
_TIMEOUT_S = 90.0
_MOST_LOST = 2
_NO_SCHEMA = re.compile(r"HTTP 4(00|04|15|22)\b")


class Caller:
    """Asks a model through the case's ledger while a person talks; a context manager.

    The model is one of the case's, or any other at its list price of the day; the cap is the most
    that all conversations about the case may cost.
    """

    def __init__(
        self,
        case: Case,
        model_id: str,
        *,
        cap_usd: float,
        as_of: date,
    ) -> None:
        listed = (model for model in case.models if model.id == model_id)
        model = next(listed, None) or Model(id=model_id)
        self._case, self._model, self._cap = case, model, cap_usd
        self._price_of = prices_of((*case.models, model), as_of)
        self.place = reach(model)
        confirmed = read_config().hosts
        self._sends = transport_for(
            (self.place,), timeout_s=_TIMEOUT_S, at_once=1, confirmed=confirmed
        )
        self._loop = asyncio.Runner()
        self._lost = 0
        self.takes_schema = True  #: Whether the endpoint takes a schema, as far as is known.
        self.over = ""  #: Why no more can be asked; empty while it can.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run(self._sends.close())
        finally:
            self._loop.close()

    def request(
        self, now: EvaluatedCase, turns: Sequence[ConversationTurn], *, passed: Collection[str] = ()
    ) -> Request:
        """What is asked next; the same conversation about the same case is the same request."""
        asks, dossier = settable(now.case, now.framework), now.dossier
        opened = open_asks(now.case, now.framework, passed=passed)
        answered = [ask for ask in asks.values() if ask.value]
        state: dict[str, object] = {  # of texts, only that they are answered
            "verdict": {"answer": dossier.verdict.answer, "may_still_be": dossier.reach.answers},
            "open": opened[:_MOST_OPEN],
            "answered": {ask.id: "given" if ask.kind == "text" else ask.value for ask in answered},
        }
        rules = WORDS["rules"] + "\n".join(map(_line, asks.values()))
        *earlier, newest = turns[-_MOST_TURNS:]
        system = ChatMessage(role="system", content=rules)
        path = _TEXT if not asks else {**_TEXT, "enum": list(asks)}
        proposals = {"type": "array", "items": _object(path=path, value=_TEXT, quote=_TEXT)}
        form = _object(reply=_TEXT, proposals=proposals, next=path)
        return Request(
            provider=self.place.provider,
            base_url=self.place.base_url,
            model=self.place.name,
            messages=(system, *map(_message, earlier), _message(newest, state)),
            max_tokens=_WRITES,
            response_schema=canonical_json(form) if self.takes_schema else None,
        )

    def check(self, request: Request) -> None:
        """Refuse before the talk begins what could never be sent."""
        price, name = self._price_of(request), self._model.id[:80]
        if self.place.provider == LOCAL:
            fix = "name a larger model, or leave --model out for single questions"
            raise InputError(f'"{name}" is too small to talk with', where="--model", fix=fix)
        if price is None:
            fix = "list it under models with its usd_per_mtok; 0 is a price"
            raise InputError(f'"{name}" has no price', where="--model", fix=fix)
        most = most_usd(request, price) or 0.0
        if most > self._cap:
            what = f'one message to "{name}" may cost up to {small_usd(most)}'
            raise InputError(what, where="--budget", fix="give what all may cost, as --budget 1")

    def without_secrets(self, words: str) -> str:
        """What a person wrote, without keys, tokens and addresses: it is sent to somebody."""
        key = self.place.key
        return without_secrets(words if key is None else key.hide(words))

    def ask(self, request: Request) -> ModelAnswer:
        """Ask once; an answer that was paid for is taken from the ledger.

        After two in a row without an answer it is over. Raises KeyboardInterrupt if the user
        stopped it, once what was sent is answered and kept.
        """
        about: Any = {"run": RUN, "cap_usd": self._cap, "at_once": 1}
        try:
            with ledger_of(self._case) as ledger:
                runner = Runner(ledger, self._sends, self._price_of, **about)
                outcome = self._loop.run(_stoppable(runner, Job(request)))
        except InputError as caught:
            return self._none(str(caught))
        if outcome.stop.by == "user":
            raise KeyboardInterrupt
        settled = next(iter(outcome.settled.values()), None)
        status, why = ("", "it was not sent") if settled is None else (settled.status, settled.why)
        if settled is not None and settled.whole is not None:
            self._lost = 0
            return ModelAnswer(text=settled.whole.text)
        if settled is not None and settled.reply is not None:
            why = settled.reply.lacks
        if status == "failed" and request.response_schema is not None and _NO_SCHEMA.match(why):
            self.takes_schema = False
            return self.ask(request.model_copy(update={"response_schema": None}))
        if outcome.stop:
            self.over = outcome.stop.why
            return ModelAnswer(over=outcome.stop.why)
        if status == "in_doubt":
            why += "; it is unknown whether it was paid, and it isn't sent again"
        return self._none(why)

    def spent_usd(self) -> float:
        try:
            with ledger_or_none(self._case) as ledger:
                spend = None if ledger is None else ledger.spend(RUN, self._cap)
        except InputError:  # it can't be read just now; what was asked is in it all the same
            return 0.0
        return 0.0 if spend is None else spend.paid + spend.held

    def _none(self, why: str) -> ModelAnswer:
        self._lost += 1
        self.over = why if self._lost >= _MOST_LOST else ""
        return ModelAnswer(lost="" if self.over else why, over=self.over)


async def _stoppable(runner: Runner, job: Job) -> Outcome:
    with stopped_by_user() as on_interrupt:
        on_interrupt(runner.stop)
        return await runner.all([job])


_NEVER = ("models.", "targets.quality.metric")  # what is called, and what judges


def settable(case: Case, framework: Framework) -> Mapping[str, Ask]:
    """All that may be set by talking, by id: what is open first, in the order of asking."""
    names = (name for name in every_ask(case, framework) if is_stated(case, name))
    return _settable(case, framework, (*open_asks(case, framework), *names))


def open_asks(case: Case, framework: Framework, *, passed: Collection[str] = ()) -> list[str]:
    """Ids of what is open, by the three conversations: first what can change the verdict."""
    names = (name for part in PARTS for name in part_asks(case, framework, part))
    return [*_settable(case, framework, (name for name in names if name not in passed))]


def _settable(case: Case, framework: Framework, names: Iterable[str]) -> dict[str, Ask]:
    """The questions that may be answered by talking, each once.

    Files, models and their addresses, and what judges are never set so: these say what is read and
    where it is sent.
    """
    asks = (ask_of(case, framework, name) for name in dict.fromkeys(names))
    return {
        ask.id: ask
        for ask in asks
        if not ask.id.startswith(_NEVER) and not (ask.id.startswith("data.") and ask.kind == "text")
    }


MOST_PROPOSALS = 12  #: Of a reply that are looked at; nobody says more in a sentence or two.
_FEWEST_WORDS = 3  # a shorter quotation stands in many a sentence, so it counts for the last alone
_LONGEST_PATH, _LONGEST_VALUE, _LONGEST_QUOTE = 100, 4000, 1000
_PLAIN = str.maketrans(dict(zip("\u2019\u2018\u201c\u201d", "''\"\"", strict=True)))
_AROUND = " \t\n\"'`.,;:!?…"

Check = Callable[[str, str], object]  #: Takes an id and an answer; raises CaseError if it is none.


def parse_reply(
    text: str,
    *,
    asks: Mapping[str, Ask],
    opened: Collection[str],
    turns: Sequence[ConversationTurn],
    check: Check,
    full_path: Callable[[str], str],
) -> ParsedReply:
    """What a model's reply comes to: what rests on the person's own words, and nothing else.

    A reply that is no JSON is a reply without proposals, unless it means to be some and is broken.
    """
    data = _mapping(text)
    if data is None:
        broken = text.lstrip().startswith(("{", "[", "```"))
        return ParsedReply(reply="" if broken else text.strip(), unreadable=broken)
    reply, items, following = data.get("reply"), data.get("proposals"), data.get("next")
    words = [folded(turn.words) for turn in turns if not turn.model]
    by_path: dict[str, Proposal] = {}
    dropped: list[Dropped] = []
    for item in (items if isinstance(items, list) else [])[:MOST_PROPOSALS]:
        if not isinstance(item, dict):
            continue
        path = full_path(_typed(item.get("path"))[:_LONGEST_PATH])
        proposal = Proposal(path, _typed(item.get("value")), _typed(item.get("quote")))
        ask = asks.get(path)
        if ask is not None and (proposal.value == ask.value or path in by_path):
            continue  # one that repeats the case file says nothing
        reason, fix = _wrong(ask, proposal, words, check)
        if reason is None:
            by_path[path] = proposal
        else:
            dropped.append(Dropped(path, reason, fix))
    about = full_path(following[:_LONGEST_PATH]) if isinstance(following, str) else ""
    return ParsedReply(
        reply=reply.strip() if isinstance(reply, str) else "",
        proposals=tuple(by_path.values()),
        dropped=tuple(dropped),
        asks=about if about in opened else "",
    )


def _wrong(
    ask: Ask | None, proposal: Proposal, words: Sequence[str], check: Check
) -> tuple[DropReason | None, str]:
    """Why a proposal is not put to the person, and what would fit."""
    if ask is None:
        return "unasked", ""
    if not _is_quoted(proposal.quote, words):
        return "unquoted", ""
    value = proposal.value
    if ask.kind == "text":  # word for word: nothing a model wrote gets into a case
        pieces = value.split(",") if ask.id.endswith(".models") else [value]
        plain = [folded(piece) for piece in pieces if piece.strip()]
        if not plain or not all(any(_holds(text, piece) for text in words) for piece in plain):
            return "own_words", ""
    try:
        if len(value) > _LONGEST_VALUE:
            return "unfit", "keep it short"
        check(ask.id, value)
    except CaseError as caught:
        return "unfit", caught.fix
    return None, ""


def _is_quoted(quote: str, words: Sequence[str]) -> bool:
    piece = folded(quote).strip(_AROUND)
    if len(quote) > _LONGEST_QUOTE or not any(sign.isalnum() for sign in piece):
        return False
    short = len(piece.split()) < _FEWEST_WORDS
    return any(_holds(text, piece) for text in (words[-1:] if short else words))


def folded(text: str) -> str:
    """A text in which blanks, apostrophes and quotation marks are all of one kind."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_PLAIN)).split())


def _holds(words: str, piece: str) -> bool:
    """Whether whole words of a text are these."""
    if not piece:
        return False
    before = r"(?<!\w)" if piece[0].isalnum() else ""
    after = r"(?!\w)" if piece[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(piece)}{after}", words) is not None


def _typed(value: Any) -> str:
    """A value as a person would type it; a text with visible escapes on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)[:40]
    if isinstance(value, list):
        return ", ".join(_typed(part) for part in value[:50] if not isinstance(part, list))
    if not isinstance(value, str):
        return ""
    return one_line(" ".join(value[: _LONGEST_VALUE * 2].split()), limit=_LONGEST_VALUE * 2)


def _mapping(text: str) -> dict[str, Any] | None:
    """The object in an answer: alone, in a fenced block, or with talk around it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        data = json.loads(text[begin : end + 1]) if 0 <= begin < end else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _line(ask: Ask) -> str:
    question, choices = ask.question, [choice.id for choice in ask.choices]
    if ask.id.startswith("attempts."):  # asked with its number: its name is somebody's text
        place = ask.id.split(".")[1]
        question = case_fields()[field_path(ask.id)].question
        question = question.replace("{n}", place).replace("{name}", place)
    line = {"path": ask.id, "asks": question, "kind": ask.kind}
    return canonical_json({**line, "choices": choices} if choices else line)


LONGEST_WORDS = 4_000  #: Characters of one message.
_MOST_TURNS, _MOST_OPEN = 16, 6
_WRITES = 1_024  # tokens of an answer
_SHOWN_REPLY = 2_000
_TEXT: dict[str, Any] = {"type": "string"}


def _message(turn: ConversationTurn, now: dict[str, object] | None = None) -> ChatMessage:
    if turn.model:
        reply = {"reply": turn.words[:_SHOWN_REPLY]}
        return ChatMessage(role="assistant", content=canonical_json(reply))
    parts = {"person": turn.words, "pasted": turn.pasted or None, "state": now}
    message = {name: part for name, part in parts.items() if part is not None}
    return ChatMessage(role="user", content=canonical_json(message))


def _object(**fields: Any) -> dict[str, Any]:
    closed = {"required": list(fields), "additionalProperties": False}
    return {"type": "object", "properties": fields, **closed}
