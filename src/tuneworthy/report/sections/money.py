"""The money: costs, benefits, how certain they are, and the effect of other amounts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import Number, Range, Unknown
from tuneworthy.model.dossier import (
    BreakEven,
    ChallengeResult,
    Dossier,
    Duration,
    InvestmentResult,
    Simulation,
)
from tuneworthy.model.framework import Framework
from tuneworthy.model.interview import Ask, LeverUnit
from tuneworthy.money.serving import serving_name
from tuneworthy.money.terms import label
from tuneworthy.money.worth import cases_note
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    about,
    asks,
    captioned,
    dollars,
    duration,
    left,
    parts_text,
    ranged,
    unfit,
)
from tuneworthy.report.sections.payback import OFTEN, pays_back
from tuneworthy.report.sections.plan import ask_text
from tuneworthy.words import (
    capital,
    count,
    listing,
    number,
    plain,
    sentence,
    several,
    share,
    usd,
    usd_range,
)

_SAVINGS = "economics.monthly.api_savings_usd"
_RUNNING = "economics.monthly.ongoing_usd"
_TITLE = "What it costs and what it brings"
_STEPS_TITLE = "The calculation, line by line"
_GIVEN = "Assumptions"


def break_even_clauses(dossier: Dossier) -> list[str]:
    """Break-even in clauses, the most important first: as stated, by the table, as simulated."""
    money = dossier.investment
    if isinstance(money, Unknown):
        return [f"unknown: {money.ask}"]
    point = money.break_even_months.point
    table = money.by_table.break_even_months
    if isinstance(point, Unknown):
        return [f"unknown: {point.ask}"]
    theirs = "with the running costs of the framework's own table"
    back = _back(money, point)
    if money.contradicted:
        if money.capped:
            doubt = "they exceed the bill"
        else:
            doubt = "another figure contradicts them"
        parts = [f"{back} by the stated figures, but {doubt}"]
    elif money.assumed:
        parts = [f"{back} ({assumed_text(money)})"]
    elif point == table == "never":
        parts = [f"never, by the stated figures and {theirs}"]
    else:
        parts = [f"{back} by the stated figures"]
        parts += [] if isinstance(table, Unknown) else [f"{duration(table)} {theirs}"]
    drawn = _drawn_text(money)
    return [*parts, drawn] if drawn else parts


def _back(money: InvestmentResult, months: Duration) -> str:
    if not money.one_off or isinstance(months, str | Unknown):
        return duration(months)
    if isinstance(months, Range):
        return "with the job at best, never at worst"
    return "with the job"


def pays_back_text(dossier: Dossier) -> str:
    return ". ".join(map(capital, break_even_clauses(dossier)))


def cost_text(dossier: Dossier) -> str:
    """Say what is spent now, and what building and running cost where that is known."""
    money = dossier.investment
    parts: list[str] = []
    if not isinstance(dossier.ask, Unknown):
        parts.append(f"{ask_text(dossier.ask)} now")
    if not isinstance(money, Unknown) and not isinstance(money.ask_usd.build, Unknown):
        parts += built_text(money)
    return listing(parts)


def built_text(money: InvestmentResult) -> tuple[str, str]:
    """The cost to build after a pilot, and the cost to run."""
    ask = money.ask_usd
    run = "to run the job" if money.one_off else "per month to run it"
    return f"{dollars(ask.build)} to build it", f"{dollars(ask.run_month)} {run}"


def _drawn_text(money: InvestmentResult) -> str:
    """Say which break-even the simulated runs show; empty where it equals the stated one."""
    drawn = money.simulation
    back = money.break_even_months
    if isinstance(drawn, Unknown) or isinstance(back.p50, Unknown) or money.one_off:
        return ""
    certain = drawn.p_works == 1
    if duration(back.p50) == duration(back.point) and (certain or back.p50 == "never"):
        return ""
    how = "month by month"
    if money.capped:
        how = f"capped at the bill, which leaves {dollars(money.possible_saving_usd)} to save today"
    if certain:
        return f"{how}: {_spread(back)}"
    works = f"as it does in {share(drawn.p_works)} of the simulated runs"
    return f"{how}: {_spread(back)} if it works, {works}"


def _spread(back: BreakEven) -> str:
    low, middle, high = (duration(value) for value in (back.p10, back.p50, back.p90))
    shorter = low.removesuffix(" months") if high.endswith(" months") else low
    if low == high:
        return middle
    return f"{middle} (80% range {shorter} to {high})"


def assumed_text(money: InvestmentResult) -> str:
    """The source of amounts that nobody stated; empty when all were stated."""
    costs = [path for path in money.assumed if path != _SAVINGS]
    parts = []
    if costs:
        parts.append("costs nobody stated are taken from the framework's table")
    if _SAVINGS in money.assumed:
        parts.append("the saving is computed from traffic and prices")
    return listing(parts)


_BILL = ("economics", "today.usd_per_month")
_ABOUT_MONEY = ("factors.cost_optimization", "factors.low_volume")
_ANSWERS = ("factors", "signals", "ceiling")


def returns(framework: Framework) -> b.Section | None:
    """The stated benefits of tuning, and whether each can be counted; None without any."""
    costs = framework.costs
    if costs is None or costs.returns is None:
        return None
    span = costs.returns.api_savings_usd_per_month
    name = plain(framework.name)
    saved = f"{usd_range(span.low, span.high)} per month at scale, as the {name} framework has it"
    rows = [("savings on calls", "yes", saved)]
    rows += [
        (what, *said.partition(": ")[::2]) for what, said in costs.returns.also.items()
    ]
    table = b.table(
        "Benefits of tuning", "Benefit | Can be counted | What it is", rows, quiet=True
    )
    more = costs.ongoing_also and sentence(
        f"and to keep it running, {costs.ongoing_also}"
    )
    return b.section("returns", "What it may bring, by kind", table, more)


def invest(dossier: Dossier, framework: Framework | None = None) -> b.Document:
    """The document on money alone."""
    more = returns(framework) if framework and not dossier.one_off else None
    clashes = [
        each.says for each in doubts(dossier) if each.severity == "contradiction"
    ]
    if clashes:
        first = b.section("clashes", "", *(f"! {says}" for says in clashes))
    else:
        first = None
    document = about(dossier, first, investment(dossier), unfit(doubts(dossier)), more)
    back = pays_back(dossier)
    return replace(document, lead=f"{back.label} {back.value}")


def doubts(dossier: Dossier) -> list[ChallengeResult]:
    """Challenges about money. Where one names answers, these decide: few tokens alone aren't money."""

    def about_money(paths: Sequence[str]) -> bool:
        answers = [path for path in paths if path.startswith(_ANSWERS)]
        starts = _ABOUT_MONEY if answers else _BILL
        return any(path.startswith(starts) for path in answers or paths)

    return [
        challenge for challenge in dossier.challenges if about_money(challenge.between)
    ]


