"""The money: costs, benefits, how certain they are, and the effect of other amounts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    BreakEven,
    ChallengeResult,
    Computed,
    Dossier,
    Duration,
    InvestmentResult,
    ServingResult,
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
    period_words,
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

# paths of the case file
_SAVINGS = "economics.monthly.api_savings_usd"
_RUNNING = "economics.monthly.ongoing_usd"
_TITLE = "What it costs and what it brings"
_STEPS_TITLE = "The calculation, line by line"


def break_even_clauses(dossier: Dossier) -> list[str]:
    """Break-even in clauses, the most important first: as stated, by the table, as simulated."""
    money = dossier.investment
    if isinstance(money, Unknown):
        return [f"unknown: {money.ask}"]
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        return [f"unknown: {point.ask}"]
    clauses = [*_stated_clauses(money, point), _drawn_text(money)]
    return [clause for clause in clauses if clause]


def _stated_clauses(money: InvestmentResult, point: Duration) -> list[str]:
    """Break-even by the stated figures, and with the running costs of the framework's table."""
    back = _back(money, point)
    if money.contradicted:
        doubt = "another figure contradicts them"
        if money.capped:
            doubt = "they exceed the bill"
        return [f"{back} by the stated figures, but {doubt}"]
    if money.assumed:
        return [f"{back} ({assumed_text(money)})"]
    stated = f"{back} by the stated figures"
    by_table = money.by_table.break_even_months
    with_table = "with the running costs of the framework's own table"
    if isinstance(by_table, Unknown):
        return [stated]
    if point == "never" and by_table == "never":
        return [f"never, by the stated figures and {with_table}"]
    return [stated, f"{duration(by_table)} {with_table}"]


def _back(money: InvestmentResult, months: Duration) -> str:
    """The months until it is repaid; a job is repaid once it has run, or never."""
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
    run = f"{dollars(ask.run_month)} {period_words(money).to_run}"
    return f"{dollars(ask.build)} to build it", run


def _drawn_text(money: InvestmentResult) -> str:
    """Say which break-even the simulated runs show; empty where it equals the stated one."""
    drawn = money.simulation
    back = money.break_even_months
    if isinstance(drawn, Unknown) or isinstance(back.p50, Unknown) or money.one_off:
        return ""
    always_works = drawn.p_works == 1
    same_as_stated = duration(back.p50) == duration(back.point)
    # where tuning may fail, its chance is news even beside equal months
    if same_as_stated and (always_works or back.p50 == "never"):
        return ""
    how = "month by month"
    if money.capped:
        how = f"capped at the bill, which leaves {dollars(money.possible_saving_usd)} to save today"
    if always_works:
        return f"{how}: {_spread(back)}"
    works = f"as it does in {share(drawn.p_works)} of the simulated runs"
    return f"{how}: {_spread(back)} if it works, {works}"


def _spread(back: BreakEven) -> str:
    """The middle of the simulated months, with their 80% range where they differ."""
    low = duration(back.p10)
    high = duration(back.p90)
    if low == high:
        return duration(back.p50)
    if high.endswith(" months"):  # the unit is written once
        low = low.removesuffix(" months")
    return f"{duration(back.p50)} (80% range {low} to {high})"


def assumed_text(money: InvestmentResult) -> str:
    """The source of amounts that nobody stated; empty when all were stated."""
    costs = [path for path in money.assumed if path != _SAVINGS]
    parts = []
    if costs:
        parts.append("costs nobody stated are taken from the framework's table")
    if _SAVINGS in money.assumed:
        parts.append("the saving is computed from traffic and prices")
    return listing(parts)


# beginnings of the paths that a challenge names
_ABOUT_BILL = ("economics", "today.usd_per_month")
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
    for what, says in costs.returns.also.items():
        countable, _, meaning = says.partition(": ")  # as in "no: fewer complaints"
        rows.append((what, countable, meaning))
    titles = "Benefit | Can be counted | What it is"
    table = b.table("Benefits of tuning", titles, rows, quiet=True)
    more = ""
    if costs.ongoing_also:
        more = sentence(f"and to keep it running, {costs.ongoing_also}")
    return b.section("returns", "What it may bring, by kind", table, more)


