"""Personal and secret data that can be recognized by its form: found and masked.

``kinds.toml`` has the form of each kind. The further checks of a kind are here.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import re
import tomllib
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneworthy.text.search import Pattern, Searcher


class DataSpan(NamedTuple):
    """A place in a text, as characters, and the kind of data."""

    start: int
    end: int
    kind: str
    label: str


# Who is named in a text: a plain recogniser without a model.

UPPER = "A-ZÀ-ÖØ-ÞŁŚŻŹĆŠČŘĐŽÅÄÖÆØ"  #: Capitals of the Latin alphabets, for a class.

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


_ENDS_SENTENCE = re.compile(r"(?:[.!?:][\"”']?\s+|\n\s*|[\"“(])$")
_SENTENCE_END = 4  # characters in which a sentence ends
_DETERMINER = re.compile(
    r"(?<!\w)(?i:the|an?|our|your|my|his|her|their|its|this|that|these|those|every|each|any|new"
    r"|another|which|no) $"
)
_DETERMINER_LENGTH = 10
# no capital: that is a name's
_NEXT_WORD = re.compile(r"(?:'s|’s)?[ -]([a-zà-öø-ÿ\d][\w'’]*)")


def persons(text: str) -> tuple[DataSpan, ...]:
    """Places of persons' names, in the order of the text, without overlap."""
    people = [
        DataSpan(*match.span(1), "person", "name")
        for match in _CUED.finditer(text)
        if match[1].split(maxsplit=1)[0].lower() not in _words("not_first.txt")
    ]
    for match in _CAPITAL.finditer(text):
        start = match.start() + _opening(match[0], text[: match.start()])
        end = match.end()
        name = text[start:end]
        if not _listed(name) or any(start < s.end and s.start < end for s in people):
            continue
        if " " in name or not _is_thing(text, start, end):
            people.append(DataSpan(start, end, "person", "name"))
    return tuple(sorted(people))


def _opening(name: str, before: str) -> int:
    """The length of a word before a first name that only opens a sentence, as in "Then Ada"."""
    first, _, rest = name.partition(" ")
    opens = not before or _ENDS_SENTENCE.search(before[-_SENTENCE_END:]) is not None
    if (
        not rest
        or not opens
        or _listed(first)
        or first.lower() in _words("not_last.txt")
    ):
        return 0
    return len(first) + 1 if _listed(rest) else 0


def _is_thing(text: str, start: int, end: int) -> bool:
    """Whether a first name alone is the name of a thing, by the words around it."""
    if _DETERMINER.search(text[max(0, start - _DETERMINER_LENGTH) : start]):
        return True
    after = _NEXT_WORD.match(text, end)
    if after is None:
        return False
    word = after[1]
    return not (word.endswith("ed") or word in _words("after_people.txt"))


@cache
def first_names() -> frozenset[str]:
    """First names of the census in small letters, without those that are usually words."""
    return _words("first_names.txt") - _words("not_first.txt")


@cache
def _words(name: str) -> frozenset[str]:
    lines = files("tuneworthy.measure").joinpath(name).read_text("utf-8").splitlines()
    return frozenset(
        word for line in lines if not line.startswith("#") for word in line.split()
    )


def _listed(name: str) -> bool:
    words = name.lower().split()
    shouted = name[:2].isupper() and len(words[0]) > 1  # an airport or an abbreviation
    if shouted or words[-1] in _words("not_last.txt"):
        return False
    return re.sub("['’]s$", "", words[0]) in first_names()


# Proofs that a match is what it looks like.

