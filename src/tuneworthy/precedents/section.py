"""What happened to others: the published cases most like a case, and how often tuning won.

Likeness is counted in bits. A question that both have answered counts the mean surprise of the two
answers, the surprise of an answer being minus the binary logarithm of its share among published
cases (with one case added for each answer, so that one nobody gave stays finite). It counts for
likeness when the answers are the same and against it when they differ: to share what few share says
much, to share what nearly all share says nearly nothing, and to differ where one of the two is rare
says much again. A question that either side leaves open counts nothing. A shared goal counts its
surprise, half of it when it isn't the primary goal; another goal is the usual thing and counts
nothing. No weight is fitted and no outcome is looked at, so that the neighbours' outcomes may be
held against the case.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import State, Unknown
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
    PublishedCase,
    Tried,
)
from tuneworthy.syntax.document import ParsedFile, Path, build, parse
from tuneworthy.verdict.options import ARMS
from tuneworthy.words import few, listing, number, plain, share

NEAREST = 5
"""How many are shown."""

PER_CLUSTER = 2
"""How many of them may come from one paper or company."""

INDEX_FILE = "published_index.json"
CASES_FILE = "published_cases.yaml"

_ANSWERS: tuple[Literal["yes"], Literal["no"]] = ("yes", "no")


class SimilarCase(NamedTuple):
    """A published case with what makes it like the one asked about."""

    case: Precedent
    bits: float
    """Likeness; above 0 for a neighbour."""
    same_goal: bool
    shared: tuple[str, ...]
    """Ids of the answers both have in common, the one that says most first."""
    differs: tuple[str, ...]
    """Ids of the answers that differ, likewise."""


def known_answers(cases: Sequence[Precedent], states: Mapping[str, State]) -> dict[str, Known]:
    """A case's known answers to the questions that some published case answers, by id in order."""
    coded = {name for case in cases for name in case.answers}
    answers: dict[str, Known] = {}
    for name in sorted(coded & states.keys()):
        state = states[name]
        if state != "unknown":
            answers[name] = state
    return answers


def likeness(
    cases: Sequence[Precedent], states: Mapping[str, State], goals: Sequence[str] = ()
) -> list[SimilarCase]:
    """Every published case with its likeness, the most alike first.

    Those that are less alike than not are among them. Of equals figures that were read come before
    figures recalled, then the newer, then by id; never by their order in ``cases``.
    """
    answers = known_answers(cases, states)
    surprise = {name: _surprise(name, cases) for name in answers}
    of_goal = Counter(case.goal for case in cases)
    similar = []
    for case in cases:
        bits = {
            name: (surprise[name][answers[name]] + surprise[name][case.answers[name]]) / 2
            for name in answers
            if name in case.answers
        }
        by_weight = [name for _, name in sorted((-weight, name) for name, weight in bits.items())]
        shared = tuple(name for name in by_weight if case.answers[name] == answers[name])
        differs = tuple(name for name in by_weight if case.answers[name] != answers[name])
        terms = [bits[name] for name in shared] + [-bits[name] for name in differs]
        if case.goal in goals:
            rare = math.log2((len(cases) + len(GOALS)) / (of_goal[case.goal] + 1))
            terms.append(rare if case.goal == goals[0] else rare / 2)
        # rounded, so that equals are equal whatever the order of summing
        total = round(math.fsum(terms), 9)
        similar.append(SimilarCase(case, total, case.goal in goals, shared, differs))
    return sorted(similar, key=_order)


def _surprise(name: str, cases: Sequence[Precedent]) -> dict[State, float]:
    """Bits of a yes and of a no."""
    times = Counter(case.answers[name] for case in cases if name in case.answers)
    total = sum(times.values()) + len(_ANSWERS)
    return {state: math.log2(total / (times[state] + 1)) for state in _ANSWERS}


def _order(similar: SimilarCase) -> tuple[float, bool, int, str]:
    case = similar.case
    return -similar.bits, case.source_status != "read", -(case.year or 0), case.id


