"""The investment, simulated many times: every range is a PERT distribution, month by month."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import count as count_from
from typing import Any, NamedTuple, get_args
from zlib import crc32

import numpy as np
import numpy.typing as npt

from tuneworthy.model.base import MONTHS_PER_YEAR, Interval
from tuneworthy.model.dossier import (
    InformationValue,
    Month,
    Percentiles,
    Scenario,
    ScenarioName,
    Simulation,
    Swing,
)
from tuneworthy.money.savings import Savings, Stakes
from tuneworthy.money.serving import ServingOption
from tuneworthy.money.terms import (
    BILL,
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    PRICE_FALL,
    REQUESTS,
    Inputs,
    Sum,
    Values,
    label,
    likely,
    total,
)
from tuneworthy.money.worth import evppi
from tuneworthy.words import count, months

Array = npt.NDArray[np.float64]

DRAWS = 10_000
_QUANTILES = (0.1, 0.5, 0.9)
_HAIR = 1e-9  #: Months; rounding may move a break-even at the limit by this much.


class DrawnDetails(NamedTuple):
    """Details of the simulated runs for a report; a list of cases doesn't need them."""

    curve: tuple[Month, ...]
    tornado: tuple[Swing, ...]
    scenarios: tuple[Scenario, ...]
    worth: tuple[InformationValue, ...]
    """The worth of finding things out, the highest first."""


class Draws(NamedTuple):
    """The results of many simulated runs."""

    months: tuple[float, float, float]
    """The 10th, 50th and 90th percentile of the months to break-even if it works; ``inf`` for
    never."""
    in_time: float | None
    """The share of runs that pay back in time if it works; None without a rule."""
    simulation: Simulation
    gain_usd: float
    """The mean net present value of a pilot and, if it works, of the rest."""
    details: Callable[[], DrawnDetails]  #: Drawn again when it is first read.


def simulate(stakes: Stakes, seed: int, draws: int = DRAWS) -> Draws | None:
    """Simulate the investment; only one run where nothing varies, as every run would be the same.

    Each amount has its own random stream. So another saving doesn't change how often tuning works,
    and the difference of two cases isn't luck. None where costs can't be priced, or there is no
    benefit.
    """
    if not _can_be_simulated(stakes):
        return None
    runs = _Runs(stakes, seed, draws)
    paths = runs.follow(each_month=False)
    works = paths.months[runs.working]
    details = cache(runs.details)
    runs_never = paths.months > stakes.horizon + _HAIR
    simulation = Simulation(
        draws=runs.drawn,
        horizon_months=stakes.horizon,
        p_works=float(np.mean(runs.success)),
        likely_usd=0.0,
        p_never=_share(runs_never),
        npv_usd=Percentiles(**_percentiles_by_name(paths.npv)),
        curve=(),
        tornado=(),
        cost_of_waiting_usd=float(np.mean(paths.waiting)),
        assumes=(),
    )
    in_time = None
    if stakes.under_months is not None:
        in_time = _share(works < stakes.under_months - _HAIR)
    return Draws(
        months=_percentiles(works),
        in_time=in_time,
        simulation=simulation.postpone(
            {
                "likely_usd": runs.likely_usd,
                "curve": lambda: details().curve,
                "tornado": lambda: details().tornado,
                "assumes": lambda: tuple(
                    _assumes(runs.flow, nothing_varies=runs.drawn == 1)
                ),
            }
        ),
        gain_usd=float(np.mean(paths.npv)),
        details=details,
    )


def _can_be_simulated(stakes: Stakes) -> bool:
    """Whether all costs have a price, and there is a benefit."""
    model = stakes.model
    if model.upfront is None:
        return False
    if stakes.savings is not None:
        return stakes.savings.fixed is not None
    return model.running is not None and bool(model.savings or model.quality)


