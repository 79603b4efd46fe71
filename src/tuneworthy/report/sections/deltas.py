"""Changes between two dossiers, as pairs of short values: an answer, an amount, a number of months."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import CheckResult, Dossier, FactorResult, SignalResult
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import NOT_KNOWN, duration, split_headline
from tuneworthy.report.sections.plan import ask_text
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import capital, count, sentence, share


class Delta(NamedTuple):
    """One value before and after; ``was`` is empty where only the new one is worth a line."""

    name: str
    was: str
    now: str

    @property
    def moved(self) -> bool:
        return self.was != self.now


def deltas(before: Dossier, after: Dossier) -> list[Delta]:
    """The answer, the ask, the payback, the contradictions and the first step of both."""
    then = dict(_values(before))
    now = dict(_values(after))
    changes = [Delta(name, then[name], now[name]) for name in then]
    old = split_headline(before)
    new = split_headline(after)
    if old.answer == new.answer and old.because != new.because:
        # the answer looks unchanged, so its new reason follows it
        changes.insert(1, Delta("Because", "", sentence(new.because)))
    return changes


def _values(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The main values of a dossier, each with its label, to be compared."""
    yield "Answer", split_headline(dossier).answer.removesuffix(".")
    ask = dossier.ask
    yield "Ask now", NOT_KNOWN if isinstance(ask, Unknown) else ask_text(ask)
    yield from _money(dossier)
    severities = [challenge.severity for challenge in dossier.challenges]
    yield "Contradictions", count(severities.count("contradiction"))
    advice = dossier.recommendation
    if isinstance(advice, Unknown):
        yield "First step", NOT_KNOWN
    else:
        first_step, *_ = advice.steps
        yield "First step", sentence(first_step.title)


def _money(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The month in which tuning pays back if it works, and the share of all runs that repay at all."""
    money = dossier.investment
    months = NOT_KNOWN
    repaid = NOT_KNOWN
    if not isinstance(money, Unknown):
        back = money.break_even_months
        # without simulated runs, by the stated figures alone
        months = duration(back.point if isinstance(back.p50, Unknown) else back.p50)
        if not isinstance(money.simulation, Unknown):
            repaid = f"{share(1 - money.simulation.p_never)} of all runs"
    yield "Pays back if it works", months
    yield "Repaid in", repaid


class Changes(NamedTuple):
    """The changes of a case since its base, for the comment on a pull request."""

    says: str
    blocks: tuple[b.Block, ...]


def changes_since(before: Dossier, after: Dossier) -> Changes:
    """Describe the changes since a base: a sentence, and a table of the values that moved."""
    was = ANSWER_WORDS[before.verdict.answer]
    now = ANSWER_WORDS[after.verdict.answer]
    if was == now:
        says = f"Compared with the base, the answer stays “{now}”."
    else:
        says = f"Compared with the base, the answer was “{was}” and is “{now}”."
    rows = [
        (delta.name, delta.was or "–", delta.now)
        for delta in deltas(before, after)
        if delta.moved
    ]
    earlier = _answers(before)
    for name, answer in _answers(after).items():
        state = earlier[name].state if name in earlier else "not asked"
        if state != answer.state:
            rows.append((capital(answer.title), state, answer.state))
    if not rows:
        return Changes(
            says, (b.Prose("No answer changed, nor what follows from them."),)
        )
    return Changes(says, (b.table("What changed", "What | At the base | Now", rows),))


def _answers(dossier: Dossier) -> dict[str, SignalResult | CheckResult | FactorResult]:
    """All questions by their ids; a factor replaces a signal of the same name."""
    return {**dossier.signals, **dossier.ceiling.checks, **dossier.factors}
