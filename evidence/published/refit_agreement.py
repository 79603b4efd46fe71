"""How far the coders agree, and how often tuning won by kind, goal and answer."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

from published import Codes, PublishedCase
from refit_data import LEFT_OUT, LESSON_ASKS, SANE, untied

from tuneworthy.stats.intervals import independent_cases, wilson


def agreement(cases: Sequence[PublishedCase]) -> dict[str, Any]:
    """Kappa of each question for each pair of coders, and what the coders' answers go with."""
    kept = untied(cases)
    names = (*SANE, *LEFT_OUT)
    return {
        "kappa": {name: _kappas(kept, name) for name in names},
        "answers": {name: _by_answer(kept, name) for name in names},
        "yes_by_who_knew": {name: _shift(kept, name) for name in LESSON_ASKS},
        "kind": {
            kind: _wins([case for case in kept if case.kind == kind])
            for kind in ("industry", "paper")
        },
        "goal": {
            goal: _wins([case for case in kept if case.goal_kind == goal])
            for goal, _ in Counter(str(case.goal_kind) for case in kept).most_common()
        },
    }


def _kappas(cases: Sequence[PublishedCase], name: str) -> dict[str, Any]:
    """Cohen's kappa over yes, no and unknown, and over yes against the rest."""
    pairs: dict[str, tuple[Codes, Codes]] = {"blind1_blind2": ("blind1", "blind2")}
    if name in LESSON_ASKS:
        pairs |= {
            "knew_blind1": ("value", "blind1"),
            "knew_blind2": ("value", "blind2"),
        }
    found = {}
    for label, (one, other) in pairs.items():
        a = [case.coded(one).get(name, "unknown") for case in cases]
        b = [case.coded(other).get(name, "unknown") for case in cases]
        found[label] = {
            "three_answers": _kappa(a, b),
            "yes_or_not": _kappa([x == "yes" for x in a], [x == "yes" for x in b]),
        }
    return found


def _kappa(a: Sequence[Any], b: Sequence[Any]) -> float | str:
    """Kappa, or why there is none: nobody used a second answer."""
    from sklearn.metrics import cohen_kappa_score

    if len({*a, *b}) < 2:
        return "none: one answer throughout"
    with warnings.catch_warnings():
        # one coder may have used one answer throughout: kappa is 0
        warnings.simplefilter("ignore")
        return round(
            float(cohen_kappa_score([str(x) for x in a], [str(x) for x in b])), 2
        )


def _by_answer(cases: Sequence[PublishedCase], name: str) -> dict[str, Any]:
    """Wins over cases for each answer of each coder."""
    coders: list[Codes] = ["blind1", "blind2"]
    if name in LESSON_ASKS:
        coders.insert(0, "value")
    return {
        codes: {
            state: _counted(
                [
                    case
                    for case in cases
                    if case.coded(codes).get(name, "unknown") == state
                ]
            )
            for state in ("yes", "no", "unknown")
        }
        for codes in coders
    }


def _counted(cases: Sequence[PublishedCase]) -> str:
    return f"{sum(case.tuning_won for case in cases)}/{len(cases)}"


def _wins(cases: Sequence[PublishedCase]) -> dict[str, Any]:
    """Wins with Wilson's interval, cases of one paper or company counted as one voice."""
    won = sum(case.tuning_won for case in cases)
    worth = independent_cases([case.group for case in cases])
    low, high = wilson(won / len(cases) * worth, worth) if cases else (0.0, 1.0)
    return {
        "won": won, "cases": len(cases), "clusters": len({case.group for case in cases}),
        "low": round(low, 3), "high": round(high, 3),
    }  # fmt: skip


def _shift(cases: Sequence[PublishedCase], name: str) -> dict[str, str]:
    """Yes answers where tuning won and elsewhere, by the one who knew and the mean of the blind."""
    found = {}
    for label, kept in (
        ("where_tuning_won", [case for case in cases if case.tuning_won]),
        ("elsewhere", [case for case in cases if not case.tuning_won]),
    ):
        counts = [
            sum(case.coded(codes).get(name) == "yes" for case in kept)
            for codes in ("value", "blind1", "blind2")
        ]
        found[label] = f"{counts[0]} against {counts[1]} and {counts[2]} of {len(kept)}"
    return found


def answers_of(cases: Sequence[PublishedCase], name: str) -> str:
    """What the two blind coders' answers to a question go with, in one line."""
    kept = untied(cases)
    told = _by_answer(kept, name)
    return "; ".join(
        f"{state} " + " and ".join(told[codes][state] for codes in ("blind1", "blind2"))
        for state in ("yes", "no", "unknown")
    )
