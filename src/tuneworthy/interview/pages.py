"""What an interview says, as pages for a terminal and as lines for the web."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import wcwidth

from tuneworthy.errors import InputError
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Outcome
from tuneworthy.model.interview import (
    Ask,
    Conflict,
    Dropped,
    OpenPart,
    ParsedReply,
    Part,
    Proposal,
    Standing,
)
from tuneworthy.report.sections.common import title_line
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.report.text import Paint, Style, safe, table, wrapped
from tuneworthy.syntax.document import parse
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import count, counted, few, listing, sentence, several, share, small_usd

MARGIN = "      "
LEFT = f"{MARGIN}Left as it is.\n"  #: What is said where an answer changed nothing.

_FILE = files("tuneworthy.interview").joinpath("words.yaml")
WORDS: dict[str, Any] = parse(_FILE.read_text("utf-8"), _FILE.name, InputError).data
_SHORT: dict[Outcome, str] = WORDS["outcomes"]
_LONG_PATH = 28  # columns; a longer one leaves the table no room


class Sheet:
    """Lines of at most 80 columns, most of them in the margin, for a terminal to paint."""

    def __init__(self, *lines: str) -> None:
        self._lines: list[tuple[str, Style | None, bool | None]] = []
        self.lines(lines)

    def lines(
        self, lines: Iterable[str], style: Style | None = None, keys: bool | None = None
    ) -> Sheet:
        """Add lines; some only where keys are typed, or only where there is a menu."""
        self._lines += [(line, style, keys) for line in lines]
        return self

    def add(
        self,
        text: str,
        style: Style | None = None,
        first: str = MARGIN,
        rest: str | None = None,
        keys: bool | None = None,
    ) -> Sheet:
        return self.lines(wrapped(text, first=first, rest=rest), style, keys)

    def question(self, ask: Ask, first: str = MARGIN) -> Sheet:
        self.add(safe(ask.question), "strong", first, MARGIN)
        return self.add(f"e.g. {safe(ask.example)}", "dim") if ask.example else self

    def text(self, *, colour: bool = False, keys: bool = True) -> str:
        """The page for a terminal, with what may be typed where it has no menu."""
        paint = Paint(colour)
        shown = (line[:2] for line in self._lines if line[2] in (None, keys))
        return "".join(f"{paint(style, line) if style else line}\n" for line, style in shown)


def note(text: str) -> Sheet:
    return Sheet().add(text)


def question_page(ask: Ask, number: int) -> Sheet:
    place = f"{number}/≈{number + ask.left - 1}"
    page = Sheet("").question(ask, f"{place:<{len(MARGIN) - 1}} ")
    rows = enumerate(ask.choices, start=1)
    page.lines(table([(f"{n}", safe(c.id), safe(c.says or c.title)) for n, c in rows], MARGIN))
    if ask.value:
        page.add(f"Now: {safe(ask.value)}  (Enter keeps it)")
    return page.add(keys_line(ask), "dim", keys=True)


def _counts_check(ask: Ask) -> bool:
    return ask.kind == "count" and ask.id.startswith("ceiling.")


def keys_line(ask: Ask) -> str:
    how = "a number, or [y]es [n]o" if _counts_check(ask) else WORDS["how"][ask.kind]
    return f"{how}{' ' if ask.kind == 'state' else '; '}{WORDS['keys']}"


def hint(ask: Ask) -> str:
    """What may be typed at a question, without keys; empty where nothing is typed."""
    if _counts_check(ask):
        return "a number, or yes or no"
    return "" if ask.kind == "state" else str(WORDS["how"][ask.kind])


def why_text(ask: Ask) -> str:
    texts = [safe(ask.why)] if ask.why else []
    texts.append(f"It takes about {counted(ask.minutes, 'minute')} to find out.")
    if ask.gain_bits is not None:
        texts.append("Of the open answers this one removes most doubt for its time.")
    elif ask.part == "evaluate" and ask.id != "goals" and not ask.value:
        texts.append("It can't change the verdict by itself.")
    return " ".join([*texts, f"It is kept as {safe(ask.id)}."])


def standing_text(before: Dossier, after: Dossier, now: Standing) -> str:
    """What an answer moved, and what is still possible, in a line or two."""
    text, shares = moved_text(before, after, now), dict(now.possible)
    if now.final:
        return text
    ways = ", ".join(f"{_SHORT[name]} {share(shares[name])}" for name in _SHORT if name in shares)
    return f"{text}Still possible: {ways}"


def moved_text(before: Dossier, after: Dossier, now: Standing) -> str:
    """What an answer moved; empty where it only shifted shares."""
    if not now.final:
        return _moved(before, after)
    settled = f"Settled: {OUTCOME_WORDS[now.outcome]}, whatever else is answered. "
    text = ("" if before.verdict.final else settled) + _moved_beside(before, after)
    return text or f"Noted; it stays with {OUTCOME_WORDS[now.outcome]}."


def _moved(before: Dossier, after: Dossier) -> str:
    """What the answer did to an open verdict; empty where it only shifted shares."""
    was = {name for name, part in before.distribution.items() if part > 0}
    now = {name for name, part in after.distribution.items() if part > 0}
    texts = [
        f"{title}: {listing([f'“{OUTCOME_WORDS[name]}”' for name in _SHORT if name in names])}. "
        for title, names in (("Ruled out", was - now), ("Possible again", now - was))
        if names
    ]
    if after.verdict.leaning != before.verdict.leaning:
        texts.append(f"Leaning now: {OUTCOME_WORDS[after.verdict.leaning]}. ")
    return "".join(texts)


def _moved_beside(before: Dossier, after: Dossier) -> str:
    """What the answer moved beside a settled outcome; empty for nothing."""
    texts = []
    if before.verdict.final and after.verdict.outcome != before.verdict.outcome:
        texts.append(f"The verdict is another now: {OUTCOME_WORDS[after.verdict.outcome]}.")
    if after.verdict.action != before.verdict.action:
        texts.append(f"What to do: {ACTION_WORDS[after.verdict.action]}.")
    elif after.verdict.next != before.verdict.next:
        texts.append(f"Next: {safe(after.verdict.next)}")
    if (pays := pays_back_text(after)) != pays_back_text(before):
        texts.append(f"Pays back: {pays}.")
    return " ".join(texts)


def conflict_page(conflict: Conflict, ask: Ask, others: Sequence[Ask]) -> Sheet:
    page = Sheet().add(conflict_head(others), "warn").add(safe(conflict.challenge.says))
    page.add(f"To settle: {safe(conflict.challenge.settle)}", "dim")
    return page.add(f"Which holds?  {_keys(conflict_choices(conflict, ask, others))}", keys=True)


def _keys(ways: Sequence[tuple[str, str]]) -> str:
    return "  ".join(f"[{key}] {what}" for key, what in ways)


def conflict_head(others: Sequence[Ask]) -> str:
    if not others:
        return "That seems unlikely."
    sides = listing([f"{safe(o.title)} ({safe(o.value) or 'not said'})" for o in others[:3]])
    return f"That doesn't fit with {sides}."


def conflict_choices(conflict: Conflict, ask: Ask, others: Sequence[Ask]) -> list[tuple[str, str]]:
    """What may be done about a conflict, each under its key; the last keeps everything."""
    ways = [f"change {safe(side.title)}" for side in (ask, *others[:3])]
    both = "both hold" if others else "it holds"
    kept = "note it" if conflict.recordable else "the report will say so"
    return [(str(n), way) for n, way in enumerate([*ways, f"{both}, and {kept}"], start=1)]


def accepted_text(conflict: Conflict) -> str:
    kept = "Noted in the case file; " if conflict.recordable else "Kept; "
    return f"{kept}the report will show it."


def rest_page(dossier: Dossier, now: Standing, offers: Sequence[OpenPart]) -> Sheet:
    """The verdict so far when a round is over, and what else is worth knowing."""
    page = Sheet("").add(settled_line(dossier, now), "strong", "")
    if dossier.challenges:
        many = counted(len(dossier.challenges), "thing")
        page.add(f"What doesn't fit together or needs proof: {many}, in the report.", first="")
    names = [WORDS["parts"][offer.part]["name"] for offer in offers]
    rows = list(zip(names, map(_asks, offers), strict=True))
    page.lines(["", "What else is worth knowing:"])
    page.lines(table([(f"[{name[0]}] {name}", what) for name, what in rows]), keys=True)
    page.lines(table(rows), keys=False)
    return page.lines(["  [b] back   [q] that's enough"], keys=True)


def _asks(offer: OpenPart) -> str:
    return f"{count(offer.open)} open: {WORDS['parts'][offer.part]['asks']}"


def rest_choices(offers: Sequence[OpenPart]) -> list[tuple[str, str]]:
    """What may be gone on with, each part under its key, and the ways out."""
    names = [WORDS["parts"][offer.part]["name"] for offer in offers]
    return [*((name[0], name) for name in names), ("b", "back"), ("q", "that's enough")]


def settled_line(dossier: Dossier, now: Standing) -> str:
    """Whether anything can still change the verdict, and the verdict."""
    verdict = title_line(dossier)
    if not now.final:
        return f"Not settled: {_answers(now.matter)} can still change it. {verdict}"
    if now.open:
        return f"Nothing that is open can change the verdict any more. {verdict}"
    return f"Every check and factor is answered. {verdict}"


def _answers(many: int) -> str:
    return "one open answer" if many == 1 else f"{few(many)} open answers"


def closing_page(dossier: Dossier, now: Standing, case_path: str) -> Sheet:
    path = safe(case_path)
    page = Sheet("").add(settled_line(dossier, now), "strong", "")
    page.add(safe(dossier.verdict.next), first="Next: ")
    page.lines(["", "All answers are in the case file. To go on:"])
    if wcwidth.width(path) > _LONG_PATH:
        return page.add(f"tuneworthy {'|'.join(WORDS['go_on'])} {path}", first="  ")
    rows = [(f"tuneworthy {verb} {path}", what) for verb, what in WORDS["go_on"].items()]
    return page.lines(table(rows))


def welcome(name: str, path: str) -> Sheet:
    page = Sheet()
    for text in WORDS["welcome"]:
        page.add(text.format(name=safe(name), path=safe(path)), first="")
    return page


def place(number: int, ask: Ask) -> str:
    left = ask.left - 1
    more = f"about {few(left)} more" if left else "the last one of this part"
    return f"Question {number}, {more}"


def value_words(ask: Ask) -> str:
    """What the case file says to it; empty for nothing."""
    titles = {choice.id: choice.title for choice in ask.choices}
    values = ask.value.split(", ") if ask.value else []
    return ", ".join(titles.get(value, value) for value in values)


def refused(caught: InputError) -> str:
    """Why something is no answer, beside the question, so without naming it."""
    return " ".join(sentence(text) for text in (caught.what, caught.fix) if text)


def keep_both(conflict: Conflict, *, alone: bool) -> str:
    """The way to keep both sides."""
    both = "It holds" if alone else "Both hold"
    kept = "note it in the case file" if conflict.recordable else "the report will say so"
    return f"{both}: {kept}"


def part(which: Part, offer: OpenPart | None) -> tuple[str, str]:
    """A part of the interview: what it settles, and what is open in it."""
    settles: str = WORDS["parts"][which]["settles"]
    return settles, "all of it is answered" if offer is None else _asks(offer)


def unknowns(many: int) -> str:
    return f"Ask again what I didn’t know: {several(many, 'question')}" if many else ""


def rest(dossier: Dossier, now: Standing) -> tuple[str, str]:
    """The state when a round is over: a line, and what to do next."""
    if not now.final:
        text = f"It isn’t settled: {_answers(now.matter)} can still change the verdict."
    elif now.open:
        text = "Nothing that is open can change the verdict any more."
    else:
        text = "Every check and every reason is answered."
    return text, sentence(dossier.verdict.next)


def doubts(dossier: Dossier) -> str:
    """How many things don't fit together; empty for none."""
    many = len(dossier.challenges)
    verb = "doesn’t" if many == 1 else "don’t"
    return sentence(f"{several(many, 'thing')} {verb} fit together") if many else ""