def invest(dossier: Dossier, framework: Framework | None = None) -> b.Document:
    """The document on money alone."""
    objections = doubts(dossier)
    clashes = [
        f"! {claim.says}" for claim in objections if claim.severity == "contradiction"
    ]
    first = b.section("clashes", "", *clashes) if clashes else None
    more = None
    if framework is not None and not dossier.one_off:  # its table is per month
        more = returns(framework)
    document = about(dossier, first, investment(dossier), unfit(objections), more)
    back = pays_back(dossier)
    return replace(document, lead=f"{back.label} {back.value}")


def doubts(dossier: Dossier) -> list[ChallengeResult]:
    """Challenges about money."""
    return [claim for claim in dossier.challenges if _is_about_money(claim.between)]


def _is_about_money(paths: Sequence[str]) -> bool:
    """Whether a challenge with these paths is about money.

    Where it names answers, these decide: a bill that contradicts another answer isn't about money.
    """
    answers = [path for path in paths if path.startswith(_ANSWERS)]
    if answers:
        return any(path.startswith(_ABOUT_MONEY) for path in answers)
    return any(path.startswith(_ABOUT_BILL) for path in paths)


def investment(dossier: Dossier) -> b.Section:
    """The section on money."""
    money = dossier.investment
    if isinstance(money, Unknown):
        todo = b.Todo(money.ask, "The money can’t be worked out yet.")
        return b.section("money", _TITLE, todo)
    return b.section(
        "money",
        _TITLE,
        b.facts([*ask_facts(dossier), *_facts(money)]),
        _clashes_text(len(doubts(dossier))),
        _missing_amounts(money),
        _assumed_amounts(money),
        _worked(_STEPS_TITLE, money.steps, "calculation"),
        b.fold("What the costs are made of", _items(money)) if money.items else None,
        b.part("What the traffic alone would save", _computed(money)),
        b.part("How sure the money is", _simulated(money.simulation, money)),
    )


def _clashes_text(clashes: int) -> str:
    """Say how many challenges are about money; empty for none."""
    if not clashes:
        return ""
    does = "doesn’t" if clashes == 1 else "don’t"
    return sentence(
        f"{several(clashes, 'statement')} about money {does} fit with the rest: see what "
        "doesn’t fit together"
    )


def _missing_amounts(money: InvestmentResult) -> b.Todo | None:
    """The amounts that nobody knows beside a known payback; None where all are known."""
    if isinstance(money.break_even_months.point, Unknown):
        return None  # the payback itself says what is missing
    amounts = [money.upfront_usd, money.monthly_net_usd]
    if not money.one_off:
        amounts.append(money.by_table.ongoing_usd)
    missing = asks(*amounts)
    return b.Todo(missing, "An amount isn’t known.") if missing else None


def _assumed_amounts(money: InvestmentResult) -> str:
    """The amounts that nobody stated, and their source; empty for none."""
    if not money.assumed:
        return ""
    names = listing([label(path) for path in money.assumed])
    return f"Not stated: {names}. {sentence(assumed_text(money))}"


def _items(money: InvestmentResult) -> b.Table:
    """The table of costs, line by line."""
    rows: list[tuple[str, ...]] = []
    for (_, in_sum), group in groupby(
        money.items, lambda item: (item.when, item.in_sum)
    ):
        items = list(group)
        amounts = [item.usd for item in items]
        # lines of a sum are rounded so that they add up to it
        texts = parts_text(amounts) if in_sum else [dollars(usd) for usd in amounts]
        for item, text in zip(items, texts, strict=True):
            source = item.source
            if isinstance(item.usd, Unknown):
                source = sentence(item.usd.ask) or source
            rows.append((item.when, item.what, text, source))
    return b.table("Costs, line by line", "When | For | #USD | Known from", rows)


