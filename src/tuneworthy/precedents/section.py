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
    Tried,
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
_STEM = 6  #: Letters by which two other words are the same.
_SHORTEST_BEGINNING = 3  #: Letters before a ``*`` in the vocabulary.


def described(
    text: str, vocabulary: Mapping[str, Sequence[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """The subjects of a text, and the beginnings of its other words.

    The vocabulary leads from words to subjects. A word in it that ends with ``*`` stands for all
    words that begin so.
    """
    subjects: set[str] = set()
    others: set[str] = set()
    for whole in _WORD.findall(text.lower()):
        for word in {whole, *whole.split("-")}:
            lengths = range(_SHORTEST_BEGINNING, len(word) + 1)
            forms = [word, *(f"{word[:length]}*" for length in lengths)]
            known = [form for form in forms if form in vocabulary]
            for form in known:
                subjects.update(vocabulary[form])
            # Shorter words and numbers say little of what a text is about.
            if not known and word.isalpha() and len(word) > 3:
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
    counts = _count_features(index).answers
    known: dict[str, Known] = {}
    for name, state in sorted(states.items()):
        is_asked = counts[name, "yes"] or counts[name, "no"]
        if state != "unknown" and is_asked:
            known[name] = state
    return known


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
    bits = _bits_by_feature(index, text, states, goals)
    similar: list[SimilarCase] = []
    for case in index.cases:
        shared = {s: bits.subjects[s] for s in case.subjects if s in bits.subjects}
        if about and not shared:
            continue
        answers: dict[str, float] = {}
        for name, state in case.answers.items():
            if name in bits.answers:
                answers[name] = bits.answers[name][state]
        terms = [*shared.values(), bits.goals.get(case.shown["goal"], 0)]
        terms += [bits.words[word] for word in case.words if word in bits.words]
        # the mean, so that all answers together count about as much as one word
        terms += [of_answer / len(answers) for of_answer in answers.values()]
        # rounded, so that equals are equal whatever the order of summing
        similar.append(SimilarCase(case, round(math.fsum(terms), 9), shared, answers))
    return sorted(similar, key=_order)


class _FeatureBits(NamedTuple):
    """The bits that each feature of the present case counts where a published case has it, too."""

    subjects: Mapping[str, float]
    words: Mapping[str, float]
    goals: Mapping[str, float]
    answers: Mapping[str, Mapping[State, float]]
    """By question and the published case's answer; below zero for another answer."""


def _bits_by_feature(
    index: PrecedentIndex, text: str, states: Mapping[str, State], goals: Sequence[str]
) -> _FeatureBits:
    """The bits of the features of a case with this description, these answers and these goals."""
    counts = _count_features(index)
    total = len(index.cases)
    subjects, words = described(text, index.vocabulary)
    of_subjects = {name: _surprise(counts.subjects[name], total) for name in subjects}
    # words are shared by chance more often than subjects
    of_words = {word: _surprise(counts.words[word], total) / 2 for word in words}
    of_goals: dict[str, float] = {}
    for goal in goals:
        of_goal = _surprise(counts.goals[goal], total, len(GOALS))
        # further goals count half
        of_goals[goal] = of_goal if goal == goals[0] else of_goal / 2
    of_answers: dict[str, Mapping[State, float]] = {}
    for name, own in known_answers(index, states).items():
        yes = counts.answers[name, "yes"]
        no = counts.answers[name, "no"]
        of_yes = _surprise(yes, yes + no, 2)
        of_no = _surprise(no, yes + no, 2)
        differing = -(of_yes + of_no) / 2
        if own == "yes":
            of_answers[name] = {"yes": of_yes, "no": differing}
        else:
            of_answers[name] = {"yes": differing, "no": of_no}
    return _FeatureBits(of_subjects, of_words, of_goals, of_answers)


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
    of_cluster: Counter[str] = Counter()
    for similar in likeness(index, text, states, goals, about=True):
        cluster = similar.case.cluster
        is_alike = similar.bits >= LIKE
        if is_alike and of_cluster[cluster] < PER_CLUSTER:
            of_cluster[cluster] += 1
            neighbours.append(similar)
        if len(neighbours) == NEAREST:
            break
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
    states: dict[str, State] = {}
    for name, answer in case.factors.items():
        states[name] = answer.value
    for name in framework.factors:  # which a signal may have answered
        states[name] = assessment.state(name)
    answers = known_answers(index, states)
    text = f"{case.name}. {case.description}"
    titles = {name: factor.title for name, factor in framework.factors.items()}
    similar = nearest(index, text, answers, case.goals)
    neighbours = tuple(
        _neighbour(near, case.goals, answers, titles) for near in similar
    )
    primary_goal = case.goals[0] if case.goals else ""
    base_rate: BaseRate | Unknown = Unknown(ask="name the goals, the primary one first")
    if primary_goal:
        base_rate = goal_rate(index, primary_goal, least)
    rates: list[BaseRate] = []
    for key, rate in index.rates.items():
        if key.startswith(("kind", "year")) and rate.n >= least:
            rates.append(rate)
    return PrecedentsResult(
        nearest=neighbours or _NONE_ALIKE,
        base_rate=base_rate,
        every_rate=index.rates[""],
        rates=tuple(rates),
        record=record_for_goal(index, primary_goal, rules, least),
    )


# How often tuning won.


def goal_rate(index: PrecedentIndex, goal: str, least: int) -> BaseRate | Unknown:
    """The rate of a goal; unknown for too few cases."""
    rate = index.rates.get(f"goal={goal}")
    if rate is not None and rate.n >= least:
        return rate
    n = 0 if rate is None else rate.n
    of = f"published cases of {plain(goal)}"
    there_are = f"there are {few(n)}, and a rate takes {few(least)}"
    return Unknown(ask=f"find {few(least - n)} more {of}: {there_are}")


def rate_of(cases: Sequence[Precedent], of: str) -> BaseRate | None:
    """How often tuning won in some cases, without ties; None where there are no other cases."""
    untied = [case for case in cases if case.shown["winner"] != "tie"]
    if not untied:
        return None
    clusters = [case.cluster for case in untied]
    won = len([case for case in untied if tuning_won(case)])
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
    keys = [key for key, other in index.rates.items() if other == rate]
    if not keys:
        return []
    # as goal=voice
    field, _, value = keys[0].partition("=")
    untied = [case for case in index.cases if case.shown["winner"] != "tie"]
    return [case for case in untied if str(case.shown.get(field)) == value]


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
    bits = similar.answers
    answered = _heaviest(bits)
    return Neighbour(
        **fields,
        likeness_bits=similar.bits,
        subjects=tuple(_heaviest(similar.subjects)),
        same_goal=fields["goal"] in goals,
        shared={name: answers[name] for name in answered if bits[name] > 0},
        differs={name: answers[name] for name in answered if bits[name] < 0},
        why=_why(similar, goals, titles),
    )


def _heaviest(bits: Mapping[str, float]) -> list[str]:
    """Names by the bits that they count, for or against; of equal ones by name."""
    return sorted(bits, key=lambda name: (-abs(bits[name]), name))


def _why(similar: SimilarCase, goals: Sequence[str], titles: Mapping[str, str]) -> str:
    """Why a case is similar, and in what it differs."""
    goal = similar.case.shown["goal"]
    parts = [f"both about {listing(_heaviest(similar.subjects))}"]
    if goal in goals:
        which = "same goal" if goal == goals[0] else "a goal of both"
        parts.append(f"{which} ({plain(goal)})")
    elif goals and goal != "unknown":
        parts.append(f"another goal ({plain(goal)})")
    answered = _heaviest(similar.answers)
    same = [name for name in answered if similar.answers[name] > 0]
    other = [name for name in answered if similar.answers[name] < 0]
    if same:
        parts.append(f"same answers: {_answers_text(same, similar.case, titles)}")
    if other:
        there = _answers_text(other, similar.case, titles)
        parts.append(f"other answers there: {there}")
    return ". ".join(map(capital, parts))


def _answers_text(
    names: Sequence[str], case: Precedent, titles: Mapping[str, str]
) -> str:
    """A published case's answers to some questions; of many, the last ones are only counted."""
    shown = names
    if len(names) > MOST_SHARED:
        shown = names[: MOST_SHARED - 1]
    texts = [f"{titles.get(name, plain(name))} {case.answers[name]}" for name in shown]
    if len(shown) < len(names):
        texts.append(f"{few(len(names) - len(shown))} more")
    return listing(texts)


def won_text(near: Neighbour) -> str:
    """The winner, and its lead."""
    margin = f"; {near.margin}" if near.margin else ""
    return f"{ARMS.get(near.winner, 'nothing, a tie')}{margin}"


def kind_text(near: Neighbour) -> str:
    """Goal, year and kind, with a note if the figures are from memory."""
    texts = ["goal unknown" if near.goal == "unknown" else plain(near.goal)]
    if not isinstance(near.year, Unknown):
        texts.append(str(near.year))
    if near.kind != "unknown":
        texts.append(near.kind)
    if near.source_status == "recalled":
        texts.append("figures recalled from memory")
    return ", ".join(text for text in texts if text)


def tried_text(near: Neighbour) -> str:
    """The ways tried with their results, in one paragraph; a repeated one is named once."""
    metrics = {arm.metric for arm in near.tried if arm.value and arm.metric}
    name_of_result: dict[str, str] = {}
    for arm in near.tried:
        result = _how_tried(arm)
        if len(metrics) > 1 and arm.value and arm.metric:
            result += f", {arm.metric}"
        result += f": {arm.value or 'no figure'}"
        name_of_result.setdefault(result, ARM_WORDS[arm.arm])
    text = "; ".join(f"{name}{result}" for result, name in name_of_result.items())
    # One metric for all is said once, before them.
    return f"by {metrics.pop()}: {text}" if len(metrics) == 1 else text


def _how_tried(arm: Tried) -> str:
    """How a way was tried, in brackets: its approach, its model and its examples; else empty."""
    examples = arm.train_examples
    # A source may say it in words, and a number with more digits is none of examples.
    if examples.isdecimal() and len(examples) < 12:
        examples = f"{int(examples):,} examples"
    known = [text for text in (arm.approach, arm.model, examples) if text]
    return f" ({', '.join(known)})" if known else ""
