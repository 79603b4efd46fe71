"""The published cases most similar to a case, and how often tuning won.

Likeness is counted in bits. What both tasks are about comes first: every subject in common counts
its surprise, minus the binary logarithm of its share among published cases (with one case added, so
that one nobody has stays finite), and any other word in common half of that, because words are
shared by chance more often than subjects are. A shared goal counts its surprise, half of it when it
isn't the primary goal. All answers together count about as much as one word: the mean surprise of
those that are the same, less that of those that differ; a question that either side leaves open
counts nothing. No weight is fitted and no outcome is looked at, so that the neighbours' outcomes
may be held against the case. Without a subject in common, or under ``LIKE`` bits, nobody is alike.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from tuneworthy.framework.load import catalogue_text
from tuneworthy.framework.rules import Rules
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import Assessment
from tuneworthy.model.framework import GOALS, Framework
from tuneworthy.model.precedents import (
    ArmId,
    BaseRate,
    Known,
    Neighbour,
    Precedent,
    PrecedentIndex,
    PrecedentsResult,
)
from tuneworthy.precedents.record import record_for_goal, tuning_won
from tuneworthy.stats.intervals import wilson_by_cluster
from tuneworthy.words import capital, few, listing, number, plain, share

NEAREST = 5  #: How many are shown.
PER_CLUSTER = 2  #: How many of them may come from one paper or company.
LIKE = 5.0  #: Bits of likeness that a case takes to be shown.

INDEX_FILE = "published_index.json"

ARMS: dict[str, str] = {
    "fine_tune": "tuning alone",
    "hybrid": "tuning with retrieval or a better prompt",
    "rag": "retrieval",
    "prompt": "a better prompt",
    "model_switch": "another model",
    "decomposition": "decomposition",
}  #: Arms of the published cases in words.


# What a task is about.

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_STEM = 6  # letters by which two other words are the same


def described(
    text: str, vocabulary: Mapping[str, Sequence[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """The subjects of a text, and the beginnings of its other words.

    The vocabulary leads from words to subjects. A word in it that ends with ``*`` stands for all
    words that begin so.
    """
    subjects = set[str]()
    others = set[str]()
    for whole in _WORD.findall(text.lower()):
        for word in {whole, *whole.split("-")}:
            forms = [word, *(f"{word[:end]}*" for end in range(3, len(word) + 1))]
            matches = [vocabulary[form] for form in forms if form in vocabulary]
            if matches:
                subjects.update(*matches)
            elif word.isalpha() and len(word) > 3:
                others.add(word[:_STEM])
    return frozenset(subjects), frozenset(others)


ARM_WORDS: dict[ArmId, str] = {
    "baseline": "start",
    "best_prompt": "best prompt",
    "other_model": "other model",
    "rag": "retrieval",
    "fine_tuned": "tuning",
}
"""Words for the arms of a published case."""


# Likeness.


class SimilarCase(NamedTuple):
    """A case with its similarity to the present one, in bits, by their source."""

    case: Precedent
    bits: float
    subjects: Mapping[str, float]
    """The subjects of both cases."""
    answers: Mapping[str, float]
    """Questions that both answer; below zero where the answers differ."""


def known_answers(
    index: PrecedentIndex, states: Mapping[str, State]
) -> dict[str, Known]:
    """A case's known answers to questions of the published cases, in the order of ids."""
    answers = _count_features(index).answers
    return {
        name: state
        for name, state in sorted(states.items())
        if state != "unknown" and (answers[name, "yes"] or answers[name, "no"])
    }