class _Runs:
    """The simulated runs of an investment; its values are drawn again when they are read."""

    def __init__(self, stakes: Stakes, seed: int, draws: int) -> None:
        self.flow = CashFlow(stakes)
        self.seed = seed
        self.drawn = self._needed_draws(draws)

    def _needed_draws(self, draws: int) -> int:
        """As few as the result needs: fewer if only assumptions vary, and one if nothing does."""
        inputs = self.flow.inputs
        chance = inputs.get(FAILURE)
        is_luck = chance is not None and (chance.varies or 0 < chance.value < 1)
        varying = [name for name, spread in inputs.items() if spread.varies]
        if not is_luck and not varying:
            return 1
        if all(name in self.flow.stakes.taken for name in varying):
            return min(draws, _ENOUGH)
        return draws

    def values(self) -> dict[str, Array | float]:
        """Each input in each run."""
        inputs = self.flow.inputs
        return {
            name: _draw(inputs[name], self.seed, name, self.drawn)
            for name in sorted(inputs)
        }

    @property
    def success(self) -> npt.NDArray[np.bool_]:
        """In which runs tuning works."""
        chance = self.flow.inputs.get(FAILURE)
        failure = (
            0.0 if chance is None else _draw(chance, self.seed, FAILURE, self.drawn)
        )
        return _luck(self.seed, self.drawn) >= failure

    @property
    def working(self) -> npt.NDArray[np.bool_]:
        """The same; all where it never works, as the months of all runs are "never" then."""
        success = self.success
        return success if success.any() else np.ones(self.drawn, bool)

    def follow(self, *, each_month: bool) -> Paths:
        """The result of each run."""
        success = self.success.astype(float)
        return self.flow.follow(self.values(), success, each_month=each_month)

    def likely_usd(self) -> float:
        """Net present value at the likeliest values."""
        middle = dict(likely(self.flow.inputs))
        odds = self.flow.odds(middle, 1)
        at_middle = self.flow.follow(middle, odds, each_month=False)
        return float(at_middle.npv[0])

    def details(self) -> DrawnDetails:
        """The parts of a simulation that only some readers need."""
        paths = self.follow(each_month=True)
        working = self.working
        tornado = _tornado(self.flow)
        curve = list[Month]()
        for month, usd in enumerate(paths.cumulated):
            _, if_works, _ = _percentiles(usd[working])
            percentiles = _percentiles_by_name(usd)
            curve.append(Month(month=month, if_works=if_works, **percentiles))
        swings = [
            Swing(input=label(swing.name), low_usd=swing.at_low, high_usd=swing.at_high)
            for swing in tornado
        ]
        worth: list[InformationValue] = []
        if self.drawn > 1:  # amounts without any range are drawn only once
            values = self.values()
            worth += _information_values(self.flow, values, self.success, paths.npv)
        return DrawnDetails(
            curve=tuple(curve),
            tornado=tuple(swings),
            scenarios=tuple(_scenarios(self.flow, tornado)),
            worth=tuple(worth),
        )


_LUCK = "works"  #: The stream that says in which draws tuning works.


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def _draw(spread: Interval, seed: int, name: str, draws: int) -> Array | float:
    """PERT: a beta distribution between the ends whose mean is (low + 4 likely + high) / 6."""
    if not spread.varies:
        return spread.value
    width = spread.high - spread.low
    rise = 1 + 4 * (spread.value - spread.low) / width
    fall = 1 + 4 * (spread.high - spread.value) / width
    places = _beta(seed, name, rise, fall, draws)
    return np.clip(spread.low + width * places, spread.low, spread.high)


# What all cases assume alike is drawn once.


@lru_cache(maxsize=64)
def _beta(seed: int, name: str, rise: float, fall: float, draws: int) -> Array:
    places = _stream(seed, name).beta(rise, fall, draws)
    places.flags.writeable = False
    return places


@lru_cache(maxsize=4)
def _luck(seed: int, draws: int) -> Array:
    chances = _stream(seed, _LUCK).random(draws)
    chances.flags.writeable = False
    return chances


def _percentiles(values: Array) -> tuple[float, float, float]:
    """Three drawn values, never one between two draws, as "never" may stand beside a number."""
    places = [max(math.ceil(share * len(values)) - 1, 0) for share in _QUANTILES]
    ordered = np.partition(values, places)
    first, middle, last = (float(ordered[place]) for place in places)
    return first, middle, last


def _percentiles_by_name(values: Array) -> dict[str, float]:
    return dict(zip(("p10", "p50", "p90"), _percentiles(values), strict=True))


def _share(where: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(where) / len(where))


# an amount given as one number is moved by this share, to see what depends on it
_HALF_SPREAD = 0.25


_SHARES = (".utilisation", ".failure_chance", ".price_fall_per_year")


def _ends_to_vary(name: str, spread: Interval) -> tuple[float, float]:
    """The ends of a range; a single number is varied by a quarter, but a share never exceeds 1."""
    if spread.varies:
        return spread.low, spread.high
    low = spread.value * (1 - _HALF_SPREAD)
    high = spread.value * (1 + _HALF_SPREAD)
    return low, min(high, 1.0) if name.endswith(_SHARES) else high


