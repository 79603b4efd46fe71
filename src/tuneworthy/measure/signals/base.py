"""The parts of a signal: numbers for each trace, and evidence from all traces."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tuneworthy.measure.personal import without_secrets
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import (
    Batch,
    Evidence,
    Message,
    RequestMix,
    Scalar,
    Series,
)
from tuneworthy.stats.clustered import Estimate, members, true_share
from tuneworthy.text.search import remembered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Extent = Literal["all", "sampled"]
Span = tuple[float, float]
#: A value, its low and its high end.
Ends = tuple[float, float, float | Literal["open"]]

ENOUGH_CONVERSATIONS = 20
"""With fewer conversations, an interval says less than it seems to, so the value is unknown."""

DUPLICATE_OF = "duplicate_of"
"""A column that a signal may need: the row of the first trace with nearly the same question and
answer, or a trace's own row; NaN for a trace without an answer."""

Numbers = Mapping[str, Floats]
"""Columns of numbers, one for each trace; NaN where a trace has none. For a share, 1.0 and 0.0."""


@dataclass(frozen=True, slots=True)
class TraceTable:
    """All traces, after every signal has turned its batches into numbers.

    Arrays have a value for each trace, in the order of reading.
    """

    numbers: Numbers  #: Columns that the signal's ``rows`` gave.
    conversation: Ints
    """A number for each conversation; a trace without one has a number of its own."""
    time: Floats  #: Seconds since 1970; NaN where there is no clock.
    turn: Floats  #: Place in the conversation; NaN where unknown.
    model: Ints  #: Place in ``models``; -1 for none.
    models: tuple[str, ...]
    prompt: Ints  #: Place in ``prompts``; -1 for none.
    prompts: tuple[str, ...]
    """Prompt versions by name, or ``system N`` for the N-th system prompt without a name."""
    system: Ints  #: Place in ``systems``; -1 for none.
    systems: tuple[str, ...]
    """Distinct system prompts in the order of their first appearance. Empty where there are so many
    that they are a template, filled in differently each time."""
    present: frozenset[str]  #: Columns of ``Batch`` in which any trace has a value.
    sample: Batch  #: Whole conversations drawn by a hash of their name, up to some thousand traces.
    #: Of the conversations of the log that were drawn; 1 where all are here.
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.conversation)

    @property
    def clock(self) -> Clock:
        """The clock of the log, with times in order.

        Timestamps before 2015 or after 2100 are ignored. So are at most one in 200 that lie later
        than all others by more than these span together: counts of the last month must not be those
        of a wrong clock.
        """
        return _clock(self.time)

    def extent(self, looked_at: int | None = None) -> Extent:
        """Whether the rows that were read, else the whole sample, are all traces."""
        rows = len(self.sample) if looked_at is None else looked_at
        return "all" if rows >= len(self) and self.share >= 1 else "sampled"


class Findings(NamedTuple):
    """The results of a signal."""

    evidence: tuple[Evidence, ...] = ()
    series: tuple[Series, ...] = ()
    mix: RequestMix | None = None


class TraceSignal(Protocol):
    """A measure over traces.

    ``rows`` is called for every batch, and sees only that batch; ``finish`` is called once. Where a
    column is missing, the evidence is unknown and names the field.
    """

    wants_duplicates: bool = False  #: Whether ``finish`` is given ``DUPLICATE_OF``.

    @property
    def id(self) -> str:
        """The name of the signal."""

    def rows(self, batch: Batch) -> Numbers:  # noqa: ARG002  # of what takes the sample alone
        """Numbers for each trace of a batch, by name; every batch has the same names."""
        return {}

    def finish(self, table: TraceTable) -> Findings:
        """Compute the result from all traces together."""


# Columns of a batch as arrays.


def how_many(conversations: Ints) -> int:
    """The number of distinct conversations, by counting, which is faster than sorting."""
    _, number = members(conversations)
    return number


def as_numbers(values: Iterable[Any]) -> Floats:
    """Numbers and None as an array, NaN for None."""
    return np.fromiter(values, dtype=np.float64)  # which takes None for NaN


