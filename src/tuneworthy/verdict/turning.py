"""Facts that turn the answer: single answers, figures and ways, each tried by judging again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tuneworthy.answers.count import OTHERS
from tuneworthy.answers.facts import TARGETS, known_range
from tuneworthy.model.base import MOST_USD, Range, State, States
from tuneworthy.model.case import Amount
from tuneworthy.model.dossier import TuningAnswer, Turn
from tuneworthy.model.framework import TargetId
from tuneworthy.model.ways import FigureId
from tuneworthy.verdict.answer import answer
from tuneworthy.verdict.situation import Ruling, Situation
from tuneworthy.ways.way import FIGURE_OF, KnownNumber, Way
from tuneworthy.words import count, number, quality, usd, usd_range

# cases of a share that is supposed: so many that no target lies in its interval
_SURE = 10**6
_PLENTY = 2000  # examples that are enough for every approach of the lesson
MOST_TURNS = 12  #: Turns that the dossier lists at most.


class AnswerAndStep(NamedTuple):
    """The answer of a case, and its first step."""

    answer: TuningAnswer
    step: str  #: The kind of the first step.


class JudgedAgain:
    """Judges a situation with other answers, each combination once."""

    def __init__(self, it: Situation) -> None:
        self._it = it
        self._known: dict[frozenset[tuple[str, State]], AnswerAndStep] = {}

    def __call__(self, changes: States) -> AnswerAndStep:
        """The outcome with these answers changed."""
        key = frozenset(changes.items())
        if key not in self._known:
            ruling = answer(self._it.rebuild(self._it.facts.answered(changes)))
            self._known[key] = AnswerAndStep(ruling.answer, ruling.first_option)
        return self._known[key]


def find_turns(
    it: Situation, ruling: Ruling, judge_again: JudgedAgain
) -> tuple[Turn, ...]:
    """Single changes that lead to another answer, those closest to the finding first."""
    turns = [
        *_turns_of_ways(it),
        *_turns_of_figures(it),
        *_turns_of_rivals(it),
        *_turns_of_examples(it),
        *_turns_of_money(it),
        *_turns_of_answers(it, judge_again),
    ]
    turning = [turn for turn in turns if turn.answer != ruling.answer]
    return tuple(turning[:MOST_TURNS])


def _turn(path: str, what: str, to: str, changed: Situation) -> Turn:
    """Judge a changed situation; ``what`` says the change in words."""
    ruling = answer(changed)
    return Turn(
        path=path,
        what=what,
        to=to,
        answer=ruling.answer,
        first_step=ruling.first_option,
    )


def _turns_of_answers(it: Situation, judge_again: JudgedAgain) -> Iterator[Turn]:
    """Turns by changing one answer about a check or a reason."""
    checks = it.facts.assessment.ceiling.checks
    for name, state in it.facts.states.items():
        if name in checks:
            path = f"ceiling.{name}"
            title = checks[name].title
        else:
            path = f"factors.{name}"
            title = it.facts.assessment.factors[name].title
        for to in OTHERS[state]:
            then = judge_again({name: to})
            yield Turn(
                path=path,
                what=title,
                to=to,
                answer=then.answer,
                first_step=then.step,
            )


def _turns_of_ways(it: Situation) -> Iterator[Turn]:
    """Turns by ways: a sufficient one isn't good enough, or untried ones are tried in vain."""
    limit = it.facts.limits.get("quality")
    for way in it.table.enough:
        quality_of_way = way.figures.get("quality")
        if way.kind == "now":
            continue  # that is a figure of the case
        if limit is not None and quality_of_way is not None:
            # just so far under the limit that the whole interval is
            worse = quality_of_way._replace(
                low=limit - 0.02, value=limit - 0.01, high=limit - 0.005
            )
            other = replace(way, figures={**way.figures, "quality": worse})
            what = f"{way.title} is under {quality(limit)} on new cases"
            yield _turn(f"ways.{way.id}", what, "missed", it.with_way(way, other))
    untried = it.table.to_try
    if untried:
        what = "simpler ways are tried in vain"
        if len(untried) == 1:
            what = f"{untried[0].title} is tried in vain"
        yield _turn("ways", what, "failed", _try_in_vain(it, untried))