def investment(dossier: Dossier) -> b.Section:
    """The section on money."""
    money = dossier.investment
    if isinstance(money, Unknown):
        todo = b.Todo(money.ask, "The money can’t be worked out yet.")
        return b.section("money", _TITLE, todo)
    clashes = len(doubts(dossier))
    many = f"{several(clashes, 'statement')} about money {'does' if clashes == 1 else 'do'}n’t "
    amounts = [money.upfront_usd, money.monthly_net_usd]
    amounts += [] if money.one_off else [money.by_table.ongoing_usd]
    if isinstance(money.break_even_months.point, Unknown):
        missing = ""
    else:
        missing = asks(*amounts)
    names = listing([label(path) for path in money.assumed])
    return b.section(
        "money",
        _TITLE,
        b.facts([*ask_facts(dossier), *_facts(money)]),
        sentence(f"{many}fit with the rest: see what doesn’t fit together")
        if clashes
        else "",
        missing and b.Todo(missing, "An amount isn’t known."),
        names and f"Not stated: {names}. {sentence(assumed_text(money))}",
        _worked(_STEPS_TITLE, money.steps, "calculation"),
        b.fold("What the costs are made of", _items(money), id="costs")
        if money.items
        else None,
        b.part("What the traffic alone would save", _computed(money)),
        b.part("How sure the money is", _simulated(money.simulation, money)),
    )


def _items(money: InvestmentResult) -> b.Table:
    """The table of costs, line by line."""
    rows: list[tuple[str, ...]] = []
    for (_, in_sum), group in groupby(
        money.items, lambda item: (item.when, item.in_sum)
    ):
        lines = [*group]
        amounts = [item.usd for item in lines]
        texts = parts_text(amounts) if in_sum else [*map(dollars, amounts)]
        for item, text in zip(lines, texts, strict=True):
            rows.append((item.when, item.what, text, _ask(item.usd) or item.source))
    return b.table("Costs, line by line", "When | For | #USD | Known from", rows)