@remembered(1)  # the system prompts of a batch, which several signals look at
def distinct(values: Sequence[Any]) -> tuple[list[Any], Ints]:
    """Different values in the order of their first appearance, and the place of each among them."""
    different = list(dict.fromkeys(values))
    place_of = {value: place for place, value in enumerate(different)}
    places = map(place_of.__getitem__, values)
    return different, np.fromiter(places, dtype=np.int64, count=len(values))


def happened(values: Sequence[Any]) -> Flags:
    """Which values say something; None, False and "" say nothing."""
    return np.fromiter(map(bool, values), dtype=bool, count=len(values))


def there(values: Sequence[Any]) -> Flags:
    """Which values exist, whatever they are."""
    return np.array([value is not None for value in values], dtype=bool)


def text_number(text: str) -> int:
    """A hash of a text, the same in every run. It has 48 bits, which a float holds exactly.

    Two of a million texts have the same one with a chance of one in six hundred.
    """
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=6).digest(), "big")


def clusters_of(names: Sequence[object]) -> Ints:
    """A number for each conversation of a sample. A trace without a name is alone."""
    codes: dict[object, int] = {}
    clusters = []
    for row, name in enumerate(names):
        # A row is a number and a name a text here, so the two are never equal.
        key = row if name is None else f"={name}"
        clusters.append(codes.setdefault(key, len(codes)))
    return np.array(clusters, dtype=np.int64)


def rate(hits: Flags | Floats) -> float:
    """The plain share of hits, for a detail; NaN without values."""
    return float(np.mean(hits)) if len(hits) else math.nan


# The clock of a log.

DAY_S = 86_400.0
MONTH_DAYS = 30.4375  #: Mean length of a month in days.

FIRST_S = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
"""No log of a language model is older; an earlier timestamp is a default or an error."""

#: Later timestamps are no timestamps.
END_S = datetime(2100, 1, 1, tzinfo=UTC).timestamp()

LOG_TIME = "log the `timestamp` of every call"
_FEW = 0.005  #: The share of timestamps that may be those of a wrong clock: one in 200.


class Clock(NamedTuple):
    """The times of the traces."""

    usable: Flags  #: Which traces have a timestamp that can be one.
    times: Floats  #: Those timestamps in order, seconds since 1970.
    lacking: int  #: Traces without a timestamp.
    ignored: int  #: Traces with one that lies before 2015, in the future, or far beyond all others.

    @property
    def days(self) -> float:
        return float(self.times[-1] - self.times[0]) / DAY_S if len(self.times) else 0.0

    def shorter(self, days: float, named: str) -> str:
        """The advice where the times span less than some days; empty where they span them."""
        if not len(self.times):
            return LOG_TIME
        if self.days < days:
            return f"measure traces of {named}; the clock spans fewer"
        return ""

    def day(self, place: int) -> date | None:
        """The day of the first timestamp (0) or the last (-1); None without a clock."""
        return day_of(self.times[place]).date() if len(self.times) else None


@remembered(1)  # all evidence of a run asks for that of the same table
def _clock(time: Floats) -> Clock:
    """The clock of traces, without impossible times and the few far after all others."""
    known = np.isfinite(time)
    usable = known & (time >= FIRST_S) & (time < END_S)
    times = np.sort(time[usable])
    if len(times):
        # All but the latest few are taken as right, and may end as long again after their last.
        bulk = times[: max(1, math.ceil(len(times) * (1 - _FEW)))]
        first = bulk[0]
        last = bulk[-1]
        limit = last + max(float(last - first), DAY_S)
        usable &= time <= limit  # false for NaN
        times = times[times <= limit]
    stated = int(known.sum())
    return Clock(
        usable=usable,
        times=times,
        lacking=len(time) - stated,
        ignored=stated - len(times),
    )


def day_of(time: float) -> datetime:
    """A time in UTC."""
    return datetime.fromtimestamp(float(time), UTC)


# Evidence.

#: Bounds of an amount and of a share.
AMOUNT = (0.0, math.inf)
SHARE = (0.0, 1.0)