class _InputSwing(NamedTuple):
    """The net present value with one input at its low end and at its high end, in USD."""

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        return abs(self.at_high - self.at_low)


def _tornado(flow: CashFlow) -> list[_InputSwing]:
    """One input at a time at its ends, the others at their likeliest; failure at its chance.

    The widest swing comes first.
    """
    inputs = flow.inputs
    names = [
        name for name, spread in sorted(inputs.items()) if spread.varies or spread.value
    ]
    if not names:
        return []
    # two runs for each input, side by side: in both of them all others are at their likeliest
    runs = 2 * len(names)
    values: dict[str, Array | float] = dict(likely(inputs))
    for position, name in enumerate(names):
        column = np.full(runs, inputs[name].value)
        column[2 * position : 2 * position + 2] = _ends_to_vary(name, inputs[name])
        values[name] = column
    npv = flow.follow(values, flow.odds(values, runs)).npv.reshape(-1, 2).tolist()
    swings = [
        _InputSwing(name, low, high)
        for name, (low, high) in zip(names, npv, strict=True)
    ]
    moved = [swing for swing in swings if swing.width > _CENT]
    return sorted(moved, key=lambda swing: (-swing.width, swing.name))


_CENT = 0.01


def _scenarios(flow: CashFlow, tornado: Sequence[_InputSwing]) -> Iterator[Scenario]:
    """All amounts at their worse ends, at their likeliest, and at their better ends.

    They assume that tuning works: its chance isn't an amount.
    """
    values: dict[str, Any] = {n: np.full(3, v) for n, v in likely(flow.inputs).items()}
    for swing in tornado:
        amount = flow.inputs[swing.name]
        worse, better = _ends_to_vary(swing.name, amount)
        if swing.at_low > swing.at_high:
            worse, better = better, worse
        values[swing.name] = np.array([worse, amount.value, better])
    paths = flow.follow(values, np.ones(3))
    upfront = np.zeros(3) + total(flow.upfront, values)
    first = paths.cumulated[1] - paths.cumulated[0]
    for n, name in enumerate(get_args(ScenarioName)):
        months = float(paths.months[n])
        yield Scenario(
            name=name,
            upfront_usd=float(upfront[n]),
            first_month_usd=float(first[n]),
            break_even_months="never" if math.isinf(months) else months,
            npv_usd=float(paths.npv[n]),
        )


# What finding out is worth before anything is decided.

_MOST_NAMED = 5  #: Amounts that are worth finding out, in a report.
_ENOUGH = 2_000  #: Runs for what needn't be exact: assumptions, and the worth of knowing an amount.


def _information_values(
    flow: CashFlow, values: Values, success: npt.NDArray[np.bool_], net: Array
) -> Iterator[InformationValue]:
    """The worth of a pilot over building at once, then of each uncertain amount, the highest first."""
    if not success.all() and flow.pilots:
        at_once = np.where(success, net, -np.asarray(total(flow.upfront, values)))
        gain = max(float(np.mean(net)), 0.0) - max(float(np.mean(at_once)), 0.0)
        if gain > _CENT:
            yield InformationValue(
                kind="pilot",
                what="a pilot before the rest is built, less its cost",
                usd=gain,
            )
    each = []
    for name, column in values.items():
        if name in (DISCOUNT, FAILURE, LIFE, PRICE_FALL):
            continue  # assumptions, and no amounts that a team could count
        if isinstance(column, np.ndarray):
            usd = evppi(net[:_ENOUGH], column[:_ENOUGH])
            each.append(InformationValue(kind="amount", what=label(name), usd=usd))
    worthwhile = [value for value in each if value.usd > 1]
    worthwhile.sort(key=lambda value: (-value.usd, value.what))
    yield from worthwhile[:_MOST_NAMED]


def _assumes(flow: CashFlow, *, nothing_varies: bool) -> Iterator[str]:
    """The assumptions that nobody stated."""
    stakes = flow.stakes
    stated = flow.model.inputs
    if nothing_varies:
        yield (
            "every amount is stated as one number, so every draw is the same: give the uncertain "
            "ones as {low, likely, high}"
        )
    for name in (FAILURE, LIFE, DISCOUNT, PRICE_FALL):
        if name in flow.inputs and name not in stated and name in stakes.says:
            yield f"{stakes.says[name]} ({name})"
    without = {
        DISCOUNT: "money later counts as much as money now",
        FAILURE: "the tuning works",
        LIFE: flow.model.recurrence.never_ends,
    }
    for name, says in without.items():
        if name not in flow.inputs:
            yield f"{says} ({name})"
    if FAILURE in flow.inputs:
        yield _price_of_failure(flow)
    if stakes.first_end:
        yield (
            f"the tuned model ends in {months(stakes.first_end)}, as is known (tuning.until, "
            "models), and is tuned again then"
        )
    if LIFE in flow.inputs:
        yield f"when the model's life ends, {flow.model.retraining_is}"
    if flow.model.recurrence.repeats:
        yield from _assumes_of_traffic(flow)