LONGEST_REPLY = 1_200  #: Characters of a model's reply that are shown.
WAITING = f"{MARGIN}…\n"  #: Shown while a model is asked.
_BAR = f"{MARGIN}| "
_MOST_DROPPED = 3
_ID = re.compile(r"[a-z0-9_.]{1,60}")  # anything else would be a model's sentence in our line


def opening_page(model: str, place: str, *, cap_usd: float, weak: bool) -> Sheet:
    """Which model proposes, what it may do, and where what is written goes.

    ``place`` is empty where it is served on this machine; the embedded model is a weak one.
    """
    sent: str = WORDS["sent" if place else "here"]
    sent = sent.format(place=safe(place), cap=small_usd(cap_usd))
    text = WORDS["opening"].format(model=safe(model), sent=sent)
    if weak:
        text += f" {WORDS['weak']}"
    return Sheet().add(text, first="").add(WORDS["talk_keys"])


def topic_page(ask: Ask, *, named: bool = False) -> Sheet:
    """The question to talk about, in our words; only its name if the model has asked it."""
    if named:
        return note(f"About {safe(ask.title)} ({safe(ask.id)}).")
    page = Sheet("").question(ask)
    if ask.choices:
        titles = listing([safe(choice.title) for choice in ask.choices], "or")
        page.add(f"That is: {titles}.")
    return page


