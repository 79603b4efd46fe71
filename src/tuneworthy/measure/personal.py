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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    # A name after a cue, such as "Dear", counts whatever it is.
    people = [
        DataSpan(*match.span(1), "person", "name")
        for match in _CUED.finditer(text)
        if match[1].split(maxsplit=1)[0].lower() not in _words("not_first.txt")
    ]
    # Without a cue, it has to begin with a first name of the list.
    for match in _CAPITAL.finditer(text):
        start = match.start() + _opening(match[0], text[: match.start()])
        end = match.end()
        name = text[start:end]
        if not _listed(name):
            continue
        if any(start < other.end and other.start < end for other in people):
            continue
        if " " in name or not _is_thing(text, start, end):
            people.append(DataSpan(start, end, "person", "name"))
    return tuple(sorted(people))


def _opening(name: str, before: str) -> int:
    """The length of a word before a first name that only opens a sentence, as in "Then Ada".

    ``before`` is the text in front of the name. It is 0 where the first word belongs to the name.
    """
    first, _, rest = name.partition(" ")
    if not rest or not _listed(rest):
        return 0
    opens = not before or _ENDS_SENTENCE.search(before[-_SENTENCE_END:]) is not None
    belongs = _listed(first) or first.lower() in _words("not_last.txt")
    if belongs or not opens:
        return 0
    return len(first) + 1  # with the blank behind it


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
    """The words of a file of this package; lines with # in front are comments."""
    words: set[str] = set()
    text = files("tuneworthy.measure").joinpath(name).read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            words.update(line.split())
    return frozenset(words)


def _listed(name: str) -> bool:
    """Whether a name begins with a first name of the list, and ends like a person's."""
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
#: Four numbers below this are a version or a section's number.
_HIGHEST_IN_A_VERSION = 40
_PLACEHOLDER = re.compile(
    r"example|placeholder|change.?me|your|dummy|redacted|masked|x{4}|\*{3}|\.{3}|:/|12345678"
    r"|none$|null$|true$|false$|undefined$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Z_]+|%\w+%?|[\d.,:/-]+")
#: A character of a password, by Shannon's entropy; "aaaa1111" has 1.
_ENOUGH_BITS = 2.5


CHECKS: dict[str, Callable[[str], bool]] = {}
"""The checks that ``kinds.toml`` can name, each by the name of its function."""


def _check(function: Callable[[str], bool]) -> Callable[[str], bool]:
    CHECKS[function.__name__.removeprefix("_")] = function
    return function


def _digits(text: str) -> str:
    return "".join(each for each in text if each in "0123456789")


def _valid(modules: Sequence[str], text: str) -> bool:
    """Whether a module of ``python-stdnum`` accepts a number; a repeated digit is a placeholder."""
    number = _NOT_PLAIN.sub("", text)
    if len(set(_digits(number))) <= 1:
        return False
    for module in modules:
        is_valid = import_module(f"stdnum.{module}").is_valid
        # Some modules accept their signs only, others only the plain number.
        if is_valid(number) or is_valid(text):
            return True
    return False


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
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if not address.is_global:
        return False
    if address.version == 6:
        return True
    return any(int(part) >= _HIGHEST_IN_A_VERSION for part in text.split("."))


