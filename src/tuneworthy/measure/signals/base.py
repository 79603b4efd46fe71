"""What a signal is: numbers for each trace, and evidence from all of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from tuneworthy.measure.personal import without_secrets
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import Batch, Evidence, Message, Scalar, Series, SystemPrompt
from tuneworthy.stats.clustered import Estimate, members
from tuneworthy.text.search import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray


# What a signal is: numbers for each trace, and evidence from all of them.

ENOUGH_CONVERSATIONS = 20
"""Under this many conversations an interval says less than it seems to: the answer is unknown."""

DUPLICATE_OF = "duplicate_of"
"""A column that a signal gets with the others if it says ``wants_duplicates = True``: the row of
the first trace whose question and answer are nearly the same, its own where there is none; NaN for
a trace without an answer."""

Numbers = Mapping[str, "NDArray[np.float64]"]
"""Columns of numbers, one a trace; NaN where a trace has none. A share is 1.0 and 0.0."""


@dataclass(frozen=True, slots=True)
class Table:
    """All traces, after every signal has turned its batches into numbers.

    Arrays have one value a trace, in the order of reading.
    """

    numbers: Numbers
    """Columns that the signal's ``rows`` gave."""
    conversation: NDArray[np.int64]
    """A number for each conversation; a trace without one has a number of its own."""
    time: NDArray[np.float64]
    """Seconds since 1970; NaN where there is no clock."""
    turn: NDArray[np.float64]
    """Place in the conversation; NaN where unknown."""
    model: NDArray[np.int64]
    """Place in ``models``; -1 for none."""
    models: tuple[str, ...]
    prompt: NDArray[np.int64]
    """Place in ``prompts``; -1 for none."""
    prompts: tuple[str, ...]
    """Prompt versions by name, or ``system N`` for the N-th system prompt without a name."""
    system: NDArray[np.int64]
    """Place in ``systems``; -1 for none."""
    systems: tuple[SystemPrompt, ...]
    """Distinct system prompts in the order of their first appearance."""
    present: frozenset[str]
    """Columns of ``Batch`` in which any trace has a value."""
    sample: Batch
    """Whole conversations drawn by a hash of their name, up to some thousand traces."""
    distinct_systems: int = 0
    """Distinct system prompts seen; where that is more than ``systems`` holds they are a template
    with something else filled in each time, and ``systems`` is empty."""
    cut_texts: int = 0
    """Texts of the sample of which only the beginning was kept."""

    def __len__(self) -> int:
        return len(self.conversation)


@dataclass(frozen=True, slots=True)
class Found:
    """What a signal has to say."""

    evidence: tuple[Evidence, ...] = ()
    series: tuple[Series, ...] = ()


class Signal(Protocol):
    """A measure over traces.

    ``needs`` names the columns of ``Batch`` it reads, ``numbers`` the columns it makes. ``rows``
    is called for every batch and sees nothing but it; ``finish`` is called once. Where a column is
    missing the evidence is unknown and names the field.
    """

    @property
    def id(self) -> str:
        """Name of the signal."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of ``Batch`` it reads."""

    def rows(self, batch: Batch) -> Numbers:
        """A number for each trace of a batch, by name; the same names for every batch."""

    def finish(self, table: Table) -> Found:
        """What all traces together show."""


def how_many(conversations: NDArray[np.int64]) -> int:
    """Distinct conversations among some of a table, by counting: quicker than by a sort."""
    return members(conversations)[1]


def as_numbers(values: Iterable[Any]) -> NDArray[np.float64]:
    """Numbers and None as an array, NaN for None."""
    return np.fromiter(values, dtype=np.float64)  # which takes None for NaN


