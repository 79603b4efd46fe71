"""How often the system prompt is rewritten: requirements that change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneworthy.domain.evidence import Evidence
from tuneworthy.domain.traces import Batch
from tuneworthy.gather.signals.base import ENOUGH_CONVERSATIONS, Found, Numbers, Table, how_many
from tuneworthy.gather.signals.clock import (
    DAY_S,
    END_S,
    MONTH_DAYS,
    Clock,
    Teller,
    clock,
    day_text,
    few,
)
from tuneworthy.gather.signals.versions import Version, Versions, texts_of, versions
from tuneworthy.stats.forecast import poisson_interval

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
            each for each in free
            if each.first >= old.first + _OUTLIVES_S and each.last >= old.last + _OUTLIVES_S
        )  # fmt: skip
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
