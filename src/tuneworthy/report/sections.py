"""Sections of the dossier that need no more than their own stage."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.decision import ApproachFit, Flips, Question
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import ApproachResult, Change, DataNeed, FlipResult, QuestionResult
from tuneworthy.report.words import plain


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
        ask = framework.filled(asked.ask, check.at_least if check else None)
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
            missing=Unknown(ask=f"count the {plain(fit.unit)} (data.{fit.unit})")
            if fit.missing is None
            else fit.missing,
            offered_by=fit.offered_by,
        )
        for fit in fits
    )