def nearest(
    cases: Sequence[Precedent], states: Mapping[str, State], goals: Sequence[str] = ()
) -> tuple[tuple[SimilarCase, ...], int]:
    """At most five cases, two of a cluster, each with more in common than not.

    Beside them how many further ones are as alike as the last of a full five.
    """
    kept: list[SimilarCase] = []
    clusters: Counter[str] = Counter()
    behind = 0
    for similar in likeness(cases, states, goals):
        if similar.bits <= 0:
            break
        if clusters[similar.case.cluster] == PER_CLUSTER:
            continue
        if len(kept) < NEAREST:
            clusters[similar.case.cluster] += 1
            kept.append(similar)
        elif similar.bits == kept[-1].bits:
            behind += 1
    return tuple(kept), behind


# The published cases: as a decision reads them, and in full.


@cache
def shipped_index() -> PrecedentIndex:
    """The index that comes with the package; a test holds it against the cases it was made from."""
    data = json.loads(catalogue_text(INDEX_FILE))
    return PrecedentIndex(
        cases=tuple(Precedent(**{**row, "tried": tuple(row["tried"])}) for row in data["cases"]),
        questions=tuple(data["questions"]),
        rates=data["rates"],
    )


def shipped_cases() -> tuple[PublishedCase, ...]:
    """The published cases that come with the package."""
    return read_cases(parse(catalogue_text(CASES_FILE), CASES_FILE, CaseError))


def read_cases(document: ParsedFile) -> tuple[PublishedCase, ...]:
    """Published cases from a parsed file, in its order; never empty.

    Raises:
        CaseError: If it is no list, holds no case, or one of them is wrong; with the line.
    """
    data = document.data
    if not isinstance(data, list) or not data:
        raise CaseError(
            f"is {'empty' if not data else 'not a list of cases'}",
            where=document.where(()),
            fix="write a list, each case with at least an id and a winner",
        )
    lines = _lines_by_item(document)
    cases: list[PublishedCase] = []
    first_line: dict[str, int] = {}
    for position, item in enumerate(data):
        line = document.lines.get((position,), 1)
        if not isinstance(item, dict):
            raise CaseError(
                "is no case",
                where=f"{document.name}:{line}",
                fix="write keys and values, at least an id and a winner",
            )
        own = {(): line, **lines.get(position, {})}
        case = build(PublishedCase, ParsedFile(item, document.name, own), CaseError)
        line_of_id = own.get(("id",), line)
        if case.id in first_line:
            raise CaseError(
                f'case "{case.id}" appears twice, first on line {first_line[case.id]}',
                where=f"{document.name}:{line_of_id}",
                fix="give each case its own id, or keep one of them",
            )
        first_line[case.id] = line_of_id
        cases.append(case)
    return tuple(cases)


def _lines_by_item(document: ParsedFile) -> dict[int, dict[Path, int]]:
    """The lines of each item of the list, with paths that begin inside the item."""
    by_item: dict[int, dict[Path, int]] = {}
    for path, line in document.lines.items():
        if len(path) > 1 and isinstance(path[0], int):
            by_item.setdefault(path[0], {})[path[1:]] = line
    return by_item


# The section of the dossier.

LEAST_CASES = 10
"""Cases a rate takes where a framework has no threshold ``published_cases``; the lesson's."""

LONGEST_PATTERN = 3
"""Answers in a pattern, at most."""

MOST_SHARED = 4
"""Answers in common that are named; further ones are counted."""

NO_CHANCE = (
    "No chance that tuning wins is computed from published cases: the one that was is withdrawn. "
    "On 38 cases kept aside it was right in 20, and its Brier score was worse than that of the "
    "share of wins."
)
"""Why no chance is shown, with the figures of docs/concepts/how-often-is-it-right.md."""

BEWARE = (
    "Winners are published more often than losers, and few cases are alike in everything that "
    "counts. What happened to others is no odds for what is still open here. " + NO_CHANCE
)
"""The lines under every list of precedents."""

IN_SHORT = Unknown(ask="leave --quick out: others are compared by more answers")
_NOTHING_KNOWN = Unknown(ask="name the goals, and answer the reasons for and against")
_NONE_ALIKE = Unknown(ask="answer more of the reasons: by those known no published case is alike")
_WITHDRAWN = Unknown(
    ask="find one that beats the share of wins on cases nobody had seen when it was made: "
    "withdrawn on 2026-11-27, because on 38 such cases the fitted one was right in 20"
)
"""What the names of the withdrawn chance carry; the names stay for whoever reads the dossier."""

