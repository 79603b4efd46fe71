"""The plan: its section of the dossier, and the forms people and trackers read."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tuneworthy.domain.case import Case
from tuneworthy.domain.decision import Ends
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.outline import DatedPhase, NoPlan, Outline
from tuneworthy.domain.outlook import Part, PartTotal, Phase, Plan
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.plan import settling, tuning
from tuneworthy.report.plan.notes import cure, note
from tuneworthy.report.plan.registry import WORDS, Voice

_PARTS: dict[Part, str] = {
    "steps": "Conditions to settle",
    "first_version": "Up to the first version",
    "running": "Running it, first quarter",
    "later_goals": "Further goals",
}
"""Parts of a plan for a tuning as they are called, in their order."""


def part_title(plan: Plan, part: Part) -> str:
    """What a part of a plan is called; a plan without a tuning has but one."""
    return _PARTS[part] if plan.aim == "tune" else "Steps"


def section(outline: Outline | NoPlan, case: Case, framework: Framework) -> Plan | Unknown:
    """The plan as it stands in the dossier, or what would make one possible."""
    if isinstance(outline, NoPlan):
        return Unknown(ask=cure(outline.why))
    phases = tuple(_phase(one, case, framework) for one in outline.phases)
    held: list[Part] = [part for part in _PARTS if any(p.part == part for p in phases)]
    return Plan(
        aim=outline.aim,
        start=outline.start,
        phases=phases,
        hours=total(phase.hours for phase in phases),
        usd=total(phase.usd for phase in phases),
        weeks=outline.weeks,
        parts={part: _part([p for p in phases if p.part == part]) for part in held},
        notes=tuple(note(reason) for reason in outline.notes),
    )


def _phase(one: DatedPhase, case: Case, framework: Framework) -> Phase:
    draft = one.draft
    words = WORDS[draft.what.id](Voice(case, framework, draft.what.numbers))
    return Phase(
        id=draft.id,
        title=words.title,
        part=draft.part,
        hours=_range(draft.hours),
        usd=_range(draft.usd),
        needs=draft.needs,
        start=one.start,
        end=one.end,
        steps=words.steps,
        done_when=words.done_when,
    )


def _part(phases: list[Phase]) -> PartTotal:
    return PartTotal(
        hours=total(p.hours for p in phases),
        usd=total(p.usd for p in phases),
        end=max(p.end for p in phases),
    )


def _range(ends: Ends) -> Range:
    return Range(low=ends.low, high="open" if math.isinf(ends.high) else ends.high)


def total(ranges: Iterable[Range]) -> Range:
    """The sum of ranges; open upwards as soon as one of them is. 0 for none."""
    found = list(ranges)
    highs = [math.inf if one.high == "open" else one.high for one in found]
    high = math.fsum(highs)
    return Range(low=math.fsum(one.low for one in found), high="open" if math.isinf(high) else high)


__all__ = ["part_title", "section", "settling", "total", "tuning"]