def _worked(title: str, steps: Sequence[str], id: str = "") -> b.Fold | None:
    """The steps of a calculation, folded; None without any."""
    if not steps:
        return None
    return b.fold(title, b.bullets(steps, ordered=True), id=id)


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
        missing = sentence(money.upfront_usd.ask)
        yield b.Fact("Up front", sentence(NOT_KNOWN), missing, "money")
    else:
        if not isinstance(ask.pilot, Unknown):
            note = "after a pilot, up to the first version"
            yield b.Fact("To build it", dollars(ask.build), note, "money")
        upfront = dollars(money.upfront_usd)
        yield b.Fact("Up front", upfront, "once, pilot and all", "money")
    yield b.Fact(period_words(money).run_title, dollars(ask.run_month), "", "money")


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
        beside = f"{every}, the most that tuning could save"
        title = period_words(money).bill_title
        yield b.Fact(title, dollars(money.bill_usd), beside)
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
    back = money.break_even_months
    stated = "by the stated figures"
    if money.contradicted:
        stated = "by the stated figures, which are contradicted"
    elif money.assumed:
        stated = ""
    word, net = left(money.monthly_net_usd)
    after = f"after running costs, {stated}".removesuffix(", ")
    yield b.Fact(f"{word}{money.a_month or ' of the job'}", net, after)
    paid = _back(money, back.point)
    yield b.Fact("Pays back (break-even)", paid, stated)
    if money.capped:
        yield from _capped_facts(money)
    table = money.by_table
    # stated running costs that are the table's own would give the same result again
    is_own = _RUNNING in money.assumed
    if not is_own and not isinstance(table.break_even_months, Unknown):
        beside = f"with the framework’s own running costs, {dollars(table.ongoing_usd)} per month"
        if money.capped:
            beside += ", and the stated saving"
        by_table = duration(table.break_even_months)
        yield b.Fact("Pays back, by the table", by_table, beside)


def _capped_facts(money: InvestmentResult) -> Iterator[b.Fact]:
    """The amount that is left and the payback, where no more than the bill can be saved."""
    for scenario in money.scenarios:
        if scenario.name == "likely":
            beside = "after running costs, with the saving capped at the bill"
            yield b.Fact("Net at most", usd(scenario.first_month_usd), beside)
    paid = _back(money, money.break_even_months.p50)
    yield b.Fact("Pays back, capped at the bill", paid, period_words(money).drawn)


def _computed(money: InvestmentResult) -> Iterator[b.Parts]:
    """The saving by traffic and prices, with the ways to serve."""
    computed = money.computed
    if isinstance(computed, Unknown):
        yield b.Todo(computed.ask, "This wasn’t worked out.")
        return
    facts = [
        fact for fact in _computed_facts(money, computed) if fact.value != NOT_KNOWN
    ]
    if facts:
        yield b.facts(facts)
    missing = _missing_of_computed(money, computed)
    if missing:
        yield b.Todo(
            missing, "What tuning would save by traffic and prices isn’t known."
        )
    yield _serving_fold(
        "Ways to serve the traffic, the cheapest first", computed.servings, money
    )
    yield _serving_fold(
        "Models that you don’t list and nobody ran on your cases",
        computed.rivals,
        money,
    )
    yield _worked("How that was worked out", computed.steps)


def _computed_facts(money: InvestmentResult, computed: Computed) -> Iterator[b.Fact]:
    """The cheapest way, the saving, and the volume from which running costs come back."""
    best = computed.best_untuned
    cheapest = "none that may be used has a price" if best == "none" else best
    yield b.Fact(
        "Cheapest without tuning", cheapest if computed.servings else NOT_KNOWN
    )
    saving = dollars(computed.savings_usd_per_month)
    by = f"{money.a_month.strip()} by traffic and prices".strip()
    yield b.Fact("Tuning would save", saving, by)
    volume = computed.pays_from_requests_per_month
    if volume:  # else no running cost has to come back
        requests = _requests(volume, f" requests{money.a_month}")
        yield b.Fact("Running costs come back from", requests)
    if not money.one_off:
        yield b.Fact("That volume comes", _month(computed.pays_from_month))


def _missing_of_computed(money: InvestmentResult, computed: Computed) -> str:
    """The steps that would make the computed saving known; empty where it is."""
    amounts: list[Duration] = [
        computed.savings_usd_per_month,
        computed.pays_from_requests_per_month,
    ]
    if not money.one_off:
        amounts.append(computed.pays_from_month)
    return asks(*(amount for amount in amounts if not isinstance(amount, str)))


