"""The framework's three rules (tree, score, difference), applied to an assessment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, product
from math import comb
from typing import Any, Literal, NamedTuple

from tuneworthy.framework.rules import Rules, bounded, condition_text
from tuneworthy.framework.tally import Completions, effort, tally
from tuneworthy.model.base import Range, State, States
from tuneworthy.model.dossier import (
    AnswerFlip,
    BandRange,
    Decision,
    DifferenceResult,
    FlipResult,
    QuestionResult,
    RuleResults,
    ScoreResult,
    TreeResult,
    TreeStep,
    Verdict,
)
from tuneworthy.model.framework import BANDS, OUTCOMES, Band, Framework, Outcome

CORNERS = (0.1, 0.9)  #: Between these the odds of open answers move for the bounds.

_GRID = 17

#: Each measure's ends over all completions.
Measures = Mapping[str, tuple[float, float]]


def apply_rules(states: States, framework: Framework, rules: Rules) -> Decision:
    """Apply tree, score and difference to the state of every check and factor.

    The decision is final exactly when only one outcome can be reached. Otherwise it is
    ``undecided`` and leans to the outcome with the largest share; of equal shares it takes the more
    cautious outcome. Raises a CaseError if the open answers have too many different combinations.
    """
    counted = tally(rules, states)
    shares = dict(counted.even)
    reach = tuple(outcome for outcome in OUTCOMES if outcome in counted.reach)
    measures = _measures(states, rules)
    of_score, of_difference = _bands(measures, rules)
    outcome = outcome_of(counted.reach)
    return Decision(
        outcome=outcome,
        leaning=max(reach, key=lambda name: (shares[name], -OUTCOMES.index(name))),
        reach=reach,
        rules=RuleResults(
            tree=TreeResult(
                outcome=outcome, path=_path(counted, framework, rules, measures)
            ),
            score=ScoreResult(
                value=_in_framework_units("score", measures, rules),
                denominator=rules.denominator,
                band=_band(*of_score),
            ),
            difference=DifferenceResult(
                value=_in_framework_units("difference", measures, rules),
                band=_band(*of_difference),
            ),
        ),
        strength=strength_of(states, rules),
        distribution=shares,
        bounds=_bounds(counted),
    )


def _bands(measures: Measures, rules: Rules) -> list[tuple[Band, Band]]:
    """The bands of score and difference, each as a pair of its lowest and its highest band."""
    low, high = measures["difference"]
    cuts = (rules.score_cuts, rules.difference_cuts)
    return [(each.band(int(low)), each.band(int(high))) for each in cuts]


def strength_of(states: States, rules: Rules) -> BandRange:
    """The range of strength, from the lowest to the highest band that either rule gives."""
    bands = _bands(_measures(states, rules), rules)
    return BandRange(
        low=min((first for first, _ in bands), key=BANDS.index),
        high=max((last for _, last in bands), key=BANDS.index),
    )


def outcome_of(reach: Collection[Outcome]) -> Verdict:
    """The outcome if only one can be reached, else ``undecided``."""
    if len(reach) != 1:
        return "undecided"
    (outcome,) = reach
    return outcome


def _band(low: Band, high: Band) -> Band | BandRange:
    return low if low == high else BandRange(low=low, high=high)


def _measures(states: States, rules: Rules) -> Measures:
    """The least and the most of each measure over all completions; weights are in scaled units."""
    ends: dict[str, tuple[float, float]] = {}
    groups = {
        "indicator": rules.indicators,
        "anti_indicator": rules.anti_indicators,
        "check": rules.checks,
    }
    for kind, names in groups.items():
        yes = [rules.weights[name] for name in names if states[name] == "yes"]
        more = [rules.weights[name] for name in names if states[name] == "unknown"]
        ends[f"{kind}s"] = (len(yes), len(yes) + len(more))
        ends[f"{kind}_weight"] = (sum(yes), sum(yes) + sum(more))
    least_for, most_for = ends["indicator_weight"]
    least_against, most_against = ends["anti_indicator_weight"]
    ends["difference"] = (least_for - most_against, most_for - least_against)
    return ends


def _path(
    counted: Completions, framework: Framework, rules: Rules, measures: Measures
) -> tuple[TreeStep, ...]:
    """The steps of the tree up to the one that certainly holds, without one that always holds."""
    path = []
    left = sum(counted.ending)
    for step, here in zip(framework.tree, counted.ending, strict=True):
        if step.when is None or left == 0:
            break
        answer: State = "no"
        if here == left:
            answer = "yes"
        elif here:
            answer = "unknown"
        value: dict[str, float | Range] = {}
        for part in step.when.walk():  # the measures that the step reads, in order
            names = ["checks"] if part.ceiling is not None else []
            names += [name for name, _ in bounded(part)]
            value |= {
                name: _in_framework_units(name, measures, rules) for name in names
            }
        ask = condition_text(step.when)
        path.append(TreeStep(ask=ask, answer=answer, value=value, outcome=step.outcome))
        left -= here
    return tuple(path)


def _in_framework_units(name: str, measures: Measures, rules: Rules) -> float | Range:
    """A measure in the framework's own units, as a range or as one number."""
    low, high = measures["difference" if name == "score" else name]
    if name.endswith("_weight") or name in ("difference", "score"):
        low = low / rules.scale
        high = high / rules.scale
    if name == "score":
        low = low / rules.denominator
        high = high / rules.denominator
    return Range.between(low, high).narrowed()


