"""The facts of a case that the rules read, and the ruling that a rule returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import NamedTuple

from tuneworthy.answers.facts import CaseFacts
from tuneworthy.model.base import Strings
from tuneworthy.model.dossier import TuningAnswer, Verdict
from tuneworthy.model.framework import JudgementRule, TargetId
from tuneworthy.model.ways import LabArm
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.verdict.conditions import LiveCondition, find_conditions
from tuneworthy.verdict.prize import Prize, weigh_prize
from tuneworthy.ways.table import WayTable, build_table
from tuneworthy.ways.way import Way


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
