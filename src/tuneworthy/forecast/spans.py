"""The ends of a saving, and the volume from which it pays, over every pairing that can matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from tuneworthy.domain.books import GROWTH, REQUESTS, Books, Inputs, Values, corners, likely, money
from tuneworthy.domain.investment import Money
from tuneworthy.domain.serving import Line, Way, cheapest

_MOST = 1e12  # a hundred calls a month for everybody on earth: only rounding asks for more
_NOTHING = 1e-15  # USD a request: below this no volume makes a difference


def pairings(rivals: tuple[Way, ...], tuned: Way, inputs: Inputs) -> Iterator[dict[str, float]]:
    """The pairings of the inputs' ends among which the least and the largest saving are.

    Every input moves a cost one way only. So what only the rivals read stands at the end that
    makes them cheapest while what only the tuned way reads stands at its dearest, and the other
    way round; what both read, and the traffic, is paired in every way.
    """
    theirs, its = {name for way in rivals for name in way.names}, set(tuned.names)
    shared = (theirs & its) | {REQUESTS, GROWTH}
    for values in corners(inputs, shared):
        for rivals_end, tuned_end in (("low", "high"), ("high", "low")):
            yield {
                **values,
                **{name: _end(name, inputs, rivals_end) for name in theirs - shared},
                **{name: _end(name, inputs, tuned_end) for name in its - shared},
            }


def _end(name: str, inputs: Inputs, end: str) -> float:
    """The value of an input at which costs are low, or high."""
    lowers = name.endswith((".requests_per_gpu_hour", ".utilisation"))
    spread = inputs[name]
    return spread.high if (end == "low") == lowers else spread.low


Besides = Callable[[float], tuple[float, float, float]]
"""Running costs beside the tuned serving, low, likely and high, from what that serving costs."""


def nothing_besides(serving_usd: float) -> tuple[float, float, float]:
    """No running costs, whatever the serving costs."""
    return 0.0, 0.0, 0.0 * serving_usd


def besides_of(books: Books, fixed: Money | None, *, in_total: bool) -> Besides:
    """Where one total was stated, what is left of it beside the serving; else what is known."""
    if fixed is None:
        return nothing_besides
    if not in_total:
        return lambda _: (fixed.low, fixed.likely, fixed.high)
    assert books.running is not None  # a total was stated
    whole = money(books.running, books.inputs)
    ends = (whole.low, whole.likely, whole.high)

    def left(serving_usd: float) -> tuple[float, float, float]:
        low, middle, high = (max(end - serving_usd, 0.0) for end in ends)
        return low, middle, high

    return left


def saving_range(
    sure: tuple[Way, ...], wide: tuple[Way, ...], tuned: Way, inputs: Inputs, besides: Besides
) -> Money:
    """The saving beside the best of several ways, less what runs beside it, USD a month.

    The least is that beside the least favourable way. Beside the best of all it is never more than
    beside any one of those that count for sure.
    """
    values = likely(inputs)
    by_way = {way: list(_savings(way, tuned, inputs, besides)) for way in {*sure, *wide}}
    served = tuned.line(values).usd(values[REQUESTS])
    point = cheapest(sure, values, values[REQUESTS]) - served - besides(served)[1]
    least = min(min(by_way[way]) for way in wide)
    largest = min(max(by_way[way]) for way in sure)
    return Money(min(point, least), point, max(point, largest))


def _savings(way: Way, tuned: Way, inputs: Inputs, besides: Besides) -> Iterator[float]:
    """The saving beside one way at every pairing, and where it bends between them."""
    requests = inputs[REQUESTS]
    for values in pairings((way,), tuned, inputs):
        lines = way.line(values), tuned.line(values)
        inside = [bend for bend in bends(lines) if requests.low < bend < requests.high]
        for volume in (values[REQUESTS], *inside):
            served = lines[1].usd(volume)
            for running in besides(served)[::2]:
                yield lines[0].usd(volume) - served - running


def bends(lines: Sequence[Line]) -> list[float]:
    """Volumes at which GPUs are full, or one way becomes cheaper than another, in order."""
    slopes = [line.slope for line in lines if line.slope > _NOTHING]
    return sorted({0.0, *(line.floor / slope for line in lines for slope in slopes)})


def volume_that_pays(
    baseline: tuple[Way, ...], tuned: Way, values: Values, fixed_usd: float
) -> float:
    """The fewest requests a month whose saving covers the fixed running costs.

    The saving is a chain of straight pieces over the volume: a hosted way costs so much a request,
    one's own GPUs cost a floor until they are full. Each piece is solved by itself.

    Returns:
        Requests a month; 0 when there is nothing to cover, ``math.inf`` when it never is.
    """
    lines = [way.line(values) for way in (*baseline, tuned)]
    kinks = bends(lines)

    def left(requests: float) -> float:
        """USD a month beyond the fixed costs."""
        saved = min(line.usd(requests) for line in lines[:-1]) - lines[-1].usd(requests)
        return saved - fixed_usd

    found = math.inf
    for start, end in zip(kinks, [*kinks[1:], 2 * kinks[-1] + 1.0], strict=True):
        here, there = left(start), left(end)
        if here >= 0:
            found = start
        elif there > here and (there >= 0 or start == kinks[-1]):
            found = start - here * (end - start) / (there - here)
        if found < math.inf:
            break
    return found if found <= _MOST else math.inf
