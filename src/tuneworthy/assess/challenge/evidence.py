"""What was measured against what was said, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneworthy.assess.challenge.facts import Facts
from tuneworthy.assess.measured import speaks
from tuneworthy.domain.assessment import Assessed, Challenge, Replaced, Severity
from tuneworthy.domain.record import State

_DAYS_PER_MONTH = 365.25 / 12


def measured_against_answer(facts: Facts) -> Challenge | None:
    """An answer that was given and the opposite measured."""
    against = [
        (path, told, answer)
        for path, told, answer in _answers(facts)
        if answer.source == "measured" and told not in ("unknown", answer.state)
    ]
    if not against:
        return None
    found = []
    for path, told, answer in against:
        assert answer.because is not None  # a measurement always is the reason
        found.append({**answer.because.numbers, "answer": path.split(".")[1], "told": told})
    between = (*(path for path, _, _ in against), "evidence")
    return Challenge("measured_against_answer", "contradiction", between, {"answers": tuple(found)})


def _answers(facts: Facts) -> Iterator[tuple[str, State, Assessed]]:
    """Every answer that was given, with its path and what became of it."""
    case, assessment, framework = facts.case, facts.assessment, facts.framework
    for name, check in case.ceiling.items():
        told, wanted = check.value, framework.ceiling[name].at_least
        if check.count is not None and wanted is not None:
            told = "yes" if check.count >= wanted else "no"
        yield f"ceiling.{name}", told, assessment.answers[name]
    for name, answer in case.factors.items():
        yield f"factors.{name}", answer.value, assessment.answers[name]
    for name, answer in case.signals.items():
        yield f"signals.{name}", answer.value, assessment.signals[name]


def measured_against_number(facts: Facts) -> Challenge | None:
    """A number that was stated and one measured that is clearly another."""
    tolerance = facts.framework.threshold("stated_tolerance")
    if tolerance is None:
        return None
    apart = [one for one in facts.findings.replaced if _apart(one, tolerance)]
    if not apart:
        return None
    numbers = {"numbers": tuple(_both(one) for one in apart), "tolerance": tolerance}
    between = (*(one.path for one in apart), "evidence")
    return Challenge("measured_against_number", "contradiction", between, numbers)


def _apart(one: Replaced, tolerance: float) -> bool:
    """Whether the two ranges miss each other by more than a share of what was measured."""
    low, high = one.evidence.low, one.evidence.high
    if one.stated is None or low is None or not isinstance(high, float | int):
        return False
    gap = max(low - one.stated[1], one.stated[0] - high)
    return gap > tolerance * max(abs(low), abs(high))


def _both(one: Replaced) -> dict[str, Any]:
    assert one.stated is not None  # only called for what was stated
    return {
        "path": one.path, "stated": one.stated, "value": one.evidence.value,
        "low": one.evidence.low, "high": one.evidence.high, "n": one.evidence.n,
        "unit": one.evidence.unit,
    }  # fmt: skip


def need_without_support(facts: Facts) -> Challenge | None:
    """A need that was said, where what was measured speaks against it."""
    return _need(facts, "need_without_support", "doubt", "no", told="yes")


def need_seen_in_data(facts: Facts) -> Challenge | None:
    """A need that was denied, where what was measured speaks for it."""
    return _need(facts, "need_seen_in_data", "pushback", "yes", told="no")


def _need(
    facts: Facts, name: str, severity: Severity, side: State, *, told: State
) -> Challenge | None:
    for factor in facts.framework.factors:
        if facts.state(factor) != told:
            continue
        for _, says, because in speaks(factor, facts.framework, facts.findings.ledger):
            if says == side:
                numbers = {**because.numbers, "answer": factor}
                return Challenge(name, severity, (f"factors.{factor}", "evidence"), numbers)
    return None


def evidence_old(facts: Facts) -> Challenge | None:
    """Measured on data that ended long ago."""
    limit, today = facts.framework.threshold("evidence_age"), facts.findings.as_of
    days = [one.observed_on for one in facts.findings.ledger.values() if one.observed_on]
    if limit is None or today is None or not days:
        return None
    months = (today - max(days)).days / _DAYS_PER_MONTH
    if months <= limit:
        return None
    numbers = {"months": months, "limit": limit, "last": max(days)}
    return Challenge("evidence_old", "doubt", ("evidence",), numbers)


ALL = (
    measured_against_answer,
    measured_against_number,
    need_without_support,
    need_seen_in_data,
    evidence_old,
)
