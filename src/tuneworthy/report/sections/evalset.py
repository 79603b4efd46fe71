"""An evaluation set, the agreement of labellers, and the page that a labeller sees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Hiding
from tuneworthy.model.evalset import (
    PAIRS,
    AgreementOf,
    Coefficient,
    EvalCase,
    EvalSample,
    ItemKey,
    Precision,
    Task,
)
from tuneworthy.plan.context import phase_words
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
from tuneworthy.report.text import safe, wrapped
from tuneworthy.words import (
    count,
    counted,
    cut,
    listing,
    number,
    plain,
    quality,
    sentence,
    share,
)

_MOST_STRATA = 40
_BY = named("strata")
_EXPECTED = named("expected")


class EvalsetReport(NamedTuple):
    """An evaluation set, and how certain a score on it will be."""

    drawn: EvalSample
    path: str  #: Where the set lies.
    folder: str  #: How the user named the case.
    entry: str | None  #: How the case can name the set; None where it lies outside.
    expected_by: str
    """The source of the expected share: ``today.quality``, ``target`` or empty."""
    target: float | None  #: Quality that is good enough.
    whole: Precision
    report: Precision  #: Of the cases kept for reporting.
    needed: int  #: Cases of a whole set, as the plan of the case takes them.
    tells: bool  #: Whether so many distinguish the expected share from the target.
    goal: str = ""  #: The goal of tuning: it says how outputs are scored.
    hiding: Hiding = "words"  #: The way of hiding personal data.


def evalset_document(made: EvalsetReport, note: str = "") -> b.Document:
    """The report on a new evaluation set."""
    drawn = made.drawn
    conversations = counted(len({case.cluster for case in drawn.cases}), "conversation")
    sides = [case.split for case in drawn.cases]
    headline = (
        f"Wrote {made.path}: {counted(len(drawn.cases), 'case')} of {conversations}, "
        f"{count(sides.count('select'))} to select on and {count(sides.count('report'))} to "
        "report on."
    )
    frame = f"Read {counted(drawn.read, 'trace')}"
    if drawn.framed < drawn.read:
        frame += (
            f", and drew from {count(drawn.framed)} of them: conversations by a hash"
        )
    byline = [f"{frame}. Kinds of request: {_BY[drawn.intent_by]}."]
    if drawn.without_input:
        byline.append(
            f"Left out {counted(drawn.without_input, 'trace')}: no input is logged."
        )
    quality_ = quality(made.report.expected)
    expected = (
        f"How sure a score will be, if it is {quality_} ({_EXPECTED[made.expected_by]})"
    )
    sections = [
        b.section("", expected, b.bullets(_precision(made))),
        b.section("", "What was done", b.bullets(_done(drawn, made.hiding))),
        b.section("", "Strata: conversations drawn of those there are", _strata(drawn)),
    ]
    after = [phase_words()["scored"].get(made.goal, ""), note, *_next(made)]
    return b.Document(
        "", headline, sections, byline=byline, after=[*filter(None, after)]
    )


def evalset_dict(made: EvalsetReport) -> dict[str, Any]:
    """The report for programs. The set itself has the cases."""
    sides = [case.split for case in made.drawn.cases]
    return {
        "schema": "tuneworthy/evalset/1",
        "path": made.path,
        "entry": made.entry,
        "cases": len(sides),
        "select": sides.count("select"),
        "report": sides.count("report"),
        "sample": made.drawn.model_dump(mode="json", exclude={"cases", "examples"}),
        "expected_by": made.expected_by,
        "target": made.target,
        "precision": {
            "whole": made.whole.model_dump(mode="json"),
            "report": made.report.model_dump(mode="json"),
        },
        "needed": made.needed,
    }


def _strata(drawn: EvalSample) -> Iterator[b.Parts]:
    """The table of strata that cases were drawn from."""
    examples = dict(drawn.examples)  # each is in the row where its kind comes first
    rows = []
    for stratum in drawn.strata[:_MOST_STRATA]:
        if stratum.failed is None:
            went = "any"
        elif stratum.failed:
            went = "wrong"
        else:
            went = "well"
        numbers = map(count, (stratum.traces, stratum.conversations, stratum.drawn))
        example = examples.pop(stratum.intent, "")
        rows.append(
            (stratum.intent or "any", stratum.length or "any", went, *numbers, example)
        )
    titles = "Kind | Length | Went | #Traces | #Conversations | #Drawn | Example"
    yield b.table("Conversations drawn", titles, rows, quiet=True)
    if (more := len(drawn.strata) - len(rows)) > 0:
        yield f"and {count(more)} more"


def _done(drawn: EvalSample, hiding: Hiding) -> Iterator[str]:
    """Lines on how the set was drawn, masked and labelled."""
    if drawn.failures:
        reasons = ", ".join(
            f"{plain(why)} {count(n)}" for why, n in sorted(drawn.failures.items())
        )
        oftener = ""
        if any(stratum.failed is not None for stratum in drawn.strata):
            oftener = ". They are drawn about twice as often as they occur, and weighted for it"
        yield f"traces that went wrong: {reasons}{oftener}"
    yield f"{counted(drawn.folded, 'conversation')} folded into a near copy"
    yield _hidden(drawn, hiding)
    if drawn.lost:
        answers = counted(drawn.lost, "right answer")
        yield f"{answers} left out: masking hid what only they held. Label these cases again"
    if drawn.cut:
        yield f"{counted(drawn.cut, 'long text')} in what was drawn from kept in part only"
    of = counted(len(drawn.cases), "case")
    lacking = f"{count(drawn.unlabelled)} of {of} have no right answer yet"
    yield lacking if drawn.unlabelled else "every case has a right answer"


def _hidden(drawn: EvalSample, hiding: Hiding) -> str:
    """Say how personal data in the evaluation set was treated."""
    if hiding == "keep":
        return "personal data stays, as data.personal.local says: keep the set on this machine"
    if not drawn.masked:
        return "nothing personal or secret was found to mask"
    kinds = ", ".join(
        f"{plain(kind)} in {count(n)}" for kind, n in sorted(drawn.masked.items())
    )
    how = "faked" if hiding == "fakes" else "masked"
    return (
        f"{how}, by cases: {kinds}. A name that nothing introduces may still be there"
    )


def _precision(made: EvalsetReport) -> Iterator[str]:
    """Lines on how sure a score on the set will be."""
    for name, precision in (
        ("on all cases", made.whole),
        ("to report on", made.report),
    ):
        if precision.cases:
            yield (
                f"{name}: {quality(precision.low)} to {quality(precision.high)}, "
                f"{counted(precision.cases, 'case')} with an effective sample size of "
                f"{number(round(precision.worth))}"
            )
    takes = f"the plan takes a set of about {counted(made.needed, 'case')}"
    if made.tells and made.target is not None:
        takes = (
            f"to tell it from the target of {quality(made.target)} takes a set of about "
            f"{counted(made.needed, 'case')}"
        )
    yield f"{takes}: {_enough(made)}"
    if made.target is None:
        yield "state targets.quality.at_least, and this says how many cases would settle it"


_NEARLY = 1.1
"""A set that is smaller by less than this factor is large enough: it tells a share from its target
in 76 of 100 repetitions instead of 80."""


def _enough(made: EvalsetReport) -> str:
    """Whether the set is as large as the plan takes it, and what to do otherwise."""
    drawn = len(made.drawn.cases)
    worth = made.whole.worth
    if _NEARLY * worth >= made.needed:
        return "this set is large enough"
    if made.needed > made.drawn.framed:
        lacking = count(made.needed - drawn)
        return f"there are {count(made.drawn.framed)}: label {lacking} from elsewhere"
    if drawn < made.needed:
        return f"use --n {made.needed}"
    larger = math.ceil(made.needed * drawn / worth)
    return f"by their weights these are worth {number(round(worth))}: use --n {larger}"


def _next(made: EvalsetReport) -> Iterator[str]:
    folder = argument(made.folder)
    if made.entry is None:
        yield "Next: move it into the case folder and name it under data.evaluation"
    else:
        yield f"Next: tuneworthy answer {folder} {argument(f'data.evaluation={made.entry}')}"
    if made.drawn.unlabelled:
        yield f"Then: tuneworthy evalset export {folder} --labeller NAME, or label them on the page"


_MOST_ROWS = 30
_LONGEST = 40
_TITLES = named("titles")
_NAMES = named("formats_of_labels")


def agreement_document(results: Sequence[AgreementOf], *, folder: str) -> b.Document:
    """The report on how far labellers agree."""
    unsettled = to_settle(results)
    case = argument(folder)
    if unsettled:
        after = f"{counted(unsettled, 'item')} to settle: tuneworthy evalset export {case} --settle"
    elif all(len(result.labellers) < 2 for result in results):
        after = (
            f"Let another one label: tuneworthy evalset export {case} --labeller NAME"
        )
    else:
        after = (
            f"Nothing to settle. Next: tuneworthy evalset export {case} --format jsonl"
        )
    parts = (_agreement(result) for result in results)
    sections = [b.section("", part.title, part.blocks) for part in parts]
    return b.Document("", "How far labellers agree", sections, after=[after])


def agreement_dict(results: Sequence[AgreementOf]) -> dict[str, Any]:
    """Agreement of labellers for programs."""
    return {
        "schema": "tuneworthy/agreement/1",
        "to_settle": to_settle(results),
        "agreement": [result.model_dump(mode="json") for result in results],
    }


def agreement_parts(
    results: Sequence[AgreementOf], rubrics: Mapping[str, str]
) -> tuple[b.Block, ...]:
    """A part for each task and rubric, with the rubric's text, which its digest finds."""
    nothing = (
        "Nothing is labelled yet. Two labellers who don't see each other's answers make "
        "agreement known."
    )
    parts = [_agreement(result, rubrics.get(result.rubric, "")) for result in results]
    return b.flat(parts or nothing)


