"""How long answers take, and how much of that a shorter prompt would buy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals import base as sizes
from tuneworthy.measure.signals.base import END_S, Found, Numbers, Table, Teller, clock, there
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import Estimate, explained_share, quantile, share

if TYPE_CHECKING:
    from numpy.typing import NDArray


BINS = 30
MOST_FITTED = 100_000
"""Calls that the share of the prompt is fitted on; of more, every second conversation is taken, or
every third, and so on: the error is far below what matters by then."""

_LEAST_IN_BIN = 20
_LOG = "log `latency_s` of every call"
_SIGNAL = "latency"
_SHARE = "share of the mean latency"


@dataclass(frozen=True, slots=True)
class Latency:
    """Time to the answer, against the target and against the length of the prompt.

    * ``latency_p50_s``, ``latency_p95_s`` (and ``first_token_p95_s`` where reported): quantiles in
      seconds, conversations as clusters. A 95th percentile needs about 75 independent calls for an
      upper end.
    * ``latency_over_target_share``: share of calls that took longer than the target.
    * ``input_latency_share``: share of the mean latency that input tokens explain, those from a
      cache apart: the slope of latency on them, times their mean, over the mean latency; output
      tokens and the model are held fixed, see ``explained_share``. So much would go, at most, if
      the prompt vanished; half the prompt buys half of it. Unknown where the input hardly varies.
    * ``prompt_latency_share``: the same, made to settle whether latency is a reason for tuning,
      which takes a missed target *and* a prompt that explains it. It is unknown without a target;
      0 where the whole interval of the 95th percentile keeps the target; from 0 on where that
      interval holds the target, so that it can't settle a yes; the share itself where the target is
      missed.

    Calls that failed are left out and counted: a timeout is no answer, and a refusal no quick one.
    It can't see queues and networks, which look like neither input nor output; nor what a prompt of
    another length would do to the length of the answer. Where long prompts come at busy hours the
    slope takes the hour along.
    """

    target_s: float | None = None
    """Seconds within which 95 of 100 answers should arrive."""
    end_s: float = END_S
    """Timestamps from here on are in the future, seconds since 1970."""

    id = "latency"
    needs = (
        "latency_s",
        "time_to_first_token_s",
        "error",
        "cached_tokens",
        "model",
        *sizes.COLUMNS,
    )

    def rows(self, batch: Batch) -> Numbers:
        """Seconds of calls that didn't fail, failures, and tokens read anew and written."""
        n = len(batch)
        tokens = sizes.token_numbers(batch)
        failed = there(batch.error, n).astype(np.float64)
        cached = np.nan_to_num(sizes.amounts(batch.cached_tokens, n))
        read = tokens["input_tokens"]
        return {
            "latency_s": np.where(failed > 0, np.nan, sizes.amounts(batch.latency_s, n)),
            "first_s": np.where(failed > 0, np.nan, sizes.amounts(batch.time_to_first_token_s, n)),
            "failed": failed,
            "read": np.maximum(read - cached, 0.0),
            "written": tokens["output_tokens"],
            "read_estimate": tokens["input_estimate"],
            "written_estimate": tokens["output_estimate"],
        }

    def finish(self, table: Table) -> Found:
        """Quantiles, the share over the target, what the prompt explains, and the picture."""
        tell = Teller(clock(table, self.end_s))
        taken = table.numbers["latency_s"]
        late = quantile(taken, 0.95, table.conversation)
        explained = _explained(table, tell)
        evidence = [
            _quantile(tell, table, "latency_p50_s", 0.5),
            _quantile(tell, table, "latency_p95_s", 0.95),
            explained,
            _settling(tell, late, explained, self.target_s),
        ]
        if self.target_s is not None:
            evidence.append(_over(tell, table, self.target_s))
        if np.isfinite(table.numbers["first_s"]).any():
            evidence.append(_quantile(tell, table, "first_token_p95_s", 0.95, of="first_s"))
        pictured = by_tokens(taken, _read(table)[0])
        return Found(tuple(evidence), () if pictured is None else (pictured,))


