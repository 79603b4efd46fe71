"""Compiles a framework's scoring and tree to whole numbers.

Weights and bounds are turned into integers by one common scale, so that 0.1 + 0.2 is 0.3 and a
comparison is exact. Every test has one form: a measure is at least a bound, or isn't. A test is
data, so one answer can be put into it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, get_args

from tuneworthy.errors import FrameworkError
from tuneworthy.model.base import State, Strings, of_the_last
from tuneworthy.model.framework import (
    Band,
    Bands,
    Bound,
    Condition,
    Factor,
    Framework,
    Outcome,
)

Measure = Literal[
    "indicators",
    "anti_indicators",
    "indicator_weight",
    "anti_indicator_weight",
    "difference",
]

_BOUNDED: tuple[Measure | Literal["score"], ...] = (*get_args(Measure), "score")

_LARGEST = 2**53  # whole numbers up to here are exact in every array we use


class Reaches(NamedTuple):
    """A test that a measure is at least a bound, in scaled units."""

    measure: Measure
    bound: int


class YesTo(NamedTuple):
    """A test that an answer is yes; without a name it is the answer about the ceiling."""

    name: str


class Every(NamedTuple):
    """A test that all its parts hold; without parts it holds."""

    parts: frozenset[Test]


class Not(NamedTuple):
    part: Test


#: The question of a step of the tree, as data.
Test = bool | Reaches | YesTo | Every | Not


def _any(parts: Iterable[Test]) -> Test:
    """The test that at least one part holds: not every part fails."""
    return Not(Every(frozenset(Not(part) for part in parts)))


def holds(test: Test, read: Callable[[Reaches | YesTo], bool]) -> bool:
    """Whether a test holds, where ``read`` says whether a measure reaches, or an answer is yes."""
    if isinstance(test, Every):
        return all(holds(part, read) for part in test.parts)
    if isinstance(test, Not):
        return not holds(test.part, read)
    return test if isinstance(test, bool) else read(test)


def put_in(test: Test, name: str, answer: bool) -> Test:
    """Put one answer into a test; the result is true, false, or a test of what is still open."""

    def replace_atom(atom: Reaches | YesTo) -> Test:
        return answer if atom == YesTo(name) else atom

    return _replace_atoms(test, replace_atom)


def one_more(test: Test, name: str, adds: Mapping[Measure, int]) -> Test:
    """The test of the other answers that is left when this one is yes and adds to the measures."""

    def replace_atom(atom: Reaches | YesTo) -> Test:
        if isinstance(atom, Reaches):
            # the others have to reach so much less
            return atom._replace(bound=atom.bound - adds.get(atom.measure, 0))
        return True if atom.name == name else atom

    return _replace_atoms(test, replace_atom)


def _replace_atoms(test: Test, replace_atom: Callable[[Reaches | YesTo], Test]) -> Test:
    """Replace each measure and answer that a test reads; parts that this settles are left out."""
    if isinstance(test, bool):
        return test
    if isinstance(test, Not):
        part = _replace_atoms(test.part, replace_atom)
        return not part if isinstance(part, bool) else Not(part)
    if not isinstance(test, Every):
        return replace_atom(test)
    parts = {_replace_atoms(part, replace_atom) for part in test.parts}
    if False in parts:
        return False
    parts.discard(True)
    if not parts:
        return True
    if len(parts) == 1:  # so that equal tests are written the same way
        return parts.pop()
    return Every(frozenset(parts))


def atoms(tests: Iterable[Test]) -> Iterator[Reaches | YesTo]:
    """Every measure with its bound, and every answer, that tests read."""
    for test in tests:
        if isinstance(test, Every):
            yield from atoms(test.parts)
        elif isinstance(test, Not):
            yield from atoms([test.part])
        elif not isinstance(test, bool):
            yield test


def bounds_of(tests: Iterable[Test]) -> dict[Measure, tuple[int, ...]]:
    """The bounds at which the tests divide each measure that they read."""
    bounds: dict[Measure, set[int]] = {}
    for atom in atoms(tests):
        if isinstance(atom, Reaches):
            bounds.setdefault(atom.measure, set()).add(atom.bound)
    return {measure: tuple(sorted(cuts)) for measure, cuts in bounds.items()}


class Cuts(NamedTuple):
    """The scaled differences at which moderate and strong begin."""

    moderate: int
    strong: int

    def band(self, difference: int) -> Band:
        """The band of a scaled difference."""
        if difference >= self.strong:
            return "strong"
        return "moderate" if difference >= self.moderate else "weak"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Rules:
    checks: Strings
    indicators: Strings
    anti_indicators: Strings
    weights: dict[str, int]  #: Scaled weight of each factor; 0 for checks.
    scale: int  #: Scaled units in a weight of one.
    denominator: float  #: The number that a difference (not scaled) is divided by.
    steps: tuple[tuple[Test, Outcome], ...]  #: The tree; the last test always holds.
    score_cuts: Cuts
    difference_cuts: Cuts
    asked: frozenset[str]  #: Answers the tree asks for by name.
    #: Where each measure that the tree reads divides.
    bounds: dict[Measure, tuple[int, ...]]


def compile_rules(
    framework: Framework, denominator: str | float | None = None
) -> Rules:
    """Compile a framework; ``denominator`` takes the place of the framework's own.

    Raises a FrameworkError for weights that are too fine.
    """
    exact = {
        name: _weight(factor, framework) for name, factor in framework.factors.items()
    }
    # the least scale at which every weight is a whole number
    scale = math.lcm(*(weight.denominator for weight in exact.values()))
    weights = _scale_weights(exact, scale, framework)
    divisor = _denominator(framework, exact, denominator)
    steps = []
    for step in framework.tree:
        test = _test(step.when, scale, divisor) if step.when else True
        steps.append((test, step.outcome))
    tests = [test for test, _ in steps]
    asked = {atom.name for atom in atoms(tests) if isinstance(atom, YesTo)}
    asked.discard(_CEILING)  # all checks together are asked for by no name
    return Rules(
        checks=tuple(framework.ceiling),
        indicators=tuple(framework.indicators),
        anti_indicators=tuple(framework.anti_indicators),
        weights=weights,
        scale=scale,
        denominator=float(divisor),
        steps=tuple(steps),
        # the score is compared as a difference, so its cuts are multiplied by the denominator
        score_cuts=_cuts(framework.scoring.score, scale * divisor),
        difference_cuts=_cuts(framework.scoring.difference, Fraction(scale)),
        asked=frozenset(asked),
        bounds=bounds_of(tests),
    )


def _scale_weights(
    exact: Mapping[str, Fraction], scale: int, framework: Framework
) -> dict[str, int]:
    """The weights of factors and checks as whole numbers; a FrameworkError where these are too large."""
    weights = {name: int(weight * scale) for name, weight in exact.items()}
    if scale > _LARGEST or sum(weights.values()) > _LARGEST:
        raise FrameworkError(
            "weights need too many digits",
            where=framework.name,
            fix="round them to three decimals",
        )
    for name in framework.ceiling:
        weights[name] = 0  # a check is no reason, and adds to no score
    return weights


#: The rules of a framework that many decisions share.
rules_of = of_the_last(compile_rules)


def _weight(factor: Factor, framework: Framework) -> Fraction:
    """The weight with which a factor counts; it is 1 where the framework only shows weights."""
    if framework.scoring.weights == "shown":
        return Fraction(1)
    if isinstance(factor.weight, str):
        return _exact(framework.scoring.weight_values[factor.weight])
    return _exact(factor.weight)


def _exact(number: float) -> Fraction:
    """A number exactly as it was written, and not as a float stores it."""
    return Fraction(repr(number))


def _denominator(
    framework: Framework, weights: dict[str, Fraction], instead: str | float | None
) -> Fraction:
    """The number that the score is divided by, as a fraction; never 0, even without factors."""
    chosen = framework.scoring.denominator if instead is None else instead
    if chosen == "count":
        return Fraction(max(len(weights), 1))
    if chosen == "weight":
        total = sum(weights.values(), Fraction(0))
        return total if total != 0 else Fraction(1)
    return _exact(float(chosen))


def _cuts(bands: Bands, scale: Fraction) -> Cuts:
    """The cuts of a rule's bands, scaled to whole numbers."""
    return Cuts(
        moderate=_begins(bands.moderate, scale), strong=_begins(bands.strong, scale)
    )


