"""How often the system prompt is rewritten, as a sign of changing requirements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from tuneworthy.measure.sample import LONGEST, Run, runs_of, similar_groups
from tuneworthy.measure.signals.base import (
    DAY_S,
    ENOUGH_CONVERSATIONS,
    MONTH_DAYS,
    Extent,
    Findings,
    Flags,
    Floats,
    Ints,
    Measure,
    TraceSignal,
    TraceTable,
    as_numbers,
    clusters_of,
    day_of,
    distinct,
    few,
    how_many,
    there,
)
from tuneworthy.model.evidence import Evidence
from tuneworthy.stats.forecast import poisson_interval

MOST_TEXTS = 240
"""The most distinct texts that are compared, spread over time. More would only be other fillings."""

LEAST_DAYS = 60
"""Days of clock that a rate of changes needs: two months, even with a February."""

_DENSE = 0.2
"""The share of conversations, between its first and its last, that have a run of the template."""

#: Of a version or a run that counts; fewer are a trial or a filling.
_LEAST_CONVERSATIONS = 3
_SURELY_GONE = 5.0
"""Conversations that would have been expected since a version's last one: that none came has a
chance of under 1% (Poisson)."""

#: With less of a text from the template, there is nothing to compare.
_LEAST_KEPT = 0.2
_WORD = re.compile(r"\w+")
_DATES = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|(?:mon|tues?|wed(?:nes)?|thur?s?|"
    r"fri|satur|sun)day"
)
_LOG_SYSTEM = "log the `system` prompt"
_CHANGES = Measure(
    "prompt_changes_per_month", "changes a month", "rapidly_changing_requirements"
)
_DISTINCT = Measure("distinct_prompts", "prompts", "prompt_variations")
_TEMPLATE = "log the prompt's name and version (`prompt_version`): its text differs in every call"


@dataclass(frozen=True, slots=True)
class ChangeSignal(TraceSignal):
    """Substantive changes of the system prompt.

    * ``prompt_changes_per_month``: how often a version of a prompt went out of use and a newer one
      stayed. Versions are texts that share less than ``near_copy`` of their three-word runs, what
      is filled in, numbers and dates apart, see ``versions``. A version is out of use when five or
      more of its conversations would have been expected since its last. Versions that run beside
      each other are variants of a test: two that give way to one are one change, and a variant that
      was dropped while the older one stayed is none. Over the months of the clock, with the exact
      interval of a Poisson count; needs two months and 20 conversations.
    * ``distinct_prompts``: versions seen, near copies folded; where the log has only names of
      prompts, their number is an upper end. Others may have been tried where nobody logged.

    It can't see small edits, one after the other, that only together make another prompt; a version
    that came back after a while counts as never gone; a version seen in fewer than three
    conversations isn't counted; and who rewrote the prompt for what reason no log knows: a better
    wording of the same requirement counts like a new one.
    """

    near_copy: float = 0.8
    """The share of common three-word runs from which two texts are one version."""

    id = "change"

    def finish(self, table: TraceTable) -> Findings:
        """The changes of prompts a month, and the number of different prompts."""
        texts = texts_of(table) if "system" in table.present else {}
        prompts = [versions(own, self.near_copy) for own in texts.values()]
        if table.systems:
            compared = _ComparedPrompts(prompts, table.system >= 0, "all")
        else:
            # With too many texts, those of the sample stand for all traces.
            everything = np.ones(len(table), dtype=bool)
            compared = _ComparedPrompts(prompts, everything, "sampled")
        return Findings((_changes(table, compared), _distinct(table, compared)))


# Versions of a system prompt, when variables and small edits don't count.


class PromptText(NamedTuple):
    """A system prompt with the times of its conversations."""

    words: str
    times: Floats  #: First call of each conversation, in order.


class PromptVersion(NamedTuple):
    """Texts that are near copies of each other, without the parts that are filled in."""

    first: float  #: First conversation, seconds since 1970.
    last: float
    conversations: int


class PromptVersions(NamedTuple):
    """The versions of one prompt."""

    versions: tuple[PromptVersion, ...]  #: In the order of their first conversation.
    conversations: int  #: Conversations that were compared.
    kept: float
    """The share of an average text that belongs to the template; 1 where nothing is filled in."""


class _ComparedPrompts(NamedTuple):
    """The prompts of a log, and the traces that they were compared for."""

    prompts: Sequence[PromptVersions]
    traces: Flags
    sample: Extent

    @property
    def versions(self) -> int:
        """The number of versions of all prompts."""
        return sum(len(prompt.versions) for prompt in self.prompts)


class _PromptedTraces(NamedTuple):
    """Traces with the numbers of their prompt, system prompt and conversation."""

    prompts: Sequence[str | None]
    prompt: Ints  #: Place in ``prompts``.
    systems: Sequence[str]
    system: Ints  #: Place in ``systems``; -1 for none.
    talk: Ints
    times: Floats  #: Seconds since 1970; NaN for unknown.


def _prompted_traces(table: TraceTable) -> _PromptedTraces:
    """All traces; those of the sample where there are too many texts for the table."""
    if table.systems:
        return _PromptedTraces(
            prompts=("", *table.prompts),
            prompt=table.prompt + 1,
            systems=table.systems,
            system=table.system,
            talk=table.conversation,
            times=table.time,
        )
    sample = table.sample
    texts = sample.column("system")
    prompts, prompt = distinct(sample.column("prompt"))
    systems, system = distinct(texts)
    return _PromptedTraces(
        prompts=prompts,
        prompt=prompt,
        systems=systems,
        system=np.where(there(texts), system, -1),
        talk=clusters_of(sample.column("conversation")),
        times=as_numbers(sample.column("timestamp")),
    )


def texts_of(table: TraceTable) -> dict[str, tuple[PromptText, ...]]:
    """System prompts by the name of their prompt, each with its conversations.

    Prompts without a name count as one, which assumes that such a log has one prompt at a time.
    Where there are too many texts for the table, those of the sample represent them. Without a
    clock, the order of reading replaces the time.
    """
    traces = _prompted_traces(table)
    clock = table.clock
    times = traces.times
    kept = traces.system >= 0
    if len(clock.times):
        kept &= (times >= clock.times[0]) & (times <= clock.times[-1])
    else:
        times = np.arange(len(times), dtype=np.float64)
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(times[rows], kind="stable")]
    # One number for prompt, text and conversation: a sort of rows of three takes ten times as long.
    kind = traces.system[rows] * len(traces.prompts) + traces.prompt[rows]
    talks = int(traces.talk.max(initial=0)) + 1
    _, first = np.unique(kind * talks + traces.talk[rows], return_index=True)
    starts: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows[np.sort(first)].tolist():
        name = _name(traces.prompts[traces.prompt[row]] or "")
        text = traces.systems[traces.system[row]]
        starts[name][text].append(times[row])
    return {name: _prompt_texts(own) for name, own in starts.items()}


def _prompt_texts(starts: Mapping[str, Sequence[float]]) -> tuple[PromptText, ...]:
    """The texts of one prompt with the starts of their conversations, in order of time."""
    return tuple(
        PromptText(text, np.sort(np.array(times))) for text, times in starts.items()
    )


@lru_cache(maxsize=4096)
def _name(version: str) -> str:
    """The name of a prompt without its version; empty without a name."""
    # Versions without a name are called after the number of their system prompt.
    if re.fullmatch(r"system \d+", version):
        return ""
    name, _, last = version.rpartition(" ")
    has_number = any(c.isdigit() for c in last)
    return name if name and has_number else version


def versions(texts: Sequence[PromptText], near_copy: float) -> PromptVersions:
    """Versions of one prompt in at least three conversations each; none without texts.

    Texts without a common run are one version. Of more than ``MOST_TEXTS`` texts, some are left
    out, evenly over time. ``near_copy`` is the share of common three-word runs from which two are
    one version.
    """
    chosen = _spread_over_time(texts)
    if not chosen:
        return PromptVersions((), 0, 1.0)
    runs = [normalised_runs(text.words) for text in chosen]
    template = _template(chosen, runs)
    times: dict[frozenset[Run], list[Floats]] = defaultdict(list)
    shares = []
    for text, own in zip(chosen, runs, strict=True):
        core = own & template
        times[core].append(text.times)
        shares.append(len(core) / max(len(own), 1))
    used = []
    for group in similar_groups(tuple(times), near_copy):
        when = np.concatenate([each for core in group for each in times[core]])
        if len(when) >= _LEAST_CONVERSATIONS:
            used.append(PromptVersion(float(when.min()), float(when.max()), len(when)))
    used.sort(key=lambda each: (each.first, each.last))
    conversations = [len(text.times) for text in chosen]
    return PromptVersions(
        versions=tuple(used),
        conversations=sum(conversations),
        kept=float(np.average(shares, weights=conversations)),
    )


def _spread_over_time(texts: Sequence[PromptText]) -> list[PromptText]:
    """The texts by their first conversation; of more than ``MOST_TEXTS``, some spread evenly."""
    ordered = sorted(texts, key=lambda text: float(text.times[0]))
    if len(ordered) <= MOST_TEXTS:
        return ordered
    places = np.linspace(0, len(ordered) - 1, MOST_TEXTS).round().astype(np.int64)
    return [ordered[place] for place in places.tolist()]


def normalised_runs(text: str) -> frozenset[Run]:
    """Runs of three words, in which all numbers, dates and names of days and months are equal."""
    normalised = []
    for word in _WORD.findall(text[:LONGEST].casefold()):
        is_filled_in = any(c.isdigit() for c in word) or _DATES.fullmatch(word)
        normalised.append("0" if is_filled_in else word)
    return runs_of(normalised)


class _RunUse(NamedTuple):
    """How often a run of words was used, and when."""

    conversations: int
    first: float
    last: float


def _template(
    texts: Sequence[PromptText], runs: Sequence[frozenset[Run]]
) -> frozenset[Run]:
    """Runs that, between their first and last use, are in at least one conversation of five.

    ``runs`` are those of each text; there is at least one text.
    """
    uses: dict[Run, _RunUse] = {}
    for text, own in zip(texts, runs, strict=True):
        n = len(text.times)
        first = float(text.times[0])
        last = float(text.times[-1])
        for run in own:
            use = uses.get(run)
            if use is not None:
                uses[run] = _RunUse(
                    use.conversations + n, min(use.first, first), max(use.last, last)
                )
            else:
                uses[run] = _RunUse(n, first, last)
    every = np.sort(np.concatenate([text.times for text in texts]))
    template = set()
    firsts = np.array([use.first for use in uses.values()])
    lasts = np.array([use.last for use in uses.values()])
    until_last = np.searchsorted(every, lasts, "right")
    before_first = np.searchsorted(every, firsts)
    meanwhile = (until_last - before_first).tolist()
    for (run, use), conversations in zip(uses.items(), meanwhile, strict=True):
        is_frequent = use.conversations >= _DENSE * conversations
        if is_frequent and use.conversations >= _LEAST_CONVERSATIONS:
            template.add(run)
    return frozenset(template)


# Changes from one version to the next.


def changes(
    of_one: Sequence[PromptVersion], end_s: float, since_s: float
) -> tuple[float, ...]:
    """The last uses of versions of one prompt that a newer one replaced, in order.

    Each newer version replaces one older version. The older one is out of use, and it began and
    ended a day or more before the newer one did. The log goes from ``since_s`` to ``end_s``.
    """
    free = sorted(of_one, key=lambda version: version.first)
    replaced = []
    for old in sorted(of_one, key=lambda version: version.last):
        if not _gone(old, end_s, since_s):
            continue
        for new in free:
            began_later = new.first - old.first >= DAY_S
            ended_later = new.last - old.last >= DAY_S
            if began_later and ended_later:
                free.remove(new)
                replaced.append(old.last)
                break
    return tuple(replaced)


def _gone(version: PromptVersion, end_s: float, since_s: float) -> bool:
    """Whether a version is out of use: its silence would be very unlikely otherwise."""
    # A version of a single moment has no rate: it is taken to last a hundredth of the log.
    used_s = max(version.last - version.first, (end_s - since_s) / 100)
    expected_since = (end_s - version.last) * version.conversations / used_s
    return expected_since >= _SURELY_GONE


def _changes(table: TraceTable, compared: _ComparedPrompts) -> Evidence:
    """How often a month a system prompt was replaced by a newer version."""
    clock = table.clock
    talks = table.conversation[compared.traces]
    lacking = _lacking(table, compared.prompts, how_many(talks))
    if lacking:
        return _CHANGES.make_evidence(table, lacking)
    start = float(clock.times[0])
    end = float(clock.times[-1])
    when: list[float] = []
    for prompt in compared.prompts:
        when += changes(prompt.versions, end, start)
    when.sort()
    months = clock.days / MONTH_DAYS
    low, high = poisson_interval(len(when))
    # A draw misses prompts that are seldom used, so it gives only a lower bound.
    high_a_month: float | Literal["open"] = "open"
    if table.share >= 1:
        high_a_month = high / months
    evidence = _CHANGES.make_evidence(
        table,
        (len(when) / months, low / months, high_a_month),
        talks=talks,
        method="versions that gave way to a newer one, over the months of the clock; exact Poisson",
        sample=compared.sample,
        details={
            "changes": len(when),
            "months": months,
            "versions": compared.versions,
        },
        examples=(f"a version was last used on {day_of(time).date()}" for time in when),
    )
    # Traces without a time count for no change.
    counted = int((clock.usable & compared.traces).sum())
    return evidence.model_copy(update={"n": counted})


def _lacking(
    table: TraceTable, prompts: Sequence[PromptVersions], conversations: int
) -> str:
    """The log entry that is missing to count changes of prompts; empty where none is."""
    if "system" not in table.present:
        return _LOG_SYSTEM
    short = table.clock.shorter(LEAST_DAYS - 1, "two months")
    if short:
        return short
    if conversations < ENOUGH_CONVERSATIONS:
        return few(conversations)
    compared = [prompt.conversations for prompt in prompts]
    if not sum(compared):
        return _TEMPLATE
    kept = np.average([prompt.kept for prompt in prompts], weights=compared)
    return _TEMPLATE if kept < _LEAST_KEPT else ""


def _distinct(table: TraceTable, compared: _ComparedPrompts) -> Evidence:
    """How many different system prompts were seen, at least."""
    count = compared.versions
    if count:
        return _DISTINCT.make_evidence(
            table,
            (count, count, "open"),
            talks=table.conversation[compared.traces],
            method="system prompts seen in three conversations or more, near copies folded",
            sample=compared.sample,
        )
    if table.systems or not table.prompts:
        return _DISTINCT.make_evidence(table, _LOG_SYSTEM)
    return _DISTINCT.make_evidence(
        table,
        (1, 1, "open"),
        talks=table.conversation[table.prompt >= 0],
        method="names of prompts without texts: only one is sure, as near copies can't be seen",
        details={"names": len(table.prompts)},
    )
