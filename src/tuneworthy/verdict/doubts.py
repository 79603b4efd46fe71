"""The unknowns of a case, each with the situation if it were one way and the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from tuneworthy.model.case import Amount
from tuneworthy.model.framework import TargetId
from tuneworthy.verdict.situation import Situation, StepToDo
from tuneworthy.verdict.wording import say_too_few
from tuneworthy.words import quality, usd


class Doubt(NamedTuple):
    """An unknown fact, with the situation on each of its sides."""

    says: str
    step: StepToDo  #: What would settle it.
    sides: tuple[Situation, ...]  #: One for each value that the fact may have.


def find_doubts(it: Situation) -> Iterator[Doubt]:
    """The unknown facts of a case, each with its sides; each is computed when it is asked for."""
    yield from _doubt_of_quality(it)
    yield from _doubt_of_bill(it)
    yield from _doubts_of_rivals(it)
    yield from _doubt_of_money(it)


def measure_first(it: Situation) -> StepToDo:
    """The step that settles whether a target is missed, for the first unknown one."""
    target = it.table.gap.doubtful[0]
    if target != "quality":
        return StepToDo("measure", f"nobody knows {_TODAY[target]}")
    today = it.facts.case.today
    if today.quality is None:
        return StepToDo("measure", "nobody has scored what runs today")
    if not today.cases:
        return StepToDo(
            "measure", "the number of cases behind today's quality isn't stated"
        )
    wanted = it.table.criterion.quality_floor
    assert wanted is not None  # else its quality wouldn't be in doubt
    other = it.facts.other_figure
    if other is not None:
        two = f"{quality(today.quality)} and as {quality(other.value)}"
        says = f"what runs today is stated as {two}, and {quality(wanted)} is wanted"
        return StepToDo("settle", says)
    baseline = it.table.today
    known = baseline.figures["quality"]
    if baseline.kind == "now":
        return StepToDo("label", say_too_few(known, wanted))
    return StepToDo("label", say_too_few(known, wanted, baseline.title), baseline)


_TODAY: Mapping[TargetId, str] = {
    "latency": "how long today's answers take",
    "cost": "what today's calls cost",
    "privacy": "who sees the data today",
}

# cases of a share that is supposed: so many that no target lies in its interval
_SURE = 10**6


def _doubt_of_quality(it: Situation) -> Iterator[Doubt]:
    """The doubt about a poorly counted quality: the situations above and below the target."""
    limit = it.facts.limits.get("quality")
    if limit is None or "quality" not in it.table.gap.doubtful:
        return
    today = it.facts.case.today
    # supposed figures lie near the target, or where today's figure lies beyond it
    above = min(1.0, max(limit, today.quality or 0.0) + 0.001)
    if today.quality is None:
        # a tenth of the errors that the target allows, and five of 100 answers, below it
        below = max(0.0, limit - 0.1 * (1 - limit) - 0.05)
    else:
        below = min(today.quality, limit - 0.01)
    step = measure_first(it)
    sides = (_with_quality(it, above), _with_quality(it, below))
    yield Doubt(step.because, step, sides)


def _with_quality(it: Situation, share: float) -> Situation:
    """The situation if today's quality were known to be this share."""
    case = it.facts.case
    today = case.today.model_copy(update={"quality": share, "cases": _SURE})
    return it.rebuild(it.facts.with_case(case.model_copy(update={"today": today})))


def _doubts_of_rivals(it: Situation) -> Iterator[Doubt]:
    """Ways that may be enough if their quality were known better, an existing tuned model included."""
    limit = it.facts.limits.get("quality")
    if limit is None:
        return
    for way in it.table.ways:
        known = way.figures.get("quality")
        if way.kind == "now" or known is None or known.value < limit:
            continue
        states = dict(it.table.criterion.judge(way))
        state_of_quality = states.pop("quality")
        meets_others = all(state == "met" for state in states.values())
        if state_of_quality != "unknown" or not meets_others:
            continue
        if known.cases:
            says = say_too_few(known, limit, way.title)
            step = StepToDo("label", says, way)
        else:
            says = f"the number of cases behind {way.title} isn't stated"
            step = StepToDo("measure", says, way)
        sure = replace(way, figures={**way.figures, "quality": known.made_sure()})
        enough = it.with_way(way, sure)
        yield Doubt(says, step, (enough, it))


def _doubt_of_bill(it: Situation) -> Iterator[Doubt]:
    """A stated bill, and one by tokens and prices that is several times as high or low."""
    stated = it.facts.case.today.usd_per_month
    computed = it.facts.computed_bill
    times = it.facts.framework.threshold("bill_disputed")
    if stated is None or computed is None or times is None or not computed.low:
        return
    if {"caching", "batching"} & it.facts.attempted or it.facts.api == "own":
        return  # a discount, or a machine of one's own, explains the difference
    middle = (computed.low + computed.most) / 2
    floor = it.facts.framework.threshold("bill_floor") or 0.0
    if abs(stated.likely - middle) <= floor:
        return
    if 1 / times < stated.likely / middle < times:
        return
    amount = Amount(low=computed.low, likely=middle, high=computed.most)
    other = it.facts.case.today.model_copy(update={"usd_per_month": amount})
    case = it.facts.case.model_copy(update={"today": other})
    says = f"the bill is stated as {usd(stated.likely)}, and tokens times prices are {usd(middle)}"
    sides = (it.rebuild(it.facts.with_case(case)), it)
    yield Doubt(says, StepToDo("settle", says), sides)


def _doubt_of_money(it: Situation) -> Iterator[Doubt]:
    """A stated saving that contradicts another statement, where it would turn a loss into a gain."""
    most = it.prize.left_at_best
    stated = it.prize.left_as_stated
    if most is None or stated is None or not it.money_contradicted:
        return
    if not most < 0 < stated:
        return
    # on both sides the contradiction is settled: by the bill, or by the stated saving
    by_bill = replace(it, find_contradicted=lambda _: ())
    as_stated = replace(
        by_bill, prize=it.prize._replace(left_at_best=stated, why_not="")
    )
    says = "the stated saving doesn't fit what is paid today"
    yield Doubt(says, StepToDo("settle", says), (by_bill, as_stated))
