"""The facts of a case that the rules read, its conditions for going live, and the steps of a ruling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import NamedTuple

from tuneworthy.answers.facts import CaseFacts
from tuneworthy.facts.load import untunable
from tuneworthy.facts.records import UNCONFIRMED
from tuneworthy.model.base import State, Strings
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import GateId, GateResult, TuningAnswer, Verdict
from tuneworthy.model.framework import JudgementRule, TargetId
from tuneworthy.model.ways import LabArm
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.verdict.prize import Prize, weigh_prize
from tuneworthy.ways.gap import SEARCHED
from tuneworthy.ways.table import WayTable, build_table
from tuneworthy.ways.untried import find_option
from tuneworthy.ways.way import Way
from tuneworthy.words import day, plain


@dataclass(frozen=True, slots=True)
class LiveCondition:
    """Something that has to hold before a *yes* or a pilot."""

    id: GateId
    state: State
    why: str  #: Its state in words.
    once: str  #: The condition, worded so that it follows *once*.
    #: Whether a no is something that somebody can accept.
    may_be_accepted: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something still has to be settled."""
        return self.state == "unknown" or (self.state == "no" and self.may_be_accepted)

    @property
    def forbids(self) -> bool:
        """Whether it rules out a pilot."""
        return self.state == "no" and not self.may_be_accepted


def find_conditions(
    case: Case, money: GateResult, as_of: date
) -> tuple[LiveCondition, ...]:
    """Conditions of service, safety and money, in this order.

    A stated no rules out a pilot. Only money that comes back late doesn't, as a team can accept
    that. Unknown conditions are named beside the answer.
    """
    return (_service(case, as_of), _safety(case), _money(case, money))


def _service(case: Case, as_of: date) -> LiveCondition:
    """The condition that a service or a machine to tune on exists."""
    tuning = case.tuning
    once = "a service or a machine to tune on is named"
    if tuning.available == "no":
        why = f"the {plain(tuning.service)} service doesn't take new work"
        return LiveCondition("feasibility", "no", why, once)
    if tuning.until is not None and tuning.until <= as_of:
        return LiveCondition(
            "feasibility", "no", f"the service ended on {day(tuning.until)}", once
        )
    if problem := "" if tuning.service == "self_hosted" else untunable(case, as_of):
        unsure = problem.endswith(UNCONFIRMED)
        return LiveCondition(
            "feasibility", "unknown" if unsure else "no", problem, once
        )
    if tuning.available == "yes" or tuning.service == "self_hosted":
        return LiveCondition(
            "feasibility", "yes", "there is a service or a machine to tune on", once
        )
    return LiveCondition(
        "feasibility", "unknown", "where it would be tuned isn't stated", once
    )


def _safety(case: Case) -> LiveCondition:
    """The condition that the data and the process are safe."""
    lacking: list[str] = []
    states = [case.safety.data_reviewed, case.safety.process_named]
    once = "the data is reviewed and a process for safety is named"
    if case.safety.data_reviewed == "no":
        lacking.append("the data isn't reviewed")
    if case.safety.process_named == "no":
        lacking.append("no process for safety is named")
    if lacking:
        return LiveCondition("safety", "no", " and ".join(lacking), once)
    if "unknown" in states:
        why = "whether the data is reviewed and a process for safety is named isn't stated"
        return LiveCondition("safety", "unknown", why, once)
    return LiveCondition(
        "safety", "yes", "the data is reviewed and a process is named", once
    )


def _money(case: Case, gate: GateResult) -> LiveCondition:
    """Whether the money comes back in time. Another rule covers money that never comes back."""
    once = f"the owner states what it is worth{case.a_month}"
    monthly = case.economics.monthly
    if monthly.api_savings_usd is not None or monthly.quality_value_usd is not None:
        once = "it is settled whether it pays"
    if gate.state == "no":
        once = "the approver accepts that it is repaid later than the limit"
    return LiveCondition("investment", gate.state, gate.why, once, may_be_accepted=True)


def unsafe(case: Case) -> tuple[State, Strings]:
    """The state of safety, and the answers behind it: those that are no, else the open ones."""
    for state in ("no", "unknown"):
        names = [
            n
            for n in ("data_reviewed", "process_named")
            if getattr(case.safety, n) == state
        ]
        if names:
            return state, tuple(names)
    return "yes", ()


class StepToDo(NamedTuple):
    """A step: its kind, its reason, and its way if it is about one."""

    option: str
    because: str
    way: Way | None = None


class Ruling(NamedTuple):
    """The answer of a rule, with its reason and its steps."""

    answer: TuningAnswer
    because: str  #: The decisive finding, as one clause.
    steps: tuple[StepToDo, ...]
    conditions: Strings = ()  #: The conditions to settle on the way to it.
    way: Way | None = None  #: The way that decides.
    rule: JudgementRule | str = "no_target"


