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
    state: State = "unknown"
    why = "where it would be tuned isn't stated"
    # a model that the case can't tune on a service may still be tuned on your own machines
    problem = "" if tuning.service == "self_hosted" else untunable(case, as_of)
    if tuning.available == "no":
        state = "no"
        why = f"the {plain(tuning.service)} service doesn't take new work"
    elif tuning.until is not None and tuning.until <= as_of:
        state = "no"
        why = f"the service ended on {day(tuning.until)}"
    elif problem:
        state = "unknown" if problem.endswith(UNCONFIRMED) else "no"
        why = problem
    elif tuning.available == "yes" or tuning.service == "self_hosted":
        state = "yes"
        why = "there is a service or a machine to tune on"
    once = "a service or a machine to tune on is named"
    return LiveCondition("feasibility", state, why, once)


def _safety(case: Case) -> LiveCondition:
    """The condition that the data and the process are safe."""
    safety = case.safety
    once = "the data is reviewed and a process for safety is named"
    lacking: list[str] = []
    if safety.data_reviewed == "no":
        lacking.append("the data isn't reviewed")
    if safety.process_named == "no":
        lacking.append("no process for safety is named")
    if lacking:
        return LiveCondition("safety", "no", " and ".join(lacking), once)
    if "unknown" in (safety.data_reviewed, safety.process_named):
        why = "whether the data is reviewed and a process for safety is named isn't stated"
        return LiveCondition("safety", "unknown", why, once)
    why = "the data is reviewed and a process is named"
    return LiveCondition("safety", "yes", why, once)


def _money(case: Case, gate: GateResult) -> LiveCondition:
    """Whether the money comes back in time. Another rule covers money that never comes back."""
    monthly = case.economics.monthly
    benefit_stated = (
        monthly.api_savings_usd is not None or monthly.quality_value_usd is not None
    )
    if gate.state == "no":
        once = "the approver accepts that it is repaid later than the limit"
    elif benefit_stated:
        once = "it is settled whether it pays"
    else:
        once = f"the owner states what it is worth{case.a_month}"
    return LiveCondition("investment", gate.state, gate.why, once, may_be_accepted=True)


class SafetyAnswers(NamedTuple):
    """The state of safety, and the answers of the case that make it so; none for yes."""

    state: State
    names: Strings


def unsafe(case: Case) -> SafetyAnswers:
    """The state of safety: no where an answer is no, else unknown where one is open."""
    answers = {
        "data_reviewed": case.safety.data_reviewed,
        "process_named": case.safety.process_named,
    }
    states: tuple[State, ...] = ("no", "unknown")
    for state in states:
        names = [name for name, answer in answers.items() if answer == state]
        if names:
            return SafetyAnswers(state, tuple(names))
    return SafetyAnswers("yes", ())


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

    @property
    def first_option(self) -> str:
        """The kind of the first step; every ruling has one."""
        return self.steps[0].option


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
    rebuild: Callable[[CaseFacts], Situation]  #: Builds the situation of other facts.

    @cached_property
    def contradicted(self) -> frozenset[str]:
        """Factors with a statement in an open contradiction, by paths like ``factors.low_volume.now``."""
        names = set[str]()
        for path in self.contradicted_paths:
            room, _, below = path.partition(".")
            name, _, _ = below.partition(".")
            if room == "factors" and name:
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
        if not self.facts.limits:
            return False
        if "quality" in self.facts.limits or self.missed:
            return True
        return self.facts.state("success_with_prompts") != "no"

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
        """The first condition that rules out a pilot; None without one."""
        for condition in self.conditions:
            if condition.forbids:
                return condition
        return None

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
    """Build the situation of a case, which can build itself again from changed facts.

    Money is not computed again: that takes too long for the hundreds of times that turns need.
    """

    def build(facts: CaseFacts, table: WayTable) -> Situation:
        return Situation(
            facts=facts,
            table=table,
            outcome=outcome_of(facts),
            conditions=find_conditions(facts.case, money.gate, as_of),
            prize=weigh_prize(facts, table, money),
            find_contradicted=contradicted,
            rebuild=lambda changed: build(changed, build_table(changed, arms)),
        )

    return build(facts, table)


def try_ways(ways: Sequence[Way]) -> tuple[StepToDo, ...]:
    """A step for each way, at most one of a kind: the first."""
    steps: dict[str, StepToDo] = {}
    for way in ways:
        if way.option not in steps:
            steps[way.option] = StepToDo(way.option, way.because, way)
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
    others = [step for step in steps if step.option != SEARCHED]
    return (StepToDo(SEARCHED, because, way), *others)


def keep_data_inside(
    it: Situation, steps: tuple[StepToDo, ...]
) -> tuple[StepToDo, ...]:
    """Put a way that keeps data inside before the first step that would send more of them out."""
    if "privacy" not in it.missed:
        return steps
    inside = _steps_inside(it)
    named = {step.option for step in inside}
    before = list[StepToDo]()
    after = list[StepToDo]()
    for step in steps:
        if step.option in named:
            continue  # it moves to its new place
        if after or sends_data(step):
            after.append(step)
        else:
            before.append(step)
    return (*before, *inside, *after)


def _steps_inside(it: Situation) -> tuple[StepToDo, ...]:
    """Steps that keep data inside, the easier one first; without one, the reason to settle."""
    ways = []
    for option in _KEEPING_INSIDE:
        ways += [way for way in it.table.ways if way.option == option and way.untried]
    if ways:
        return try_ways(ways)
    why = "data may not leave, and they go to a third party today"
    return (StepToDo("clear_reasons_against", why),)


_KEEPING_INSIDE = ("private_endpoint", "self_hosted_untuned")
"""Options that keep data inside: a contract is easier than machines of your own."""


def sends_data(step: StepToDo) -> bool:
    """Whether a step sends requests to the present provider or to another one."""
    if step.way is not None and step.way.private == "yes":
        return False
    option = find_option(step.option)
    if option is not None:
        return option.sends_data
    return step.option not in _WITHOUT_REQUESTS


_WITHOUT_REQUESTS = (
    "measure",
    "label",
    "settle",
    "target",
    "collect_data",
    "clear_reasons_against",
    "relax_target",
    "keep_prompt",
)
"""Steps that are no options and send nothing; tuning does, and so does going live."""


def keep_prompt(it: Situation, because: str) -> StepToDo:
    """The step that leaves everything unchanged."""
    return StepToDo("keep_prompt", because, it.table.today)