@lru_cache(maxsize=1024)
def _bounds(counted: Completions) -> dict[Outcome, Range]:
    """The least and the most share of each outcome while the odds of the three groups move.

    A share is a polynomial in the three odds. Where the fraction of completions that lead to the
    outcome only rises or only falls with each group's yes answers, the least and the most lie in
    the corners. Otherwise a grid is searched as well; its values are exact at its points.
    """
    low, high = CORNERS
    odds: tuple[float, ...] = CORNERS
    if not _monotone(counted):
        odds = tuple(low + (high - low) * step / (_GRID - 1) for step in range(_GRID))
    axes = [odds if n else (0.5,) for n in counted.open]
    shares = [counted.shares((c, i, a)) for c, i, a in product(*axes)]
    return {
        outcome: Range(
            low=min(each[outcome] for each in shares),
            high=max(each[outcome] for each in shares),
        )
        for outcome in OUTCOMES
    }


def _monotone(counted: Completions) -> bool:
    """Whether every outcome's fraction only rises or only falls with each group's yes answers."""
    checks, reasons, against = counted.open
    # a cell is the number of yes answers in each group; how many completions have that many
    completions: dict[Any, int] = {}
    for cell in product(range(checks + 1), range(reasons + 1), range(against + 1)):
        of_checks, of_reasons, of_against = cell
        completions[cell] = (
            comb(checks, of_checks)
            * comb(reasons, of_reasons)
            * comb(against, of_against)
        )
    for outcome in set(counted.outcomes):
        ended = zip(counted.outcomes, counted.steps, strict=True)
        steps = [step for other, step in ended if other == outcome]
        fraction = {}
        for cell, many in completions.items():
            fraction[cell] = sum(step.get(cell, 0) for step in steps) / many
        for axis in range(3):
            changes = _changes_along(axis, fraction)
            if any(n > 0 for n in changes) and any(n < 0 for n in changes):
                return False
    return True


def _changes_along(axis: int, fraction: Mapping[Any, float]) -> list[float]:
    """The change of a fraction by one more yes in a group, from each cell where that is possible."""
    changes = []
    for cell, value in fraction.items():
        next_cell = (*cell[:axis], cell[axis] + 1, *cell[axis + 1 :])
        if next_cell in fraction:
            changes.append(fraction[next_cell] - value)
    return changes


# How firm a verdict is: what would change it, and what is worth asking next.

MOST_WORK = 60_000_000
"""The most combinations that the search for flips goes through; the lesson never needs as many."""
MOST_SETS = 10_000  #: Smallest sets of answers that are listed at most.

Target = Literal["yes", "no"]


def verdict_of(rules: Rules, states: States) -> Verdict:
    return outcome_of(tally(rules, states).reach)