def _agreement(result: AgreementOf, rubric: str = "") -> b.Part:
    """The agreement on one task, with the items people differ on."""
    rows = []
    for item in result.disagreements[:_MOST_ROWS]:
        labels = ", ".join(
            f"{labeller} {cut(value, _LONGEST)}" for labeller, value in item.said
        )
        rows.append(
            (
                cut(item.key.case, _LONGEST),
                labels,
                cut(item.settled or "open", _LONGEST),
            )
        )
    more = len(result.disagreements) - len(rows)
    return b.part(
        _TITLES[result.task] + (f" {result.rubric[:6]}" if result.rubric else ""),
        b.bullets(map(sentence, _agreed(result))),
        rubric and b.fold("The rubric", rubric),
        b.table("What they differ on", "Case | Labels | Settled", rows)
        if rows
        else None,
        b.Prose(f"and {counted(more, 'item')} more", "small") if more else None,
    )


def _agreed(result: AgreementOf) -> Iterator[str]:
    """How much each person labelled, and how far they agree, a sentence each."""
    yield f"{counted(result.labelled, 'item')}, labelled by {listing(result.labellers)}"
    if not result.both:
        yield "no item has two labels yet"
        return
    yield (
        f"the same on {count(result.same)} of {count(result.both)} that two have labelled: "
        f"{share(result.same / result.both)} ({share(result.low)} to {share(result.high)})"
    )
    for coefficient in result.coefficients:
        items = f", on {counted(coefficient.items, 'item')}"
        items *= not isinstance(coefficient.value, Unknown)
        yield f"{_NAMES[coefficient.id]}: {coefficient_text(coefficient)}{items}"


