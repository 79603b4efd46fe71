"""Two frameworks on the same cases, and a framework on those it was fitted to."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from tuneworthy.domain.precedent import Codes, Interval, RuleId
from tuneworthy.domain.record import Ident, Natural, Record, State, Unknown

Difference = Annotated[float, Field(ge=-1, le=1)]
"""A difference of two shares."""


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
