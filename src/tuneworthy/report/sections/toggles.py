"""What a page shows while answers are given: the questions, and what moves with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuneworthy.model.base import State
from tuneworthy.model.dossier import CheckResult, Dossier, FactorResult, SignalResult
from tuneworthy.model.framework import Check, Criterion, Framework
from tuneworthy.report.sections.common import source_words
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.words import bits, sentence, share


@dataclass(frozen=True, slots=True)
class Asking:
    """A question with what the case file says to it."""

    key: str
    """Where it stands in a case, as ``factors.brand_voice``."""
    title: str
    ask: str
    why: str
    """Why it is asked, and what a yes means; may be empty."""
    example: str
    told: State
    """What the case file says."""
    counts: str
    """What counts where that is something else, and where it comes from; else empty."""
    note: str


@dataclass(frozen=True, slots=True)
class Group:
    """Questions of one kind."""

    id: str
    title: str
    says: str
    """How many hold, and how many are open."""
    questions: tuple[Asking, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """An outcome that is still possible."""

    outcome: str
    title: str
    share: str
    between: str
    """The least and most when the odds move; empty where that says the same."""
    bar: tuple[float, float, float]
    """Share, least and most, in percent of the width."""


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """The open answer that removes most doubt for its time."""

    key: str
    ask: str
    worth: str


def groups(dossier: Dossier, framework: Framework, told: Mapping[str, State]) -> tuple[Group, ...]:
    """Every question of a framework, with the answers of a case.

    Args:
        dossier: Says what counts.
        framework: Says why something is asked.
        told: What the case file says, by path.
    """
    checks, factors = dossier.ceiling.checks, dossier.factors
    found: tuple[tuple[str, str, str, Mapping[str, Criterion], Mapping[str, _Result]], ...] = (
        ("limit", "Has prompting been taken to its limit?", "ceiling", framework.ceiling, checks),
        ("for", "Reasons for fine-tuning", "factors", framework.indicators, factors),
        ("against", "Reasons against it", "factors", framework.anti_indicators, factors),
        (
            "signs",
            "Signs that prompting has reached its limit",
            "signals",
            framework.signals,
            dossier.signals,
        ),
    )
    return tuple(
        Group(
            name,
            title,
            _said([results[key].state for key in asked]),
            tuple(
                _asking(f"{room}.{key}", one, results[key], framework, told)
                for key, one in asked.items()
            ),
        )
        for name, title, room, asked, results in found
        if asked
    )


def titles(framework: Framework) -> dict[str, str]:
    """What every question is called, by path."""
    return {
        **{f"ceiling.{key}": one.title for key, one in framework.ceiling.items()},
        **{f"factors.{key}": one.title for key, one in framework.factors.items()},
        **{f"signals.{key}": one.title for key, one in framework.signals.items()},
    }


_Result = CheckResult | FactorResult | SignalResult


def _asking(
    key: str, asked: Criterion, result: _Result, framework: Framework, told: Mapping[str, State]
) -> Asking:
    means = getattr(asked, "means", "")
    at_least = asked.at_least if isinstance(asked, Check) else None
    texts = [framework.filled(text, at_least) for text in (asked.why, means) if text]
    counts, said = "", told.get(key, "unknown")
    if result.source != "stated" and result.state != said:
        counts = f"counts as {result.state}, from {source_words(result.state, result.source)}"
    return Asking(
        key=key,
        title=result.title,
        ask=result.ask,
        why=" ".join(map(sentence, texts)),
        example=framework.filled(asked.example, at_least),
        told=said,
        counts=counts,
        note=result.note,
    )


def _said(states: list[State]) -> str:
    done, still_open = states.count("yes"), states.count("unknown")
    said = f"{done} of {len(states)} yes"
    return f"{said}, {still_open} open" if still_open else said


def reached(dossier: Dossier) -> tuple[Reached, ...]:
    """The outcomes that are still possible, the likeliest to be counted first; one where final."""
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    found = []
    for outcome, value in shares:
        if not value:
            continue
        ends = dossier.bounds[outcome]
        low, high = float(ends.low), float(ends.high)
        between = "" if dossier.verdict.final else f"from {share(low)} to {share(high)}"
        bar = tuple(round(100 * each, 2) for each in (value, low, high))
        found.append(
            Reached(
                outcome, OUTCOME_WORDS[outcome], share(value), between, (bar[0], bar[1], bar[2])
            )
        )
    return tuple(found)


def next_question(dossier: Dossier) -> NextQuestion | None:
    """What to answer next; None when nothing can change the verdict any more."""
    if not dossier.next_questions:
        return None
    first = dossier.next_questions[0]
    worth = (
        f"It removes the most doubt for the time it takes: {bits(first.gain_bits)} bits, and about "
        f"{first.minutes} min to find out."
    )
    room = "ceiling" if first.factor in dossier.ceiling.checks else "factors"
    return NextQuestion(f"{room}.{first.factor}", first.ask, worth)
