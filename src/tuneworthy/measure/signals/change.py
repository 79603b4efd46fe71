"""How often the system prompt is rewritten, as a sign of changing requirements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

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
_LEAST_CONVERSATIONS = 3
_SURELY_GONE = 5.0
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
        named = texts_of(table) if "system" in table.present else {}
        prompts = [versions(texts, self.near_copy) for texts in named.values()]
        # with too many texts, the sample stands for all traces
        whole = bool(table.systems)
        prompted = (table.system >= 0) | (not whole)
        of: tuple[Any, ...] = table, prompts, prompted, "all" if whole else "sampled"
        return Findings((_changes(*of), _distinct(*of)))


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


def texts_of(table: TraceTable) -> dict[str, tuple[PromptText, ...]]:
    """System prompts by the name of their prompt, each with its conversations.

    Prompts without a name count as one, which assumes that such a log has one prompt at a time.
    Where there are too many texts for the table, those of the sample represent them. Without a
    clock, the order of reading replaces the time.
    """
    at = table.clock
    if table.systems:
        prompts = ["", *table.prompts]
        prompt = table.prompt + 1
        systems = [*table.systems]
        system = table.system
        talk = table.conversation
        times = table.time
        kept = system >= 0
    else:
        columns = ("prompt", "system", "conversation", "timestamp")
        named, texts, talks, when = map(table.sample.column, columns)
        prompts, prompt = distinct(named)
        systems, system = distinct(texts)
        talk = clusters_of(talks)
        times = as_numbers(when)
        kept = there(texts)
    if len(at.times):
        kept &= (times >= at.times[0]) & (times <= at.times[-1])
    else:
        times = np.arange(len(times), dtype=np.float64)
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(times[rows], kind="stable")]
    # One number for prompt, text and conversation: a sort of rows of three takes ten times as long.
    kind = system[rows] * len(prompts) + prompt[rows]
    _, first = np.unique(
        kind * (int(talk.max(initial=0)) + 1) + talk[rows], return_index=True
    )
    gathered: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows[np.sort(first)].tolist():
        gathered[_name(prompts[prompt[row]] or "")][systems[system[row]]].append(
            times[row]
        )
    return {
        name: tuple(
            PromptText(text, np.sort(np.array(times))) for text, times in own.items()
        )
        for name, own in gathered.items()
    }


@lru_cache(maxsize=4096)
def _name(version: str) -> str:
    """The name of a prompt without its version; empty without a name."""
    if re.fullmatch(r"system \d+", version):
        return ""
    name, _, last = version.rpartition(" ")
    return name if name and any(c.isdigit() for c in last) else version


def versions(texts: Sequence[PromptText], near_copy: float) -> PromptVersions:
    """Versions of one prompt in at least three conversations each; none without texts.

    Texts without a common run are one version. Of more than ``MOST_TEXTS`` texts, some are left
    out, evenly over time. ``near_copy`` is the share of common three-word runs from which two are
    one version.
    """
    chosen = sorted(texts, key=lambda each: float(each.times[0]))
    if len(chosen) > MOST_TEXTS:
        places = np.linspace(0, len(chosen) - 1, MOST_TEXTS).round().astype(np.int64)
        chosen = [chosen[place] for place in places.tolist()]
    runs = [normalised_runs(each.words) for each in chosen]
    stays = _template(chosen, runs)
    cores = [each & stays for each in runs]
    held = [len(each.times) for each in chosen]
    shares = [
        len(core) / max(len(each), 1) for core, each in zip(cores, runs, strict=True)
    ]
    kept = float(np.average(shares, weights=held)) if chosen else 1.0
    times: dict[frozenset[Run], list[Floats]] = defaultdict(list)
    for core, text in zip(cores, chosen, strict=True):
        times[core].append(text.times)
    used = []
    for group in similar_groups(tuple(times), near_copy):
        when = np.concatenate([each for core in group for each in times[core]])
        if len(when) >= _LEAST_CONVERSATIONS:
            used.append(PromptVersion(float(when.min()), float(when.max()), len(when)))
    used.sort(key=lambda each: (each.first, each.last))
    return PromptVersions(tuple(used), sum(held), kept)


def normalised_runs(text: str) -> frozenset[Run]:
    """Runs of three words, in which all numbers, dates and names of days and months are equal."""
    return runs_of(
        [
            "0" if any(c.isdigit() for c in word) or _DATES.fullmatch(word) else word
            for word in _WORD.findall(text[:LONGEST].casefold())
        ]
    )


def _template(
    texts: Sequence[PromptText], runs: Sequence[frozenset[Run]]
) -> frozenset[Run]:
    """Runs that, between their first and last use, are in at least one conversation of five."""
    every = (
        np.sort(np.concatenate([each.times for each in texts]))
        if texts
        else np.zeros(0)
    )
    held: dict[Run, tuple[int, float, float]] = {}
    for text, own in zip(texts, runs, strict=True):
        n = len(text.times)
        first = float(text.times[0])
        last = float(text.times[-1])
        for run in own:
            before, earliest, latest = held.get(run, (0, first, last))
            held[run] = before + n, min(earliest, first), max(latest, last)
    n_first_last = np.array(list(held.values())).reshape(-1, 3)
    counts, begins, ends = n_first_last.T
    during = np.searchsorted(every, ends, "right") - np.searchsorted(every, begins)
    stays = (counts >= _LEAST_CONVERSATIONS) & (counts >= _DENSE * during)
    return frozenset(
        run for run, stay in zip(held, stays.tolist(), strict=True) if stay
    )


# Changes from one version to the next.


def changes(
    of_one: Sequence[PromptVersion], end_s: float, since_s: float
) -> tuple[float, ...]:
    """The last uses of versions of one prompt that a newer one replaced, in order.

    Each newer version replaces one older version. The older one is out of use, and it began and
    ended a day or more before the newer one did. The log goes from ``since_s`` to ``end_s``.
    """
    free = sorted(of_one, key=lambda each: each.first)
    left = []
    for old in sorted(of_one, key=lambda each: each.last):
        for new in free if _gone(old, end_s, since_s) else ():
            if min(new.first - old.first, new.last - old.last) >= DAY_S:
                free.remove(new)
                left.append(old.last)
                break
    return tuple(left)


def _gone(version: PromptVersion, end_s: float, since_s: float) -> bool:
    """Whether a version is out of use: its silence would be very unlikely otherwise."""
    used_s = max(version.last - version.first, (end_s - since_s) / 100)
    return (end_s - version.last) * version.conversations / used_s >= _SURELY_GONE


def _changes(
    table: TraceTable,
    prompts: Sequence[PromptVersions],
    prompted: Flags,
    sample: Extent,
) -> Evidence:
    """How often a month a system prompt was replaced by a newer version."""
    at = table.clock
    talks = table.conversation[prompted]
    if lacking := _lacking(table, prompts, how_many(talks)):
        return _CHANGES.make_evidence(table, lacking)
    start = float(at.times[0])
    end = float(at.times[-1])
    when = sorted(
        time for each in prompts for time in changes(each.versions, end, start)
    )
    months = at.days / MONTH_DAYS
    # a draw gives only a lower bound, because it misses prompts that are seldom used
    low, high = poisson_interval(len(when))
    evidence = _CHANGES.make_evidence(
        table,
        (
            len(when) / months,
            low / months,
            high / months if table.share >= 1 else "open",
        ),
        talks=talks,
        method="versions that gave way to a newer one, over the months of the clock; exact Poisson",
        sample=sample,
        details={
            "changes": len(when),
            "months": months,
            "versions": sum(len(each.versions) for each in prompts),
        },
        examples=(f"a version was last used on {day_of(time).date()}" for time in when),
    )
    return evidence.model_copy(update={"n": int((at.usable & prompted).sum())})


def _lacking(
    table: TraceTable, prompts: Sequence[PromptVersions], conversations: int
) -> str:
    """The log entry that is missing to count changes of prompts; empty where none is."""
    if "system" not in table.present:
        return _LOG_SYSTEM
    if short := table.clock.shorter(LEAST_DAYS - 1, "two months"):
        return short
    if conversations < ENOUGH_CONVERSATIONS:
        return few(conversations)
    held = [each.conversations for each in prompts]
    if (
        not sum(held)
        or np.average([each.kept for each in prompts], weights=held) < _LEAST_KEPT
    ):
        return _TEMPLATE
    return ""


def _distinct(
    table: TraceTable,
    prompts: Sequence[PromptVersions],
    prompted: Flags,
    sample: Extent,
) -> Evidence:
    """How many different system prompts were seen, at least."""
    if count := sum(len(each.versions) for each in prompts):
        return _DISTINCT.make_evidence(
            table,
            (count, count, "open"),
            talks=table.conversation[prompted],
            method="system prompts seen in three conversations or more, near copies folded",
            sample=sample,
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
