"""The saving of tuning on the same traffic, compared with the best admissible untuned way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Literal, NamedTuple

from tuneworthy.model.base import (
    HOURS_PER_MONTH,
    TOKENS_PER_MTOK,
    Interval,
    Unknown,
    months_to_reach,
)
from tuneworthy.model.case import Case, in_use
from tuneworthy.money.serving import (
    CostLine,
    ServingCost,
    ServingOption,
    Ways,
    by_price,
)
from tuneworthy.money.terms import (
    ENDPOINT,
    GROWTH,
    PREMIUM,
    REQUESTS,
    SERVED,
    SERVED_CALL,
    CostModel,
    Inputs,
    Product,
    Sum,
    Values,
    call_usd,
    corners,
    likely,
    mtok_usd,
)
from tuneworthy.money.tuned import TunedOffer, call_of_tuned
from tuneworthy.words import count, figure, share, usd

# the cheapest ones; dearer ones change the answer only if ranges are wild
_RIVALS = 8
# a hundred calls a month for everybody on earth: only rounding asks for more
_MOST = 1e12
_NOTHING = 1e-15  # USD a request: below this no volume makes a difference


Beside = Literal["", "budget", "today", "bill"]
"""The baseline of tuning where it isn't the cheapest untuned way that meets the targets: ways that
meet all but the budget, the way that runs today, or the bill, as no more can be saved."""


class Savings(NamedTuple):
    """The saving of the tuned way, all of it on the same traffic."""

    inputs: Inputs  #: The inputs of the serving options, and the requests.
    #: Untuned options whose cheapest it is compared with.
    baseline: tuple[ServingOption, ...]
    tuned: ServingOption
    beside: Beside
    best: ServingCost  #: The cheapest of the baseline at the likely values.
    usd: Interval  #: USD a month; may be negative.
    fixed: Interval | None
    """Running costs that don't depend on traffic, USD a month; None where they are unknown."""
    serving_in_total: bool
    """Whether the running costs were stated as one total, and the serving was subtracted from it."""
    net: Interval | None
    """The saving less one total of running costs, in which the tuned serving cancels out; None
    where the running costs beside the serving are known separately."""
    #: Requests a month from which the running costs are earned back.
    volume: Interval | Unknown
    #: Months until the stated growth gets there; 0 for today.
    month: Interval | Unknown
    maybe_cheaper: ServingCost | None
    """An untuned way that costs less, but may miss the targets."""


def usable_tuned(costs: Sequence[ServingCost]) -> list[ServingCost]:
    """Admissible tuned ways; without any, those that only the budget rules out."""
    tuned = [cost for cost in costs if cost.option.tuned]
    allowed = [cost for cost in tuned if cost.admissible != "no"]
    return allowed or [cost for cost in tuned if cost.but_for_budget != "no"]


class TunedServing(NamedTuple):
    """The cost of serving the tuned model per month, as a sum over inputs; empty where unknown."""

    terms: Sum = ()
    inputs: Inputs = {}  #: Those that the case doesn't state.
    #: Whether it is the price of a known way, and no assumption.
    is_named: bool = False


def tuned_serving(
    case: Case, ways: Ways, premium: Interval, offers: Sequence[TunedOffer] = ()
) -> TunedServing:
    """The cost of serving the tuned model per month; empty where traffic and prices are unknown.

    Without a listed tuned model, a hosted one costs what services ask by the token. Where no
    service is known to, it is assumed to cost at most today's price of a call, times the premium of
    a tuned model.
    """
    for cost in usable_tuned(ways.costs):
        if cost.usd is None:
            continue
        if cost.option.gpu or cost.option.billed:
            by_month = Product((SERVED,), says="serving")
            return TunedServing((by_month,), {SERVED: cost.usd}, is_named=True)
        terms, inputs = _serving_terms(cost.option, ways.inputs)
        return TunedServing(terms, inputs, is_named=True)
    if ways.bill is None or case.tuning.service == "self_hosted":
        return TunedServing()
    sold = _sold_by_token(case, ways, offers)
    if sold is not None:
        usd_a_call, says = sold
        by_call = Product((SERVED_CALL, REQUESTS), says=says)
        return TunedServing((by_call,), {SERVED_CALL: usd_a_call}, is_named=True)
    return _at_a_premium(ways.bill.option, ways.inputs, premium)


