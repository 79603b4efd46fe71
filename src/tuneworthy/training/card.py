"""The go/no-go card: every target with its interval, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import TargetState as State
from tuneworthy.model.evidence import CardRow, PilotCard
from tuneworthy.model.lab import Arm, ArmResult, Contrast, VerifyResult
from tuneworthy.model.pilot import PilotPlan, SafetyProbe
from tuneworthy.stats.clustered import Estimate
from tuneworthy.words import (
    count,
    counted,
    number,
    quality,
    quality_interval,
    sentence,
    share,
    signed,
    small_usd,
)

DECIDES = ("quality", "gain", "general", "canaries")
"""Rows that have to be met for a go; of the others none may be missed."""


def card(
    case: Case,
    plan: PilotPlan,
    arms: tuple[ArmResult, ...],
    verify: VerifyResult,
    probes: tuple[SafetyProbe, ...],
    simpler: tuple[Arm, Estimate] | None,
    spent_usd: float,
    on: date,
) -> PilotCard:
    """Go, no-go or open, with the row that decides.

    Args:
        case: The case, for its targets.
        plan: What was written down.
        arms: The ways on the held-out cases.
        verify: The tuned arm against the best untuned one.
        probes: Refusals and planted secrets.
        simpler: The best way without a model, and the tuned arm less that.
        spent_usd: What the pilot cost.
        on: The day.
    """
    tuned = next(row for row in arms if row.arm.id == verify.plan.tuned)
    rows = (
        _quality(case, tuned, plan),
        _gain(verify, plan),
        *_simpler(simpler, plan),
        *_limits(case, tuned, plan),
        CardRow(
            id="money",
            title="Cost of the pilot",
            state="met",
            says=small_usd(spent_usd),
            rests_on="the ledger of paid calls",
        ),
        _general(verify),
        *(_probe(probe) for probe in probes),
    )
    answer, because = _answer(rows)
    owner = case.decision.approver or case.decision.owner
    return PilotCard(
        answer=answer,
        because=because,
        rows=rows,
        signs=owner or "nobody is named: decision.approver in the case file",
        on=on,
    )


def _answer(rows: tuple[CardRow, ...]) -> tuple[Literal["go", "no_go", "open"], str]:
    missed = [row for row in rows if row.state == "missed"]
    if missed:
        gain = next((row for row in missed if row.id == "gain"), missed[0])
        return "no_go", sentence(gain.says)
    told = {row.id: row for row in rows}
    for name in DECIDES:
        if name not in told:
            return "open", sentence(f"nobody looked at {name}")
        if (row := told[name]).state == "unknown":
            return "open", sentence(f"not known yet, {row.title.lower()}: {row.says}")
    return "go", sentence(told["gain"].says)


def _held(low: float, high: float, limit: float) -> State:
    return "met" if low >= limit else "missed" if high < limit else "unknown"


def _quality(case: Case, tuned: ArmResult, plan: PilotPlan) -> CardRow:
    target, found = case.targets.quality, tuned.quality
    rests = f"{count(plan.cases)} held-out cases, {counted(plan.seeds, 'seed')}"
    state: State = "unknown"
    if isinstance(found, Unknown):
        says = found.ask
    else:
        says = quality_interval(found.value, found.low, found.high)
        if target is None:
            says += "; no target is stated (targets.quality)"
        else:
            state = _held(found.low, found.high, target.at_least)
            says += f", of {quality(target.at_least)} wanted"
    return CardRow(id="quality", title="Quality", state=state, says=says, rests_on=rests)


_GAINED: dict[str, State] = {"improved": "met", "no_gain": "missed", "regressed": "missed"}


def _gain(verify: VerifyResult, plan: PilotPlan) -> CardRow:
    found = verify.contrast
    says = f"tuned less the best untuned way: {_difference(found)}"
    if verify.outcome == "no_gain":
        most = "no more than the margin" if found.low > 0 else "nothing"
        says = f"tuning gains {most} over {found.second}: {_difference(found)}"
    state = _GAINED.get(verify.outcome, "unknown")
    if verify.outcome == "regressed" and verify.why == "task":
        says = f"{found.second} is better than tuning: {_difference(found)}"
    if verify.why == "general":
        state = "met" if found.low > plan.margin else "unknown"
    rests = f"{count(found.n)} held-out cases, paired: {found.first} and {found.second}"
    return CardRow(id="gain", title="Gain by tuning", state=state, says=says, rests_on=rests)


def _difference(found: Contrast) -> str:
    if isinstance(found.difference, Unknown):
        return f"unknown, {found.difference.ask}"
    return f"{signed(found.difference)} ({signed(found.low)} to {signed(found.high)})"


def _simpler(simpler: tuple[Arm, Estimate] | None, plan: PilotPlan) -> Iterator[CardRow]:
    """A way without a model that is as good makes tuning needless."""
    if simpler is None:
        return
    arm, less = simpler
    state: State = "met" if less.low > plan.margin else "missed" if less.high <= 0 else "unknown"
    name = arm.of.replace("_", " ")
    ends = f"{signed(less.value)} ({signed(less.low)} to {signed(less.high)})"
    says = f"tuned less a {name} without a model: {ends}"
    rests = f"the same examples and {count(less.n)} held-out cases"
    yield CardRow(id="simpler", title="A simpler way", state=state, says=says, rests_on=rests)


def _limits(case: Case, tuned: ArmResult, plan: PilotPlan) -> Iterator[CardRow]:
    """Stated limits of latency, cost and privacy."""
    state: State
    slow, found = case.targets.latency_p95_s, tuned.latency_p95_s
    if slow is not None:
        state, says = "unknown", "nothing was timed"
        if not isinstance(found, Unknown):
            shared = plan.way != "hosted"  # one machine for all calls: alone each may be in time
            state = "met" if found <= slow else "unknown" if shared else "missed"
            says = f"p95 {number(float(f'{found:.2g}'))} s of {number(slow)} s wanted"
        where = "this machine, with as many calls at once as the pilot makes"
        yield CardRow(id="latency", title="Latency", state=state, says=says, rests_on=where)
    if case.targets.usd_per_month is not None:
        says, where = "what serving it yourself costs isn't measured by a pilot", "nothing yet"
        yield CardRow(id="cost", title="Cost", state="unknown", says=says, rests_on=where)
    private = case.factors.get("data_sovereignty")
    if private is not None and private.value == "yes":
        own = plan.way != "hosted"
        says = "trained and served on your own machines" if own else "trained by a service"
        state, where = "met" if own else "missed", "the way it was trained"
        yield CardRow(id="privacy", title="Privacy", state=state, says=says, rests_on=where)


def _general(verify: VerifyResult) -> CardRow:
    found, margin = verify.general, verify.plan.general_margin
    state: State = "unknown"
    if not isinstance(found.difference, Unknown):
        state = "met" if found.low >= -margin else "missed" if found.high < -margin else "unknown"
    if verify.why == "general" and verify.outcome == "too_few_cases":
        state = "unknown"
    says = f"{_difference(found)}; may fall by {share(margin)}"
    rests = f"{count(verify.plan.general)} general tasks, paired"
    return CardRow(id="general", title="General skills", state=state, says=says, rests_on=rests)


_TITLES = {"refusals": "Refusals", "canaries": "Secrets of the data"}
_PROBED: dict[str, State] = {"held": "met", "fell": "missed", "unknown": "unknown"}


def _probe(probe: SafetyProbe) -> CardRow:
    rests = (
        "words by which a refusal is known"
        if probe.id == "refusals"
        else "planted codes, asked for"
    )
    return CardRow(
        id=probe.id,
        title=_TITLES[probe.id],
        state=_PROBED[probe.state],
        says=probe.says,
        rests_on=rests,
    )
