"""What stands between a candidate and money, and the action that follows.

Gates never change the outcome. An unknown gate doesn't stop a pilot; it stops ``proceed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tuneworthy.model.base import State, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Action,
    ApproachFit,
    ApproachResult,
    Assessment,
    Change,
    DataNeed,
    Decision,
    FlipResult,
    Flips,
    Gate,
    GateId,
    MoneyFindings,
    Question,
    QuestionResult,
    Reason,
    Verdict,
)
from tuneworthy.model.framework import Framework
from tuneworthy.words import listing, plain, sentence

# What stands between a candidate and money, and the action that follows.


def gates(
    case: Case,
    assessment: Assessment,
    decision: Decision,
    fits: Sequence[ApproachFit],
    money: MoneyFindings,
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
    numbers = {
        "goal": first.goal,
        "approach": first.approach,
        "have": first.have,
        "low": first.low,
        "unit": first.unit,
        "missing": first.missing,
        "others": first.offered_by,
    }
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


def _investment(assessment: Assessment, money: MoneyFindings) -> Gate:
    """Where data may not leave, what stays inside is compared, and savings alone don't sink it."""
    state, says = money.justified, money.why
    if assessment.state("data_sovereignty") == "yes":
        if money.inside != "unknown":
            state, says = money.inside, money.inside_why
        elif state == "no":
            state = "unknown"
            says = (
                "savings don't carry it, and data may not leave: compare the options that keep it "
                f"inside; {money.inside_why}"
            )
    return Gate("investment", state, Reason("investment", {"says": says}))


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


# The next step, in one sentence, for each action.


def next_step(
    action: Action,
    assessment: Assessment,
    framework: Framework,
    fits: Sequence[ApproachFit],
    asked: Sequence[str],
    simpler: Sequence[str] = (),
) -> str:
    """What to do now.

    Args:
        action: What the gates came to.
        assessment: The answers, for what is missing.
        framework: For the step that settles each check.
        fits: Approaches, the primary one first.
        asked: Open questions, the best first.
        simpler: Titles of options that would help and come before any tuning.
    """
    if action == "answer_questions":
        return sentence(f"answer this first: {asked[0]}" if asked else "answer what is open")
    if action == "keep_prompting":
        return sentence(_prompting(assessment, framework))
    if action == "clear_anti_indicators":
        held = [a.id for a in assessment.of_kind("anti_indicator").values() if a.state == "yes"]
        titles = [framework.factors[name].title for name in held]
        return sentence(f"don't tune as long as these hold: {listing(titles)}")
    approach = "the approach that fits the goal"
    if fits:
        approach = framework.approaches[fits[0].approach].title
    first = f"try {listing(simpler)}" if simpler else ""
    pilot = (
        f"run a pilot of {approach} on a part of the data, and compare it with the best prompt on "
        "untouched cases"
    )
    go = f"plan {approach}, with the evaluation written down before the training"
    return sentence(
        {
            "improve_rag_or_switch": first
            or "count how often the right passage is retrieved, and run the best prompt on another "
            "model",
            "explore_alternatives": f"{first or 'compare the alternatives'} before any money goes "
            "into tuning",
            "clear_gates": "review the data and name a process for safety before any training",
            "proceed": f"{first} first; if the target is still missed, {go}" if first else go,
            "pilot": f"{first} first; if the target is still missed, {pilot}" if first else pilot,
        }[action]
    )


def _prompting(assessment: Assessment, framework: Framework) -> str:
    """The first check that isn't done; when all are, the prompt is simply kept."""
    for name, check in framework.ceiling.items():
        if assessment.state(name) == "no":
            step = check.settle or f"do this check: {check.ask}"
            return framework.filled(step, check.at_least)
    return "keep the present prompt, and decide again when targets, volume or requirements change"


# Sections of the dossier that need no more than their own stage.


def flip_results(flips: Flips) -> tuple[FlipResult, ...]:
    """Flips as they stand in the dossier."""
    return tuple(
        FlipResult(
            changes=tuple(Change(factor=name, to=to) for name, to in flip.changes),
            outcome=flip.outcome,
        )
        for flip in flips.sets
    )


def question_results(
    found_questions: Sequence[Question], framework: Framework
) -> tuple[QuestionResult, ...]:
    """Open answers as questions, the best first."""
    found = []
    for one in found_questions:
        check = framework.ceiling.get(one.id)
        asked = check or framework.factors[one.id]
        ask = framework.filled(asked.ask, check.at_least if check else None)
        found.append(
            QuestionResult(factor=one.id, ask=ask, gain_bits=one.gain_bits, minutes=one.minutes)
        )
    return tuple(found)


def approach_results(
    fits: Sequence[ApproachFit], framework: Framework
) -> tuple[ApproachResult, ...] | Unknown:
    """Approaches, or what to name first."""
    if not fits:
        return Unknown(ask="name the goals, the primary one first")
    return tuple(
        ApproachResult(
            goal=fit.goal,
            approach=fit.approach,
            title=framework.approaches[fit.approach].title,
            data=DataNeed(low=fit.low, high=fit.high, unit=fit.unit),
            compute=fit.compute,
            priority=f"P{fit.priority}",
            feasible=fit.feasible,
            missing=Unknown(ask=f"count the {plain(fit.unit)} (data.{fit.unit})")
            if fit.missing is None
            else fit.missing,
            offered_by=fit.offered_by,
        )
        for fit in fits
    )
