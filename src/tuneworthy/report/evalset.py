"""An evaluation set that was drawn, as one page for a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tuneworthy.domain.drawing import Drawn, Precision, Stratum
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import count, counted, number, plain, quality

_MOST_ROWS = 40
_BY = {
    "reference": "by their right answers",
    "embedding": "by alike wording (groups of embeddings)",
    "nothing": "not told apart",
}


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page says."""

    drawn: Drawn
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
        _head(page), _strata(page.drawn, paint), _done(page.drawn, paint), _sure(page, paint),
        _next(page),
    ]  # fmt: skip
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


def _strata(drawn: Drawn, paint: Paint) -> list[str]:
    rows: list[tuple[str, ...]] = [("Kind", "Length", "Went", "Traces", "Of", "Drawn", "")]
    examples = dict(drawn.examples)  # each stands where its kind is met first
    rows += [_row(one, examples.pop(one.intent, "")) for one in drawn.strata[:_MOST_ROWS]]
    lines = [paint("strong", "Strata: conversations drawn of those there are"), *table(rows)]
    if len(drawn.strata) > _MOST_ROWS:
        lines.append(f"  and {count(len(drawn.strata) - _MOST_ROWS)} more")
    return lines


def _row(one: Stratum, example: str) -> tuple[str, ...]:
    went = "any" if one.failed is None else "wrong" if one.failed else "well"
    told = (one.intent or "any", one.length or "any", went, count(one.traces),
            count(one.conversations), count(one.drawn), example)  # fmt: skip
    return tuple(safe(text) for text in told)


def _done(drawn: Drawn, paint: Paint) -> list[str]:
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
    said.append(f"{needs} have no right answer yet" if drawn.unlabelled else
                "every case has a right answer")  # fmt: skip
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
        enough = "this set is large enough" if page.needed <= len(page.drawn.cases) else (
            f"use --n {page.needed}")  # fmt: skip
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
