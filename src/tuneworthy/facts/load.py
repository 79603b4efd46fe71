"""The catalogue of outside facts: shipped ones, those of packages, and those of a user.

The end of a model or a service, as stated or as looked up there, and the cost of a forced move.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from tuneworthy.errors import FrameworkError, InputError
from tuneworthy.facts.records import (
    FactsFile,
    KnownFacts,
    ModelFact,
    OutsideFact,
    ServiceFact,
)
from tuneworthy.model.case import Case, Model, in_use
from tuneworthy.plugins import plugin_texts
from tuneworthy.syntax.document import Error, ParsedFile, build, parse
from tuneworthy.words import day as day_text
from tuneworthy.words import listing

FILES = ("models.yaml", "services.yaml", "limits.yaml", "assumptions.yaml")
COMPILED = "catalogue.json"
"""The facts of those files in a form that is read ten times as fast; ``tools/facts.py`` makes it."""


class OwnFacts(NamedTuple):
    """A user's own file of facts."""

    name: str  #: As an error names it.
    text: str


_readers: list[Callable[[], OwnFacts | None]] = []
"""Functions that read the file a user's configuration names, as only ``files`` opens files of
users."""


def add_facts_from(
    read: Callable[[], OwnFacts | None],
) -> Callable[[], OwnFacts | None]:
    """Add the facts that ``read`` returns to the catalogue. It is called each time."""
    _readers.append(read)
    return read


def facts_on(day: date | None = None) -> KnownFacts:
    """Facts known on a day, so that an old question keeps its answer; all of them for None.

    Raises:
        InputError: If a user's own file isn't a file of facts.
    """
    return _known_on(day, own_facts())


def own_facts() -> tuple[OwnFacts, ...]:
    """The user's own facts, by their files."""
    sources = [read() for read in _readers]
    return tuple(source for source in sources if source is not None)


@lru_cache(maxsize=64)
def _known_on(day: date | None, own: tuple[OwnFacts, ...]) -> KnownFacts:
    return _joined(own).known_on(day)


@lru_cache(maxsize=8)
def _joined(own: tuple[OwnFacts, ...]) -> FactsFile:
    """All facts together. The name of the user's file is that of an error, as ours are tested."""
    every = shipped_facts()
    name = "facts"
    for source in own:
        every = every.joined(read_facts(source.text, source.name, InputError))
        name = source.name
    _check_entries(every, name)
    return every


@cache
def shipped_facts() -> FactsFile:
    """Shipped facts, and those of installed packages."""
    text = files("tuneworthy.facts").joinpath(COMPILED).read_text(encoding="utf-8")
    every = build(FactsFile, ParsedFile(json.loads(text), COMPILED), FrameworkError)
    for name, text in plugin_texts("facts").items():
        every = every.joined(read_facts(text, f"{name}.yaml", FrameworkError))
    return every


def read_facts(text: str, name: str, error: Error) -> FactsFile:
    """Parse a file of facts; an ``error`` if it isn't one."""
    parsed = parse(text, name, error)
    if parsed.data is None:
        return FactsFile()
    return build(FactsFile, parsed, error)


def _check_entries(every: FactsFile, name: str) -> None:
    """Check that each entry has a unique name in its list, and replaces only an older entry."""
    groups: tuple[tuple[OutsideFact, ...], ...] = (
        every.models,
        every.services,
        every.limits,
        every.assumptions,
        every.rivals,
    )
    for group in groups:
        days: dict[str, date] = {}
        for fact in group:
            if fact.entry in days:
                what = f'has the entry "{fact.entry}" twice'
                fix = "give the later one another name"
                raise InputError(what, where=name, fix=fix)
            if fact.replaces is not None:
                replaced_day = days.get(fact.replaces)
                # one that isn't above this entry is as wrong as one that is newer
                if replaced_day is None or replaced_day > fact.dated:
                    what = (
                        f'has the entry "{fact.entry}" in place of "{fact.replaces}", which is '
                        "not an older entry"
                    )
                    fix = (
                        "name an earlier entry of the same list, or leave replaces out"
                    )
                    raise InputError(what, where=name, fix=fix)
            days[fact.entry] = fact.dated


FRESH_DAYS = 30
"""Days for which a look-up is fresh: hosts usually give notice of a month or more."""
WARN_DAYS = 180
"""Days before its end from which a base gets a warning: a tuned model has to last some months."""