_RATE = ("n", "won", "clusters", "low", "high", "method")
"""The order of a rate in the index."""


def precedents(
    index: PrecedentIndex, goals: Sequence[str], framework: Framework, assessment: Assessment
) -> PrecedentsResult | Unknown:
    """Compare a case with the published ones.

    Answers to checks and signals don't count: no coder gave them blind.
    """
    threshold = framework.threshold("published_cases")
    least = max(1, math.ceil(LEAST_CASES if threshold is None else threshold))
    states: dict[str, State] = {name: assessment.state(name) for name in framework.factors}
    answers = known_answers(index.cases, states)
    if not answers and not goals:
        return _NOTHING_KNOWN
    titles = {name: factor.title for name, factor in framework.factors.items()}
    similar, behind = nearest(index.cases, answers, goals)
    return PrecedentsResult(
        nearest=tuple(_neighbour(case, goals, answers, titles) for case in similar) or _NONE_ALIKE,
        as_near=behind,
        base_rate=goal_rate(index, goals[0], least)
        if goals
        else Unknown(ask="name the goals, the primary one first"),
        pattern_rate=pattern_rate(index, answers, titles, least),
        every_rate=_rate(index.rates[""], "published cases", {}),
        p_fine_tune=_WITHDRAWN,
        p_interval=_WITHDRAWN,
        p_open=_WITHDRAWN,
        track_record=_WITHDRAWN,
        disagrees="The published cases give no probability to agree or disagree with: the fitted "
        "one is withdrawn.",
        moves=(),
    )


# How often tuning won.


def goal_key(goal: str) -> str:
    """Where the index keeps the rate of a goal."""
    return f"goal={goal}"


def pattern_key(pattern: Mapping[str, State] | Mapping[str, Known]) -> str:
    """Where the index keeps the rate of a pattern; the order of its answers doesn't count."""
    return "&".join(f"{name}={pattern[name]}" for name in sorted(pattern))


def goal_rate(index: PrecedentIndex, goal: str, least: int) -> BaseRate | Unknown:
    """The rate of a goal, or too few cases of it."""
    return _enough(index, goal_key(goal), f"published cases of {plain(goal)}", {}, least)


def pattern_rate(
    index: PrecedentIndex, answers: Mapping[str, Known], titles: Mapping[str, str], least: int
) -> BaseRate | Unknown:
    """The rate of the cases that answer the most informative questions the same.

    The pattern has at most three answers, each kept only while enough cases have all of them. With
    too few cases for any it says how few there are with the most informative answer.
    """
    asked = [name for name in index.questions if name in answers]
    if not asked:
        ask = next((name for name in index.questions if name in titles), None)
        if ask is None:
            return Unknown(ask="ask what distinguishes published cases: --framework precedent")
        return Unknown(ask=f"answer {ask}")
    pattern: dict[str, Known] = {}
    for name in asked:
        longer = {**pattern, name: answers[name]}
        if len(longer) <= LONGEST_PATTERN and _cases(index, pattern_key(longer)) >= least:
            pattern = longer
    pattern = pattern or {asked[0]: answers[asked[0]]}
    of = f"published cases with {_answers_text(pattern, titles)}"
    return _enough(index, pattern_key(pattern), of, pattern, least)


def _cases(index: PrecedentIndex, key: str) -> int:
    return int(index.rates[key][0]) if key in index.rates else 0


def _enough(
    index: PrecedentIndex, key: str, of: str, answers: Mapping[str, Known], least: int
) -> BaseRate | Unknown:
    n = _cases(index, key)
    if n >= least:
        return _rate(index.rates[key], of, answers)
    return Unknown(
        ask=f"find {few(least - n)} more {of}: there are {few(n)}, and a rate takes {few(least)}"
    )


def _rate(numbers: Sequence[Any], of: str, answers: Mapping[str, Known]) -> BaseRate:
    fields = dict(zip(_RATE, numbers, strict=True))
    return BaseRate(of=of, answers=dict(answers), rate=fields["won"] / fields["n"], **fields)


