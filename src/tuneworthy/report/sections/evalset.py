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
    Disagreement,
    EvalCase,
    EvalSample,
    ItemKey,
    Precision,
    Task,
)
from tuneworthy.plan.context import phase_words
from tuneworthy.report import blocks as b
from tuneworthy.report.named import named
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

_MOST_STRATA = 40  #: Rows of the table of strata; a terminal holds no more.
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
    """The report on a new evaluation set; ``note`` comes before the next steps."""
    drawn = made.drawn
    expected = (
        f"How sure a score will be, if it is {quality(made.report.expected)} "
        f"({_EXPECTED[made.expected_by]})"
    )
    sections = [
        b.section("", expected, b.bullets(_precision(made))),
        b.section("", "What was done", b.bullets(_done(drawn, made.hiding))),
        b.section("", "Strata: conversations drawn of those there are", _strata(drawn)),
    ]
    how_scored = phase_words()["scored"].get(made.goal, "")
    after = [line for line in (how_scored, note, *_next(made)) if line]
    return b.Document(
        "",
        _evalset_headline(made),
        sections,
        byline=list(_reading_lines(drawn)),
        after=after,
    )


def _evalset_headline(made: EvalsetReport) -> str:
    """Say where the set lies, and how many cases are on each of its sides."""
    cases = made.drawn.cases
    clusters = {case.cluster for case in cases}
    sides = [case.split for case in cases]
    return (
        f"Wrote {made.path}: {counted(len(cases), 'case')} of "
        f"{counted(len(clusters), 'conversation')}, {count(sides.count('select'))} to select on "
        f"and {count(sides.count('report'))} to report on."
    )


def _reading_lines(drawn: EvalSample) -> Iterator[str]:
    """Say how many traces were read, which of them were drawn from, and which were left out."""
    frame = f"Read {counted(drawn.read, 'trace')}"
    if drawn.framed < drawn.read:  # too many to keep
        frame += (
            f", and drew from {count(drawn.framed)} of them: conversations by a hash"
        )
    yield f"{frame}. Kinds of request: {_BY[drawn.intent_by]}."
    if drawn.without_input:
        left_out = counted(drawn.without_input, "trace")
        yield f"Left out {left_out}: no input is logged."


def evalset_dict(made: EvalsetReport) -> dict[str, Any]:
    """The report on a new evaluation set, as plain JSON values; the set itself has the cases."""
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
    """The table of strata that cases were drawn from, and the number of those left out."""
    rows = []
    explained = set()  # kinds of request: each has its example where it comes first
    for stratum in drawn.strata[:_MOST_STRATA]:
        kind = stratum.intent
        example = "" if kind in explained else drawn.examples.get(kind, "")
        explained.add(kind)
        row = (
            kind or "any",
            stratum.length or "any",
            _went(stratum.failed),
            count(stratum.traces),
            count(stratum.conversations),
            count(stratum.drawn),
            example,
        )
        rows.append(row)
    titles = "Kind | Length | Went | #Traces | #Conversations | #Drawn | Example"
    yield b.table("Conversations drawn", titles, rows, quiet=True)
    left_out = len(drawn.strata) - len(rows)
    if left_out:
        yield f"and {count(left_out)} more"


def _went(failed: bool | None) -> str:
    """How the conversations of a stratum went; ``any`` where failures don't divide strata."""
    if failed is None:
        return "any"
    return "wrong" if failed else "well"


def _done(drawn: EvalSample, hiding: Hiding) -> Iterator[str]:
    """Lines on how the set was drawn, masked and labelled."""
    if drawn.failures:
        yield f"traces that went wrong: {_failures_text(drawn)}"
    yield f"{counted(drawn.folded, 'conversation')} folded into a near copy"
    yield _hidden(drawn, hiding)
    if drawn.lost:
        answers = counted(drawn.lost, "right answer")
        yield f"{answers} left out: masking hid what only they held. Label these cases again"
    if drawn.cut:
        yield f"{counted(drawn.cut, 'long text')} in what was drawn from kept in part only"
    if drawn.unlabelled:
        cases = counted(len(drawn.cases), "case")
        yield f"{count(drawn.unlabelled)} of {cases} have no right answer yet"
    else:
        yield "every case has a right answer"


