"""A folder of cases as a portfolio: a row for each case, filters, orders, sums, and a budget."""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple
from weakref import finalize

from pydantic import BeforeValidator, Field, ValidationError

from tuneworthy import __version__
from tuneworthy.errors import InputError
from tuneworthy.facts.load import end_day
from tuneworthy.files.disk import MIB
from tuneworthy.model.base import FileRecord, Number, Range, Record, Unknown
from tuneworthy.model.case import CaseDecision, Model
from tuneworthy.model.dossier import Dossier, InvestmentResult, TuningAnswer, Verdict
from tuneworthy.model.ways import CeilingGrade
from tuneworthy.plan.context import NoPlanError
from tuneworthy.plan.context import day as working_day
from tuneworthy.plan.section import hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import dollars, headline, open_answers
from tuneworthy.report.text import safe
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    counted,
    day,
    few,
    listing,
    sentence,
    several,
    share,
    usd,
    usd_range,
)

Stage = Literal["idea", "measured", "pilot", "live"]
"""The progress of a case: nothing measured; a measurement; a pilot; a tuned model in use."""


class CaseRow(Record):
    """A case in a list: its results, or why it can't be read."""

    name: str  #: Name of its folder.
    title: str = ""  #: The case's own name.
    #: None where the case can't be read, as all of the rest.
    answer: TuningAnswer | None = None
    outcome: Verdict | None = None
    final: bool | None = None  #: Whether no open answer can change the outcome.
    says: str = ""  #: The answer as a sentence.
    because: str = ""  #: The same without the answer and the first step.
    stage: Stage = "idea"
    next: str = ""
    next_workdays: int | None = None
    """Working days from ``as_of`` to the last day of the next step; None without a plan."""
    model: str = ""  #: The model that answers today, where the case names it.
    #: The day on which that model ends, as far as it is known.
    model_ends: date | None = None
    #: The money asked for now; None where there is no plan.
    ask_usd: Number | None = None
    ask_hours: Range | None = None  #: The work in it.
    worth_usd: Number | None = None  #: Mean net present value: what is at stake.
    worth_range: Range | None = None  #: Its 80% range; None where nothing was drawn.
    contradicted: bool = False  #: Whether an amount that it rests on is contradicted.
    contradictions: int = 0
    measured: int = 0  #: Answers that data settled,
    answered: int = 0  #: of so many that are known.
    open: int = 0  #: Questions that nobody answered.
    #: The grade of its ceiling; empty where nothing was tried or claimed.
    grade: CeilingGrade | Literal[""] = ""
    owner: str = ""
    signed: str = ""  #: By whom, and when.
    as_of: date | None = None  #: The day that it speaks for.
    review_on: date | None = None
    due: bool = False  #: Whether that day has come.
    #: Whether it is being worked out; what is told then is of before.
    pending: bool = False
    problem: str = ""  #: Why it can't be read; empty where it can.

    @property
    def asks(self) -> str:
        """The ask: in USD, or in hours where nobody priced them; empty for none."""
        if self.ask_usd is None:
            return ""
        unpriced = isinstance(self.ask_usd, Range) and self.ask_usd.low == 0
        if unpriced and top(self.ask_usd) is None and self.ask_hours is not None:
            return hours_text(self.ask_hours.low, self.ask_hours.high)
        return dollars(self.ask_usd)

    @property
    def next_by(self) -> date | None:
        """The last day of the next step; None where it is unknown."""
        if self.as_of is None or self.next_workdays is None:
            return None
        with suppress(NoPlanError):  # beyond the calendar
            return working_day(self.as_of, self.next_workdays)
        return None

    @property
    def ask_ends(self) -> tuple[float, float, float] | None:
        """The least and the most of the ask, and its mark; None where it is unknown."""
        most = top(self.ask_usd)
        if most is None:
            return None
        least = self.ask_usd.low if isinstance(self.ask_usd, Range) else most
        return least, most, most

    @property
    def worth_ends(self) -> tuple[float, float, float] | None:
        """The 80% range of the amount at stake, and its mean; None where it is unknown."""
        worth = top(self.worth_usd)
        if worth is None:
            return None
        drawn = self.worth_range or Range(low=worth, high=worth)
        return drawn.low, drawn.most, worth

    @property
    def meter(self) -> list[tuple[str, float, float]]:
        """A bar for each kind of answers: its name, its start and its length, in percent."""
        kinds = {
            "measured": self.measured,
            "stated": self.answered - self.measured,
            "not-known": self.open,
        }
        whole = sum(kinds.values()) or 1
        bars = []
        at = 0
        for kind, many in kinds.items():
            bars.append((kind, 100 * at / whole, 100 * many / whole))
            at += many
        return bars

    @property
    def review(self) -> str:
        if self.review_on is None:
            return ""
        if self.due:
            return f"{day(self.review_on)}, due"
        return day(self.review_on)


