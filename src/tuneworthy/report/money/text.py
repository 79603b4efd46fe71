"""The money for a terminal: a calculation that can be followed."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Computed, InvestmentResult, Simulation
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.money.rows import (
    Rows,
    chances,
    computed_facts,
    doubts,
    facts,
    servings,
    swings,
)
from tuneworthy.report.text import challenge_lines, pays_back_text
from tuneworthy.report.words import sentence

_MOST_SWINGS = 6


def money_text(dossier: Dossier, *, colour: bool = False) -> str:
    """The money of a dossier.

    Args:
        dossier: Whose money.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint, found = Paint(colour), dossier.investment
    name = safe(dossier.case.name)
    if isinstance(found, Unknown):
        said = f"{name}: the money can't be computed yet. {safe(sentence(found.ask))}"
        blocks = [wrapped(said, rest="  "), challenge_lines(doubts(dossier), paint)]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    head = f"{name}: break-even {safe(pays_back_text(dossier))}."
    gate = next(gate for gate in dossier.verdict.gates if gate.id == "investment")
    by = f"By the {dossier.framework.name} framework. Investment {gate.state}: {safe(gate.why)}."
    blocks = [
        [*(paint("strong", line) for line in wrapped(head, rest="  ")), *wrapped(by)],
        challenge_lines(doubts(dossier), paint),
        _block("The calculation", paint, found.steps),
        _table("As stated", paint, facts(found)),
        *_computed(found.computed, paint),
        *_simulated(found, found.simulation, paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _block(title: str, paint: Paint, said: Sequence[str]) -> list[str]:
    if not said:
        return []
    lines = [paint("strong", title)]
    for one in said:
        lines += wrapped(safe(one), first="  ", rest="    ")
    return lines


def _table(title: str, paint: Paint, rows: Rows) -> list[str]:
    if not rows:
        return []
    return [paint("strong", title), *table([tuple(map(safe, row)) for row in rows])]


def _computed(found: Computed | Unknown, paint: Paint) -> list[list[str]]:
    title = "By traffic and prices"
    if isinstance(found, Unknown):
        return [_block(title, paint, [f"Unknown: {sentence(found.ask)}"])]
    return [
        _table(title, paint, computed_facts(found)),
        _block("How that is computed", paint, found.steps),
        _table("Ways to serve it: USD a month, may it be used, why", paint, servings(found)),
    ]


def _simulated(
    found: InvestmentResult, drawn: Simulation | Unknown, paint: Paint
) -> list[list[str]]:
    if isinstance(drawn, Unknown):
        return [_block("Looking ahead", paint, [f"Unknown: {sentence(drawn.ask)}"])]
    wide = swings(drawn)[:_MOST_SWINGS]
    title = "What it hangs on: net present value at the low and the high end"
    return [
        _table(
            "Looking ahead, by chance" if drawn.draws > 1 else "Looking ahead",
            paint,
            chances(found, drawn),
        ),
        _table(title, paint, wide),
        _block("Taken as given", paint, drawn.assumes),
    ]