def _failures_text(drawn: EvalSample) -> str:
    """Why traces went wrong, with counts, and how their strata were drawn."""
    reasons = ", ".join(
        f"{plain(why)} {count(n)}" for why, n in sorted(drawn.failures.items())
    )
    if all(stratum.failed is None for stratum in drawn.strata):
        return reasons
    return f"{reasons}. They are drawn about twice as often as they occur, and weighted for it"


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
    needed = counted(made.needed, "case")
    if made.tells and made.target is not None:
        takes = f"to tell it from the target of {quality(made.target)} takes a set of about {needed}"
    else:
        takes = f"the plan takes a set of about {needed}"
    yield f"{takes}: {_enough(made)}"
    if made.target is None:
        yield "state targets.quality.at_least, and this says how many cases would settle it"


_NEARLY = 1.1
"""A set that is smaller by less than this factor is large enough: it tells a share from its target
in 76 of 100 repetitions instead of 80."""


def _enough(made: EvalsetReport) -> str:
    """Whether the set is as large as the plan takes it, and what to do otherwise."""
    drawn = len(made.drawn.cases)
    worth = made.whole.worth  # cases with equal weights that would tell as much
    if _NEARLY * worth >= made.needed:
        return "this set is large enough"
    if made.needed > made.drawn.framed:  # the logs don't hold so many
        lacking = count(made.needed - drawn)
        return f"there are {count(made.drawn.framed)}: label {lacking} from elsewhere"
    if drawn < made.needed:
        return f"use --n {made.needed}"
    larger = math.ceil(made.needed * drawn / worth)
    return f"by their weights these are worth {number(round(worth))}: use --n {larger}"


def _next(made: EvalsetReport) -> Iterator[str]:
    """The next steps: name the set in the case, then have its cases labelled."""
    folder = argument(made.folder)
    if made.entry is None:
        yield "Next: move it into the case folder and name it under data.evaluation"
    else:
        yield f"Next: tuneworthy answer {folder} {argument(f'data.evaluation={made.entry}')}"
    if made.drawn.unlabelled:
        yield f"Then: tuneworthy evalset export {folder} --labeller NAME, or label them on the page"


_MOST_ROWS = 30  #: Disagreements that are shown.
_LONGEST = 40  #: Characters of a label in their table.
_TITLES = named("titles")
_NAMES = named("formats_of_labels")


def agreement_document(results: Sequence[AgreementOf], *, folder: str) -> b.Document:
    """The report on how far labellers agree."""
    parts = [_agreement(result) for result in results]
    sections = [b.section("", part.title, part.blocks) for part in parts]
    after = [_next_for_agreement(results, argument(folder))]
    return b.Document("", "How far labellers agree", sections, after=after)


def _next_for_agreement(results: Sequence[AgreementOf], case: str) -> str:
    """Say the next step: settle, have a second person label, or export the labels."""
    unsettled = to_settle(results)
    export = f"tuneworthy evalset export {case}"
    if unsettled:
        return f"{counted(unsettled, 'item')} to settle: {export} --settle"
    if all(len(result.labellers) < 2 for result in results):
        return f"Let another one label: {export} --labeller NAME"
    return f"Nothing to settle. Next: {export} --format jsonl"


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
    """A part for each task and rubric; ``rubrics`` has the texts of rubrics by their digests."""
    if not results:
        return b.flat(
            "Nothing is labelled yet. Two labellers who don't see each other's answers make "
            "agreement known."
        )
    return b.flat(
        _agreement(result, rubrics.get(result.rubric, "")) for result in results
    )


