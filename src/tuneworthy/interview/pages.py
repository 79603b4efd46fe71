"""The pages of an interview for a terminal: a question, what moved, a clash, a rest, the end."""

from __future__ import annotations

import re
from collections.abc import Sequence

import wcwidth

from tuneworthy.errors import InputError
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.framework import Outcome
from tuneworthy.model.interview import (
    AnswerResult,
    Ask,
    AskKind,
    Clash,
    Dropped,
    DropReason,
    OpenPart,
    ParsedReply,
    Part,
    Proposal,
    Standing,
)
from tuneworthy.report.sections.common import title_line
from tuneworthy.report.sections.money import pays_back_text
from tuneworthy.report.text import Paint, safe, table, wrapped
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import count, counted, few, listing, sentence, several, share, small_usd

# The pages of an interview for a terminal: a question, what moved, a clash, a rest, the end.

MARGIN = "      "
LEFT = f"{MARGIN}Left as it is.\n"
"""What is said where an answer changed nothing."""

SHORT: dict[Outcome, str] = {
    "keep_optimizing_prompts": "keep prompting",
    "improve_rag_or_switch_model": "retrieval or model",
    "address_anti_indicators": "clear what's against",
    "fine_tune_candidate": "tune",
}
"""Outcomes in two or three words, for a line that stands under every question."""

PART_WORDS: dict[Part, tuple[str, str]] = {
    "evaluate": ("evaluation", "the answers that are left: checks, reasons and signs"),
    "options": ("options", "what was tried, targets, where it stands today, data, models"),
    "investment": ("money", "cost, return and traffic, how it would be tuned, and safety"),
}
"""Each part by name, and what it asks."""

_HOW: dict[AskKind, str] = {
    "state": "[y]es [n]o",
    "count": "a whole number",
    "number": "a number",
    "amount": "a number, or a range as 800-2000",
    "choice": "one of them",
    "choices": "one or more, with commas",
    "text": "a line of text",
}
_LONG_PATH = 28  # columns; a longer one leaves the table no room
_GO_ON = (
    ("decide", "the whole report"),
    ("options", "what could be done instead, or as well"),
    ("invest", "cost and return, line by line"),
    ("plan", "phases, hours and dates"),
    ("interview", "go on answering"),
)
_KEYS = "[d]on't know [?] why [b]ack [s]kip part [q]uit"