def _try_in_vain(it: Situation, untried: Sequence[Way]) -> Situation:
    """The situation if these ways were tried and weren't enough."""
    ways = []
    for way in it.table.ways:
        failed = replace(way, state="failed", because="it was tried in vain")
        ways.append(failed if way in untried else way)
    return replace(it, table=replace(it.table, ways=ways))


def _turns_of_figures(it: Situation) -> Iterator[Turn]:
    """Turns by today's figures: each on the other side of its limit.

    An unknown figure, or one whose interval includes the limit, is tried on both sides. Where both
    give the same other answer, any measured value leads to it.
    """
    for target, limit in it.facts.limits.items():
        turns = []
        for met in _sides_to_try(it, target, limit):
            supposed = _suppose(it, target, limit, met=met)
            changed = _replace_today(it, supposed.fields)
            path = TARGETS[target].path
            to = "met" if met else "missed"
            turns.append(_turn(path, supposed.says, to, changed))
        answers = {turn.answer for turn in turns}
        if len(turns) > 1 and len(answers) == 1:
            what = f"{TARGETS[target].name} today is measured, whatever the figure"
            yield turns[0].model_copy(update={"what": what, "to": "measured"})
        else:
            yield from turns


def _turns_of_rivals(it: Situation) -> Iterator[Turn]:
    """The turn if the cheapest listed model, which nobody ran here, meets every target."""
    rivals = it.facts.findings.rivals  # by cost, the cheapest first
    if not rivals or not it.facts.limits:
        return
    rival = rivals[0]
    bill = known_range(rival.usd_per_month)
    if bill is None:
        return
    way = Way(
        f"rival:{rival.model}",
        rival.model,
        "model",
        "other_model",
        "measured",
        model=rival.model,
        figures=_sufficient_figures(it, bill),
    )
    changed = replace(it, table=replace(it.table, ways=[*it.table.ways, way]))
    cost = f"{usd_range(bill.low, bill.most)}{it.facts.case.a_month}"
    what = f"{rival.model}, untried at {cost}, meets every target"
    yield _turn(f"ways.{way.id}", what, "met", changed)


def _sufficient_figures(it: Situation, bill: Range) -> dict[FigureId, KnownNumber]:
    """Figures of a way that costs this bill and meets the other targets, no worse than today."""
    figures: dict[FigureId, KnownNumber] = {}
    for target, limit in it.facts.limits.items():
        known = it.table.today.figure(target)
        now = limit if known is None else known.value
        if target == "cost":
            good = bill.most
        elif target == "quality":
            good = min(1.0, max(limit + 0.001, now))
        else:
            good = min(limit * 0.9, now)
        figures[FIGURE_OF[target]] = KnownNumber(good, good, good, "measured", _SURE)
    return figures


def _turns_of_examples(it: Situation) -> Iterator[Turn]:
    """The turn if there were enough examples; none where there are, or where nobody counted them."""
    case = it.facts.case
    have = it.facts.examples
    stated = case.data.examples
    if have is None or stated is None:
        return
    enough = _enough(it, have)
    if have >= enough:
        return
    more = stated.model_copy(update={"count": enough, "usable": enough})
    data = case.data.model_copy(update={"examples": more})
    changed = it.rebuild(it.facts.with_case(case.model_copy(update={"data": data})))
    what = f"{count(enough)} reviewed examples exist"
    yield _turn("data.examples", what, str(enough), changed)


def _turns_of_money(it: Situation) -> Iterator[Turn]:
    """The turns by a saving as the bill allows it, and by a gain in quality that repays tuning."""
    yield from _turns_of_savings(it)
    yield from _turns_of_quality_value(it)


