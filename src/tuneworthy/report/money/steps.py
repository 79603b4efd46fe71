"""The calculation line by line, as somebody would check it with a pocket calculator."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuneworthy.domain.books import REQUESTS, Books, Spread, Terms, likely, total
from tuneworthy.domain.investment import Appraisal, Investment
from tuneworthy.domain.money import Outlook
from tuneworthy.domain.record import Range
from tuneworthy.domain.serving import Comparison, Saved, Way
from tuneworthy.domain.units import HOURS_PER_MONTH, TOKENS_PER_MTOK
from tuneworthy.report.money.labels import product, rate, small_usd
from tuneworthy.report.serving import money_why, way_name
from tuneworthy.report.words import count, figure, months, months_range, share, usd


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
        plus = [usd(computed.usd.likely) + " saved on calls (computed below)"]
        yield f"Benefits a month: {' + '.join([*plus, *([benefits] if benefits else [])])}"
        cost = computed.fixed.likely if computed.fixed else 0.0
        yield f"Running costs a month beside serving: {usd(cost)} (below)"
    else:
        yield f"Benefits a month: {_sum((*books.savings, *books.quality), books)}"
        yield f"Running costs a month: {_sum(books.running or (), books)}"
    yield _net(found, outlook.appraisal)


def _net(found: Investment, appraisal: Appraisal) -> str:
    net, upfront = found.monthly_net.likely, found.upfront.likely
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
            f"{usd(saved.cheaper_perhaps.usd.likely)} a month ({money_why(one.reasons[0])})."
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
    said = f"Saved a month: {usd(best)} - {usd(tuned)} = {usd(saved.usd.likely)}"
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
            f"serving, not below 0 = {usd(saved.fixed.likely)} a month"
        )
    else:
        yield f"Running costs beside serving: {_sum(books.running_besides or (), books)} a month"


def _volume(saved: Saved, growth: Spread | None) -> Iterator[str]:
    volume = saved.volume
    if not isinstance(volume, Spread) or saved.fixed is None:
        return
    if math.isinf(volume.likely):
        yield "No volume earns the running costs back."
        return
    values = likely(saved.inputs)
    lines = saved.best.way.line(values), saved.tuned.line(values)
    if lines[0].floor == lines[1].floor == 0 and saved.fixed.likely > 0:
        each = small_usd(lines[0].slope), small_usd(lines[1].slope)
        yield (
            f"It pays from: {usd(saved.fixed.likely)} / ({each[0]} - {each[1]} a call) = "
            f"{count(round(volume.likely))} calls a month"
        )
    else:
        covered = usd(saved.fixed.likely)
        yield f"The saving covers {covered} from {count(round(volume.likely))} calls a month"
    if isinstance(saved.month, Spread):
        yield _month(saved, saved.month, growth)


def _month(saved: Saved, month: Spread, growth: Spread | None) -> str:
    now = count(saved.inputs[REQUESTS].likely)
    if month.likely == 0:
        return f"Today's {now} calls are enough."
    rated = f" at {share(growth.likely)} growth a month" if growth else ""
    if math.isinf(month.likely):
        return f"From {now} calls today that volume is never reached{rated}."
    return f"From {now} calls today that is month {month.likely:g}{rated}."


def spread(value: Spread) -> float | Range | str:
    """A spread as a number of the dossier: ``never`` where every end is infinite."""
    if math.isinf(value.low):
        return "never"
    if math.isinf(value.high):
        return Range(low=value.low, high="open")
    return value.low if value.low == value.high else Range(low=value.low, high=value.high)