def question_page(ask: Ask, *, number: int, colour: bool = False, keys: bool = True) -> str:
    """A question as a page.

    Args:
        ask: What is asked.
        number: How many questions this one is, counted from 1.
        colour: Whether the terminal takes colour.
        keys: Whether to say what may be typed; a surface with a menu of its own does that itself.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint = Paint(colour)
    place = f"{number}/≈{number + ask.left - 1}"
    told = wrapped(safe(ask.question), first=f"{place:<{len(MARGIN) - 1}} ", rest=MARGIN)
    lines = ["", *(paint("strong", line) for line in told)]
    if ask.example:
        lines += [paint("dim", line) for line in wrapped(f"e.g. {safe(ask.example)}", first=MARGIN)]
    if ask.choices:
        rows = [
            (f"{n}", safe(c.id), safe(c.says or c.title))
            for n, c in enumerate(ask.choices, start=1)
        ]
        lines += table(rows, indent=MARGIN)
    if ask.value:
        lines += wrapped(f"Now: {safe(ask.value)}  (Enter keeps it)", first=MARGIN)
    if keys:
        lines += [paint("dim", line) for line in wrapped(keys_line(ask), first=MARGIN)]
    return "\n".join(lines) + "\n"


def keys_line(ask: Ask) -> str:
    """What may be typed at a question."""
    how = _HOW[ask.kind]
    if ask.kind == "count" and ask.id.startswith("ceiling."):
        how = "a number, or [y]es [n]o"
    return f"{how}{' ' if ask.kind == 'state' else '; '}{_KEYS}"


def hint(ask: Ask) -> str:
    """What may be typed at a question, without keys; empty where nothing is typed."""
    if ask.kind == "count" and ask.id.startswith("ceiling."):
        return "a number, or yes or no"
    return "" if ask.kind == "state" else _HOW[ask.kind]


def why_page(ask: Ask) -> str:
    """Why a question is asked, what it takes to find out, and what the answer would do."""
    return "\n".join(wrapped(why_text(ask), first=MARGIN)) + "\n"


def why_text(ask: Ask) -> str:
    """The same as a text of one line."""
    told = [safe(ask.why)] if ask.why else []
    told.append(f"It takes about {counted(ask.minutes, 'minute')} to find out.")
    if ask.gain_bits is not None:
        told.append("Of the open answers this one removes most doubt for its time.")
    elif ask.part == "evaluate" and ask.id != "goals" and not ask.value:
        told.append("It can't change the verdict by itself.")
    told.append(f"It is kept as {safe(ask.id)}.")
    return " ".join(told)


def standing_line(before: Dossier, after: Dossier, now: Standing) -> str:
    """What an answer moved, and what is still possible, in a line or two."""
    told = moved_text(before, after, now)
    if not now.final:
        shares = dict(now.possible)
        ways = ", ".join(f"{SHORT[name]} {share(shares[name])}" for name in SHORT if name in shares)
        told = f"{told}Still possible: {ways}"
    return "\n".join(wrapped(told, first=MARGIN)) + "\n"


def moved_text(before: Dossier, after: Dossier, now: Standing) -> str:
    """What an answer moved; empty where it only shifted shares."""
    if now.final:
        settled = f"Settled: {OUTCOME_WORDS[now.outcome]}, whatever else is answered. "
        told = ("" if before.verdict.final else settled) + _beside(before, after)
        return told or f"Noted; it stays with {OUTCOME_WORDS[now.outcome]}."
    return _moved(before, after)


def _moved(before: Dossier, after: Dossier) -> str:
    """What the answer did to the verdict; empty where it only shifted shares."""
    was = {name for name, part in before.distribution.items() if part > 0}
    now = {name for name, part in after.distribution.items() if part > 0}
    told = []
    if gone := [name for name in SHORT if name in was - now]:
        told.append(f"Ruled out: {_quoted(gone)}. ")
    if back := [name for name in SHORT if name in now - was]:
        told.append(f"Possible again: {_quoted(back)}. ")
    if after.verdict.leaning != before.verdict.leaning:
        told.append(f"Leaning now: {OUTCOME_WORDS[after.verdict.leaning]}. ")
    return "".join(told)


def _quoted(names: Sequence[Outcome]) -> str:
    return listing([f"“{OUTCOME_WORDS[name]}”" for name in names])


def _beside(before: Dossier, after: Dossier) -> str:
    """What the answer moved beside a settled outcome; empty for nothing."""
    told = []
    if before.verdict.final and after.verdict.outcome != before.verdict.outcome:
        told.append(f"The verdict is another now: {OUTCOME_WORDS[after.verdict.outcome]}.")
    if after.verdict.action != before.verdict.action:
        told.append(f"What to do: {ACTION_WORDS[after.verdict.action]}.")
    elif after.verdict.next != before.verdict.next:
        told.append(f"Next: {safe(after.verdict.next)}")
    if (pays := pays_back_text(after)) != pays_back_text(before):
        told.append(f"Pays back: {pays}.")
    return " ".join(told)


def clash_page(
    clash: Clash, ask: Ask, others: Sequence[Ask], *, colour: bool = False, keys: bool = True
) -> str:
    """What doesn't fit together since an answer, and what may be done about it."""
    paint = Paint(colour)
    lines = [paint("warn", line) for line in wrapped(clash_head(others), first=MARGIN)]
    lines += wrapped(safe(clash.challenge.says), first=MARGIN)
    lines += [
        paint("dim", line)
        for line in wrapped(f"To settle: {safe(clash.challenge.settle)}", first=MARGIN)
    ]
    if keys:
        told = [f"[{key}] {what}" for key, what in clash_choices(clash, ask, others)]
        lines += wrapped(f"Which holds?  {'  '.join(told)}", first=MARGIN)
    return "\n".join(lines) + "\n"


