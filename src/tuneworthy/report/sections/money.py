"""The money: what it costs, what it brings, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    BreakEven,
    Computed,
    Dossier,
    Duration,
    InvestmentResult,
    Number,
    Simulation,
    StepId,
)
from tuneworthy.model.interview import Ask
from tuneworthy.money.terms import label
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
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
from tuneworthy.report.markdown import challenge_lines, md
from tuneworthy.report.sections.amounts import (
    Rows,
    assumed_text,
    chances,
    computed_facts,
    doubts,
    facts,
    servings,
    swings,
)
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    asks,
    duration,
    money,
    monthly,
    pays_back_text,
    plain_headline,
    ranged,
    text_challenge_lines,
)
from tuneworthy.report.text import Paint, safe, table, wrapped
from tuneworthy.words import count, listing, sentence, several, share, usd

# The money: what it costs, what it brings, and how sure that is.

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
    blocks.append(Part("What the traffic alone would save", _money_computed(found.computed)))
    blocks.append(Part("How sure the money is", _money_simulated(found.simulation, found)))
    return Section("money", title, tuple(blocks), short)


def _facts(found: InvestmentResult) -> Facts:
    table = found.by_table
    label, net = monthly(found.monthly_net_usd, "Gained each month", "Lost each month")
    rows = [
        Fact("Justified by money", sentence(found.justified), sentence(found.why)),
        Fact("Spent once", money(found.upfront_usd), source=_step(found, "upfront")),
        Fact(
            label,
            net,
            "after running costs, as stated",
            source=_step(found, "benefits", "running"),
        ),
        Fact(
            "Paid back after",
            duration(found.break_even_months.point),
            "as stated",
            source=_step(found, "net"),
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


def _step(found: InvestmentResult, *names: StepId) -> str:
    """Lines of the calculation, each as a sentence; empty where there is none."""
    return " ".join(sentence(line) for line in map(found.step, names) if line)


def _money_computed(found: Computed | Unknown) -> tuple[Block, ...]:
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


def _money_simulated(
    found: Simulation | Unknown, money_found: InvestmentResult
) -> tuple[Block, ...]:
    if isinstance(found, Unknown):
        return (Todo(found.ask, "The uncertainty wasn’t worked out."),)
    blocks: list[Block] = [Prose(_how_drawn(found)), _chances(found, money_found)]
    drawing = charts.fan(found)
    if drawing is not None:
        says = "Money spent and gained since the start. Above zero it has paid itself back."
        if not _certain(found):
            says += " The line is the middle result, the band holds eight results of ten."
        blocks.append(Picture("fan", "When the money is back", says, drawing, _money_curve(found)))
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


def _money_curve(found: Simulation) -> Table:
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


# The money for a terminal: a calculation that can be followed.

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
        blocks = [wrapped(said, rest="  "), text_challenge_lines(doubts(dossier), paint)]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    head = f"{name}: break-even {safe(pays_back_text(dossier))}."
    gate = next(gate for gate in dossier.verdict.gates if gate.id == "investment")
    by = f"By the {dossier.framework.name} framework. Investment {gate.state}: {safe(gate.why)}."
    blocks = [
        [*(paint("strong", line) for line in wrapped(head, rest="  ")), *wrapped(by)],
        text_challenge_lines(doubts(dossier), paint),
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


# The money as Markdown tables.

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
    blocks = [_markdown_table(("", ""), facts(found))]
    if found.steps:
        blocks += [f"{level} The calculation", _numbered(found.steps)]
    blocks += [f"{level} By traffic and prices", *_markdown_computed(found.computed)]
    return [*blocks, f"{level} Looking ahead", *_markdown_simulated(found, found.simulation)]


def _markdown_computed(found: Computed | Unknown) -> list[str]:
    if isinstance(found, Unknown):
        return [f"Unknown: {md(sentence(found.ask))}"]
    head = ("way to serve it", "USD a month", "may be used", "why")
    blocks = [
        _markdown_table(("", ""), computed_facts(found)),
        _markdown_table(head, servings(found)),
    ]
    return [*blocks, _numbered(found.steps)] if found.steps else blocks


def _markdown_simulated(found: InvestmentResult, drawn: Simulation | Unknown) -> list[str]:
    if isinstance(drawn, Unknown):
        return [f"Unknown: {md(sentence(drawn.ask))}"]
    blocks = [_markdown_table(("", ""), chances(found, drawn))]
    if drawn.tornado:
        head = ("this input alone", "net present value at its low end", "at its high end")
        blocks.append(_markdown_table(head, swings(drawn)))
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
    return _markdown_table(("after month", "a tenth below", "the middle", "a tenth above"), rows)


def _numbered(said: Sequence[str]) -> str:
    return "\n".join(f"{number}. {md(one)}" for number, one in enumerate(said, start=1))


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(md, row)) + " |" for row in rows)])


# What other amounts would come to, beside what the case says.

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
    return {} if isinstance(found, Unknown) else dict(_what_if_facts(found))


def _what_if_facts(found: InvestmentResult) -> Iterator[tuple[str, str]]:
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


# The amounts of a case that can be moved to see what they do, as levers with a field beside.

Unit = Literal["", "USD", "USD/h", "%", "hours", "months", "tokens"]

_USD_MONTH, _TOKENS = 5_000.0, 10_000.0
LEVERS: dict[str, tuple[str, Unit, float]] = {
    "economics.monthly.api_savings_usd": ("Each month", "USD", _USD_MONTH),
    "economics.monthly.quality_value_usd": ("Each month", "USD", _USD_MONTH),
    "economics.monthly.ongoing_usd": ("Each month", "USD", _USD_MONTH),
    "economics.hourly_rate_usd": ("Spent once", "USD/h", 200),
    "economics.upfront.hours": ("Spent once", "hours", 200),
    "economics.upfront.usd": ("Spent once", "USD", 1_000),
    "economics.traffic.requests_per_month": ("Traffic", "", 100_000),
    "economics.traffic.growth_per_month": ("Traffic", "%", 20),
    "economics.traffic.input_tokens": ("Traffic", "tokens", _TOKENS),
    "economics.traffic.output_tokens": ("Traffic", "tokens", 2_000),
    "economics.traffic.tuned_input_tokens": ("Traffic", "tokens", _TOKENS),
    "economics.traffic.cacheable_share": ("Traffic", "%", 100),
    "economics.assumptions.horizon_months": ("Looking ahead", "months", 120),
}
"""Question to its group, its unit, and the end of its lever where the case says nothing. Where it
says something the lever goes further than that, but for the two that have an end of their own."""

_ENDED = ("economics.traffic.cacheable_share", "economics.assumptions.horizon_months")
_BEYOND = 4.0  # how far a lever goes beyond what is stated
_STEPS = 200.0
_BETWEEN = re.compile(r"\s+to\s+|(?<=[\d%])\s*-\s*")


@dataclass(frozen=True, slots=True)
class Lever:
    """An amount that can be moved."""

    id: str
    """Of the question that asks for it."""
    title: str
    question: str
    group: str
    unit: Unit
    text: str
    """What its field shows; empty for what isn't known."""
    stated: str
    """What the case file says, as the field would show it."""
    at: float
    """Where the lever stands: the middle of a range, its least end for what isn't known."""
    least: float
    most: float
    step: float


