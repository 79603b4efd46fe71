"""The money: what it costs, what it brings, and how sure that is."""

from __future__ import annotations

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import (
    BreakEven,
    Computed,
    Duration,
    InvestmentResult,
    Number,
    Simulation,
)
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.charts import money as charts
from tuneworthy.report.html.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    Todo,
)
from tuneworthy.report.html.values import asks, money, monthly, ranged
from tuneworthy.report.money.labels import label
from tuneworthy.report.money.rows import assumed_text
from tuneworthy.report.text import duration
from tuneworthy.report.words import count, listing, sentence, several, share, usd

_HOW = {
    "as_is": "as it is",
    "cached": "with the repeated part cached",
    "batched": "in batches",
    "self_hosted": "on machines of one's own",
}


def investment(dossier: Dossier) -> Section:
    """The whole section."""
    title, short = "What it costs and what it brings", "Money"
    found = dossier.investment
    if isinstance(found, Unknown):
        return Section(
            "money", title, (Todo(found.ask, "The money can’t be worked out yet."),), short
        )
    clashes = sum(
        any(path.startswith("economics") for path in one.between) for one in dossier.challenges
    )
    blocks: list[Block] = [_facts(found)]
    if clashes:
        said = f"{several(clashes, 'statement')} about money {'does' if clashes == 1 else 'do'}n’t "
        blocks.insert(0, Prose(sentence(f"{said}fit with the rest: see what doesn’t fit together")))
    missing = asks(found.upfront_usd, found.monthly_net_usd, found.by_table.ongoing_usd)
    if missing:
        blocks.append(Todo(missing, "An amount isn’t known."))
    if found.assumed:
        names = listing([label(path) for path in found.assumed])
        blocks.append(Prose(f"Not stated: {names}. {sentence(assumed_text(found))}"))
    if found.steps:
        steps = Bullets(found.steps, ordered=True)
        blocks.append(Fold("The calculation, line by line", (steps,)))
    blocks.append(Part("What the traffic alone would save", _computed(found.computed)))
    blocks.append(Part("How sure the money is", _simulated(found.simulation, found)))
    return Section("money", title, tuple(blocks), short)


def _facts(found: InvestmentResult) -> Facts:
    table = found.by_table
    label, net = monthly(found.monthly_net_usd, "Gained each month", "Lost each month")
    rows = [
        Fact("Justified by money", sentence(found.justified), sentence(found.why)),
        Fact("Spent once", money(found.upfront_usd), source=_step(found, "Up front")),
        Fact(
            label,
            net,
            "after running costs, as stated",
            source=_step(found, "Benefits a month", "Running costs a month"),
        ),
        Fact(
            "Paid back after",
            duration(found.break_even_months.point),
            "as stated",
            source=_step(found, "Left a month"),
        ),
    ]
    if not isinstance(table.break_even_months, Unknown):
        rows.append(
            Fact(
                "Paid back after, more cautiously",
                duration(table.break_even_months),
                "with the running costs of the framework’s own table, "
                f"{money(table.ongoing_usd)} a month",
            )
        )
    return Facts(tuple(rows))


def _step(found: InvestmentResult, *starts: str) -> str:
    """The lines of the calculation that begin so, each as a sentence; empty for none."""
    return " ".join(sentence(line) for line in found.steps if line.startswith(starts))


def _computed(found: Computed | Unknown) -> tuple[Block, ...]:
    if isinstance(found, Unknown):
        return (Todo(found.ask, "This wasn’t worked out."),)
    saving, volume, month = (
        found.savings_usd_per_month,
        found.pays_from_requests_per_month,
        found.pays_from_month,
    )
    untuned = "none that can be used" if found.best_untuned == "none" else found.best_untuned
    facts = [Fact("Cheapest way without tuning", untuned)]
    if not isinstance(saving, Unknown):
        facts.append(Fact("Tuning would save each month", money(saving), "by traffic and prices"))
    if not isinstance(volume, Unknown):
        facts.append(Fact("Running costs are earned back from", _requests(volume)))
    if not isinstance(month, Unknown):
        facts.append(Fact("That volume comes in month", _month(month)))
    rows = tuple(
        (
            Cell(one.model, _HOW[one.how] + (", tuned" if one.tuned else "")),
            money(one.usd_per_month),
            one.admissible,
            sentence(one.why) if one.why else "",
        )
        for one in found.servings
    )
    head = (
        Column("Way to serve the traffic"),
        Column("A month", "number"),
        Column("Can be used", "state"),
        Column("Because"),
    )
    blocks: list[Block] = [Facts(tuple(facts))]
    if missing := asks(*(n for n in (saving, volume, month) if not isinstance(n, str))):
        blocks.append(Todo(missing, "What tuning would save by traffic and prices isn’t known."))
    if rows:
        blocks.append(Table("Ways to serve the traffic, the cheapest first", head, rows))
    if found.steps:
        blocks.append(Fold("How that was worked out", (Bullets(found.steps, ordered=True),)))
    return tuple(blocks)


