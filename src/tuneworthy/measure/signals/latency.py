"""How long answers take, and how much of that a shorter prompt would buy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals.base import (
    Findings,
    Numbers,
    TraceTable,
    amount_from,
    amounts,
    chosen,
    evidence_of,
    series_of,
    there,
    token_counts,
)
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import Estimate, explained_share, quantile, share

if TYPE_CHECKING:
    from tuneworthy.measure.signals.base import Floats

BINS = 30
MOST_FITTED = 100_000
"""Calls that the share of the prompt is fitted on; of more, every second conversation is taken, or
every third, and so on: the error is far below what matters by then."""

_LEAST_IN_BIN = 20
_LOG = "log `latency_s` of every call"
_FACTOR = "latency"
_SHARE = "share of the mean latency"


@dataclass(frozen=True, slots=True)
class LatencySignal:
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

    id = "latency"

    def rows(self, batch: Batch) -> Numbers:
        """Seconds of calls that didn't fail, failures, and tokens read anew and written."""
        n, tokens = len(batch), token_counts(batch)
        failed = there(batch.error, n)
        cached = np.nan_to_num(amounts(batch.cached_tokens, n))
        return {
            "latency_s": np.where(failed, np.nan, amounts(batch.latency_s, n)),
            "first_s": np.where(failed, np.nan, amounts(batch.time_to_first_token_s, n)),
            "failed": failed.astype(np.float64),
            "read": np.maximum(tokens["input_tokens"] - cached, 0.0),
            "written": tokens["output_tokens"],
            "read_estimate": tokens["input_estimate"],
            "written_estimate": tokens["output_estimate"],
        }

    def finish(self, table: TraceTable) -> Findings:
        explained = _explained(table)
        evidence = [
            _quantile(table, "latency_p50_s", 0.5),
            _quantile(table, "latency_p95_s", 0.95),
            explained,
            self._settling(table, explained),
        ]
        if self.target_s is not None:
            evidence.append(_over(table, self.target_s))
        if np.isfinite(table.numbers["first_s"]).any():
            evidence.append(_quantile(table, "first_token_p95_s", 0.95, of="first_s"))
        picture = by_tokens(table.numbers["latency_s"], _read(table)[0])
        return Findings(tuple(evidence), (picture,) if picture else ())

    def _settling(self, table: TraceTable, explained: Evidence) -> Evidence:
        """What settles the signal: the prompt's share, where the target is missed."""
        measure, target_s = "prompt_latency_share", self.target_s
        if target_s is None:
            ask = "state `targets.latency_p95_s`: without a target none is missed"
            return evidence_of(table, measure, ask, unit=_SHARE, factor=_FACTOR)
        late = quantile(table.numbers["latency_s"], 0.95, table.conversation)
        if late is not None and math.isfinite(late.high) and late.high <= target_s:
            return amount_from(
                table,
                measure,
                Estimate(0.0, 0.0, 0.0, late.n, late.clusters),
                _LOG,
                unit=_SHARE,
                method="0: the whole interval of the 95th percentile keeps the target",
                factor=_FACTOR,
                details={"target_s": target_s, "p95_low_s": late.low, "p95_high_s": late.high},
            )
        changed: dict[str, object] = {"id": measure}
        if late is not None and explained.known and late.low <= target_s:
            changed |= {"low": 0.0, "method": f"{explained.method}; from 0: the target may be kept"}
        return explained.model_copy(update=changed)


def by_tokens(latency_s: Floats, read: Floats) -> Series | None:
    """Latency by input tokens: at most 30 bins of equal numbers of calls, 20 or more in each.

    None where fewer than 20 calls have both numbers.
    """
    known = np.isfinite(latency_s) & np.isfinite(read)
    seconds, tokens = latency_s[known], read[known]
    if len(tokens) < _LEAST_IN_BIN:
        return None
    bins = min(BINS, len(tokens) // _LEAST_IN_BIN)
    edges = np.unique(np.quantile(tokens, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, tokens, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for at in np.unique(place):
        held, took = tokens[place == at], seconds[place == at]
        middle, late = np.quantile(took, (0.5, 0.95)).tolist()
        rows.append((float(held.min()), float(held.max()), middle, late, len(held)))
    return series_of("latency_by_tokens", "input_tokens_low input_tokens_high p50_s p95_s n", rows)


def _read(table: TraceTable) -> tuple[Floats, bool]:
    return chosen(table.numbers["read"], table.numbers["read_estimate"])


def _quantile(table: TraceTable, measure: str, at: float, of: str = "latency_s") -> Evidence:
    return amount_from(
        table,
        measure,
        quantile(table.numbers[of], at, table.conversation),
        _LOG if of == "latency_s" else "log `time_to_first_token_s`",
        unit="seconds",
        method="quantile over calls that didn't fail; conversations as clusters",
        factor="today.latency_p95_s" if measure == "latency_p95_s" else "",
        details={"failed": int(table.numbers["failed"].sum())},
    )


def _over(table: TraceTable, target_s: float) -> Evidence:
    seconds = table.numbers["latency_s"]
    return amount_from(
        table,
        "latency_over_target_share",
        share(np.where(np.isnan(seconds), np.nan, seconds > target_s), table.conversation),
        _LOG,
        unit="share of calls",
        method="share of calls that didn't fail; conversations as clusters",
        factor=_FACTOR,
        bounds=(0.0, 1.0),
        details={"target_s": target_s},
    )


def _explained(table: TraceTable) -> Evidence:
    read, estimated = _read(table)
    written, _ = chosen(table.numbers["written"], table.numbers["written_estimate"])
    every = -(-len(table) // MOST_FITTED)
    seconds = table.numbers["latency_s"]
    if every > 1:
        seconds = np.where(table.conversation % every == 0, seconds, np.nan)
    columns = {"`latency_s`": seconds, "`input_tokens`": read, "`output_tokens`": written}
    lacking = [name for name, values in columns.items() if not np.isfinite(values).any()]
    estimate = None
    if not lacking:
        estimate = explained_share(seconds, read, written, table.model, table.conversation)
    short = "send the same questions with a short and a long prompt: the input hardly varies"
    known = np.isfinite(seconds) & np.isfinite(read)
    return amount_from(
        table,
        "input_latency_share",
        estimate,
        f"log {', '.join(lacking)}" if lacking else short,
        unit=_SHARE,
        method="least squares of latency on input and output tokens within each model, weighted "
        "for scatter that grows with latency, far values drawn in; conversations as clusters",
        factor=_FACTOR,
        bounds=(0.0, 1.0),
        sample="all" if every == 1 else "sampled",
        details={
            "tokens_estimated": estimated,
            "mean_input_tokens": float(read[known].mean()) if known.any() else 0.0,
            "mean_latency_s": float(seconds[known].mean()) if known.any() else 0.0,
        },
    )
