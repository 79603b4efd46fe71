"""The investment drawn many times: every range a PERT distribution, month by month."""

from __future__ import annotations

import math

import numpy as np

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    REQUESTS,
    Books,
    Inputs,
    Spread,
    likely,
)
from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.money import Drawn
from tuneworthy.domain.serving import Saved
from tuneworthy.forecast.paths import Array, Flows, Paths, follow

DRAWS = 10_000

_QUANTILES = (0.1, 0.5, 0.9)
_HAIR = 1e-9  # months; what rounding may move a break-even that is exactly the limit


def draw_seeded(
    case: Case, framework: Framework, books: Books, saved: Saved | None, seed: int
) -> Drawn | None:
    """``simulate`` with a generator of its own."""
    return simulate(case, framework, books, saved, np.random.default_rng(seed))


def simulate(
    case: Case, framework: Framework, books: Books, saved: Saved | None,
    rng: np.random.Generator, draws: int = DRAWS,
) -> Drawn | None:  # fmt: skip
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
    chance = inputs.get(FAILURE, Spread(0.0, 0.0, 0.0))
    luck = chance.varies or 0 < chance.likely < 1
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


def _draw(spread: Spread, rng: np.random.Generator, count: int) -> Array | float:
    """PERT: a beta distribution between the ends whose mean is (low + 4 likely + high) / 6."""
    if not spread.varies:
        return spread.likely
    width = spread.high - spread.low
    rise = 1 + 4 * (spread.likely - spread.low) / width
    fall = 1 + 4 * (spread.high - spread.likely) / width
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
        column = np.full(2 * len(names), inputs[name].likely)
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
        found.append(Reason("benefits_constant", {"growth": growth.likely if growth else None}))
    elif growth is None:
        found.append(Reason("traffic_constant"))
    else:
        now = saved.inputs[REQUESTS].likely
        numbers = {"now": now, "then": now * (1 + growth.likely) ** (flows.horizon - 1),
                   "months": flows.horizon}  # fmt: skip
        found.append(Reason("growth_goes_on", numbers))
    return tuple(found)