def _ask(value: Number) -> str:
    return sentence(value.ask) if isinstance(value, Unknown) else ""


def _worked(title: str, steps: Sequence[str], id: str = "") -> b.Parts:
    return steps and b.fold(title, b.bullets(steps, ordered=True), id=id)


def ask_facts(dossier: Dossier) -> Iterator[b.Fact]:
    """The fact with all that is spent up to the next decision; nothing without a plan."""
    if not isinstance(dossier.ask, Unknown):
        yield b.Fact(
            "Ask now", ask_text(dossier.ask), f"up to: {dossier.ask.until}", "plan"
        )


def story(money: InvestmentResult) -> Iterator[b.Fact]:
    """The costs of tuning in their order. Every page shows these same figures."""
    ask = money.ask_usd
    if isinstance(money.upfront_usd, Unknown):
        yield b.Fact(
            "Up front", sentence(NOT_KNOWN), sentence(money.upfront_usd.ask), "money"
        )
    elif not isinstance(ask.pilot, Unknown):
        note = "after a pilot, up to the first version"
        yield b.Fact("To build it", dollars(ask.build), note, "money")
    if not isinstance(money.upfront_usd, Unknown):
        yield b.Fact(
            "Up front", dollars(money.upfront_usd), "once, pilot and all", "money"
        )
    run = "To run the job" if money.one_off else "Each month, to run it"
    yield b.Fact(run, dollars(ask.run_month), "", "money")


def facts(dossier: Dossier) -> list[b.Fact]:
    """Every known amount of the money; [] where it can't be computed."""
    money = dossier.investment
    if isinstance(money, Unknown):
        return []
    rows = list(_facts(money))
    if isinstance(money.simulation, Simulation):
        rows += _chances(money.simulation, money)
    return rows


def _facts(money: InvestmentResult) -> Iterator[b.Fact]:
    """The main amounts: bill, saving, payback and the rule on money."""
    every = money.a_month.strip() or "in all"
    yield from story(money)
    if not isinstance(money.bill_usd, Unknown):
        what = "The whole job costs" if money.one_off else "The bill today"
        beside = f"{every}, the most that tuning could save"
        yield b.Fact(what, dollars(money.bill_usd), beside, id="bill")
    if money.capped:
        beside = f"{every}, capped at the bill. The stated saving is higher."
        yield b.Fact("Saving at most", dollars(money.possible_saving_usd), beside)
    bring = money.must_bring_usd
    if not isinstance(bring, Unknown):
        least = dollars(bring) if money.one_off else f"more than {dollars(bring)}"
        yield b.Fact(
            "Needed to pay back in time", least, f"{every}, running costs included"
        )
    if not isinstance(money.monthly_net_usd, Unknown):
        yield from _break_even(money)
    yield b.Fact("By the rule on money", sentence(money.justified), sentence(money.why))


def _break_even(money: InvestmentResult) -> Iterator[b.Fact]:
    """The amount that is left and the month it pays back, by each way to compute it."""
    word, net = left(money.monthly_net_usd)
    back = money.break_even_months
    stated = "" if money.assumed else "by the stated figures"
    if money.contradicted:
        stated = "by the stated figures, which are contradicted"
    after = f"after running costs, {stated}".removesuffix(", ")
    beside = f"{sentence(money.step('benefits'))} {sentence(money.step('net'))}"
    yield b.Fact(f"{word}{money.a_month or ' of the job'}", net, after)
    paid = _back(money, back.point)
    yield b.Fact(
        "Pays back (break-even)", paid, stated, source=beside, id="back-stated"
    )
    if money.capped:
        if money.scenarios:
            likely = money.scenarios[1].first_month_usd
            beside = "after running costs, with the saving capped at the bill"
            yield b.Fact("Net at most", usd(likely), beside)
        if money.one_off:
            beside = ""
        else:
            beside = "month by month, with each saving capped at its bill"
        yield b.Fact("Pays back, capped at the bill", _back(money, back.p50), beside)
    table = money.by_table
    if (
        not isinstance(table.break_even_months, Unknown)
        and _RUNNING not in money.assumed
    ):
        beside = f"with the framework’s own running costs, {dollars(table.ongoing_usd)} per month"
        if money.capped:
            beside += ", and the stated saving"
        theirs = duration(table.break_even_months)
        yield b.Fact("Pays back, by the table", theirs, beside, id="back-table")


