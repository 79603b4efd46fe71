"""The investment drawn many times: every range a PERT distribution, month by month."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneworthy.model.base import MONTHS_PER_YEAR, Interval
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    REQUESTS,
    Books,
    Drawn,
    Inputs,
    Reason,
    Saved,
    Terms,
    Values,
    Way,
    likely,
    total,
)
from tuneworthy.model.framework import Framework

# Money month by month, for many draws at once.

Array = npt.NDArray[np.float64]


class Flows:
    """What is paid and earned in a month, with the inputs it depends on."""

    def __init__(self, books: Books, saved: Saved | None, horizon: int) -> None:
        """Take the terms, and the inputs that they read and no others."""
        assert books.upfront is not None  # a caller computes nothing without it
        self.books, self.saved, self.horizon = books, saved, horizon
        self.upfront: Terms = books.upfront
        running = books.running_besides if saved and not saved.serving_in_total else books.running
        self.running: Terms = running or ()
        self.benefits: Terms = books.quality if saved else (*books.savings, *books.quality)
        every = {**books.inputs, **(saved.inputs if saved else {})}
        self.inputs: Inputs = {name: every[name] for name in sorted(self._read(every))}

    def _read(self, every: Inputs) -> set[str]:
        terms = (*self.upfront, *self.running, *self.benefits)
        read = {name for term in terms for name in term.names} | {DISCOUNT, FAILURE, LIFE}
        if LIFE in every:
            read |= {name for term in self.books.again for name in term.names}
        if self.saved:
            read |= {REQUESTS, GROWTH}
            read |= {n for way in (*self.saved.baseline, self.saved.tuned) for n in way.names}
        return read & set(every)


@dataclass(frozen=True, slots=True)
class Paths:
    """What became of each draw."""

    npv: Array
    """Net present value, USD."""
    months: Array
    """Months to break-even; ``inf`` for never."""
    cumulated: Array
    """USD at the end of each month (rows, from month 0 on) of each draw (columns)."""
    waiting: Array
    """Net present value lost when the start is put off by a month."""


def follow(flows: Flows, values: Values, success: Array) -> Paths:
    """Follow every draw to the horizon.

    Upfront cost is paid at month 0, everything else at the end of its month. The traffic of month 1
    is today's; it grows from then on. A tuning that fails costs its upfront and brings nothing.
    Break-even isn't discounted. It may lie beyond the horizon: the last month's result then goes
    on, less the average cost of tuning again.

    Args:
        flows: What is paid and earned.
        values: Each input, a number or one number a draw.
        success: For each draw 1 where tuning works and 0 where it fails; between them, the odds.
    """
    count = len(success)
    upfront = _wide(total(flows.upfront, values), count)
    again = total(flows.books.again, values) if LIFE in flows.inputs else 0.0
    life = values[LIFE] if LIFE in flows.inputs else np.inf
    step = (1 + values.get(DISCOUNT, 0.0)) ** (-1 / MONTHS_PER_YEAR)
    month = _months(flows, values)
    cumulated = np.empty((flows.horizon + 1, count))
    cumulated[0] = running = -upfront
    worth, delay = np.zeros(count), -(1 - step) * upfront
    months = np.where(upfront <= 0, 0.0, np.inf)
    discount: Any = 1.0
    redone: Any = 0.0
    result: Any = 0.0
    for number in range(1, flows.horizon + 1):
        discount = discount * step
        result = next(month)
        before, redone = redone, again * _replaced(number, life)
        flow = success * (result - redone)
        worth += flow * discount
        delay -= success * (redone - before) * discount
        if number == 1:
            delay += success * result * discount
        after = running + flow
        months = np.where(
            np.isinf(months) & (after >= 0), number - 1 + _until_back(running, flow), months
        )
        cumulated[number] = running = after
    rest = success * (result - (again / life))
    months = np.where(np.isinf(months), flows.horizon + _until_back(running, rest), months)
    months = np.where(success > 0, months, np.inf)
    return Paths(worth - upfront, months, cumulated, delay)


def _wide(value: Any, count: int) -> Array:
    wide: Array = np.zeros(count) + np.asarray(value, dtype=float)
    return wide


def _until_back(missing: Array, flow: Array) -> Any:
    """Months until a negative sum is back at ``flow`` a month; ``inf`` for never."""
    with np.errstate(over="ignore"):  # next to nothing a month takes next to for ever
        return np.where(flow > 0, -missing / np.where(flow > 0, flow, 1.0), np.inf)


def _replaced(number: int, life: Any) -> Any:
    """How often the model is tuned again at the start of a month: at its end, never beyond."""
    return np.ceil(number / life) - np.ceil((number - 1) / life) if number > 1 else 0.0


def _months(flows: Flows, values: Values) -> Any:
    """The result of one month after the other, tuning again aside, USD."""
    costs = total(flows.running, values)
    benefits = total(flows.benefits, values)
    saved = flows.saved
    if saved is None:
        while True:
            yield benefits - costs
    requests = values[REQUESTS]
    if saved.serving_in_total:
        costs = np.maximum(costs - _usd(saved.tuned, values, requests), 0.0)
    growth = 1 + values.get(GROWTH, 0.0)
    while True:
        baseline = _usd(saved.baseline[0], values, requests)
        for way in saved.baseline[1:]:
            baseline = np.minimum(baseline, _usd(way, values, requests))
        yield baseline - _usd(saved.tuned, values, requests) + benefits - costs
        requests = requests * growth


def _usd(way: Way, values: Values, requests: Any) -> Any:
    floor, slope = way.parts(values)
    return np.maximum(floor, slope * requests)


# The investment drawn many times: every range a PERT distribution, month by month.

DRAWS = 10_000

_QUANTILES = (0.1, 0.5, 0.9)
_HAIR = 1e-9  # months; what rounding may move a break-even that is exactly the limit


def draw_seeded(
    case: Case, framework: Framework, books: Books, saved: Saved | None, seed: int
) -> Drawn | None:
    """``simulate`` with a generator of its own."""
    return simulate(case, framework, books, saved, np.random.default_rng(seed))


def simulate(
    case: Case,
    framework: Framework,
    books: Books,
    saved: Saved | None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Drawn | None:
    """Draw the investment.

    Args:
        case: For the horizon.
        framework: For the months within which it has to pay back.
        books: Costs and stated benefits.
        saved: The computed saving, where it is the one that counts; None where one is stated.
        rng: Where chance comes from.
        draws: How often; once where nothing varies, because every draw would be the same.

    Returns:
        The distribution; None where costs can't be priced, or there is no benefit at all.
    """
    running = saved.fixed is not None if saved else books.running is not None
    benefit = saved is not None or books.savings or books.quality
    if books.upfront is None or not running or not benefit:
        return None
    flows = Flows(books, saved, case.economics.assumptions.horizon_months)
    inputs = flows.inputs
    chance = inputs.get(FAILURE, Interval(0.0, 0.0, 0.0))
    luck = chance.varies or 0 < chance.value < 1
    count = draws if luck or any(spread.varies for spread in inputs.values()) else 1
    values = {name: _draw(inputs[name], rng, count) for name in sorted(inputs)}
    success = rng.random(count) >= values.get(FAILURE, 0.0)
    paths = follow(flows, values, success.astype(float))
    limit = framework.break_even
    return Drawn(
        draws=count,
        horizon_months=flows.horizon,
        months=_percentiles(paths.months),
        in_time=None if limit is None else _share(paths.months < limit.under_months - _HAIR),
        never=_share(paths.months > flows.horizon + _HAIR),
        npv=_percentiles(paths.npv),
        curve=tuple(_percentiles(month) for month in paths.cumulated),
        tornado=_tornado(flows, inputs),
        waiting_usd=float(np.mean(paths.waiting)),
        assumes=_assumes(books, saved, flows, nothing_varies=count == 1),
    )


def _draw(spread: Interval, rng: np.random.Generator, count: int) -> Array | float:
    """PERT: a beta distribution between the ends whose mean is (low + 4 likely + high) / 6."""
    if not spread.varies:
        return spread.value
    width = spread.high - spread.low
    rise = 1 + 4 * (spread.value - spread.low) / width
    fall = 1 + 4 * (spread.high - spread.value) / width
    return np.clip(spread.low + width * rng.beta(rise, fall, count), spread.low, spread.high)


def _percentiles(values: Array) -> tuple[float, float, float]:
    """Three drawn values, none made up between two: so never may stand beside a number."""
    places = [max(math.ceil(share * len(values)) - 1, 0) for share in _QUANTILES]
    ordered = np.partition(values, places)
    first, middle, last = (float(ordered[place]) for place in places)
    return first, middle, last


def _share(where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    return float(np.count_nonzero(where) / len(where))


def _tornado(flows: Flows, inputs: Inputs) -> tuple[tuple[str, float, float], ...]:
    """One input at a time at its ends, the others at their likeliest; failure at its odds."""
    names = [name for name, spread in sorted(inputs.items()) if spread.varies]
    if not names:
        return ()
    values: dict[str, Array | float] = dict(likely(inputs))
    for position, name in enumerate(names):
        column = np.full(2 * len(names), inputs[name].value)
        column[2 * position : 2 * position + 2] = inputs[name].low, inputs[name].high
        values[name] = column
    worked = np.broadcast_to(1 - np.asarray(values.get(FAILURE, 0.0)), 2 * len(names))
    npv: Paths = follow(flows, values, worked)
    found = [
        (name, float(npv.npv[2 * position]), float(npv.npv[2 * position + 1]))
        for position, name in enumerate(names)
    ]
    moved = [swing for swing in found if swing[1] != swing[2]]
    return tuple(sorted(moved, key=lambda swing: (-abs(swing[2] - swing[1]), swing[0])))


def _assumes(
    books: Books, saved: Saved | None, flows: Flows, *, nothing_varies: bool
) -> tuple[Reason, ...]:
    found = []
    if nothing_varies:
        found.append(Reason("nothing_varies"))
    stated = books.inputs
    found += [
        Reason(reason)
        for name, reason in ((DISCOUNT, "no_discount"), (FAILURE, "no_failure"))
        if name not in stated
    ]
    again = Reason("tuned_again", {"part": books.again_is})
    found.append(again if LIFE in stated else Reason("no_model_end"))
    growth = stated.get(GROWTH)
    if saved is None:
        found.append(Reason("benefits_constant", {"growth": growth.value if growth else None}))
    elif growth is None:
        found.append(Reason("traffic_constant"))
    else:
        now = saved.inputs[REQUESTS].value
        numbers = {
            "now": now,
            "then": now * (1 + growth.value) ** (flows.horizon - 1),
            "months": flows.horizon,
        }
        found.append(Reason("growth_goes_on", numbers))
    return tuple(found)
