"""The base that a target tunes: whether it still exists, when it ends, and its alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tuneworthy.facts.load import WARN_DAYS, base_problem, end_text, facts_on
from tuneworthy.facts.records import KnownFacts, Method, ModelFact, ServiceFact
from tuneworthy.model.case import Medium
from tuneworthy.money.terms import mtok_range
from tuneworthy.words import capital, listing
from tuneworthy.words import day as day_text

#: The base in a script for one's own machine where none is named.
OWN_BASE = "BASE_MODEL"
SAFE_DAYS = 90  #: A base that we name ourselves lasts at least so many days.
_MOST_NAMED = 3  # alternatives that a sentence names


class TargetBases(NamedTuple):
    """The bases of a target, as the catalogue lists them."""

    title: str
    names: tuple[str, ...]  #: ``host:name``; empty where its machine is one's own.
    service: ServiceFact | None
    others: tuple[tuple[str, str], ...]
    """Targets of the same method at other services, each with a base that it tunes."""


class ChosenBase(NamedTuple):
    """A base with its known facts."""

    name: str  #: As the service calls it.
    fact: ModelFact | None
    problem: str  #: Why it can't be tuned; empty where it can.
    ends: str  #: When it ends, or that nothing is published, or that nobody looked.
    #: The consequence of its end within half a year; empty where it lasts longer.
    warning: str


def choose_base(
    bases: TargetBases, stated: str | None, day: date, media: Sequence[Medium] = ()
) -> ChosenBase:
    """Return the stated base, or the first that lasts long enough, with its end on a day.

    A base that is known not to read the ``media`` of a case's requests can't be chosen.
    """
    facts = facts_on(day)
    bases = _reading(bases, facts, media)
    service = bases.service
    if service is None or service.kind == "self_hosted":
        ends = "never, as the weights stay with you"
        return ChosenBase(stated or OWN_BASE, None, "", ends, "")
    name = _full_name(bases, facts, stated, day)
    if name is None:
        return ChosenBase("", None, _none_lasts(bases, facts, day), "unknown", "")
    short = name.removeprefix(f"{service.host or ''}:")
    fact = facts.model(name)
    problem = base_problem(name, service, day)
    unread = facts.unread(name, media)
    if not problem and unread:
        problem = f"{short} reads no {listing(unread, 'and no')}, which requests hold (data.media)"
    if problem:
        problem += f". {_instead(bases, facts, day)}"
    ends = _ends(fact, service, day)
    return ChosenBase(short, fact, problem, ends, _warning(short, fact, service, day))


def _full_name(
    bases: TargetBases, facts: KnownFacts, stated: str | None, day: date
) -> str | None:
    """The base as ``host:name``: the stated one, else the first that lasts; None where none does."""
    host = "" if bases.service is None else bases.service.host or ""
    if stated is not None:
        return stated if stated.startswith(f"{host}:") else f"{host}:{stated}"
    lasting = facts.live_bases(bases.names, day, for_days=SAFE_DAYS)
    return lasting[0] if lasting else None


def _reading(
    bases: TargetBases, facts: KnownFacts, media: Sequence[Medium]
) -> TargetBases:
    """The bases without those that are known not to read some media of the requests."""
    if not media:
        return bases
    names = tuple(name for name in bases.names if not facts.unread(name, media))
    others = tuple(
        (target, name) for target, name in bases.others if not facts.unread(name, media)
    )
    return bases._replace(names=names, others=others)


def last_day(fact: ModelFact | None, service: ServiceFact | None) -> date | None:
    """Return the day from which a model tuned on it no longer answers; None where it is unknown."""
    days = []
    if fact is not None and fact.last_tuned_day is not None:
        days.append(fact.last_tuned_day)
    if service is not None and service.serves_until is not None:
        days.append(service.serves_until)
    return min(days, default=None)


def ends_soon(fact: ModelFact | None, service: ServiceFact | None, day: date) -> bool:
    """Whether a model that is tuned today is switched off within half a year."""
    last = last_day(fact, service)
    return last is not None and last <= day + timedelta(days=WARN_DAYS)


def _ends(fact: ModelFact | None, service: ServiceFact, day: date) -> str:
    """When a base ends, and the models that are tuned on it."""
    if fact is None or (fact.ends is None and fact.tunes_end is None):
        return f"unknown, as no page that names it was found: ask {service.service}"
    text = end_text(fact, day)
    if fact.tuned_end is not None:
        tuned = f"models tuned on it end on {day_text(fact.tuned_end)}"
    elif fact.tunes_end is not None and fact.end is not None:
        tuned = "no end of models tuned on it is published"
    else:
        return text
    return f"{text}. {capital(tuned)}" if text else tuned


def asked_text(model: str, method: Method, day: date) -> str:
    """Say what a model's service asks for training it, with the source; empty where unknown."""
    price = facts_on(day).training_price(model, method)
    if price is None:
        return ""
    asked = mtok_range(price.low, price.most)
    looked_up = f"looked up on {day_text(price.dated)}"
    return f"{asked} for a million tokens at {price.whose}, {looked_up}"


def _warning(
    short: str, fact: ModelFact | None, service: ServiceFact, day: date
) -> str:
    """A warning where a base ends soon; empty where it lasts, and where it has ended."""
    last = last_day(fact, service)
    if last is None or not ends_soon(fact, service, day) or last <= day:
        return ""
    days_left = (last - day).days
    return f"What is tuned on {short} answers for {days_left} more days, until {day_text(last)}"


def _none_lasts(bases: TargetBases, facts: KnownFacts, day: date) -> str:
    """Say that no base of a target lasts, and name alternatives."""
    instead = _instead(bases, facts, day)
    if not bases.names:
        return f"No base of {bases.title} is known. Name yours with --base. {instead}"
    says = f"No base of {bases.title} lasts {SAFE_DAYS} days from now."
    known = [facts.model(name) for name in bases.names]
    ends = [fact.end for fact in known if fact is not None and fact.end]
    if ends:
        says += f" Those that it tunes end by {day_text(max(ends))}."
    says += f" {instead}"
    alive = facts.live_bases(bases.names, day)
    if alive:
        says += f". Or name one that ends soon: --base {_short_name(alive[0])}"
    return says


def _instead(bases: TargetBases, facts: KnownFacts, day: date) -> str:
    """Name three bases that last, of this target and then of others."""
    options = [f"--base {_short_name(name)}" for name in _lasting(bases, facts, day)]
    for target, name in bases.others:
        if facts.live_bases([name], day, for_days=SAFE_DAYS):
            options.append(f"--to {target} ({_short_name(name)})")
    if not options:
        return "No other base of this kind is known"
    return f"Tune one that stays: {listing(options[:_MOST_NAMED], 'or')}"


def _short_name(name: str) -> str:
    """The name of a base without its host."""
    _, _, short = name.partition(":")
    return short


def _lasting(bases: TargetBases, facts: KnownFacts, day: date) -> Sequence[str]:
    """The bases of a target that last; none where its service takes no new work by then."""
    until = None if bases.service is None else bases.service.until
    if until is not None and until <= day + timedelta(days=SAFE_DAYS):
        return ()
    return facts.live_bases(bases.names, day, for_days=SAFE_DAYS)
