"""Approaches to the goals, and what lies between a candidate and money.

Gates never change the count. A gate that is no holds a pilot up; an unknown one doesn't.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tuneworthy.model.base import State, Strings, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    ApproachResult,
    Assessment,
    BandRange,
    DataNeed,
    Decision,
    GateId,
    GateResult,
)
from tuneworthy.model.framework import Framework
from tuneworthy.verdict import TABLES
from tuneworthy.words import count, day, few, listing, plain, sentence

NO_GOAL = Unknown(ask="name the goals, the primary one first")
"""In place of the approaches where no goal is named."""


def approaches(
    case: Case, framework: Framework, offered: Mapping[str, Strings]
) -> tuple[ApproachResult, ...]:
    """Each goal with the approach that serves it, held against what the team has.

    ``offered`` is an approach to who takes new work of that kind; it is shown and settles nothing.
    """
    fits: list[ApproachResult] = []
    for goal in (goal for goal in case.goals if goal in framework.goals):
        name = framework.goals[goal].approach
        approach, need = framework.approaches[name], framework.approaches[name].data
        have = case.usable_data(need.unit)
        missing: int | Unknown = Unknown(ask=f"count the {plain(need.unit)} (data.{need.unit})")
        feasible: State = "unknown"
        if have is not None:
            missing = max(0, need.low - have)
            # tuning won 14 of 16 published cases with fewer examples than a thousand, so a rule of
            # thumb leaves it open; with none at all there is nothing to try
            open_to_trial = need.unit == "examples" and have > 0
            feasible = "yes" if not missing else "unknown" if open_to_trial else "no"
        fits.append(
            ApproachResult(
                goal=goal,
                approach=name,
                title=approach.title,
                data=DataNeed(**need.model_dump()),
                compute=approach.compute,
                priority=f"P{len(fits)}",
                feasible=feasible,
                missing=missing,
                offered_by=offered.get(name, ()),
            )
        )
    return tuple(fits)


Reasoned = tuple[State, str]  #: The state of a gate with its reason.


def gates(
    case: Case,
    assessment: Assessment,
    decision: Decision,
    fits: Sequence[ApproachResult],
    investment: GateResult,
    as_of: date,
    missed: Sequence[str] = (),
) -> tuple[GateResult, ...]:
    """The five gates in their order, each with its reason; the one about money is handed in.

    ``missed`` are the targets that are missed, as counted.
    """
    safe, names = unsafe(case)
    asks = [_SAFETY[name][safe] for name in names]
    lacks = " ".join(map(sentence, asks)) if safe == "unknown" else listing(asks)
    reasons: dict[GateId, Reasoned] = {
        "need": _need(assessment, missed),
        "strength": strength(decision.strength),
        "feasibility": _feasibility(case, fits, as_of),
        "investment": (investment.state, investment.why),
        "safety": (safe, lacks or "data reviewed and a process named"),
    }
    return tuple(GateResult(id=g, state=state, why=why) for g, (state, why) in reasons.items())


def strength(band: BandRange) -> Reasoned:
    """Strong by both rules is enough for a full project; weak by both is too little for any."""
    low, high = band.low, band.high
    if low == high != "moderate":
        return "yes" if low == "strong" else "no", f"{low} by score and by difference"
    return "unknown", f"{low if low == high else f'{low} to {high}'}: a pilot would tell"


def _need(assessment: Assessment, missed: Sequence[str]) -> Reasoned:
    success = assessment.state("success_with_prompts")
    if success == "unknown":
        return "unknown", "ask whether the present prompt already meets every target"
    if success == "no":
        return "yes", "the present approach falls short of a requirement"
    if missed:
        are = "is" if len(missed) == 1 else "are"
        return "unknown", f"all is said to be met, and {listing(missed)} {are} missed"
    return "no", "the present approach is said to meet every requirement"


def _feasibility(case: Case, fits: Sequence[ApproachResult], as_of: date) -> Reasoned:
    """Data for the primary approach, and a service that will still be there."""
    if not fits:
        return "unknown", "name the goal, so that its approach and data need are known"
    first, tuning = fits[0], case.tuning
    approach, unit, others = first.title, plain(first.data.unit), _others(first)
    have, wanted = case.usable_data(first.data.unit), count(first.data.low)
    if have is not None and first.feasible == "no":
        lacks = f"{count(have)} are there, {count(first.data.low - have)} are missing"
        return "no", f"{approach} takes {wanted} {unit}, {lacks}"
    if tuning.available == "no":
        return "no", f"the {plain(tuning.service)} service doesn't take new work{others}"
    if tuning.until is not None and tuning.until <= as_of:
        return "no", f"the service ended on {day(tuning.until)}{others}"
    if have is None:
        return "unknown", f"count the {unit}: {approach} takes {wanted} or more"
    if have < first.data.low:
        there = f"{count(have)} are there: a pilot on them would tell"
        return "unknown", f"{approach} usually takes {wanted} {unit}, {there}"
    if tuning.available == "unknown" and tuning.service != "self_hosted":
        ask = "ask whether the tuning service takes new work and will still serve the model"
        return "unknown", f"enough {unit}; {ask}{others}"
    return "yes", f"{count(have)} {unit}, and a service to use them"


def _others(fit: ApproachResult) -> str:
    """Who is known to take new work of this kind: all of them, or how many with the first two."""
    names = fit.offered_by
    if len(names) > 2:
        return f"; {few(len(names))} take new work, among them {listing(names[:2])}"
    return f"; {listing(names)} {'take' if len(names) > 1 else 'takes'} new work" if names else ""


_SAFETY: dict[str, dict[State, str]] = TABLES["unsafe"]


def unsafe(case: Case) -> tuple[State, Strings]:
    """The state of safety, and the answers that make it so: those that are no, else those open."""
    for state in ("no", "unknown"):
        if names := tuple(name for name in _SAFETY if getattr(case.safety, name) == state):
            return state, names
    return "yes", ()
