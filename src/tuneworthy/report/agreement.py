"""How far labellers agree, as a page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tuneworthy.domain.labels import AgreementOf, Coefficient, Disagreement
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.words import count, counted, listing, quality, share

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