@remembered(1)  # the system prompts of a batch, which several signals look at
def distinct(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Different values in the order of their first appearance, and the place of each among them."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    each = map(places.__getitem__, values)
    return list(places), np.fromiter(each, dtype=np.int64, count=len(values))


def happened(values: Sequence[Any], size: int) -> NDArray[np.bool_]:
    """Which values of a column say something, as errors do: nothing, False and "" don't.

    Args:
        values: The column; may be empty.
        size: How long it is where it is empty.
    """
    return _true(values) if values else np.zeros(size, dtype=bool)


def there(values: Sequence[Any], size: int) -> NDArray[np.bool_]:
    """Which values of a column are there, whatever they say."""
    return _there(values) if values else np.zeros(size, dtype=bool)


@remembered(2)
def _true(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.fromiter(map(bool, values), dtype=bool, count=len(values))


@remembered(2)
def _there(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array([value is not None for value in values], dtype=bool)


# The clock of a log, and evidence that carries its days.

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


# An estimate as evidence, and what to say where there is none.


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
        "examples": tuple(readable_amount(each, 200) for each in examples[:10]),
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


def readable_amount(text: str, most: int) -> str:
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
        [
            codes.setdefault(row if name is None else f"={name}", len(codes))
            for row, name in enumerate(names)
        ],
        dtype=np.int64,
    )


def _finite(value: Scalar) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@remembered(1)  # all evidence of a run tells the same two
def _days(times: NDArray[np.float64]) -> tuple[date | None, date | None]:
    """First and last day by UTC; None without a clock or for times no calendar holds."""
    known = times[(times >= FIRST_S) & (times < END_S)]  # NaN is neither
    return (_telling_day(known.min()), _telling_day(known.max())) if len(known) else (None, None)


def _telling_day(time: float) -> date | None:
    try:
        return datetime.fromtimestamp(float(time), UTC).date()
    except (OverflowError, ValueError, OSError):
        return None


# What scores say, and what stands or falls together: shared by the signals that read scores.

RIGHT_FROM = 0.5
"""A score from this on counts as right; below, as wrong."""

_GOOD = (
    "yes true pass passed correct right good great positive up thumbs_up thumbsup like liked "
    "helpful success successful resolved satisfied accepted"
)
_BAD = (
    "no false fail failed incorrect wrong bad poor negative down thumbs_down thumbsdown dislike "
    "disliked unhelpful failure unsuccessful unresolved dissatisfied rejected"
)
_IN_WORDS = dict.fromkeys(_GOOD.split(), 1.0) | dict.fromkeys(_BAD.split(), 0.0)


def scores_of(batch: Batch) -> NDArray[np.float64]:
    """The score of each trace; where there is none, 1 or 0 by its label.

    Labels are read by a closed list of English words; a label in another word counts as none.

    Returns:
        One number a trace on whatever scale it was given; NaN where there is none.
    """
    size = len(batch)
    scores = _numbers(batch.score) if batch.score else np.full(size, np.nan)
    if batch.label:
        by_label = as_numbers(None if each is None else _in_words(each) for each in batch.label)
        scores = np.where(np.isnan(scores), by_label, scores)
    return scores


@remembered(1)
def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return as_numbers(values)


def on_scale(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores between 0 and 1; NaN where there is none, or one on another scale."""
    return np.where((scores >= 0) & (scores <= 1), scores, np.nan)


def right(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """1.0 for a right answer, 0.0 for a wrong one; NaN stays."""
    return np.where(np.isnan(scores), np.nan, (scores >= RIGHT_FROM) * 1.0)


def case_numbers(batch: Batch) -> NDArray[np.float64]:
    """A number for each test case, the same in every batch; NaN for a trace without one.

    48 bits of a hash: among a million cases two meet with a chance of one in six hundred.
    """
    if not batch.case:
        return np.full(len(batch), np.nan)
    return as_numbers(None if case is None else _number(case) for case in batch.case)


def clusters(table: Table, cases: NDArray[np.float64]) -> NDArray[np.int64]:
    """What stands or falls together: the test case where there is one, else the conversation.

    Trials of one task are no independent tasks.
    """
    names = np.where(np.isnan(cases), -1.0 - table.conversation, cases)
    members: NDArray[np.int64] = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return members


def shown(text: str, longest: int = 120) -> str:
    """A text of the data that a record can hold: no secret, cut, half surrogate pairs replaced."""
    text = without_secrets(text)
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return cut.encode("utf-8", "replace").decode()


@lru_cache(maxsize=4096)
def _in_words(label: str) -> float | None:
    """What a label says."""
    return _IN_WORDS.get(label[:40].strip().casefold().replace(" ", "_").replace("-", "_"))


@lru_cache(maxsize=65_536)
def _number(case: str) -> float:
    digest = hashlib.blake2b(case.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return float(int.from_bytes(digest, "big"))


# How much a call read and wrote: tokens as reported, or estimated from characters.

CHARACTERS_A_TOKEN = 4.0
"""The usual rule for English text."""

ESTIMATE_FACTOR = 1.5
"""How far an estimate from characters may be off, either way. Over whole collections o200k_base and
cl100k_base take 2.8 characters a token (JSON of tools in tau_bench) to 4.9 (its English system
prompt), with 3.9 to 4.6 for English questions, passages and SQL between: 4 is off by 1.45 at most
(ours, measured 2026-11-24 with bpe-openai). Other scripts can take one or two."""

_MOST = 1e12

COLUMNS = ("input_tokens", "output_tokens", "system", "input", "output", "messages")
"""What ``token_numbers`` reads."""


def amounts(values: Sequence[float | None], length: int) -> NDArray[np.float64]:
    """A column of amounts as an array; NaN where there is none, or none that can be one.

    Args:
        values: The column; may be empty.
        length: How long it is where it is empty.
    """
    return _possible(values) if values else np.full(length, np.nan)


@remembered(4)  # several signals count tokens
def _possible(values: Sequence[float | None]) -> NDArray[np.float64]:
    found = as_numbers(values)
    return np.where((found >= 0) & (found <= _MOST), found, np.nan)


def token_numbers(batch: Batch) -> Numbers:
    """Tokens of each trace: reported ones, and an estimate where they aren't reported.

    The estimate of the input counts the conversation so far, or else the system prompt and the
    question; tools that were offered to the model and passages outside of both are not in it.
    """
    n = len(batch)
    read, written = amounts(batch.input_tokens, n), amounts(batch.output_tokens, n)
    guessed, guessed_out = np.full(n, np.nan), np.full(n, np.nan)
    for row in np.flatnonzero(np.isnan(read)).tolist():
        guessed[row] = _characters_read(batch, row)
    for row in np.flatnonzero(np.isnan(written)).tolist():
        if (text := batch.output[row]) is not None:
            guessed_out[row] = len(text)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "input_estimate": guessed / CHARACTERS_A_TOKEN,
        "output_estimate": guessed_out / CHARACTERS_A_TOKEN,
    }


def chosen(
    reported: NDArray[np.float64], estimate: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    """Tokens to count with, and whether they are estimates.

    Reported ones where at least half of the traces have them (the rest is left out); otherwise
    estimates for all that have none.
    """
    if 2 * int(np.isfinite(reported).sum()) >= len(reported):
        return reported, False
    return np.where(np.isnan(reported), estimate, reported), True


def _characters_read(batch: Batch, row: int) -> float:
    system = batch.system[row] if batch.system else None
    turns: Sequence[Message] | None = batch.messages[row] if batch.messages else None
    if turns is not None and len(turns):
        told = sum(len(turn.content) for turn in turns)
        apart = system is not None and not any(turn.role == "system" for turn in turns)
        return float(told + (len(system or "") if apart else 0))
    asked = batch.input[row] if batch.input else None
    if system is None and asked is None:
        return float("nan")
    return float(len(system or "") + len(asked or ""))


# Which traces of the sample a slow detector reads, and which of them stand or fall together.


def picked(batch: Batch, most: int, wanted: Callable[[int], bool]) -> list[int]:
    """Rows to look at: whole conversations or test cases, evenly over the sample.

    Args:
        batch: The sample.
        most: Rows at most.
        wanted: Whether a row is worth looking at.

    Returns:
        Rows in their order; none of an empty batch.
    """
    rows = [row for row in range(len(batch)) if wanted(row)]
    every = -(-len(rows) // most)
    if every <= 1:
        return rows
    places = picking_members(batch, rows) % every
    return [row for row, place in zip(rows, places.tolist(), strict=True) if not place][:most]


def picking_members(batch: Batch, rows: Sequence[int]) -> NDArray[np.int64]:
    """The cluster of some rows: the test case, else the conversation, else the row alone."""
    cases, names = batch.column("case"), batch.column("conversation")
    return clusters_of([names[row] if cases[row] is None else f"\0{cases[row]}" for row in rows])