def _agreement(result: AgreementOf, rubric: str = "") -> b.Part:
    """The agreement on one task, with the items people differ on."""
    title = _TITLES[result.task]
    if result.rubric:
        title += f" {result.rubric[:6]}"  # the begin of its digest tells rubrics apart
    rows = [_disagreement_row(item) for item in result.disagreements[:_MOST_ROWS]]
    parts: list[b.Parts] = [b.bullets(sentence(line) for line in _agreed(result))]
    if rubric:
        parts.append(b.fold("The rubric", rubric))
    if rows:
        parts.append(b.table("What they differ on", "Case | Labels | Settled", rows))
    left_out = len(result.disagreements) - len(rows)
    if left_out:
        parts.append(b.Prose(f"and {counted(left_out, 'item')} more", "small"))
    return b.part(title, *parts)


def _disagreement_row(item: Disagreement) -> tuple[str, str, str]:
    """The case, each person's label, and what it was settled to."""
    labels = [f"{labeller} {cut(value, _LONGEST)}" for labeller, value in item.said]
    settled = cut(item.settled or "open", _LONGEST)
    return cut(item.key.case, _LONGEST), ", ".join(labels), settled


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
        text = f"{_NAMES[coefficient.id]}: {coefficient_text(coefficient)}"
        if isinstance(coefficient.value, Unknown):
            yield text
        else:
            yield f"{text}, on {counted(coefficient.items, 'item')}"


def coefficient_text(coefficient: Coefficient) -> str:
    """A coefficient with its interval, or what would make it known."""
    if isinstance(coefficient.value, Unknown):
        return f"unknown; {coefficient.value.ask}"
    if coefficient.low is None or coefficient.high is None:
        interval = "too few conversations for an interval"
    else:
        interval = f"{quality(coefficient.low)} to {quality(coefficient.high)}"
    return f"{quality(coefficient.value)} ({interval})"


def to_settle(results: Sequence[AgreementOf]) -> int:
    """The number of items that labellers differ on and nobody has settled."""
    unsettled = 0
    for result in results:
        unsettled += len(
            [item for item in result.disagreements if item.settled is None]
        )
    return unsettled


QUESTIONS = named("questions")
# keys of choices that their first letter doesn't give
_KEYS = {"first": "1", "second": "2"}
_ROW = "1234567890qwertyuiop"  # keys of a keyboard, one for each of many choices


class Item(NamedTuple):
    """Something to label: a case, or outputs for it."""

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
        """The key that its label is kept under; it has empty names for fewer than two arms."""
        first = self.arms[0] if self.arms else ""
        second = self.arms[1] if len(self.arms) > 1 else ""
        return ItemKey(self.task, self.rubric, self.case.id, first, second)

    @property
    def outputs_in_order(self) -> tuple[str, ...]:
        return self.outputs[::-1] if self.flipped else self.outputs

    def true_value(self, value: str) -> str:
        """A label about the shown outputs as a label about the arms, in the arms' order."""
        first, second, _tie = PAIRS
        swapped = {first: second, second: first}
        return swapped.get(value, value) if self.flipped else value


def keys_of(item: Item) -> dict[str, str]:
    """The choices, each under its key."""
    if item.titles:
        # the keyboard has more keys than there are choices
        return dict(zip(_ROW, item.choices, strict=False))
    return {_KEYS.get(choice, choice[:1]): choice for choice in item.choices}


def titles_of(item: Item) -> dict[str, str]:
    """Map each choice to its title; a choice without one is its own title."""
    return dict(zip(item.choices, item.titles or item.choices, strict=True))


def item_parts(
    item: Item, *, rubric: str = "", labels: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the parts of an item that are shown, each with its name and its unchanged text."""
    case = item.case
    if case.input is not None:
        yield "Input", case.input
    for message in case.messages:
        yield message.role.capitalize(), message.content
    for passage in case.contexts:
        yield "Passage", passage.text
    if isinstance(case.reference, str):
        yield "Reference", case.reference
    elif case.reference is not None:
        yield "Reference", repr(case.reference)
    if item.task == "answer" and case.logged:
        yield "Answered in the log", case.logged
    for place, text in enumerate(item.outputs_in_order, start=1):
        name = "Output" if len(item.outputs) == 1 else f"Output {place}"
        yield name, text
    if rubric:
        yield "Rubric", rubric
    if labels:
        yield "Labels so far", "\n".join(labels)