def _computed(money: InvestmentResult) -> Iterator[b.Parts]:
    """The saving by traffic and prices, with the ways to serve."""
    computed = money.computed
    a_month = money.a_month
    if isinstance(computed, Unknown):
        yield b.Todo(computed.ask, "This wasn’t worked out.")
        return
    saving = computed.savings_usd_per_month
    month = computed.pays_from_month
    volume = computed.pays_from_requests_per_month
    best = computed.best_untuned
    cheapest = "none that may be used has a price" if best == "none" else best
    facts = [
        ("Cheapest without tuning", cheapest if computed.servings else NOT_KNOWN, ""),
        (
            "Tuning would save",
            dollars(saving),
            f"{a_month.strip()} by traffic and prices".strip(),
        ),
    ]
    if volume:  # else no running cost has to come back
        back = _requests(volume, f" requests{a_month}")
        facts.append(("Running costs come back from", back, ""))
    facts += [] if money.one_off else [("That volume comes", _month(month), "")]
    known_facts = [row for row in facts if row[1] != NOT_KNOWN]
    yield known_facts and b.facts(known_facts)
    open_ = (saving, volume) if money.one_off else (saving, volume, month)
    if missing := asks(*(n for n in open_ if not isinstance(n, str))):
        yield b.Todo(
            missing, "What tuning would save by traffic and prices isn’t known."
        )
    for title, ways in (
        ("Ways to serve the traffic, the cheapest first", computed.servings),
        ("Models that you don’t list and nobody ran on your cases", computed.rivals),
    ):
        rows = [
            (
                serving_name(way.model, way.how) + (" (tuned)" if way.tuned else ""),
                dollars(way.usd_per_month),
                way.admissible,
                sentence(way.why) if way.why else "",
            )
            for way in ways
        ]
        heads = (
            f"Way to serve the traffic | #Bill, USD{a_month} | ?May be used | Because"
        )
        yield rows and b.fold(title, b.table(title, heads, rows, quiet=True))
    yield _worked("How that was worked out", computed.steps)


def _requests(value: Duration, unit: str) -> str:
    if isinstance(value, str):
        return "no volume"
    if isinstance(value, Range) and value.high == "open":
        return f"{count(value.low)}{unit} at best, no volume at worst"
    return ranged(value, count, unit)


def _month(value: Duration) -> str:
    """The month that reaches the volume, in words."""
    if isinstance(value, str):
        return "never at this growth"

    def month_text(month: float) -> str:
        return "today" if month == 0 else f"in month {number(month)}"

    if not isinstance(value, Range):
        return ranged(value, month_text)
    worst = "never" if value.high == "open" else month_text(value.high)
    return f"{month_text(value.low)} at best, {worst} at worst"


def _simulated(
    drawn: Simulation | Unknown, money: InvestmentResult
) -> Iterator[b.Parts]:
    """The result of the simulation, with its pictures and assumptions."""
    if isinstance(drawn, Unknown):
        yield b.Todo(drawn.ask, "The uncertainty wasn’t worked out.")
        return
    certain = _certain(drawn)
    over = "" if money.one_off else f" over {drawn.horizon_months} months"
    yield (
        f"Every amount is given as one number, so{over} there is one result and "
        "no spread. Real amounts spread: give them as ranges."
        if certain
        else f"The money was worked out {count(drawn.draws)} times{over}, each time "
        "with what is uncertain drawn by chance."
    )
    chances = tuple(_chances(drawn, money))
    yield b.facts(chances)
    yield from _scenarios(money)
    if not money.one_off:
        named = {fact.id: fact.label for fact in (*_facts(money), *chances)}
        picture = charts.fan(money, drawn, named)
        yield captioned(picture, _curve(drawn), title=_fan_title(money, drawn))
    titles = "Amount | #Worth at its low end | #Worth at its high end"
    title = "What each amount alone does to the result"
    cells = "{input} | {low_usd:usd} | {high_usd:usd}"
    ends = b.records(title, titles, cells, drawn.tornado)
    says = (
        f"With every amount at its likeliest it is worth {usd(drawn.likely_usd)}, with the "
        "odds of failure. Each amount is moved alone from there."
    )
    if not certain:
        says += f" The average over all runs is {dollars(money.gain_usd)}."
    yield says
    yield captioned(charts.tornado(drawn, dict(_inputs(money, drawn))), ends)
    rows = [row for row in money.worth if row.usd > 0]
    worth = "What finding out is worth before you decide"
    table = b.records(
        worth, "What | #Worth up to", "{what} | {usd:usd}", rows, quiet=True
    )
    yield rows and b.fold(worth, table)
    if len(rows) < len(money.worth):
        yield cases_note(money)
    if drawn.assumes:
        assumptions = b.bullets(map(sentence, drawn.assumes))
        yield b.fold(_GIVEN, assumptions, id="given")


