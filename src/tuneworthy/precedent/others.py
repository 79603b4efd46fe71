"""What the published cases say about one case: the nearest, base rates, and a chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.likeness import Index, Others
from tuneworthy.domain.odds import Odds
from tuneworthy.domain.record import State
from tuneworthy.precedent.chance import chance
from tuneworthy.precedent.nearest import known, nearest
from tuneworthy.precedent.rates import LEAST_CASES, of_goal, of_pattern


def look(
    index: Index, goals: Sequence[str], framework: Framework, assessment: Assessment
) -> Others:
    """Hold a case against the published ones.

    Args:
        index: The published cases.
        goals: The case's goals, the primary one first.
        framework: Says which questions are asked, and the fewest cases a rate takes; where it has
            no fitted odds, those of the index are asked.
        assessment: The answers. Those to checks and signals don't count: no coder gave them blind.

    Returns:
        What they say. Nothing known gives no neighbour and no rate but that of all cases.
    """
    least = framework.threshold("published_cases")
    least = LEAST_CASES if least is None else least
    odds = index.odds if framework.odds is None else framework.odds
    states = {name: assessment.state(name) for name in framework.factors}
    answers = known(index.cases, states)
    near, behind = nearest(index.cases, answers, goals)
    pattern, pattern_rate = of_pattern(index.rates, index.telling, answers, least)
    goal = goals[0] if goals else None
    wanted = () if odds is None else _open(odds, states)
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
        chance=chance(odds, states, goal=goal),
        record=None if odds is None else odds.record,
        earned=odds is not None and odds.earned == "yes",
        still_open=wanted,
        unasked=any(name not in framework.factors for name in wanted),
    )


def _open(odds: Odds, states: Mapping[str, State]) -> tuple[str, ...]:
    """Questions of a fit that are open and whose answer would move it, the largest first."""
    weights = {name: abs(adds.yes - adds.no) for name, adds in odds.answers.items()}
    found = [n for n, w in weights.items() if w and states.get(n, "unknown") == "unknown"]
    return tuple(sorted(found, key=lambda name: (-weights[name], name)))
