"""Two frameworks on the same cases, and how a fitted chance did on cases it hadn't seen."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from tuneworthy.domain.odds import BlindCoder, TrackRecord
from tuneworthy.domain.precedent import Agreement, Codes, Interval, RuleId
from tuneworthy.domain.record import Ident, Natural, Record, Share, State, Unknown

Difference = Annotated[float, Field(ge=-1, le=1)]
"""A difference of two shares, or of two Brier scores."""


class RuleGap(Record):
    """One rule as two frameworks have it, case by case."""

    rule: RuleId
    """The rule."""
    agreed: Natural
    """Cases in which the framework's was right."""
    other_agreed: Natural
    """Cases in which the other's was right."""
    apart: Natural
    """Cases in which they say different things."""
    difference: Difference
    """Share in which the framework's was right less that of the other."""
    interval: Interval | Unknown
    """95% interval of the difference; unknown where there are too few clusters to draw from."""
    excludes_zero: State
    """No means that the difference may be noise."""


class Gap(Record):
    """Two frameworks on the same cases."""

    framework: Ident
    """The one."""
    other: Ident
    """The other."""
    codes: Codes
    """Whose answers were used."""
    n: Natural
    """Cases counted."""
    clusters: Natural
    """Papers, companies or projects they come from."""
    rules: tuple[RuleGap, ...]
    """Every rule but the two that ask nothing."""


class ChanceRecord(Record):
    """How a fitted chance did on cases that it wasn't fitted to."""

    n: Natural
    """Cases for which it gave a chance."""
    abstained: Natural
    """Cases for which it gave none, because too much was open."""
    agreement: Agreement | Unknown
    """How often the likelier side won; unknown where it never gave a chance."""
    brier: Share | Unknown
    """Mean squared distance between chance and outcome."""
    base_brier: Share | Unknown
    """The same for the share of wins among these cases, which the base rate is allowed to know."""
    gain: Difference | Unknown
    """Brier score of the base rate less that of the chance."""
    interval: Interval | Unknown
    """95% interval of the gain; unknown where there are too few clusters to draw from."""
    excludes_zero: State
    """Whether the chance is told apart from the base rate."""


class Fitted(Record):
    """What is told instead of a backtest on the cases that a framework was fitted to."""

    framework: Ident
    """The framework."""
    dated: date
    """When it was fitted."""
    cases: Natural
    """Cases it was fitted to, which are those asked about."""
    clusters: Natural
    """Papers and companies they come from."""
    earned: State
    """Whether it beat the base rate for both coders."""
    records: dict[BlindCoder, TrackRecord]
    """Its record by fits that hadn't seen the case's paper or company."""