_CARDS = (
    # Prefixes and lengths by the networks' own ranges in ISO/IEC 7812.
    (re.compile(r"4"), {13, 16, 19}),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"3(?:0[0-5]|[689])"), {14}),
    (re.compile(r"35(?:2[89]|[3-8])"), {16}),
    (re.compile(r"2131|1800"), {15}),
    (re.compile(r"6(?:011|5|4[4-9]|2)"), {16, 19}),
    (re.compile(r"50[0-9]|5[6-9]|6[0-9]"), set(range(12, 20))),
)
_NOT_PLAIN = re.compile(r"[^0-9A-Za-z]")
_NOBODYS = re.compile(
    r"(?:@|\.)(?:example(?:\.(?:com|org|net))?|test|invalid|localhost)$", re.IGNORECASE
)
_DATE = re.compile(
    r"(?:19|20)\d{2}[-./ ]\d{1,2}[-./ ]\d{1,2}(?!\d)|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d{2}(?!\d)"
)
_YEAR = re.compile(r"(?:19|20)\d{2} ")
_THINGS_OF_A_YEAR = {
    "court",
    "place",
    "square",
    "close",
    "circle",
    "drive",
    "trail",
    "grove",
}
_HIGHEST_IN_A_VERSION = 40
_PLACEHOLDER = re.compile(
    r"example|placeholder|change.?me|your|dummy|redacted|masked|x{4}|\*{3}|\.{3}|:/|12345678"
    r"|none$|null$|true$|false$|undefined$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Z_]+|%\w+%?|[\d.,:/-]+")
_ENOUGH_BITS = 2.5


CHECKS: dict[str, Callable[[str], bool]] = {}
"""The checks that ``kinds.toml`` can name, each by the name of its function."""


def _check(function: Callable[[str], bool]) -> Callable[[str], bool]:
    CHECKS[function.__name__.removeprefix("_")] = function
    return function


def _digits(text: str) -> str:
    return "".join(each for each in text if each in "0123456789")


def _valid(modules: Sequence[str], text: str) -> bool:
    """Whether ``python-stdnum`` accepts a number; a repeated digit is a placeholder."""
    number = _NOT_PLAIN.sub("", text)
    valid = (import_module(f"stdnum.{module}").is_valid for module in modules)
    return len(set(_digits(number))) > 1 and any(
        is_valid(number) or is_valid(text) for is_valid in valid
    )


@_check
def _card(text: str) -> bool:
    """Whether it is a payment card: a network's prefix, a valid length, and the Luhn formula."""
    number = _digits(text)
    fits = any(
        len(number) in lengths and prefix.match(number) for prefix, lengths in _CARDS
    )
    return fits and _valid(["luhn"], number)


@_check
def _somebodys_mail(address: str) -> bool:
    """Whether an address is outside the domains that RFC 2606 keeps for examples."""
    return not _NOBODYS.search(address)


@_check
def _phone(text: str) -> bool:
    """Whether it is a phone number: seven to fifteen digits (ITU-T E.164), not all equal, no date.

    An extension isn't counted.
    """
    numbers = _digits(text)
    return 7 <= len(numbers) <= 15 and len(set(numbers)) > 1 and not _DATE.match(text)


@_check
def _international_phone(text: str) -> bool:
    return _phone(re.split("[xe]", text, maxsplit=1, flags=re.IGNORECASE)[0])


@_check
def _national_phone(text: str) -> bool:
    return 9 <= len(_digits(text)) <= 12 and _phone(text)


@_check
def _named_street(text: str) -> bool:
    """Whether it is a street: its name has a capital, and its word too if it isn't all small.

    "2 way street" has no capital, and "2022 Superior Court" is a year.
    """
    words = re.findall(r"[^\W\d_]+", text)
    if not any(word[0].isupper() for word in words[:-1]) or words[-1][0].islower():
        return False
    return not (_YEAR.match(text) and words[-1].lower() in _THINGS_OF_A_YEAR)


@_check
def _joined_street(text: str) -> bool:
    """Whether it is a street in one word with a capital, such as Hauptstraße, but not a brigade."""
    return text[0].isupper() and "brigade" not in text.lower()


