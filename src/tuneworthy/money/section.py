"""The money as a section of the dossier: numbers become words here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from tuneworthy.model.base import HOURS_PER_MONTH, TOKENS_PER_MTOK, Interval, Range, Unknown
from tuneworthy.model.dossier import (
    REQUESTS,
    Appraisal,
    Books,
    BreakEven,
    ByTable,
    Comparison,
    Computed,
    Drawn,
    Duration,
    Investment,
    InvestmentResult,
    Judged,
    Month,
    Number,
    Outlook,
    Percentiles,
    Reason,
    Saved,
    Serving,
    Simulation,
    Swing,
    Terms,
    Way,
    likely,
    total,
)
from tuneworthy.money.terms import label, product, rate, small_usd
from tuneworthy.money.words import way_name, why
from tuneworthy.words import count, figure, months, months_range, share, usd

# The calculation line by line, as somebody would check it with a pocket calculator.


def stated_steps(outlook: Outlook) -> Iterator[str]:
    """From the amounts of the case to the months until it has paid itself back.

    Likely values; where an amount is a range, the last line has the best and the worst pairing.
    """
    books, found = outlook.books, outlook.appraisal.investment
    if found is None or books.upfront is None:
        return
    saved = outlook.comparison.saved
    computed = saved if isinstance(saved, Saved) and not books.savings else None
    yield f"Up front: {_sum(books.upfront, books)}"
    benefits = _line((*books.savings, *books.quality), books)
    if computed is not None:
        plus = [usd(computed.usd.value) + " saved on calls (computed below)"]
        yield f"Benefits a month: {' + '.join([*plus, *([benefits] if benefits else [])])}"
        cost = computed.fixed.value if computed.fixed else 0.0
        yield f"Running costs a month beside serving: {usd(cost)} (below)"
    else:
        yield f"Benefits a month: {_sum((*books.savings, *books.quality), books)}"
        yield f"Running costs a month: {_sum(books.running or (), books)}"
    yield _net(found, outlook.appraisal)


def _net(found: Investment, appraisal: Appraisal) -> str:
    net, upfront = found.monthly_net.value, found.upfront.value
    left = f"Left a month: {usd(net)}. Break-even:"
    point = math.inf if net <= 0 else upfront / net
    if upfront <= 0:
        said = "at once, nothing is spent up front"
    elif math.isinf(point):
        said = "never, nothing is left to pay it back"
    else:
        said = f"{usd(upfront)} / {usd(net)} = {months(point)}"
    low, high = found.months.low, found.months.high
    if low != high:
        said += f"; from the best to the worst pairing of the ranges {months_range(low, high)}"
    under = appraisal.why.numbers.get("under")
    return f"{left} {said}" + (f" (under {months(under)} is asked for)" if under else "")


def _line(terms: Terms, books: Books) -> str:
    values = likely(books.inputs)
    return " + ".join(product(term, values) for term in terms)


def _sum(terms: Terms, books: Books) -> str:
    """Terms and their sum; the sum alone where it is a single amount."""
    value = usd(float(total(terms, likely(books.inputs))))
    line = _line(terms, books)
    return value if not line or line == value else f"{line} = {value}"


def computed_steps(comparison: Comparison, books: Books) -> Iterator[str]:
    """From traffic and prices to the saving and the volume from which it pays."""
    saved = comparison.saved
    if not isinstance(saved, Saved):
        return
    best = saved.best.way
    if saved.from_today:
        yield "No untuned way meets the targets, so tuning is held against what runs today."
    yield _cost(best, saved)
    yield _cost(saved.tuned, saved)
    if not saved.tuned.gpu and saved.tuned.names[:1] == best.names[:1]:
        yield (
            "The tuned prompt is taken to be as long as today's: state "
            "economics.traffic.tuned_input_tokens if it gets shorter."
        )
    yield _saving(saved)
    if saved.cheaper_perhaps is not None and saved.cheaper_perhaps.usd is not None:
        one = saved.cheaper_perhaps
        yield (
            f"Cheaper, if it may be used: {way_name(one.way.model, one.way.how)}, "
            f"{usd(saved.cheaper_perhaps.usd.value)} a month ({why(one.reasons[0])})."
        )
    yield from _fixed(saved, books)
    yield from _volume(saved, comparison.growth)
    if books.savings:
        stated = usd(float(total(books.savings, likely(books.inputs))))
        yield f"Stated is a saving of {stated} a month, and that is what counts for the break-even."


def _cost(way: Way, saved: Saved) -> str:
    values = likely(saved.inputs)
    requests = values[REQUESTS]
    cost = usd(way.line(values).usd(requests))
    name = way_name(way.model, way.how)
    if way.gpu is not None:
        hour, each, full, always = (values[n] for n in way.gpu.names)
        needed = f"{figure(requests)} calls / ({figure(each)} an hour × {figure(full * 100)}%) = "
        hours = f"{figure(requests / (each * full))} GPU hours"
        floor = f"{figure(always)} always on = {figure(always * HOURS_PER_MONTH)} hours"
        return f"{name}: {needed}{hours}; {floor}; the larger × {usd(hour)} = {cost} a month"
    if way.bill_usd is not None:
        return f"{name}: {cost} a month, the stated bill"
    tokens = " + ".join(
        f"{count(values[term.names[0]])} × {rate(term.factor * TOKENS_PER_MTOK)}"
        for term in way.request
    )
    source = f" (prices from {way.catalogue})" if way.catalogue else ""
    return f"{name}: {count(requests)} calls × ({tokens}) / 1,000,000 = {cost} a month{source}"


def _saving(saved: Saved) -> str:
    values = likely(saved.inputs)
    best = saved.best.way.line(values).usd(values[REQUESTS])
    tuned = saved.tuned.line(values).usd(values[REQUESTS])
    said = f"Saved a month: {usd(best)} - {usd(tuned)} = {usd(saved.usd.value)}"
    if saved.usd.low != saved.usd.high:
        said += f"; {usd(saved.usd.low)} to {usd(saved.usd.high)} over everything left open"
    return said


def _fixed(saved: Saved, books: Books) -> Iterator[str]:
    if saved.fixed is None:
        return
    if saved.serving_in_total:
        values = likely(saved.inputs)
        serving = usd(saved.tuned.line(values).usd(values[REQUESTS]))
        yield (
            f"Running costs beside serving: {_sum(books.running or (), books)} less {serving} of "
            f"serving, not below 0 = {usd(saved.fixed.value)} a month"
        )
    else:
        yield f"Running costs beside serving: {_sum(books.running_besides or (), books)} a month"


def _volume(saved: Saved, growth: Interval | None) -> Iterator[str]:
    volume = saved.volume
    if not isinstance(volume, Interval) or saved.fixed is None:
        return
    if math.isinf(volume.value):
        yield "No volume earns the running costs back."
        return
    values = likely(saved.inputs)
    lines = saved.best.way.line(values), saved.tuned.line(values)
    if lines[0].floor == lines[1].floor == 0 and saved.fixed.value > 0:
        each = small_usd(lines[0].slope), small_usd(lines[1].slope)
        yield (
            f"It pays from: {usd(saved.fixed.value)} / ({each[0]} - {each[1]} a call) = "
            f"{count(round(volume.value))} calls a month"
        )
    else:
        covered = usd(saved.fixed.value)
        yield f"The saving covers {covered} from {count(round(volume.value))} calls a month"
    if isinstance(saved.month, Interval):
        yield _steps_month(saved, saved.month, growth)


def _steps_month(saved: Saved, month: Interval, growth: Interval | None) -> str:
    now = count(saved.inputs[REQUESTS].value)
    if month.value == 0:
        return f"Today's {now} calls are enough."
    rated = f" at {share(growth.value)} growth a month" if growth else ""
    if math.isinf(month.value):
        return f"From {now} calls today that volume is never reached{rated}."
    return f"From {now} calls today that is month {month.value:g}{rated}."


def duration(months: Interval) -> float | Range | Literal["never"]:
    """Months, or a volume, as a dossier shows it: ``never`` where every end is infinite."""
    return "never" if math.isinf(months.low) else months.narrowed()


# The money as a section of the dossier: numbers become words here.

_NO_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"
_NO_RULE = "the framework has no break-even rule: add break_even.under_months"

_ASSUMES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "nothing_varies": lambda _: (
        "every amount is stated as one number, so every draw is the same: give the uncertain ones "
        "as {low, likely, high}"
    ),
    "no_discount": lambda _: (
        "money later counts as much as money now (economics.assumptions.discount_per_year)"
    ),
    "no_failure": lambda _: "the tuning works (economics.assumptions.failure_chance)",
    "no_model_end": lambda _: (
        "the tuned model never has to be tuned anew (economics.assumptions.model_life_months)"
    ),
    "tuned_again": lambda n: (
        "when the model's life ends, "
        + {
            "stated": "data preparation and training are paid again",
            "by_table": "data preparation and training are paid again, at their share of the "
            "framework's table",
            "all": "the whole upfront cost is paid again, because nobody said what of it is data "
            "preparation and training",
        }[n["part"]]
    ),
    "benefits_constant": lambda n: (
        "stated benefits are the same every month"
        + (", although traffic is said to change" if n["growth"] else "")
    ),
    "traffic_constant": lambda _: "traffic stays as it is (economics.traffic.growth_per_month)",
    "growth_goes_on": lambda n: (
        f"the stated growth goes on for all {n['months']} months, from {count(n['now'])} to "
        f"{count(n['then'])} calls a month"
    ),
}


def investment(outlook: Outlook) -> InvestmentResult | Unknown:
    """The money, or what to state first."""
    appraisal, found = outlook.appraisal, outlook.appraisal.investment
    comparison = outlook.comparison
    if found is None and not isinstance(comparison.saved, Saved):
        return Unknown(ask=why(appraisal.why))
    later, rate = Unknown(ask=why(appraisal.why)), Unknown(ask=_NO_RATE)
    table_usd, table_months = (found.table_ongoing, found.table_months) if found else (None, None)
    return InvestmentResult(
        upfront_usd=later if found is None else found.upfront.narrowed(),
        monthly_net_usd=later if found is None else found.monthly_net.narrowed(),
        break_even_months=_break_even(outlook),
        p_within_6_months=_in_time(outlook.drawn, later),
        justified=appraisal.justified,
        why=why(appraisal.why),
        assumed=found.assumed if found else (),
        by_table=ByTable(
            ongoing_usd=rate if table_usd is None else table_usd.narrowed(),
            break_even_months=rate if table_months is None else duration(table_months),
        ),
        steps=tuple(stated_steps(outlook)),
        computed=_computed(outlook),
        simulation=later if outlook.drawn is None else _simulation(outlook.drawn),
    )


def _break_even(outlook: Outlook) -> BreakEven:
    found, drawn = outlook.appraisal.investment, outlook.drawn
    later: Any = Unknown(ask=why(outlook.appraisal.why))
    ends = (later, later, later) if drawn is None else [_month(value) for value in drawn.months]
    return BreakEven(
        point=later if found is None else duration(found.months),
        p10=ends[0],
        p50=ends[1],
        p90=ends[2],
    )


def _in_time(drawn: Drawn | None, later: Unknown) -> Number:
    if drawn is None:
        return later
    return Unknown(ask=_NO_RULE) if drawn.in_time is None else drawn.in_time


def _month(value: float) -> Duration:
    return "never" if math.isinf(value) else value


def _computed(outlook: Outlook) -> Computed | Unknown:
    comparison = outlook.comparison
    saved = comparison.saved
    if not comparison.ways:
        return Unknown(ask=why(saved) if isinstance(saved, Reason) else "")
    lacks: Any = Unknown(ask=why(saved)) if isinstance(saved, Reason) else None
    return Computed(
        servings=tuple(_serving(one) for one in comparison.ways),
        best_untuned=_best(comparison),
        savings_usd_per_month=saved.usd.narrowed() if isinstance(saved, Saved) else lacks,
        pays_from_requests_per_month=_when(saved.volume) if isinstance(saved, Saved) else lacks,
        pays_from_month=_when(saved.month) if isinstance(saved, Saved) else lacks,
        steps=tuple(computed_steps(comparison, outlook.books)),
    )


def _best(comparison: Comparison) -> str:
    """The cheapest that may be used; with none, the cheapest that isn't ruled out."""
    for state in ("yes", "unknown"):
        for one in comparison.ways:
            if not one.way.tuned and one.usd is not None and one.admissible == state:
                return way_name(one.way.model, one.way.how)
    return "none"


