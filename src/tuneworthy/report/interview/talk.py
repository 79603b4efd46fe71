"""What an interview says where there is room for more than a line."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.interview import Ask, Clash, Offer, Part, Standing, Step
from tuneworthy.report.interview.pages import (
    PART_WORDS,
    clash_head,
    hint,
    moved_text,
    why_text,
)
from tuneworthy.report.words import count, few, sentence, several

__all__ = (
    "clash_head", "doubts", "hint", "keep", "moved", "part", "place", "refused", "rest", "stands",
    "unknowns", "why_text",
)  # fmt: skip

_TITLES: dict[Part, str] = {
    "evaluate": "Should we?",
    "options": "What else could we do?",
    "investment": "What would it cost and bring?",
}


def place(number: int, ask: Ask) -> str:
    """Which question it is, and how many are left."""
    left = ask.left - 1
    told = "the last one of this part" if not left else f"about {few(left)} more"
    return f"Question {number}, {told}"


def stands(ask: Ask) -> str:
    """What the case file says to it; empty for nothing."""
    titles = {choice.id: choice.title for choice in ask.choices}
    return ", ".join(titles.get(one, one) for one in ask.value.split(", ")) if ask.value else ""


def moved(step: Step, now: Standing) -> str:
    """What an answer moved; empty for nothing."""
    return moved_text(step.before, step.dossier, now).strip()


def refused(caught: InputError) -> str:
    """Why something is no answer, beside the question, so without naming it."""
    return " ".join(sentence(text) for text in (caught.what, caught.fix) if text)


def keep(clash: Clash, *, alone: bool) -> str:
    """The way to keep everything as it was said."""
    both = "It holds" if alone else "Both hold"
    return f"{both}: {'note it in the case file' if clash.recordable else 'the report will say so'}"


def part(which: Part, offer: Offer | None) -> tuple[str, str]:
    """A part of the interview: what it settles, and what is open in it."""
    what = PART_WORDS[which][1]
    if offer is None:
        return _TITLES[which], "all of it is answered"
    return _TITLES[which], f"{count(offer.open)} open: {what}"


def unknowns(many: int) -> str:
    """A way back to what wasn't known."""
    return f"Ask again what I didn’t know: {several(many, 'question')}" if many else ""


def rest(dossier: Dossier) -> tuple[str, str]:
    """Where it stands when a round is over: a line, and what to do next."""
    open_ones, matter = dossier.counts.unknown, len(dossier.next_questions)
    open_ones += sum(check.state == "unknown" for check in dossier.ceiling.checks.values())
    if dossier.verdict.final:
        told = "Nothing that is open can change the verdict any more."
        told = told if open_ones else "Every check and every reason is answered."
    else:
        answers = "one open answer" if matter == 1 else f"{few(matter)} open answers"
        told = f"It isn’t settled: {answers} can still change the verdict."
    return told, sentence(dossier.verdict.next)


def doubts(dossier: Dossier) -> str:
    """How many things don't fit together; empty for none."""
    many = len(dossier.challenges)
    if not many:
        return ""
    return sentence(f"{several(many, 'thing')} {'doesn’t' if many == 1 else 'don’t'} fit together")