def _serving_fold(
    title: str, ways: Sequence[ServingResult], money: InvestmentResult
) -> b.Fold | None:
    """A table of ways to serve the traffic, folded; None without any."""
    if not ways:
        return None
    rows = []
    for way in ways:
        name = serving_name(way.model, way.how)
        if way.tuned:
            name += " (tuned)"
        bill = dollars(way.usd_per_month)
        rows.append((name, bill, way.admissible, sentence(way.why) if way.why else ""))
    titles = (
        f"Way to serve the traffic | #Bill, USD{money.a_month} | ?May be used | Because"
    )
    return b.fold(title, b.table(title, titles, rows, quiet=True))


def _requests(value: Duration, unit: str) -> str:
    """A volume of requests in words; a word for a volume is always *never*."""
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
    yield _how_drawn(drawn, money)
    yield b.facts(_chances(drawn, money))
    yield from _scenarios(money)
    if not money.one_off:  # a job has no months
        picture = charts.fan(money, drawn)
        yield captioned(picture, _curve(drawn), title=_fan_title(money, drawn))
    yield from _swings(drawn, money)
    yield from _worths(money)
    if drawn.assumes:
        assumptions = b.bullets(sentence(text) for text in drawn.assumes)
        yield b.fold("Assumptions", assumptions)


def _how_drawn(drawn: Simulation, money: InvestmentResult) -> str:
    """Say how often the money was worked out, over which time."""
    over = period_words(money).over_horizon.format(months=drawn.horizon_months)
    if _certain(drawn):
        return (
            f"Every amount is given as one number, so{over} there is one result and "
            "no spread. Real amounts spread: give them as ranges."
        )
    return (
        f"The money was worked out {count(drawn.draws)} times{over}, each time "
        "with what is uncertain drawn by chance."
    )


def _swings(drawn: Simulation, money: InvestmentResult) -> Iterator[b.Parts]:
    """The effect of each uncertain amount alone, as a sentence and a table."""
    says = (
        f"With every amount at its likeliest it is worth {usd(drawn.likely_usd)}, with the "
        "odds of failure. Each amount is moved alone from there."
    )
    if not _certain(drawn):
        says += f" The average over all runs is {dollars(money.gain_usd)}."
    yield says
    yield b.records(
        "What each amount alone does to the result",
        "Amount | #Worth at its low end | #Worth at its high end",
        "{input} | {low_usd:usd} | {high_usd:usd}",
        drawn.tornado,
    )


def _worths(money: InvestmentResult) -> Iterator[b.Parts]:
    """The worth of finding something out before deciding, folded."""
    rows = [row for row in money.worth if row.usd > 0]
    if rows:
        title = "What finding out is worth before you decide"
        cells = "{what} | {usd:usd}"
        table = b.records(title, "What | #Worth up to", cells, rows, quiet=True)
        yield b.fold(title, table)
    if len(rows) < len(money.worth):  # something isn't worth finding out
        yield cases_note(money)


def _fan_title(money: InvestmentResult, drawn: Simulation) -> str:
    """The finding that the picture of the money shows, as its title."""
    back = money.break_even_months.p50
    within = f"in {drawn.horizon_months} months"
    if drawn.p_works == 0 or back == "never":
        return f"Not repaid {within}, even if it works"
    if isinstance(back, Unknown):
        return f"Whether it is repaid {within} isn’t known"
    repaid = f"Repaid after {duration(back)}"
    if drawn.p_works < 1:
        repaid += " if it works"
    if drawn.p_never < OFTEN:
        return repaid
    late = f"{share(drawn.p_never)} of the simulated runs aren’t repaid {within}"
    return f"{repaid}. {capital(late)}"


def _scenarios(money: InvestmentResult) -> Iterator[b.Parts]:
    """The table of scenarios; nothing without any."""
    if not money.scenarios:
        return
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
    first = period_words(money).left_title
    titles = f"If it works | #Up front | #{first} | Pays back | #Worth"
    yield b.table("With every amount at its worse or better end", titles, rows)
    if not money.one_off:
        yield (
            "Later months differ from the first: traffic grows, prices fall, models end and "
            "are tuned again, as far as that is known or assumed."
        )


def _certain(drawn: Simulation) -> bool:
    """Whether all simulated runs have the same result."""
    return drawn.npv_usd.p10 == drawn.npv_usd.p90


