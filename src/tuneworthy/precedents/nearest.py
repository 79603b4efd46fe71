"""The published cases most like a case, and why.

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
from typing import Literal, NamedTuple

from tuneworthy.errors import CaseError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import State
from tuneworthy.model.framework import GOALS
from tuneworthy.model.precedents import Known, Precedent, PrecedentIndex, PublishedCase
from tuneworthy.syntax.document import ParsedFile, Path, build, parse

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
                f'case "{case.id}" stands twice, first on line {first_line[case.id]}',
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
