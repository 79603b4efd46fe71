"""What tuning saves on the same traffic, against the best untuned way that may be used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import (
    GROWTH,
    REQUESTS,
    Books,
    Inputs,
    Spread,
    corners,
    likely,
    money,
)
from tuneworthy.domain.case import Case
from tuneworthy.domain.investment import Money
from tuneworthy.domain.prices import Prices, in_use
from tuneworthy.domain.record import State
from tuneworthy.domain.serving import Comparison, Judged, Saved, Way
from tuneworthy.domain.units import months_to_reach
from tuneworthy.forecast.admissible import TARGETS, judge
from tuneworthy.forecast.inside import stays_inside
from tuneworthy.forecast.spans import (
    besides_of,
    nothing_besides,
    pairings,
    saving_range,
    volume_that_pays,
)
from tuneworthy.forecast.ways import Priced, Ways

_RIVALS = 8  # the cheapest ones; dearer ones never change the answer but for wild ranges


def compare(case: Case, prices: Prices, books: Books, sovereign: State) -> Comparison:
    """Every way to serve the traffic, and what tuning saves beside the best untuned one.

    Args:
        case: Its models, traffic, targets and serving.
        prices: Prices that were looked up for models without a stated one.
        books: Its costs, for those that don't depend on traffic.
        sovereign: Whether data may not go to a third party.
    """
    listed = Ways(case, prices)
    priced = tuple(listed.every())
    growth = books.inputs.get(GROWTH)
    inputs = {**listed.inputs, **({GROWTH: growth} if growth else {})}
    judged = tuple(_judge(case, one, sovereign, inputs) for one in priced)
    ways = tuple(sorted(judged, key=lambda one: math.inf if one.usd is None else one.usd.likely))
    state, why = stays_inside(case, ways, sovereign)
    return Comparison(
        ways=ways,
        saved=_saved(case, ways, inputs, books),
        stays_inside=state,
        inside_why=why,
        growth=growth,
    )


def _judge(case: Case, one: Priced, sovereign: State, inputs: Inputs) -> Judged:
    way, lacks, price, model = one
    usd = None if lacks else _cost(way, inputs)
    state, reasons = judge(case, way, model, price, usd, sovereign, inputs)
    return Judged(way, usd, state, (lacks, *reasons) if lacks else reasons)


def _cost(way: Way, inputs: Inputs) -> Money:
    """USD a month at the ends of the inputs: every input moves a cost one way only."""
    found = [way.line(v).usd(v[REQUESTS]) for v in corners(inputs, (*way.names, REQUESTS))]
    values = likely(inputs)
    return Money(min(found), way.line(values).usd(values[REQUESTS]), max(found))


def _saved(case: Case, ways: tuple[Judged, ...], inputs: Inputs, books: Books) -> Saved | Reason:
    """The saving, or the first thing that lacks."""
    if not ways:
        return Reason("no_model")
    tuned = [one for one in ways if one.way.tuned]
    if not tuned:
        return Reason("no_tuned_model", {"service": case.tuning.service})
    allowed = [one for one in tuned if one.admissible != "no"]
    if not allowed:
        return Reason("no_tuned_allowed", {"model": tuned[0].way.model})
    if allowed[0].usd is None:  # priced ones come first
        return allowed[0].reasons[0]
    untuned = [one for one in ways if not one.way.tuned]
    if not untuned:
        return Reason("no_untuned_model")
    unpriced = [one for one in untuned if one.usd is None and one.admissible != "no"]
    against, from_today = _baseline(case, [one for one in untuned if one.usd is not None])
    if not against.sure:
        return unpriced[0].reasons[0] if unpriced else Reason("nothing_untuned_allowed")
    return _compute(against, allowed[0], inputs, books, from_today=from_today)


@dataclass(frozen=True, slots=True)
class _Against:
    """Untuned ways to hold the tuned one against."""

    sure: tuple[Judged, ...]
    """Those whose cheapest is the baseline."""
    wide: tuple[Judged, ...]
    """The same and those that may turn out to be admissible."""


def _baseline(case: Case, priced: Iterable[Judged]) -> tuple[_Against, bool]:
    """Admissible ways; those still open where there is none; else what runs today."""
    by: dict[State, list[Judged]] = {"yes": [], "unknown": [], "no": []}
    for one in priced:
        by[one.admissible].append(one)
    if by["yes"]:
        return _Against(tuple(by["yes"]), (*by["yes"], *by["unknown"])), False
    if by["unknown"]:
        return _Against(tuple(by["unknown"]), tuple(by["unknown"])), False
    used = in_use(case)
    today = tuple(
        one for one in by["no"]
        if used is not None and one.way.model == used.id
        and one.way.how in ("as_is", "self_hosted")
        and all(reason.id in TARGETS for reason in one.reasons)
    )  # fmt: skip
    return _Against(today, today), True


def _compute(
    against: _Against, tuned: Judged, inputs: Inputs, books: Books, *, from_today: bool
) -> Saved:
    sure = tuple(one.way for one in against.sure[:_RIVALS])
    open_ones = [one.way for one in against.wide if one not in against.sure]
    wide = (*sure, *open_ones[:_RIVALS])
    values = likely(inputs)
    paired = list(pairings(wide, tuned.way, inputs))
    assert tuned.usd is not None  # only a priced one is chosen
    fixed, in_total = _fixed(books, tuned.usd)
    usd = saving_range(sure, wide, tuned.way, inputs, nothing_besides)
    besides, net = besides_of(books, fixed, in_total=in_total), None
    if in_total:
        net = saving_range(sure, wide, tuned.way, inputs, besides)
    volume: Spread | Reason = Reason("no_running_costs")
    month: Spread | Reason = volume
    if fixed is not None:
        likeliest = volume_that_pays(sure, tuned.way, values, fixed.likely)
        each = [
            (v, volume_that_pays(ways, tuned.way, v, cost))
            for v in paired
            for ways, cost in zip((sure, wide), besides(tuned.way.line(v).usd(v[REQUESTS]))[::2],
                                  strict=True)
        ]  # fmt: skip
        each.append((values, likeliest))
        volume = Spread(min(x for _, x in each), likeliest, max(x for _, x in each))
        month = _month(each, values, likeliest)
    best = min(against.sure, key=lambda one: one.usd.likely if one.usd else math.inf)
    perhaps = [one for one in against.wide if one not in against.sure and _cheaper(one, best)]
    return Saved(
        inputs=inputs, baseline=sure, tuned=tuned.way, from_today=from_today, best=best, usd=usd,
        fixed=fixed, serving_in_total=in_total, net=net, volume=volume, month=month,
        cheaper_perhaps=perhaps[0] if perhaps else None,
    )  # fmt: skip


def _cheaper(one: Judged, other: Judged) -> bool:
    return one.usd is not None and other.usd is not None and one.usd.low < other.usd.likely


def _fixed(books: Books, serving: Money) -> tuple[Money | None, bool]:
    """Running costs beside the serving, and whether the serving was taken out of one total."""
    if books.running_besides is not None:
        return money(books.running_besides, books.inputs), False
    if books.running is None:
        return None, False
    whole = money(books.running, books.inputs)
    return Money(
        max(whole.low - serving.high, 0.0),
        max(whole.likely - serving.likely, 0.0),
        max(whole.high - serving.low, 0.0),
    ), True


def _month(
    each: list[tuple[dict[str, float], float]], values: Mapping[str, float], likeliest: float
) -> Spread | Reason:
    """Months until the growth gets to the volume, 0 for today, ``math.inf`` for never."""

    def months(at: Mapping[str, float], target: float) -> float:
        if target <= at[REQUESTS]:
            return 0.0
        if math.isinf(target):
            return math.inf
        found = months_to_reach(now=at[REQUESTS], target=target, growth_per_month=at[GROWTH])
        return math.inf if found is None else float(found)

    if GROWTH not in values:
        if all(target <= at[REQUESTS] for at, target in each):
            return Spread(0.0, 0.0, 0.0)
        if all(math.isinf(target) for _, target in each):
            return Spread(math.inf, math.inf, math.inf)
        return Reason("no_growth")
    found = [months(at, target) for at, target in each]
    return Spread(min(found), months(values, likeliest), max(found))
