"""What a page shows while answers are given: the questions, and what changes with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuneworthy.model.base import State
from tuneworthy.model.dossier import CheckResult, Dossier, FactorResult, SignalResult
from tuneworthy.model.framework import Criterion, Framework
from tuneworthy.money.worth import worth_text
from tuneworthy.report.sections.common import source_words
from tuneworthy.words import sentence

_Result = CheckResult | FactorResult | SignalResult


def groups(
    dossier: Dossier, framework: Framework, stated: Mapping[str, State]
) -> Iterator[dict[str, Any]]:
    """Every question of a framework by its kind, with how many hold and how many are open.

    ``stated`` has the answers of the case file by path.
    """
    checks, factors, signals = dossier.ceiling.checks, dossier.factors, dossier.signals
    limit = "Has prompting been taken to its limit?"
    signs = "Signs that prompting has reached its limit"
    rooms: tuple[tuple[str, str, str, Mapping[str, Criterion], Mapping[str, _Result]], ...] = (
        ("limit", limit, "ceiling", framework.ceiling, checks),
        ("for", "Reasons for fine-tuning", "factors", framework.indicators, factors),
        ("against", "Reasons against it", "factors", framework.anti_indicators, factors),
        ("signs", signs, "signals", framework.signals, signals),
    )
    for name, title, room, criteria, results in rooms:
        questions = [
            _field(f"{room}.{key}", one, results[key], framework, stated)
            for key, one in criteria.items()
        ]
        states = [results[key].state for key in criteria]
        says = f"{states.count('yes')} of {len(states)} yes"
        if unknown := states.count("unknown"):
            says += f", {unknown} open"
        if questions:
            yield {"id": name, "title": title, "says": says, "questions": questions}


def _field(
    key: str, asks: Criterion, result: _Result, framework: Framework, stated: Mapping[str, State]
) -> dict[str, str]:
    """A question with the answer of the case file, and which counts where it is another one."""
    reasons = (asks.why, getattr(asks, "means", ""))
    counts, answer = "", stated.get(key, "unknown")
    if result.source != "stated" and result.state != answer:
        counts = f"counts as {result.state}, from {source_words(result.state, result.source)}"
    return {
        "key": key,
        "title": result.title,
        "ask": result.ask,
        "why": " ".join(sentence(framework.filled(text, asks)) for text in reasons if text),
        "example": framework.filled(asks.example, asks),
        "stated": answer,
        "counts": counts,
        "note": result.note,
    }


def titles(framework: Framework) -> dict[str, str]:
    rooms = (
        ("ceiling", framework.ceiling),
        ("factors", framework.factors),
        ("signals", framework.signals),
    )
    return {f"{room}.{key}": one.title for room, every in rooms for key, one in every.items()}


def next_question(dossier: Dossier) -> dict[str, str] | None:
    """The open answer that removes most doubt for its time; None when nothing can any more."""
    if not dossier.next_questions:
        return None
    first = dossier.next_questions[0]
    worth = f"The most worthwhile for its time: {worth_text(first)}{first.minutes} min to find out."
    room = "ceiling" if first.factor in dossier.ceiling.checks else "factors"
    return {"key": f"{room}.{first.factor}", "ask": first.ask, "worth": worth}