def _turns_of_quality_value(it: Situation) -> Iterator[Turn]:
    """The turn if better answers were worth what is missing for tuning to pay back."""
    lacks = it.prize.lacks_a_month
    if not lacks:
        return
    case = it.facts.case
    stated = case.economics.monthly.quality_value_usd
    now = 0.0 if stated is None else stated.high
    worth = math.ceil(now + lacks)
    if worth > MOST_USD:
        return  # more than a case can state
    what = f"better answers are worth {usd(worth)}{case.a_month} or more"
    what += f" ({usd(now)} is stated)" if now else " (nobody has said how much)"
    changed = _with_monthly(it, "quality_value_usd", worth)
    yield _turn("economics.monthly.quality_value_usd", what, "worth", changed)


def _with_monthly(it: Situation, field: str, amount: float) -> Situation:
    """The situation if a field of the monthly economics were certainly this amount, in USD."""
    case = it.facts.case
    certain = Amount(low=amount, likely=amount, high=amount)
    monthly = case.economics.monthly.model_copy(update={field: certain})
    economics = case.economics.model_copy(update={"monthly": monthly})
    changed = case.model_copy(update={"economics": economics})
    return it.rebuild(it.facts.with_case(changed))


def _turns_of_savings(it: Situation) -> Iterator[Turn]:
    """The turn if a stated saving above the bill is corrected to the bill."""
    case = it.facts.case
    stated = case.economics.monthly.api_savings_usd
    bill = it.facts.bill
    if stated is None or bill is None or stated.low <= bill.high:
        return
    what = f"the stated saving is corrected to today's bill of {usd(bill.high)}{case.a_month}"
    changed = _with_monthly(it, "api_savings_usd", bill.high)
    yield _turn("economics.monthly.api_savings_usd", what, "bill", changed)


def _enough(it: Situation, have: int) -> int:
    """The number of examples to suppose: the usual number where there are fewer, else plenty."""
    need = it.prize.need
    if need is not None and need.unit == "examples" and have < need.low:
        return need.low
    return _PLENTY


def _sides_to_try(it: Situation, target: TargetId, limit: float) -> tuple[bool, ...]:
    """The sides of a limit to try, True for met: those on which today's figure isn't known to be."""
    known = it.table.today.figure(target)
    if known is None or known.low < limit < known.high:
        return (True, False)
    if target == "quality":
        return (known.value < limit,)
    return (known.value > limit,)


class _Supposed(NamedTuple):
    """A supposed figure of today."""

    says: str
    fields: dict[str, Any]  #: Of the case's ``today``.


def _suppose(it: Situation, target: TargetId, limit: float, *, met: bool) -> _Supposed:
    """Today's figure on one side of its limit.

    How far it is from the limit is our choice: near enough to be plausible, and clear of it. A
    quality that was counted below its limit stays as counted.
    """
    name = TARGETS[target].name
    if target == "quality":
        share = min(1.0, limit + 0.001)
        if not met:
            known = it.table.today.figure(target)
            share = limit - 0.02
            if known is not None:
                share = min(share, known.value)
        says = f"{name} today is {'at' if met else 'under'} {quality(limit)}"
        return _Supposed(says, {"quality": share, "cases": _SURE})
    field = "latency_p95_s" if target == "latency" else "usd_per_month"
    value = limit * 0.9 if met else limit * 1.5
    most = usd(limit) if target == "cost" else f"{number(limit)} s"
    says = f"{name} today is {'within' if met else 'above'} {most}"
    return _Supposed(says, {field: Amount(low=value, likely=value, high=value)})


def _replace_today(it: Situation, fields: dict[str, Any]) -> Situation:
    """The situation with these fields of the case's ``today``."""
    case = it.facts.case
    today = case.today.model_copy(update=fields)
    return it.rebuild(it.facts.with_case(case.model_copy(update={"today": today})))
