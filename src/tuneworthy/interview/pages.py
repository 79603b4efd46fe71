"""The texts of an interview, as pages for a terminal and as lines for the web."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import wcwidth

from tuneworthy.errors import InputError, argument, one_line
from tuneworthy.interview.questions import if_done
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import (
    AnswerChange,
    AnswerResult,
    Ask,
    Conflict,
    GrowthDoubt,
    OpenPart,
    Part,
)
from tuneworthy.money.worth import cases_note
from tuneworthy.report.sections import common
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.report.text import Paint, Style, safe, table, wrapped
from tuneworthy.report.width import columns
from tuneworthy.syntax.document import parse
from tuneworthy.verdict.headline import ANSWER_WORDS, OUTCOME_WORDS
from tuneworthy.words import count, counted, few, listing, sentence, several, usd

MARGIN = "      "
LEFT = f"{MARGIN}Left as it is.\n"  #: The line after an answer that changed nothing.

_FILE = files("tuneworthy.interview").joinpath("words.yaml")
WORDS: dict[str, Any] = parse(_FILE.read_text("utf-8"), _FILE.name, InputError).data
_BESIDE_PATH = 52  # columns that the table of commands takes beside the path


class Sheet:
    """Lines of at most 80 columns, most of them with a margin, that a terminal paints."""

    def __init__(self, *lines: str) -> None:
        self._lines: list[tuple[str, Style | None]] = []
        self.lines(lines)

    def lines(self, lines: Iterable[str], style: Style | None = None) -> Sheet:
        self._lines += [(line, style) for line in lines]
        return self

    def add(
        self,
        text: str,
        style: Style | None = None,
        first: str = MARGIN,
        rest: str | None = None,
    ) -> Sheet:
        """Add a text, wrapped; ``first`` stands before its first line and ``rest`` before others."""
        return self.lines(wrapped(text, first=first, rest=rest), style)

    def question(self, ask: Ask, first: str = MARGIN) -> Sheet:
        """Add a question with its example; ``first`` stands before its first line."""
        self.add(safe(ask.question), "strong", first, MARGIN)
        if ask.example:
            return self.add(f"e.g. {safe(ask.example)}", "dim")
        return self

    def text(self, *, colour: bool = False) -> str:
        """The page for a terminal."""
        paint = Paint(colour)
        painted = (paint(style, line) if style else line for line, style in self._lines)
        return "".join(f"{line}\n" for line in painted)


def note(text: str) -> Sheet:
    return Sheet().add(text)


def question_page(ask: Ask) -> Sheet:
    """The page with one question and its choices."""
    number = f"{ask.number}/{ask.of}"
    page = Sheet("").question(ask, f"{number:<{len(MARGIN) - 1}} ")  # in the margin
    rows = []
    for place, choice in enumerate(ask.choices, start=1):
        rows.append((f"{place}", safe(choice.id), safe(choice.says or choice.title)))
    page.lines(table(rows, MARGIN))
    if ask.value:
        page.add(f"Now: {safe(ask.value)}  (Enter keeps it)")
    return page.add(keys_line(ask), "dim")


def _counts_check(ask: Ask) -> bool:
    """Whether a question is about a check that is answered with a number."""
    return ask.kind == "count" and ask.id.startswith("ceiling.")


def keys_line(ask: Ask) -> str:
    how = "a number, or [y]es [n]o" if _counts_check(ask) else WORDS["how"][ask.kind]
    return f"{how}{' ' if ask.kind == 'state' else '; '}{WORDS['keys']}"


def hint(ask: Ask) -> str:
    """Say what can be typed at a question; empty where a key answers it."""
    if _counts_check(ask):
        return "a number, or yes or no"
    return "" if ask.kind == "state" else str(WORDS["how"][ask.kind])


def why_text(ask: Ask) -> str:
    """The reason to answer a question, and how long it takes."""
    texts = [safe(ask.why)] if ask.why else []
    texts.append(f"It takes about {counted(ask.minutes, 'minute')} to find out.")
    if ask.worth_usd:
        most = f"up to {usd(ask.worth_usd)} before you choose to tune"
        texts.append(
            f"Of the open answers this one is worth most for its time: {most}."
        )
    elif ask.gain_bits is not None:
        texts.append("Of the open answers this one removes most doubt for its time.")
    return " ".join([*texts, f"It is kept as {safe(ask.id)}."])


def changes_page(changes: Iterable[AnswerChange], moved: str) -> Sheet:
    """A page with each key that was written, its old and new value, and the effect of all of them."""
    page = Sheet()
    for change in changes:
        name = change.title
        if change.title != change.path:
            name = f"{change.title} ({change.path})"
        was = change.before or "unknown"
        now = change.after or "unknown"
        if was == now:
            says = f"{name}: {now}, as before"
        else:
            says = f"{name}: {was} → {now}"
        page.add(safe(says), first="", rest="  ")
    return page.add(moved, first="", rest="  ")


def answer_dict(wrote: AnswerResult | None, confirmed: str) -> dict[str, Any]:
    """The written and confirmed answers, for programs; ``wrote`` is None where nothing was written.

    ``confirmed`` has a line for each confirmed answer.
    """
    data: dict[str, Any] = {
        "schema": "tuneworthy/answer/1",
        "confirmed": confirmed.splitlines(),
        "changes": [],
    }
    if wrote is not None:
        data["changes"] = [change._asdict() for change in wrote.changes]
        data["answer_before"] = wrote.before.verdict.answer
        data["answer_after"] = wrote.dossier.verdict.answer
        data["headline"] = wrote.dossier.verdict.headline
        data["now"] = wrote.dossier.verdict.now
    return data


def answer_line(before: Dossier, after: Dossier) -> str:
    """Say the verdict after answers, and the one before if it changed."""
    was = before.verdict.answer
    now = after.verdict.answer
    if was == now:
        return f"Still: {ANSWER_WORDS[now]}."
    return f"Now: {ANSWER_WORDS[now]}. Before: {ANSWER_WORDS[was]}."


def moved_text(before: Dossier, after: Dossier, framework: Framework) -> str:
    """Say the verdict after an answer, and all that the answer changed."""
    newly_settled = common.is_settled(after) and not common.is_settled(before)
    if newly_settled:
        texts = [f"Settled for today: {ANSWER_WORDS[after.verdict.answer]}."]
    else:
        texts = [answer_line(before, after)]
    if after.verdict.now != before.verdict.now:
        texts.append(safe(after.verdict.now))
    texts.append(stays_text(after, framework, whole=newly_settled))
    pays_back = pays_back_text(after)
    if pays_back != pays_back_text(before):
        texts.append(f"Pays back: {pays_back}.")
    cases = cases_note(after.investment)
    if cases != cases_note(before.investment):
        texts.append(cases)
    return " ".join(text for text in texts if text)


def stays_text(dossier: Dossier, framework: Framework, *, whole: bool) -> str:
    """Say which answers are still possible. If none is, say what the missing checks would change.

    Without ``whole`` the open answers that it would depend on aren't named.
    """
    after = if_done(dossier, framework)
    if not common.is_settled(dossier) or after is None:
        return common.reach_text(dossier)
    done = f"the missing {'check' if len(after.missing) == 1 else 'checks'}"
    if not after.depends:
        return f"With {done} done, the checklist comes out as: {OUTCOME_WORDS[after.outcome]}."
    # without a number: the one that counts stands beside the next question
    if not whole:
        return f"With {done} done, it would depend on the open answers."
    named = list(after.depends[:_MOST_NAMED])
    more = len(after.depends) - len(named)
    if more:
        named.append(f"{few(more)} more")
    doing = f"If you do {done} ({listing(after.missing)}) and a target is still missed"
    return f"{doing}, it will depend on {listing(named)}."


_MOST_NAMED = 4  # open answers that a sentence names
_MOST_SIDES = 3  # other answers of a conflict that can be changed at once
LEAVE = (("d", "don't know"), ("b", "back"), ("q", "quit"))
"""The choices at every conflict, beside settling it."""


def conflict_page(
    conflict: Conflict, ways: Sequence[tuple[str, str]], others: Sequence[Ask]
) -> Sheet:
    """The page with a conflict; ``ways`` are the choices, and ``others`` the answers it is with."""
    page = Sheet()
    page.add(conflict_head(others), "warn")
    page.add(safe(conflict.challenge.says))
    page.add(f"To settle: {safe(conflict.challenge.settle)}", "dim")
    return page.add(f"Which holds?  {_keys(ways)}")


def _keys(ways: Sequence[tuple[str, str]]) -> str:
    return "  ".join(f"[{key}] {what}" for key, what in ways)


def doubt_page(doubt: GrowthDoubt, ways: Sequence[tuple[str, str]]) -> Sheet:
    return Sheet().add(safe(doubt.says), "warn").add(_keys(ways))


def doubt_choices(doubt: GrowthDoubt) -> list[tuple[str, str]]:
    """The choices for a number that was probably meant otherwise."""
    return [
        ("y", f"yes, {doubt.likely}"),
        ("n", f"no, {doubt.typed}"),
        ("b", "back"),
        ("q", "quit"),
    ]


def conflict_head(others: Sequence[Ask]) -> str:
    """Say that an answer conflicts, and with which others."""
    if not others:
        return "That seems unlikely."
    sides = [
        f"{safe(other.title)} ({safe(other.value) or 'not said'})"
        for other in others[:_MOST_SIDES]
    ]
    return f"That doesn't fit with {listing(sides)}."


def conflict_choices(
    conflict: Conflict, ask: Ask, others: Sequence[Ask]
) -> list[tuple[str, str]]:
    """The choices for a conflict, each under its key; the last number keeps everything."""
    ways = [f"change {safe(side.title)}" for side in (ask, *others[:_MOST_SIDES])]
    ways.append(keep_both(conflict, alone=not others))
    numbered = [(str(number), way) for number, way in enumerate(ways, start=1)]
    return [*numbered, *LEAVE]


def keep_both(conflict: Conflict, *, alone: bool) -> str:
    """The words for keeping both sides."""
    then = "note it" if conflict.recordable else "the report will say so"
    return f"{'it holds' if alone else 'both hold'}, and {then}"


OPEN_CONFLICT = "Left open. The report will show it."


def rest_page(
    dossier: Dossier, framework: Framework, offers: Sequence[OpenPart]
) -> Sheet:
    """The page after a round: the verdict so far, and the parts that are still worth answering."""
    page = Sheet("")
    page.add(common.title_line(dossier), "strong", "")
    page.add(stays_text(dossier, framework, whole=True), first="")
    if dossier.challenges:
        many = common.tally(dossier.challenges)
        page.add(
            f"What doesn't fit together or needs proof: {many}, in the report.",
            first="",
        )
    rows = []
    for offer in offers:
        name = WORDS["parts"][offer.part]["name"]
        rows.append((f"[{_key_of(name)}] {name}", _asks(offer)))
    page.lines(["", "What else is worth knowing:"])
    page.lines(table(rows))
    return page.lines(["  [b] back   [q] that's enough"])


def _asks(offer: OpenPart) -> str:
    return f"{count(offer.open)} open: {WORDS['parts'][offer.part]['asks']}"


def _key_of(name: str) -> str:
    """The key that stands for a part: the first letter of its name."""
    return name[0]


def rest_choices(offers: Sequence[OpenPart]) -> list[tuple[str, str]]:
    """The parts to continue with, each under its key, and the ways out."""
    choices = []
    for offer in offers:
        name = WORDS["parts"][offer.part]["name"]
        choices.append((_key_of(name), name))
    return [*choices, ("b", "back"), ("q", "that's enough")]


def closing_page(dossier: Dossier, case_path: str) -> Sheet:
    """The last page: the walk through the framework's steps, the next step, and how to continue."""
    path = safe(argument(one_line(case_path)))
    outcome = OUTCOME_WORDS[dossier.verdict.outcome]
    walk = {
        "Ceiling": common.ceiling_text(dossier),
        "For": common.reasons_text(dossier, "indicator"),
        "Against": common.reasons_text(dossier, "anti_indicator"),
        "Score": f"{common.strength_text(dossier)}. By the checklist: {outcome}",
        "Next": dossier.verdict.now.removeprefix("Now: ").replace("CASE", path),
    }
    page = Sheet("")
    page.add(common.title_line(dossier), "strong", "")
    page.lines(table([(name, safe(what)) for name, what in walk.items()]))
    page.lines(["", "All answers are in the case file. To go on:"])
    if wcwidth.width(path) > columns() - _BESIDE_PATH:
        # the table would break the command, so that it couldn't be pasted
        return page.add(f"tuneworthy decide {path}", first="  ")
    rows = []
    for command, what in WORDS["go_on"].items():
        rows.append((f"tuneworthy {command.replace('CASE', path)}", what))
    return page.lines(table(rows))


