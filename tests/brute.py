"""A second, slow reading of a framework: every completion one by one, in fractions.

Written from the grammar's documentation and sharing nothing with the compiled rules, so that the
two can be held against each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations, product
from typing import Any

from tuneworthy import Framework
from tuneworthy.model import framework as model_framework

Answers = Mapping[str, str]


def exact(number: float) -> Fraction:
    return Fraction(str(number))


def weight(framework: Framework, name: str) -> Fraction:
    given = framework.factors[name].weight
    if framework.scoring.weights == "shown":
        return Fraction(1)
    return exact(
        framework.scoring.weight_values[given] if isinstance(given, str) else given
    )


def denominator(framework: Framework) -> Fraction:
    chosen = framework.scoring.denominator
    if chosen == "count":
        return Fraction(max(1, len(framework.factors)))
    if chosen == "weight":
        return sum(
            (weight(framework, n) for n in framework.factors), Fraction(0)
        ) or Fraction(1)
    return exact(float(chosen))


def measures(framework: Framework, answers: Answers) -> dict[str, Fraction]:
    found = {}
    for kind, names in (
        ("indicator", framework.indicators),
        ("anti_indicator", framework.anti_indicators),
    ):
        held = [n for n in names if answers[n] == "yes"]
        found[f"{kind}s"] = Fraction(len(held))
        found[f"{kind}_weight"] = sum((weight(framework, n) for n in held), Fraction(0))
    found["difference"] = found["indicator_weight"] - found["anti_indicator_weight"]
    found["score"] = found["difference"] / denominator(framework)
    return found


def inside(bound: model_framework.Bound, value: Fraction) -> bool:
    return (
        (bound.at_least is None or value >= exact(bound.at_least))
        and (bound.more_than is None or value > exact(bound.more_than))
        and (bound.at_most is None or value <= exact(bound.at_most))
        and (bound.less_than is None or value < exact(bound.less_than))
    )


def true(
    framework: Framework, condition: model_framework.Condition, answers: Answers
) -> bool:
    reached = all(answers[n] == "yes" for n in framework.ceiling)
    if condition.ceiling is not None and (condition.ceiling == "yes") != reached:
        return False
    values = measures(framework, answers)
    for name, value in values.items():
        bound = getattr(condition, name)
        if bound is not None and not inside(bound, value):
            return False
    return (
        all(answers[n] == state for n, state in condition.answers.items())
        and all(true(framework, part, answers) for part in condition.all)
        and (
            not condition.any
            or any(true(framework, part, answers) for part in condition.any)
        )
        and not any(true(framework, part, answers) for part in condition.none)
    )


def outcome(framework: Framework, answers: Answers) -> str:
    for step in framework.tree:
        if step.when is None or true(framework, step.when, answers):
            return step.outcome
    raise AssertionError("the last step has no condition")


def band(bands: model_framework.Bands, value: Fraction) -> str:
    for name, bound in (("strong", bands.strong), ("moderate", bands.moderate)):
        if inside(bound, value):
            return name
    return "weak"


def completions(answers: Answers) -> Iterator[dict[str, str]]:
    still_open = [n for n, state in answers.items() if state == "unknown"]
    for values in product(("no", "yes"), repeat=len(still_open)):
        yield {**answers, **dict(zip(still_open, values, strict=True))}


def reach(framework: Framework, answers: Answers) -> set[str]:
    return {outcome(framework, one) for one in completions(answers)}


def verdict(framework: Framework, answers: Answers) -> str:
    found = reach(framework, answers)
    return found.pop() if len(found) == 1 else "undecided"


def shares(
    framework: Framework, answers: Answers, odds: tuple[Fraction, Fraction, Fraction]
) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    groups: list[list[str]] = [
        list(framework.ceiling),
        list(framework.indicators),
        list(framework.anti_indicators),
    ]
    for one in completions(answers):
        chance = Fraction(1)
        for names, p in zip(groups, odds, strict=True):
            for name in names:
                if answers[name] == "unknown":
                    chance *= p if one[name] == "yes" else 1 - p
        end = outcome(framework, one)
        found[end] = found.get(end, Fraction(0)) + chance
    return found


def smallest_flips(
    framework: Framework, answers: Answers
) -> set[tuple[tuple[str, str], ...]]:
    before = verdict(framework, answers)
    single = [
        (name, to)
        for name, state in answers.items()
        for to in ("yes", "no")
        if to != state
    ]
    for size in range(1, len(answers) + 1):
        found = set()
        for chosen in combinations(single, size):
            if len({name for name, _ in chosen}) < size:
                continue
            if verdict(framework, {**answers, **dict(chosen)}) != before:
                found.add(tuple(sorted(chosen)))
        if found:
            return found
    return set()


def random_framework(rng: random.Random, *, most: int = 4) -> Framework:
    """A framework nobody would write: random factors, weights, bands and tree."""
    names = {
        kind: [f"{kind}{k}" for k in range(rng.randint(low, most))]
        for kind, low in (("c", 0), ("i", 1), ("a", 0))
    }
    counted = rng.random() < 0.6
    data: dict[str, Any] = {
        "name": "random",
        "ceiling": {n: {"title": n, "ask": "?"} for n in names["c"]},
        "indicators": {n: _factor(rng, n) for n in names["i"]},
        "anti_indicators": {n: _factor(rng, n) for n in names["a"]},
        "scoring": {
            "weights": "counted" if counted else "shown",
            "weight_values": {"high": 2, "medium": 1, "low": 0.5},
            "denominator": rng.choice(["count", "weight", 3, 7.5, 10]),
            "score": _bands(rng, 1),
            "difference": _bands(rng, 4),
        },
        "tree": [
            *(
                {"when": _condition(rng, names, 2), "outcome": rng.choice(_OUTCOMES)}
                for _ in range(rng.randint(0, 4))
            ),
            {"outcome": rng.choice(_OUTCOMES)},
        ],
    }
    return Framework.model_validate(data)


_OUTCOMES = (
    "keep_optimizing_prompts",
    "improve_rag_or_switch_model",
    "address_anti_indicators",
    "fine_tune_candidate",
)


def _factor(rng: random.Random, name: str) -> dict[str, Any]:
    pick = rng.choice(
        ["high", "medium", "low", 0, 0.1, 0.2, 0.3, 1, 2, round(rng.random() * 5, 3)]
    )
    return {"title": name, "ask": "?", "weight": pick}


def _bands(rng: random.Random, size: float) -> dict[str, Any]:
    low, high = sorted(round(rng.uniform(-size / 2, size), 1) for _ in range(2))
    ends = ("at_least", "more_than")
    return {"moderate": {rng.choice(ends): low}, "strong": {rng.choice(ends): high}}


def _condition(
    rng: random.Random, names: dict[str, list[str]], depth: int
) -> dict[str, Any]:
    kind = rng.randrange(9 if depth else 8)
    if kind == 0:
        return {"ceiling": rng.choice(["yes", "no"])}
    if kind == 1:
        name = rng.choice([n for group in names.values() for n in group])
        return {"answers": {name: rng.choice(["yes", "no"])}}
    if kind < 8:
        measure = rng.choice(
            ["indicators", "anti_indicators", "indicator_weight", "anti_indicator_weight",
             "difference", "score"]
        )  # fmt: skip
        end = rng.choice(["at_least", "more_than", "at_most", "less_than"])
        size = 0.6 if measure == "score" else 3
        found: dict[str, Any] = {measure: {end: round(rng.uniform(-size / 2, size), 1)}}
        return {**found, "ceiling": "yes"} if rng.random() < 0.3 else found
    join = rng.choice(["all", "any", "none"])
    return {join: [_condition(rng, names, depth - 1) for _ in range(rng.randint(1, 2))]}


def random_answers(
    rng: random.Random, framework: Framework, open_share: float
) -> dict[str, str]:
    names = [*framework.ceiling, *framework.indicators, *framework.anti_indicators]
    return {
        n: "unknown" if rng.random() < open_share else rng.choice(["yes", "no"])
        for n in names
    }