def _price_of_failure(flow: CashFlow) -> str:
    if flow.pilots:
        return "a tuning that fails costs the pilot, and nothing else is paid"
    return (
        "no pilot is planned (tuning.pilot), so a tuning that fails costs all that is up "
        "front. With one it costs the ask"
    )


def _assumes_of_traffic(flow: CashFlow) -> Iterator[str]:
    """The assumptions about traffic that the simulation makes."""
    growth = flow.model.inputs.get(GROWTH)
    savings = flow.savings
    if savings is None:
        yield "stated benefits are the same every month" + (
            ", and no saving is above the bill of its month" if flow.bill else ""
        )
    elif growth is None:
        yield "traffic stays as it is (economics.traffic.growth_per_month)"
    else:
        now = savings.inputs[REQUESTS].value
        then = now * (1 + growth.value) ** (flow.horizon - 1)
        yield (
            f"the stated growth goes on for all {flow.horizon} months, from {count(now)} to "
            f"{count(then)} calls a month"
        )
    if savings is not None and savings.maybe_cheaper is not None:
        yield f"what is cheaper, {savings.maybe_cheaper.option.name}, turns out not to be enough"


# Money month by month, for many draws at once.


class Paths(NamedTuple):
    """The result of each simulated run."""

    npv: Array  #: Net present value, USD.
    months: Array  #: Months to break-even; ``inf`` for never.
    cumulated: Array
    """USD at the end of each month (rows, from month 0 on) of each draw (columns); of the first
    alone where not each month was asked for."""
    waiting: Array  #: Net present value lost when the start is put off by a month.