def questions(
    states: States, framework: Framework, rules: Rules
) -> tuple[QuestionResult, ...]:
    """The open answers that can matter, by the doubt that each removes for a minute of work.

    The gain is the mutual information between the answer and the outcome, in bits, at even odds for
    every open answer.
    """
    before = tally(rules, states).doubt
    results = []
    for name in (name for name, state in states.items() if state == "unknown"):
        after = [tally(rules, {**states, name: to}).doubt for to in OTHERS["unknown"]]
        gain = before - sum(after) / 2
        if gain > 1e-12:
            ask = framework.question(name)
            minutes = framework.asked[name].minutes
            results.append(
                QuestionResult(factor=name, ask=ask, gain_bits=gain, minutes=minutes)
            )
    return tuple(
        sorted(results, key=lambda q: (-q.gain_bits / q.minutes, q.minutes, q.factor))
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """Changes of answers that can stand for each other: same group, weight, state and new answer.

    An answer that the tree asks for by its name can stand for no other.
    """

    group: tuple[bool, bool]  #: Whether it is a check, and whether it is an indicator.
    weight: int
    named: str  #: Its name where the tree asks for it by that; else empty.
    state: State
    to: Target


def flips(
    states: States, rules: Rules, before: Verdict
) -> tuple[tuple[FlipResult, ...], int]:
    """Find all the smallest sets of answers that change the outcome ``before``.

    A set gives each of its answers another value than it has now: a yes becomes no, a no becomes
    yes, and an open answer becomes either. Sets whose answers can stand for each other are tried
    once and all listed.

    Returns every set of the smallest size that changes the outcome, and the size up to which every
    set was tried. There is no set where no size that could be searched changes the outcome: with
    many open answers the larger sets are too many to try, or to list.
    """
    kinds: dict[_Kind, list[str]] = {}
    for name, state in states.items():
        group = (name in rules.checks, name in rules.indicators)
        named = name in rules.asked
        for to in OTHERS[state]:
            kind = _Kind(group, rules.weights[name], name if named else "", state, to)
            kinds.setdefault(kind, []).append(name)
    work = 0
    each = effort(rules, states)
    for size in range(1, len(states) + 1):
        work += comb(len(kinds) + size - 1, size) * each
        if size > 1 and work > MOST_WORK:
            return (), size - 1
        sets: list[tuple[Answers, Verdict]] = []
        for picked in _pick(list(kinds.items()), size):
            # the sets of one kind can stand for each other, so the first stands for all
            after = verdict_of(
                rules, {**states, **dict(next(_list_answer_sets(picked)))}
            )
            if after != before:
                sets += [
                    (answers, after)
                    for answers in islice(_list_answer_sets(picked), MOST_SETS + 1)
                ]
            if len(sets) > MOST_SETS:
                return (), size - 1
        if sets:
            results = [_flip(answers, after) for answers, after in sorted(sets)]
            return tuple(results), size
    return (), len(states)


def _flip(answers: Answers, outcome: Verdict) -> FlipResult:
    changes = tuple(AnswerFlip(factor=name, to=to) for name, to in answers)
    return FlipResult(changes=changes, outcome=outcome)


OTHERS: Mapping[State, tuple[Target, ...]] = {
    "yes": ("no",),
    "no": ("yes",),
    "unknown": ("yes", "no"),
}  #: Answers that a state can be changed to.


Answers = tuple[tuple[str, Target], ...]


class PickedKind(NamedTuple):
    """A kind of change, and how many answers of this kind are changed."""

    kind: _Kind
    names: list[str]  #: All that are of the kind.
    many: int


def _pick(
    kinds: Sequence[tuple[_Kind, list[str]]], size: int
) -> Iterator[tuple[PickedKind, ...]]:
    """Every way to take ``size`` answers, told by how many are taken of each kind."""
    if size == 0:
        yield ()
        return
    for position, (kind, names) in enumerate(kinds):
        for many in range(1, min(len(names), size) + 1):
            for rest in _pick(kinds[position + 1 :], size - many):
                # the kind with the other answer to the same open questions comes next
                own = PickedKind(kind, names, many)
                if not rest or _fits_before(own, rest[0]):
                    yield (own, *rest)


def _fits_before(own: PickedKind, following: PickedKind) -> bool:
    """Whether two kinds that ask the same questions have enough names for both."""
    if own.names != following.names:
        return True
    return own.many + following.many <= len(own.names)


def _list_answer_sets(
    picked: Sequence[PickedKind], taken: frozenset[str] = frozenset()
) -> Iterator[Answers]:
    """Every set of concrete answers; none of them answers one question twice."""
    if not picked:
        yield ()
        return
    (kind, names, many), *rest = picked
    free = [name for name in names if name not in taken]
    for chosen in combinations(free, many):
        own = [(name, kind.to) for name in chosen]
        for others in _list_answer_sets(rest, taken | {*chosen}):
            yield tuple(sorted((*own, *others)))