def _chances(drawn: Simulation, money: InvestmentResult) -> Iterator[b.Fact]:
    """The chances that the simulation gives: that it works, pays back and is worth it."""
    if drawn.p_works < 1:
        works = share(drawn.p_works)
        yield b.Fact("Tuning works", works, "of the simulated runs, by the assumptions")
    if money.one_off:
        yield from _worth_facts(drawn, money)
        return
    spread = _spread(money.break_even_months)
    yield b.Fact("Pays back if it works", spread, "month by month")
    yield from _worth_facts(drawn, money)
    waiting = drawn.cost_of_waiting_usd
    if isinstance(waiting, float) and waiting < 0:
        yield b.Fact("Each month of waiting gains", usd(-waiting))
    else:
        yield b.Fact("Each month of waiting costs", dollars(waiting))


def _worth_facts(drawn: Simulation, money: InvestmentResult) -> Iterator[b.Fact]:
    """The worth of tuning in the simulated runs; where they differ, in how many it pays back."""
    months = drawn.horizon_months
    worth = drawn.npv_usd
    period = period_words(money)
    over = period.over_horizon.format(months=months)
    label_of_worth = f"Worth{over} (net present value)"
    if _certain(drawn):
        yield b.Fact(label_of_worth, usd(worth.p50))
        return
    back = money.break_even_months
    if back.p10 != back.p90:
        within = ranged(money.p_within_6_months, share)
        yield b.Fact("In time if it works", within, "of the simulated runs")
    never_title = period.never_title.format(months=months)
    yield b.Fact(never_title, share(drawn.p_never), "of all simulated runs")
    ends = f"{usd(worth.p10)} to {usd(worth.p90)}"
    beside = f"(80% range {ends}, median {usd(worth.p50)})"
    yield b.Fact(label_of_worth, f"{dollars(money.gain_usd)} on average", beside)


def _curve(drawn: Simulation) -> b.Table:
    """The table of the curve, about twelve of its months."""
    every = max(1, len(drawn.curve) // 12)  # a short curve shows each month
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
    then = {fact.label: fact.value for fact in facts(before)}
    now = {fact.label: fact.value for fact in facts(after)}
    rows = []
    for name in {**then, **now}:
        was = then.get(name, _NO_ROW)
        becomes = now.get(name, _NO_ROW)
        if was != becomes:
            rows.append((name, was, becomes))
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
_STEPS = 200.0  # of a lever from end to end; a mouse can't hit more
_BETWEEN = re.compile(r"\s+to\s+|(?<=[\d%])\s*-\s*")  # "0 to 10", "40-80", "4% - 8%"


class Lever(NamedTuple):
    """A slider for an amount of the case, and a field for its exact value."""

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
    stated = _as_per_cent(ask.value) if own.unit == "%" else ask.value
    numbers = _numbers(stated)
    least = min([0.0, *numbers])
    most = own.most
    if numbers and max(numbers) > 0 and not own.fixed:
        most = _rounded_up(_BEYOND * max(numbers))
    most = max([most, *numbers])
    step = 1.0 if own.unit == "months" else _rounded_up((most - least) / _STEPS)
    shown = stated if text is None else text
    at = _lever_place(_numbers(shown))
    return Lever(
        id=ask.id,
        title=ask.title[:1].upper() + ask.title[1:],
        question=ask.question,
        group=own.group,
        unit=own.unit,
        text=shown,
        stated=stated,
        at=min(max(at, least), most),
        least=math.floor(least / step) * step,  # a browser counts its steps from here
        most=most,
        step=step,
    )


def _lever_place(numbers: Sequence[float]) -> float:
    """The place of a lever for a value: the middle of a range, the likely one of three; 0 for none."""
    if not numbers:
        return 0.0
    if len(numbers) == 2:
        return sum(numbers) / 2
    return numbers[len(numbers) // 2]


def _as_per_cent(value: str) -> str:
    """A share, or a range of shares, in percent; empty for an unknown value."""
    if not value:
        return value
    shares = [float(part) for part in value.split(" to ")]
    # multiplied by 100, a float such as 0.07 gets digits that nobody wrote
    return " to ".join(f"{round(100 * share, 6):g}%" for share in shares)


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
    almost = number * (1 - 1e-9)  # a rounding error above a step isn't above it
    for digit in (1, 2, 5):
        if digit * power >= almost:
            return digit * power
    return 10 * power
