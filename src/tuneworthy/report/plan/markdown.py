"""The plan as Markdown, with its chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Phase, Plan
from tuneworthy.domain.record import Unknown
from tuneworthy.report.markdown import md
from tuneworthy.report.plan import part_title
from tuneworthy.report.plan.gantt import gantt
from tuneworthy.report.plan.notes import hours_text
from tuneworthy.report.plan.words import AIMS, expectations, facts, money_text, numbers_of
from tuneworthy.report.words import sentence


def plan_markdown(dossier: Dossier) -> str:
    """The plan of a dossier as a document of its own."""
    found = dossier.plan
    if isinstance(found, Unknown):
        return f"# {md(dossier.case.name)}: no plan yet\n\n{md(sentence(found.ask))}\n"
    head = [
        f"# {md(dossier.case.name)}: {AIMS[found.aim]}",
        f"Verdict: {md(dossier.verdict.summary)} By the {md(dossier.framework.name)} framework; "
        f"the plan starts on {found.start}.",
    ]
    blocks = [*head, *plan_blocks(dossier, found, "##"), *_expected(dossier, found)]
    return "\n\n".join(blocks) + "\n"


def plan_blocks(dossier: Dossier, found: Plan, level: str) -> list[str]:
    """Everything about the plan under headings of a level, one block for each."""
    rows = [(label, md(said)) for label, said in facts(dossier, found)]
    chart = f"```mermaid\n{gantt(found, dossier.case.name)}```"
    blocks = [_lines(_table(("", ""), rows)), chart, _lines(_overview(found))]
    numbers = numbers_of(found)
    for part in found.parts:
        blocks.append(f"{level} {part_title(found, part)}")
        blocks += [_phase(p, numbers, level) for p in found.phases if p.part == part]
    notes = _lines(f"- {md(note)}" for note in found.notes)
    return [*blocks, f"{level} What it rests on", notes]


def _overview(found: Plan) -> list[str]:
    numbers = numbers_of(found)
    rows = [
        (
            str(numbers[p.id]), md(p.title), str(p.start), str(p.end),
            hours_text(p.hours.low, p.hours.high), money_text(p.usd),
            ", ".join(str(numbers[name]) for name in p.needs),
        )
        for p in found.phases
    ]  # fmt: skip
    total = hours_text(found.hours.low, found.hours.high)
    rows.append(("", "in all", "", "", total, money_text(found.usd), ""))
    return _table(("", "phase", "from", "to", "work", "cost", "after"), rows)


def _phase(phase: Phase, numbers: dict[str, int], level: str) -> str:
    steps = [f"- {md(step)}" for step in phase.steps]
    title = f"{level}# {numbers[phase.id]} {md(phase.title)}"
    return _lines([title, "", *steps, "", f"Done when {md(phase.done_when)}."])


def _expected(dossier: Dossier, found: Plan) -> list[str]:
    challenges = expectations(dossier, found)
    if not challenges:
        return []
    told = _lines(f"- {md(one.says)} To settle: {md(one.settle)}." for one in challenges)
    return ["## Expectations that look unrealistic", told]


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(cell or " " for cell in row) + " |" for row in rows]
