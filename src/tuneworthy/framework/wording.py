"""A condition of a tree as a line: an id for machines that a person can read."""

from __future__ import annotations

from collections.abc import Iterable

from tuneworthy.domain.rules import Bound, Condition

_SIGNS = {"at_least": "≥", "more_than": ">", "at_most": "≤", "less_than": "<"}


def bounded(condition: Condition) -> Iterable[tuple[str, Bound]]:
    """Measures a condition bounds itself, with their bounds."""
    for name in (
        "indicators", "anti_indicators", "indicator_weight", "anti_indicator_weight",
        "difference", "score",
    ):  # fmt: skip
        bound = getattr(condition, name)
        if bound is not None:
            yield name, bound


def condition_text(condition: Condition) -> str:
    """A condition as one line, such as ``indicators ≤ 3``."""
    parts = []
    if condition.ceiling is not None:
        parts.append("ceiling reached" if condition.ceiling == "yes" else "ceiling not reached")
    for name, bound in bounded(condition):
        words = name.replace("_", " ")
        for end, sign in _SIGNS.items():
            if getattr(bound, end) is not None:
                parts.append(f"{words} {sign} {getattr(bound, end):g}")
    parts += [f"{name.replace('_', ' ')} is {state}" for name, state in condition.answers.items()]
    parts += [f"({condition_text(part)})" for part in condition.all]
    if condition.any:
        parts.append("(" + " or ".join(condition_text(part) for part in condition.any) + ")")
    parts += [f"not ({condition_text(part)})" for part in condition.none]
    return " and ".join(parts)