class Measure(NamedTuple):
    """One measurement of a signal."""

    id: str
    unit: str
    factor: str = ""  #: The factor that it says something about.

    def make_evidence(
        self,
        table: TraceTable,
        result: Estimate | Ends | str | None,
        ask: str = "",
        *,
        method: str = "",
        details: Mapping[str, Scalar] | None = None,
        examples: Iterable[str] = (),
        sample: Extent = "all",
        talks: Ints | None = None,
        bounds: Span | None = None,
        spread: float = 1.0,
        counted: Span | None = None,
    ) -> Evidence:
        """Evidence of a result; unknown under ``ENOUGH_CONVERSATIONS``.

        Args:
            table: What was looked at, for its clock.
            result: An estimate over conversations, None for none; a value with its ends; or a text,
                which says what would settle it, and then nothing else is said.
            ask: What would settle it where there is no estimate, or one whose end is not finite.
            method: How it was worked out.
            details: Further numbers; those that aren't finite are left out.
            examples: Ten at most are kept, each cut to 200 characters.
            sample: Whether every trace was looked at.
            talks: The conversation of each trace that was counted, for what is no estimate.
            bounds: Between which an amount can lie. An infinite upper end of it is open, and
                nothing else is said where it is unknown.
            spread: A factor by which each end is moved out, for an error of the measure itself.
            counted: The bounds of an amount whose value is given for fewer conversations too, as
                what was counted. They are its interval, which says nothing of other calls.
        """
        n = 0
        clusters = 0
        if isinstance(result, Estimate):
            n = result.n
            clusters = result.clusters
            if counted is not None and clusters < ENOUGH_CONVERSATIONS:
                ends = _counted(result, counted)
            else:
                ends = _ends(result, ask, bounds, spread)
        else:
            ends = ask if result is None else result
            if talks is not None:
                n = len(talks)
                clusters = how_many(talks)
        since = table.clock.day(0)
        until = table.clock.day(-1)
        low: float | None = None
        high: float | Literal["open"] | None = None
        if isinstance(ends, str):
            value: float | Unknown = Unknown(ask=ends)
            is_advice = isinstance(result, str)
            if is_advice or bounds is not None:
                return Evidence(
                    id=self.id,
                    unit=self.unit,
                    factor=self.factor,
                    value=value,
                    since=since,
                    observed_on=until,
                )
        else:
            value, low, high = ends
        texts = [readable_amount(text, 200) for text in islice(examples, 10)]
        return Evidence(
            id=self.id,
            unit=self.unit,
            factor=self.factor,
            value=value,
            low=low,
            high=high,
            n=n,
            clusters=clusters,
            method=method,
            sample="sampled" if table.share < 1 else sample,
            details=_shown_details(details or {}, table.share),
            examples=tuple(texts),
            since=since,
            observed_on=until,
        )


def _shown_details(details: Mapping[str, Scalar], share: float) -> dict[str, Scalar]:
    """The details that are finite, and the share of the log that was drawn, where it isn't all."""
    shown = {
        name: value
        for name, value in details.items()
        if not isinstance(value, float) or math.isfinite(value)
    }
    if share < 1:
        shown["drawn_share"] = share
    return shown


def _ends(
    estimate: Estimate, ask: str, bounds: Span | None, spread: float
) -> Ends | str:
    """A measurement's value and ends within its bounds, or the text that says what is missing."""
    clusters = estimate.clusters
    if bounds is None:
        if clusters < ENOUGH_CONVERSATIONS:
            return f"measure at least {ENOUGH_CONVERSATIONS} conversations; {clusters} bear on it"
        if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
            return ask
        return estimate.value, estimate.low, estimate.high
    if clusters < ENOUGH_CONVERSATIONS:
        return few(clusters)
    low, value, high = np.clip(
        (estimate.low / spread, estimate.value, estimate.high * spread), *bounds
    ).tolist()
    return value, low, high if math.isfinite(high) else "open"


def _counted(estimate: Estimate, bounds: Span) -> Ends | str:
    """The value as it was counted, with its bounds as ends; the advice where nothing was."""
    if not estimate.n or not math.isfinite(estimate.value):
        return few(estimate.clusters)
    low, high = bounds
    return estimate.value, low, high if math.isfinite(high) else "open"


def pictures(
    picture: str, names: str, rows: Iterable[Sequence[Scalar]]
) -> tuple[Series, ...]:
    """The columns of one picture from its rows; () without a row.

    ``names`` has the names of the columns, with blanks between.
    """
    columns = list(zip(*rows, strict=True))
    if not columns:
        return ()
    by_name = dict(zip(names.split(), columns, strict=True))
    return (Series(id=picture, columns=by_name),)


