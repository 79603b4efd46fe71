"""The effect of changes on errors in published comparisons, read from the catalogue.

``evidence/published/effects.py`` counts them, and explains how at the head of the file.
"""

from __future__ import annotations

from functools import cache

from tuneworthy.errors import FrameworkError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import Record
from tuneworthy.model.framework import Goal
from tuneworthy.model.precedents import EffectArm, PublishedEffect
from tuneworthy.syntax.document import build, parse

EFFECTS_FILE = "published_effects.yaml"


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
