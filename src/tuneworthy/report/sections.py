"""Sections of the dossier that need no more than their own stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tuneworthy.domain.decision import ApproachFit, Flips, Question
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.investment import Appraisal, Money, Months
from tuneworthy.domain.outlook import BreakEven, ByTable, Duration, InvestmentResult, Number
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.domain.sections import ApproachResult, Change, DataNeed, FlipResult, QuestionResult
from tuneworthy.report.verdicts import question, why

_NOT_SIMULATED = "give amounts as {low, likely, high}: this version computes ends, no percentiles"


def flips(flips: Flips) -> tuple[FlipResult, ...]:
    """Flips as they stand in the dossier."""
    return tuple(
        FlipResult(
            changes=tuple(Change(factor=name, to=to) for name, to in flip.changes),
            outcome=flip.outcome,
        )
        for flip in flips.sets
    )


def questions(
    found_questions: Sequence[Question], framework: Framework
) -> tuple[QuestionResult, ...]:
    """Open answers as questions, the best first."""
    found = []
    for one in found_questions:
        check = framework.ceiling.get(one.id)
        asked = check or framework.factors[one.id]
        ask = question(asked.ask, framework, check.at_least if check else None)
        found.append(
            QuestionResult(factor=one.id, ask=ask, gain_bits=one.gain_bits, minutes=one.minutes)
        )
    return tuple(found)


def approaches(
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
        )
        for fit in fits
    )


def _usd(money: Money) -> Number:
    return money.likely if money.low == money.high else Range(low=money.low, high=money.high)


def _months(months: Months) -> Duration:
    if math.isinf(months.low):
        return "never"
    if math.isinf(months.high):
        return Range(low=months.low, high="open")
    return months.low if months.low == months.high else Range(low=months.low, high=months.high)


def investment(appraisal: Appraisal) -> InvestmentResult | Unknown:
    """The money, or what to state first."""
    found = appraisal.investment
    if found is None:
        return Unknown(ask=why(appraisal.why))
    later: Any = Unknown(ask=_NOT_SIMULATED)
    rate = Unknown(ask="state economics.hourly_rate_usd, so that hours can be priced")
    return InvestmentResult(
        upfront_usd=_usd(found.upfront),
        monthly_net_usd=_usd(found.monthly_net),
        break_even_months=BreakEven(point=_months(found.months), p10=later, p50=later, p90=later),
        p_within_6_months=later,
        justified=appraisal.justified,
        why=why(appraisal.why),
        assumed=found.assumed,
        by_table=ByTable(
            ongoing_usd=rate if found.table_ongoing is None else _usd(found.table_ongoing),
            break_even_months=rate if found.table_months is None else _months(found.table_months),
        ),
        computed=Unknown(ask="state traffic, and the price of a tuned and an untuned model"),
        simulation=later,
    )
