"""The investment drawn many times: every range a PERT distribution, month by month."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tuneworthy.model.base import MONTHS_PER_YEAR, Interval
from tuneworthy.model.dossier import Month, Percentiles, Simulation, Swing
from tuneworthy.money.savings import Stakes
from tuneworthy.money.serving import BILL, ServingOption
from tuneworthy.money.terms import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    REQUESTS,
    Inputs,
    Sum,
    Values,
    label,
    likely,
    total,
)
from tuneworthy.words import count

Array = npt.NDArray[np.float64]

DRAWS = 10_000
_QUANTILES = (0.1, 0.5, 0.9)
_HAIR = 1e-9  # months; what rounding may move a break-even that is exactly the limit


class Draws(NamedTuple):
    """The investment drawn many times."""

    months: tuple[float, float, float]
    """10th, 50th and 90th percentile of the months to break-even; ``inf`` for never."""
    in_time: float | None
    """Share of draws that pay back in time by the framework's rule; None without a rule."""
    simulation: Simulation


def simulate(stakes: Stakes, rng: np.random.Generator, draws: int = DRAWS) -> Draws | None:
    """Draw the investment; once where nothing varies, because every draw would be the same.

    None where costs can't be priced, or there is no benefit at all.
    """
    model, savings, horizon = stakes.model, stakes.savings, stakes.horizon
    under_months = stakes.under_months
    running = savings.fixed is not None if savings else model.running is not None
    benefit = savings is not None or model.savings or model.quality
    if model.upfront is None or not running or not benefit:
        return None
    flow = CashFlow(stakes)
    inputs = flow.inputs
    chance = inputs.get(FAILURE, Interval(0.0, 0.0, 0.0))
    luck = chance.varies or 0 < chance.value < 1
    drawn = draws if luck or any(spread.varies for spread in inputs.values()) else 1
    values = {name: _draw(inputs[name], rng, drawn) for name in sorted(inputs)}
    success = rng.random(drawn) >= values.get(FAILURE, 0.0)
    paths = flow.follow(values, success.astype(float))
    return Draws(
        months=_percentiles(paths.months),
        in_time=None if under_months is None else _share(paths.months < under_months - _HAIR),
        simulation=Simulation(
            draws=drawn,
            horizon_months=horizon,
            p_never=_share(paths.months > horizon + _HAIR),
            npv_usd=Percentiles(**_named(paths.npv)),
            curve=tuple(Month(month=n, **_named(usd)) for n, usd in enumerate(paths.cumulated)),
            tornado=_tornado(flow),
            cost_of_waiting_usd=float(np.mean(paths.waiting)),
            assumes=tuple(_assumes(flow, nothing_varies=drawn == 1)),
        ),
    )


def _draw(spread: Interval, rng: np.random.Generator, draws: int) -> Array | float:
    """PERT: a beta distribution between the ends whose mean is (low + 4 likely + high) / 6."""
    if not spread.varies:
        return spread.value
    width = spread.high - spread.low
    rise = 1 + 4 * (spread.value - spread.low) / width
    fall = 1 + 4 * (spread.high - spread.value) / width
    return np.clip(spread.low + width * rng.beta(rise, fall, draws), spread.low, spread.high)


def _percentiles(values: Array) -> tuple[float, float, float]:
    """Three drawn values, none made up between two: so never may appear next to a number."""
    places = [max(math.ceil(share * len(values)) - 1, 0) for share in _QUANTILES]
    ordered = np.partition(values, places)
    first, middle, last = (float(ordered[place]) for place in places)
    return first, middle, last


def _named(values: Array) -> dict[str, float]:
    return dict(zip(("p10", "p50", "p90"), _percentiles(values), strict=True))


def _share(where: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(where) / len(where))


