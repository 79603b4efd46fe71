"""The time of answers, and how much of it a shorter prompt would save."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuneworthy.measure.signals.base import (
    AMOUNT,
    SHARE,
    Findings,
    Floats,
    Measure,
    Numbers,
    TraceSignal,
    TraceTable,
    amounts,
    chosen,
    pictures,
    there,
    token_counts,
)
from tuneworthy.model.evidence import Batch, Evidence, Series
from tuneworthy.stats.clustered import Estimate, explained_share, quantile

BINS = 30  #: Of the picture of latency by input tokens, at most.
MOST_FITTED = 100_000
"""The most calls for fitting the share of the prompt. Of more calls, every second conversation is
taken, or every third, and so on. The error is negligible by then."""

_LEAST_IN_BIN = 20
_LOG = "log `latency_s` of every call"
_SETTLING = Measure("prompt_latency_share", "share of the mean latency", "latency")


@dataclass(frozen=True, slots=True)
class LatencySignal(TraceSignal):
    """Time to the answer, against the target and against the length of the prompt.

    * ``latency_p50_s``, ``latency_p95_s`` (and ``first_token_p95_s`` where reported): quantiles in
      seconds, conversations as clusters. A 95th percentile needs about 75 independent calls for an
      upper end.
    * ``prompt_latency_share``: share of the mean latency that input tokens explain, those from a
      cache apart: the slope of latency on them, times their mean, over the mean latency; output
      tokens and the model are held fixed, see ``explained_share``. So much would go, at most, if
      the prompt vanished; half the prompt buys half of it. Unknown where the input hardly varies.
      It settles whether latency is a reason for tuning, which takes a missed target *and* a prompt
      that explains it: it is unknown without a target; 0 where the whole interval of the 95th
      percentile keeps the target; from 0 on where that interval holds the target, so that it can't
      settle a yes; the share itself where the target is missed.

    Calls that failed are left out and counted: a timeout is no answer, and a refusal no quick one.
    It can't see queues and networks, which look like neither input nor output; nor what a prompt of
    another length would do to the length of the answer. Where long prompts come at busy hours the
    slope takes the hour along.
    """

    #: Seconds within which 95 of 100 answers should arrive.
    target_s: float | None = None

    id = "latency"

    def rows(self, batch: Batch) -> Numbers:
        """Seconds of successful calls, failures, and the tokens read (without cache) and written."""
        tokens = token_counts(batch)
        failed = there(batch.column("error"))
        seconds = amounts(batch.column("latency_s"))
        first = amounts(batch.column("time_to_first_token_s"))
        cached = np.nan_to_num(amounts(batch.column("cached_tokens")))
        return {
            "latency_s": np.where(failed, np.nan, seconds),
            "first_s": np.where(failed, np.nan, first),
            "failed": failed.astype(np.float64),
            # A log may count cached tokens apart from the others: then there are more of them.
            "read": np.maximum(tokens["input_tokens"] - cached, 0.0),
            "written": tokens["output_tokens"],
            "read_estimate": tokens["input_estimate"],
            "written_estimate": tokens["output_estimate"],
        }

    def finish(self, table: TraceTable) -> Findings:
        """Quantiles of the latency, and the part of it that the length of the input explains."""
        evidence = [
            _quantile(table, "latency_p50_s", 0.5),
            _quantile(table, "latency_p95_s", 0.95),
            self._settling(table),
        ]
        if np.isfinite(table.numbers["first_s"]).any():
            evidence.append(_quantile(table, "first_token_p95_s", 0.95, of="first_s"))
        read, _ = _read(table)
        return Findings(tuple(evidence), by_tokens(table.numbers["latency_s"], read))

    def _settling(self, table: TraceTable) -> Evidence:
        """The evidence that settles the signal: the prompt's share of time if the target is missed."""
        target_s = self.target_s
        if target_s is None:
            ask = "state `targets.latency_p95_s`: without a target none is missed"
            return _SETTLING.make_evidence(table, ask)
        late = quantile(table.numbers["latency_s"], 0.95, table.conversation)
        if late is None:
            return _explained(table)
        if math.isfinite(late.high) and late.high <= target_s:
            return _kept_target(table, late, target_s)
        explained = _explained(table)
        if late.low > target_s or not explained.is_known:
            return explained
        # The target may be kept, and then the prompt explains nothing that is missed.
        method = f"{explained.method}; from 0: the target may be kept"
        return explained.model_copy(update={"low": 0.0, "method": method})


