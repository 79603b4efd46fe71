"""The clock of a log, and evidence that carries its days."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence, Scalar
from tuneworthy.domain.record import Unknown
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Table
from tuneworthy.stats.clustered import Estimate
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_S = 86_400.0
MONTH_DAYS = 30.4375
"""Mean length of a month in days."""

FIRST_S = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
"""No log of a language model is older; an earlier timestamp is a default or an error."""

END_S = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
"""Where the caller doesn't say what day it is, later timestamps are no timestamps."""

_FEW = 0.005


@dataclass(frozen=True, slots=True)
class Clock:
    """When traces were made."""

    usable: NDArray[np.bool_]
    """Which traces have a timestamp that can be one."""
    times: NDArray[np.float64]
    """Those timestamps in order, seconds since 1970."""
    lacking: int
    """Traces without a timestamp."""
    ignored: int
    """Traces with one that lies before 2015, in the future, or far beyond all others."""

    @property
    def days(self) -> float:
        """From the first to the last, in days; 0 without a clock."""
        return float(self.times[-1] - self.times[0]) / DAY_S if len(self.times) else 0.0

    @property
    def since(self) -> date | None:
        """First day by UTC."""
        return _day(self.times[0]) if len(self.times) else None

    @property
    def until(self) -> date | None:
        """Last day by UTC."""
        return _day(self.times[-1]) if len(self.times) else None


def clock(table: Table, end_s: float = END_S) -> Clock:
    """The clock of a log; traces out of order are sorted.

    Timestamps before 2015 or after ``end_s`` are ignored. So are those, at most one in 200, that
    lie later than all others by more than these span together: what counts the last month must
    not count the month of a wrong clock.
    """
    there, known = _known(table.time)
    usable = there & (table.time >= FIRST_S) & (table.time < end_s)
    times = known[np.searchsorted(known, FIRST_S) : np.searchsorted(known, end_s)]
    if len(times):
        bulk = times[: max(1, math.ceil(len(times) * (1 - _FEW)))]
        limit = bulk[-1] + max(float(bulk[-1] - bulk[0]), DAY_S)
        usable &= np.where(there, table.time, math.inf) <= limit
        times = times[times <= limit]
    lacking = len(table) - int(there.sum())
    return Clock(usable, times, lacking, int(there.sum()) - len(times))


@remembered(1)  # every signal with a clock asks for that of the same table
def _known(times: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which times are known, and those in order."""
    there = np.isfinite(times)
    return there, np.sort(times[there])


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes evidence of what one signal found in one log."""

    clock: Clock

    def unknown(self, measure: str, ask: str, *, unit: str, factor: str = "") -> Evidence:
        """Evidence that there is none, with what would settle it."""
        return Evidence(
            id=measure,
            factor=factor,
            unit=unit,
            value=Unknown(ask=ask),
            since=self.clock.since,
            observed_on=self.clock.until,
        )

    def known(
        self,
        measure: str,
        ends: tuple[float, float, float | Literal["open"]],
        *,
        n: int,
        clusters: int,
        unit: str,
        method: str,
        factor: str = "",
        sample: Literal["all", "sampled"] = "all",
        details: Mapping[str, Scalar] | None = None,
        examples: Sequence[str] = (),
    ) -> Evidence:
        """Evidence of a value, its low and its high end."""
        value, low, high = ends
        return Evidence(
            id=measure,
            factor=factor,
            unit=unit,
            value=value,
            low=low,
            high=high,
            n=n,
            clusters=clusters,
            method=method,
            sample=sample,
            details=dict(details or {}),
            examples=tuple(each[:200] for each in examples[:10]),
            since=self.clock.since,
            observed_on=self.clock.until,
        )

    def estimated(
        self,
        measure: str,
        found: Estimate | None,
        *,
        ask: str,
        unit: str,
        method: str,
        factor: str = "",
        bounds: tuple[float, float] = (0.0, math.inf),
        spread: float = 1.0,
        sample: Literal["all", "sampled"] = "all",
        details: Mapping[str, Scalar] | None = None,
    ) -> Evidence:
        """Evidence of an estimate over conversations.

        Args:
            measure: Id of the measurement.
            found: The estimate; None where there was nothing to count.
            ask: What would settle it then.
            unit: Its unit.
            method: How it was made.
            factor: What it bears on.
            bounds: What the value can be at all; an infinite end is ``open``.
            spread: Factor by which each end is moved out, for an error of the measure itself.
            sample: Whether every trace was looked at.
            details: Further numbers.

        Returns:
            Known evidence; unknown for None and under ``ENOUGH_CONVERSATIONS`` conversations.
        """
        if found is None:
            return self.unknown(measure, ask, unit=unit, factor=factor)
        if found.clusters < ENOUGH_CONVERSATIONS:
            return self.unknown(measure, few(found.clusters), unit=unit, factor=factor)
        low, value, high = (
            min(max(each, bounds[0]), bounds[1])
            for each in (found.low / spread, found.value, found.high * spread)
        )
        return self.known(
            measure,
            (value, low, high if math.isfinite(high) else "open"),
            n=found.n,
            clusters=found.clusters,
            unit=unit,
            method=method,
            factor=factor,
            sample=sample,
            details=details,
        )


def few(conversations: int) -> str:
    """What to do where there are too few conversations."""
    bear = "1 bears" if conversations == 1 else f"{conversations} bear"
    return f"measure {ENOUGH_CONVERSATIONS} conversations or more; {bear} on this"


def day_text(time: float) -> str:
    """A day by UTC, as in 2026-03-01."""
    return _day(time).isoformat()


def _day(time: float) -> date:
    return datetime.fromtimestamp(float(time), UTC).date()