def _tornado(flow: CashFlow) -> tuple[Swing, ...]:
    """One input at a time at its ends, the others at their likeliest; failure at its odds."""
    inputs = flow.inputs
    names = [name for name, spread in sorted(inputs.items()) if spread.varies]
    if not names:
        return ()
    values: dict[str, Array | float] = dict(likely(inputs))
    for position, name in enumerate(names):
        column = np.full(2 * len(names), inputs[name].value)
        column[2 * position : 2 * position + 2] = inputs[name].low, inputs[name].high
        values[name] = column
    worked = np.broadcast_to(1 - np.asarray(values.get(FAILURE, 0.0)), 2 * len(names))
    npv = flow.follow(values, worked).npv.reshape(-1, 2).tolist()
    swings = [(name, low, high) for name, (low, high) in zip(names, npv, strict=True)]
    moved = [swing for swing in swings if swing[1] != swing[2]]
    moved.sort(key=lambda swing: (-abs(swing[2] - swing[1]), swing[0]))
    return tuple(Swing(input=label(name), low_usd=a, high_usd=b) for name, a, b in moved)


def _assumes(flow: CashFlow, *, nothing_varies: bool) -> Iterator[str]:
    """What is taken for granted because nobody stated it."""
    stated, savings = flow.model.inputs, flow.savings
    if nothing_varies:
        yield (
            "every amount is stated as one number, so every draw is the same: give the uncertain "
            "ones as {low, likely, high}"
        )
    if DISCOUNT not in stated:
        yield "money later counts as much as money now (economics.assumptions.discount_per_year)"
    if FAILURE not in stated:
        yield "the tuning works (economics.assumptions.failure_chance)"
    if LIFE in stated:
        yield f"when the model's life ends, {flow.model.retraining_is}"
    else:
        yield (
            "the tuned model never has to be tuned anew (economics.assumptions.model_life_months)"
        )
    growth = stated.get(GROWTH)
    if savings is None:
        changes = growth is not None and growth.value
        but = ", although traffic is said to change" if changes else ""
        yield f"stated benefits are the same every month{but}"
    elif growth is None:
        yield "traffic stays as it is (economics.traffic.growth_per_month)"
    else:
        now = savings.inputs[REQUESTS].value
        then = now * (1 + growth.value) ** (flow.horizon - 1)
        yield (
            f"the stated growth goes on for all {flow.horizon} months, from {count(now)} to "
            f"{count(then)} calls a month"
        )


# Money month by month, for many draws at once.


@dataclass(frozen=True, slots=True)
class Paths:
    """What became of each draw."""

    npv: Array  #: Net present value, USD.
    months: Array  #: Months to break-even; ``inf`` for never.
    cumulated: Array
    """USD at the end of each month (rows, from month 0 on) of each draw (columns)."""
    waiting: Array  #: Net present value lost when the start is put off by a month.