def case_row(name: str, dossier: Dossier, models: Sequence[Model] = ()) -> CaseRow:
    """The row of a dossier, with texts that are safe for a terminal.

    ``models`` are the models of the case, among which the present one is looked for: the day when
    it ends is as the case states it, else as our facts have it.
    """
    verdict = dossier.verdict
    money = dossier.investment
    basis = verdict.basis
    says = headline(dossier)
    advice = dossier.recommendation
    worth = money if isinstance(money, Unknown) else money.gain_usd
    ask_usd: float | Range | None = None
    ask_hours = None
    if not isinstance(dossier.ask, Unknown):
        # one number, and no range, where both ends are equal
        ask_usd = Range(low=dossier.ask.low, high=dossier.ask.high).narrowed()
        ask_hours = dossier.ask.hours
    decision = dossier.decision or CaseDecision()
    model = _present_model(dossier)
    signed = decision.signed
    review = decision.review_on
    return CaseRow(
        name=name,
        title=safe(dossier.case.name),
        answer=verdict.answer,
        outcome=verdict.outcome,
        final=verdict.final,
        says=says,
        because=verdict.because,
        stage=_stage(dossier),
        next=sentence(advice.ask) if isinstance(advice, Unknown) else advice.says,
        next_workdays=_next_workdays(dossier),
        model=safe(model),
        model_ends=_end_of(model, models, dossier.as_of),
        ask_usd=ask_usd,
        ask_hours=ask_hours,
        worth_usd=worth,
        worth_range=_worth_range(money),
        contradicted=not isinstance(money, Unknown) and money.contradicted,
        contradictions=sum(
            item.severity == "contradiction" for item in dossier.challenges
        ),
        measured=basis.measured,
        answered=basis.measured + basis.stated + basis.assumed,
        open=open_answers(dossier),
        grade=dossier.ceiling.grade,
        owner=safe(decision.owner or ""),
        signed=safe(f"{signed.by}, {day(signed.on)}") if signed else "",
        as_of=dossier.as_of,
        review_on=review,
        due=review is not None and review <= dossier.as_of,
    )


def _present_model(dossier: Dossier) -> str:
    """The id of the model that does the work today; empty where none does."""
    for way in dossier.ways:
        if way.kind == "now":
            return way.model
    return ""


def _end_of(model_id: str, models: Sequence[Model], as_of: date | None) -> date | None:
    """The day when a model of the case ends; None where it is unknown."""
    for model in models:
        if model.id == model_id:
            return end_day(model, as_of)
    return None


def _stage(dossier: Dossier) -> Stage:
    """How far a use case has come, by its dossier."""
    if any(way.kind == "tuned" and way.state == "running" for way in dossier.ways):
        return "live"
    if dossier.pilot is not None:
        return "pilot"
    figures = (figure for way in dossier.ways for figure in way.figures.values())
    grades = {figure.grade for figure in figures if not isinstance(figure, Unknown)}
    measured = dossier.verdict.basis.measured or grades & {"held_out", "measured"}
    return "measured" if measured else "idea"


def _next_workdays(dossier: Dossier) -> int | None:
    """Working days to the last day of the first phase; None without a plan."""
    plan = dossier.plan
    if isinstance(plan, Unknown) or not plan.phases:
        return None
    first = working_day(dossier.as_of, 0)
    days = (plan.phases[0].end - first).days
    return sum(
        (first + timedelta(number)).weekday() < _SATURDAY
        for number in range(1, days + 1)
    )


_SATURDAY = 5


def _worth_range(money: InvestmentResult | Unknown) -> Range | None:
    if isinstance(money, Unknown) or isinstance(money.simulation, Unknown):
        return None
    return Range(low=money.simulation.npv_usd.p10, high=money.simulation.npv_usd.p90)