RESELLERS = frozenset(
    [
        "azure",
        "bedrock",
        "fireworks",
        "groq",
        "prime",
        "tinker",
        "together",
        "vertex",
        "wandb",
    ]
)
"""Providers of the catalogue that serve models of others; the rest serve their own."""


def looked_up_end(model: Model, as_of: date | None) -> date | None:
    """The day when a model ends, as it was known on a day; a tuned model may end with its base."""
    fact = facts_on(as_of).model(model.id, model.base_url)
    if fact is None:
        return None
    return fact.tuned_end if model.kind == "tuned" else fact.end


def logged_end(name: str, as_of: date | None) -> date | None:
    """The day when a model ends, by its name in a log, which rarely names the provider.

    For a name without a provider, the maker's own date counts: other hosts may have others.
    """
    facts = facts_on(as_of)
    fact = facts.model(name.replace("/", ":", 1))
    if fact is None and ":" not in name:
        fact = facts.model(_with_provider(name, facts))
    return None if fact is None else fact.end


def _with_provider(name: str, facts: KnownFacts) -> str:
    """A model's name as the catalogue has it, at its maker if that is listed; empty without one.

    The catalogue's names begin with a provider and a colon.
    """
    *_, plain_name = name.split("/")
    ending = f":{plain_name}"
    at_reseller = ""
    for fact in facts.models:
        for listed in fact.models:
            if not listed.endswith(ending):
                continue
            if listed.partition(":")[0] not in RESELLERS:
                return listed
            at_reseller = at_reseller or listed
    return at_reseller


def end_day(model: Model, as_of: date | None) -> date | None:
    """The day when a model ends, as stated, else as looked up."""
    return model.ends or looked_up_end(model, as_of)


def serves_until(case: Case, as_of: date | None) -> date | None:
    """The day from which the tuned model is no longer served; None where it is unknown.

    A tuned model that runs today isn't meant: another one would take its place.
    """
    used = in_use(case)
    tuned = [
        model for model in case.models if model.kind == "tuned" and model is not used
    ]
    days = [case.tuning.until, *(end_day(model, as_of) for model in tuned)]
    return min((day for day in days if day is not None), default=None)


def base_problem(name: str, service: ServiceFact | None, day: date) -> str:
    """Why no new job of a service tunes a model on a day; empty where one may."""
    model = facts_on(day).model(name)
    if model is not None and model.untunable_from and model.untunable_from <= day:
        verb = "was switched off on"
        if model.train_until:
            verb = "takes no new tuning jobs since"
        alone = name.partition(":")[2]  # the name without the provider
        return f"{alone} {verb} {day_text(model.untunable_from)}{model.unsure}"
    if service is not None and service.until and service.until <= day:
        since = f"{day_text(service.until)}{service.unsure}"
        return f"{service.service} takes no new jobs since {since}"
    return ""


def untunable(case: Case, as_of: date) -> str:
    """Why no service tunes any base that a case would tune; empty where one may, or none is named.

    A model whose quality is known was tuned already, and one at an address of its own is the
    team's.
    """
    first_problem = ""
    for model in case.models:
        is_own = model.base_url is not None
        if model.kind != "tuned" or is_own or model.quality is not None:
            continue
        problem = base_problem(model.id, facts_on(as_of).tuner(model.id), as_of)
        if not problem:
            return ""
        first_problem = first_problem or problem
    return first_problem


def age_text(as_of: date) -> str:
    """The age of the catalogue on a day, with advice where ends may have been announced since.

    Hosts usually give notice of a month or more, so a younger catalogue misses little.
    """
    dated = facts_on(as_of).dated
    days = (as_of - dated).days
    text = f"looked up until {day_text(dated)}"
    if days <= FRESH_DAYS:
        return text
    return f"{text}, {days} days before. Ask the host before you rely on it, or update Tuneworthy"


def end_text(fact: ModelFact | None, as_of: date) -> str:
    """When a model ends, and its named successor; empty where nobody looked."""
    if fact is None or fact.ends is None:
        return ""
    if not isinstance(fact.ends, date):
        return f"no end is published, as of {day_text(fact.dated)}"
    if fact.ends <= as_of:
        verb = "ended on"
    elif fact.ends_is == "earliest":
        verb = "ends on or after"
    else:
        verb = "ends on"
    text = f"{verb} {day_text(fact.ends)}{fact.unsure}"
    if fact.successors:
        return f"{text}. Its successor: {listing(fact.successors, 'or')}"
    return text