def _begins(bound: Bound, scale: Fraction) -> int:
    """The least scaled whole number that a bound lets through."""
    if bound.at_least is not None:
        return _whole(bound.at_least, scale, above=False)
    assert bound.more_than is not None  # Bands made sure
    return _whole(bound.more_than, scale, above=True)


def _whole(bound: float, scale: Fraction, *, above: bool) -> int:
    """The least whole number that is at least a bound, or that is above it."""
    exact = _exact(bound) * scale
    return math.floor(exact) + 1 if above else math.ceil(exact)


_CEILING = ""  #: The name of the answer about the ceiling, which is no factor's.


def _test(condition: Condition, scale: int, divisor: Fraction) -> Test:
    """Compile a condition; its parts hold together, bounds are scaled to whole numbers."""
    parts: list[Test] = []
    if condition.ceiling is not None:
        parts.append(_test_of_answer(_CEILING, condition.ceiling))
    for name, bound in bounded(condition):
        if name == "score":  # compared as a difference
            parts += _tests_of_ends("difference", bound, scale * divisor)
        elif name.endswith("_weight") or name == "difference":
            parts += _tests_of_ends(name, bound, Fraction(scale))
        else:  # a number of answers is whole already
            parts += _tests_of_ends(name, bound, Fraction(1))
    for factor, state in condition.answers.items():
        parts.append(_test_of_answer(factor, state))
    parts += [_test(part, scale, divisor) for part in condition.all]
    if condition.any:
        parts.append(_any([_test(part, scale, divisor) for part in condition.any]))
    parts += [Not(_test(part, scale, divisor)) for part in condition.none]
    if len(parts) == 1:  # so that equal tests are written the same way
        return parts[0]
    return Every(frozenset(parts))


