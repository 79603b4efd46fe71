"""What happened to others as it stands in the dossier; the pages are in the modules beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneworthy.domain.framework import Framework
from tuneworthy.domain.likeness import Few, Near, Others, Precedent, Rate, Told
from tuneworthy.domain.record import Unknown
from tuneworthy.report.precedents.words import answers_text, why_alike
from tuneworthy.report.words import few, plain

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