def _requests(value: Duration) -> str:
    return value if isinstance(value, str) else ranged(value, count, " requests a month")


def _month(value: Duration) -> str:
    if isinstance(value, str):
        return value
    return ranged(value, lambda month: "today" if month == 0 else f"{month:g}")


def _simulated(found: Simulation | Unknown, money_found: InvestmentResult) -> tuple[Block, ...]:
    if isinstance(found, Unknown):
        return (Todo(found.ask, "The uncertainty wasn’t worked out."),)
    blocks: list[Block] = [Prose(_how_drawn(found)), _chances(found, money_found)]
    drawing = charts.fan(found)
    if drawing is not None:
        says = "Money spent and gained since the start. Above zero it has paid itself back."
        if not _certain(found):
            says += " The line is the middle result, the band holds eight results of ten."
        blocks.append(Picture("fan", "When the money is back", says, drawing, _curve(found)))
    drawing = charts.tornado(found)
    if drawing is not None:
        says = (
            "What the whole would be worth if only this amount were at its low end (orange) or at "
            "its high end (blue), and everything else in the middle."
        )
        blocks.append(Picture("tornado", "What the result hangs on", says, drawing, _swings(found)))
    if found.assumes:
        items = Bullets(tuple(map(sentence, found.assumes)))
        blocks.append(Fold("What was taken as given", (items,)))
    return tuple(blocks)


def _certain(found: Simulation) -> bool:
    """Whether nothing in it is left to chance."""
    return found.npv_usd.p10 == found.npv_usd.p90


def _how_drawn(found: Simulation) -> str:
    months = found.horizon_months
    if _certain(found):
        return (
            f"Every amount is given as one number, so over {months} months there is one result and "
            "no spread. Real amounts spread: give them as ranges."
        )
    return (
        f"The money was worked out {count(found.draws)} times over {months} months, each time with "
        "the uncertain amounts drawn by chance between their ends."
    )


def _chances(found: Simulation, money_found: InvestmentResult) -> Facts:
    months, worth = found.horizon_months, found.npv_usd
    within = money_found.p_within_6_months
    rows = [
        Fact("Paid back within six months", ranged(within, share), "of the results"),
        Fact(f"Not paid back within {months} months", share(found.p_never), "of the results"),
    ] * (not _certain(found))
    rows.append(Fact("Paid back after", _spread(money_found.break_even_months)))
    spread = f"one result in ten is below {usd(worth.p10)}, one in ten above {usd(worth.p90)}"
    rows.append(
        Fact(
            f"Worth over {months} months, in today’s money",
            usd(worth.p50) if _certain(found) else f"{usd(worth.p50)} in the middle",
            "" if _certain(found) else spread,
        )
    )
    rows.append(Fact("Each month of waiting costs", _waiting(found.cost_of_waiting_usd)))
    return Facts(tuple(rows))


def _spread(found: BreakEven) -> str:
    ends = [duration(value) for value in (found.p10, found.p50, found.p90)]
    if ends[0] == ends[2]:
        return ends[0]
    return f"{ends[1]} in the middle; {ends[0]} at best, {ends[2]} at worst (one in ten each)"


def _waiting(value: Number) -> str:
    if not isinstance(value, Unknown | Range) and value < 0:
        return f"nothing: it gains {usd(-value)}"
    return money(value)


def _curve(found: Simulation) -> Table:
    certain = _certain(found)
    every = max(1, len(found.curve) // 12)
    kept = [m for n, m in enumerate(found.curve) if n % every == 0 or n == len(found.curve) - 1]
    rows = tuple(
        (str(m.month), *map(usd, (m.p50,) if certain else (m.p10, m.p50, m.p90))) for m in kept
    )
    titles = ("One in ten is below", "In the middle", "One in ten is above")
    head = (
        Column("Month"),
        *(Column(title, "number") for title in (("USD",) if certain else titles)),
    )
    return Table("Money spent and gained since the start", head, rows)


def _swings(found: Simulation) -> Table:
    rows = tuple((one.input, usd(one.low_usd), usd(one.high_usd)) for one in found.tornado)
    head = (
        Column("Amount"),
        Column("Worth at its low end", "number"),
        Column("Worth at its high end", "number"),
    )
    return Table("What each uncertain amount alone does to the result", head, rows)
