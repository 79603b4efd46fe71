"""What other amounts would come to, beside what the case says."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import InvestmentResult, Simulation
from tuneworthy.domain.record import Unknown
from tuneworthy.report.html.blocks import Column, Table
from tuneworthy.report.html.values import NOT_KNOWN, money, ranged
from tuneworthy.report.plain import plain_headline
from tuneworthy.report.text import duration
from tuneworthy.report.words import sentence, several, share, usd

Pair = tuple[str, str, str]


def compared(before: Dossier, after: Dossier) -> Table:
    """The verdict and the money, as the case says and as they would be."""
    rows = [("Verdict", plain_headline(before), plain_headline(after))]
    then, now = _rows(before.investment), _rows(after.investment)
    names = dict.fromkeys([*then, *now])
    rows += [(name, then.get(name, NOT_KNOWN), now.get(name, NOT_KNOWN)) for name in names]
    head = (Column("What"), Column("As the case says"), Column("With these numbers"))
    return Table("What these numbers would change", head, tuple(rows))


def _rows(found: InvestmentResult | Unknown) -> dict[str, str]:
    return {} if isinstance(found, Unknown) else dict(_facts(found))


def _facts(found: InvestmentResult) -> Iterator[tuple[str, str]]:
    yield "Justified by money", sentence(found.justified)
    yield "Spent once", money(found.upfront_usd)
    yield "Left each month, after running costs", money(found.monthly_net_usd)
    yield "Paid back after", duration(found.break_even_months.point)
    drawn = found.simulation
    if isinstance(drawn, Simulation):
        yield "Chance of that within six months", ranged(found.p_within_6_months, share)
        yield "Looking ahead", several(drawn.horizon_months, "month")
        yield "Chance that it isn’t paid back by then", share(drawn.p_never)
        yield "Worth by then, in the middle", usd(drawn.npv_usd.p50)
