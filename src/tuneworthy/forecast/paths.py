"""Money month by month, for many draws at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneworthy.domain.books import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    REQUESTS,
    Books,
    Inputs,
    Terms,
    Values,
    total,
)
from tuneworthy.domain.serving import Saved, Way
from tuneworthy.domain.units import MONTHS_PER_YEAR

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