def _fan_title(money: InvestmentResult, drawn: Simulation) -> str:
    """The finding that the picture of the money shows, as its title."""
    back = money.break_even_months.p50
    within = f"in {drawn.horizon_months} months"
    late = f"{share(drawn.p_never)} of the simulated runs aren’t repaid {within}"
    if drawn.p_works == 0 or back == "never" or isinstance(back, Unknown):
        return f"Not repaid {within}, even if it works"
    if_so = "" if drawn.p_works == 1 else " if it works"
    repaid = f"Repaid after {duration(back)}{if_so}"
    if drawn.p_never >= OFTEN:
        return f"{repaid}. {capital(late)}"
    return repaid


def _inputs(
    money: InvestmentResult, drawn: Simulation
) -> Iterator[tuple[str, list[charts.Destination]]]:
    """Each varied amount with its source: on the page its lever, if it has one."""
    paths = {
        label(path): path for path in case_fields() if path.startswith("economics")
    }
    worked = charts.Destination(_STEPS_TITLE, "#calculation")
    assumptions = charts.Destination(_GIVEN, "#given")
    bill = charts.Destination("The bill today", "#bill")
    if isinstance(money.bill_usd, Unknown):
        bill = worked
    for name in (swing.input for swing in drawn.tornado):
        path = paths.get(name, "")
        if ".assumptions." in path:
            known = assumptions
        elif ".traffic." in path:
            known = bill
        else:
            known = worked
        first: list[charts.Destination] = []
        if path in LEVERS:
            first.append(charts.Destination(name, f"#{path}"))
        yield name, [*first, known]


def _scenarios(money: InvestmentResult) -> Iterator[b.Parts]:
    """The table of scenarios."""
    rows = [
        (
            scenario.name,
            usd(scenario.upfront_usd),
            usd(scenario.first_month_usd),
            _back(money, scenario.break_even_months),
            usd(scenario.npv_usd),
        )
        for scenario in money.scenarios
    ]
    first = "Left of the job" if money.one_off else "Left of the first month"
    titles = f"If it works | #Up front | #{first} | Pays back | #Worth"
    if rows:
        yield b.table("With every amount at its worse or better end", titles, rows)
        if not money.one_off:
            yield (
                "Later months differ from the first: traffic grows, prices fall, models end and "
                "are tuned again, as far as that is known or assumed."
            )


def _certain(drawn: Simulation) -> bool:
    return drawn.npv_usd.p10 == drawn.npv_usd.p90


def _chances(drawn: Simulation, money: InvestmentResult) -> Iterator[b.Fact]:
    """The chances that the simulation gives: that it works, pays back and is worth it."""
    months = drawn.horizon_months
    worth = drawn.npv_usd
    back = money.break_even_months
    if drawn.p_works < 1:
        yield b.Fact(
            "Tuning works",
            share(drawn.p_works),
            "of the simulated runs, by the assumptions",
        )
    if not money.one_off:
        yield b.Fact(
            "Pays back if it works", _spread(back), "month by month", id="back-possible"
        )
    over = "" if money.one_off else f" over {months} months"
    net = f"Worth{over} (net present value)"
    if _certain(drawn):
        yield b.Fact(net, usd(worth.p50))
    else:
        if back.p10 != back.p90:
            within = ranged(money.p_within_6_months, share)
            yield b.Fact("In time if it works", within, "of the simulated runs")
        late = "Doesn’t pay back" if money.one_off else f"Not within {months} months"
        yield b.Fact(late, share(drawn.p_never), "of all simulated runs")
        most = f"{usd(worth.p10)} to {usd(worth.p90)}"
        middle = usd(worth.p50)
        ends = f"(80% range {most}, median {middle})"
        yield b.Fact(net, f"{dollars(money.gain_usd)} on average", ends)
    if not money.one_off:
        waiting = drawn.cost_of_waiting_usd
        if isinstance(waiting, float) and waiting < 0:
            yield b.Fact("Each month of waiting gains", usd(-waiting))
        else:
            yield b.Fact("Each month of waiting costs", dollars(waiting))