def grouped(levers: Sequence[Lever]) -> tuple[tuple[str, tuple[Lever, ...]], ...]:
    """Levers with the title of their group, in their order."""
    return tuple((name, tuple(found)) for name, found in groupby(levers, lambda one: one.group))


def lever(ask: Ask, text: str | None = None) -> Lever:
    """A lever for a question about an amount.

    Args:
        ask: The question, with what the case says to it.
        text: What somebody gave instead; None for nothing.

    Raises:
        KeyError: If there is no lever for that question.
    """
    group, unit, end = LEVERS[ask.id]
    per_cent = unit == "%"
    stated = _shown(ask.value, per_cent=per_cent)
    numbers = _numbers(stated)
    most, least = end, min([0.0, *numbers])
    if numbers and max(numbers) > 0 and ask.id not in _ENDED:
        most = _rounded_up(_BEYOND * max(numbers))
    most = max([most, *numbers])
    shown = stated if text is None else text
    moved = _numbers(shown)
    at = moved[len(moved) // 2] if len(moved) != 2 and moved else sum(moved) / max(len(moved), 1)
    step = _rounded_up((most - least) / _STEPS) if unit != "months" else 1.0
    return Lever(
        id=ask.id,
        title=ask.title[:1].upper() + ask.title[1:],
        question=ask.question,
        group=group,
        unit=unit,
        text=shown,
        stated=stated,
        at=min(max(at, least), most),
        least=_floor(least, step),
        most=most,
        step=step,
    )


def _shown(value: str, *, per_cent: bool) -> str:
    """A value as it is given, shares in per cent."""
    if not per_cent or not value:
        return value
    return " to ".join(f"{round(100 * number, 6):g}%" for number in map(float, value.split(" to ")))


def _numbers(text: str) -> list[float]:
    """The plain numbers of a text as ``800``, ``5%``, ``0 to 10`` or ``40-80``; [] for others."""
    parts = _BETWEEN.split(text)
    try:
        found = [float(part.strip(" %$").replace(",", "")) for part in parts if part]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []


def _rounded_up(number: float) -> float:
    """The next number of the kind 1, 2 or 5 with noughts."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= number * (1 - 1e-9))


def _floor(number: float, step: float) -> float:
    return math.floor(number / step) * step