# What is asked of a portfolio: which cases, in which order, and what a budget would fund.

Order = Literal[
    "answer",
    "name",
    "ask",
    "stake",
    "contradictions",
    "review",
    "measured",
    "per_dollar",
]

_EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)


class CaseQuery(FileRecord, defer_build=False):
    """A choice of cases, and their order."""

    find: Annotated[str, Field(max_length=100)] = ""
    """Words that the name of the folder or of the case has to contain, all of them."""
    answer: TuningAnswer | Literal[""] = ""  #: Only those with this answer.
    owner: Annotated[str, Field(max_length=200)] = ""  #: Only those of this owner.
    contradictions: bool = False  #: Only those with an open contradiction.
    due: bool = False  #: Only those whose review is due.
    sort: Annotated[Order | None, _EMPTY_IS_NONE] = None
    """The column to sort by: the highest or the soonest comes first. By default, the answer; with a
    budget, the worth per dollar."""
    #: The other way round; what isn't known is last all the same.
    reverse: bool = False
    budget: Annotated[float | None, Field(ge=0, le=1e12), _EMPTY_IS_NONE] = None
    """USD that fund cases from the top of the list by worth per dollar asked."""
    #: Begin after the case of this name.
    after: Annotated[str, Field(max_length=100)] = ""

    @property
    def order(self) -> Order:
        return self.sort or ("answer" if self.budget is None else "per_dollar")


def query_of(options: dict[str, Any]) -> CaseQuery:
    """The options of a command as a query.

    Raises:
        InputError: If an option has a wrong value.
    """
    try:
        return CaseQuery.model_validate(options)
    except ValidationError as caught:
        first = caught.errors(include_url=False)[0]
        where = f"--{first['loc'][0]}"
        raise InputError(
            f"is wrong: {first['msg'][:200]}", where=where, fix="see --help"
        ) from None


def top(amount: Number | None) -> float | None:
    """The upper end of an amount; None where it is unknown."""
    most = amount.high if isinstance(amount, Range) else amount
    return most if isinstance(most, float | int) else None


def worth_per_dollar(row: CaseRow) -> float | None:
    """The worth of a case per dollar of its ask, infinite for a free one.

    None where it can't be funded, whatever the budget.
    """
    worth = top(row.worth_usd)
    ask = top(row.ask_usd)
    if worth is None or ask is None or _why_never_funded(row):
        return None
    return worth / ask if ask > 0 else math.inf


def _ask_cents(row: CaseRow) -> int:
    """The upper end of a case's ask in whole cents, so that sums are exact."""
    return math.ceil(round(100 * (top(row.ask_usd) or 0.0), 4))


def _why_never_funded(row: CaseRow) -> str:
    """Why a case can't be funded by any budget; empty where it can."""
    if row.pending:
        return "being worked out"
    if row.answer is None:
        return "can’t be read"
    if row.answer == "no":
        return f"nothing for tuning: the answer is {ANSWER_WORDS[row.answer]}"
    if row.ask_usd is None:
        return "asks for nothing: there is no plan yet"
    if top(row.ask_usd) is None:
        return f"what it asks isn’t known: {_lacking_end(row.ask_usd)}"
    worth = top(row.worth_usd)
    if worth is None:
        return f"what it is worth isn’t known: {_lacking_end(row.worth_usd)}"
    if worth <= 0:
        return f"worth {usd(worth)} on average"
    return ""


def _lacking_end(amount: object) -> str:
    """What would settle an amount without an upper end."""
    return amount.ask if isinstance(amount, Unknown) else "it has no upper end"


ANSWERS: tuple[TuningAnswer, ...] = ("yes", "pilot", "open", "not_yet", "no")
_KEYS: dict[Order, Callable[[CaseRow], Any]] = {
    "answer": lambda row: row.answer and ANSWERS.index(row.answer),
    "name": lambda row: row.title.casefold() or None,
    "review": lambda row: row.review_on,
    "ask": lambda row: top(row.ask_usd),
    "stake": lambda row: top(row.worth_usd),
    "contradictions": lambda row: row.contradictions,
    "measured": lambda row: row.measured / row.answered if row.answered else None,
    "per_dollar": worth_per_dollar,
}
RISING = ("answer", "name", "review")  #: Orders in which the least comes first.


