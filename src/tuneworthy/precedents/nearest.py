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

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from tuneworthy.errors import CaseError
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import State
from tuneworthy.model.dossier import Assessment
from tuneworthy.model.framework import GOALS, Framework
from tuneworthy.model.precedents import (
    ArmId,
    Few,
    Index,
    Near,
    Others,
    Precedent,
    PublishedCase,
    Rate,
    Told,
)
from tuneworthy.stats.clustered import RESAMPLES, cluster_interval, independent_cases
from tuneworthy.stats.intervals import wilson
from tuneworthy.syntax.document import ParsedFile, Path, build, parse

if TYPE_CHECKING:
    import numpy as np

    from tuneworthy.model.precedents import PublishedArm


# The published cases most like a case, and why.

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


def _tried(name: ArmId, arm: PublishedArm) -> dict[str, str]:
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


# How often tuning won: in all published cases, for a goal, and for a pattern of answers.

ENOUGH_CLUSTERS = 20
"""Below this, drawing clusters again gives intervals that are too narrow."""

LEAST_CASES = 10
"""Cases a rate takes where a framework has no threshold ``published_cases``; the lesson's."""

LONGEST_PATTERN = 3
"""Answers in a pattern, at most."""

SEPARATING = (
    "house_convention",
    "narrow_task",
    "consistent_behavior",
    "knowledge_facts",
    "open_ended_chat",
    "low_volume",
    "constraint_gap",
)
"""Questions whose answers part won from lost in the published cases (docs/concepts)."""


def goal_key(goal: str) -> str:
    """Where the index keeps the rate of a goal."""
    return f"goal={goal}"


def pattern_key(pattern: Mapping[str, State] | Mapping[str, Told]) -> str:
    """Where the index keeps the rate of a pattern; the order of its answers doesn't count."""
    return "&".join(f"{name}={pattern[name]}" for name in sorted(pattern))


def rate(
    cases: Sequence[Precedent], *, rng: np.random.Generator, draws: int = RESAMPLES
) -> Rate | None:
    """How often tuning won.

    Args:
        cases: Published cases; ties among them are left out.
        rng: The source of chance.
        draws: How often clusters are drawn again.

    Returns:
        The rate with a 95% interval: whole clusters drawn again where there are at least
        ``ENOUGH_CLUSTERS`` and that gives a width, else Wilson's with cases of one cluster counted
        together. None without a case.
    """
    counted = [case for case in cases if case.winner != "tie"]
    if not counted:
        return None
    won = [float(case.won) for case in counted]
    clusters = [case.cluster for case in counted]
    n, wins, papers = len(counted), int(sum(won)), len(set(clusters))
    if papers >= ENOUGH_CLUSTERS:
        low, high = cluster_interval(won, clusters, rng=rng, draws=draws)
        if low < high:
            share = wins / n
            low, high = min(low, share), max(high, share)
            return Rate(n, wins, papers, low, high, "cluster_bootstrap")
    worth = independent_cases(clusters)
    low, high = wilson(wins / n * worth, worth)
    return Rate(n, wins, papers, low, high, "wilson_by_cluster")


def telling(cases: Sequence[Precedent]) -> tuple[str, ...]:
    """The separating questions, the one that tells most about the winner first.

    Told is the information about won or lost, in bits over all cases, so that a question few cases
    answer tells little; equals in order of their ids.
    """
    counted = [case for case in cases if case.winner != "tie"]
    found = {name: _information(name, counted) for name in SEPARATING}
    return tuple(sorted(found, key=lambda name: (-round(found[name], 9), name)))


def _information(name: str, cases: Sequence[Precedent]) -> float:
    """Mutual information of answer and outcome where it is answered, times the share answered."""
    cells = Counter((case.answers[name], case.won) for case in cases if name in case.answers)
    n = sum(cells.values())
    if not n:
        return 0.0
    rows, columns = Counter[str](), Counter[bool]()
    for (answer, won), count in cells.items():
        rows[answer] += count
        columns[won] += count
    bits = math.fsum(
        count / n * math.log2(count * n / (rows[answer] * columns[won]))
        for (answer, won), count in sorted(cells.items())
    )
    return bits * n / len(cases)


def every_rate(cases: Sequence[Precedent], seed: int = 0) -> dict[str, Rate]:
    """The rate of all cases, of each goal and of each pattern that some case has.

    Each is drawn with a generator of its own, so that one more case of a goal changes no other.
    """
    import numpy as np

    parts: dict[str, Sequence[Precedent]] = {"": cases}
    for goal in sorted({case.goal for case in cases}):
        parts[goal_key(goal)] = [case for case in cases if case.goal == goal]
    for pattern in _patterns():
        parts[pattern_key(pattern)] = [case for case in cases if _has(case, pattern)]
    found = {}
    for key, part in parts.items():
        counted = rate(part, rng=np.random.default_rng(seed))
        if counted is not None:
            found[key] = counted
    return found


def _patterns() -> Iterator[dict[str, State]]:
    answers: tuple[State, State] = ("yes", "no")
    for size in range(1, LONGEST_PATTERN + 1):
        for names in combinations(SEPARATING, size):
            for states in product(answers, repeat=size):
                yield dict(zip(names, states, strict=True))


def _has(case: Precedent, pattern: Mapping[str, State]) -> bool:
    return all(case.answers.get(name) == state for name, state in pattern.items())


def of_goal(rates: Mapping[str, Rate], goal: str, least: float) -> Rate | Few:
    """The rate of a goal, or too few cases of it."""
    return _enough(rates.get(goal_key(goal)), least)