def _at_a_premium(
    now: ServingOption, inputs: Inputs, premium: Interval
) -> TunedServing:
    """Today's price of a call times the premium; empty where calls have no price."""
    by_the_hour = bool(now.gpu) or now.runs == "own"
    # a bill for requests that nobody counted says nothing about one of them
    unknown_price = now.billed and now.bill_for is None
    if by_the_hour or unknown_price:
        return TunedServing()
    says = f"serving, a call at {figure(premium.value)} times today's price,"
    by_call = Product((SERVED_CALL, REQUESTS, PREMIUM), says=says)
    known = {SERVED_CALL: call_range(now, inputs), PREMIUM: premium}
    return TunedServing((by_call,), known)


def _serving_terms(option: ServingOption, inputs: Inputs) -> tuple[Sum, Inputs]:
    """Cost of serving a month by calls, and by an endpoint where one is sold."""
    terms: Sum = ()
    known: dict[str, Interval] = {}
    if option.request:
        terms += (Product((SERVED_CALL, REQUESTS), says="serving"),)
        known[SERVED_CALL] = call_range(option, inputs)
    if option.fee:
        terms += (Product((ENDPOINT,), says="its endpoint"),)
        known[ENDPOINT] = Interval.certain(option.fee)
    return terms, known


def _sold_by_token(
    case: Case, ways: Ways, offers: Sequence[TunedOffer]
) -> tuple[Interval, str] | None:
    """USD a call where services bill a tuned model by the token; None without traffic in tokens."""
    tokens = tuned_tokens(ways.inputs)
    if tokens is None or REQUESTS not in ways.inputs:
        return None
    return call_of_tuned(case, offers, *tokens)


def tuned_tokens(inputs: Inputs) -> tuple[Interval, Interval] | None:
    """Tokens in and out of a call of the tuned model; None where they are unknown."""
    tokens_in = _tuned_or_today(inputs, "input_tokens")
    tokens_out = _tuned_or_today(inputs, "output_tokens")
    if tokens_in is None or tokens_out is None:
        return None
    return tokens_in, tokens_out


def _tuned_or_today(inputs: Inputs, name: str) -> Interval | None:
    """An amount of the traffic after tuning, else today's; None where both are unknown."""
    today = inputs.get(f"economics.traffic.{name}")
    return inputs.get(f"economics.traffic.tuned_{name}", today)


def call_range(option: ServingOption, inputs: Inputs) -> Interval:
    """USD a call at the ends of the inputs."""
    ends = [option.line(values).slope for values in corners(inputs, option.names)]
    return Interval(min(ends), option.line(likely(inputs)).slope, max(ends))


class Stakes(NamedTuple):
    """The amounts from which an investment is simulated."""

    model: CostModel
    savings: Savings | None  #: Those that count; None where a saving is stated.
    bill: ServingOption | None
    """The way that runs today. No stated saving of a month exceeds its bill of that month."""
    horizon: int  #: Months to look ahead.
    #: Months in which it has to pay back; None without a rule.
    under_months: float | None
    #: The values that are assumed because the case doesn't state them.
    taken: Inputs = {}
    says: Mapping[str, str] = {}  #: Why, by its path.
    pilots: bool = False  #: Whether a pilot comes before the rest is built.
    #: Months until the tuned model ends; None where that isn't known.
    first_end: float | None = None