def reply_page(model: str, reply: ParsedReply) -> Sheet:
    """What a model says, behind a bar and cut: nothing in it can be taken for a word of ours."""
    if reply.unreadable:
        return note(f"What {safe(model)} answered can't be read; nothing of it counts.")
    text = reply.reply
    page = note(f"{safe(model)} says{':' if text else ' nothing.'}")
    cut = text[:LONGEST_REPLY] + (" …" if len(text) > LONGEST_REPLY else "")
    for paragraph in filter(None, map(str.strip, cut.splitlines())):
        page.add(safe(paragraph), "dim", _BAR, _BAR)
    return page


def dropped_text(dropped: Sequence[Dropped]) -> str:
    reasons = WORDS["dropped"]
    texts = [
        f"{item.path if _ID.fullmatch(item.path) else 'something'} ({reasons[item.reason]})"
        for item in dropped[:_MOST_DROPPED]
    ]
    if len(dropped) > _MOST_DROPPED:
        texts.append(f"{few(len(dropped) - _MOST_DROPPED)} more")
    return f"Left out of what it proposes: {listing(texts)}."


def proposal_page(proposal: Proposal, ask: Ask, place: str) -> Sheet:
    head = f"{safe(ask.title)} ({safe(ask.id)}) = {safe(proposal.value)}"
    page = Sheet("").add(head, "strong", place.ljust(len(MARGIN)), MARGIN).add(safe(ask.question))
    page.add(f"You wrote: “{safe(proposal.quote)}”")
    return page.add(f"Now it is: {safe(ask.value)}") if ask.value else page


