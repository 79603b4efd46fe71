"""The money as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Computed, InvestmentResult, Simulation
from tuneworthy.domain.record import Unknown
from tuneworthy.report.markdown import challenge_lines, md
from tuneworthy.report.money.rows import (
    chances,
    computed_facts,
    doubts,
    facts,
    servings,
    swings,
)
from tuneworthy.report.words import sentence, usd

_MONTHS_A_ROW = 3


def money_markdown(dossier: Dossier) -> str:
    """The money of a dossier as a document of its own."""
    found = dossier.investment
    if isinstance(found, Unknown):
        blocks = [f"# {md(dossier.case.name)}: the money", f"Unknown: {md(sentence(found.ask))}"]
        return "\n\n".join([*blocks, *_doubts(dossier)]) + "\n"
    gate = next(gate for gate in dossier.verdict.gates if gate.id == "investment")
    head = [
        f"# {md(dossier.case.name)}: the money",
        f"By the {md(dossier.framework.name)} framework, as of {dossier.as_of}, seed "
        f"{dossier.seed}. Investment {gate.state}: {md(gate.why)}.",
    ]
    return "\n\n".join([*head, *_doubts(dossier), *money_blocks(found, "##")]) + "\n"


def _doubts(dossier: Dossier) -> list[str]:
    lines = challenge_lines(doubts(dossier))
    return ["\n".join(lines)] if lines else []


def money_blocks(found: InvestmentResult, level: str) -> list[str]:
    """Everything about the money under headings of a level, one block for each."""
    blocks = [_table(("", ""), facts(found))]
    if found.steps:
        blocks += [f"{level} The calculation", _numbered(found.steps)]
    blocks += [f"{level} By traffic and prices", *_computed(found.computed)]
    return [*blocks, f"{level} Looking ahead", *_simulated(found, found.simulation)]


def _computed(found: Computed | Unknown) -> list[str]:
    if isinstance(found, Unknown):
        return [f"Unknown: {md(sentence(found.ask))}"]
    head = ("way to serve it", "USD a month", "may be used", "why")
    blocks = [_table(("", ""), computed_facts(found)), _table(head, servings(found))]
    return [*blocks, _numbered(found.steps)] if found.steps else blocks


def _simulated(found: InvestmentResult, drawn: Simulation | Unknown) -> list[str]:
    if isinstance(drawn, Unknown):
        return [f"Unknown: {md(sentence(drawn.ask))}"]
    blocks = [_table(("", ""), chances(found, drawn))]
    if drawn.tornado:
        head = ("this input alone", "net present value at its low end", "at its high end")
        blocks.append(_table(head, swings(drawn)))
    if drawn.draws > 1:
        blocks.append(_curve(drawn))
    return [*blocks, "Taken as given:\n\n" + "\n".join(f"- {md(one)}" for one in drawn.assumes)]


def _curve(drawn: Simulation) -> str:
    """Every third month and the last one."""
    last = drawn.curve[-1].month
    rows = [
        (str(one.month), usd(one.p10), usd(one.p50), usd(one.p90))
        for one in drawn.curve
        if one.month % _MONTHS_A_ROW == 0 or one.month == last
    ]
    return _table(("after month", "a tenth below", "the middle", "a tenth above"), rows)


def _numbered(said: Sequence[str]) -> str:
    return "\n".join(f"{number}. {md(one)}" for number, one in enumerate(said, start=1))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(md, row)) + " |" for row in rows)])