def in_order(
    rows: Iterable[CaseRow], order: Order, *, reverse: bool = False
) -> list[CaseRow]:
    """Sort rows; those with an unknown value come last in either direction."""
    # A rising order falls in reverse, and a falling one rises.
    falls = (order in RISING) == reverse
    key = _KEYS[order]
    # Sorts keep the order of equal rows, so that names decide at last.
    named = sorted(rows, key=lambda row: (row.title.casefold() or row.name, row.name))
    if order == "answer":  # inside a group by what is at stake, the most first
        named.sort(key=lambda row: -(top(row.worth_usd) or 0.0))
    known = [row for row in named if key(row) is not None]
    unknown = [row for row in named if key(row) is None]
    known.sort(key=key, reverse=falls)
    return known + unknown


class Totals(Record):
    """Sums over some cases. A case with the answer no has nothing at stake."""

    answers: dict[TuningAnswer, int]  #: Cases by answer, whichever is asked for.
    asking: int  #: Cases that ask for money now.
    ask_usd: Range  #: The sum of those asks that are known.
    ask_unknown: int
    above: int  #: Cases that ask for more than is at stake in them,
    above_usd: float  #: and what those ask at most.
    worth_usd: float  #: The worth of those cases, as far as it is known.
    worth_unknown: int
    measured: int  #: Answers that data settled,
    answered: int  #: of so many that are known.
    contradictions: int  #: Cases with an open contradiction.
    due: int  #: Cases whose review is due.
    problems: int  #: Cases that can't be read.
    #: Cases of the folder that are being worked out, whether they fit or not.
    pending: int
    since: date | None = None  #: The earliest day of one of those.


def totals(
    rows: Sequence[CaseRow], answers: Counter[TuningAnswer], pending: Sequence[CaseRow]
) -> Totals:
    """Add up the rows of cases; a case whose ask or worth is unknown is counted and not added."""
    asking = [row for row in rows if row.ask_usd is not None]
    staked = [row for row in asking if row.answer != "no"]
    above = [row for row in asking if _asks_more_than_is_at_stake(row)]
    asks = _sum_of_asks(asking)
    worth = [top(row.worth_usd) for row in staked]
    days = [row.as_of for row in pending if row.as_of is not None]
    return Totals(
        answers={answer: answers[answer] for answer in ANSWERS},
        asking=len(asking),
        ask_usd=asks,
        ask_unknown=len([row for row in asking if top(row.ask_usd) is None]),
        above=len(above),
        above_usd=sum(round(top(row.ask_usd) or 0.0) for row in above),
        worth_usd=sum(round(amount) for amount in worth if amount is not None),
        worth_unknown=worth.count(None),
        measured=sum(row.measured for row in rows),
        answered=sum(row.answered for row in rows),
        due=sum(row.due for row in rows),
        contradictions=len([row for row in rows if row.contradictions > 0]),
        problems=len([row for row in rows if row.problem]),
        pending=len(pending),
        since=min(days, default=None),
    )


def _sum_of_asks(rows: Sequence[CaseRow]) -> Range:
    """The sum of those asks that are known, in USD.

    In whole dollars, as each row shows its own: a reader adds them up.
    """
    low = 0
    high = 0
    for row in rows:
        most = top(row.ask_usd)
        if most is not None:
            least = row.ask_usd.low if isinstance(row.ask_usd, Range) else most
            low += round(least)
            high += round(most)
    return Range(low=low, high=high)


def _asks_more_than_is_at_stake(row: CaseRow) -> bool:
    ask = top(row.ask_usd)
    worth = top(row.worth_usd)
    return ask is not None and worth is not None and ask > max(worth, 0.0)


# Groups by answer, dates that hit several cases, and where an amount lies.


class GroupSum(Record):
    """Sums over the cases with one answer."""

    cases: int
    ask_usd: Range  #: The sum of those asks that are known.
    ask_unknown: int
    worth_usd: float  #: The worth of those cases, as far as it is known.
    worth_unknown: int