def confirm_page(proposal: Proposal, place: str, ways: Sequence[tuple[str, str]]) -> Sheet:
    """Which proposal is to be confirmed, where there are several, and what may be typed."""
    head = f"{place}  {safe(proposal.path)} = {safe(proposal.value)}"
    page = note(head) if place else Sheet()
    return page.add(_keys(ways), keys=True) if ways else page


def proposal_choices(left: int) -> list[tuple[str, str]]:
    """What may be done about a proposal, each under its key; ``left`` counts it too."""
    ways = [("y", "yes, write it"), ("n", "no"), ("e", "edit it")]
    return [*ways, ("a", "all of them"), ("z", "none")] if left > 1 else ways


def rules_text(dossier: Dossier, now: Standing) -> str:
    """The verdict so far by the rules, whatever was written."""
    text = settled_line(dossier, now) if now.final else standing_text(dossier, dossier, now)
    return f"By the rules: {' '.join(text.split())}"


def lost_text(model: str, why: str, *, over: bool) -> str:
    then = "It goes on with single questions." if over else "Write on; what you wrote is kept."
    return f"No answer of {safe(model)}: {safe(why).rstrip('.')}. {then}"


def spent_line(usd: float, cap_usd: float) -> str:
    """What all conversations about the case have cost; empty where they cost nothing."""
    return f"The model has cost {small_usd(usd)} of {small_usd(cap_usd)}.\n" if usd else ""
