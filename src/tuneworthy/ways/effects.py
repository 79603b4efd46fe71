"""What changes did to errors in published comparisons, and how often tuning measured best.

``evidence/published/effects.py`` counts both, and explains how at the head of the file.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from tuneworthy.errors import FrameworkError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import Interval, Natural, Record, Share
from tuneworthy.model.framework import Goal
from tuneworthy.money.investment import TuningChance
from tuneworthy.syntax.document import build, parse
from tuneworthy.words import plain, share

EFFECTS_FILE = "published_effects.yaml"

EffectArm = Literal[
    "fine_tune",
    "hybrid",
    "rag",
    "prompt",
    "model_switch",
    "decomposition",
    "few_shot",
    "retrieved_examples",
    "prompt_optimisation",
    "constrained_output",
    "reasoning_effort",
    "better_retrieval",
    "plain_classifier",
]
"""The change that was made: an arm of the published cases, or an option of the framework.
``prompt`` holds every change of the prompt alone, few-shot and optimized ones too; ``rag`` holds
better retrieval too; ``hybrid`` is tuning together with retrieval or better prompts."""

ARMS: dict[str, str] = {
    "fine_tune": "tuning alone",
    "hybrid": "tuning with retrieval or a better prompt",
    "rag": "retrieval",
    "prompt": "a better prompt",
    "model_switch": "another model",
    "decomposition": "decomposition",
}  #: What may measure best in a published case, in words.

WINS_OF_TUNING = frozenset({"fine_tune", "hybrid"})
"""The winners in which tuning had a part."""


class PublishedEffect(Record):
    """Which part of the errors a change took away in published comparisons; below 0 it added some.

    One paper, company or document counts as one voice, however many comparisons it holds. The
    triangle is drawn toward what all changes did, since few sources say little of one change; for
    it, errors that were added count as none taken away, as nobody puts such a change to use.
    """

    arm: EffectArm  #: The change that was made.
    #: The goal of the tasks; None for all tasks, those without a goal too.
    goal: Goal | None
    n: Natural  #: Comparisons.
    clusters: Natural  #: Papers, companies or documents they come from.
    low: float  #: Low end of the triangle to reckon with.
    usual: float  #: Its peak.
    high: float  #: Its high end, 1 at most.
    p10: float  #: The change that nine in ten of these comparisons reached or exceeded.
    p25: float  #: The change that three in four reached or exceeded.
    p50: float  #: Their median.
    p75: float  #: The change that one in four reached or exceeded.
    p90: float  #: The change that one in ten reached or exceeded.


class WinnerCount(Record):
    """How often each arm measured best in published cases; ties are left out."""

    goal: Goal | None  #: The goal of the cases; None for all cases.
    won: dict[str, Natural]  #: Cases by the arm that won them, as ``ARMS`` names it.
    low: Share  #: Lower end of the 95% interval of the share that tuning won, over clusters.
    high: Share  #: Upper end.

    @property
    def n(self) -> int:
        """The number of cases."""
        return sum(self.won.values())

    @property
    def won_by_tuning(self) -> int:
        """The cases that tuning won, alone or together with another arm."""
        return sum(self.won.get(arm, 0) for arm in WINS_OF_TUNING)


class EffectSource(Record):
    """A source of comparisons."""

    cluster: str  #: The paper, company or document.
    n: int  #: Comparisons from it.
    date: str  #: Of publication, as far as it is known; the latest where there are several.
    url: str  #: Where it can be read; empty where the source names no address.
    status: str
    """``read`` if all figures were read there, ``account`` if some were read in others' accounts of
    it, ``recalled`` if some are from memory."""


class PublishedEffects(Record):
    """The file of effects."""

    effects: tuple[PublishedEffect, ...]
    winners: tuple[WinnerCount, ...]
    sources: tuple[EffectSource, ...]


@cache
def published_effects() -> PublishedEffects:
    """Effects by arm, and by arm and goal where there are enough, with their sources."""
    document = parse(catalogue_text(EFFECTS_FILE), EFFECTS_FILE, FrameworkError)
    return build(PublishedEffects, document, FrameworkError)


@cache
def effect_of(arm: EffectArm, goal: Goal | None = None) -> PublishedEffect | None:
    """The effect of an arm for a goal, else for all goals; None for too few comparisons.

    Too few are under five comparisons, or under three papers, companies or documents.
    """
    for_all = None
    for each in published_effects().effects:
        if each.arm != arm:
            continue
        if each.goal == goal:
            return each
        if each.goal is None:
            for_all = each
    return for_all


@cache
def winners_of(goal: Goal | None) -> WinnerCount | None:
    """How often each arm won in the published cases of a goal, or in all; None without a case."""
    for each in published_effects().winners:
        if each.goal == goal:
            return each
    return None


@cache
def published_chance(goal: Goal | None) -> TuningChance:
    """The chance that tuning works where nothing here tells: how often it won for the goal."""
    count = winners_of(goal) or winners_of(None)
    assert count is not None  # the file always counts all cases
    won = count.won_by_tuning
    about = (
        f"published cases about {plain(count.goal)}"
        if count.goal
        else "published cases"
    )
    return TuningChance(
        Interval(count.low, won / count.n, count.high),
        f"{share(count.low)} to {share(count.high)} chance, assumed because tuning measured "
        f"best in {won} of {count.n} {about}",
    )
