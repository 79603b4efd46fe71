"""What a case file says to each question of a framework."""

from __future__ import annotations

from tuneworthy.domain.answers import Answer
from tuneworthy.domain.case import Case
from tuneworthy.domain.framework import Framework
from tuneworthy.domain.record import State


def stated(case: Case, framework: Framework) -> dict[str, State]:
    """The answers as they are written, counts as states; unknown where nothing is.

    Returns:
        By path, as ``factors.brand_voice``: a signal may bear the name of a factor.
    """
    found: dict[str, State] = {}
    for name, check in framework.ceiling.items():
        given = case.ceiling.get(name)
        state: State = given.value if given is not None else "unknown"
        if given is not None and given.count is not None and check.at_least is not None:
            state = "yes" if given.count >= check.at_least else "no"
        found[f"ceiling.{name}"] = state
    for name in framework.factors:
        found[f"factors.{name}"] = _state(case.factors.get(name))
    for name in framework.signals:
        found[f"signals.{name}"] = _state(case.signals.get(name))
    return found


def _state(answer: Answer | None) -> State:
    return answer.value if answer is not None else "unknown"
