"""An estimate as evidence, and what to say where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuneworthy.domain.evidence import Evidence, Scalar
from tuneworthy.domain.record import Unknown
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Table
from tuneworthy.gather.signals.clock import END_S, FIRST_S
from tuneworthy.stats.clustered import Estimate
from tuneworthy.texts.memory import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray


def told(
    table: Table,
    measure: str,
    estimate: Estimate | None,
    *,
    factor: str,
    unit: str,
    method: str,
    lacking: str,
    sample: Literal["all", "sampled"] = "all",
    details: Mapping[str, Scalar] | None = None,
    examples: Sequence[str] = (),
) -> Evidence:
    """Evidence from an estimate over conversations.

    Args:
        table: For the days the data spans.
        measure: Id of the measurement.
        estimate: The number with its interval; None where there was nothing to count.
        factor: What it bears on.
        unit: Its unit.
        method: How it was made.
        lacking: What to do where there was nothing to count.
        sample: Whether every trace was looked at.
        details: Further numbers; those that aren't finite are left out.
        examples: What was found; ten at most are kept, each cut to 200 characters.

    Returns:
        Known evidence; unknown, with what to do, for None, for an end that is not finite and for
        under ``ENOUGH_CONVERSATIONS`` conversations.
    """
    since, until = _days(table.time)
    common: dict[str, Any] = {
        "id": measure,
        "factor": factor,
        "unit": unit,
        "method": method,
        "sample": sample,
        "details": {k: v for k, v in (details or {}).items() if _finite(v)},
        "examples": tuple(readable(each, 200) for each in examples[:10]),
        "since": since,
        "observed_on": until,
    }
    if estimate is None:
        return Evidence(value=Unknown(ask=lacking), **common)
    counted = {"n": estimate.n, "clusters": estimate.clusters}
    if estimate.clusters < ENOUGH_CONVERSATIONS:
        ask = (
            f"measure at least {ENOUGH_CONVERSATIONS} conversations; {estimate.clusters} bear on it"
        )
        return Evidence(value=Unknown(ask=ask), **counted, **common)
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return Evidence(value=Unknown(ask=lacking), **counted, **common)
    ends = {"low": estimate.low, "high": estimate.high}
    return Evidence(value=estimate.value, **ends, **counted, **common)


def readable(text: str, most: int) -> str:
    """The beginning of a text that any program can take: half a surrogate pair becomes a mark."""
    return text[:most].encode("utf-8", "replace").decode("utf-8")


def rate(hits: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    """The plain share of hits, for a detail; NaN of nothing."""
    return float(np.mean(hits)) if len(hits) else math.nan


def of_sample(table: Table) -> Literal["all", "sampled"]:
    """Whether the sample holds every trace."""
    return "all" if len(table.sample) >= len(table) else "sampled"


def clusters_of(names: Sequence[object]) -> NDArray[np.int64]:
    """A number for each conversation of a sample; a trace without a name stands alone."""
    codes: dict[object, int] = {}
    return np.array(
        [codes.setdefault(row if name is None else f"={name}", len(codes))
         for row, name in enumerate(names)],
        dtype=np.int64,
    )  # fmt: skip


def _finite(value: Scalar) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@remembered(1)  # all evidence of a run tells the same two
def _days(times: NDArray[np.float64]) -> tuple[date | None, date | None]:
    """First and last day by UTC; None without a clock or for times no calendar holds."""
    known = times[(times >= FIRST_S) & (times < END_S)]  # NaN is neither
    return (_day(known.min()), _day(known.max())) if len(known) else (None, None)


def _day(time: float) -> date | None:
    try:
        return datetime.fromtimestamp(float(time), UTC).date()
    except (OverflowError, ValueError, OSError):
        return None