def _curve(drawn: Simulation) -> b.Table:
    """The table of the curve, about twelve of its months."""
    every = max(1, len(drawn.curve) // 12)
    last = len(drawn.curve) - 1
    months = [
        month for n, month in enumerate(drawn.curve) if n % every == 0 or n == last
    ]
    titles = "Month | #One in ten is below | #In the middle | #One in ten is above"
    cells = "{month} | {p10:usd} | {p50:usd} | {p90:usd}"
    if _certain(drawn):
        titles = "Month | #USD"
        cells = "{month} | {p50:usd}"
    return b.records("Money spent and gained since the start", titles, cells, months)


def compared(before: Dossier, after: Dossier) -> b.Table:
    """The amounts that other inputs change; unchanged ones are left out."""
    then, now = (
        {fact.label: fact.value for fact in facts(each)} for each in (before, after)
    )
    names = dict.fromkeys([*then, *now])
    pairs = [(name, then.get(name, _NO_ROW), now.get(name, _NO_ROW)) for name in names]
    rows = [row for row in pairs if row[1] != row[2]]
    titles = "What | As the case says | With these numbers"
    return b.table("What these numbers would change", titles, rows)


_NO_ROW = "–"  #: Of an amount that doesn't come up in one of both.


_GROUPS = ("Each month", "Up front", "Traffic", "Looking ahead")
LEVERS = {
    path: field.lever
    for group in _GROUPS
    for path, field in case_fields().items()
    if field.lever is not None and field.lever.group == group
}
"""The lever for each question. A lever extends to the case's value if that lies beyond its end,
unless its ends are fixed."""

_BEYOND = 4.0  # a lever goes up to so many times the stated value
_STEPS = 200.0
_BETWEEN = re.compile(r"\s+to\s+|(?<=[\d%])\s*-\s*")


class Lever(NamedTuple):
    id: str  #: Of the question that asks for it.
    title: str
    question: str
    group: str
    unit: LeverUnit
    text: str  #: The text in its field; empty for an unknown value.
    stated: str  #: The value in the case file, as the field would show it.
    at: float  #: Where the lever stands: the middle of a range, its least end for what isn't known.
    least: float
    most: float
    step: float


def grouped(levers: Sequence[Lever]) -> tuple[tuple[str, tuple[Lever, ...]], ...]:
    return tuple(
        (name, tuple(members))
        for name, members in groupby(levers, lambda lever: lever.group)
    )


def lever(ask: Ask, text: str | None = None) -> Lever:
    """A lever for a question about an amount; ``text`` is a user's value for it."""
    own = LEVERS[ask.id]
    unit = own.unit
    per_cent = own.unit == "%"
    stated = _as_per_cent(ask.value, per_cent=per_cent)
    numbers = _numbers(stated)
    most = own.most
    least = min([0.0, *numbers])
    if numbers and max(numbers) > 0 and not own.fixed:
        most = _rounded_up(_BEYOND * max(numbers))
    most = max([most, *numbers])
    shown = stated if text is None else text
    moved = _numbers(shown)
    if len(moved) != 2 and moved:
        at = moved[len(moved) // 2]
    else:
        at = sum(moved) / max(len(moved), 1)
    step = _rounded_up((most - least) / _STEPS) if unit != "months" else 1.0
    return Lever(
        id=ask.id,
        title=ask.title[:1].upper() + ask.title[1:],
        question=ask.question,
        group=own.group,
        unit=unit,
        text=shown,
        stated=stated,
        at=min(max(at, least), most),
        least=math.floor(least / step) * step,
        most=most,
        step=step,
    )


def _as_per_cent(value: str, *, per_cent: bool) -> str:
    """A value as it was given, with shares in percent."""
    if not per_cent or not value:
        return value
    return " to ".join(
        f"{round(100 * number, 6):g}%" for number in map(float, value.split(" to "))
    )


def _numbers(text: str) -> list[float]:
    """The plain numbers of a text as ``800``, ``5%``, ``0 to 10`` or ``40-80``; [] for others."""
    parts = _BETWEEN.split(text)
    try:
        numbers = [float(part.strip(" %$").replace(",", "")) for part in parts if part]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def _rounded_up(number: float) -> float:
    """The next number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= number * (1 - 1e-9))