@_check
def _jwt(text: str) -> bool:
    """Whether it is a JSON Web Token whose header names an algorithm (RFC 7519)."""
    head = text.split(".", 1)[0]
    # A token leaves out the padding to four characters that the decoder wants.
    padding = "=" * (-len(head) % 4)
    try:
        header = json.loads(base64.urlsafe_b64decode(head + padding))
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
    has_letter = any(each.isalpha() for each in value)
    # Signs at the end may be those of the sentence.
    inner = value.rstrip("!?.=")
    has_other = any(each.isdigit() or each in "!@#%^&*+=/~?|" for each in inner)
    if not (has_letter and has_other):
        return False
    shares = [n / len(value) for n in Counter(value).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    return entropy >= _ENOUGH_BITS


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
    """Read the kinds of personal and secret data from ``kinds.toml``; secret tokens come first."""
    path = files("tuneworthy.measure").joinpath("kinds.toml")
    data = tomllib.loads(path.read_text("utf-8"))
    parts: dict[str, str] = data["parts"]
    kinds = []
    for name, (body, source) in data["tokens"].items():
        token = {
            "id": name,
            "sort": "secret",
            "source": source,
            "gate": body,
            "exact": rf"(?<![A-Za-z0-9])(?:{body})[\w+/=.-]*+",
            "check": "no_slug",
        }
        kinds.append(_kind(token, parts))
    kinds += [_kind(entry, parts) for entry in data["kinds"]]
    return tuple(kinds)


def _kind(entry: Mapping[str, Any], parts: Mapping[str, str]) -> DataKind:
    """Make one kind of data from its table; ``parts`` are expressions that several kinds share."""
    is_secret = entry["sort"] == "secret"
    caseless = entry.get("caseless", False)
    said = entry.get("said", {})
    # The gate doesn't ask for a number behind the words: that takes too long to compile.
    gate = entry.get("gate", rf"\b(?:{'|'.join(said)})\b")
    if "check" in entry:
        check = CHECKS[entry["check"]]
    elif "stdnum" in entry:
        check = partial(_valid, entry["stdnum"])
    else:
        check = None
    return DataKind(
        id=entry["id"],
        label="secret" if is_secret else entry.get("label", entry["id"]),
        sort=entry["sort"],
        gate=Pattern(_filled(gate, parts), caseless=caseless),
        exact=_filled("|".join(_expressions(entry)), parts),
        flags=re.IGNORECASE if caseless else 0,
        source=entry["source"],
        check=check,
        trim=entry.get("trim", False),
        behind=_filled(entry.get("behind", ""), parts),
        digits=entry.get("digits", False),
        by_word=tuple(partial(_valid, modules) for modules in said.values()),
    )


def _filled(expression: str, parts: Mapping[str, str]) -> str:
    """An expression with every <PART> replaced by that part, which may have parts itself."""
    return re.sub("<([A-Z]+)>", lambda part: _filled(parts[part[1]], parts), expression)


def _expressions(entry: Mapping[str, Any]) -> list[str]:
    """The expressions for one kind: exact ones, a number alone, and numbers after their words."""
    expressions = []
    if "exact" in entry:
        expressions.append(entry["exact"])
    if "alone" in entry:
        expressions.append(
            rf"(?<![\w#])(?<!\d[.,/-])(?:{entry['alone']})(?!\w)(?![.,/-]\d)"
        )
    # Each of the ``said`` words has a group of its own, because each has its own check.
    words = [entry["words"]] if "words" in entry else [*entry.get("said", {})]
    expressions += [
        rf"\b(?:{word})\b<GAP>({entry['after']})(?!\w)(?![.,/-]\d)" for word in words
    ]
    return expressions


KINDS = _read_kinds()  #: Every kind; where two find the same, the earlier has it.

_BEHIND = 64  #: Characters in front of a match in which its word has to stand.
_NEAR = 80  #: Characters in front of the end of a gate in which a match mostly begins.
_SHORTEST_IBAN = 15  #: Characters, Norway's (ISO 13616).
_SIX = "six digits"
_SIX_DIGITS = r"\d(?:[ ./()-]{0,3}\d){5}"
_NUMBERED = re.compile(_SIX_DIGITS)


class Scanner:
    """Searches many texts for all kinds of data at once."""

    def __init__(self) -> None:
        plain = {each.id: each.gate for each in KINDS if not each.digits}
        numbers = {each.id: each.gate for each in KINDS if each.digits}
        # One coarse pattern for all numbers is much quicker than a pattern for each.
        plain[_SIX] = Pattern(_SIX_DIGITS)
        self._plain = Searcher(plain, shipped=True)
        self._numbers = Searcher(numbers, shipped=True)

    def bits(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """The kinds in each text, confirmed by their checks: bit k is the k-th kind. None has none."""
        bits = np.zeros(len(texts), dtype=np.int64)
        # Where each gate ends in each text; 0 where a text doesn't pass it.
        plain_ends = self._plain.ends(texts)
        with_number = np.flatnonzero(plain_ends.pop(_SIX))
        number_ends = self._numbers.ends([texts[row] for row in with_number.tolist()])
        for place, kind in enumerate(KINDS):
            ends = number_ends[kind.id] if kind.digits else plain_ends[kind.id]
            if not ends.any():  # as mostly
                continue
            passed = np.flatnonzero(ends)
            rows = with_number[passed] if kind.digits else passed
            # a long conversation asks the same again and again
            known: dict[str, bool] = {}
            for row, end in zip(rows.tolist(), ends[passed].tolist(), strict=True):
                text = texts[row] or ""
                if text not in known:
                    known[text] = _holds(kind, text, end)
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
    for kind in kinds:
        if kind.digits and not numbered:
            continue
        # Spans of one kind don't overlap each other, so only those of earlier kinds can.
        earlier = [*kept]
        for span in _find_kind(kind, text):
            place = bisect_left(earlier, (span.end,))
            # The last one that begins before this one's end mustn't reach into it.
            if place == 0 or earlier[place - 1].end <= span.start:
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
    if any(_find_kind(kind, text, near)):
        return True
    return near > 0 and any(_find_kind(kind, text))


_compiled = cache(re.compile)


def _find_kind(kind: DataKind, text: str, begin: int = 0) -> Iterator[DataSpan]:
    """Places of a text that hold one kind of data, and pass its check."""
    for match in _compiled(kind.exact, kind.flags).finditer(text, begin):
        # The data is the group that matched, where the expression has words in front of it.
        group = match.lastindex or 0
        start, end = match.span(group)
        if kind.behind:
            front = _compiled(kind.behind, kind.flags)
            if not front.search(text, max(0, start - _BEHIND), start):
                continue
        if kind.trim:
            end = _end_of_iban(text, start, end)
            if end == start:
                continue
        check = kind.by_word[group - 1] if kind.by_word else kind.check
        if check is None or check(text[start:end]):
            yield DataSpan(start, end, kind.id, kind.label)


def _end_of_iban(text: str, start: int, end: int) -> int:
    """The end of the shortest IBAN that begins at ``start``; ``start`` itself for none.

    The words after a number may look like more of it, so a match can reach too far.
    """
    for stop in range(start + _SHORTEST_IBAN, end + 1):
        if _valid(["iban"], text[start:stop]):
            is_cut = text[stop : stop + 1].isalnum()
            return start if is_cut else stop
    return start


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
    hidden = hidden_spans(text)
    # Every pass takes something away that no label holds, so there is a last one.
    while hidden:
        text = labelled(text, hidden)
        hidden = hidden_spans(text)
    return text


def without_secrets(name: str) -> str:
    """A name of a prompt or a model without keys, tokens and addresses; its numbers stay.

    Some tools use the text of a prompt as its name. A long text is cut to its beginning, as only
    that is checked.
    """
    near = name[:_REACH]
    hidden = [span for span in spans(near) if span.label in {"secret", "email"}]
    return labelled(near, hidden)


def excerpt(text: str, start: int, end: int, *, around: int = 60) -> str:
    """A masked piece of a text on one line, without any part of hidden data at its ends.

    It covers the part from ``start`` to ``end``, and ``around`` characters on either side.
    """
    low = max(0, start - around)
    high = min(len(text), end + around)
    # Data that the piece cuts in two is recognized only by what stands before and after the piece.
    offset = max(0, low - _REACH)
    near = text[offset : high + _REACH]
    piece = labelled(near, hidden_spans(near), low - offset, high - offset)
    shown = mask(" ".join(piece.split()))
    before = "… " if low else ""
    after = " …" if high < len(text) else ""
    return f"{before}{shown}{after}"


def labelled(
    text: str, hidden: Sequence[DataSpan], low: int = 0, high: int | None = None
) -> str:
    """A text from one place to another, with labels instead of hidden data."""
    done = low
    stop = len(text) if high is None else high
    pieces = []
    for span in hidden:
        if span.end > low and span.start < stop:
            # A span that begins before ``low`` has no text in front of it here.
            pieces.append(f"{text[done : span.start]}[{span.label}]")
            done = max(done, span.end)
    return "".join((*pieces, text[done:stop]))


def hidden_spans(text: str, known: Iterable[DataSpan] = ()) -> list[DataSpan]:
    """The places to hide, in the order of the text, without overlap.

    ``known`` are places of values that are hidden whatever they look like.
    """
    every = [*known, *spans(text), *persons(text)]
    # A date of a log is no number to hide. Dashes in its place keep all places as they are.
    undated = _DAY.sub(lambda day: "-" * len(day[0]), text)
    every += [
        DataSpan(*number.span(), "number", "number")
        for number in _NUMBER.finditer(undated)
    ]
    every += [
        DataSpan(*token.span(), "token", "token") for token in _TOKEN.finditer(text)
    ]
    # Of those that begin together, the longest; what overlaps the one before begins behind it.
    every.sort(key=lambda span: (span.start, -span.end))
    done = 0
    hidden = []
    for span in every:
        if span.end > done:
            hidden.append(span._replace(start=max(done, span.start)))
            done = span.end
    return hidden
