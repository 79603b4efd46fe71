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

A published case is taken to answer what both coders answer alike who saw only its situation. Where
they differ, or one leaves it open, it is open: an answer that two readers can't agree on makes
nobody alike. The coder who knew the outcome is not asked.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuneworthy.domain.goals import GOALS
from tuneworthy.domain.likeness import ArmId, Near, Precedent, Told
from tuneworthy.domain.record import State

if TYPE_CHECKING:  # a decision has no use for the whole record of a published case
    from tuneworthy.domain.precedent import Arm, PublishedCase

NEAREST = 5
"""How many are shown."""

PER_CLUSTER = 2
"""How many of them may come from one paper or company."""

_ARMS: tuple[ArmId, ...] = ("baseline", "best_prompt", "other_model", "rag", "fine_tuned")
_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*")


def precedent_of(case: PublishedCase) -> Precedent:
    """A published case with the answers both blind coders give."""
    first, second = case.coded("blind1"), case.coded("blind2")
    arms = [(arm, getattr(case, arm)) for arm in _ARMS]
    return Precedent(
        id=case.id,
        title=case.title,
        year=case.year,
        kind=case.kind or "unknown",
        cluster=case.group,
        goal=case.goal_kind or "unknown",
        winner=case.winner,
        margin=case.margin,
        source=case.source_url,
        url=address(case.source_url),
        status=case.source_status or "unknown",
        tried=tuple(_tried(name, arm) for name, arm in arms if arm is not None),
        answers={
            name: state
            for name, state in sorted(first.items())
            if state != "unknown" and second.get(name) == state
        },
        won=case.tuning_won,
    )


def address(source: str) -> str:
    """The first web address in a source, without the punctuation behind it; empty for none.

    Only plain characters count, so that no address carries markup, quotes or signs that hide.
    """
    found = _URL.search(source)
    url = found[0].rstrip(".,;:!?*") if found else ""
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(".,;:!?*")
    return url


def _tried(name: ArmId, arm: Arm) -> dict[str, str]:
    told = {
        "arm": name,
        "approach": arm.approach,
        "model": arm.model or arm.base_model,
        "train_examples": arm.train_examples,
        "metric": arm.metric,
        "value": arm.value,
    }
    return {key: value for key, value in told.items() if value}


def known(cases: Sequence[Precedent], states: Mapping[str, State]) -> dict[str, Told]:
    """A case's known answers to the questions that some published case answers, by id in order."""
    coded = {name for case in cases for name in case.answers}
    found: dict[str, Told] = {}
    for name in sorted(coded & states.keys()):
        state = states[name]
        if state != "unknown":
            found[name] = state
    return found


def likeness(
    cases: Sequence[Precedent], states: Mapping[str, State], goals: Sequence[str] = ()
) -> list[Near]:
    """Every published case with its likeness, the most alike first.

    Args:
        cases: Published cases; they also say how much an answer in common means.
        states: The case's answers; unknown ones, and those no published case has, count nothing.
        goals: The case's goals, the primary one first.

    Returns:
        All of them, those that are less alike than not too. Equals are in order of: figures that
        were read before figures recalled, the newer first, then by id; never by their order in
        ``cases``.
    """
    told = known(cases, states)
    surprise = {name: _surprises(name, cases) for name in told}
    of_goal = Counter(case.goal for case in cases)
    found = []
    for case in cases:
        weight = {
            name: (surprise[name][told[name]] + surprise[name][case.answers[name]]) / 2
            for name in told
            if name in case.answers
        }
        by_weight = sorted(weight, key=lambda name, of=weight: (-of[name], name))  # type: ignore[misc]  # bound here, not later
        shared = tuple(name for name in by_weight if case.answers[name] == told[name])
        differs = tuple(name for name in by_weight if case.answers[name] != told[name])
        terms = [weight[name] for name in shared] + [-weight[name] for name in differs]
        if case.goal in goals:
            rare = math.log2((len(cases) + len(GOALS)) / (of_goal[case.goal] + 1))
            terms.append(rare if case.goal == goals[0] else rare / 2)
        # rounded, so that equals are equal whatever the order of summing
        bits = round(math.fsum(terms), 9)
        found.append(Near(case, bits, case.goal in goals, shared, differs))
    return sorted(found, key=_order)


def _surprises(name: str, cases: Sequence[Precedent]) -> dict[State, float]:
    """Bits of a yes and of a no."""
    given = Counter(case.answers[name] for case in cases if name in case.answers)
    answers: tuple[State, State] = ("yes", "no")
    total = sum(given.values()) + len(answers)
    return {state: math.log2(total / (given[state] + 1)) for state in answers}


def _order(near: Near) -> tuple[float, bool, int, str]:
    case = near.case
    return -near.bits, case.status != "read", -(case.year or 0), case.id


def nearest(
    cases: Sequence[Precedent], states: Mapping[str, State], goals: Sequence[str] = ()
) -> tuple[tuple[Near, ...], int]:
    """The cases most alike.

    Args:
        cases: Published cases.
        states: The case's answers.
        goals: Its goals, the primary one first.

    Returns:
        At most five, at most two of a cluster, each with more in common than not; and how many
        further ones are as alike as the last of a full five. Empty, and 0, for a case of which
        nothing is known.
    """
    kept: list[Near] = []
    taken: Counter[str] = Counter()
    left = []
    for near in likeness(cases, states, goals):
        if near.bits <= 0:
            break
        if taken[near.case.cluster] == PER_CLUSTER:
            continue
        if len(kept) == NEAREST:
            left.append(near)
            continue
        taken[near.case.cluster] += 1
        kept.append(near)
    behind = sum(near.bits == kept[-1].bits for near in left) if left else 0
    return tuple(kept), behind


def vote(
    cases: Sequence[Precedent], states: Mapping[str, State], goals: Sequence[str] = ()
) -> float | None:
    """Share of the nearest cases in which tuning won; ties are left out before they are chosen.

    Args:
        cases: Published cases without the one asked about and its cluster.
        states: The case's answers.
        goals: Its goals, the primary one first.

    Returns:
        A share, or None where no case is alike.
    """
    near, _ = nearest([case for case in cases if case.winner != "tie"], states, goals)
    return sum(one.case.won for one in near) / len(near) if near else None
