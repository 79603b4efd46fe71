"""Words about published cases: why one is alike, what won, and what their chance says."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tuneworthy.domain.decision import Verdict
from tuneworthy.domain.likeness import (
    ArmId,
    BaseRate,
    Near,
    Neighbour,
    Others,
    Recorded,
    Told,
    Tried,
)
from tuneworthy.domain.odds import Move
from tuneworthy.domain.record import Unknown
from tuneworthy.domain.winner import Winner
from tuneworthy.report.options.reasons import ARMS
from tuneworthy.report.words import few, listing, number, plain, quality, sentence, share

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

BEWARE = (
    "Winners are published more often than losers, and few cases are alike in everything that "
    "counts. What happened to others is no odds for what is still open here."
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


def record_text(found: Recorded | Unknown) -> str:
    """How often the fit was right, whether that earned it a place or not."""
    if isinstance(found, Unknown):
        return f"unknown: {found.ask}"
    accuracy, gain = found.accuracy_interval, found.brier_gain_interval
    place = "earned its place" if found.earned else "not better than the base rate beyond chance"
    right = f"{share(found.accuracy)} ({share(accuracy.low)} to {share(float(accuracy.high))})"
    return (
        f"right in {right} of {number(found.cases)} cases it hadn't seen; Brier score "
        f"{quality(found.brier)}, better than the base rate by {found.brier_gain:.3f} "
        f"({gain.low:.3f} to {float(gain.high):.3f}): {place}"
    )


def disagrees_text(others: Others, outcome: Verdict) -> str:
    """Whether the published cases and the verdict agree, in one sentence."""
    found = others.chance
    if isinstance(found, Unknown):
        if others.record is None:
            why = "nothing was fitted to them"
        elif not others.earned:
            why = "what was fitted to them doesn't beat the base rate beyond chance"
        else:
            still_open = listing([plain(name) for name in others.still_open])
            verb = "is" if len(others.still_open) == 1 else "are"
            asks = ", which --framework precedent asks" if others.unasked else ""
            why = f"{still_open} {verb} open{asks}"
        return sentence(f"the published cases give no probability to agree or disagree with: {why}")
    held = f"{share(found.value)} ({share(found.low)} to {share(found.high)})"
    chance = f"a chance of {held} that tuning measures best"
    if found.says == "unknown":
        return sentence(f"the published cases take no side: {chance} leaves either open")
    if outcome == "undecided":
        lean = "towards tuning" if found.says == "tune" else "away from tuning"
        return sentence(f"the verdict is open, and the published cases lean {lean}: {chance}")
    agree = (found.says == "tune") == (outcome == "fine_tune_candidate")
    verb = "agree" if agree else "disagree"
    return sentence(f"the published cases {verb} with the verdict: {chance}")


def moved_text(move: Move, titles: Mapping[str, str]) -> str:
    """What one answer does to the odds."""
    kind, _, goal = move.id.partition(":")
    title = f"the goal {plain(goal)}" if goal else titles.get(kind, plain(kind))
    if move.state == "unknown":
        least, most = _times(move.log_odds_low), _times(move.log_odds_high)
        return sentence(f"{title} is open: its answer would multiply the odds by {least} to {most}")
    said = title if goal else f"{title} {move.state}"
    return sentence(f"{said} multiplies the odds by {_times(move.log_odds)}")


def _times(log_odds: float) -> str:
    """A factor with two digits that say something."""
    factor = math.exp(log_odds)
    return f"{factor:.2g}" if factor < 10 else f"{factor:,.0f}"
