"""An evaluation set that was drawn, as one page for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import (
    PAIRS,
    AgreementOf,
    Coefficient,
    Disagreement,
    EvalCase,
    EvalSample,
    ItemKey,
    Precision,
    Stratum,
    Task,
)
from tuneworthy.report.blocks import Block, Bullets, Column, Fold, Part, Prose, Table
from tuneworthy.report.text import Paint, columns, safe, table, wrapped
from tuneworthy.words import count, counted, listing, number, plain, quality, sentence, share

# An evaluation set that was drawn, as one page for a terminal.

_EVALSET_MOST_ROWS = 40
_BY = {
    "reference": "by their right answers",
    "embedding": "by alike wording (groups of embeddings)",
    "nothing": "not told apart",
}


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page says."""

    drawn: EvalSample
    path: str
    """Where the set lies."""
    folder: str
    """How the user named the case."""
    entry: str | None
    """How the case can name the set; None where it lies outside."""
    expected_by: str
    """Where the expected share comes from: ``today.quality``, ``target`` or nothing."""
    target: float | None
    """Quality that is good enough."""
    whole: Precision
    report: Precision
    """Of the cases kept for reporting."""
    needed: int | None
    """Cases of a set like this that would tell the expected share from the target."""


def evalset_page(page: Page, *, colour: bool = False) -> str:
    """What was drawn, what was done to it, how sure a score on it can be, and what comes next."""
    paint = Paint(colour)
    blocks = [
        _head(page),
        _strata(page.drawn, paint),
        _done(page.drawn, paint),
        _sure(page, paint),
        _next(page),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(page: Page) -> list[str]:
    drawn = page.drawn
    talks = len({one.cluster for one in drawn.cases})
    sides = [one.split for one in drawn.cases]
    said = (
        f"Wrote {safe(page.path)}: {counted(len(drawn.cases), 'case')} of "
        f"{counted(talks, 'conversation')}, {count(sides.count('select'))} to select on and "
        f"{count(sides.count('report'))} to report on."
    )
    lines = wrapped(said)
    kept = f"Read {counted(drawn.read, 'trace')}"
    if drawn.framed < drawn.read:
        kept += f", and drew from {count(drawn.framed)} of them: conversations by a hash"
    lines += wrapped(f"{kept}. Kinds of request: {_BY[drawn.intent_by]}.")
    if drawn.without_input:
        lines += wrapped(f"Left out {counted(drawn.without_input, 'trace')}: no input is logged.")
    return lines


def _strata(drawn: EvalSample, paint: Paint) -> list[str]:
    rows: list[tuple[str, ...]] = [("Kind", "Length", "Went", "Traces", "Of", "Drawn", "")]
    examples = dict(drawn.examples)  # each stands where its kind is met first
    rows += [_row(one, examples.pop(one.intent, "")) for one in drawn.strata[:_EVALSET_MOST_ROWS]]
    lines = [paint("strong", "Strata: conversations drawn of those there are"), *table(rows)]
    if len(drawn.strata) > _EVALSET_MOST_ROWS:
        lines.append(f"  and {count(len(drawn.strata) - _EVALSET_MOST_ROWS)} more")
    return lines


def _row(one: Stratum, example: str) -> tuple[str, ...]:
    went = "any" if one.failed is None else "wrong" if one.failed else "well"
    told = (
        one.intent or "any",
        one.length or "any",
        went,
        count(one.traces),
        count(one.conversations),
        count(one.drawn),
        example,
    )
    return tuple(safe(text) for text in told)


def _done(drawn: EvalSample, paint: Paint) -> list[str]:
    said = []
    if drawn.failures:
        told = ", ".join(f"{plain(why)} {count(n)}" for why, n in sorted(drawn.failures.items()))
        apart = any(one.failed is not None for one in drawn.strata)
        oftener = "; drawn about twice as often as they occur, and weighted for it" if apart else ""
        said.append(f"traces that went wrong: {told}{oftener}")
    said.append(f"{counted(drawn.folded, 'conversation')} folded into a near copy")
    if drawn.masked:
        told = ", ".join(f"{plain(kind)} in {count(n)}" for kind, n in sorted(drawn.masked.items()))
        said.append(f"masked, by cases: {told}. A name that nothing introduces may still be there")
    else:
        said.append("nothing personal or secret was found to mask")
    if drawn.lost:
        told = counted(drawn.lost, "right answer")
        said.append(f"{told} left out: masking hid what only they held. Label these cases again")
    if drawn.cut:
        said.append(f"{counted(drawn.cut, 'long text')} in what was drawn from kept in part only")
    needs = f"{count(drawn.unlabelled)} of {counted(len(drawn.cases), 'case')}"
    said.append(
        f"{needs} have no right answer yet" if drawn.unlabelled else "every case has a right answer"
    )
    lines = [paint("strong", "What was done")]
    for each in said:
        lines += wrapped(safe(each), first="  ", rest="    ")
    return lines


def _sure(page: Page, paint: Paint) -> list[str]:
    why = {
        "today.quality": "as today.quality says",
        "target": "a little under the target",
        "": "where an interval is widest, as no target is stated",
    }[page.expected_by]
    expected = quality(page.report.expected)
    head = wrapped(f"How sure a score will be, if it is {expected} ({why})", rest="  ")
    lines = [paint("strong", line) for line in head]
    for name, one in (("on all cases", page.whole), ("to report on", page.report)):
        if not one.cases:
            continue
        said = (
            f"{name}: {quality(one.low)} to {quality(one.high)}; {counted(one.cases, 'case')}, "
            f"worth {number(round(one.worth))} of equal weight that don't depend on each other"
        )
        lines += wrapped(said, first="  ", rest="    ")
    if page.target is None:
        said = "state targets.quality.at_least, and this says how many cases would settle it"
    elif page.needed is None:
        said = "no number of cases tells a score from a target that it equals"
    else:
        enough = (
            "this set is large enough"
            if page.needed <= len(page.drawn.cases)
            else (f"use --n {page.needed}")
        )
        said = (
            f"to tell it from the target of {quality(page.target)} when reporting takes a set of "
            f"about {counted(page.needed, 'case')}: {enough}"
        )
    return [*lines, *wrapped(said, first="  ", rest="    ")]


def _next(page: Page) -> list[str]:
    folder = safe(shlex.quote(page.folder))
    lines: list[str] = []
    if page.entry is not None:
        entry = safe(shlex.quote(f"data.evaluation={page.entry}"))
        lines.append(f"Next: tuneworthy answer {folder} {entry}")
    else:
        lines += wrapped("Next: move it into the case folder and name it under data.evaluation")
    if page.drawn.unlabelled:
        lines.append(f"Then: tuneworthy evalset label {folder}")
    return lines


# How far labellers agree, as a page.

_MOST_ROWS = 30
_LONGEST = 40
_TITLES = {
    "answer": "Right answers",
    "rubric": "Outputs against a rubric",
    "pairwise": "Outputs in pairs",
}
_NAMES = {
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "nominal_alpha": "Krippendorff's alpha",
}


def agreement_page(found: Sequence[AgreementOf], *, folder: str, colour: bool = False) -> str:
    """Agreement of each task, what labellers differ on, and what comes next.

    Args:
        found: A block for each task and rubric.
        folder: How the user named the case.
        colour: Whether the terminal takes colour.
    """
    paint = Paint(colour)
    blocks = ["\n".join(_block(one, paint)) for one in found]
    open_ = sum(each.settled is None for one in found for each in one.disagreements)
    where = safe(shlex.quote(folder))
    if open_:
        told = f"{counted(open_, 'item')} to settle: tuneworthy evalset adjudicate {where}"
    elif all(len(one.labellers) < 2 for one in found):
        told = f"Let another one label: tuneworthy evalset label {where} --labeller NAME"
    else:
        told = f"Nothing to settle. Next: tuneworthy evalset export {where} --format jsonl"
    return "\n\n".join([*blocks, told]) + "\n"


def _block(one: AgreementOf, paint: Paint) -> list[str]:
    lines = [paint("strong", title_of(one))]
    first, *more_said = said_of(one)
    lines += wrapped(first, first="  ")
    for said in more_said:
        lines += wrapped(said, first="  ", rest="    ")
    if one.disagreements:
        lines += ["", *table(rows_of(one.disagreements))]
        more = len(one.disagreements) - _MOST_ROWS
        if more > 0:
            lines.append(f"  and {count(more)} more")
    return lines


def title_of(one: AgreementOf) -> str:
    """What was labelled, with the begin of its rubric's digest."""
    return _TITLES[one.task] + (f" {one.rubric[:6]}" if one.rubric else "")


def said_of(one: AgreementOf) -> tuple[str, ...]:
    """Who labelled how much, and how far they agree, a sentence each."""
    who = listing([safe(each) for each in one.labellers])
    first = f"{counted(one.labelled, 'item')}, labelled by {who}"
    if not one.both:
        return (first, "no item has two labels yet")
    ends = f"{share(one.low)} to {share(one.high)}"
    same = (
        f"the same on {count(one.same)} of {count(one.both)} that two have labelled: "
        f"{share(one.same / one.both)} ({ends})"
    )
    return (first, same, *map(_coefficient, one.coefficients))


def _coefficient(one: Coefficient) -> str:
    name = _NAMES[one.id]
    if isinstance(one.value, Unknown):
        return f"{name}: unknown; {one.value.ask}"
    if one.low is None or one.high is None:
        ends = "too few conversations for an interval"
    else:
        ends = f"{_signed(one.low)} to {_signed(one.high)}"
    return f"{name}: {_signed(one.value)} ({ends}), on {counted(one.items, 'item')}"


def _signed(value: float) -> str:
    return f"-{quality(-value)}" if value < 0 else quality(value)


def rows_of(differ: Sequence[Disagreement]) -> list[tuple[str, ...]]:
    """A head, and a row for each of the first items that labellers differ on."""
    rows: list[tuple[str, ...]] = [("Case", "Said", "Settled")]
    for one in differ[:_MOST_ROWS]:
        said = ", ".join(f"{safe(who)} {_short(value)}" for who, value in one.said)
        rows.append((_short(one.key[2]), said, _short(one.settled or "open")))
    return rows


def _short(text: str) -> str:
    flat = safe(" ".join(text.split()))
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


# How far labellers agree, for the page: the words of the terminal's.


def agreed(found: Sequence[AgreementOf], texts: Mapping[str, str]) -> tuple[Block, ...]:
    """A part for each task and rubric.

    Args:
        found: What was labelled, and how far labellers agree.
        texts: What a rubric says, by its digest.

    Returns:
        One sentence where nothing was labelled.
    """
    if not found:
        return (
            Prose(
                "Nothing is labelled yet. Two labellers who don't see each other's answers "
                "make agreement known."
            ),
        )
    return tuple(_agreement_part(one, texts.get(one.rubric, "")) for one in found)


def _agreement_part(one: AgreementOf, rubric: str) -> Part:
    blocks: list[Block] = [Bullets(tuple(sentence(said) for said in said_of(one)))]
    if rubric:
        blocks.append(Fold("The rubric", (Prose(rubric),)))
    if one.disagreements:
        head, *rows = rows_of(one.disagreements)
        columns = tuple(Column(title) for title in head)
        blocks.append(Table("What they differ on", columns, tuple(rows)))
        if (more := len(one.disagreements) - len(rows)) > 0:
            blocks.append(Prose(f"and {counted(more, 'item')} more", "small"))
    return Part(title_of(one), tuple(blocks))


def to_settle(found: Sequence[AgreementOf]) -> int:
    """Items that labellers differ on and nobody has settled."""
    return sum(each.settled is None for one in found for each in one.disagreements)


# What somebody who labels is shown: a case, outputs without their arms, and the keys.

_MOST_LINES = 60
_MOST_CHARACTERS = 3_800  # of a line: what is safe to show is cut a little later
ASKED: dict[Task, str] = {
    "answer": "What is the right answer?",
    "rubric": "Does it meet the rubric?",
    "pairwise": "Which is better?",
}
"""What is asked."""
_KEYS = {"yes": "y", "no": "n", "first": "1", "second": "2", "tie": "t"}


@dataclass(frozen=True, slots=True)
class Item:
    """Something to label."""

    task: Task
    case: EvalCase
    arms: tuple[str, ...] = ()
    """Whose outputs they are, by name; never shown."""
    outputs: tuple[str, ...] = ()
    """What is judged, in the order of the arms."""
    choices: tuple[str, ...] = ()
    """What may be said; () where any text may be."""
    flipped: bool = False
    """Whether the second output is shown first."""
    rubric: str = ""
    """Begin of the SHA-256 of rubric and scale."""

    @property
    def key(self) -> ItemKey:
        """What a label of it is about."""
        first, second = (*self.arms, "", "")[:2]
        return (self.task, self.rubric, self.case.id, first, second)

    @property
    def shown(self) -> tuple[str, ...]:
        """The outputs in the order of showing."""
        return self.outputs[::-1] if self.flipped else self.outputs

    def true_value(self, said: str) -> str:
        """What was said of the outputs as shown, said of the arms in their order."""
        if self.flipped and said in PAIRS[:2]:
            return PAIRS[1 - PAIRS.index(said)]
        return said


def keys_of(item: Item) -> dict[str, str]:
    """The key for each thing that may be said, and what it says."""
    return {_KEYS.get(choice, choice): choice for choice in item.choices}


def item_page(
    item: Item,
    *,
    number: int,
    of: int,
    rubric: str = "",
    said: Sequence[str] = (),
    colour: bool = False,
) -> str:
    """An item as a page.

    Args:
        item: What to show.
        number: Its place, from 1.
        of: How many there are.
        rubric: What outputs are held against.
        said: What labellers said who differ, for whoever settles it.
        colour: Whether the terminal takes colour.
    """
    paint = Paint(colour)
    lines = ["", paint("strong", f"{count(number)} of {count(of)}".ljust(columns() - 1, "·"))]
    for name, text in item_parts(item, rubric=rubric, said=said):
        lines += _part(name, text, paint)
    return "\n".join([*lines, "", *_question(item)]) + "\n"


def item_parts(
    item: Item, *, rubric: str = "", said: Sequence[str] = ()
) -> tuple[tuple[str, str], ...]:
    """What is shown of an item, each text with its name, as it was written.

    Args:
        item: What to show.
        rubric: What outputs are held against.
        said: What labellers said who differ, for whoever settles it.
    """
    case, found = item.case, []
    if case.input is not None:
        found.append(("Input", case.input))
    found += [(one.role.capitalize(), one.content) for one in case.messages]
    found += [("Passage", passage.text) for passage in case.contexts]
    if case.reference is not None:
        told = case.reference if isinstance(case.reference, str) else repr(case.reference)
        found.append(("Reference", told))
    several = len(item.outputs) > 1
    for place, text in enumerate(item.shown, start=1):
        found.append((f"Output {place}" if several else "Output", text))
    if rubric:
        found.append(("Rubric", rubric))
    if said:
        found.append(("Labellers said", "\n".join(said)))
    return tuple(found)


def _part(name: str, text: str, paint: Paint) -> list[str]:
    lines = [paint("strong", name)]
    given = text.splitlines() or [""]
    for line in given[:_MOST_LINES]:
        whole = line.expandtabs(4)
        lines += wrapped(safe(whole[:_MOST_CHARACTERS]), first="  ")
        if len(whole) > _MOST_CHARACTERS:
            lines.append(f"  … and {count(len(whole) - _MOST_CHARACTERS)} characters more")
    if len(given) > _MOST_LINES:
        lines.append(f"  … and {count(len(given) - _MOST_LINES)} lines more")
    return lines


def _question(item: Item) -> list[str]:
    if not item.choices:
        keys = "a text; or :s to skip, :b to go back, :q to stop"
    else:
        told = ", ".join(
            key if key == choice else f"{key} {choice}" for key, choice in keys_of(item).items()
        )
        keys = f"{told}; s skip, b back, q stop"
    return wrapped(f"{ASKED[item.task]} ({keys})")


def tally_page(done: int, of: int) -> str:
    """How far a labeller has come."""
    left = "All are labelled." if done >= of else "The same command goes on from here."
    return f"Labelled {count(done)} of {count(of)}. {left}\n"
