"""Facts that turn the answer: single answers, figures and ways, each tried by judging again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from tuneworthy.answers.count import OTHERS
from tuneworthy.answers.facts import TARGETS, known_range
from tuneworthy.model.base import MOST_USD, State, States
from tuneworthy.model.case import Amount, Case
from tuneworthy.model.dossier import TuningAnswer, Turn
from tuneworthy.model.framework import TargetId
from tuneworthy.model.ways import FigureId
from tuneworthy.verdict.answer import answer
from tuneworthy.verdict.situation import Ruling, Situation
from tuneworthy.ways.way import FIGURE_OF, KnownNumber, Way
from tuneworthy.words import count, number, quality, usd, usd_range

_SURE = 10**6  # cases of a share that is supposed
_PLENTY = 2000  # examples
MOST_TURNS = 12


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
            self._known[key] = AnswerAndStep(ruling.answer, ruling.steps[0].option)
        return self._known[key]


def find_turns(
    it: Situation, ruling: Ruling, judge_again: JudgedAgain
) -> tuple[Turn, ...]:
    """Single changes that lead to another answer, those closest to the finding first."""
    every = chain(
        _turns_of_ways(it),
        _turns_of_figures(it),
        _turns_of_rivals(it),
        _turns_of_examples(it),
        _turns_of_money(it),
        _turns_of_answers(it, judge_again),
    )
    turns = [turn for turn in every if turn.answer != ruling.answer]
    return tuple(turns[:MOST_TURNS])


def _turn(path: str, what: str, to: str, changed: Situation) -> Turn:
    then = answer(changed)
    return Turn(
        path=path, what=what, to=to, answer=then.answer, first_step=then.steps[0].option
    )


def _turns_of_answers(it: Situation, judge_again: JudgedAgain) -> Iterator[Turn]:
    """Turns by changing one answer about a check or a reason."""
    assessment = it.facts.assessment
    for name, state in it.facts.states.items():
        kind = "ceiling" if name in assessment.ceiling.checks else "factors"
        titled = assessment.ceiling.checks.get(name) or assessment.factors[name]
        for to in OTHERS[state]:
            then = judge_again({name: to})
            path = f"{kind}.{name}"
            yield Turn(
                path=path,
                what=titled.title,
                to=to,
                answer=then.answer,
                first_step=then.step,
            )


def _turns_of_ways(it: Situation) -> Iterator[Turn]:
    """Turns by ways: a sufficient one isn't good enough, or an untried one was tried in vain."""
    limit = it.facts.limits.get("quality")
    for way in it.table.enough:
        if way.kind == "now":
            continue  # that is a figure of the case
        if limit is not None and "quality" in way.figures:
            # just so far under the limit that the whole interval is
            worse = way.figures["quality"]._replace(
                low=limit - 0.02, value=limit - 0.01, high=limit - 0.005
            )
            other = replace(way, figures={**way.figures, "quality": worse})
            what = f"{way.title} is under {quality(limit)} on new cases"
            yield _turn(f"ways.{way.id}", what, "missed", _replace_way(it, way, other))
    if it.table.to_try:
        ways = [
            _tried_in_vain(way) if way in it.table.to_try else way
            for way in it.table.ways
        ]
        changed = replace(it, table=replace(it.table, ways=ways))
        titles = [way.title for way in it.table.to_try]
        what = "simpler ways are tried in vain"
        if len(titles) == 1:
            what = f"{titles[0]} is tried in vain"
        yield _turn("ways", what, "failed", changed)


def _tried_in_vain(way: Way) -> Way:
    return replace(way, state="failed", because="it was tried in vain")


def _replace_way(it: Situation, way: Way, other: Way) -> Situation:
    if way.kind != "now":
        return it.with_way(way, other)
    gap = replace(it.table.gap, today=other)
    ways = [other if each is way else each for each in it.table.ways]
    return replace(it, table=replace(it.table, gap=gap, ways=ways))


def _turns_of_figures(it: Situation) -> Iterator[Turn]:
    """Turns by today's figures: each on the other side of its limit.

    An unknown figure, or one whose interval includes the limit, is tried on both sides. Where both
    give the same other answer, any measured value leads to it.
    """
    case = it.facts.case
    for target, limit in it.facts.limits.items():
        turns = []
        for met in _sides_to_try(it, target, limit):
            what, today = _suppose(it, target, limit, met=met)
            changed = _replace_today(it, case, today)
            turns.append(
                _turn(TARGETS[target].path, what, "met" if met else "missed", changed)
            )
        first, *others = turns
        if others and {turn.answer for turn in turns} == {first.answer}:
            what = f"{TARGETS[target].name} today is measured, whatever the figure"
            yield first.model_copy(update={"what": what, "to": "measured"})
            continue
        yield from turns