def compare(case: Case, ways: Ways, model: CostModel) -> Savings | Unknown:
    """The saving of tuning over the best untuned way, or the first missing number."""
    costs = ways.costs
    if not costs:
        ask = "name the models in use and in question, the one in use first (models)"
        return Unknown(ask=ask)
    tuned = [cost for cost in costs if cost.option.tuned]
    if not tuned:
        if case.tuning.service == "self_hosted":
            return Unknown(
                ask="state how the tuned model would be served (economics.serving)"
            )
        return Unknown(ask="add the tuned model with its price")
    allowed = usable_tuned(costs)
    if not allowed:
        name = tuned[0].option.model
        return Unknown(ask=f"{name} may not be used: see why beside it")
    cheapest = allowed[0]  # priced ones come first
    if cheapest.usd is None:
        return Unknown(ask=cheapest.reasons[0])
    untuned = [cost for cost in costs if not cost.option.tuned]
    if not untuned:
        return Unknown(ask="name the model in use and those in question (models)")
    baseline = _baseline(case, [cost for cost in untuned if cost.usd is not None])
    if not baseline.sure:
        return Unknown(ask=_ask_for_baseline(untuned))
    bill = ways.bill
    if bill and bill.usd and bill not in baseline.sure and not bill.option.tuned:
        baseline = baseline.with_bill(bill)
    return _compute_savings(baseline, cheapest.option, cheapest.usd, ways.inputs, model)


def _ask_for_baseline(untuned: Sequence[ServingCost]) -> str:
    """The missing statement where no untuned way counts: a price, else the worth of tuning."""
    for cost in untuned:
        if cost.usd is None and cost.admissible != "no":
            return cost.reasons[0]
    return (
        "no untuned way may be used, so there is nothing to save against: state what the "
        "tuned one is worth (economics.monthly.quality_value_usd)"
    )


class _Baseline(NamedTuple):
    """Untuned ways whose cheapest one is the baseline of tuning."""

    sure: list[ServingCost]  #: Those that count for sure.
    wide: list[ServingCost]  #: The same, with those that may turn out to be allowed.
    beside: Beside = ""

    def with_bill(self, bill: ServingCost) -> _Baseline:
        """The bill joins the ways that count, because no saving can exceed it."""
        wide = [cost for cost in self.wide if cost not in self.sure]
        sure = sorted([*self.sure[: _RIVALS - 1], bill], key=by_price)
        if sure[0] is bill and self.beside != "today":
            return _Baseline(sure, wide, "bill")
        return _Baseline(sure, wide, self.beside)


def _baseline(case: Case, priced: Sequence[ServingCost]) -> _Baseline:
    """The untuned ways that tuning is compared with; empty where none counts.

    It consists of the ways that meet every target; else of those that meet all but the budget; else
    of the way that runs today, also cached, which changes no answer. An option with an open state
    never narrows the saving, and always widens it.
    """
    maybe = [cost for cost in priced if cost.admissible == "unknown"]
    enough = [cost for cost in priced if cost.admissible == "yes"]
    if enough:
        return _Baseline(enough, enough + maybe)
    enough = [cost for cost in priced if cost.but_for_budget == "yes"]
    if enough:
        widens = [cost for cost in priced if cost.but_for_budget == "unknown"]
        return _Baseline(enough, enough + widens, "budget")
    used = in_use(case)
    today = [
        cost
        for cost in priced
        if used is not None
        and cost.option.model == used.id
        and cost.option.how in ("as_is", "self_hosted", "cached")
        and (cost.misses_targets or cost.admissible == "unknown")
    ]
    if not today:
        return _Baseline(maybe, maybe)
    wide = today + [cost for cost in maybe if cost not in today]
    missed = any(cost.admissible == "no" for cost in today)
    return _Baseline(today, wide, "today" if missed else "")