class CashFlow:
    """What is paid and earned in a month, with the inputs it depends on and no others."""

    def __init__(self, stakes: Stakes) -> None:
        model, savings = stakes.model, stakes.savings
        assert model.upfront is not None  # a caller computes nothing without it
        self.model, self.savings, self.horizon = model, savings, stakes.horizon
        self.bill = None if savings else stakes.bill
        self.upfront: Sum = model.upfront
        by_itself = savings is not None and not savings.serving_in_total
        self.running: Sum = (model.running_besides if by_itself else model.running) or ()
        every = {**model.inputs, **stakes.bill_inputs, **(savings.inputs if savings else {})}
        self.inputs: Inputs = {name: every[name] for name in sorted(self._read(every))}

    def _read(self, every: Inputs) -> set[str]:
        again = self.model.retraining if LIFE in every else ()
        terms = (*self.upfront, *self.running, *self.model.quality, *again)
        terms += () if self.savings else self.model.savings
        read = {name for term in terms for name in term.names} | {DISCOUNT, FAILURE, LIFE}
        if self.bill and self.model.savings:
            read |= {REQUESTS, GROWTH, *self.bill.names}
        if self.savings:
            options = (*self.savings.baseline, self.savings.tuned)
            read |= {REQUESTS, GROWTH, *(name for option in options for name in option.names)}
        return read & set(every)

    def follow(self, values: Values, success: Array) -> Paths:
        """Follow every draw to the horizon.

        Upfront cost is paid at month 0, everything else at the end of its month. The traffic of
        month 1 is today's; it grows from then on. A tuning that fails costs its upfront and brings
        nothing. Break-even isn't discounted. It may lie beyond the horizon: the last month's result
        then goes on, less the average cost of tuning again. ``success`` is 1 for a draw in which
        tuning works and 0 where it fails; between, the odds.
        """
        draws = len(success)
        upfront = np.zeros(draws) + np.asarray(total(self.upfront, values), dtype=float)
        again = total(self.model.retraining, values) if LIFE in self.inputs else 0.0
        life = values[LIFE] if LIFE in self.inputs else np.inf
        step = (1 + values.get(DISCOUNT, 0.0)) ** (-1 / MONTHS_PER_YEAR)
        month = self._months(values)
        cumulated = np.empty((self.horizon + 1, draws))
        cumulated[0] = running = -upfront
        worth, delay = np.zeros(draws), -(1 - step) * upfront
        months = np.where(upfront <= 0, 0.0, np.inf)
        discount: Any = 1.0
        redone: Any = 0.0
        result: Any = 0.0
        for number in range(1, self.horizon + 1):
            discount = discount * step
            result = next(month)
            before, redone = redone, again * _replaced(number, life)
            flow = success * (result - redone)
            worth += flow * discount
            delay -= success * (redone - before) * discount
            if number == 1:
                delay += success * result * discount
            after = running + flow
            back = number - 1 + _until_back(running, flow)
            months = np.where(np.isinf(months) & (after >= 0), back, months)
            cumulated[number] = running = after
        rest = success * (result - (again / life))
        months = np.where(np.isinf(months), self.horizon + _until_back(running, rest), months)
        months = np.where(success > 0, months, np.inf)
        return Paths(worth - upfront, months, cumulated, delay)

    def _months(self, values: Values) -> Iterator[Any]:
        """The result of one month after the other, tuning again aside, USD."""
        first = requests = values.get(REQUESTS, 1.0)
        growth, savings = 1 + values.get(GROWTH, 0.0), self.savings
        while True:
            now = {**values, REQUESTS: requests}
            if BILL in values and self.bill and self.bill.bill_for:
                now[BILL] = values[BILL] * (requests / first)
            costs, benefits = total(self.running, now), total(self.model.quality, values)
            if savings is None:
                saved = total(self.model.savings, values)
                if self.bill and self.model.savings:
                    saved = np.minimum(saved, _usd(self.bill, values, requests))
                yield saved + benefits - costs
            else:
                served = _usd(savings.tuned, values, requests)
                if savings.serving_in_total:
                    costs = np.maximum(costs - _usd(savings.tuned, values, first), 0.0)
                baseline = _usd(savings.baseline[0], values, requests)
                for option in savings.baseline[1:]:
                    baseline = np.minimum(baseline, _usd(option, values, requests))
                yield baseline - served + benefits - costs
            requests = requests * growth


def _until_back(missing: Array, flow: Array) -> Any:
    """Months until a negative sum is back at ``flow`` a month; ``inf`` for never."""
    with np.errstate(over="ignore"):  # next to nothing a month takes next to for ever
        return np.where(flow > 0, -missing / np.where(flow > 0, flow, 1.0), np.inf)


def _replaced(number: int, life: Any) -> Any:
    """How often the model is tuned again at the start of a month: at its end, never beyond."""
    return np.ceil(number / life) - np.ceil((number - 1) / life) if number > 1 else 0.0


def _usd(option: ServingOption, values: Values, requests: Any) -> Any:
    floor, slope = option.line(values)
    return np.maximum(floor, slope * requests)
