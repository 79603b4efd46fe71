"""Conditions before a tuned model goes live: a service, safety, and money that comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tuneworthy.facts.ends import untunable
from tuneworthy.facts.records import UNCONFIRMED
from tuneworthy.model.base import State, Strings
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import GateId, GateResult
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