def corrected(seen: Estimate, finds: Span, spares: Span) -> Estimate:
    """The true share, where a detector with known errors observed another share."""
    value, low, high = true_share(seen, finds, spares)
    return replace(seen, value=value, low=low, high=high)


def wider(first: Estimate | None, *others: Estimate | None) -> Estimate | None:
    """The first estimate with the lowest and the highest of all ends; None where one is missing."""
    if first is None:
        return None
    low = first.low
    high = first.high
    for other in others:
        if other is None:
            return None
        low = min(low, other.low)
        high = max(high, other.high)
    return replace(first, low=low, high=high)


def few(conversations: int) -> str:
    """The advice where there are too few conversations."""
    bear = "1 bears" if conversations == 1 else f"{conversations} bear"
    return f"measure {ENOUGH_CONVERSATIONS} conversations or more; {bear} on this"


def readable_amount(text: str, most: int) -> str:
    """The beginning of a text, in which half a surrogate pair is replaced by a mark."""
    return text[:most].encode("utf-8", "replace").decode("utf-8")


def safe_excerpt(text: str, longest: int = 120) -> str:
    """A piece of the data's text for a record: without secrets, cut, half surrogate pairs replaced."""
    text = without_secrets(text)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return readable_amount(text, longest)


# What scores say, and what stands or falls together.

_FEW_ABOVE = 0.05  #: The share of scores above 1 from which all are on another scale.
RIGHT_FROM = 0.5  #: A score from this on counts as right; below, as wrong.

_GOOD = (
    "yes true pass passed correct right good great positive up thumbs_up thumbsup like liked "
    "helpful success successful resolved satisfied accepted"
)
_BAD = (
    "no false fail failed incorrect wrong bad poor negative down thumbs_down thumbsdown dislike "
    "disliked unhelpful failure unsuccessful unresolved dissatisfied rejected"
)
_IN_WORDS = dict.fromkeys(_GOOD.split(), 1.0) | dict.fromkeys(_BAD.split(), 0.0)


@remembered(1)
def scores_of(batch: Batch) -> Floats:
    """The score of each trace on its own scale; without a score, 1 or 0 by its label.

    Labels are read by a closed list of English words. Another word counts as no label.
    """
    scores = as_numbers(batch.column("score"))
    if not batch.label:
        return scores
    by_label = [None if label is None else _in_words(label) for label in batch.label]
    return np.where(np.isnan(scores), as_numbers(by_label), scores)


@lru_cache(maxsize=4096)
def _in_words(label: str) -> float | None:
    return _IN_WORDS.get(
        label[:40].strip().casefold().replace(" ", "_").replace("-", "_")
    )


def on_scale(scores: Floats) -> Floats:
    """Scores between 0 and 1; NaN for a missing score, or one on another scale.

    Where over one in twenty is above 1, none counts: on a scale up to 5, a 1 is the worst.
    """
    known = scores[np.isfinite(scores)]
    is_other_scale = len(known) > 0 and rate(known > 1) > _FEW_ABOVE
    if is_other_scale:
        return np.full_like(scores, np.nan)
    return np.where((scores >= 0) & (scores <= 1), scores, np.nan)


def right(scores: Floats) -> Floats:
    """1.0 for a right answer, 0.0 for a wrong one; NaN stays."""
    return np.where(np.isnan(scores), np.nan, (scores >= RIGHT_FROM) * 1.0)


def case_numbers(batch: Batch, column: str = "case") -> Floats:
    """A number for each test case, the same in every batch; NaN for a trace without one."""
    cases = batch.column(column)
    return as_numbers(None if case is None else _case_number(case) for case in cases)


_case_number = lru_cache(maxsize=65_536)(text_number)


def clusters(table: TraceTable, cases: Floats) -> Ints:
    """The group of each trace: its test case if it has one, else its conversation.

    Trials of one task aren't independent of each other.
    """
    # Cases are numbers from 0 on, so conversations are put below.
    names = np.where(np.isnan(cases), -1.0 - table.conversation, cases)
    _, groups = np.unique(names, return_inverse=True)
    return groups.astype(np.int64)


