"""The plan as a Mermaid Gantt chart."""

from __future__ import annotations

from tuneworthy.domain.errors import one_line
from tuneworthy.domain.outlook import Plan
from tuneworthy.report.plan import part_title
from tuneworthy.report.plan.words import numbers_of

_KEPT = frozenset(" .,'()/+–-")
"""Signs that mean nothing to Mermaid inside a name."""

_LONGEST = 80


def gantt(plan: Plan, title: str) -> str:
    """The chart.

    Args:
        plan: What to draw.
        title: What stands above it.

    Returns:
        Mermaid source. Every name is reduced to letters, digits and a few signs, and begins with
        a number, so that none of them can be a keyword, a comment or the end of its line.
    """
    lines = ["gantt", f"    title Plan: {name(title)}", "    dateFormat YYYY-MM-DD"]
    lines += ["    inclusiveEndDates", "    excludes weekends"]
    numbers = numbers_of(plan)
    for part in plan.parts:
        lines.append(f"    section {part_title(plan, part)}")
        lines += [
            f"    {numbers[phase.id]} {name(phase.title)} :p{numbers[phase.id]}, {phase.start}, "
            f"{phase.end}"
            for phase in plan.phases
            if phase.part == part
        ]
    return "\n".join(lines) + "\n"


def name(text: str) -> str:
    """A name that Mermaid can only show: everything that could mean something is a blank."""
    kept = "".join(c if c.isalnum() or c in _KEPT else " " for c in one_line(text))
    short = " ".join(kept.split())
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST].rstrip()}"
