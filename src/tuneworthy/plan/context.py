"""Everything the phases of a plan are made from: the case, its framework, hours of work, and dates."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias, cast

from tuneworthy.model.base import MONTHS_PER_QUARTER, Interval, Range, Unknown
from tuneworthy.model.case import Amount, Case
from tuneworthy.model.dossier import (
    ApproachResult,
    DataNeed,
    Part,
    Phase,
    Step,
    TargetResult,
)
from tuneworthy.model.framework import (
    CostRow,
    CostTable,
    Framework,
    PlanRule,
    Span,
    StepWork,
    TargetId,
)
from tuneworthy.money.terms import (
    LACKING,
    LACKING_FIRST,
    CostModel,
    CostPart,
    collecting_hours,
)
from tuneworthy.stats.intervals import cases_to_tell
from tuneworthy.verdict.situation import LiveCondition
from tuneworthy.ways.way import TargetCriterion
from tuneworthy.words import count, listing, number, plain, quality, usd

# Working days: when each phase starts and ends.

DAYS_PER_WEEK = 5  #: Working days.

#: Ids of the phases that have to be done before another.
Needs: TypeAlias = tuple[str, ...]

_LAST_DAY = date.max.toordinal()
_FOREVER_WEEKS = 1e9  # longer than every calendar, and still a number
_SPECK = 1e-9  # a rounding error isn't a further day


class NoPlanError(Exception):
    """There is no plan; the message says what would make one possible. It never leaves this room."""

    def __init__(self, ask: str) -> None:
        self.ask = ask
        super().__init__(ask)


class BookedDays(NamedTuple):
    """The first and the last day of a phase."""

    first: date
    last: date


class Calendar:
    """Gives every phase its dates.

    One team works ``hours_per_week`` on one phase at a time. A phase starts as soon as the phases
    it needs are done and the team is free, and takes the upper end of its hours. During the
    ``weeks`` that a phase has to wait, the team is free for other phases.
    """

    def __init__(self, start: date, hours_per_week: float) -> None:
        self.start = day(start, 0)
        self.hours_per_week = hours_per_week
        # days are numbers of working days from the start; an end is the day after the last one
        self._ends: dict[str, int] = {}
        # begin and end of each phase of the team
        self._busy: list[tuple[int, int]] = []

    def book(
        self, name: str, hours: float, needs: Needs = (), weeks: float = 0.0
    ) -> BookedDays:
        """Book a phase, after all phases that it needs, and return its first and last day.

        A phase with ``weeks`` waits for others, so the team is free for other phases meanwhile.

        Raises:
            NoPlanError: If it ends after the year 9999.
        """
        lasts_weeks = min(max(hours / self.hours_per_week, weeks), _FOREVER_WEEKS)
        length = max(1, math.ceil(lasts_weeks * DAYS_PER_WEEK - _SPECK))
        first = max((self._ends[need] for need in needs), default=0)
        if not weeks:
            first = self._free(first, length)
            self._busy.append((first, first + length))
        end = first + length
        self._ends[name] = end
        day(self.start, end)  # the team has to be free again within the calendar
        return BookedDays(day(self.start, first), day(self.start, end - 1))

    @property
    def weeks(self) -> float:
        """Weeks of working days until every booked phase is done."""
        return max(self._ends.values()) / DAYS_PER_WEEK

    def _free(self, ready: int, length: int) -> int:
        """The first day from ``ready`` on at which the team is free for ``length`` days."""
        for begin, end in sorted(self._busy):
            if ready + length <= begin:
                break  # it fits before this phase
            ready = max(ready, end)
        return ready


def day(start: date, number: int) -> date:
    """The working day with this number; number 0 is ``start``, or the Monday after its weekend.

    Raises:
        NoPlanError: If it lies after the year 9999.
    """
    weekday = start.weekday()
    first = start.toordinal()
    if weekday >= DAYS_PER_WEEK:  # on to Monday
        first = first + 7 - weekday
        weekday = 0
    monday = first - weekday
    weeks, weekday = divmod(weekday + number, DAYS_PER_WEEK)
    ordinal = monday + weeks * 7 + weekday
    if ordinal > _LAST_DAY:
        raise NoPlanError(
            "check the hours and economics.hours_per_week: the plan ends after the year 9999"
        )
    return date.fromordinal(ordinal)


# What a phase costs.

_NOTHING = Range.between(0.0, 0.0)
_WITH_A_PHASE = {
    "data_preparation",
    "training",
    "evaluation",
    "deployment",
    LACKING,
    LACKING_FIRST,
}  #: Categories of upfront costs that a phase takes its hours from.


class PlannedCases(NamedTuple):
    """How large an evaluation set is to be: one number for the plan, and for who draws the set."""

    held_out: int  #: Half of the set.
    #: Whether it tells today's quality from its target, or is the framework's number.
    tells: bool

    @property
    def all(self) -> int:
        """Cases of the whole set."""
        return 2 * self.held_out


def plan_cases(case: Case, fewest: int) -> PlannedCases:
    """As many cases as tell today's quality from its target, half of them held out.

    The framework's number, ``fewest``, where no quality is known, or it is met, or telling takes
    more cases than labelling is worth.
    """
    by_framework = PlannedCases(fewest, tells=False)
    target = case.targets.quality
    today = case.today
    if target is None or today.quality is None or today.quality >= target.at_least:
        return by_framework
    whole_set = cases_to_tell(today.quality, target.at_least, today.cases or fewest)
    if whole_set is None:
        return by_framework
    return PlannedCases(whole_set // 2, tells=True)


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """Hours of work with USD on top, or, where it is ``priced``, USD that include the work."""

    hours: Range = _NOTHING
    usd: Range = _NOTHING
    priced: bool = False

    def __add__(self, other: PhaseCost) -> PhaseCost:
        return PhaseCost(self.hours + other.hours, self.usd + other.usd)


def cost_of(
    hours: Span | Amount | None = None, usd: Span | Amount | None = None
) -> PhaseCost:
    """The cost of work, with money on top; nothing for what is missing."""
    work = Range.between(hours.low, hours.high) if hours else _NOTHING
    money = Range.between(usd.low, usd.high) if usd else _NOTHING
    return PhaseCost(work, money)


@cache
def phase_words() -> dict[str, dict[str, Any]]:
    """The words of every phase, and other words of the plan: by goal, by unit of data, and notes."""
    return tomllib.loads(
        files("tuneworthy.plan").joinpath("phases.toml").read_text("utf-8")
    )


class _PhaseTexts(NamedTuple):
    """The words of a phase with their gaps filled."""

    title: str
    done_when: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanContext:
    """Everything that phases are made from, and the phases made so far."""

    case: Case
    framework: Framework
    rule: PlanRule
    fits: Sequence[ApproachResult]  #: Approaches, the primary one first.
    #: The kind of tuning that is judged, with its data.
    approach: ApproachResult | None
    criterion: TargetCriterion  #: The criterion that a way has to meet.
    targets: Mapping[TargetId, TargetResult]  #: Each target against today.
    #: The conditions that have to hold before a tuned model goes live.
    conditions: Sequence[LiveCondition]
    because: str  #: The finding that decides.
    moving: Sequence[str]  #: Reasons against that still have to come to rest.
    lacking: DataNeed | None  #: The data that is too little, and how much is usual.
    calendar: Calendar
    money: CostModel
    more_cases: int | None  #: Cases to label more; None where the number is unknown.
    phases: list[Phase] = field(default_factory=list)

    @property
    def every_phase(self) -> Needs:
        """The ids of all phases so far, as what a later phase needs."""
        return tuple(phase.id for phase in self.phases)

    def has_phase(self, name: str) -> bool:
        """Whether a phase with this id is in the plan."""
        return name in self.every_phase

    def say(
        self,
        name: str,
        needs: Needs = (),
        cost: PhaseCost | StepWork | None = None,
        *,
        weeks: float = 0.0,
        id: str = "",
        part: Part = "steps",
        **details: str,
    ) -> Needs:
        """Append a phase of ``phases.toml`` with its dates to the plan. Returns its id as a need.

        ``details`` fill the gaps in the phase's words. A detail may be several steps, one a line;
        an empty one is left out. Without a ``cost``, the file says how to compute it. Hours are
        priced at the case's rate, which may be unknown. The phase takes at least ``weeks``, during
        which the team is free for other phases.
        """
        words = phase_words()[name]
        texts = self._fill_gaps(words, details)
        cost = cost or self._cost(name)
        weeks = weeks or words.get("weeks", 0.0)
        if isinstance(cost, StepWork):
            weeks = weeks or cost.weeks
            cost = cost_of(cost.hours)
        phase_id = id or words.get("id", name)
        booked = self.calendar.book(phase_id, cost.hours.most, needs, weeks)
        self.phases.append(
            Phase(
                id=phase_id,
                title=texts.title,
                part=words.get("part", part),
                hours=cost.hours,
                usd=cost.usd + self._price_of_work(cost),
                needs=needs,
                start=booked.first,
                end=booked.last,
                steps=texts.steps,
                done_when=texts.done_when,
            )
        )
        return (phase_id,)

    def _fill_gaps(
        self, words: Mapping[str, Any], details: Mapping[str, str]
    ) -> _PhaseTexts:
        """Fill the gaps in a phase's words with the plan's own words and with ``details``."""
        gaps = {
            "cases": self.cases,
            "approach": self.approach_title,
            "quality": self.quality,
            "criterion": self.criterion_words,
            **details,
        }
        steps = list[str]()
        for text in words["steps"]:
            lines = text.format(**gaps).split("\n")  # a detail may be several steps
            steps += [line for line in lines if line]
        return _PhaseTexts(
            title=words["title"].format(**gaps),
            done_when=self._done_when(words).format(**gaps),
            steps=tuple(steps),
        )

    def _price_of_work(self, cost: PhaseCost) -> Range:
        """USD of the hours at the case's rate, open upwards where the rate is unknown.

        Nothing where the cost includes the work already.
        """
        if cost.priced:
            return _NOTHING
        rate = self.case.economics.hourly_rate_usd
        if rate is None:
            return Range.between(0.0, math.inf if cost.hours.most > 0 else 0.0)
        return Range.between(cost.hours.low * rate.low, cost.hours.most * rate.high)

    def _done_when(self, words: Mapping[str, Any]) -> str:
        """The condition that ends a phase, in other words where the case lacks a target they name."""
        done: str = words["done"]
        lacks_quality = "{quality}" in done and not self.quality
        lacks_criterion = "{criterion}" in done and not self.criterion_words
        if lacks_quality or lacks_criterion:
            done = words["untargeted"]
        return done

    def _cost(self, name: str) -> PhaseCost | StepWork:
        """The cost of a phase, as ``phases.toml`` says how to compute it.

        By shares of upfront costs, by a quarter of running ones, or by a step of the framework.
        """
        words = phase_words()[name]
        if "running" in words:
            return self.running(*words["running"])
        if "upfront" in words:
            return self.upfront_shares(words["upfront"])
        return cast("StepWork", getattr(self.rule.steps, words.get("work", name)))

    def upfront_shares(self, upfront: Mapping[str, str]) -> PhaseCost:
        """Shares of the upfront costs; ``upfront`` names the share of each category."""
        rule = self.rule
        shares = {
            "all": 1.0,
            "pilot": rule.pilot_share,
            "after the pilot": 1 - rule.pilot_share,
            # an evaluation is its design and two comparisons, one of them in the pilot
            "design": rule.design_share,
            "one comparison": (1 - rule.design_share) / 2,
            "design and one comparison": (1 + rule.design_share) / 2,
        }
        total = CostPart()
        for category, share in upfront.items():
            total += self.upfront(category).times(shares[share])
        return self.priced(total)

    # Words that several phases share.

    @property
    def held_out(self) -> int:
        """The number of held-out cases."""
        return plan_cases(self.case, self.rule.evaluation_cases).held_out

    @property
    def cases(self) -> str:
        return count(self.held_out)

    @property
    def quality(self) -> str:
        """The case's target of quality, as ``0.90 by exact match``; empty when none is stated."""
        target = self.case.targets.quality
        if target:
            return f"{quality(target.at_least)} by {plain(target.metric)}"
        return ""

    @property
    def limits(self) -> list[str]:
        """The case's limits of latency and cost, each as a clause."""
        targets = self.case.targets
        limits = []
        if targets.latency_p95_s is not None:
            limits.append(f"95 of 100 answers within {number(targets.latency_p95_s)} s")
        if targets.usd_per_month is not None:
            limits.append(f"at most {usd(targets.usd_per_month)}{self.case.a_month}")
        return limits

    @property
    def criterion_words(self) -> str:
        """The criterion as a list of clauses about a way; empty where no target is stated.

        A way has to gain what today misses, and must not lose what today meets.
        """
        clauses = self._criterion_clauses()
        if not set(clauses) - {"privacy"}:
            return ""  # privacy alone is no target to be good enough for
        gained = []
        kept = []
        for name, clause in clauses.items():
            if self.targets[name].state == "met":
                kept.append(clause)
            else:
                gained.append(clause)
        if not gained:
            return listing(kept)
        if not kept:
            return listing(gained)
        return f"{listing(gained)}, and still {listing(kept)}"

    def _criterion_clauses(self) -> dict[TargetId, str]:
        """The clause of the criterion for each target that counts."""
        limits = self.criterion.limits
        floor = self.criterion.quality_floor
        clauses: dict[TargetId, str] = {}
        if "quality" in limits and self.quality:
            clauses["quality"] = f"{self.quality} or more by the whole 95% interval"
        elif floor is not None:
            margin = number(100 * self.criterion.margin_quality)
            clauses["quality"] = (
                f"a quality of {quality(floor)} or more by the whole 95% interval "
                f"(today's less {margin} points)"
            )
        if "latency" in limits:
            clauses["latency"] = (
                f"95 of 100 answers within {number(limits['latency'])} s"
            )
        if "cost" in limits:
            clauses["cost"] = (
                f"a bill of at most {usd(limits['cost'])}{self.case.a_month}"
            )
        if self.criterion.private == "yes":
            clauses["privacy"] = "no data that leaves"
        return clauses

    @property
    def missed(self) -> list[TargetId]:
        """Targets that are missed today."""
        return [
            name for name, target in self.targets.items() if target.state == "missed"
        ]

    @property
    def scored(self) -> bool:
        """Whether the quality of today's answers is known."""
        return self.case.today.quality is not None and bool(self.case.today.cases)

    @property
    def approach_title(self) -> str:
        """The title of the tuning."""
        if self.approach:
            return self.approach.title
        return "the approach that fits the goal"

    # What work takes: from the case where it is stated, else from the framework. Each raises
    # ``NoPlanError`` for a figure that neither gives.

    def priced(self, part: CostPart) -> PhaseCost:
        """A part of the investment in its own figures, open upwards where hours have no rate."""
        model = self.money
        hours = model.amount(part.hours)
        price = model.priced(part.usd)
        if price is None:
            # the terms that are known, and nobody knows how much more
            inputs = set(model.inputs)
            known = [term for term in part.usd if set(term.names) <= inputs]
            least = model.amount(tuple(known)).low
            price = Interval(least, least, math.inf)
        return PhaseCost(
            Range.between(hours.low, hours.high),
            Range.between(price.low, price.high),
            priced=True,
        )

    def upfront(self, category: str) -> CostPart:
        """A category of the upfront costs. Deployment includes those categories that have no phase.

        Raises a NoPlanError where neither the case nor the framework has any upfront costs.
        """
        parts = self.money.upfront_parts
        is_known = category in parts or category in (LACKING, LACKING_FIRST)
        stated = self.case.economics.upfront.by_category
        if not is_known and not stated and not self._cost_rows("upfront"):
            self._row("upfront", category)  # raises
        part = parts.get(category, CostPart())
        if category == "deployment":
            for name, other in parts.items():
                if name not in _WITH_A_PHASE:
                    part += other
        return part

    def running(self, *categories: str) -> PhaseCost:
        """Some running costs for three months, or for all of a job that runs once.

        Raises a NoPlanError for a category that neither the case nor the framework has.
        """
        parts = self.money.running_parts
        in_total = self.case.economics.monthly.ongoing_usd is not None
        total = CostPart()
        for category in categories:
            if category in parts:
                total += parts[category]
            elif not in_total and category != "other":  # other costs may be none
                self._row("ongoing", category)
        return self.priced(total.times(1 if self.case.one_off else MONTHS_PER_QUARTER))

    def table(self, category: str) -> PhaseCost:
        """The framework's own row; the case's statement only where the framework has none."""
        if category in self._cost_rows("upfront"):
            row = self._row("upfront", category)
            return cost_of(row.hours, row.usd)
        return self.priced(self.upfront(category))

    def _cost_rows(self, table: CostTable) -> Mapping[str, CostRow]:
        """The rows of one of the framework's tables; {} without costs."""
        costs = self.framework.costs
        return {} if costs is None else dict(getattr(costs, table))

    def _row(self, table: CostTable, category: str) -> CostRow:
        """A row of the framework's tables; a NoPlanError without one."""
        rows = self._cost_rows(table)
        if category not in rows:
            raise NoPlanError(
                f"add costs.{table}.{category} to the framework, or state it in economics"
            )
        return rows[category]

    def trying(self, step: Step) -> PhaseCost:
        """The hours of a step, else those of its option, else the range over all options."""
        if isinstance(step.hours, Range):
            return PhaseCost(step.hours)
        if not isinstance(step.hours, Unknown):
            return PhaseCost(Range.between(step.hours, step.hours))
        options = self.framework.options
        if step.option in options and options[step.option].effort_hours is not None:
            return cost_of(options[step.option].effort_hours)
        efforts = [option.effort_hours for option in options.values()]
        known = [effort for effort in efforts if effort is not None]
        if not known:
            raise NoPlanError(
                f"add options.{step.option}.effort_hours to the framework"
            )
        least = min(effort.low for effort in known)
        most = max(effort.high for effort in known)
        return cost_of(Span(low=least, high=most))

    def labelling(self, cases: int) -> PhaseCost:
        """Hours to label these cases, at the usual time for a case in the design of an evaluation."""
        part = self.money.upfront_parts.get("evaluation")
        if part is not None and part.hours:
            evaluation = self.priced(part)
        else:
            evaluation = self.table("evaluation")
        # the design is for the framework's number of cases
        usual = max(self.rule.evaluation_cases, 1)
        times = self.rule.design_share * cases / usual
        hours = evaluation.hours
        return PhaseCost(Range.between(hours.low * times, hours.most * times))

    def collected(self, unit: str, wanted: float, have: float | None) -> PhaseCost:
        """Hours to prepare the data that is missing; all of it where nobody counted what exists."""
        hours = collecting_hours(self.rule, unit, wanted, have)
        if hours is None:
            raise NoPlanError(f"add plan.per_hour.{unit} to the framework")
        return PhaseCost(hours)
