"""How often the system prompt is rewritten: requirements that change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneworthy.measure.signals.base import (
    DAY_S,
    END_S,
    ENOUGH_CONVERSATIONS,
    MONTH_DAYS,
    Clock,
    Found,
    Numbers,
    Table,
    Teller,
    clock,
    day_text,
    few,
    how_many,
)
from tuneworthy.model.evidence import Batch, Evidence
from tuneworthy.stats.forecast import poisson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Which versions of a system prompt there were, when variables and small edits don't count.

Run = tuple[str, ...]

MOST_TEXTS = 240
"""Distinct texts that are compared, spread over time; more would only be more fillings."""

_LONGEST = 20_000
_DENSE = 0.2
_LEAST_CONVERSATIONS = 3
_WORD = re.compile(r"\w+")
_DATES = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|(?:mon|tues?|wed(?:nes)?|thur?s?|"
    r"fri|satur|sun)day"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A system prompt with the times of the conversations that carry it."""

    words: str
    times: NDArray[np.float64]
    """First call of each conversation, in order."""


@dataclass(frozen=True, slots=True)
class Version:
    """Texts that are near copies of each other once what is filled in is left out."""

    first: float
    """First conversation, seconds since 1970."""
    last: float
    conversations: int


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one prompt."""

    found: tuple[Version, ...]
    """In the order of their first conversation."""
    conversations: int
    """Conversations that were compared."""
    kept: float
    """Share of an average text that belongs to the template; 1 where nothing is filled in."""


def texts_of(table: Table, at: Clock) -> dict[str, tuple[Text, ...]]:
    """System prompts by the name of their prompt, each with its conversations.

    Prompts without a name count as one: a log that names none is taken to have one at a time. Where
    there are too many texts for the table to hold, those of the sample stand for them. Without a
    clock the order of reading takes its place.
    """
    if not table.systems:
        return _of_sample(table, at)
    times = table.time if len(at.times) else np.arange(len(table), dtype=np.float64)
    rows = np.flatnonzero((at.usable | (not len(at.times))) & (table.system >= 0))
    rows = rows[np.argsort(times[rows], kind="stable")]
    kind = table.system[rows] * (len(table.prompts) + 1) + table.prompt[rows] + 1
    # One number for prompt, text and conversation: a sort of rows of three takes ten times as long.
    talks = int(table.conversation.max(initial=0)) + 1
    _, first = np.unique(kind * talks + table.conversation[rows], return_index=True)
    names = ["", *(_name(version) for version in table.prompts)]
    gathered: dict[str, dict[str, list[float]]] = {}
    first.sort()
    codes, earliest, of = np.unique(kind[first], return_index=True, return_inverse=True)
    order = np.argsort(of, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    for place in np.argsort(earliest).tolist():
        system, prompt = divmod(int(codes[place]), len(names))
        one = gathered.setdefault(names[prompt], {}).setdefault(table.systems[system].text, [])
        one += times[rows[first[parts[place]]]].tolist()
    return _as_texts(gathered)


def versions(texts: Sequence[Text], near_copy: float) -> Versions:
    """Versions of one prompt.

    Args:
        texts: Its distinct texts; of more than ``MOST_TEXTS`` some are left out, evenly over time.
        near_copy: Share of three-word runs in common from which two are one version.

    Returns:
        Versions seen in at least three conversations, one for all that is left of texts that share
        nothing; none for no texts.
    """
    chosen = sorted(texts, key=lambda each: float(each.times[0]))
    if len(chosen) > MOST_TEXTS:
        places = np.linspace(0, len(chosen) - 1, MOST_TEXTS).round().astype(np.int64)
        chosen = [chosen[place] for place in places.tolist()]
    runs = [runs_of(each.words) for each in chosen]
    stays = _template(chosen, runs)
    cores = [frozenset(each & stays) for each in runs]
    held = [len(each.times) for each in chosen]
    shares = [len(core) / max(len(each), 1) for core, each in zip(cores, runs, strict=True)]
    kept = float(np.average(shares, weights=held)) if chosen else 1.0
    times: dict[frozenset[Run], list[NDArray[np.float64]]] = {}
    for core, text in zip(cores, chosen, strict=True):
        times.setdefault(core, []).append(text.times)
    found = []
    for group in _groups(tuple(times), near_copy):
        when = np.sort(np.concatenate([each for core in group for each in times[core]]))
        if len(when) >= _LEAST_CONVERSATIONS:
            found.append(Version(float(when[0]), float(when[-1]), len(when)))
    found.sort(key=lambda each: (each.first, each.last))
    return Versions(tuple(found), sum(held), kept)


def runs_of(text: str) -> frozenset[Run]:
    """Runs of three words; numbers, dates and names of days and months are all the same word."""
    words = [
        "0" if any(c.isdigit() for c in word) or _DATES.fullmatch(word) else word
        for word in _WORD.findall(text[:_LONGEST].casefold())
    ]
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def alike(left: frozenset[Run], right: frozenset[Run]) -> float:
    """Jaccard similarity; 1 for two empty ones."""
    both = len(left | right)
    return len(left & right) / both if both else 1.0


def _template(texts: Sequence[Text], runs: Sequence[frozenset[Run]]) -> frozenset[Run]:
    """Runs that, from their first to their last use, were in one conversation of five or more."""
    every = np.sort(np.concatenate([each.times for each in texts])) if texts else np.zeros(0)
    held: dict[Run, list[float]] = {}
    for text, own in zip(texts, runs, strict=True):
        n, first, last = len(text.times), float(text.times[0]), float(text.times[-1])
        for run in own:
            known = held.get(run)
            if known is None:
                held[run] = [n, first, last]
            else:
                known[0] += n
                known[1], known[2] = min(known[1], first), max(known[2], last)
    ends = np.array(list(held.values())).reshape(-1, 3)
    during = np.searchsorted(every, ends[:, 2], "right") - np.searchsorted(every, ends[:, 1])
    stays = (ends[:, 0] >= _LEAST_CONVERSATIONS) & (ends[:, 0] >= _DENSE * during)
    return frozenset(run for run, stay in zip(held, stays.tolist(), strict=True) if stay)


def _groups(cores: Sequence[frozenset[Run]], near_copy: float) -> list[list[frozenset[Run]]]:
    """Near copies together; copies of copies join one group."""
    groups: list[list[frozenset[Run]]] = []
    for core in cores:
        near = [g for g in groups if any(alike(core, other) >= near_copy for other in g)]
        groups = [g for g in groups if g not in near]
        groups.append([core, *(other for g in near for other in g)])
    return groups


def _name(version: str) -> str:
    """The name of a prompt without its version; nothing for one that has none."""
    if re.fullmatch(r"system \d+", version):
        return ""
    name, _, last = version.rpartition(" ")
    return name if name and any(c.isdigit() for c in last) else version


def _of_sample(table: Table, at: Clock) -> dict[str, tuple[Text, ...]]:
    sample = table.sample
    timed = bool(len(at.times))
    seen: dict[tuple[str, str, str], float] = {}
    columns = (sample.column(name) for name in ("system", "prompt", "conversation", "timestamp"))
    for row, (system, prompt, talk, when) in enumerate(zip(*columns, strict=True)):
        time = when if timed else float(row)
        if not (isinstance(system, str) and isinstance(time, float | int)):
            continue
        if not timed or at.times[0] <= time <= at.times[-1]:
            key = (_name(str(prompt or "")), system, str(talk or f"\0{row}"))
            seen[key] = min(float(time), seen.get(key, float("inf")))
    gathered: dict[str, dict[str, list[float]]] = {}
    for (name, text, _), time in seen.items():
        gathered.setdefault(name, {}).setdefault(text, []).append(time)
    return _as_texts(gathered)


def _as_texts(gathered: dict[str, dict[str, list[float]]]) -> dict[str, tuple[Text, ...]]:
    return {
        name: tuple(Text(text, np.sort(np.array(times))) for text, times in own.items())
        for name, own in gathered.items()
    }


# How often the system prompt is rewritten: requirements that change.

LEAST_DAYS = 60
"""Days of clock that a rate of changes needs: two months, two Februaries among them."""

_SURELY_GONE = 5.0
_OUTLIVES_S = DAY_S
_LEAST_KEPT = 0.2
_CHANGES, _DISTINCT = "prompt_changes_per_month", "distinct_prompts"
_RATE = "changes a month"
_FACTOR = "rapidly_changing_requirements"
_TEMPLATE = "log the prompt's name and version (`prompt_version`): its text differs in every call"


@dataclass(frozen=True, slots=True)
class Change:
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
    """Share of three-word runs in common from which two texts are one version."""
    end_s: float = END_S
    """Timestamps from here on are in the future, seconds since 1970."""

    id = "change"
    needs = ("timestamp", "conversation", "system", "prompt")

    def rows(self, batch: Batch) -> Numbers:  # noqa: ARG002  # the table has all it needs
        """No numbers: the table counts system prompts by itself."""
        return {}

    def finish(self, table: Table) -> Found:
        """Evidence on changes and on distinct prompts."""
        tell = Teller(clock(table, self.end_s))
        named = texts_of(table, tell.clock) if "system" in table.present else {}
        found = [versions(texts, self.near_copy) for texts in named.values()]
        return Found((_changes(table, tell, found), _distinct(table, tell, found)))


def changes(of_one: Sequence[Version], end_s: float, since_s: float) -> tuple[float, ...]:
    """When a version of one prompt gave way to a newer one.

    Each newer version takes the place of one older one: of those that went out of use before it,
    which began a day or more before it, and which it outlived by a day or more.

    Args:
        of_one: Versions of one prompt.
        end_s: Last time of the log.
        since_s: First time of the log.

    Returns:
        Last uses of the versions that went, seconds since 1970, in order.
    """
    gone = [each for each in of_one if _gone(each, end_s, since_s)]
    free = sorted(of_one, key=lambda each: each.first)
    found = []
    for old in sorted(gone, key=lambda each: each.last):
        newer = (
            each
            for each in free
            if each.first >= old.first + _OUTLIVES_S and each.last >= old.last + _OUTLIVES_S
        )
        if (new := next(newer, None)) is not None:
            free.remove(new)
            found.append(old.last)
    return tuple(found)


def _gone(one: Version, end_s: float, since_s: float) -> bool:
    """Whether so long a silence would be very unlikely if it were still in use."""
    used_s = max(one.last - one.first, (end_s - since_s) / 100)
    return (end_s - one.last) * one.conversations / used_s >= _SURELY_GONE


def _changes(table: Table, tell: Teller, found: Sequence[Versions]) -> Evidence:
    at = tell.clock
    lacking = _lacking(table, at, found)
    if lacking:
        return tell.unknown(_CHANGES, lacking, unit=_RATE, factor=_FACTOR)
    start, end = float(at.times[0]), float(at.times[-1])
    when = sorted(time for each in found for time in changes(each.found, end, start))
    months = at.days / MONTH_DAYS
    low, high = poisson_interval(len(when))
    return tell.known(
        _CHANGES,
        (len(when) / months, low / months, high / months),
        n=int((at.usable & _prompted(table)).sum()),
        clusters=_conversations(table),
        unit=_RATE,
        method="versions that gave way to a newer one, over the months of the clock; exact Poisson",
        factor=_FACTOR,
        sample="all" if table.systems else "sampled",
        details={
            "changes": len(when),
            "months": months,
            "versions": sum(len(each.found) for each in found),
        },
        examples=[f"a version was last used on {day_text(time)}" for time in when],
    )


def _lacking(table: Table, at: Clock, found: Sequence[Versions]) -> str:
    if "system" not in table.present:
        return "log the `system` prompt"
    if not len(at.times):
        return "log the `timestamp` of every call"
    if at.days < LEAST_DAYS - 1:
        return "measure traces of two months; the clock spans fewer"
    if (enough := _conversations(table)) < ENOUGH_CONVERSATIONS:
        return few(enough)
    held = [each.conversations for each in found]
    if not sum(held) or np.average([each.kept for each in found], weights=held) < _LEAST_KEPT:
        return _TEMPLATE
    return ""


def _prompted(table: Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which traces have a system prompt; all where there are too many texts to tell."""
    return table.system >= 0 if table.systems else np.ones(len(table), dtype=bool)


def _conversations(table: Table) -> int:
    return how_many(table.conversation[_prompted(table)])


def _distinct(table: Table, tell: Teller, found: Sequence[Versions]) -> Evidence:
    unit, factor = "prompts", "prompt_variations"
    count = sum(len(each.found) for each in found)
    if count:
        return tell.known(
            _DISTINCT,
            (count, count, "open"),
            n=int(_prompted(table).sum()),
            clusters=_conversations(table),
            unit=unit,
            method="system prompts seen in three conversations or more, near copies folded",
            factor=factor,
            sample="all" if table.systems else "sampled",
        )
    if table.prompts and not table.systems:
        named = len(table.prompts)
        return tell.known(
            _DISTINCT,
            (1, 1, "open"),
            n=int((table.prompt >= 0).sum()),
            clusters=how_many(table.conversation[table.prompt >= 0]),
            unit=unit,
            method="names of prompts without texts: near copies can't be told, so only one is sure",
            factor=factor,
            details={"names": named},
        )
    return tell.unknown(_DISTINCT, "log the `system` prompt", unit=unit, factor=factor)