def welcome(name: str, path: str, many: int) -> Sheet:
    page = Sheet()
    for text in WORDS["welcome"]:
        page.add(
            text.format(name=safe(name), path=safe(path), many=few(many)), first=""
        )
    return page


def value_words(ask: Ask) -> str:
    """The present answer of the case file in words; empty for none."""
    titles = {choice.id: choice.title for choice in ask.choices}
    return ", ".join(titles.get(value, value) for value in ask.value.split(", "))


def refused(caught: InputError) -> str:
    """Why a text is no answer. It is shown beside the question, so it doesn't name it."""
    return " ".join(sentence(text) for text in (caught.what, caught.fix) if text)


def part(
    which: Part, offer: OpenPart | None, *, with_count: bool = True
) -> tuple[str, str]:
    """The subject of a part of the interview, and the number of its open questions.

    ``with_count`` is False beside a question, which has its own number.
    """
    words = WORDS["parts"][which]
    if offer is None:
        asks = "all of it is answered"
    elif with_count:
        asks = _asks(offer)
    else:
        asks = words["asks"]
    return words["settles"], asks


def unknowns(many: int) -> str:
    if many:
        return f"Ask again what I didn’t know: {several(many, 'question')}"
    return ""


def rest(dossier: Dossier, framework: Framework) -> tuple[str, str]:
    """The state after a round: a line, and the next step."""
    text = stays_text(dossier, framework, whole=True)
    if not text:
        text = "Every check and every reason is answered."
    return text, sentence(dossier.verdict.now)


def doubts(dossier: Dossier) -> str:
    """The number of challenges in words; empty for none."""
    if not dossier.challenges:
        return ""
    verb = "is" if len(dossier.challenges) == 1 else "are"
    return sentence(f"{common.tally(dossier.challenges)} {verb} to settle")