def by_tokens(latency_s: NDArray[np.float64], read: NDArray[np.float64]) -> Series | None:
    """Latency by input tokens: at most 30 bins of equal numbers of calls, 20 or more in each.

    Returns:
        The bins' ends in tokens, the 50th and 95th percentile and the number of calls; None where
        fewer than 20 calls have both numbers.
    """
    known = np.isfinite(latency_s) & np.isfinite(read)
    seconds, tokens = latency_s[known], read[known]
    if len(tokens) < _LEAST_IN_BIN:
        return None
    bins = min(BINS, len(tokens) // _LEAST_IN_BIN)
    edges = np.unique(np.quantile(tokens, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, tokens, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    order = np.argsort(place, kind="stable")
    for at in np.split(order, np.cumsum(np.bincount(place))[:-1]):
        if not len(at):
            continue
        held, took = tokens[at], seconds[at]
        middle, late = np.quantile(took, (0.5, 0.95))
        rows.append((held.min(), held.max(), middle, late))
    names = ("input_tokens_low", "input_tokens_high", "p50_s", "p95_s")
    columns = {n: tuple(float(row[place]) for row in rows) for place, n in enumerate(names)}
    counts = tuple(int(each) for each in np.bincount(place) if each)
    return Series(id="latency_by_tokens", columns={**columns, "n": counts})


def _read(table: Table) -> tuple[NDArray[np.float64], bool]:
    return sizes.chosen(table.numbers["read"], table.numbers["read_estimate"])


def _quantile(
    tell: Teller, table: Table, measure: str, at: float, of: str = "latency_s"
) -> Evidence:
    seconds = table.numbers[of]
    return tell.estimated(
        measure,
        quantile(seconds, at, table.conversation),
        ask=_LOG if of == "latency_s" else "log `time_to_first_token_s`",
        unit="seconds",
        method="quantile over calls that didn't fail; conversations as clusters",
        factor="today.latency_p95_s" if measure == "latency_p95_s" else "",
        details={"failed": int(table.numbers["failed"].sum())},
    )


def _over(tell: Teller, table: Table, target_s: float) -> Evidence:
    seconds = table.numbers["latency_s"]
    over = np.where(np.isnan(seconds), np.nan, (seconds > target_s).astype(np.float64))
    return tell.estimated(
        "latency_over_target_share",
        share(over, table.conversation),
        ask=_LOG,
        unit="share of calls",
        method="share of calls that didn't fail; conversations as clusters",
        factor=_SIGNAL,
        bounds=(0.0, 1.0),
        details={"target_s": target_s},
    )


def _explained(table: Table, tell: Teller) -> Evidence:
    read, guessed = _read(table)
    written, _ = sizes.chosen(table.numbers["written"], table.numbers["written_estimate"])
    every = -(-len(table) // MOST_FITTED)
    seconds = table.numbers["latency_s"]
    if every > 1:
        seconds = np.where(table.conversation % every == 0, seconds, np.nan)
    lacking = [
        name
        for name, values in (
            ("`latency_s`", seconds),
            ("`input_tokens`", read),
            ("`output_tokens`", written),
        )
        if not np.isfinite(values).any()
    ]
    found = None
    if not lacking:
        found = explained_share(seconds, read, written, table.model, table.conversation)
    short = "send the same questions with a short and a long prompt: the input hardly varies"
    known = np.isfinite(seconds) & np.isfinite(read)
    return tell.estimated(
        "input_latency_share",
        found,
        ask=f"log {', '.join(lacking)}" if lacking else short,
        unit=_SHARE,
        method=(
            "least squares of latency on input and output tokens within each model, weighted for "
            "scatter that grows with latency, far values drawn in; conversations as clusters"
        ),
        factor=_SIGNAL,
        bounds=(0.0, 1.0),
        sample="all" if every == 1 else "sampled",
        details={
            "tokens_estimated": guessed,
            "mean_input_tokens": float(read[known].mean()) if known.any() else 0.0,
            "mean_latency_s": float(seconds[known].mean()) if known.any() else 0.0,
        },
    )


def _settling(
    tell: Teller, late: Estimate | None, explained: Evidence, target_s: float | None
) -> Evidence:
    """What settles the signal: the prompt's share, where the target is missed."""
    measure = "prompt_latency_share"
    if target_s is None:
        ask = "state `targets.latency_p95_s`: without a target none is missed"
        return tell.unknown(measure, ask, unit=_SHARE, factor=_SIGNAL)
    if late is not None and math.isfinite(late.high) and late.high <= target_s:
        met = Estimate(0.0, 0.0, 0.0, late.n, late.clusters)
        return tell.estimated(
            measure,
            met,
            ask=_LOG,
            unit=_SHARE,
            method="0: the whole interval of the 95th percentile keeps the target",
            factor=_SIGNAL,
            details={"target_s": target_s, "p95_low_s": late.low, "p95_high_s": late.high},
        )
    changed: dict[str, object] = {"id": measure}
    if late is not None and explained.known and late.low <= target_s:
        changed |= {"low": 0.0, "method": f"{explained.method}; from 0: the target may be kept"}
    return explained.model_copy(update=changed)
