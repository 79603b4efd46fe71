"""The framework's three rules (tree, score, difference), applied to an assessment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, product
from math import comb
from typing import Literal, NamedTuple

from tuneworthy.framework.rules import Rules, bounded, condition_text
from tuneworthy.framework.tally import Cell, Completions, effort, tally
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
from tuneworthy.model.framework import (
    BANDS,
    OUTCOMES,
    Band,
    Condition,
    Framework,
    Outcome,
)

CORNERS = (0.1, 0.9)  #: Between these the odds of open answers move for the bounds.

# odds between the corners that are tried for each group, both corners included
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
    # in the order of OUTCOMES, the most cautious one first
    reach = tuple(outcome for outcome in OUTCOMES if outcome in counted.reach)
    outcome = outcome_of(counted.reach)
    measures = _measures(states, rules)
    bands = _bands(measures, rules)
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
                band=bands.score,
            ),
            difference=DifferenceResult(
                value=_in_framework_units("difference", measures, rules),
                band=bands.difference,
            ),
        ),
        strength=bands.strength,
        distribution=shares,
        bounds=_bounds(counted),
    )


class _Bands(NamedTuple):
    """The bands of a case by both rules; a range where open answers can move a band."""

    score: Band | BandRange
    difference: Band | BandRange
    strength: BandRange  #: From the lowest to the highest band that either rule gives.


def _bands(measures: Measures, rules: Rules) -> _Bands:
    """The bands of score and difference, and the strength; both rules read the difference."""
    low, high = measures["difference"]
    lowest_of_score = rules.score_cuts.band(int(low))
    highest_of_score = rules.score_cuts.band(int(high))
    lowest_of_difference = rules.difference_cuts.band(int(low))
    highest_of_difference = rules.difference_cuts.band(int(high))
    return _Bands(
        score=_band(lowest_of_score, highest_of_score),
        difference=_band(lowest_of_difference, highest_of_difference),
        strength=BandRange(
            low=min(lowest_of_score, lowest_of_difference, key=BANDS.index),
            high=max(highest_of_score, highest_of_difference, key=BANDS.index),
        ),
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
    left = sum(counted.ending)  # completions that no earlier step has ended
    for step, ending_here in zip(framework.tree, counted.ending, strict=True):
        if step.when is None or left == 0:
            break
        answer: State = "unknown"
        if ending_here == left:
            answer = "yes"
        elif ending_here == 0:
            answer = "no"
        path.append(
            TreeStep(
                ask=condition_text(step.when),
                answer=answer,
                value=_values_read(step.when, measures, rules),
                outcome=step.outcome,
            )
        )
        left -= ending_here
    return tuple(path)


def _values_read(
    when: Condition, measures: Measures, rules: Rules
) -> dict[str, float | Range]:
    """The measures that a condition reads, by name, in the order in which it reads them."""
    values: dict[str, float | Range] = {}
    for part in when.walk():
        if part.ceiling is not None:
            values["checks"] = _in_framework_units("checks", measures, rules)
        for name, _ in bounded(part):
            values[name] = _in_framework_units(name, measures, rules)
    return values


def _in_framework_units(name: str, measures: Measures, rules: Rules) -> float | Range:
    """A measure in the framework's own units, as a range or as one number.

    Weights were scaled to whole numbers for exact sums; numbers of answers weren't. The score is
    the difference as a share of ``denominator``.
    """
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
    tried: tuple[float, ...] = CORNERS
    if not _monotone(counted):
        low, high = CORNERS
        step = (high - low) / (_GRID - 1)
        tried = tuple(low + place * step for place in range(_GRID))
    # the odds of a group without open answers change nothing, so one value is enough
    of_checks, of_reasons, of_against = (tried if n else (0.5,) for n in counted.open)
    shares = [
        counted.shares(odds) for odds in product(of_checks, of_reasons, of_against)
    ]
    bounds = {}
    for outcome in OUTCOMES:
        values = [each[outcome] for each in shares]
        bounds[outcome] = Range(low=min(values), high=max(values))
    return bounds


def _monotone(counted: Completions) -> bool:
    """Whether every outcome's fraction only rises or only falls with each group's yes answers."""
    completions = _completions_by_cell(counted.open)
    for outcome in set(counted.outcomes):
        ended: Counter[Cell] = Counter()  # completions with this outcome
        for step_outcome, step in zip(counted.outcomes, counted.steps, strict=True):
            if step_outcome == outcome:
                ended.update(step)
        fraction = {cell: ended[cell] / many for cell, many in completions.items()}
        for group in range(len(counted.open)):
            changes = _changes_along(group, fraction)
            if min(changes, default=0.0) < 0 < max(changes, default=0.0):
                return False
    return True


def _completions_by_cell(still_open: Cell) -> dict[Cell, int]:
    """For each number of yes answers in the three groups, how many completions have them."""
    checks, reasons, against = still_open
    completions: dict[Cell, int] = {}
    for cell in product(range(checks + 1), range(reasons + 1), range(against + 1)):
        of_checks, of_reasons, of_against = cell
        completions[cell] = (
            comb(checks, of_checks)
            * comb(reasons, of_reasons)
            * comb(against, of_against)
        )
    return completions


def _changes_along(group: int, fraction: Mapping[Cell, float]) -> list[float]:
    """The change of a fraction by one more yes in a group, from each cell where that is possible."""
    changes = []
    for cell, value in fraction.items():
        checks, reasons, against = (
            yes + 1 if place == group else yes for place, yes in enumerate(cell)
        )
        next_cell = (checks, reasons, against)
        if next_cell in fraction:
            changes.append(fraction[next_cell] - value)
    return changes


# How firm a verdict is: what would change it, and what is worth asking next.

_NO_GAIN = 1e-12  # bits; a gain below it is a rounding error of 0
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
    for name, state in states.items():
        if state != "unknown":
            continue
        after_yes = tally(rules, {**states, name: "yes"}).doubt
        after_no = tally(rules, {**states, name: "no"}).doubt
        gain = before - (after_yes + after_no) / 2
        if gain > _NO_GAIN:
            results.append(
                QuestionResult(
                    factor=name,
                    ask=framework.question(name),
                    gain_bits=gain,
                    minutes=framework.asked[name].minutes,
                )
            )
    return tuple(sorted(results, key=_question_order))


def _question_order(question: QuestionResult) -> tuple[float, float, str]:
    """Sort by gain a minute, the most first; then the quicker one; then by name."""
    return -question.gain_bits / question.minutes, question.minutes, question.factor


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


class FlipSearch(NamedTuple):
    """The result of a search for flips."""

    flips: tuple[FlipResult, ...]  #: Every set of the smallest size that changes it.
    tried_size: int  #: The size up to which every set was tried.


def flips(states: States, rules: Rules, before: Verdict) -> FlipSearch:
    """Find all the smallest sets of answers that change the outcome ``before``.

    A set gives each of its answers another value than it has now: a yes becomes no, a no becomes
    yes, and an open answer becomes either. There is no set where no size that could be searched
    changes the outcome: with many open answers the larger sets are too many to try, or to list.
    """
    kinds = _kinds_of_change(states, rules)
    work = 0
    work_of_tally = effort(rules, states)
    for size in range(1, len(states) + 1):
        # there are as many picks as ways to draw ``size`` of the kinds, with repetition
        work += comb(len(kinds) + size - 1, size) * work_of_tally
        if size > 1 and work > MOST_WORK:  # single answers are always tried
            return FlipSearch((), size - 1)
        changing = _sets_that_change(states, rules, before, kinds, size)
        if len(changing) > MOST_SETS:
            return FlipSearch((), size - 1)
        if changing:
            results = [_flip(answers, after) for answers, after in sorted(changing)]
            return FlipSearch(tuple(results), size)
    return FlipSearch((), len(states))


def _kinds_of_change(states: States, rules: Rules) -> dict[_Kind, list[str]]:
    """Every change of one answer, by its kind; the value has the names of the answers."""
    kinds: dict[_Kind, list[str]] = {}
    for name, state in states.items():
        group = (name in rules.checks, name in rules.indicators)
        named = name if name in rules.asked else ""
        for to in OTHERS[state]:
            kind = _Kind(group, rules.weights[name], named, state, to)
            kinds.setdefault(kind, []).append(name)
    return kinds


def _sets_that_change(
    states: States,
    rules: Rules,
    before: Verdict,
    kinds: Mapping[_Kind, list[str]],
    size: int,
) -> list[tuple[Answers, Verdict]]:
    """The sets of ``size`` answers that change the outcome, each with its new outcome.

    It stops once there are more than ``MOST_SETS``, for so many aren't listed.
    """
    changing: list[tuple[Answers, Verdict]] = []
    for picked in _pick(list(kinds.items()), size):
        # sets of the same kinds can stand for each other, so the first is tried for all
        first_set = next(_list_answer_sets(picked))
        after = verdict_of(rules, {**states, **dict(first_set)})
        if after == before:
            continue
        listed = islice(_list_answer_sets(picked), MOST_SETS + 1)
        changing += [(answers, after) for answers in listed]
        if len(changing) > MOST_SETS:
            break
    return changing


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
    """Every way to divide ``size`` changed answers among the kinds."""
    if size == 0:
        yield ()
        return
    for position, (kind, names) in enumerate(kinds):
        for many in range(1, min(len(names), size) + 1):
            own = PickedKind(kind, names, many)
            for rest in _pick(kinds[position + 1 :], size - many):
                if not rest or _fits_before(own, rest[0]):
                    yield (own, *rest)


def _fits_before(own: PickedKind, following: PickedKind) -> bool:
    """Whether no open answer has to become both yes and no.

    An open answer has two kinds, which follow each other and have the same names: those of both
    kinds together can't be more than the names.
    """
    if own.names != following.names:
        return True
    return own.many + following.many <= len(own.names)


def _list_answer_sets(
    picked: Sequence[PickedKind], taken: frozenset[str] = frozenset()
) -> Iterator[Answers]:
    """Every set of answers with the picked numbers of each kind, without the names of ``taken``."""
    if not picked:
        yield ()
        return
    (kind, names, many), *rest = picked
    free = [name for name in names if name not in taken]
    for chosen in combinations(free, many):
        own = [(name, kind.to) for name in chosen]
        for others in _list_answer_sets(rest, taken | set(chosen)):
            yield tuple(sorted((*own, *others)))  # sorted, so equal sets are equal