class CashFlow:
    """The costs and earnings of a month, with only those inputs that they depend on."""

    def __init__(self, stakes: Stakes) -> None:
        model = stakes.model
        savings = stakes.savings
        assert model.upfront is not None  # a caller computes nothing without it
        self.stakes = stakes
        self.model = model
        self.savings = savings
        self.horizon = stakes.horizon
        self.bill = None if savings else stakes.bill
        self.pilots = bool(stakes.pilots and model.pilot.usd)
        self.upfront: Sum = model.upfront
        running = model.running
        if savings is not None and not savings.serving_in_total:
            running = model.running_besides
        self.running: Sum = running or ()
        every = {**stakes.taken, **model.inputs, **(savings.inputs if savings else {})}
        self.inputs: Inputs = {name: every[name] for name in sorted(self._read(every))}

    def _read(self, every: Inputs) -> set[str]:
        """The inputs that the cash flow depends on, among those that are known."""
        terms = [*self.upfront, *self.running, *self.model.quality]
        if LIFE in every or self.stakes.first_end:
            terms += self.model.retraining
        if self.pilots and FAILURE in every:
            terms += self.model.pilot.usd
        options: list[ServingOption] = []
        if self.savings:
            options += [*self.savings.baseline, self.savings.tuned]
        else:
            terms += self.model.savings
        if self.bill and self.model.savings:
            options.append(self.bill)
        read = {DISCOUNT, FAILURE, LIFE}
        for term in terms:
            read.update(term.names)
        for option in options:
            read.update([REQUESTS, GROWTH], option.names)
            if option.then:  # the successor of its model
                read.update(option.then.names)
            if option.falls:
                read.add(PRICE_FALL)
        return read & set(every)

    def odds(self, values: Values, draws: int) -> Array:
        """The chance that tuning works."""
        return np.broadcast_to(1 - np.asarray(values.get(FAILURE, 0.0)), draws)

    def follow(
        self, values: Values, success: Array, *, each_month: bool = True
    ) -> Paths:
        """Follow every run to the horizon.

        Upfront cost is paid at month 0, everything else at the end of its month. The traffic of
        month 1 is today's; it grows from then on. A tuning that fails costs its pilot, or the whole
        upfront cost where no pilot comes first, and brings nothing. Break-even isn't discounted. It
        may lie beyond the horizon: then the last month's result continues, less the average cost of
        tuning again. ``success`` is 1 for a run in which tuning works and 0 where it fails; a
        number between is the chance.
        """
        works = success > 0
        if works.all() or not works.any():
            return self._follow_each(values, success, each_month=each_month)
        # where tuning fails nothing moves after month 0
        picked = {
            name: value[works] if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
        part = self._follow_each(picked, success[works], each_month=each_month)
        npv = 0.0 - self._upfront_usd(values, success)
        cumulated = np.tile(npv, (len(part.cumulated), 1))
        cumulated[:, works] = part.cumulated
        waiting = (1 - _monthly_discount(values)) * npv
        waiting[works] = part.waiting
        npv[works] = part.npv
        months = np.full(len(success), np.inf)
        months[works] = part.months
        return Paths(npv, months, cumulated, waiting)

    def _upfront_usd(self, values: Values, success: Array) -> Array:
        upfront = np.zeros(len(success))
        upfront += np.asarray(total(self.upfront, values), dtype=float)
        if self.pilots and FAILURE in self.inputs:
            lost = np.asarray(total(self.model.pilot.usd, values), dtype=float)
            upfront = success * upfront + (1 - success) * lost
        return upfront

    def _follow_each(
        self, values: Values, success: Array, *, each_month: bool
    ) -> Paths:
        """Follow each draw by month: its worth, when it pays back, and the cost of waiting.

        A start a month later loses the result of month 1, saves a month's interest on the upfront
        cost, and tunes again a month later each time: that is ``delay``.
        """
        upfront = self._upfront_usd(values, success)
        life = values.get(LIFE, np.inf)
        first_end = self.stakes.first_end
        retraining = 0.0
        if LIFE in self.inputs or first_end is not None:
            retraining = total(self.model.retraining, values)
        step = _monthly_discount(values)
        results = self._months(values)
        running = -upfront  # what is cumulated so far, without discounts
        cumulated = np.empty((self.horizon + 1 if each_month else 2, len(success)))
        cumulated[0] = running
        worth = np.zeros(len(success))
        delay = -(1 - step) * upfront
        months = np.where(upfront <= 0, 0.0, np.inf)  # until it is repaid
        discount: Any = 1.0
        redone: Any = 0.0
        result: Any = 0.0
        for number in range(1, self.horizon + 1):
            discount = discount * step
            result = next(results)
            redone_before = redone
            redone = retraining * _times_tuned_again(number, life, first_end)
            flow = success * (result - redone)
            worth += flow * discount
            delay -= success * (redone - redone_before) * discount
            if number == 1:
                delay += success * result * discount
            after = running + flow
            now_repaid = np.isinf(months) & (after >= 0)
            if now_repaid.any():
                within = _until_back(running[now_repaid], flow[now_repaid])
                months[now_repaid] = number - 1 + within
            running = after
            if number < len(cumulated):
                cumulated[number] = after
        # what isn't repaid at the horizon goes on like the last month, less tuning again on average
        later = success * (result - retraining / life)
        beyond = self.horizon + _until_back(running, later)
        months = np.where(np.isinf(months), beyond, months)
        months = np.where(success > 0, months, np.inf)
        # it pays with the job or never, and waiting only puts it off
        if not self.model.recurrence.repeats:
            months = np.where((months > 1) | (cumulated[1] < 0), np.inf, 1.0)
            delay = (1 - step) * (worth - upfront)
        return Paths(worth - upfront, months, cumulated, delay)

    def _months(self, values: Values) -> Iterator[Any]:
        """Yield the result of each month in USD, without tuning again, and without end."""
        benefits = total(self.model.quality, values)
        # The part of the running costs that is the serving of the tuned model.
        serving: Any = 0.0
        if self.savings is None:
            savings = self._stated_savings(values)
        else:
            savings = self._serving_savings(self.savings, values)
            if self.savings.serving_in_total:
                tuned = _Price(self.savings.tuned, values)
                serving = tuned.line_usd(values.get(REQUESTS, 1.0))
        # Both go on without end.
        for saved, cost in zip(savings, self._running_costs(values), strict=False):
            besides = cost
            if self.savings is not None and self.savings.serving_in_total:
                # What is saved has the serving in it already.
                besides = np.maximum(cost - serving, 0.0)
            yield saved + benefits - besides

    def _stated_savings(self, values: Values) -> Iterator[Any]:
        """Yield the stated saving of each month in USD, never more than the bill of that month."""
        stated = total(self.model.savings, values)
        if self.bill is None or not self.model.savings:
            while True:
                yield stated
        bill = _Price(self.bill, values)
        for month in _months_of_traffic(values, falls=bill.may_fall):
            yield np.minimum(stated, bill.usd(month))

    def _serving_savings(self, savings: Savings, values: Values) -> Iterator[Any]:
        """Yield the cheapest untuned way's cost in each month less the tuned model's, in USD."""
        tuned = _Price(savings.tuned, values)
        untuned = [_Price(option, values) for option in savings.baseline]
        falls = any(price.may_fall for price in untuned)
        for month in _months_of_traffic(values, falls=falls):
            cheapest = untuned[0].usd(month)
            for price in untuned[1:]:
                cheapest = np.minimum(cheapest, price.usd(month))
            # The tuned model stays as it is: its price doesn't fall, and it has no successor.
            yield cheapest - tuned.line_usd(month.requests)

    def _running_costs(self, values: Values) -> Iterator[Any]:
        """Yield the running costs of each month in USD, without end.

        Requests grow from month to month, and a bill that is paid by requests grows with them.
        """
        bill_follows = (
            BILL in values and self.bill is not None and self.bill.bill_for is not None
        )
        names = {name for term in self.running for name in term.names}
        if REQUESTS not in names and not (bill_follows and BILL in names):
            # Nothing moves: one sum for all months, as a sum over many runs takes long.
            constant = total(self.running, values)
            while True:
                yield constant
        first = values.get(REQUESTS, 1.0)
        for month in _months_of_traffic(values, falls=False):
            now = {**values, REQUESTS: month.requests}
            if bill_follows:
                now[BILL] = values[BILL] * (month.requests / first)
            yield total(self.running, now)


class _TrafficMonth(NamedTuple):
    """A month with its traffic and prices."""

    number: int  #: From 0.
    requests: Any
    fallen: Any  #: The share that prices have fallen to.


def _months_of_traffic(values: Values, *, falls: bool) -> Iterator[_TrafficMonth]:
    """Yield the months from the first on, without end; prices stay the same without ``falls``."""
    requests = values.get(REQUESTS, 1.0)
    growth = 1 + values.get(GROWTH, 0.0)
    fall = (1 - values.get(PRICE_FALL, 0.0)) ** (1 / MONTHS_PER_YEAR)
    for number in count_from(0):
        yield _TrafficMonth(number, requests, fall**number if falls else 1.0)
        requests = requests * growth


def _monthly_discount(values: Values) -> Any:
    """The factor that discounts an amount by one month."""
    return (1 + values.get(DISCOUNT, 0.0)) ** (-1 / MONTHS_PER_YEAR)


class _Price:
    """The price of an option in a month; the price of its successor once its model has ended."""

    def __init__(self, option: ServingOption, values: Values) -> None:
        self._option = option
        self._line = option.line(values)
        self._then = None if option.then is None else _Price(option.then, values)

    def usd(self, month: _TrafficMonth) -> Any:
        """USD in a month; from its model's end on, the successor's."""
        now = self
        end = self._option.months
        if self._then is not None and end is not None and month.number > end:
            now = self._then
        cost = now.line_usd(month.requests)
        return cost * month.fallen if now.falls else cost

    @property
    def falls(self) -> bool:
        return self._option.falls

    @property
    def may_fall(self) -> bool:
        """Whether its price may fall, or that of its successor."""
        return self.falls or (self._then is not None and self._then.falls)

    def line_usd(self, requests: Any) -> Any:
        """USD a month at today's price."""
        line = self._line
        return line.fee + np.maximum(line.floor, line.slope * requests)


def _until_back(missing: Array, flow: Array) -> Any:
    """Months until a negative sum is repaid by ``flow`` a month; ``inf`` for never."""
    with np.errstate(over="ignore"):  # a tiny gain a month takes almost for ever
        return np.where(flow > 0, -missing / np.where(flow > 0, flow, 1.0), np.inf)


def _times_tuned_again(month: int, life: Any, first_end: float | None) -> Any:
    """How many times the model is tuned again in a month, counted from 1: each time its life ends.

    ``first_end`` is the number of months until a known end; after it, the model's life counts. An
    array where lives are drawn.
    """
    # months of the first model whose end isn't known
    lived = month - (first_end or 0.0)
    if first_end is not None and lived <= 1:
        return 1.0 if lived > 0 else 0.0
    if month == 1:
        return 0.0
    # models begun by the end of this month, less those begun by the end of the last one
    return np.ceil(lived / life) - np.ceil((lived - 1) / life)