def rate_text(rate: BaseRate | Unknown) -> str:
    """A base rate with its count and interval; what would make one where there is none."""
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
    case = similar.case
    return Neighbour(
        id=case.id,
        title=case.title,
        winner=case.winner,
        source_url=case.source_url,
        source=case.source,
        source_status=case.source_status,
        year=Unknown(ask="see its source") if case.year is None else case.year,
        kind=case.kind,
        goal=case.goal,
        margin=case.margin,
        tried=tuple(Tried.model_validate(arm) for arm in case.tried),
        likeness_bits=similar.bits,
        same_goal=similar.same_goal,
        shared={name: answers[name] for name in similar.shared},
        differs={name: answers[name] for name in similar.differs},
        why=_why(similar, goals, answers, titles),
    )


def _why(
    similar: SimilarCase,
    goals: Sequence[str],
    answers: Mapping[str, Known],
    titles: Mapping[str, str],
) -> str:
    """Why a published case is alike, and in what it differs."""
    parts = []
    if similar.same_goal:
        which = "same goal" if similar.case.goal == goals[0] else "a goal of both"
        parts.append(f"{which} ({plain(similar.case.goal)})")
    if similar.shared:
        shared = [_answer(name, answers[name], titles) for name in similar.shared]
        parts.append(f"in both {_first(shared)}")
    if similar.differs:
        there = {name: "no" if answers[name] == "yes" else "yes" for name in similar.differs}
        differs = [_answer(name, state, titles) for name, state in there.items()]
        parts.append(f"but there {_first(differs)}")
    return "; ".join(parts)


def _first(items: list[str]) -> str:
    """The first few, and how many more."""
    if len(items) <= MOST_SHARED:
        return listing(items)
    return listing([*items[: MOST_SHARED - 1], f"{few(len(items) - MOST_SHARED + 1)} more"])


def _answer(name: str, state: str, titles: Mapping[str, str]) -> str:
    return f"{titles.get(name, plain(name))} {state}"


def _answers_text(answers: Mapping[str, Known], titles: Mapping[str, str]) -> str:
    return listing([_answer(name, state, titles) for name, state in answers.items()])


_ARMS: dict[ArmId, str] = {
    "baseline": "start",
    "best_prompt": "best prompt",
    "other_model": "other model",
    "rag": "retrieval",
    "fine_tuned": "tuning",
}
"""The arms of a published case."""


def won_text(near: Neighbour) -> str:
    """What won and by how much."""
    margin = f"; {near.margin}" if near.margin else ""
    return f"{ARMS.get(near.winner, 'nothing, a tie')}{margin}"


def kind_text(near: Neighbour) -> str:
    """Goal, year and kind; and that its figures are recalled from memory, where they are."""
    goal = "goal unknown" if near.goal == "unknown" else plain(near.goal)
    year = "" if isinstance(near.year, Unknown) else str(near.year)
    kind = "" if near.kind == "unknown" else near.kind
    recalled = "figures recalled from memory" if near.source_status == "recalled" else ""
    return ", ".join(text for text in (goal, year, kind, recalled) if text)


def tried_text(near: Neighbour) -> str:
    """What was tried with what it came to, in one paragraph; what repeats is said once."""
    metrics = {arm.metric for arm in near.tried if arm.value and arm.metric}
    first: dict[str, str] = {}
    for arm in near.tried:
        who = ", ".join(text for text in (arm.approach, arm.model, _examples(arm)) if text)
        what = f" ({who})" if who else ""
        if len(metrics) > 1 and arm.value and arm.metric:
            what += f", {arm.metric}"
        first.setdefault(f"{what}: {arm.value or 'no figure'}", _ARMS[arm.arm])
    text = "; ".join(f"{arm}{what}" for what, arm in first.items())
    return f"by {metrics.pop()}: {text}" if len(metrics) == 1 else text


def _examples(arm: Tried) -> str:
    text = arm.train_examples
    if not text:
        return ""
    return f"{int(text):,} examples" if text.isdecimal() and len(text) < 12 else text