def _when(value: Interval | Reason) -> Any:
    return Unknown(ask=why(value)) if isinstance(value, Reason) else duration(value)


def _serving(one: Judged) -> Serving:
    return Serving(
        model=one.way.model,
        how=one.way.how,
        tuned=one.way.tuned,
        usd_per_month=Unknown(ask=why(one.reasons[0])) if one.usd is None else one.usd.narrowed(),
        admissible=one.admissible,
        why="; ".join(why(reason) for reason in one.reasons),
    )


def _simulation(drawn: Drawn) -> Simulation:
    p10, p50, p90 = drawn.npv
    return Simulation(
        draws=drawn.draws,
        horizon_months=drawn.horizon_months,
        p_never=drawn.never,
        npv_usd=Percentiles(p10=p10, p50=p50, p90=p90),
        curve=tuple(
            Month(month=number, p10=low, p50=middle, p90=high)
            for number, (low, middle, high) in enumerate(drawn.curve)
        ),
        tornado=tuple(
            Swing(input=label(name), low_usd=low, high_usd=high)
            for name, low, high in drawn.tornado
        ),
        cost_of_waiting_usd=drawn.waiting_usd,
        assumes=tuple(_ASSUMES[reason.id](reason.numbers) for reason in drawn.assumes),
    )