def of_pattern(
    rates: Mapping[str, Rate], order: Sequence[str], answers: Mapping[str, Told], least: float
) -> tuple[dict[str, Told], Rate | Few | None]:
    """The rate of the cases that answer the most telling questions the same.

    Args:
        rates: Rates by key.
        order: The questions a pattern may hold, the most telling first.
        answers: What the case answers.
        least: The fewest cases a rate takes.

    Returns:
        The pattern, of at most three answers, each kept only while enough cases have all of them;
        and its rate. With too few cases for any: the most telling answer, and how few there are.
        With none of the questions answered: an empty pattern and None.
    """
    pattern: dict[str, Told] = {}
    asked = [name for name in order if name in answers]
    for name in asked:
        longer = {**pattern, name: answers[name]}
        if len(longer) > LONGEST_PATTERN:
            break
        if isinstance(_enough(rates.get(pattern_key(longer)), least), Rate):
            pattern = longer
    if pattern:
        return pattern, rates[pattern_key(pattern)]
    if not asked:
        return {}, None
    first: dict[str, Told] = {asked[0]: answers[asked[0]]}
    return first, _enough(rates.get(pattern_key(first)), least)


def _enough(found: Rate | None, least: float) -> Rate | Few:
    n = found.n if found else 0
    needed = max(1, math.ceil(least))
    return found if found and n >= needed else Few(n, needed)


# The published cases as a decision reads them: made by a tool, and quick to load.

FILE = "published_index.json"

_KEPT = (
    "id",
    "title",
    "year",
    "kind",
    "cluster",
    "goal",
    "winner",
    "margin",
    "source",
    "url",
    "status",
    "won",
)


@cache
def shipped_index() -> Index:
    """The index that comes with the package; a test holds it against the cases it was made from."""
    data = json.loads(catalogue_text(FILE))
    return Index(
        cases=tuple(map(_case, data["cases"])),
        telling=tuple(data["telling"]),
        rates={key: Rate(*numbers) for key, numbers in data["rates"].items()},
    )


def _case(data: dict[str, Any]) -> Precedent:
    return Precedent(**{**data, "tried": tuple(data["tried"])})


def index_text(
    cases: Sequence[Precedent],
    telling: Sequence[str],
    rates: dict[str, Rate],
    made_from: str,
) -> str:
    """The file of an index.

    Args:
        cases: Published cases, in the order they are to stand in.
        telling: Questions of patterns in order.
        rates: Rates by key.
        made_from: The text of the file of cases; its SHA-256 is kept.

    Returns:
        JSON, one case and one rate a line, so that a difference can be read.
    """
    rows = [
        json.dumps(
            {name: getattr(case, name) for name in _KEPT}
            | {"tried": case.tried, "answers": dict(case.answers)},
            ensure_ascii=False,
        )
        for case in cases
    ]
    counted = [
        f"{json.dumps(key)}: {json.dumps(list(asdict(rate).values()))}"
        for key, rate in rates.items()
    ]
    return (
        '{"made_from": '
        + json.dumps(hashlib.sha256(made_from.encode("utf-8")).hexdigest())
        + ',\n"telling": '
        + json.dumps(list(telling))
        + ',\n"rates": {\n'
        + ",\n".join(counted)
        + '\n},\n"cases": [\n'
        + ",\n".join(rows)
        + "\n]}\n"
    )


# What the published cases say about one case: the nearest, and base rates.


def look(
    index: Index, goals: Sequence[str], framework: Framework, assessment: Assessment
) -> Others:
    """Hold a case against the published ones.

    Args:
        index: The published cases.
        goals: The case's goals, the primary one first.
        framework: Says which questions are asked, and the fewest cases a rate takes.
        assessment: The answers. Those to checks and signals don't count: no coder gave them blind.

    Returns:
        What they say. Nothing known gives no neighbour and no rate but that of all cases.
    """
    least = framework.threshold("published_cases")
    least = LEAST_CASES if least is None else least
    states = {name: assessment.state(name) for name in framework.factors}
    answers = known(index.cases, states)
    near, behind = nearest(index.cases, answers, goals)
    pattern, pattern_rate = of_pattern(index.rates, index.telling, answers, least)
    goal = goals[0] if goals else None
    return Others(
        goal=goal,
        answers=answers,
        near=near,
        as_near=behind,
        every=index.rates[""],
        of_goal=None if goal is None else of_goal(index.rates, goal, least),
        of_pattern=pattern_rate,
        pattern=pattern,
        telling=index.telling,
    )


# Published cases from the catalogue or from a parsed file.

CASES_FILE = "published_cases.yaml"


def shipped_cases() -> tuple[PublishedCase, ...]:
    """The published cases that come with the package."""
    return read_cases(parse(catalogue_text(CASES_FILE), CASES_FILE, CaseError))


def read_cases(document: ParsedFile) -> tuple[PublishedCase, ...]:
    """Published cases from a parsed file.

    Args:
        document: A list of cases, each with at least ``id`` and ``winner``.

    Returns:
        The cases in the order of the file; never empty.

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
    seen: dict[str, int] = {}
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
        if case.id in seen:
            raise CaseError(
                f'case "{case.id}" stands twice, first on line {seen[case.id]}',
                where=f"{document.name}:{own.get(('id',), line)}",
                fix="give each case its own id, or keep one of them",
            )
        seen[case.id] = own.get(("id",), line)
        cases.append(case)
    return tuple(cases)


def _lines_by_item(document: ParsedFile) -> dict[int, dict[Path, int]]:
    """The lines of each item of the list, with paths that begin inside the item."""
    result: dict[int, dict[Path, int]] = {}
    for path, line in document.lines.items():
        if len(path) > 1 and isinstance(path[0], int):
            result.setdefault(path[0], {})[path[1:]] = line
    return result
