"""What a page shows while answers are given: the questions, and what changes with them."""

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
class AnswerField:
    """A question with the answer of the case file."""

    key: str  #: Its path in a case, as ``factors.brand_voice``.
    title: str
    ask: str
    why: str  #: Why it matters, and what a yes means; may be empty.
    example: str
    stated: State  #: The answer in the case file.
    counts: str
    """Which answer counts where it is another one, and where it comes from; else empty."""
    note: str


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """Questions of one kind."""

    id: str
    title: str
    says: str  #: How many hold, and how many are open.
    questions: tuple[AnswerField, ...]


@dataclass(frozen=True, slots=True)
class PossibleOutcome:
    """An outcome that is still possible."""

    outcome: str
    title: str
    share: str
    between: str  #: The least and most when the odds move; empty for a final verdict.
    bar: tuple[float, ...]  #: Share, least and most, in percent of the width.


@dataclass(frozen=True, slots=True)
class NextQuestion:
    """The open answer that removes most doubt for its time."""

    key: str
    ask: str
    worth: str


_Result = CheckResult | FactorResult | SignalResult


def groups(
    dossier: Dossier, framework: Framework, stated: Mapping[str, State]
) -> tuple[AnswerGroup, ...]:
    """Every question of a framework; ``stated`` has the answers of the case file by path."""
    checks, factors, signals = dossier.ceiling.checks, dossier.factors, dossier.signals
    limit = "Has prompting been taken to its limit?"
    signs = "Signs that prompting has reached its limit"
    rooms: tuple[tuple[str, str, str, Mapping[str, Criterion], Mapping[str, _Result]], ...] = (
        ("limit", limit, "ceiling", framework.ceiling, checks),
        ("for", "Reasons for fine-tuning", "factors", framework.indicators, factors),
        ("against", "Reasons against it", "factors", framework.anti_indicators, factors),
        ("signs", signs, "signals", framework.signals, signals),
    )
    groups = []
    for name, title, room, criteria, results in rooms:
        fields = tuple(
            _field(f"{room}.{key}", one, results[key], framework, stated)
            for key, one in criteria.items()
        )
        states = [results[key].state for key in criteria]
        tally = f"{states.count('yes')} of {len(states)} yes"
        if unknown := states.count("unknown"):
            tally += f", {unknown} open"
        if fields:
            groups.append(AnswerGroup(name, title, tally, fields))
    return tuple(groups)


def _field(
    key: str, asks: Criterion, result: _Result, framework: Framework, stated: Mapping[str, State]
) -> AnswerField:
    at_least = asks.at_least if isinstance(asks, Check) else None
    reasons = (asks.why, getattr(asks, "means", ""))
    counts, answer = "", stated.get(key, "unknown")
    if result.source != "stated" and result.state != answer:
        counts = f"counts as {result.state}, from {source_words(result.state, result.source)}"
    return AnswerField(
        key=key,
        title=result.title,
        ask=result.ask,
        why=" ".join(sentence(framework.filled(text, at_least)) for text in reasons if text),
        example=framework.filled(asks.example, at_least),
        stated=answer,
        counts=counts,
        note=result.note,
    )


def titles(framework: Framework) -> dict[str, str]:
    """What every question is called, by path."""
    rooms = (
        ("ceiling", framework.ceiling),
        ("factors", framework.factors),
        ("signals", framework.signals),
    )
    return {f"{room}.{key}": one.title for room, every in rooms for key, one in every.items()}


def possible_outcomes(dossier: Dossier) -> tuple[PossibleOutcome, ...]:
    """The outcomes that are still possible, those of most ways first; one for a final verdict."""
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    outcomes = []
    for outcome, value in shares:
        if value:
            ends = dossier.bounds[outcome]
            low, high = float(ends.low), float(ends.high)
            between = "" if dossier.verdict.final else f"from {share(low)} to {share(high)}"
            bar = tuple(round(100 * end, 2) for end in (value, low, high))
            title = OUTCOME_WORDS[outcome]
            outcomes.append(PossibleOutcome(outcome, title, share(value), between, bar))
    return tuple(outcomes)


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