def _kept_target(table: TraceTable, late: Estimate, target_s: float) -> Evidence:
    """A share of 0: where the target is kept, latency is no reason for tuning."""
    return _SETTLING.make_evidence(
        table,
        Estimate(0.0, 0.0, 0.0, late.n, late.clusters),
        _LOG,
        method="0: the whole interval of the 95th percentile keeps the target",
        bounds=SHARE,
        details={
            "target_s": target_s,
            "p95_low_s": late.low,
            "p95_high_s": late.high,
        },
    )


def by_tokens(latency_s: Floats, read: Floats) -> tuple[Series, ...]:
    """Latency by input tokens: at most 30 bins of equal numbers of calls, 20 or more in each.

    () where fewer than 20 calls have both numbers.
    """
    known = np.isfinite(latency_s) & np.isfinite(read)
    seconds = latency_s[known]
    tokens = read[known]
    if len(tokens) < _LEAST_IN_BIN:
        return ()
    bins = min(BINS, len(tokens) // _LEAST_IN_BIN)
    # Calls with the same tokens stay in one bin, so equal edges are one.
    edges = np.unique(np.quantile(tokens, np.linspace(0, 1, bins + 1)))
    last_bin = max(len(edges) - 2, 0)
    # The largest value lies on the last edge, and belongs to the last bin.
    bin_of = np.searchsorted(edges, tokens, side="right") - 1
    bin_of = np.clip(bin_of, 0, last_bin)
    rows = []
    for place in np.unique(bin_of):
        inside = bin_of == place
        low = float(tokens[inside].min())
        high = float(tokens[inside].max())
        middle, late = np.quantile(seconds[inside], (0.5, 0.95)).tolist()
        rows.append((low, high, middle, late, int(inside.sum())))
    return pictures(
        "latency_by_tokens", "input_tokens_low input_tokens_high p50_s p95_s n", rows
    )


def _read(table: TraceTable) -> tuple[Floats, bool]:
    """The input tokens of each call, cached ones apart, and whether they are estimates."""
    return chosen(table.numbers["read"], table.numbers["read_estimate"])


def _quantile(
    table: TraceTable, measure: str, at: float, of: str = "latency_s"
) -> Evidence:
    """A quantile of the latency, or of the time to the first token."""
    # The 95th percentile is a figure of the case file too.
    factor = "today.latency_p95_s" if measure == "latency_p95_s" else ""
    return Measure(measure, "seconds", factor).make_evidence(
        table,
        quantile(table.numbers[of], at, table.conversation),
        _LOG if of == "latency_s" else "log `time_to_first_token_s`",
        method="quantile over calls that didn't fail; conversations as clusters",
        bounds=AMOUNT,
        details={"failed": int(table.numbers["failed"].sum())},
    )


def _explained(table: TraceTable) -> Evidence:
    """How much of the latency the length of the input explains."""
    read, is_estimated = _read(table)
    written, _ = chosen(table.numbers["written"], table.numbers["written_estimate"])
    seconds = table.numbers["latency_s"]
    every = math.ceil(len(table) / MOST_FITTED)
    if every > 1:
        # Whole conversations, as their calls depend on each other.
        seconds = np.where(table.conversation % every == 0, seconds, np.nan)
    lacking = _lacking(seconds, read, written)
    estimate = None
    if not lacking:
        estimate = explained_share(
            seconds, read, written, table.model, table.conversation
        )
    short = "send the same questions with a short and a long prompt: the input hardly varies"
    known = np.isfinite(seconds) & np.isfinite(read)
    return _SETTLING.make_evidence(
        table,
        estimate,
        f"log {', '.join(lacking)}" if lacking else short,
        method="least squares of latency on input and output tokens within each model, weighted "
        "for scatter that grows with latency, far values drawn in; conversations as clusters",
        bounds=SHARE,
        sample="sampled" if every > 1 else "all",
        details={
            "tokens_estimated": is_estimated,
            "mean_input_tokens": float(read[known].mean()) if known.any() else 0.0,
            "mean_latency_s": float(seconds[known].mean()) if known.any() else 0.0,
        },
    )


def _lacking(seconds: Floats, read: Floats, written: Floats) -> list[str]:
    """The columns without any number, as a log would name them."""
    columns = {
        "`latency_s`": seconds,
        "`input_tokens`": read,
        "`output_tokens`": written,
    }
    return [name for name, values in columns.items() if not np.isfinite(values).any()]
