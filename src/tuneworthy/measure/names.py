"""Who is named in a text: a plain recogniser without a model, for a sample of texts."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

UPPER = "A-ZÀ-ÖØ-ÞŁŚŻŹĆŠČŘĐŽÅÄÖÆØ"
"""Capitals of the Latin alphabets, for a class."""

NAME = "names by cues and census lists, 1"
"""What the recogniser calls itself; the number changes with what it says."""
SOURCE = "ours; first names of the US Census Bureau, 1990 (public domain)"
"""Where its rules and its list come from."""

_WORD = rf"[{UPPER}][\w'’-]{{1,30}}"
_INITIAL = rf"[{UPPER}]\.?"
_LINK = r"(?:van|von|de|der|den|del|della|di|da|dos|bin|al|el|la|le|ter|ten)"
_NAME = rf"{_WORD}(?: (?:{_INITIAL} )?(?:{_LINK} ){{0,2}}{_WORD}){{0,2}}"
_TITLE = (
    r"(?i:mr|mrs|ms|miss|dr|prof|sir|madam|herr|frau|señora?|sra?|mme|monsieur|madame|signora?"
    r"|dhr|mevr|pan|pani)\.?"
)
_SAID = (
    r"(?i:my name is|name is|name's|i am|i'm|this is|called|named|name ?:|contact ?:|customer ?:"
    r"|ich heiße|mein name ist|je m'appelle|me llamo|mi nombre es|mi chiamo|meu nome é|signed ?:)"
)
_HAIL = r"(?i:dear|hi|hello|hey|liebe|lieber|cher|chère|estimado|estimada|caro|cara|ciao|hola)"
_CLOSE = (
    r"(?i:regards|sincerely|best|cheers|thanks|thank you|yours|grüße|cordialement|saludos"
    r"|atentamente|saluti)"
)
_CUED = re.compile(
    rf"(?<!\w)(?:(?:(?:{_SAID}|{_HAIL}) )?{_TITLE} |{_SAID} |{_HAIL} |{_CLOSE}[,.!]?\n{{1,3}})"
    rf"({_NAME})(?!\w)"
)
_CAPITAL = re.compile(rf"(?<![\w@/.-]){_NAME}(?![\w@/])")


class PersonName(NamedTuple):
    """A person's name in a text, as characters."""

    start: int
    end: int


def persons(text: str) -> tuple[PersonName, ...]:
    """Where persons are named, in the order of the text, without overlap."""
    people = [PersonName(*match.span(1)) for match in _CUED.finditer(text) if _somebody(match[1])]
    for match in _CAPITAL.finditer(text):
        if _listed(match[0]):
            start, end = match.span()
            if not any(start < other.end and other.start < end for other in people):
                people.append(PersonName(start, end))
    return tuple(sorted(people))


def digest() -> str:
    """SHA-256 of everything it goes by: its rules and its lists."""
    lists = (first_names(), _words("not_first.txt"), _words("not_last.txt"))
    parts = (NAME, _CUED.pattern, _CAPITAL.pattern, *(" ".join(sorted(each)) for each in lists))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def first_names() -> frozenset[str]:
    """First names of the census in small letters, without those that are mostly a word."""
    return _words("first_names.txt") - _words("not_first.txt")


@cache
def _words(name: str) -> frozenset[str]:
    lines = files("tuneworthy.measure").joinpath(name).read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _somebody(name: str) -> bool:
    return name.split(maxsplit=1)[0].lower() not in _words("not_first.txt")


def _listed(name: str) -> bool:
    words = name.lower().split()
    shouted = name[:2].isupper() and len(words[0]) > 1  # an airport or an abbreviation
    if shouted or words[-1] in _words("not_last.txt"):
        return False
    return re.sub("['’]s$", "", words[0]) in first_names()
