"""What was measured: as a section of the dossier, and as people read it."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import EvidenceResult
from tuneworthy.domain.thresholds import MeasureRule

ASK = "tuneworthy measure CASE: from traces, results of a test, or an invoice"
"""What to do where nothing was measured."""


def evidence_section(
    measured: Mapping[str, Evidence], framework: Framework
) -> tuple[EvidenceResult, ...] | Unknown:
    """Measurements as they stand in the dossier, or how to get some.

    Args:
        measured: The latest measurement of each id, unknown ones too.
        framework: For titles and limits.
    """
    if not measured:
        return Unknown(ask=ASK)
    return tuple(_result(one, framework.measures.get(one.id)) for one in measured.values())


def _title(one: Evidence) -> str:
    """What it is called where no rule of the framework names it."""
    if one.grade == "published":
        return f"{one.details.get('model', 'a tuned model')}, as published"
    return one.id.replace("_", " ")


def _result(one: Evidence, rule: MeasureRule | None) -> EvidenceResult:
    open_ = one.value if isinstance(one.value, Unknown) else None
    no_clock = Unknown(ask="log a timestamp with each trace")
    return EvidenceResult(
        id=one.id,
        title=rule.title if rule else _title(one),
        factor=rule.about if rule else one.factor,
        value=one.value,
        low=open_ if one.low is None and open_ else one.low or 0.0,
        high=open_ if one.high is None and open_ else one.high or 0.0,
        unit=one.unit,
        n=one.n,
        clusters=one.clusters,
        grade=one.grade,
        says=rule.side(one.low, one.high) if rule and one.known else "unknown",
        role=rule.role if rule else "settles" if one.grade == "measured" else "supports",
        limit=rule.limit if rule else Unknown(ask="no rule of the framework reads it"),
        method=one.method,
        source=one.source,
        observed_on=one.observed_on or no_clock,
        since=one.since or no_clock,
        sample=one.sample,
        details=one.details,
        examples=one.examples,
    )