def clash_head(others: Sequence[Ask]) -> str:
    """With what an answer doesn't fit."""
    if not others:
        return "That seems unlikely."
    said = listing([f"{safe(o.title)} ({safe(o.value) or 'not said'})" for o in others[:3]])
    return f"That doesn't fit with {said}."


def clash_choices(clash: Clash, ask: Ask, others: Sequence[Ask]) -> list[tuple[str, str]]:
    """What may be done about a clash, each under its key; the last keeps everything."""
    found = [("1", f"change {safe(ask.title)}")]
    found += [(str(n), f"change {safe(o.title)}") for n, o in enumerate(others[:3], start=2)]
    both = "both hold" if others else "it holds"
    kept = "note it" if clash.recordable else "the report will say so"
    return [*found, (str(len(found) + 1), f"{both}, and {kept}")]


def kept_line(clash: Clash) -> str:
    """That both sides of a clash stay."""
    told = "Noted in the case file; " if clash.recordable else "Kept; "
    return "\n".join(wrapped(f"{told}the report will show it.", first=MARGIN)) + "\n"


def rest_page(
    dossier: Dossier,
    now: Standing,
    offers: Sequence[OpenPart],
    *,
    colour: bool = False,
    keys: bool = True,
) -> str:
    """Where it stands when a round is over, and what else is worth knowing."""
    paint = Paint(colour)
    lines = ["", *(paint("strong", line) for line in wrapped(settled_line(dossier, now)))]
    if dossier.challenges:
        many = counted(len(dossier.challenges), "thing")
        lines += wrapped(f"What doesn't fit together or needs proof: {many}, in the report.")
    if offers:
        lines += ["", "What else is worth knowing:"]
        rows = [(f"[{key}] {name}" if keys else name, what) for key, name, what in choices(offers)]
        lines += table(rows)
        if keys:
            lines.append("  [b] back   [q] that's enough")
    return "\n".join(lines) + "\n"


def choices(offers: Sequence[OpenPart]) -> list[tuple[str, str, str]]:
    """What may be gone on with: its key, its name, and what it asks."""
    found = []
    for offer in offers:
        name, what = PART_WORDS[offer.part]
        found.append((name[0], name, f"{count(offer.open)} open: {what}"))
    return found


def settled_line(dossier: Dossier, now: Standing) -> str:
    """Whether anything can still change the verdict, and the verdict."""
    said = title_line(dossier)
    if not now.final:
        return f"Not settled: {_answers(now.matter)} can still change it. {said}"
    if now.open:
        return f"Nothing that is open can change the verdict any more. {said}"
    return f"Every check and factor is answered. {said}"


def _answers(many: int) -> str:
    return "one open answer" if many == 1 else f"{few(many)} open answers"


def closing_page(dossier: Dossier, now: Standing, case_path: str, *, colour: bool = False) -> str:
    """The summary at the end, and the commands to go on with."""
    paint, path = Paint(colour), safe(case_path)
    lines = ["", *(paint("strong", line) for line in wrapped(settled_line(dossier, now)))]
    lines += wrapped(safe(dossier.verdict.next), first="Next: ")
    lines += ["", "All answers are in the case file. To go on:"]
    if wcwidth.width(path) > _LONG_PATH:
        verbs = "|".join(verb for verb, _ in _GO_ON)
        return "\n".join([*lines, *wrapped(f"tuneworthy {verbs} {path}", first="  ")]) + "\n"
    rows = [(f"tuneworthy {verb} {path}", what) for verb, what in _GO_ON]
    return "\n".join([*lines, *table(rows)]) + "\n"