@_check
def _public_address(text: str) -> bool:
    """Whether it is an address of the open internet, and not a version or the number of a section."""
    try:
        public = ipaddress.ip_address(text).is_global
    except ValueError:
        return False
    version = ":" not in text and all(
        int(n) < _HIGHEST_IN_A_VERSION for n in text.split(".")
    )
    return public and not version


@_check
def _jwt(text: str) -> bool:
    """Whether it is a JSON Web Token whose header names an algorithm (RFC 7519)."""
    head = text.split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


@_check
def _no_slug(key: str) -> bool:
    return not key.startswith("sk-") or any(each.isdigit() for each in key)


@_check
def _unlike_words(value: str) -> bool:
    """Whether a value is a password, and not a word, a placeholder or a piece of code.

    It has letters with digits or signs, and at least 2.5 bits a character (Shannon's entropy).
    """
    if not value or _PLACEHOLDER.search(value) or _CODE.fullmatch(value):
        return False
    letters = any(each.isalpha() for each in value)
    others = any(
        each.isdigit() or each in "!@#%^&*+=/~?|" for each in value.rstrip("!?.=")
    )
    shares = [n / len(value) for n in Counter(value).values()]
    return letters and others and -sum(p * math.log2(p) for p in shares) >= _ENOUGH_BITS


# The kinds.


class DataKind(NamedTuple):
    """The form of one kind of data; ``kinds.toml`` says more of each field."""

    id: str
    label: str
    sort: Literal["personal", "secret"]
    #: The gate: every text with such data matches it, so all texts are tested with it.
    gate: Pattern
    #: The expression for such data; compiled only where a text passed the gate.
    exact: str
    flags: int  #: Those of `re`.
    source: str
    check: Callable[[str], bool] | None
    trim: bool  #: Whether only that part of a match is meant that is an IBAN.
    behind: str  #: The words that have to stand in front of it; empty for none.
    digits: bool
    #: A check for each group, in place of ``check``.
    by_word: tuple[Callable[[str], bool], ...]


def _read_kinds() -> tuple[DataKind, ...]:
    """Read the kinds of personal and secret data from ``kinds.toml``."""
    data = tomllib.loads(
        files("tuneworthy.measure").joinpath("kinds.toml").read_text("utf-8")
    )
    parts: dict[str, str] = data["parts"]

    def filled(expression: str) -> str:
        return re.sub("<([A-Z]+)>", lambda part: filled(parts[part[1]]), expression)

    def kind(entry: dict[str, Any]) -> DataKind:
        """Read one kind of data from its table."""
        caseless = entry.get("caseless", False)
        flags = re.IGNORECASE if caseless else 0
        exact = [entry["exact"]] if "exact" in entry else []
        if "alone" in entry:
            exact.append(
                rf"(?<![\w#])(?<!\d[.,/-])(?:{entry['alone']})(?!\w)(?![.,/-]\d)"
            )
        said = entry.get("said", {})
        exact += [
            rf"\b(?:{words})\b<GAP>({entry['after']})(?!\w)(?![.,/-]\d)"
            for words in ([entry["words"]] if "words" in entry else said)
        ]
        # a gate that also asks for a number takes too long to compile
        gate = rf"\b(?:{'|'.join(said)})\b"
        by_stdnum = partial(_valid, entry["stdnum"]) if "stdnum" in entry else None
        return DataKind(
            id=entry["id"],
            label="secret"
            if entry["sort"] == "secret"
            else entry.get("label", entry["id"]),
            sort=entry["sort"],
            gate=Pattern(filled(entry.get("gate", gate)), caseless=caseless),
            exact=filled("|".join(exact)),
            flags=flags,
            source=entry["source"],
            check=CHECKS[entry["check"]] if "check" in entry else by_stdnum,
            trim=entry.get("trim", False),
            behind=filled(entry.get("behind", "")),
            digits=entry.get("digits", False),
            by_word=tuple(partial(_valid, modules) for modules in said.values()),
        )

    kinds = []
    for name, (body, source) in data["tokens"].items():
        exact = rf"(?<![A-Za-z0-9])(?:{body})[\w+/=.-]*+"
        token = {
            "id": name,
            "sort": "secret",
            "source": source,
            "gate": body,
            "exact": exact,
        }
        kinds.append(kind(token | {"check": "no_slug"}))
    return (*kinds, *map(kind, data["kinds"]))