def likeness(
    index: PrecedentIndex,
    text: str,
    states: Mapping[str, State],
    goals: Sequence[str] = (),
    *,
    about: bool = False,
) -> list[SimilarCase]:
    """Every published case with its similarity; the most similar first.

    With ``about``, only those with a common subject. Among equal ones, cases whose figures were
    read come before recalled ones, then the newer, then by id; never by their order in the index.
    """
    counts = _count_features(index)
    total = len(index.cases)
    subjects, words = described(text, index.vocabulary)
    subject_bits = {name: _surprise(counts.subjects[name], total) for name in subjects}
    word_bits = {word: _surprise(counts.words[word], total) / 2 for word in words}
    goal_bits = {}
    for goal in goals:
        bits_of_goal = _surprise(counts.goals[goal], total, len(GOALS))
        # further goals count half
        goal_bits[goal] = bits_of_goal if goal == goals[0] else bits_of_goal / 2
    answer_bits: dict[str, dict[str, float]] = {}
    for name, mine in known_answers(index, states).items():
        yes = counts.answers[name, "yes"]
        no = counts.answers[name, "no"]
        bits = {"yes": _surprise(yes, yes + no, 2), "no": _surprise(no, yes + no, 2)}
        differing = -sum(bits.values()) / 2
        answer_bits[name] = {
            state: bits[state] if state == mine else differing for state in bits
        }
    similar = []
    for case in index.cases:
        shared = {
            name: subject_bits[name] for name in case.subjects if name in subject_bits
        }
        if about and not shared:
            continue
        answers = {
            name: answer_bits[name][state]
            for name, state in case.answers.items()
            if name in answer_bits
        }
        terms = [*shared.values(), goal_bits.get(case.shown["goal"], 0)]
        terms += [word_bits[word] for word in case.words if word in word_bits]
        terms += [bits / len(answers) for bits in answers.values()]
        # rounded, so that equals are equal whatever the order of summing
        similar.append(SimilarCase(case, round(math.fsum(terms), 9), shared, answers))
    return sorted(similar, key=_order)


class _FeatureCounts(NamedTuple):
    """The number of published cases with each feature."""

    subjects: Counter[str]
    words: Counter[str]
    goals: Counter[str]
    answers: Counter[tuple[str, State]]  #: By question and answer.


@lru_cache(maxsize=4)
def _count_features(index: PrecedentIndex) -> _FeatureCounts:
    counts = _FeatureCounts(Counter(), Counter(), Counter(), Counter())
    for case in index.cases:
        counts.subjects.update(case.subjects)
        counts.words.update(case.words)
        counts.goals[case.shown["goal"]] += 1
        counts.answers.update(case.answers.items())
    return counts


def _surprise(times: int, total: int, kinds: int = 1) -> float:
    """The bits of a feature in ``times`` of ``total`` cases, with one case added for each kind."""
    return math.log2((total + kinds) / (times + 1))


def _order(similar: SimilarCase) -> tuple[float, bool, int, str]:
    """The order of similar cases: the most similar first, then those read, then the newest."""
    fields = similar.case.shown
    return (
        -similar.bits,
        fields["source_status"] != "read",
        -(fields["year"] or 0),
        fields["id"],
    )


def nearest(
    index: PrecedentIndex,
    text: str,
    states: Mapping[str, State],
    goals: Sequence[str] = (),
) -> tuple[SimilarCase, ...]:
    """At most five cases that are similar enough, two of each cluster; there may be none."""
    neighbours: list[SimilarCase] = []
    clusters: Counter[str] = Counter()
    for similar in likeness(index, text, states, goals, about=True):
        if (
            similar.bits >= LIKE
            and clusters[similar.case.cluster] < PER_CLUSTER
            and len(neighbours) < NEAREST
        ):
            clusters[similar.case.cluster] += 1
            neighbours.append(similar)
    return tuple(neighbours)


# The published cases: as a decision reads them, and in full.


@cache
def shipped_index() -> PrecedentIndex:
    """The shipped index. A test compares it with the cases it was made from."""
    data = json.loads(catalogue_text(INDEX_FILE))
    return PrecedentIndex(
        cases=tuple(Precedent(**row) for row in data["cases"]),
        vocabulary=data["vocabulary"],
        rates={key: BaseRate(**rate) for key, rate in data["rates"].items()},
    )


