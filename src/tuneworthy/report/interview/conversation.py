"""The pages of an interview in free words. What a model says stands behind a bar, and is cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tuneworthy.domain.conversation import Dropped, DropReason, Heard, Proposal
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.interview import Ask, Standing
from tuneworthy.report.interview.pages import MARGIN, settled_line, standing_line
from tuneworthy.report.layout import Paint, safe, wrapped
from tuneworthy.report.words import count, few, listing, small_usd

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


def reply_page(model: str, heard: Heard, *, colour: bool = False) -> str:
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