def _compute_savings(
    baseline: _Baseline,
    tuned: ServingOption,
    tuned_usd: Interval,
    inputs: Inputs,
    model: CostModel,
) -> Savings:
    """Compute what tuning saves a month against the cheapest ways, and from which volume."""
    sure = tuple(cost.option for cost in baseline.sure[:_RIVALS])
    maybe = [cost for cost in baseline.wide if cost not in baseline.sure]
    wide = (*sure, *(cost.option for cost in maybe[:_RIVALS]))
    fixed, in_total = _costs_beside_serving(model, tuned_usd)
    besides = _besides_by_serving(model, fixed, in_total=in_total)
    best, *_ = baseline.sure  # the cheapest come first
    volume: Interval | Unknown = Unknown(
        ask="state the running costs by category (economics.monthly.ongoing), or an hourly rate"
    )
    month = volume
    if fixed is not None:
        likeliest = _likeliest_volume(sure, tuned, inputs, fixed)
        extremes = _extreme_volumes(sure, wide, tuned, inputs, besides)
        volumes = [likeliest.requests, *(extreme.requests for extreme in extremes)]
        volume = Interval(min(volumes), likeliest.requests, max(volumes))
        month = _month(likeliest, extremes)
    return Savings(
        inputs=inputs,
        baseline=sure,
        tuned=tuned,
        beside=baseline.beside,
        best=best,
        usd=savings_range(sure, wide, tuned, inputs, _nothing_besides),
        fixed=fixed,
        serving_in_total=in_total,
        net=savings_range(sure, wide, tuned, inputs, besides) if in_total else None,
        volume=volume,
        month=month,
        maybe_cheaper=_first_below(maybe, best.usd),
    )


def _first_below(
    costs: Sequence[ServingCost], limit: Interval | None
) -> ServingCost | None:
    """The first way that likely costs less than a limit; any with a price where there is none."""
    for cost in costs:
        if cost.usd is not None and (limit is None or cost.usd.value < limit.value):
            return cost
    return None


class _PayingVolume(NamedTuple):
    """The requests a month from which the running costs are earned back, at some values."""

    values: Values
    requests: float


def _likeliest_volume(
    sure: tuple[ServingOption, ...],
    tuned: ServingOption,
    inputs: Inputs,
    fixed: Interval,
) -> _PayingVolume:
    """The volume at the likely values of all inputs."""
    values = likely(inputs)
    return _PayingVolume(values, volume_that_pays(sure, tuned, values, fixed.value))


def _extreme_volumes(
    sure: tuple[ServingOption, ...],
    wide: tuple[ServingOption, ...],
    tuned: ServingOption,
    inputs: Inputs,
    besides: Besides,
) -> list[_PayingVolume]:
    """The volumes among which are the least and the most.

    The least is that of the lowest costs against the sure ways. The most is that of the highest
    costs against all ways that may turn out to be allowed.
    """
    volumes = []
    for values in _pairings(wide, tuned, inputs):
        least_usd, _, most_usd = besides(tuned.usd(values))
        least = volume_that_pays(sure, tuned, values, least_usd)
        most = volume_that_pays(wide, tuned, values, most_usd)
        volumes.append(_PayingVolume(values, least))
        volumes.append(_PayingVolume(values, most))
    return volumes


def _costs_beside_serving(
    model: CostModel, serving: Interval
) -> tuple[Interval | None, bool]:
    """Running costs beside the serving, and whether the serving was subtracted from one total."""
    if model.running_besides is not None:
        return model.amount(model.running_besides), False
    if model.running is None:
        return None, False
    rest = model.amount(model.running) - serving
    return Interval(max(rest.low, 0.0), max(rest.value, 0.0), max(rest.high, 0.0)), True


Besides = Callable[[float], tuple[float, float, float]]
"""Running costs beside the tuned serving: low, likely and high, by the cost of that serving."""