# The section of the dossier.

LEAST_CASES = 10  #: Cases a rate takes where a framework has no ``published_cases``; the lesson's.
MOST_SHARED = 4  #: Answers in common that are named; further ones are counted.

NO_CHANCE = (
    "No chance that tuning wins is computed from published cases: the one that was is withdrawn. "
    "On 38 cases kept aside it was right in 20, and its Brier score was worse than that of the "
    "share of wins."
)

BEWARE = (
    "Winners are published more often than losers, and few cases are similar in everything that "
    "counts. The newer cases are the weaker evidence: 14 come from one vendor of tuning and count "
    "as one voice, several rest on an abstract, and coders recognized some sources. What happened "
    "to others says nothing about the odds of what is still open here. " + NO_CHANCE
)

_NONE_ALIKE = Unknown(
    ask="say in a sentence or two what goes in and what comes out (description): by what it says "
    "now no published case is similar enough to show"
)


def precedents(
    index: PrecedentIndex,
    case: Case,
    framework: Framework,
    rules: Rules,
    assessment: Assessment,
) -> PrecedentsResult:
    """Compare a case with the published ones.

    Answers to checks and signals don't count: no coder gave them blind.
    """
    threshold = framework.threshold("published_cases")
    least = max(1, math.ceil(LEAST_CASES if threshold is None else threshold))
    states: dict[str, State] = {
        name: answer.value for name, answer in case.factors.items()
    }
    states |= {name: assessment.state(name) for name in framework.factors}
    answers = known_answers(index, states)
    text = f"{case.name}. {case.description}"
    titles = {name: factor.title for name, factor in framework.factors.items()}
    similar = nearest(index, text, answers, case.goals)
    return PrecedentsResult(
        nearest=tuple(_neighbour(near, case.goals, answers, titles) for near in similar)
        or _NONE_ALIKE,
        base_rate=goal_rate(index, case.goals[0], least)
        if case.goals
        else Unknown(ask="name the goals, the primary one first"),
        every_rate=index.rates[""],
        rates=tuple(
            rate
            for key, rate in index.rates.items()
            if key.startswith(("kind", "year")) and rate.n >= least
        ),
        record=record_for_goal(
            index, case.goals[0] if case.goals else "", rules, least
        ),
    )


# How often tuning won.


def goal_rate(index: PrecedentIndex, goal: str, least: int) -> BaseRate | Unknown:
    """The rate of a goal; unknown for too few cases."""
    rate = index.rates.get(f"goal={goal}")
    of = f"published cases of {plain(goal)}"
    n = rate.n if rate else 0
    if rate and n >= least:
        return rate
    return Unknown(
        ask=f"find {few(least - n)} more {of}: there are {few(n)}, and a rate takes {few(least)}"
    )


def rate_of(cases: Sequence[Precedent], of: str) -> BaseRate | None:
    """How often tuning won in some cases, without ties; None where there are no other cases."""
    untied = [case for case in cases if case.shown["winner"] != "tie"]
    if not untied:
        return None
    clusters = [case.cluster for case in untied]
    won = sum(map(tuning_won, untied))
    low, high = wilson_by_cluster(won, clusters)
    return BaseRate(
        of=of,
        n=len(untied),
        won=won,
        clusters=len(set(clusters)),
        rate=won / len(untied),
        low=low,
        high=high,
        method="wilson_by_cluster",
    )


def counted_cases(rate: BaseRate) -> list[Precedent]:
    """The shipped cases in a rate; [] for a rate that isn't from this index."""
    index = shipped_index()
    key = next((key for key, other in index.rates.items() if other == rate), "=")
    part, _, value = key.partition("=")
    untied = (case for case in index.cases if case.shown["winner"] != "tie")
    return [case for case in untied if str(case.shown.get(part)) == value]


