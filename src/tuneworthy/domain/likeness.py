"""What happened to others: published cases like a case, and how often tuning won among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuneworthy.domain.record import LateRecord, Natural, Range, Share, State, Unknown
from tuneworthy.domain.winner import Winner

ArmId = Literal["baseline", "best_prompt", "other_model", "rag", "fine_tuned"]
"""The arms a published case may have."""

Told = Literal["yes", "no"]
"""An answer that is known."""

Method = Literal["cluster_bootstrap", "wilson_by_cluster"]
"""Whole clusters drawn again, or Wilson with cases of one cluster counted together."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """A published case as far as likeness and rates need it."""

    id: str
    title: str
    year: int | None
    kind: str
    """``paper``, ``industry`` or ``unknown``."""
    cluster: str
    """Its paper or company; its own id where it stands alone."""
    goal: str
    """The goal, or ``unknown``."""
    winner: Winner
    margin: str
    source: str
    """Where it can be read, as its file says it."""
    url: str
    """The first web address in that; empty for none."""
    status: str
    """``read``, ``recalled`` or ``unknown``."""
    tried: tuple[Mapping[str, str], ...]
    """What was tried, as in ``Tried``; what the source doesn't say is left out."""
    answers: Mapping[str, State]
    """What both blind coders answered alike; where they differ it is left out."""
    won: bool
    """Whether tuning, alone or in a hybrid, measured best."""


@dataclass(frozen=True, slots=True)
class Near:
    """A published case with what makes it like the one asked about."""

    case: Precedent
    bits: float
    """Likeness; above 0."""
    same_goal: bool
    shared: tuple[str, ...]
    """Ids of the answers both have in common, the one that says most first."""
    differs: tuple[str, ...]
    """Ids of the answers that differ, likewise."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often tuning won, with its 95% interval."""

    n: int
    won: int
    clusters: int
    low: float
    high: float
    method: Method


@dataclass(frozen=True, slots=True)
class Index:
    """What a decision reads of the published cases."""

    cases: tuple[Precedent, ...]
    telling: tuple[str, ...]
    """Questions that patterns are made of, the most telling first."""
    rates: Mapping[str, Rate]
    """Rates by the key of their goal or pattern; the empty key is all cases."""


@dataclass(frozen=True, slots=True)
class Few:
    """Too few cases to say how often; how many there are and how many it takes."""

    n: int
    least: int


@dataclass(frozen=True, slots=True)
class Others:
    """What the published cases say about one case, before words."""

    goal: str | None
    answers: Mapping[str, Told]
    """The case's known answers to questions that published cases answer."""
    near: tuple[Near, ...]
    as_near: int
    """Further cases as alike as the last one, behind it only by the rule for equals."""
    every: Rate
    """All published cases without a tie."""
    of_goal: Rate | Few | None
    """The same goal; None while no goal is named."""
    of_pattern: Rate | Few | None
    """The same answers to the most telling questions; None while none of those is answered."""
    pattern: Mapping[str, Told]
    """The answers that pattern holds."""
    telling: tuple[str, ...]
    """Questions a pattern may hold, the most telling first."""


class Tried(LateRecord):
    """One approach that was tried; what the source doesn't say is an empty text."""

    arm: ArmId
    """Which arm of the comparison it is."""
    approach: str = ""
    """What was done."""
    model: str = ""
    """The model it was done with; for tuning the model that was tuned."""
    train_examples: str = ""
    """For tuning: how many examples, as the source says it."""
    metric: str = ""
    """How it was measured."""
    value: str = ""
    """What it came to, as the source says it."""


class Neighbour(LateRecord):
    """A published case like this one."""

    id: str
    """Its id in the catalogue's published cases."""
    title: str
    """What it is called."""
    winner: Winner
    """The arm that measured best, or a tie."""
    source_url: str
    """Where it can be read: the first web address of its source; empty where it names none."""
    source: str
    """Its source in full."""
    source_status: str
    """Whether its figures were ``read`` there, or are ``recalled`` from memory."""
    year: int | Unknown
    """Year of publication."""
    kind: str
    """``paper``, or ``industry`` for a report from practice."""
    goal: str
    """Its goal."""
    margin: str
    """By how much it was won, as its source says it."""
    tried: tuple[Tried, ...]
    """What was tried."""
    likeness_bits: float
    """How alike it is: bits of the answers in common, less bits of those that differ."""
    same_goal: bool
    """Whether it has a goal of this case."""
    shared: dict[str, Told]
    """Answers in common, the one that says most first."""
    differs: dict[str, Told]
    """This case's answers where it answers the other way."""
    why: str
    """Why it is alike, in words."""


class BaseRate(LateRecord):
    """How often tuning measured best among published cases; ties are left out."""

    of: str
    """Which cases."""
    answers: dict[str, Told]
    """The answers they share; empty for a goal."""
    n: Natural
    """Cases."""
    won: Natural
    """Cases in which tuning, alone or in a hybrid, measured best."""
    clusters: Natural
    """Papers or companies they come from."""
    rate: Share
    """Share of cases won."""
    low: Share
    """Lower end of its 95% interval."""
    high: Share
    """Upper end."""
    method: Method
    """How the interval was found."""


class Recorded(LateRecord):
    """How the fit did on published cases it hadn't seen; the coder it did worse with."""

    cases: Natural
    """Cases predicted."""
    accuracy: Share
    """Share in which the likelier side won."""
    accuracy_interval: Range
    """95% interval of that."""
    brier: Share
    """Mean squared distance between chance and outcome; 0.25 for a coin, 0 at best."""
    brier_interval: Range
    """95% interval of that."""
    brier_gain: float
    """Brier score of the base rate less this one; above zero where the fit is better."""
    brier_gain_interval: Range
    """95% interval of that."""
    earned: bool
    """Whether it beat the base rate with both coders, by intervals without zero."""


class Moved(LateRecord):
    """What one answer does to the chance."""

    id: str
    """Factor, or ``goal:`` with the goal."""
    state: State
    """The answer."""
    log_odds: Range
    """What it adds to the log odds; from the least to the most where it is open."""
    says: str
    """The same in words."""


class PrecedentsResult(LateRecord):
    """What happened to others."""

    nearest: tuple[Neighbour, ...] | Unknown
    """Published cases most like this one, at most five, the most alike first."""
    as_near: Natural
    """Further cases as alike as the last of them."""
    base_rate: BaseRate | Unknown
    """How often tuning won for the primary goal."""
    pattern_rate: BaseRate | Unknown
    """How often it won where the most telling questions have this case's answers."""
    every_rate: BaseRate
    """How often it won in all published cases."""
    p_fine_tune: Share | Unknown
    """Chance that tuning measures best; withdrawn on 2026-11-27, and unknown since."""
    p_interval: Range | Unknown
    """95% interval of that chance; withdrawn with it."""
    p_open: Range | Unknown
    """That chance with every open answer against tuning, and with all for it; withdrawn with it."""
    track_record: Recorded | Unknown
    """How often the fit behind the chance was right; withdrawn with it."""
    disagrees: str
    """That the published cases neither agree nor disagree with the verdict, and why."""
    moves: tuple[Moved, ...]
    """What moves the chance; withdrawn with it, and empty since."""
