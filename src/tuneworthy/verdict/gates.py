"""What stands between a candidate and money, and the action that follows.

Gates never change the outcome. An unknown gate doesn't stop a pilot; it stops ``proceed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tuneworthy.domain.assessment import Assessment, Reason
from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Action, ApproachFit, Decision, Gate, GateId, Verdict
from tuneworthy.domain.money import Outlook
from tuneworthy.domain.record import State


def gates(
    case: Case,
    assessment: Assessment,
    decision: Decision,
    fits: Sequence[ApproachFit],
    money: Outlook,
    as_of: date,
) -> tuple[Gate, ...]:
    """The five gates, in their order; each with its reason."""
    return (
        _need(assessment),
        _strength(decision),
        _feasibility(case, fits, as_of),
        _investment(assessment, money),
        _safety(case),
    )


def _need(assessment: Assessment) -> Gate:
    success = assessment.state("success_with_prompts")
    opposite: dict[State, State] = {"yes": "no", "no": "yes", "unknown": "unknown"}
    return Gate("need", opposite[success], Reason(f"success_{success}"))


def _strength(decision: Decision) -> Gate:
    """Strong by both rules is enough for a full project; weak by both is too little for any."""
    low, high = decision.strength
    if low == high == "strong":
        return Gate("strength", "yes", Reason("strong_throughout"))
    if low == high == "weak":
        return Gate("strength", "no", Reason("weak_throughout"))
    return Gate("strength", "unknown", Reason("strength_between", {"low": low, "high": high}))


def _feasibility(case: Case, fits: Sequence[ApproachFit], as_of: date) -> Gate:
    """Data for the primary approach, and a service that will still be there."""
    if not fits:
        return Gate("feasibility", "unknown", Reason("no_goal"))
    first, tuning = fits[0], case.tuning
    numbers = {"goal": first.goal, "approach": first.approach, "have": first.have,
               "low": first.low, "unit": first.unit, "missing": first.missing,
               "others": first.offered_by}  # fmt: skip
    if first.feasible == "no":
        return Gate("feasibility", "no", Reason("data_short", numbers))
    if tuning.available == "no":
        gone = {"service": tuning.service, "others": first.offered_by}
        return Gate("feasibility", "no", Reason("service_gone", gone))
    if tuning.until is not None and tuning.until <= as_of:
        ended = {"until": tuning.until, "others": first.offered_by}
        return Gate("feasibility", "no", Reason("service_ended", ended))
    if first.feasible == "unknown":
        return Gate("feasibility", "unknown", Reason("data_unknown", numbers))
    if tuning.available == "unknown" and tuning.service != "self_hosted":
        return Gate("feasibility", "unknown", Reason("service_unknown", numbers))
    return Gate("feasibility", "yes", Reason("data_and_service", numbers))


def _investment(assessment: Assessment, money: Outlook) -> Gate:
    """Where data may not leave, what stays inside is compared, and savings alone don't sink it."""
    appraisal, comparison = money.appraisal, money.comparison
    if assessment.state("data_sovereignty") == "yes":
        if comparison.stays_inside != "unknown":
            return Gate("investment", comparison.stays_inside, comparison.inside_why)
        if appraisal.justified == "no":
            numbers = {"inside": comparison.inside_why}
            return Gate("investment", "unknown", Reason("sovereignty_first", numbers))
    return Gate("investment", appraisal.justified, appraisal.why)


def _safety(case: Case) -> Gate:
    answers = {
        "data_reviewed": case.safety.data_reviewed,
        "process_named": case.safety.process_named,
    }
    states: tuple[State, ...] = ("no", "unknown")
    for state in states:
        lacking = tuple(name for name, answer in answers.items() if answer == state)
        if lacking:
            return Gate("safety", state, Reason(f"safety_{state}", {"names": lacking}))
    return Gate("safety", "yes", Reason("safety_yes"))


def choose_action(outcome: Verdict, state: Mapping[GateId, State]) -> Action:
    """The first action that applies, from the outcome and the state of every gate."""
    by_outcome: dict[str, Action] = {
        "undecided": "answer_questions",
        "keep_optimizing_prompts": "keep_prompting",
        "improve_rag_or_switch_model": "improve_rag_or_switch",
        "address_anti_indicators": "clear_anti_indicators",
    }
    if outcome in by_outcome:
        return by_outcome[outcome]
    if state["need"] == "no":
        return "keep_prompting"
    if "no" in (state["feasibility"], state["investment"], state["strength"]):
        return "explore_alternatives"
    if state["safety"] == "no":
        return "clear_gates"
    return "proceed" if set(state.values()) == {"yes"} else "pilot"