def rate_text(rate: BaseRate | Unknown) -> str:
    """A base rate with its count and interval; without one, the step that would give one."""
    if isinstance(rate, Unknown):
        return f"unknown: {rate.ask}"
    return (
        f"tuning won {number(rate.won)} of {number(rate.n)} {rate.of}: {share(rate.rate)} "
        f"({share(rate.low)} to {share(rate.high)})"
    )


# The nearest cases.


def _neighbour(
    similar: SimilarCase,
    goals: Sequence[str],
    answers: Mapping[str, Known],
    titles: Mapping[str, str],
) -> Neighbour:
    """A similar published case as the dossier shows it."""
    fields = dict(similar.case.shown)
    if not fields["year"]:
        fields["year"] = Unknown(ask="see its source")
    answered = _heaviest(similar.answers)
    return Neighbour(
        **fields,
        likeness_bits=similar.bits,
        subjects=tuple(_heaviest(similar.subjects)),
        same_goal=fields["goal"] in goals,
        shared={name: answers[name] for name in answered if similar.answers[name] > 0},
        differs={name: answers[name] for name in answered if similar.answers[name] < 0},
        why=_why(similar, goals, titles),
    )


def _heaviest(bits: Mapping[str, float]) -> list[str]:
    return sorted(bits, key=lambda name: (-abs(bits[name]), name))


def _why(similar: SimilarCase, goals: Sequence[str], titles: Mapping[str, str]) -> str:
    """Why a case is similar, and in what it differs."""
    goal = similar.case.shown["goal"]
    answers = similar.case.answers
    parts = [f"both about {listing(_heaviest(similar.subjects))}"]
    if goal in goals:
        which = "same goal" if goal == goals[0] else "a goal of both"
        parts.append(f"{which} ({plain(goal)})")
    elif goals and goal != "unknown":
        parts.append(f"another goal ({plain(goal)})")
    for opening, sign in (("same answers", 1), ("other answers there", -1)):
        names = [
            name
            for name in _heaviest(similar.answers)
            if sign * similar.answers[name] > 0
        ]
        if names:
            shared = [
                f"{titles.get(name, plain(name))} {answers[name]}" for name in names
            ]
            if len(shared) > MOST_SHARED:
                shared[MOST_SHARED - 1 :] = [
                    f"{few(len(shared) - MOST_SHARED + 1)} more"
                ]
            parts.append(f"{opening}: {listing(shared)}")
    return ". ".join(map(capital, parts))


def won_text(near: Neighbour) -> str:
    """The winner, and its lead."""
    margin = f"; {near.margin}" if near.margin else ""
    return f"{ARMS.get(near.winner, 'nothing, a tie')}{margin}"


def kind_text(near: Neighbour) -> str:
    """Goal, year and kind, with a note if the figures are from memory."""
    goal = "goal unknown" if near.goal == "unknown" else plain(near.goal)
    year = "" if isinstance(near.year, Unknown) else str(near.year)
    kind = "" if near.kind == "unknown" else near.kind
    if near.source_status == "recalled":
        recalled = "figures recalled from memory"
    else:
        recalled = ""
    return ", ".join(text for text in (goal, year, kind, recalled) if text)


def tried_text(near: Neighbour) -> str:
    """The ways tried with their results, in one paragraph; a repeated one is named once."""
    metrics = {arm.metric for arm in near.tried if arm.value and arm.metric}
    first: dict[str, str] = {}
    for arm in near.tried:
        many = arm.train_examples
        if many.isdecimal() and len(many) < 12:
            many = f"{int(many):,} examples"
        who = ", ".join(text for text in (arm.approach, arm.model, many) if text)
        what = f" ({who})" if who else ""
        if len(metrics) > 1 and arm.value and arm.metric:
            what += f", {arm.metric}"
        first.setdefault(f"{what}: {arm.value or 'no figure'}", ARM_WORDS[arm.arm])
    text = "; ".join(f"{arm}{what}" for what, arm in first.items())
    return f"by {metrics.pop()}: {text}" if len(metrics) == 1 else text