def _turns_of_rivals(it: Situation) -> Iterator[Turn]:
    """The turn if the cheapest listed model, which nobody ran here, meets every target."""
    today = it.table.today
    rival = next(iter(it.facts.findings.rivals), None)
    bill = None if rival is None else known_range(rival.usd_per_month)
    if rival is None or bill is None or not it.facts.limits:
        return
    figures: dict[FigureId, KnownNumber] = {}
    for target, limit in it.facts.limits.items():
        known = today.figure(target)
        now = limit if known is None else known.value
        if target == "cost":
            good = bill.most
        elif target == "quality":
            good = min(1.0, max(limit + 0.001, now))  # no worse than today
        else:
            good = min(limit * 0.9, now)
        figures[FIGURE_OF[target]] = KnownNumber(good, good, good, "measured", _SURE)
    way = Way(
        f"rival:{rival.model}",
        rival.model,
        "model",
        "other_model",
        "measured",
        model=rival.model,
        figures=figures,
    )
    changed = replace(it, table=replace(it.table, ways=[*it.table.ways, way]))
    cost = f"{usd_range(bill.low, bill.most)}{it.facts.case.a_month}"
    what = f"{rival.model}, untried at {cost}, meets every target"
    yield _turn(f"ways.{way.id}", what, "met", changed)


def _turns_of_examples(it: Situation) -> Iterator[Turn]:
    """The turn if there were enough examples; none where there are, or where nobody counted them."""
    have = it.facts.examples
    if have is None:
        return
    enough = _enough(it, have)
    if have >= enough:
        return
    case = it.facts.case
    examples = case.data.examples
    assert examples is not None  # they were counted
    more = examples.model_copy(update={"count": enough, "usable": enough})
    data = case.data.model_copy(update={"examples": more})
    changed = it.rebuild(it.facts.with_case(case.model_copy(update={"data": data})))
    what = f"{count(enough)} reviewed examples exist"
    yield _turn("data.examples", what, str(enough), changed)


def _turns_of_money(it: Situation) -> Iterator[Turn]:
    """The turns by a saving as the bill allows it, and by a gain in quality that repays tuning."""
    yield from _turns_of_savings(it)
    lacks = it.prize.lacks_a_month
    case = it.facts.case
    if not lacks:
        return
    monthly = case.economics.monthly
    stated = monthly.quality_value_usd
    now = 0.0 if stated is None else stated.high
    worth = math.ceil(now + lacks)
    if worth > MOST_USD:
        return  # more than a case can state
    amount = Amount(low=worth, likely=worth, high=worth)
    changed_monthly = monthly.model_copy(update={"quality_value_usd": amount})
    economics = case.economics.model_copy(update={"monthly": changed_monthly})
    changed = case.model_copy(update={"economics": economics})
    what = f"better answers are worth {usd(worth)}{case.a_month} or more"
    what += f" ({usd(now)} is stated)" if now else " (nobody has said how much)"
    path = "economics.monthly.quality_value_usd"
    yield _turn(path, what, "worth", it.rebuild(it.facts.with_case(changed)))


def _turns_of_savings(it: Situation) -> Iterator[Turn]:
    """The turn if a stated saving above the bill is corrected to the bill."""
    case = it.facts.case
    monthly = case.economics.monthly
    stated = monthly.api_savings_usd
    bill = it.facts.bill
    if stated is None or bill is None or stated.low <= bill.high:
        return
    most = Amount(low=bill.high, likely=bill.high, high=bill.high)
    changed_monthly = monthly.model_copy(update={"api_savings_usd": most})
    economics = case.economics.model_copy(update={"monthly": changed_monthly})
    changed = case.model_copy(update={"economics": economics})
    what = f"the stated saving is corrected to today's bill of {usd(bill.high)}{case.a_month}"
    path = "economics.monthly.api_savings_usd"
    yield _turn(path, what, "bill", it.rebuild(it.facts.with_case(changed)))


def _enough(it: Situation, have: int) -> int:
    """The number of examples to suppose: the usual number where there are fewer, else plenty."""
    need = it.prize.need
    if need is not None and need.unit == "examples" and have < need.low:
        return need.low
    return _PLENTY


def _sides_to_try(it: Situation, target: TargetId, limit: float) -> tuple[bool, ...]:
    """The sides of a limit to try: those on which today's figure isn't known to be."""
    known = it.table.today.figure(target)
    if known is None or known.low < limit < known.high:
        return (True, False)
    if target == "quality":
        return (known.value < limit,)
    return (known.value > limit,)


def _suppose(
    it: Situation, target: TargetId, limit: float, *, met: bool
) -> tuple[str, dict[str, Any]]:
    """Today's figure on one side of its limit, in words and as fields of the case.

    How far it is from the limit is our choice: near enough to be plausible, and clear of it. A
    quality that was counted below its limit stays as counted.
    """
    name = TARGETS[target].name
    if target == "quality":
        known = it.table.today.figure(target)
        below = limit - 0.02 if known is None else min(limit - 0.02, known.value)
        share = min(1.0, limit + 0.001) if met else below
        what = f"{name} today is {'at' if met else 'under'} {quality(limit)}"
        return what, {"quality": share, "cases": _SURE}
    field = "latency_p95_s" if target == "latency" else "usd_per_month"
    value = limit * 0.9 if met else limit * 1.5
    most = usd(limit) if target == "cost" else f"{number(limit)} s"
    what = f"{name} today is {'within' if met else 'above'} {most}"
    return what, {field: Amount(low=value, likely=value, high=value)}


def _replace_today(it: Situation, case: Case, today: dict[str, Any]) -> Situation:
    changed = case.model_copy(update={"today": case.today.model_copy(update=today)})
    return it.rebuild(it.facts.with_case(changed))
