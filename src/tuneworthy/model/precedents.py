"""Published cases of others, as a decision reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tuneworthy.model.base import (
    Natural,
    Record,
    Share,
    State,
    Unknown,
)
from tuneworthy.model.framework import Goal

Winner = Literal[
    "fine_tune", "hybrid", "rag", "prompt", "model_switch", "decomposition", "tie"
]
"""The approach that measured best; hybrid is tuning together with retrieval or better prompts."""

WINS_OF_TUNING: frozenset[Winner] = frozenset({"fine_tune", "hybrid"})
"""The winners in which tuning had a part."""


RuleId = Literal["tree_granted", "score", "difference", "always"]
"""The rule that is tested: the tree with its ceiling granted, the two ways to grade the balance of
reasons, or saying yes to everybody, which asks nothing."""


Method = Literal["cluster_bootstrap", "wilson_by_cluster"]
"""Whole clusters drawn again, or Wilson with cases of one cluster counted together."""


ArmId = Literal["baseline", "best_prompt", "other_model", "rag", "fine_tuned"]
"""The arms a published case may have."""

Known = Literal["yes", "no"]  #: An answer that is known.


class Precedent(NamedTuple):
    """A published case as far as likeness and rates need it."""

    #: The fields of a record that a ``Neighbour`` shows, by that record's names.
    shown: Mapping[str, Any]
    cluster: str  #: Its paper or company; its own id where it stands alone.
    #: The subjects of its task, by the names of the vocabulary.
    subjects: Sequence[str]
    #: The beginnings of other words of its title, domain and task.
    words: Sequence[str]
    answers: Mapping[str, State]  #: The answers that both blind coders gave alike.
    #: The first blind coder's yes answers: rules are tried on those.
    yes: Sequence[str]


class Tried(Record):
    """One approach that was tried; what the source doesn't say is an empty text."""

    arm: ArmId  #: Which arm of the comparison it is.
    approach: str = ""  #: The approach that was taken.
    model: str = ""  #: The model it was done with; for tuning the model that was tuned.
    train_examples: str = ""  #: For tuning: how many examples, as the source says it.
    metric: str = ""  #: How it was measured.
    value: str = ""  #: The value it reached, in the words of the source.


class Neighbour(Record):
    """A published case like this one."""

    id: str  #: Its id in the catalogue's published cases.
    title: str  #: The title of the case.
    winner: Winner  #: The arm that measured best, or a tie.
    source_url: str
    """Where it can be read: the first web address of its source; empty where it names none."""
    source: str  #: Its source in full.
    source_status: str  #: Whether its figures were ``read`` there, or are ``recalled`` from memory.
    year: int | Unknown  #: Year of publication.
    kind: str  #: ``paper``, or ``industry`` for a report from practice.
    goal: str  #: Its goal.
    margin: str  #: By how much it was won, as its source says it.
    tried: tuple[Tried, ...]  #: The approaches that were tried.
    likeness_bits: float
    """How alike it is: bits of what both tasks are about, of the goal and of the answers."""
    #: The subjects that both tasks share, the most telling one first.
    subjects: tuple[str, ...]
    same_goal: bool  #: Whether it has a goal of this case.
    shared: dict[str, Known]  #: Answers in common, the one that says most first.
    differs: dict[str, Known]  #: This case's answers where it answers the other way.
    why: str  #: Why it is alike, in words.


class BaseRate(Record):
    """How often tuning measured best among published cases; ties are left out."""

    of: str  #: Which cases.
    n: Natural  #: Cases.
    won: Natural  #: Cases in which tuning, alone or in a hybrid, measured best.
    clusters: Natural  #: Papers or companies they come from.
    rate: Share  #: Share of cases won.
    low: Share  #: Lower end of its 95% interval.
    high: Share  #: Upper end.
    method: Method  #: How the interval was found.


@dataclass(frozen=True, eq=False)
class PrecedentIndex:
    """The published cases in the form a decision reads; ``evidence/published/index.py`` makes it."""

    cases: tuple[Precedent, ...]
    vocabulary: Mapping[str, Sequence[str]]
    """Words, or beginnings that end with ``*``, to the subjects they tell of; none for words that
    tell of nothing."""
    #: By goal, kind and year; the empty key for all cases.
    rates: Mapping[str, BaseRate]


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


class RuleOnCases(Record):
    """How often a rule of the framework was right about published cases; ties are left out.

    The answers are the first blind coder's, an unknown one isn't a yes, and the ceiling is granted.
    """

    rule: RuleId  #: Which rule.
    of: str  #: Which cases: those of the primary goal, or all where there are too few of it.
    n: Natural  #: How many cases.
    right: Natural
    """Cases in which it said tune and tuning won, or said don't and something else won."""
    low: Share  #: Lower end of the 95% interval of the share it was right in.
    high: Share  #: Upper end.


class PrecedentsResult(Record):
    """Outcomes of published cases: the most similar ones, and how often tuning won."""

    nearest: tuple[Neighbour, ...] | Unknown
    """Cases most like this one, at most five, the most alike first; none under a likeness."""
    base_rate: BaseRate | Unknown  #: How often tuning won for the primary goal.
    every_rate: BaseRate  #: How often it won in all published cases.
    rates: tuple[BaseRate, ...]
    """How often it won in papers, in reports from practice, and by year."""
    record: tuple[RuleOnCases, ...]
    """How often the framework's rules were right, and always saying "fine-tune" beside them."""
