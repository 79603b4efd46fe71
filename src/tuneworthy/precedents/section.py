"""What happened to others as it stands in the dossier; the pages are in the modules beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.framework import Framework
from tuneworthy.model.precedents import (
    ArmId,
    BaseRate,
    Few,
    Near,
    Neighbour,
    Others,
    Precedent,
    Rate,
    Told,
    Tried,
    Winner,
)
from tuneworthy.verdict.options import ARMS
from tuneworthy.words import few, listing, number, plain, share

# Words about published cases: why one is alike, and what won.

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


# What happened to others as it stands in the dossier; the pages are in the modules beside.

IN_SHORT = Unknown(ask="leave --quick out: others are compared by more answers")
NOTHING_KNOWN = Unknown(ask="name the goals, and answer the reasons for and against")
NONE_ALIKE = Unknown(ask="answer more of the reasons: by those known no published case is alike")


WITHDRAWN = Unknown(
    ask="find one that beats the share of wins on cases nobody had seen when it was made: "
    "withdrawn on 2026-11-27, because on 38 such cases the fitted one was right in 20"
)
"""What the names of the withdrawn chance carry; the names stay for whoever reads the dossier."""


def precedents(others: Others | None, framework: Framework) -> dict[str, Any] | Unknown:
    """The section, as the dossier validates it.

    Args:
        others: What the published cases say; None where nobody asked.
        framework: Gives the titles of answers.

    Returns:
        The fields of ``PrecedentsResult``. Unknown where nobody asked or nothing is known.
    """
    if others is None:
        return IN_SHORT
    if not others.answers and others.goal is None:
        return NOTHING_KNOWN
    titles = {name: factor.title for name, factor in framework.factors.items()}
    return {
        "nearest": tuple(_neighbour(near, others, titles) for near in others.near) or NONE_ALIKE,
        "as_near": others.as_near,
        "base_rate": _goal_rate(others),
        "pattern_rate": _pattern_rate(others, titles),
        "every_rate": _rate(others.every, "published cases", {}),
        **dict.fromkeys(("p_fine_tune", "p_interval", "p_open", "track_record"), WITHDRAWN),
        "disagrees": "The published cases give no probability to agree or disagree with: the "
        "fitted one is withdrawn.",
        "moves": (),
    }


def _neighbour(near: Near, others: Others, titles: Mapping[str, str]) -> dict[str, Any]:
    case = near.case
    return {
        "id": case.id,
        "title": case.title,
        "winner": case.winner,
        "source_url": case.url,
        "source": case.source,
        "source_status": case.status,
        "year": _year(case),
        "kind": case.kind,
        "goal": case.goal,
        "margin": case.margin,
        "tried": case.tried,
        "likeness_bits": near.bits,
        "same_goal": near.same_goal,
        "shared": {name: others.answers[name] for name in near.shared},
        "differs": {name: others.answers[name] for name in near.differs},
        "why": why_alike(near, others, titles),
    }


def _year(case: Precedent) -> int | Unknown:
    return Unknown(ask="see its source") if case.year is None else case.year


def _rate(found: Rate, of: str, answers: Mapping[str, Told]) -> dict[str, Any]:
    return {
        "of": of,
        "answers": dict(answers),
        "n": found.n,
        "won": found.won,
        "clusters": found.clusters,
        "rate": found.won / found.n,
        "low": found.low,
        "high": found.high,
        "method": found.method,
    }


def _goal_rate(others: Others) -> dict[str, Any] | Unknown:
    found = others.of_goal
    if others.goal is None or found is None:
        return Unknown(ask="name the goals, the primary one first")
    of = f"published cases of {plain(others.goal)}"
    if isinstance(found, Few):
        return _too_few(found, of)
    return _rate(found, of, {})


def _pattern_rate(others: Others, titles: Mapping[str, str]) -> dict[str, Any] | Unknown:
    found = others.of_pattern
    if found is None:
        asked = next((name for name in others.telling if name in titles), None)
        if asked is None:
            return Unknown(ask="ask what tells published cases apart: --framework precedent")
        return Unknown(ask=f"answer {asked}")
    of = f"published cases with {answers_text(others.pattern, titles)}"
    if isinstance(found, Few):
        return _too_few(found, of)
    return _rate(found, of, others.pattern)


def _too_few(found: Few, of: str) -> Unknown:
    return Unknown(
        ask=f"find {few(found.least - found.n)} more {of}: there are {few(found.n)}, "
        f"and a rate takes {few(found.least)}"
    )