def welcome(name: str, path: str) -> str:
    """The first lines: what this is, and that nothing is lost."""
    told = (
        f"{safe(name)}: answers are written into {safe(path)} as you give them. Stop any time "
        "and run the same command to go on."
    )
    ways = (
        "Under each answer stands what is still possible, with its share of all ways to answer "
        "what is open: a count, not a forecast."
    )
    return "\n".join([*wrapped(told), *wrapped(ways)]) + "\n"


# What an interview says where there is room for more than a line.

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


def moved(step: AnswerResult, now: Standing) -> str:
    """What an answer moved; empty for nothing."""
    return moved_text(step.before, step.dossier, now).strip()


def refused(caught: InputError) -> str:
    """Why something is no answer, beside the question, so without naming it."""
    return " ".join(sentence(text) for text in (caught.what, caught.fix) if text)


def keep(clash: Clash, *, alone: bool) -> str:
    """The way to keep everything as it was said."""
    both = "It holds" if alone else "Both hold"
    return f"{both}: {'note it in the case file' if clash.recordable else 'the report will say so'}"


def part(which: Part, offer: OpenPart | None) -> tuple[str, str]:
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


# The pages of an interview in free words. What a model says stands behind a bar, and is cut.

LONGEST_REPLY = 1_200
"""Characters of a model's reply that are shown."""
KEYS = "[d]on't know [?] why [s]ingle questions [q]uit; text of others between lines of ```"
WAITING = f"{MARGIN}…\n"
"""Shown while a model is asked."""
_BAR = f"{MARGIN}| "
_MOST_DROPPED = 3
_ID = re.compile(r"[a-z0-9_.]{1,60}")  # anything else would be a model's sentence in our line
_REASONS: dict[DropReason, str] = {
    "unasked": "can't be set by talking",
    "unquoted": "its quotation isn't in what you wrote",
    "own_words": "its text isn't in your words",
    "unfit": "its value is no answer",
}


def opening_page(model: str, place: str, *, cap_usd: float, weak: bool) -> str:
    """Who listens, what it may do, and where what is written goes.

    Args:
        model: Its id.
        place: Where it is served; empty for this machine.
        cap_usd: The most it may cost.
        weak: Whether it is the embedded model.
    """
    told = [
        f"{safe(model)} listens and proposes answers, each with the words of yours it rests on. "
        "Nothing is written before you say yes, and the rules decide.",
        f"What you write here is sent to {safe(place)}; all together costs at most "
        f"{small_usd(cap_usd)}."
        if place
        else "What you write here stays on this machine.",
    ]
    if weak:
        told.append(
            "It is very small: it understands little and proposes nonsense. It shows how this "
            "works; for a talk of use, name a larger one."
        )
    return "\n".join([*wrapped(" ".join(told)), *wrapped(KEYS, first=MARGIN)]) + "\n"


def topic_page(ask: Ask, *, colour: bool = False, said: bool = False) -> str:
    """The question that is put, in our words; where the model has put it, its name alone."""
    paint = Paint(colour)
    if said:
        return "\n".join(wrapped(f"About {safe(ask.title)} ({safe(ask.id)}).", first=MARGIN)) + "\n"
    lines = ["", *(paint("strong", line) for line in wrapped(safe(ask.question), first=MARGIN))]
    if ask.example:
        lines += [paint("dim", line) for line in wrapped(f"e.g. {safe(ask.example)}", first=MARGIN)]
    if ask.choices:
        told = listing([safe(choice.title) for choice in ask.choices], "or")
        lines += wrapped(f"That is: {told}.", first=MARGIN)
    return "\n".join(lines) + "\n"