def _test_of_answer(name: str, state: State) -> Test:
    return YesTo(name) if state == "yes" else Not(YesTo(name))


class _End(NamedTuple):
    """One kind of bound, compiled to whether a measure reaches a whole number."""

    sign: str
    above: bool  #: Whether the whole number is above the bound, and not at it.
    #: Whether the bound is kept where the measure doesn't reach the number.
    negated: bool


_ENDS = {
    "at_least": _End("≥", above=False, negated=False),
    "more_than": _End(">", above=True, negated=False),
    "at_most": _End("≤", above=True, negated=True),
    "less_than": _End("<", above=False, negated=True),
}


def _tests_of_ends(measure: Measure, bound: Bound, scale: Fraction) -> Iterator[Test]:
    """A test for each end of a bound: a measure that reaches a whole number, or doesn't."""
    for name, end in _ENDS.items():
        number = getattr(bound, name)
        if number is not None:
            test = Reaches(measure, _whole(number, scale, above=end.above))
            yield Not(test) if end.negated else test


def bounded(condition: Condition) -> Iterator[tuple[Measure | Literal["score"], Bound]]:
    """The measures that a condition bounds itself, with their bounds."""
    for name in _BOUNDED:
        bound: Bound | None = getattr(condition, name)
        if bound is not None:
            yield name, bound


def condition_text(condition: Condition) -> str:
    """Write a condition as one line, such as ``indicators ≤ 3``."""
    parts = []
    if condition.ceiling == "yes":
        parts.append("ceiling reached")
    elif condition.ceiling is not None:
        parts.append("ceiling not reached")
    for measure, bound in bounded(condition):
        for name, end in _ENDS.items():
            number = getattr(bound, name)
            if number is not None:
                parts.append(f"{measure.replace('_', ' ')} {end.sign} {number:g}")
    for name, state in condition.answers.items():
        parts.append(f"{name.replace('_', ' ')} is {state}")
    parts += [f"({condition_text(part)})" for part in condition.all]
    if condition.any:
        either = " or ".join(condition_text(part) for part in condition.any)
        parts.append(f"({either})")
    parts += [f"not ({condition_text(part)})" for part in condition.none]
    return " and ".join(parts)