@dataclass(frozen=True)
class Situation:
    """A case with its table of ways and everything else that the rules read."""

    facts: CaseFacts
    table: WayTable
    outcome: Verdict  #: The framework's count.
    #: Service, safety and money: yes, no or unknown.
    conditions: tuple[LiveCondition, ...]
    prize: Prize  #: All that tuning can bring over the life of the use case.
    find_contradicted: Callable[[CaseFacts], Strings]
    """Returns the paths of statements in an open contradiction."""
    rebuild: Callable[[CaseFacts], Situation]  #: The same with other facts.

    @cached_property
    def contradicted(self) -> frozenset[str]:
        """Answers with a statement in an open contradiction."""
        names = set()
        for path in self.contradicted_paths:
            room, *rest = path.split(".")
            if room == "factors" and rest:
                name, *_ = rest
                names.add(name)
        return frozenset(names)

    @cached_property
    def contradicted_paths(self) -> Strings:
        """Paths of statements in an open contradiction."""
        return self.find_contradicted(self.facts)

    @property
    def money_contradicted(self) -> bool:
        """Whether an open contradiction is about an amount."""
        return any(path.startswith(_AMOUNTS) for path in self.contradicted_paths)

    def is_on(self, rule: JudgementRule) -> bool:
        """Whether the framework uses a rule."""
        return rule in self.facts.framework.judgement

    @property
    def missed(self) -> tuple[TargetId, ...]:
        """Targets that are missed today."""
        return self.table.gap.missed

    @property
    def targeted(self) -> bool:
        """Whether the aim is stated.

        Limits of seconds and USD aren't enough where the answers are stated to be not good enough.
        """
        if "quality" in self.facts.limits or self.missed:
            return bool(self.facts.limits)
        fine = self.facts.state("success_with_prompts") != "no"
        return bool(self.facts.limits) and fine

    def with_way(self, way: Way, other: Way) -> Situation:
        """The same situation with one way replaced."""
        ways = [other if each is way else each for each in self.table.ways]
        return replace(self, table=replace(self.table, ways=ways))

    @property
    def open_conditions(self) -> Strings:
        """Open conditions of service, safety and money."""
        return tuple(each.once for each in self.conditions if each.is_open)

    @property
    def forbidding(self) -> LiveCondition | None:
        """The first open condition that rules out a pilot; None without one."""
        return next((each for each in self.conditions if each.forbids), None)

    @cached_property
    def moves(self) -> str:
        """The requirements that still change, in words; empty where none does."""
        if self.facts.holds("exploration_phase"):
            return "you are still finding out what users need"
        if self.facts.behaviour_changes:
            return "what counts as a good answer changes about every month"
        return ""


_AMOUNTS = ("economics.monthly", "today.usd_per_month")


def build_situation(
    facts: CaseFacts,
    table: WayTable,
    arms: Sequence[LabArm],
    outcome_of: Callable[[CaseFacts], Verdict],
    money: MoneyFindings,
    contradicted: Callable[[CaseFacts], Strings],
    as_of: date,
) -> Situation:
    """Build the situation of a case, which can build itself again from changed facts."""

    def build(facts: CaseFacts, table: WayTable) -> Situation:
        """Build the situation for these facts; it can build itself again for others."""
        return Situation(
            facts=facts,
            table=table,
            outcome=outcome_of(facts),
            conditions=find_conditions(facts.case, money.gate, as_of),
            prize=weigh_prize(facts, table, money),
            find_contradicted=contradicted,
            rebuild=lambda facts: build(facts, build_table(facts, arms)),
        )

    return build(facts, table)


def try_ways(ways: list[Way]) -> tuple[StepToDo, ...]:
    """A step for each way, at most one of a kind."""
    steps: dict[str, StepToDo] = {}
    for way in ways:
        steps.setdefault(way.option, StepToDo(way.option, way.because, way))
    return tuple(steps.values())


def search_first(it: Situation, steps: tuple[StepToDo, ...]) -> tuple[StepToDo, ...]:
    """Put a search for better prompts before the steps where a ceiling is only claimed.

    A search takes a set of cases and an hour, while all money for tuning rests on the ceiling.
    """
    way = it.table.find(SEARCHED)
    if it.facts.ceiling_grade != "claimed" or not it.facts.has_cases or way is None:
        return steps
    if not way.untried or "quality" not in it.table.gap.aims:
        return steps
    if "privacy" in it.missed and way.private != "yes":
        return steps  # it would send more of what may not leave
    because = (
        "prompting is said to be at its limit, and a set of cases exists to search on"
    )
    others = (step for step in steps if step.option != SEARCHED)
    return (StepToDo(SEARCHED, because, way), *others)


def keep_data_inside(
    it: Situation, steps: tuple[StepToDo, ...]
) -> tuple[StepToDo, ...]:
    """Put a way that keeps data inside before the first step that would send more of them out."""
    if "privacy" not in it.missed:
        return steps
    ways = [
        way for way in it.table.ways if way.option in _KEEPING_INSIDE and way.untried
    ]
    inside = try_ways(sorted(ways, key=lambda way: _KEEPING_INSIDE.index(way.option)))
    if not inside:
        why = "data may not leave, and they go to a third party today"
        inside = (StepToDo("clear_reasons_against", why),)
    named = {step.option for step in inside}
    others = [step for step in steps if step.option not in named]
    first = next((n for n, step in enumerate(others) if sends_data(step)), len(others))
    return (*others[:first], *inside, *others[first:])


_KEEPING_INSIDE = ("private_endpoint", "self_hosted_untuned")


def sends_data(step: StepToDo) -> bool:
    """Whether a step sends requests to the present provider or to another one."""
    if step.way is not None and step.way.private == "yes":
        return False
    option = find_option(step.option)
    if option is not None:
        return option.sends_data
    return step.option not in (
        "measure",
        "label",
        "settle",
        "target",
        "collect_data",
        *_KEPT,
    )


_KEPT = ("clear_reasons_against", "relax_target", "keep_prompt")


def keep_prompt(it: Situation, because: str) -> StepToDo:
    """The step that leaves everything unchanged."""
    return StepToDo("keep_prompt", because, it.table.today)
