"""What the published cases say about one case: the nearest, and base rates."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.assessment import Assessment
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.likeness import Index, Others
from tuneworthy.precedent.nearest import known, nearest
from tuneworthy.precedent.rates import LEAST_CASES, of_goal, of_pattern


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