def coefficient_text(coefficient: Coefficient) -> str:
    if isinstance(coefficient.value, Unknown):
        return f"unknown; {coefficient.value.ask}"
    ends = "too few conversations for an interval"
    if coefficient.low is not None and coefficient.high is not None:
        ends = f"{quality(coefficient.low)} to {quality(coefficient.high)}"
    return f"{quality(coefficient.value)} ({ends})"


def to_settle(results: Sequence[AgreementOf]) -> int:
    """The number of items that labellers differ on and nobody has settled."""
    return sum(
        item.settled is None for result in results for item in result.disagreements
    )


_MOST_LINES = 60
# characters of a line; text that is safe to show is cut a little later
_MOST_CHARACTERS = 3_800
QUESTIONS = named("questions")
_KEYS = {
    "first": "1",
    "second": "2",
}  #: Of choices that another letter than their first gives.
_ROW = "1234567890qwertyuiop"  # keys of a keyboard, one for each of many choices


class Item(NamedTuple):
    task: Task
    case: EvalCase
    arms: tuple[str, ...] = ()  #: Whose outputs they are, by name; never shown.
    #: The outputs that are judged, in the order of the arms.
    outputs: tuple[str, ...] = ()
    #: Labels to choose from; () where any text may be one.
    choices: tuple[str, ...] = ()
    flipped: bool = False  #: Whether the second output is shown first.
    rubric: str = ""  #: Begin of the SHA-256 of rubric and scale.
    #: The names of the choices, where they differ from the choices.
    titles: tuple[str, ...] = ()

    @property
    def key(self) -> ItemKey:
        first, second = (*self.arms, "", "")[:2]
        return ItemKey(self.task, self.rubric, self.case.id, first, second)

    @property
    def outputs_in_order(self) -> tuple[str, ...]:
        return self.outputs[::-1] if self.flipped else self.outputs

    def true_value(self, value: str) -> str:
        """A label about the shown outputs as a label about the arms, in the arms' order."""
        if self.flipped and value in PAIRS[:2]:
            return PAIRS[1 - PAIRS.index(value)]
        return value