def reply_page(model: str, heard: ParsedReply, *, colour: bool = False) -> str:
    """What a model says, so that nothing in it can be taken for a word of ours."""
    if heard.unreadable:
        told = f"What {safe(model)} answered can't be read; nothing of it counts."
        return "\n".join(wrapped(told, first=MARGIN)) + "\n"
    if not heard.reply:
        return "\n".join(wrapped(f"{safe(model)} says nothing.", first=MARGIN)) + "\n"
    paint, text = Paint(colour), heard.reply
    cut = text[:LONGEST_REPLY] + (" …" if len(text) > LONGEST_REPLY else "")
    paragraphs = [safe(line.strip()) for line in cut.splitlines() if line.strip()]
    lines = wrapped(f"{safe(model)} says:", first=MARGIN)
    for paragraph in paragraphs:
        lines += [paint("dim", line) for line in wrapped(paragraph, first=_BAR, rest=_BAR)]
    return "\n".join(lines) + "\n"


def dropped_line(dropped: Sequence[Dropped]) -> str:
    """What a model proposed that isn't put to the person, and why; empty for nothing."""
    if not dropped:
        return ""
    told = [
        f"{one.path if _ID.fullmatch(one.path) else 'something'} ({_REASONS[one.reason]})"
        for one in dropped[:_MOST_DROPPED]
    ]
    if len(dropped) > _MOST_DROPPED:
        told.append(f"{few(len(dropped) - _MOST_DROPPED)} more")
    return note(f"Left out of what it proposes: {listing(told)}.")


def proposal_page(
    proposal: Proposal, ask: Ask, *, number: int, of: int, colour: bool = False
) -> str:
    """A proposal with its question and the person's words, to be confirmed."""
    paint = Paint(colour)
    head = f"{safe(ask.title)} ({safe(ask.id)}) = {safe(proposal.value)}"
    place = f"{count(number)}/{count(of)}".ljust(len(MARGIN))
    told = wrapped(head, first=place, rest=MARGIN)
    lines = ["", *(paint("strong", line) for line in told)]
    lines += wrapped(safe(ask.question), first=MARGIN)
    lines += wrapped(f"You wrote: “{safe(proposal.quote)}”", first=MARGIN)
    if ask.value:
        lines += wrapped(f"Now it is: {safe(ask.value)}", first=MARGIN)
    return "\n".join(lines) + "\n"


def confirm_line(
    proposal: Proposal, told: Sequence[tuple[str, str]], *, number: int, of: int
) -> str:
    """Which proposal is to be confirmed, and what may be typed; nothing for a single one."""
    keys = "  ".join(f"[{key}] {what}" for key, what in told)
    head = f"{count(number)}/{count(of)}  {safe(proposal.path)} = {safe(proposal.value)}"
    lines = wrapped(head, first=MARGIN) if of > 1 else []
    lines += wrapped(keys, first=MARGIN) if told else []
    return "".join(f"{line}\n" for line in lines)


def proposal_choices(left: int) -> list[tuple[str, str]]:
    """What may be done about a proposal, each under its key.

    Args:
        left: How many are still to come, this one counted.
    """
    found = [("y", "yes, write it"), ("n", "no"), ("e", "edit it")]
    return [*found, ("a", "all of them"), ("z", "none")] if left > 1 else found


def rules_line(dossier: Dossier, now: Standing) -> str:
    """How it stands by the rules, whatever was said."""
    told = settled_line(dossier, now) if now.final else standing_line(dossier, dossier, now).strip()
    return "\n".join(wrapped(f"By the rules: {' '.join(told.split())}", first=MARGIN)) + "\n"


def lost_line(model: str, why: str, *, over: bool) -> str:
    """Why a model gave nothing, and how it goes on."""
    then = "It goes on with single questions." if over else "Write on; what you wrote is kept."
    return note(f"No answer of {safe(model)}: {safe(why).rstrip('.')}. {then}")


def note(text: str) -> str:
    """A line of ours between the pages."""
    return "\n".join(wrapped(text, first=MARGIN)) + "\n"


def spent_line(usd: float, cap_usd: float) -> str:
    """What all conversations about the case have cost; empty where they cost nothing."""
    if not usd:
        return ""
    return f"The model has cost {small_usd(usd)} of {small_usd(cap_usd)}.\n"