def sampled_rows(batch: Batch, most: int, wanted: Callable[[int], bool]) -> list[int]:
    """Rows of the sample for a slow detector: whole conversations or cases, spread evenly."""
    rows = [row for row in range(len(batch)) if wanted(row)]
    if len(rows) <= most:
        return rows
    every = math.ceil(len(rows) / most)
    places = sampled_clusters(batch, rows).tolist()
    drawn = []
    for row, place in zip(rows, places, strict=True):
        if place % every == 0:
            drawn.append(row)
    # Long conversations may bring a few too many.
    return drawn[:most]


def sampled_clusters(batch: Batch, rows: Sequence[int]) -> Ints:
    """The cluster of each row: the test case, else the conversation, else the row alone."""
    cases = batch.column("case")
    names = batch.column("conversation")
    return clusters_of(
        [names[row] if cases[row] is None else f"\0{cases[row]}" for row in rows]
    )


# How much a call read and wrote: tokens as reported, or estimated from characters.

CHARACTERS_A_TOKEN = 4.0  #: The usual rule for English text; other scripts take fewer.

ESTIMATE_FACTOR = 1.5
"""The factor by which an estimate from characters may be wrong, either way. Over whole collections,
o200k_base and cl100k_base have 2.8 characters a token (JSON of tools in tau_bench) to 4.9 (its
English system prompt), with 3.9 to 4.6 for English questions, passages and SQL between. So 4 is
wrong by 1.45 at most (ours, measured 2026-11-24 with bpe-openai). Other scripts may have one or
two."""

_MOST = 1e12


def amounts(values: Sequence[float | None]) -> Floats:
    """A column of amounts; NaN for a missing or impossible one."""
    numbers = as_numbers(values)
    return np.where((numbers >= 0) & (numbers <= _MOST), numbers, np.nan)


@remembered(1)  # several signals count tokens
def token_counts(batch: Batch) -> Numbers:
    """The tokens of each trace: reported ones, and an estimate where none are reported.

    The estimate of the input counts the conversation so far, or else the system prompt and the
    question. It adds passages (`contexts`) that are in neither, and the offered tools.
    """
    read = amounts(batch.column("input_tokens"))
    written = amounts(batch.column("output_tokens"))
    characters_written = np.full(len(batch), np.nan)
    for row in np.flatnonzero(np.isnan(written)).tolist():
        text = batch.output[row]
        if text is not None:
            characters_written[row] = len(text)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "input_estimate": _input_characters(batch, np.isnan(read)) / CHARACTERS_A_TOKEN,
        "output_estimate": characters_written / CHARACTERS_A_TOKEN,
    }


def _input_characters(batch: Batch, wanted: Flags) -> Floats:
    """The characters that the wanted calls read; NaN for other calls, and for an unlogged input."""
    characters = np.full(len(batch), np.nan)
    systems = batch.column("system")
    turns = batch.column("messages")
    questions = batch.column("input")
    contexts = batch.column("contexts")
    # characters of the offered tools, not the tools
    tools_sizes = batch.column("tools")
    for row in np.flatnonzero(wanted).tolist():
        size = _characters_read(systems[row], turns[row], questions[row])
        if contexts[row]:
            # A passage may have been pasted into the prompt or the question, and is counted there.
            prompt = f"{systems[row] or ''}\n{questions[row] or ''}"
            size += sum(len(text) for text in contexts[row] if text not in prompt)
        characters[row] = size + (tools_sizes[row] or 0.0)
    return characters


def _characters_read(
    system: str | None, turns: Sequence[Message] | None, question: str | None
) -> float:
    """The characters that a call read; NaN where the log has none of its input."""
    if turns:
        size = sum(len(turn.content) for turn in turns)
        # A log may keep the system prompt apart from the conversation, or in it.
        if system and not any(turn.role == "system" for turn in turns):
            size += len(system)
        return float(size)
    if system is None and question is None:
        return math.nan
    return float(len(system or "") + len(question or ""))


def chosen(reported: Floats, estimate: Floats) -> tuple[Floats, bool]:
    """The tokens to use, and whether they are estimates.

    Reported ones where at least half of the traces have them (the rest is left out). Otherwise,
    estimates for all traces without reported ones.
    """
    if 2 * int(np.isfinite(reported).sum()) >= len(reported):
        return reported, False
    return np.where(np.isnan(reported), estimate, reported), True