def keys_of(item: Item) -> dict[str, str]:
    """The choices, each under its key."""
    if item.titles:
        return dict(zip(_ROW, item.choices, strict=False))
    return {_KEYS.get(choice, choice[:1]): choice for choice in item.choices}


def titles_of(item: Item) -> dict[str, str]:
    """Map each choice to its title; a choice without one is its own title."""
    return dict(zip(item.choices, item.titles or item.choices, strict=True))


def item_page(item: Item) -> str:
    """A page for a terminal: the parts of an item, and the question about it."""
    lines = []
    for name, text in item_parts(item):
        lines += [name, *_output_lines(text)]
    return "\n".join([*lines, "", *wrapped(QUESTIONS[item.task])]) + "\n"


def item_parts(
    item: Item, *, rubric: str = "", labels: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the parts of an item that are shown, each with its name and its unchanged text."""
    case = item.case
    if case.input is not None:
        yield "Input", case.input
    yield from (
        (message.role.capitalize(), message.content) for message in case.messages
    )
    yield from (("Passage", passage.text) for passage in case.contexts)
    if case.reference is not None:
        whole = isinstance(case.reference, str)
        yield "Reference", str(case.reference) if whole else repr(case.reference)
    if item.task == "answer" and case.logged:
        yield "Answered in the log", case.logged
    several = len(item.outputs) > 1
    for place, text in enumerate(item.outputs_in_order, start=1):
        yield f"Output {place}" if several else "Output", text
    if rubric:
        yield "Rubric", rubric
    if labels:
        yield "Labels so far", "\n".join(labels)


def _output_lines(text: str) -> Iterator[str]:
    """An output's lines for a terminal; the number of lines, and their length, are limited."""
    every = text.splitlines() or [""]
    for line in every[:_MOST_LINES]:
        whole = line.expandtabs(4)
        yield from wrapped(safe(whole[:_MOST_CHARACTERS]), first="  ")
        if len(whole) > _MOST_CHARACTERS:
            yield f"  … and {count(len(whole) - _MOST_CHARACTERS)} characters more"
    if len(every) > _MOST_LINES:
        yield f"  … and {count(len(every) - _MOST_LINES)} lines more"