def _nothing_besides(_: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 0.0


def _besides_by_serving(
    model: CostModel, fixed: Interval | None, *, in_total: bool
) -> Besides:
    """Running costs beside the serving: the rest of a stated total, else the known ones."""
    known = fixed or Interval.certain(0.0)
    if not in_total or model.running is None:
        return lambda _: (known.low, known.value, known.high)
    low, middle, high = astuple(model.amount(model.running))
    return lambda usd: (
        max(low - usd, 0.0),
        max(middle - usd, 0.0),
        max(high - usd, 0.0),
    )


# The ends of a saving, and the volume from which it pays, over every pairing that can matter.


def _pairings(
    rivals: tuple[ServingOption, ...], tuned: ServingOption, inputs: Inputs
) -> Iterator[dict[str, float]]:
    """The pairings of the inputs' ends that include the smallest and the largest saving.

    Every input moves a cost in one direction. So inputs of the rivals alone are at the end that
    makes them cheapest while those of the tuned option alone make it dearest, and the reverse.
    Inputs of both, and the traffic, are paired in every way.
    """
    theirs = {name for option in rivals for name in option.names}
    its = set(tuned.names)
    shared = (theirs & its) | {REQUESTS, GROWTH}
    for corner in corners(inputs, shared):
        for rivals_end, tuned_end in (("low", "high"), ("high", "low")):
            values = dict(corner)
            for name in theirs - shared:
                values[name] = _end(name, inputs, rivals_end)
            for name in its - shared:
                values[name] = _end(name, inputs, tuned_end)
            yield values


def _end(name: str, inputs: Inputs, end: str) -> float:
    """The value of an input at which a cost is at its low or high end."""
    # The more a GPU does, the less a request costs.
    lowers_cost = name.endswith((".requests_per_gpu_hour", ".utilisation"))
    spread = inputs[name]
    if lowers_cost:
        return spread.high if end == "low" else spread.low
    return spread.low if end == "low" else spread.high


def savings_range(
    sure: tuple[ServingOption, ...],
    wide: tuple[ServingOption, ...],
    tuned: ServingOption,
    inputs: Inputs,
    besides: Besides,
) -> Interval:
    """The saving over the best of several options, less further running costs, in USD per month.

    The smallest is that over the least favorable option. Over the best of all, it is never larger
    than over any one of those that count for sure.
    """
    values = likely(inputs)
    by_option = {
        rival: list(_savings_at_ends(rival, tuned, inputs, besides))
        for rival in {*sure, *wide}
    }
    served = tuned.usd(values)
    _, likely_besides, _ = besides(served)
    point = min(rival.usd(values) for rival in sure) - served - likely_besides
    least = min(min(by_option[rival]) for rival in wide)
    largest = min(max(by_option[rival]) for rival in sure)
    return Interval(min(point, least), point, max(point, largest))


def _savings_at_ends(
    rival: ServingOption, tuned: ServingOption, inputs: Inputs, besides: Besides
) -> Iterator[float]:
    """The saving over one option at every pairing, and at the bends between them."""
    requests = inputs[REQUESTS]
    for values in _pairings((rival,), tuned, inputs):
        rival_line = rival.line(values)
        tuned_line = tuned.line(values)
        bends = _bends((rival_line, tuned_line))
        inside = [bend for bend in bends if requests.low < bend < requests.high]
        for volume in (values[REQUESTS], *inside):
            served = tuned_line.usd(volume)
            least, _, most = besides(served)
            saved = rival_line.usd(volume) - served
            yield saved - least
            yield saved - most


def _bends(lines: Sequence[CostLine]) -> list[float]:
    """Volumes at which GPUs are full, or one option becomes cheaper than another, in order.

    Each is a floor divided by a slope, of one line or of two.
    """
    bends = {0.0}
    for sloping in lines:
        # A line without a slope never bends.
        if sloping.slope > _NOTHING:
            bends.update(line.floor / sloping.slope for line in lines)
    return sorted(bends)


def volume_that_pays(
    baseline: tuple[ServingOption, ...],
    tuned: ServingOption,
    values: Values,
    fixed_usd: float,
) -> float:
    """The fewest requests a month whose saving covers the fixed running costs; ``inf`` for none.

    The saving consists of straight pieces over the volume: a hosted option has a price per request,
    and your own GPUs have a fixed cost until they are full. Each piece is solved separately.
    """
    rivals = [option.line(values) for option in baseline]
    own = tuned.line(values)
    kinks = _bends([*rivals, own])
    last = kinks[-1]

    def left(requests: float) -> float:
        """USD a month beyond the fixed costs."""
        cheapest = min(line.usd(requests) for line in rivals)
        return cheapest - own.usd(requests) - fixed_usd

    # The last piece goes on without end: any volume behind its begin shows its slope.
    ends = [*kinks[1:], 2 * last + 1.0]
    volume = math.inf
    for start, end in zip(kinks, ends, strict=True):
        here = left(start)
        there = left(end)
        if here >= 0:
            volume = start
            break
        reaches_zero = there >= 0 or start == last
        if there > here and reaches_zero:
            volume = start - here * (end - start) / (there - here)
            break
    return volume if volume <= _MOST else math.inf


def _month(
    likeliest: _PayingVolume, extremes: Sequence[_PayingVolume]
) -> Interval | Unknown:
    """Months until growth reaches the volume; 0 where today's is enough."""
    every = [*extremes, likeliest]
    # without a growth rate the month is known only if today's volume is enough, or none ever is
    if GROWTH not in likeliest.values:
        if all(volume.requests <= volume.values[REQUESTS] for volume in every):
            return Interval(0.0, 0.0, 0.0)
        if all(math.isinf(volume.requests) for volume in every):
            return Interval(math.inf, math.inf, math.inf)
        return Unknown(
            ask="state how traffic grows (economics.traffic.growth_per_month)"
        )
    months = [_months_until(volume) for volume in every]
    return Interval(min(months), _months_until(likeliest), max(months))


def _months_until(volume: _PayingVolume) -> float:
    """Months until today's requests have grown to a volume; ``inf`` for never."""
    now = volume.values[REQUESTS]
    if volume.requests <= now:
        return 0.0
    if math.isinf(volume.requests):
        return math.inf
    month = months_to_reach(
        now=now, target=volume.requests, growth_per_month=volume.values[GROWTH]
    )
    return math.inf if month is None else float(month)


_BESIDE = {
    "today": "No untuned way meets the targets, so tuning is compared with what runs today.",
    "budget": "No untuned way meets the targets, so tuning is compared with the cheapest way that "
    "meets all of them but the budget.",
    "bill": "What runs today costs less than any untuned way that is known to meet the targets. No "
    "more can be saved than it costs, so tuning is compared with it.",
}


def computed_steps(savings: Savings, model: CostModel) -> Iterator[str]:
    """Sentences from traffic and prices to the saving and the volume from which it pays."""
    values = likely(savings.inputs)
    best = savings.best.option
    tuned = savings.tuned
    if savings.beside:
        yield _BESIDE[savings.beside]
    yield _cost_step(best, values, model.a_month)
    yield _cost_step(tuned, values, model.a_month)
    if not tuned.gpu and tuned.names[:1] == best.names[:1]:
        yield (
            "The tuned prompt is taken to be as long as today's: state "
            "economics.traffic.tuned_input_tokens if it gets shorter."
        )
    saved = (
        f"Saved{model.a_month}: {usd(best.usd(values))} - {usd(tuned.usd(values))} = "
    )
    saved += usd(savings.usd.value)
    if savings.usd.varies:
        ends = f"{usd(savings.usd.low)} to {usd(savings.usd.high)}"
        saved += f" ({ends} over everything left open)"
    yield saved
    other = savings.maybe_cheaper
    if other is not None and other.usd is not None:
        yield (
            f"Cheaper, if it may be used: {other.option.name}, {usd(other.usd.value)}"
            f"{model.a_month} ({'; '.join(other.reasons)})."
        )
    if savings.fixed is not None:
        yield _running_step(savings, model)
        if isinstance(savings.volume, Interval):
            yield from _volume_steps(savings, savings.fixed, savings.volume, model)
    if model.savings:
        stated = usd(model.amount(model.savings).value)
        yield (
            f"Stated is a saving of {stated}{model.a_month}, and that is what counts for the "
            "break-even."
        )


def _cost_step(option: ServingOption, values: Mapping[str, float], a_month: str) -> str:
    """A line that shows how the monthly cost of one way of serving was computed."""
    requests = values[REQUESTS]
    cost = usd(option.usd(values))
    if option.gpu:
        terms = _gpu_terms(option.gpu, values)
        return f"{option.name}: {terms} = {cost}{a_month}"
    if option.billed:
        return f"{option.name}: {cost}{a_month}, the bill"
    parts = []
    if option.request:
        tokens = []
        for term in option.request:
            (amount,) = term.names  # the tokens in or out of a call
            price = mtok_usd(term.factor * TOKENS_PER_MTOK)
            tokens.append(f"{count(values[amount])} × {price}")
        parts.append(f"{count(requests)} calls × ({' + '.join(tokens)}) / 1,000,000")
    if option.fee:
        an_hour = mtok_usd(option.fee / HOURS_PER_MONTH)
        parts.append(f"{figure(HOURS_PER_MONTH)} hours of one endpoint × {an_hour}")
    source = f" (prices from {option.catalogue})" if option.catalogue else ""
    return f"{option.name}: {' + '.join(parts)} = {cost}{a_month}{source}"


def _gpu_terms(names: Sequence[str], values: Mapping[str, float]) -> str:
    """The hours of GPUs by calls and by what is always on, and the price of an hour."""
    usd_an_hour, calls_an_hour, full, always_on = (values[name] for name in names)
    calls = values[REQUESTS]
    an_hour = f"{figure(calls_an_hour)} an hour × {figure(full * 100)}%"
    hours = figure(calls / (calls_an_hour * full))
    by_calls = f"{figure(calls)} calls / ({an_hour}) = {hours} GPU hours"
    floor = figure(always_on * HOURS_PER_MONTH)
    always = f"{figure(always_on)} always on = {floor} hours"
    return "; ".join([by_calls, always, f"the larger × {usd(usd_an_hour)}"])


def _running_step(savings: Savings, model: CostModel) -> str:
    """A line that shows the running costs beside serving."""
    assert savings.fixed is not None  # the caller looked
    if not savings.serving_in_total:
        besides = model.sum_text(model.running_besides or ())
        return f"Running costs beside serving: {besides}{model.a_month}"
    serving = usd(savings.tuned.usd(likely(savings.inputs)))
    return (
        f"Running costs beside serving: {model.sum_text(model.running or ())} less {serving} of "
        f"serving, not below 0 = {usd(savings.fixed.value)}{model.a_month}"
    )


def _volume_steps(
    savings: Savings, fixed: Interval, volume: Interval, model: CostModel
) -> Iterator[str]:
    """Lines on the volume from which tuning pays, and the month that reaches it."""
    if math.isinf(volume.value):
        yield "No volume earns the running costs back."
        return
    if volume.value == 0:
        return  # nothing has to be earned back
    values = likely(savings.inputs)
    calls = count(volume.value)
    best = savings.best.option.line(values)
    tuned = savings.tuned.line(values)
    # with prices by the call alone, the volume is one division
    if best.floor == tuned.floor == tuned.fee == 0 and fixed.value > 0:
        a_call = f"({call_usd(best.slope)} - {call_usd(tuned.slope)} a call)"
        calls = count(round(volume.value))
        yield f"It pays from: {usd(fixed.value)} / {a_call} = {calls} calls{model.a_month}"
    else:
        yield f"The saving covers {usd(fixed.value)} from {calls} calls{model.a_month}"
    if not isinstance(savings.month, Interval) or not model.recurrence.repeats:
        return
    now = count(values[REQUESTS])
    month = savings.month.value
    growth = model.inputs.get(GROWTH)
    grown = f" at {share(growth.value)} growth a month" if growth else ""
    if month == 0:
        yield f"Today's {now} calls are enough."
    elif math.isinf(month):
        yield f"From {now} calls today that volume is never reached{grown}."
    else:
        yield f"From {now} calls today that is month {month:g}{grown}."
