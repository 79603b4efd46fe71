"""The money part of the road: prices, books, ways to serve the traffic, and what it comes to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from threading import Lock

from tuneworthy.calls.prices import look_up
from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.books import Books
from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.money import Drawn, Outlook
from tuneworthy.domain.prices import NO_PRICES, Prices
from tuneworthy.domain.serving import Saved
from tuneworthy.forecast.breakeven import appraise, computed_saving, with_draws
from tuneworthy.forecast.savings import compare
from tuneworthy.forecast.terms import keep_books

Draw = Callable[[Case, Framework, Books, Saved | None, int], Drawn | None]
"""As ``forecast.simulate.draw_seeded``."""

_KEPT = 256


def prices_of(case: Case, as_of: date) -> Prices:
    """List prices of the case's models, where there is traffic to price and one isn't stated."""
    traffic = case.economics.traffic
    tokens = traffic.input_tokens
    if tokens is None or traffic.output_tokens is None or traffic.requests_per_month is None:
        return NO_PRICES
    if all(model.usd_per_mtok is not None for model in case.models):
        return NO_PRICES
    return look_up(case.models, as_of, input_tokens=tokens.likely)


def outlook(
    case: Case, framework: Framework, assessment: Assessment, prices: Prices, seed: int,
    draw: Draw | None = None,
) -> Outlook:  # fmt: skip
    """Costs, ways to serve the traffic, the investment, and the same drawn many times."""
    books = keep_books(case, framework.costs)
    comparison = compare(case, prices, books, assessment.state("data_sovereignty"))
    appraisal = appraise(case, framework, books, comparison)
    drawn = None
    if appraisal.investment is not None:
        drawn = (draw or _draw)(case, framework, books, computed_saving(books, comparison), seed)
    return Outlook(books, comparison, with_draws(appraisal, drawn, framework), drawn)


def _draw(
    case: Case, framework: Framework, books: Books, saved: Saved | None, seed: int
) -> Drawn | None:
    from tuneworthy.forecast.simulate import draw_seeded  # numpy is needed only here

    return draw_seeded(case, framework, books, saved, seed)


class Remembered:
    """Draws what was not drawn before. Safe to use from several threads.

    An answer seldom moves an amount, and drawing the money takes longer than all other steps.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Drawn | None] = OrderedDict()
        self._lock = Lock()

    def __call__(
        self, case: Case, framework: Framework, books: Books, saved: Saved | None, seed: int
    ) -> Drawn | None:
        """What drawing gives, drawn or remembered."""
        horizon = case.economics.assumptions.horizon_months
        key = repr((horizon, framework.break_even, books, saved, seed))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = _draw(case, framework, books, saved, seed)
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return drawn
