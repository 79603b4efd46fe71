"""Everything about the money of a case, before words."""

from __future__ import annotations

from dataclasses import dataclass

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import Books
from tuneworthy.domain.investment import Appraisal
from tuneworthy.domain.serving import Comparison


@dataclass(frozen=True, slots=True)
class Drawn:
    """The investment drawn many times; months are ``math.inf`` for never, inside the program."""

    draws: int
    """1 where nothing varies: every draw would be the same."""
    horizon_months: int
    months: tuple[float, float, float]
    """10th, 50th and 90th percentile of the months to break-even."""
    in_time: float | None
    """Share of draws that pay back in time by the framework's rule; None without a rule."""
    never: float
    """Share of draws that don't pay back within the horizon."""
    npv: tuple[float, float, float]
    """Percentiles of the net present value, USD."""
    curve: tuple[tuple[float, float, float], ...]
    """Percentiles of the cumulated USD at the end of each month, from month 0 on."""
    tornado: tuple[tuple[str, float, float], ...]
    """Input, and the net present value at its low and at its high end; the widest swing first."""
    waiting_usd: float
    """Mean net present value lost when the start is put off by a month."""
    assumes: tuple[Reason, ...]
    """What was taken for granted."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything about the money of a case."""

    books: Books
    comparison: Comparison
    appraisal: Appraisal
    drawn: Drawn | None
    """None where the investment can't be computed."""
