"""The catalogue of outside facts: shipped ones, those of packages, and those of a user."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from tuneworthy.errors import FrameworkError, InputError
from tuneworthy.facts.records import FactsFile, KnownFacts
from tuneworthy.plugins import plugin_texts
from tuneworthy.syntax.document import Error, ParsedFile, build, parse

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
    return tuple(source for read in _readers if (source := read()) is not None)


@lru_cache(maxsize=64)
def _known_on(day: date | None, own: tuple[OwnFacts, ...]) -> KnownFacts:
    return _joined(own).known_on(day)


@lru_cache(maxsize=8)
def _joined(own: tuple[OwnFacts, ...]) -> FactsFile:
    every = shipped_facts()
    for source in own:
        every = every.joined(read_facts(source.text, source.name, InputError))
    _check_entries(every, "facts" if not own else own[-1].name)
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
    groups = (
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
                raise InputError(
                    what, where=name, fix="give the later one another name"
                )
            if (
                fact.replaces is not None
                and days.get(fact.replaces, date.max) > fact.dated
            ):
                what = f'has the entry "{fact.entry}" in place of "{fact.replaces}"'
                fix = "name an earlier entry of the same list, or leave replaces out"
                raise InputError(
                    f"{what}, which is not an older entry", where=name, fix=fix
                )
            days[fact.entry] = fact.dated
