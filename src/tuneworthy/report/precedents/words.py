"""Words about published cases: why one is alike, and what won."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.domain.likeness import (
    ArmId,
    BaseRate,
    Near,
    Neighbour,
    Others,
    Told,
    Tried,
)
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.winner import Winner
from tuneworthy.report.options.reasons import ARMS
from tuneworthy.report.words import few, listing, number, plain, share

MOST_SHARED = 4
"""Answers in common that are named; further ones are counted."""

WINNERS: dict[Winner, str] = {
    "fine_tune": ARMS["fine_tune"],
    "hybrid": ARMS["hybrid"],
    "rag": ARMS["rag"],
    "prompt": ARMS["prompt"],
    "model_switch": ARMS["model_switch"],
    "decomposition": ARMS["decomposition"],
    "tie": "nothing, a tie",
}
"""What measured best."""

ARM_WORDS: dict[ArmId, str] = {
    "baseline": "start",
    "best_prompt": "best prompt",
    "other_model": "other model",
    "rag": "retrieval",
    "fine_tuned": "tuning",
}
"""The arms of a published case."""

RECALLED = "figures recalled from memory"
"""What is said of a case whose figures nobody read again in their source."""

NO_CHANCE = (
    "No chance that tuning wins is computed from published cases: the one that was is withdrawn. "
    "On 38 cases kept aside it was right in 20, and its Brier score was worse than that of the "
    "share of wins."
)
"""Why no chance is shown, with the figures of docs/concepts/how-often-is-it-right.md."""

BEWARE = (
    "Winners are published more often than losers, and few cases are alike in everything that "
    "counts. What happened to others is no odds for what is still open here. " + NO_CHANCE
)
"""What stands under every list of precedents."""


def why_alike(near: Near, others: Others, titles: Mapping[str, str]) -> str:
    """Why a published case is alike, and in what it differs."""
    parts, answers = [], others.answers
    if near.same_goal:
        which = "same goal" if near.case.goal == others.goal else "a goal of both"
        parts.append(f"{which} ({plain(near.case.goal)})")
    shared = [_answer(name, answers[name], titles) for name in near.shared]
    if shared:
        parts.append(f"in both {_first(shared)}")
    if near.differs:
        there = {name: "no" if answers[name] == "yes" else "yes" for name in near.differs}
        differs = [_answer(name, state, titles) for name, state in there.items()]
        parts.append(f"but there {_first(differs)}")
    return "; ".join(parts)


def _first(items: list[str]) -> str:
    """The first few, and how many more."""
    if len(items) <= MOST_SHARED:
        return listing(items)
    return listing([*items[: MOST_SHARED - 1], f"{few(len(items) - MOST_SHARED + 1)} more"])


def _answer(name: str, state: str, titles: Mapping[str, str]) -> str:
    return f"{titles.get(name, plain(name))} {state}"


def answers_text(answers: Mapping[str, Told], titles: Mapping[str, str]) -> str:
    """Answers in a sentence."""
    return listing([_answer(name, state, titles) for name, state in answers.items()])


def rate_text(found: BaseRate | Unknown) -> str:
    """A base rate with its count and interval; what would make one where there is none."""
    if isinstance(found, Unknown):
        return f"unknown: {found.ask}"
    return (
        f"tuning won {number(found.won)} of {number(found.n)} {found.of}: {share(found.rate)} "
        f"({share(found.low)} to {share(found.high)})"
    )


def won_text(found: Neighbour) -> str:
    """What won and by how much."""
    margin = f"; {found.margin}" if found.margin else ""
    return f"{WINNERS[found.winner]}{margin}"


def kind_text(found: Neighbour) -> str:
    """Goal, year and kind; and that its figures are recalled, where they are."""
    goal = "goal unknown" if found.goal == "unknown" else plain(found.goal)
    year = "" if isinstance(found.year, Unknown) else str(found.year)
    kind = "" if found.kind == "unknown" else found.kind
    recalled = RECALLED if found.source_status == "recalled" else ""
    return ", ".join(text for text in (goal, year, kind, recalled) if text)


def tried_text(found: Neighbour) -> str:
    """What was tried with what it came to, in one paragraph; what is said twice is said once."""
    metrics = {arm.metric for arm in found.tried if arm.value and arm.metric}
    told: dict[str, str] = {}
    for arm in found.tried:
        who = ", ".join(text for text in (arm.approach, arm.model, _examples(arm)) if text)
        what = f" ({who})" if who else ""
        if len(metrics) > 1 and arm.value and arm.metric:
            what += f", {arm.metric}"
        told.setdefault(f"{what}: {arm.value or 'no figure'}", ARM_WORDS[arm.arm])
    said = "; ".join(f"{arm}{what}" for what, arm in told.items())
    return f"by {metrics.pop()}: {said}" if len(metrics) == 1 else said


def _examples(arm: Tried) -> str:
    if not arm.train_examples:
        return ""
    text = arm.train_examples
    return f"{int(text):,} examples" if text.isdecimal() and len(text) < 12 else text
