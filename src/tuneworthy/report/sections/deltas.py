"""Changes of a what-if, as pairs of short values: an answer, an amount, a number of months."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier
from tuneworthy.report.sections.common import NOT_KNOWN, duration, split_headline
from tuneworthy.report.sections.plan import ask_text
from tuneworthy.words import count, sentence, share


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
    pairs = [Delta(name, then[name], now[name]) for name in then]
    (word, clause), (new_word, new_clause) = map(split_headline, (before, after))
    if word == new_word and clause != new_clause:
        pairs.insert(1, Delta("Because", "", sentence(new_clause)))
    return pairs


def _values(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The main values of a dossier, each with its label, to be compared."""
    word, _ = split_headline(dossier)
    yield "Answer", word.removesuffix(".")
    ask = dossier.ask
    yield "Ask now", NOT_KNOWN if isinstance(ask, Unknown) else ask_text(ask)
    yield from _money(dossier)
    severities = [challenge.severity for challenge in dossier.challenges]
    yield "Contradictions", count(severities.count("contradiction"))
    advice = dossier.recommendation
    yield (
        "First step",
        NOT_KNOWN if isinstance(advice, Unknown) else sentence(advice.steps[0].title),
    )


def _money(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """The month in which tuning pays back if it works, and the share of all runs that repay at all."""
    money = dossier.investment
    if isinstance(money, Unknown):
        yield "Pays back if it works", NOT_KNOWN
        yield "Repaid in", NOT_KNOWN
        return
    drawn = money.simulation
    back = money.break_even_months
    months = back.point if isinstance(back.p50, Unknown) else back.p50
    yield "Pays back if it works", duration(months)
    if isinstance(drawn, Unknown):
        repaid = NOT_KNOWN
    else:
        repaid = f"{share(1 - drawn.p_never)} of all runs"
    yield "Repaid in", repaid