def _group_sums(rows: Sequence[CaseRow]) -> dict[TuningAnswer, GroupSum]:
    """The sums for each answer that some case has."""
    sums: dict[TuningAnswer, GroupSum] = {}
    for answer in ANSWERS:
        members = [row for row in rows if row.answer == answer]
        if not members:
            continue
        whole = totals(members, Counter(), ())
        sums[answer] = GroupSum(
            cases=len(members),
            ask_usd=whole.ask_usd,
            ask_unknown=whole.ask_unknown,
            worth_usd=whole.worth_usd,
            worth_unknown=whole.worth_unknown,
        )
    return sums


class SharedDate(Record):
    """A day on which the model of several cases ends."""

    on: date
    model: str
    cases: dict[str, str]  #: Names of their folders, each to the case's own.


def _shared_dates(rows: Sequence[CaseRow]) -> tuple[SharedDate, ...]:
    """Ends of models that two or more cases use, the earliest on top."""
    hit: dict[tuple[date, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.model_ends is not None:
            hit[row.model_ends, row.model][row.name] = row.title or row.name
    shared = []
    for (on, model), names in sorted(hit.items()):
        if len(names) > 1:
            shared.append(SharedDate(on=on, model=model, cases=names))
    return tuple(shared)


class Scale(Record):
    """The axis that the amounts of a list share, with square roots, so that small ones show."""

    low_usd: float
    high_usd: float

    def place(self, usd_amount: float) -> float:
        """The place of an amount, in percent of the axis."""
        low, at, high = map(_signed_root, (self.low_usd, usd_amount, self.high_usd))
        return 100 * min(max((at - low) / (high - low), 0.0), 1.0)


def _signed_root(amount: float) -> float:
    return math.copysign(math.sqrt(abs(amount)), amount)


def _scale(amounts: Iterable[float]) -> Scale | None:
    """An axis from the least to the most that includes zero; None without amounts."""
    ends = [0.0, *amounts]
    low = min(ends)
    high = max(ends)
    return Scale(low_usd=low, high_usd=high) if high > low else None


def _worth_ends(row: CaseRow) -> list[float]:
    worth = top(row.worth_usd)
    known = [] if worth is None else [worth]
    if row.worth_range is None:
        return known
    return [row.worth_range.low, row.worth_range.most, *known]


# A budget: the cases in the order of what they are worth for a dollar, as far as it goes.


class Funding(Record):
    """The cases that a budget pays for, taken in the order of their worth per dollar of the ask."""

    budget_usd: float
    ask_usd: float  #: The most that the funded cases ask together.
    worth_usd: float
    funded: dict[str, float | None]
    """The worth per dollar of each funded case by its name, the highest first; None for a free one."""
    left_out: dict[str, str]  #: Name of each other case to the reason.
    #: Name of the first case that isn't reached; empty where none is left.
    next: str = ""
    next_ask_usd: float | None = None  #: The most that this next case asks.

    @property
    def says(self) -> str:
        """Say which cases the budget pays for, and how much the next case would take."""
        budget = usd(self.budget_usd)
        cases = counted(len(self.funded), "case")
        asked = usd(self.ask_usd)
        worth = usd(self.worth_usd)
        pays = f"{budget} funds {cases} for {asked}, worth {worth} on average."
        if not self.funded:
            pays = f"{budget} funds no case."
        if self.next_ask_usd is None:
            return f"{pays} No other case can be funded."
        return f"{pays} The next one asks {usd(self.next_ask_usd)}."

    @property
    def says_line(self) -> str:
        """The line in the list at which the budget ends."""
        return f"The budget of {usd(self.budget_usd)} ends here: {usd(self.ask_usd)} asked above"

    def describe_funding(self, row: CaseRow) -> str:
        """Say whether a case is funded, and why not; empty for a case that asks for nothing."""
        if row.name in self.funded:
            worth = self.funded[row.name]
            if worth is None:
                return "funded"
            return f"funded: worth {usd(worth)} a dollar"
        if row.ask_usd is not None:
            return self.left_out.get(row.name, "")
        return ""


def fund(rows: Sequence[CaseRow], budget: float) -> Funding:
    """Fund cases in the order of their worth per dollar, until the budget ends.

    An ask counts with its upper end. The line is before the first case that would exceed the
    budget. Nothing below it is funded, so a larger budget never removes a case. An unknown ask or
    worth never counts as zero.
    """
    left_out: dict[str, str] = {}
    for row in rows:
        why = _why_never_funded(row)
        if why:
            left_out[row.name] = why
    ordered = in_order(rows, "per_dollar")
    candidates = [row for row in ordered if row.name not in left_out]
    # In whole cents, so that sums are exact.
    budget_cents = math.floor(100 * budget)
    funded_cases = _above_line(candidates, budget_cents)
    spent_cents = sum(_ask_cents(row) for row in funded_cases)
    below = candidates[len(funded_cases) :]
    for row in below:
        left_out[row.name] = _why_below_line(row, spent_cents, budget)
    first_below = below[0] if below else None
    return Funding(
        budget_usd=budget,
        ask_usd=spent_cents / 100,
        worth_usd=sum(top(row.worth_usd) or 0.0 for row in funded_cases),
        funded={row.name: _finite_worth_per_dollar(row) for row in funded_cases},
        left_out=left_out,
        next="" if first_below is None else first_below.name,
        next_ask_usd=None if first_below is None else _ask_cents(first_below) / 100,
    )


def _above_line(candidates: Sequence[CaseRow], budget_cents: int) -> list[CaseRow]:
    """The first cases that the budget pays for, up to the first one that exceeds it."""
    funded = []
    spent_cents = 0
    for row in candidates:
        spent_cents += _ask_cents(row)
        if spent_cents > budget_cents:
            break
        funded.append(row)
    return funded


def _finite_worth_per_dollar(row: CaseRow) -> float | None:
    """The worth of a case a dollar; None for one that asks for no money."""
    per_dollar = worth_per_dollar(row)
    return None if per_dollar == math.inf else per_dollar


def _why_below_line(row: CaseRow, spent_cents: int, budget: float) -> str:
    """Why a case below the line isn't funded, when so much goes to the cases above it."""
    fits = spent_cents + _ask_cents(row) <= math.floor(100 * budget)
    if fits:
        why = "which fits; one worth more a dollar comes first and doesn't"
    else:
        spent = usd(spent_cents / 100)
        why = f"and {spent} of {usd(budget)} go to what is worth more a dollar"
    return f"below the line: asks {usd(_ask_cents(row) / 100)}, {why}"


# The whole, as every surface shows it.


class Portfolio(Record):
    """Some cases of a folder, and the sums over all that fit a query."""

    cases: tuple[CaseRow, ...]
    total: int  #: Cases in the folder.
    matching: int  #: Of them, those that fit.
    more: bool  #: Whether more follow: ask again, after the last name.
    totals: Totals
    owners: tuple[str, ...]  #: Everybody who answers for a case of the folder.
    funding: Funding | None = None  #: For a budget.
    line: str = ""
    """The name of the first case that the budget doesn't reach; empty where the list has another
    order."""
    groups: dict[TuningAnswer, GroupSum] = {}
    """The sums for each answer, where the list is ordered by answer; empty in another order."""
    heads: dict[str, TuningAnswer] = {}  #: Name of the first case of each group.
    dates: tuple[SharedDate, ...] = ()  #: Days that hit several of the cases.
    ask_scale: Scale | None = None
    worth_scale: Scale | None = None

    @property
    def says(self) -> str:
        """Say how many cases there are, and how many of them fit."""
        cases = counted(self.total, "case")
        if self.total == self.matching:
            return cases
        return f"{self.matching:,} of {cases}"


def portfolio(
    every: Sequence[CaseRow], query: CaseQuery, most: int | None = None
) -> Portfolio:
    """The rows that fit, in order, at most ``most`` after ``query.after``; and the sums of all."""
    words = query.find.casefold().split()
    fitting = [
        row
        for row in every
        if all(word in f"{row.name} {row.title}".casefold() for word in words)
        and query.owner in ("", row.owner)
        and row.contradictions >= query.contradictions
        and row.due >= query.due
    ]
    answers = Counter(row.answer for row in fitting if row.answer is not None)
    answered = [row for row in fitting if query.answer in ("", row.answer)]
    ordered = in_order(answered, query.order, reverse=query.reverse)
    begin = next(
        (n for n, row in enumerate(ordered, 1) if row.name == query.after), None
    )
    if begin is None and query.after:
        raise InputError(
            "isn't in this list any more", where=query.after, fix="begin it again"
        )
    begin = begin or 0
    page = ordered[begin : None if most is None else begin + most]
    funding = None if query.budget is None else fund(ordered, query.budget)
    falls = funding is not None and query.order == "per_dollar" and not query.reverse
    heads: dict[TuningAnswer, str] = {}
    for row in ordered if query.order == "answer" else ():
        if row.answer is not None:
            heads.setdefault(row.answer, row.name)
    asks = [ask for row in ordered if (ask := top(row.ask_usd)) is not None]
    return Portfolio(
        cases=tuple(page),
        total=len(every),
        matching=len(ordered),
        more=begin + len(page) < len(ordered),
        totals=totals(ordered, answers, [row for row in every if row.pending]),
        owners=tuple(sorted({row.owner for row in every if row.owner})),
        funding=funding,
        line=funding.next if funding and falls else "",
        groups=_group_sums(ordered) if heads else {},
        heads={name: answer for answer, name in heads.items()},
        dates=_shared_dates(ordered),
        ask_scale=_scale(asks),
        worth_scale=_scale(end for row in ordered for end in _worth_ends(row)),
    )


STAKE = (
    "At stake is a case’s average worth over its months (net present value), a pilot’s failure "
    "counted in; an ask is all that is spent up to the next decision. "
    "What isn’t known never counts as nothing."
)


def document(listed: Portfolio, folder: str) -> b.Document:
    """The document of a portfolio."""
    chosen = listed.funding
    people = any(row.owner or row.review_on for row in listed.cases)
    titles = "Case | Answer | #Ask now | #At stake | #Measured | Ceiling"
    if people:
        titles += " | Owner, review"
    if chosen:
        titles += " | Budget"
    empty = [""] * titles.count("|")
    rows: list[tuple[str, ...]] = []
    for row in listed.cases:
        if chosen and row.name == listed.line:
            rows.append((chosen.says_line, *empty))
        clash = ""
        if row.contradictions:
            clash = f"; {several(row.contradictions, 'contradiction')}"
        state = row.problem or ("being worked out" if row.pending else "")
        worth = "–" if row.worth_usd is None else dollars(row.worth_usd)
        amounts = (row.asks or "–", worth)
        measured = share(row.measured / row.answered) if row.answered else "–"
        more = []
        if people:
            more.append(", ".join(filter(None, (row.owner, row.review))))
        if chosen:
            more.append(chosen.describe_funding(row))
        answer = f"{ANSWER_WORDS[row.answer]}{clash}" if row.answer else state
        grade = row.grade or "–"
        rows.append((row.title or row.name, answer, *amounts, measured, grade, *more))
    sections = [
        b.section("totals", "", b.facts(total_facts(listed))),
        b.section(
            "cases", "", b.table("Cases", titles, rows) if rows else "No case fits."
        ),
    ]
    return b.Document(folder, listed.says, sections, after=(STAKE,))


def _lacks(unknown: int) -> str:
    return f"; not known for {few(unknown)}" if unknown else ""


def _who_asks(sums: Totals) -> str:
    """Say how many cases ask for money, and how much of it by cases with less at stake."""
    known = sums.asking - sums.ask_unknown
    by = counted(known, "case")
    if sums.ask_unknown:
        by += f", not known for {few(sums.ask_unknown)} more"
    if not sums.above:
        return f"by {by}"
    cases = counted(sums.above, "case")
    return f"by {by}; {usd(sums.above_usd)} of it by {cases} with less at stake"


def total_facts(listed: Portfolio) -> Iterator[b.Fact]:
    """The sums over the cases, in words."""
    sums = listed.totals
    by = [
        f"{many} {ANSWER_WORDS[answer]}"
        for answer, many in sums.answers.items()
        if many
    ]
    yield b.Fact("Answers", listing(by) or "none")
    asked = usd_range(sums.ask_usd.low, float(sums.ask_usd.high))
    yield b.Fact(
        "Asked now",
        asked,
        _who_asks(sums),
    )
    yield b.Fact(
        "At stake",
        usd(sums.worth_usd),
        f"where the answer isn’t no{_lacks(sums.worth_unknown)}",
    )
    measured = share(sums.measured / sums.answered) if sums.answered else "nothing"
    yield b.Fact("Measured", measured, f"of {counted(sums.answered, 'answer')}")
    counts = {
        "with an open contradiction": sums.contradictions,
        "due for review": sums.due,
    }
    if sums.since:
        until = f" (until then shown as they were on {day(sums.since)} or later)"
    else:
        until = ""
    counts |= {
        "that can’t be read": sums.problems,
        f"being worked out{until}": sums.pending,
    }
    if to_do := [
        f"{counted(many, 'case')} {what}" for what, many in counts.items() if many
    ]:
        yield b.Fact("To look at", sentence(listing(to_do)))
    if listed.funding is not None:
        yield b.Fact("Budget", listed.funding.says)


# What was worked out, kept for the next start.

_LARGEST = 16 * MIB
_TABLE = (
    "CREATE TABLE IF NOT EXISTS kept "
    "(place, name, key, counts, row, dossier, PRIMARY KEY (place, name)) WITHOUT ROWID"
)


class KeptRow(NamedTuple):
    """A computed row, and the key of everything that it depends on."""

    key: str  #: Of all that it was made from but the day; empty for none.
    counts: str  #: Digest of what counts of the day.
    row: CaseRow


@cache
def _program() -> str:
    """A text that differs for another version of the program, or after a change of its files."""
    here = Path(__file__).parents[1]
    files = sorted(path for path in here.rglob("*.*") if path.suffix != ".pyc")
    states = (
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files
    )
    return hashlib.sha256("\n".join((__version__, *states)).encode()).hexdigest()


class KeptCases:
    """Rows and dossiers in a file of the user's cache folder, readable only by the user.

    It only saves time. A file that can't be read or written, is broken, or belongs to another
    program counts as empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = Lock()
        base = None
        with suppress(OSError, sqlite3.Error):
            base = self._open_database(path) if path is not None else None
        self._base = base or sqlite3.connect(":memory:", check_same_thread=False)
        finalize(self, self._base.close)

    def _open_database(self, path: Path) -> sqlite3.Connection:
        """Open the database of kept rows; delete a file that isn't one, and raise the error."""
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        base = sqlite3.connect(
            path, timeout=0.5, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in (
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = NORMAL",
                _TABLE,
            ):
                base.execute(statement)
        except sqlite3.Error as caught:
            base.close()
            if "not a database" in str(caught):  # it is begun anew at the next start
                path.unlink()
            raise
        return base

    def _run(self, statement: str, *values: object) -> list[Any]:
        with self._lock, suppress(sqlite3.Error):
            return self._base.execute(statement, values).fetchall()
        return []

    def rows(self, place: str) -> dict[str, KeptRow]:
        """The last row of each case; {} for none."""
        rows = dict[str, KeptRow]()
        asked = "SELECT name, key, counts, row FROM kept WHERE place = ? AND length(row) < ?"
        for name, made_from, counts, text in self._run(asked, place, MIB):
            with suppress(ValueError):
                row = CaseRow.model_validate_json(text)
                program, _, key = str(made_from).partition(" ")
                own = program == _program() and row.name == name
                rows[str(name)] = KeptRow(key if own else "", str(counts), row)
        return rows

    def dossier(self, place: str, name: str, key: str, day: date) -> Dossier | None:
        """The dossier of this day with this key; None where none is kept."""
        asked = "SELECT dossier FROM kept WHERE place = ? AND name = ? AND key = ?"
        for (data,) in self._run(asked, place, name, f"{_program()} {key}"):
            with suppress(ValueError, TypeError, zlib.error):
                text = zlib.decompressobj().decompress(data, _LARGEST)
                dossier = Dossier.model_validate_json(text)
                return dossier if dossier.as_of == day else None
        return None

    def keep(self, place: str, kept: KeptRow, dossier: Dossier | None = None) -> None:
        """Keep a row, and its dossier if there is one, instead of the former ones."""
        data = None
        if dossier is not None:
            data = zlib.compress(dossier.model_dump_json(by_alias=True).encode(), 1)
        text = kept.row.model_dump_json(exclude_defaults=True)
        statement = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?)"
        key = f"{_program()} {kept.key}"
        self._run(statement, place, kept.row.name, key, kept.counts, text, data)

    def keep_row(self, place: str, kept: KeptRow) -> None:
        """Keep a row instead of the former one; its dossier stays."""
        text = kept.row.model_dump_json(exclude_defaults=True)
        statement = "UPDATE kept SET row = ? WHERE place = ? AND name = ? AND key = ?"
        self._run(statement, text, place, kept.row.name, f"{_program()} {kept.key}")