KINDS = _read_kinds()  #: Every kind; where two find the same, the earlier has it.

_BEHIND = 64  # characters in front that are looked at
_NEAR = 80  # characters in front of the end of a gate in which a match mostly begins
_SIX = "six digits"
_SIX_DIGITS = r"\d(?:[ ./()-]{0,3}\d){5}"
_NUMBERED = re.compile(_SIX_DIGITS)


class Scanner:
    """Searches many texts for all kinds of data at once."""

    def __init__(self) -> None:
        first = {each.id: each.gate for each in KINDS if not each.digits}
        # One coarse pattern for all numbers is much quicker than a pattern for each.
        second = {each.id: each.gate for each in KINDS if each.digits}
        self._first = Searcher(first | {_SIX: Pattern(_SIX_DIGITS)}, shipped=True)
        self._second = Searcher(second, shipped=True)

    def bits(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """The kinds in each text, confirmed by their checks: bit k is the k-th kind. None has none."""
        bits = np.zeros(len(texts), dtype=np.int64)
        first = self._first.ends(texts)
        places = np.flatnonzero(first.pop(_SIX))
        second = self._second.ends([texts[row] for row in places.tolist()])
        for place, each in enumerate(KINDS):
            ends = second[each.id] if each.digits else first[each.id]
            if not ends.any():  # as mostly
                continue
            at = np.flatnonzero(ends)
            rows = places[at] if each.digits else at
            # a long conversation asks the same again and again
            known: dict[str, bool] = {}
            for row, end in zip(rows.tolist(), ends[at].tolist(), strict=True):
                text = texts[row] or ""
                if text not in known:
                    known[text] = _holds(each, text, end)
                if known[text]:
                    bits[row] |= 1 << place
        return bits


@cache
def shared_scanner() -> Scanner:
    """A scanner for every kind, built once. Building it takes longer than scanning some megabytes."""
    return Scanner()


def spans(text: str, kinds: Sequence[DataKind] = KINDS) -> tuple[DataSpan, ...]:
    """Places of personal or secret data, in the order of the text, without overlap.

    Where two kinds overlap, the one that comes first in ``kinds`` counts.
    """
    kept: list[DataSpan] = []
    numbered = _NUMBERED.search(text) is not None
    for each in kinds:
        if each.digits and not numbered:
            continue
        before = [*kept]  # in the order of the text
        for span in _find_kind(each, text):
            at = bisect_left(before, (span.end,))
            if at == 0 or before[at - 1].end <= span.start:
                insort(kept, span)
    return tuple(kept)


def _holds(kind: DataKind, text: str, gate: int) -> bool:
    """Whether a text holds a kind of data. The search begins near the end of its gate, for speed.

    It begins after a letter, so that no number is cut in two. The gate's end is in bytes, so it may
    be too far behind: if nothing is found from there, the search begins again at the start.
    """
    near = max(0, min(gate, len(text)) - _NEAR)
    while near and not text[near - 1].isalpha():
        near -= 1
    return any(
        next(_find_kind(kind, text, begin), None) for begin in dict.fromkeys((near, 0))
    )


_compiled = cache(re.compile)


def _find_kind(kind: DataKind, text: str, begin: int = 0) -> Iterator[DataSpan]:
    """Places of a text that hold one kind of data, and pass its check."""
    for match in _compiled(kind.exact, kind.flags).finditer(text, begin):
        group = match.lastindex or 0
        start, end = match.span(group)
        if kind.behind:
            front = _compiled(kind.behind, kind.flags)
            if not front.search(text, max(0, start - _BEHIND), start):
                continue
        if kind.trim:
            ends = (
                at
                for at in range(start + 15, end + 1)
                if _valid(["iban"], text[start:at])
            )
            end = next(ends, start)
            if end == start or text[end : end + 1].isalnum():
                continue
        check = kind.by_word[group - 1] if kind.by_word else kind.check
        if check is None or check(text[start:end]):
            yield DataSpan(start, end, kind.id, kind.label)


# Hiding personal and secret data in what a report or the ledger shows.

_NUMBER = re.compile(r"\d(?:[ ./()-]?\d){4,40}+")
_YEARS = r"20(?:1[5-9]|[2-9]\d)"  # of logs; an earlier date may be somebody's birthday
_DAY = re.compile(
    rf"(?<!\d)(?<!\d[ ./()-])(?:{_YEARS}([-./])[01]?\d\1[0-3]?\d"
    rf"|[0-3]?\d([-./])[0-3]?\d(?:\2){_YEARS})"
    r"(?![./()-]?\d)(?! \d(?!\d?:\d))"
)
_TOKEN = re.compile(r"(?<![\w+/=-])(?=[\w+/=-]{0,400}?\d)[\w+/=-]{20,}+")
_REACH = 4000  # characters looked at on either side of an excerpt, more than any span is long


def mask(text: str) -> str:
    """A text in which personal and secret data is replaced by words.

    Masking twice changes nothing more. It is for samples, as it reads the text several times.
    """
    while hidden := hidden_spans(text):
        # Every pass takes something away that no label holds, so there is a last one.
        text = labelled(text, hidden)
    return text


def without_secrets(name: str) -> str:
    """A name of a prompt or a model without keys, tokens and addresses; its numbers stay.

    Some tools use the text of a prompt as its name. A long text is cut to its beginning, as only
    that is checked.
    """
    near = name[:_REACH]
    return labelled(
        near, [span for span in spans(near) if span.label in {"secret", "email"}]
    )


def excerpt(text: str, start: int, end: int, *, around: int = 60) -> str:
    """A masked piece of a text on one line, without any part of hidden data at its ends.

    It covers the part from ``start`` to ``end``, and ``around`` characters on either side.
    """
    low = max(0, start - around)
    high = min(len(text), end + around)
    offset = max(0, low - _REACH)
    near = text[offset : high + _REACH]
    shown = mask(
        " ".join(
            labelled(near, hidden_spans(near), low - offset, high - offset).split()
        )
    )
    return ("… " if low else "") + shown + (" …" if high < len(text) else "")


def labelled(
    text: str, hidden: Sequence[DataSpan], low: int = 0, high: int | None = None
) -> str:
    """A text from one place to another, with labels instead of hidden data."""
    at = low
    stop = len(text) if high is None else high
    pieces = []
    for span in hidden:
        if span.end > low and span.start < stop:
            pieces.append(f"{text[at : span.start]}[{span.label}]")
            at = max(at, span.end)
    return "".join((*pieces, text[at:stop]))


def hidden_spans(text: str, known: Iterable[DataSpan] = ()) -> list[DataSpan]:
    """The places to hide, in the order of the text, without overlap.

    ``known`` are places of values that are hidden whatever they look like.
    """
    every = [*known, *spans(text), *persons(text)]
    undated = _DAY.sub(lambda day: "-" * len(day[0]), text)
    for label, matches in (
        ("number", _NUMBER.finditer(undated)),
        ("token", _TOKEN.finditer(text)),
    ):
        every += [DataSpan(*match.span(), label, label) for match in matches]
    at = 0
    hidden = []
    for span in sorted(every, key=lambda s: (s.start, -s.end)):
        if span.end > at:
            hidden.append(span._replace(start=max(at, span.start)))
            at = span.end
    return hidden
