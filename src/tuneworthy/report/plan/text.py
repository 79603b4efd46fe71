"""The plan for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Phase, Plan
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.sections import ChallengeResult
from tuneworthy.report.layout import Paint, row, safe, wrapped
from tuneworthy.report.plan import part_title
from tuneworthy.report.plan.notes import hours_text
from tuneworthy.report.plan.words import (
    AIMS,
    expectations,
    facts,
    money_text,
    numbers_of,
)


def plan_text(dossier: Dossier, *, colour: bool = False) -> str:
    """The plan of a dossier.

    Args:
        dossier: Whose plan.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint, found = Paint(colour), dossier.plan
    if isinstance(found, Unknown):
        said = f"{safe(dossier.case.name)}: no plan yet; {safe(found.ask)}."
        return "\n".join(wrapped(said, rest="  ")) + "\n"
    blocks = [
        _head(dossier, found, paint),
        [line for label, said in facts(dossier, found) for line in row(label, safe(said))],
        *_phases(found, paint),
        _notes(found, paint),
        _expected(expectations(dossier, found), paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(dossier: Dossier, found: Plan, paint: Paint) -> list[str]:
    said = f"{safe(dossier.case.name)}: {AIMS[found.aim]}."
    by = (
        f"Verdict: {safe(dossier.verdict.summary)} By the {dossier.framework.name} framework; the "
        f"plan starts on {found.start}."
    )
    return [
        *(paint("strong", line) for line in wrapped(said, rest="  ")),
        *(paint("dim", line) for line in wrapped(by)),
    ]


def _phases(found: Plan, paint: Paint) -> list[list[str]]:
    numbers = numbers_of(found)
    blocks = []
    for part, total in found.parts.items():
        sums = f"{hours_text(total.hours.low, total.hours.high)}, {money_text(total.usd)}"
        lines = [
            paint("strong", line)
            for line in wrapped(f"{part_title(found, part)}: {sums}", rest="  ")
        ]
        for phase in found.phases:
            if phase.part == part:
                lines += _phase(phase, numbers, paint)
        blocks.append(lines)
    return blocks


def _phase(phase: Phase, numbers: dict[str, int], paint: Paint) -> list[str]:
    first = f"  {numbers[phase.id]:>2}  "
    indent = " " * len(first)
    dates = f"{phase.start} to {phase.end}" if phase.end != phase.start else f"{phase.start}"
    after = ", ".join(str(numbers[name]) for name in phase.needs)
    facts = f"{dates}; {hours_text(phase.hours.low, phase.hours.high)}; {money_text(phase.usd)}"
    lines = wrapped(safe(phase.title), first=first)
    told = f"{facts}; after {after}" if after else facts
    lines += [paint("dim", line) for line in wrapped(told, first=indent)]
    for step in phase.steps:
        lines += wrapped(safe(step), first=f"{indent}- ")
    done = wrapped(safe(phase.done_when), first=f"{indent}Done when ", rest=f"{indent}  ")
    return [*lines, *done]


def _notes(found: Plan, paint: Paint) -> list[str]:
    lines = [paint("strong", "What it rests on")]
    for note in found.notes:
        lines += wrapped(safe(note), first="  - ")
    return lines


def _expected(challenges: Sequence[ChallengeResult], paint: Paint) -> list[str]:
    if not challenges:
        return []
    lines = [paint("strong", "Expectations that look unrealistic")]
    for one in challenges:
        lines += wrapped(safe(one.says), first="  - ")
        settle = wrapped(f"To settle: {safe(one.settle)}", first="    ")
        lines += [paint("dim", line) for line in settle]
    return lines
