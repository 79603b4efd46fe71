"""Check digits and other proofs that a number is what it looks like.

Each function takes a match as it was written, with its spaces and dashes, and says whether it
holds. The empty text holds for none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import json
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tuneworthy.text.search import Pattern, Searcher

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Check digits and other proofs that a number is what it looks like.

_NOT_PLAIN = re.compile(r"[^0-9A-Za-z]")
_CARDS = (
    # Prefixes and lengths by the networks' own ranges in ISO/IEC 7812.
    (re.compile(r"4"), {13, 16, 19}),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"3(?:0[0-5]|[689])"), {14}),
    (re.compile(r"35(?:2[89]|[3-8])"), {16}),
    (re.compile(r"2131|1800"), {15}),
    (re.compile(r"6(?:011|5|4[4-9]|2)"), {16, 19}),
    (re.compile(r"50[0-9]|5[6-9]|6[0-9]"), {12, 13, 14, 15, 16, 17, 18, 19}),
)
_IBAN_LENGTHS = {
    # The national lengths of SWIFT's IBAN registry (ISO 13616-1).
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "PT LY",
        26: "IS TR",
        27: "FR GR IT MC SM MR BI DJ",
        28: "AL AZ CY DO GT HU LB NI PL SV BY",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_FISCAL_ODD = (
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
    *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
)


def plain(text: str) -> str:
    """Digits and letters alone, letters as capitals."""
    return _NOT_PLAIN.sub("", text).upper()


def digits(text: str) -> list[int]:
    """The ASCII digits of a text."""
    return [int(each) for each in text if each in "0123456789"]


def luhn(text: str) -> bool:
    """The Luhn formula of ISO/IEC 7812-1, annex B."""
    numbers = digits(text)
    doubled = [sum(divmod(2 * each, 10)) for each in numbers[-2::-2]]
    return bool(numbers) and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def card(text: str) -> bool:
    """A payment card: a network's prefix, a length it gives out, and the Luhn formula."""
    number = "".join(map(str, digits(text)))
    if len(set(number)) < 2:
        return False
    fits = any(len(number) in lengths and prefix.match(number) for prefix, lengths in _CARDS)
    return fits and luhn(number)


def iban_length(text: str) -> int:
    """How many letters and digits an IBAN of this country has; 0 for no country that has any."""
    country = text[:2].upper()
    return next((n for n, countries in _IBAN_LENGTHS.items() if country in countries), 0)


def iban(text: str) -> bool:
    """ISO 13616: the country's length, and remainder 1 by 97 (ISO/IEC 7064)."""
    number = plain(text)
    if not number or len(number) != iban_length(number):
        return False
    turned = number[4:] + number[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def us_ssn(text: str) -> bool:
    """A number the US Social Security Administration could have given out.

    Areas 000, 666 and 900 to 999, group 00 and serial 0000 never were; nor does 078-05-1120, which
    was printed on a wallet's sample card, name anybody.
    """
    number = "".join(map(str, digits(text)))
    area, group, serial = number[:3], number[3:5], number[5:]
    if len(number) != 9 or number in {"078051120", "123456789"}:
        return False
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


def uk_nino(text: str) -> bool:
    """A National Insurance number's prefix, by HMRC's manual NIM39110; it has no check digit."""
    number = plain(text)
    first, both = number[:1], number[:2]
    if len(number) != 9 or not set(both).isdisjoint("DFIQUV") or both[1] == "O" or first == "":
        return False
    return both not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def de_steuer_id(text: str) -> bool:
    """The German tax number of § 139b AO: check digit by ISO/IEC 7064 MOD 11,10.

    Of its first ten digits one comes twice or three times, and no other more than once.
    """
    numbers = digits(text)
    if len(numbers) != 11 or numbers[0] == 0:
        return False
    if sorted(Counter(numbers[:10]).values())[-2:] not in ([1, 2], [1, 3]):
        return False
    product = 10
    for each in numbers[:10]:
        product = ((each + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == numbers[10]


def fr_nir(text: str) -> bool:
    """The French number of INSEE: 97 less the remainder of the first thirteen by 97.

    Corsica's 2A and 2B count as 19 and 18.
    """
    number = plain(text).replace("2A", "19", 1).replace("2B", "18", 1)
    if len(number) != 15 or not number.isdigit():
        return False
    return 97 - int(number[:13]) % 97 == int(number[13:])


def es_dni(text: str) -> bool:
    """The Spanish DNI and NIE: the letter at the remainder by 23 (Interior Ministry)."""
    number = plain(text)
    if len(number) != 9 or len(set(number[:8])) == 1:
        return False
    whole = number[:8].translate(str.maketrans("XYZ", "012"))
    return whole.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(whole) % 23] == number[8]


def it_codice_fiscale(text: str) -> bool:
    """The Italian codice fiscale: check letter of the decree of 23 December 1976."""
    code = plain(text)
    if len(code) != 16 or not code.isascii():
        return False
    values = [int(each, 36) - 10 if each.isalpha() else int(each) for each in code[:15]]
    total = sum(_FISCAL_ODD[value] for value in values[0::2]) + sum(values[1::2])
    return code[15] == chr(ord("A") + total % 26)


def nl_bsn(text: str) -> bool:
    """The Dutch burgerservicenummer: weights 9 to 2 and -1, divisible by 11."""
    numbers = digits(text)
    if len(numbers) != 9 or len(set(numbers)) == 1:
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(a * b for a, b in zip(numbers, weights, strict=True)) % 11 == 0


def pl_pesel(text: str) -> bool:
    """The Polish PESEL: a day of birth, and weights 1, 3, 7, 9 with the check digit to 10."""
    numbers = digits(text)
    if len(numbers) != 11:
        return False
    year, month, day = (10 * numbers[at] + numbers[at + 1] for at in (0, 2, 4))
    century = (1900, 2000, 2100, 2200, 1800)[month // 20]
    try:
        date(century + year, month % 20, day)
    except ValueError:
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(a * b for a, b in zip(numbers, weights, strict=True)) % 10 == 0


def br_cpf(text: str) -> bool:
    """The Brazilian CPF: two check digits by 11 (Receita Federal)."""
    numbers = digits(text)
    if len(numbers) != 11 or len(set(numbers)) == 1:
        return False
    for size in (9, 10):
        total = sum((size + 1 - at) * numbers[at] for at in range(size))
        if total * 10 % 11 % 10 != numbers[size]:
            return False
    return True


def in_aadhaar(text: str) -> bool:
    """The Indian Aadhaar: twelve digits, none of 0 and 1 in front, check digit by Verhoeff 1969."""
    numbers = digits(text)
    return len(numbers) == 12 and numbers[0] > 1 and len(set(numbers)) > 2 and verhoeff(numbers)


def verhoeff(numbers: list[int]) -> bool:
    """Verhoeff's check in the dihedral group of order ten; false for no digits."""
    check = 0
    for place, digit in enumerate(reversed(numbers)):
        permuted = digit
        for _ in range(place % 8):
            permuted = _VERHOEFF_PERMUTATION[permuted]
        check = _dihedral(check, permuted)
    return bool(numbers) and check == 0


def _dihedral(left: int, right: int) -> int:
    """Product in D5: 0 to 4 turn, 5 to 9 turn and flip."""
    if left < 5:
        return (left + right) % 5 if right < 5 else 5 + (left + right) % 5
    return 5 + (left - right) % 5 if right < 5 else (left - right) % 5


def public_ip(text: str) -> bool:
    """An address of the open internet: not private, reserved, or for documentation."""
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def jwt(text: str) -> bool:
    """A JSON Web Token whose header names an algorithm (RFC 7519)."""
    head = text.split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits; 0 for the empty one."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0


# A kind of personal or secret data: how it is written, and what proves it.

Sort = Literal["personal", "secret"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of data looks like.

    Expressions are bounded in every repetition that could be tried again, so that no text makes
    them slow.
    """

    id: str
    """Its name, as ``card``."""
    sort: Sort
    """Whether it is about a person, or opens a door."""
    gate: Pattern
    """What every text with it matches: looked for in all texts at once."""
    exact: re.Pattern[str]
    """The thing itself; its last group, where it has one."""
    source: str
    """Who says that it looks so."""
    check: Callable[[str], bool] | None = None
    """What has to hold beyond the writing."""
    trim: Callable[[str], str] | None = None
    """Cuts off what the expression took too much of."""
    behind: re.Pattern[str] | None = None
    """What the characters in front of it have to end with."""
    digits: bool = False
    """Whether it has six digits in a row, spaces and signs aside: what has none isn't looked at."""


GAP = r"[a-z\n .:,;#=?!'\"()/-]{0,24}"
"""What may stand between a word for a number and the number, capitals or not."""

UPPER = "A-ZÀ-ÖØ-ÞŁŚŻŹĆŠČŘĐŽÅÄÖÆØ"
"""Capitals of the Latin alphabets, for a class."""


def kind(
    name: str,
    sort: Sort,
    *,
    gate: str,
    exact: str,
    source: str,
    check: Callable[[str], bool] | None = None,
    trim: Callable[[str], str] | None = None,
    caseless: bool = False,
    behind: str | None = None,
    digits: bool = False,
) -> Kind:
    """A kind from its expressions."""
    flags = re.IGNORECASE if caseless else 0
    return Kind(
        id=name,
        sort=sort,
        gate=Pattern(gate, caseless=caseless),
        exact=re.compile(exact, flags),
        source=source,
        check=check,
        trim=trim,
        behind=None if behind is None else re.compile(behind, flags),
        digits=digits,
    )


def alone(body: str) -> str:
    """An expression that no letter and no digit touches, and no other number goes on."""
    return rf"(?<![\w#])(?<!\d[.,/-])(?:{body})(?!\w)(?![.,/-]\d)"


def after(words: str, body: str) -> str:
    """An expression within 24 characters behind one of some words."""
    return rf"\b(?:{words})\b{GAP}({body})(?!\w)(?![.,/-]\d)"


# Ways to reach a person: mail, telephone, street and network addresses.

_NOBODYS = re.compile(
    r"(?:@|\.)(?:example(?:\.(?:com|org|net))?|test|invalid|localhost)$", re.IGNORECASE
)
_DATE = re.compile(
    r"(?:19|20)\d{2}[-./ ]\d{1,2}[-./ ]\d{1,2}(?!\d)|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d{2}(?!\d)"
)
_PHONE_WORDS = (
    r"phone|telephone|tel|mobile|cell|fax|whatsapp|call(?:ed|ing)?|dial|reach|text|answering|contact"
    r"|telefon|telefonnummer|handy|mobil|rückruf|téléphone|tél|portable|teléfono|móvil|telefono"
    r"|cellulare|telefone|celular|telefoon|puhelin|desk|registered"
)
_STREETS = (
    "street|avenue|road|boulevard|lane|drive|court|terrace|parkway|highway|crescent|close|grove"
    "|square|place|trail|circle|plaza|gardens|st|ave|rd|blvd|ln|dr|ct|pkwy|hwy|cres|cct|tce"
)
_FRONT = (
    r"rue|avenue|boulevard|chemin|allée|impasse|quai|cours|calle|avda\.?|avenida|paseo|plaza|carrer"
    r"|carrera|c/|via|viale|piazza|corso|vicolo|rua|travessa|praça|ul\.|ulica|aleja|al\."
)
_PARTICLES = (
    "de|la|le|les|du|des|del|della|delle|dei|degli|di|da|do|dos|das|d|l|los|las|el|e|y|van|den|der"
)
_NAME = rf"(?-i:[{UPPER}])[\w'’.-]{{0,23}}"
_JOINED = (
    r"straße|strasse|str\.|gasse|allee|platz|weg|damm|ufer|straat|laan|gracht|plein|dreef|vägen"
    "|gatan|gränd|stigen|vej|gade|veien|gata|katu|tie|kuja|polku"
)
_BOXES = r"p\.? ?o\.? ?box|postbox|postfach|apt\.?|apartment|suite|psc|[af]po (?:aa|ae|ap)"
_YEAR = re.compile(r"(?:19|20)\d{2} ")
_THINGS_OF_A_YEAR = {"court", "place", "square", "close", "circle", "drive", "trail", "grove"}
_HIGHEST_IN_A_VERSION = 40


def _somebodys(address: str) -> bool:
    """Whether an address lies outside the domains that RFC 2606 keeps for examples."""
    return not _NOBODYS.search(address)


def _phone(text: str) -> bool:
    """Seven to fifteen digits (ITU-T E.164), not all alike, and no date."""
    numbers = digits(text)
    return 7 <= len(numbers) <= 15 and len(set(numbers)) > 1 and not _DATE.match(text)


def _international(text: str) -> bool:
    """The same, its extension aside."""
    return _phone(re.split("[xe]", text, maxsplit=1, flags=re.IGNORECASE)[0])


def _national(text: str) -> bool:
    """Nine to twelve digits: fewer could be a date."""
    return 9 <= len(digits(text)) <= 12 and _phone(text)


def _named_street(text: str) -> bool:
    """A street has a capital in its name and in its word, if that is not all in small letters.

    "2 way street" has none, and "2022 Superior Court" is a year.
    """
    words = re.findall(r"[^\W\d_]+", text)
    if not any(word[0].isupper() for word in words[:-1]) or words[-1][0].islower():
        return False
    return not (_YEAR.match(text) and words[-1].lower() in _THINGS_OF_A_YEAR)


def _joined_street(text: str) -> bool:
    """A name with a capital; a brigade is none."""
    return text[0].isupper() and "brigade" not in text.lower()


def _address(text: str) -> bool:
    """An address of the open internet that is no version of a program, nor a section of a text."""
    if not public_ip(text):
        return False
    return ":" in text or any(int(part) >= _HIGHEST_IN_A_VERSION for part in text.split("."))


CONTACT: tuple[Kind, ...] = (
    kind(
        "email",
        "personal",
        gate=r"[a-z0-9_\x80-\xf4]@[a-z0-9\x80-\xf4]",
        exact=r"(?<![\w.+%-])[\w.+%-][\w.+%'-]{0,63}@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}[^\W\d_]{2,24}(?!\w)",
        source="RFC 5321; domains kept for examples by RFC 2606 do not count",
        check=_somebodys,
        caseless=True,
    ),
    kind(
        "phone",
        "personal",
        gate=r"\+\d",
        exact=r"(?<![\w+])\+\d(?:[ ./()-]{0,3}\d){7,14}(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?!\w)",
        source="ITU-T E.164, written internationally",
        check=_international,
        caseless=True,
        digits=True,
    ),
    kind(
        "phone_us",
        "personal",
        gate=r"\d{3}[-.)] ?\d{3}[-. ]\d{4}",
        exact=alone(
            r"(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-. ]\d{4}"
            r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?"
        ),
        source="North American Numbering Plan: area and exchange do not begin with 0 or 1",
        digits=True,
    ),
    kind(
        "phone_national",
        "personal",
        gate=r"\b0\d{1,4}(?:[ )/]{1,2}\d{2}|-\d{3})|\b0\d[.-]\d{2}[.-]\d{2}[.-]\d{2}",
        exact=r"(?<!\d )"
        + alone(
            r"\(?0\d{1,4}(?:(?:\) ?|[ /])\d{2,8}|-\d{3,8})(?:[ -]\d{2,4}){0,4}|0\d(?:[.-]\d{2}){4}"
        ),
        source="ours: national writing with 0 in front, in groups, nine to twelve digits",
        check=_national,
        digits=True,
    ),
    kind(
        "phone_said",
        "personal",
        gate=rf"\b(?:{_PHONE_WORDS})\b{GAP}\+?\(?\d",
        exact=r"(?<![\w+(])\+?\(?\d(?:[ ./()-]{0,3}\d){6,14}(?!\w)",
        behind=rf"\b(?:{_PHONE_WORDS})\b{GAP}\Z",
        source="ours: seven digits or more behind a word for telephone",
        check=_phone,
        caseless=True,
        digits=True,
    ),
    kind(
        "street",
        "personal",
        gate=rf"\d[a-z]? (?:[a-z0-9_'.\x80-\xf4-]{{1,48}} ){{1,3}}(?:{_STREETS})\b",
        exact=rf"(?<!\w)\d{{1,5}}[A-Za-z]? (?:[^\W\d_][\w'.-]{{0,23}} ){{1,3}}(?:{_STREETS})\b",
        source="ours: number, name and a word for street in English",
        check=_named_street,
        caseless=True,
    ),
    kind(
        "street_in_front",
        "personal",
        gate=rf"\b\d{{1,4}},? (?:bis |ter )?(?:{_FRONT}) [a-z\x80-\xf4]"
        rf"|\b(?:{_FRONT}) (?:[a-z0-9_'.\x80-\xf4-]{{1,48}},? ){{1,5}}\d",
        exact=rf"(?<!\w)(?:\d{{1,4}},? (?:bis |ter )?(?:{_FRONT})"
        rf" (?:(?:{_PARTICLES}) ){{0,3}}{_NAME}"
        rf"|(?:{_FRONT}) (?:(?:{_PARTICLES}|{_NAME}),? ){{1,5}}\d{{1,4}}(?!\w))",
        source="ours: a word for street in French, Spanish, Italian, Portuguese or Polish, a name "
        "and a number",
        caseless=True,
    ),
    kind(
        "street_joined",
        "personal",
        gate=rf"[a-z0-9_\x80-\xf4-](?:{_JOINED}) \d",
        exact=rf"(?<![\w-])[^\W\d_][\w-]{{1,30}}(?:{_JOINED}) \d{{1,4}} ?[a-zA-Z]?(?!\w)",
        source="ours: a name that ends in a word for street in German, Dutch or a northern "
        "language, and a number",
        check=_joined_street,
        caseless=True,
    ),
    kind(
        "post_box",
        "personal",
        gate=rf"\b(?:{_BOXES}) ?\d",
        exact=rf"\b(?:{_BOXES}) ?\d{{1,6}}(?!\w)",
        source="ours: post boxes and flats in English and German, US military post",
        caseless=True,
    ),
    kind(
        "ip_address",
        "personal",
        gate=r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{0,4}:",
        exact=r"(?<![\w.:])(?<!version )(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\.\d)"
        r"|[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){1,5})(?![\w:])",
        source="RFC 791, RFC 4291; private, reserved and documentation addresses do not count",
        check=_address,
        caseless=True,
    ),
)
"""Kinds that reach a person."""


# Numbers that name a person or an account, most of them with check digits.

_TAX_WORDS = "steuer-?id|steueridentifikationsnummer|steuernummer|idnr|tax id|tin"


def _to_length(text: str) -> str:
    """The part of a text that is as long as an IBAN of its country."""
    wanted, seen = iban_length(text), 0
    for place, letter in enumerate(text):
        seen += letter.isalnum()
        if seen == wanted:
            return text[: place + 1]
    return ""


NUMBERS: tuple[Kind, ...] = (
    kind(
        "card",
        "personal",
        gate=r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d|\d{4}[ -]\d{6}[ -]\d{4}|\d{12}",
        exact=alone(
            r"\d{4} \d{4} \d{4} \d{1,4}(?: \d{3})?|\d{4}-\d{4}-\d{4}-\d{1,4}(?:-\d{3})?"
            r"|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{12,19}"
        ),
        source="ISO/IEC 7812: prefix and length of a network, Luhn's formula",
        check=card,
        digits=True,
    ),
    kind(
        "iban",
        "personal",
        gate=r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11}",
        exact=r"(?<!\w)[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,29}",
        source="ISO 13616: the country's length, remainder by 97",
        check=iban,
        trim=_to_length,
        caseless=True,
        digits=True,
    ),
    kind(
        "us_ssn",
        "personal",
        gate=r"\b\d{3}-\d{2}-\d{4}\b|\b(?:ssn|social security)\b" + GAP + r"\d",
        exact=alone(r"\d{3}-\d{2}-\d{4}")
        + "|"
        + after("ssn|social security", r"\d{3} ?\d{2} ?\d{4}"),
        source="US Social Security Administration: numbers never given out do not count",
        check=us_ssn,
        caseless=True,
        digits=True,
    ),
    kind(
        "uk_nino",
        "personal",
        gate=r"\b[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d]\b",
        exact=alone(r"[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]"),
        source="HMRC, manual NIM39110; no check digit",
        check=uk_nino,
        caseless=True,
        digits=True,
    ),
    kind(
        "de_steuer_id",
        "personal",
        gate=rf"\b(?:{_TAX_WORDS})\b{GAP}\d",
        exact=after(
            _TAX_WORDS,
            r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        ),
        source="§ 139b AO; check digit by ISO/IEC 7064, behind a word for it",
        check=de_steuer_id,
        caseless=True,
        digits=True,
    ),
    kind(
        "fr_nir",
        "personal",
        gate=r"\b[12] ?\d{2} ?\d{2} ?\d[0-9ab] ?\d{3} ?\d{3} ?\d{2}\b",
        exact=alone(r"[12] ?\d{2} ?\d{2} ?\d[0-9AB] ?\d{3} ?\d{3} ?\d{2}"),
        source="INSEE: key of 97",
        check=fr_nir,
        caseless=True,
        digits=True,
    ),
    kind(
        "es_dni",
        "personal",
        gate=r"\b(?:\d{8}|[xyz]-?\d{7})-?[a-z]\b",
        exact=alone(r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]"),
        source="Spanish Interior Ministry: letter by 23",
        check=es_dni,
        caseless=True,
        digits=True,
    ),
    kind(
        "it_codice_fiscale",
        "personal",
        gate=r"[a-z]\d\d[a-ehlmprst]\d\d[a-z]\d{3}[a-z]\b",
        exact=alone(r"[a-z]{6}\d\d[a-ehlmprst]\d\d[a-z]\d{3}[a-z]"),
        source="Italian decree of 23 December 1976: check letter; not those changed for namesakes",
        check=it_codice_fiscale,
        caseless=True,
    ),
    kind(
        "nl_bsn",
        "personal",
        gate=rf"\b(?:bsn|burgerservicenummer|sofinummer|sofi)\b{GAP}\d",
        exact=after("bsn|burgerservicenummer|sofinummer|sofi", r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}"),
        source="Dutch burgerservicenummer: weights divisible by 11, behind a word for it",
        check=nl_bsn,
        caseless=True,
        digits=True,
    ),
    kind(
        "pl_pesel",
        "personal",
        gate=rf"\bpesel\b{GAP}\d",
        exact=after("pesel", r"\d{11}"),
        source="Polish law on the population register of 2010: day of birth and check digit, "
        "behind its name",
        check=pl_pesel,
        caseless=True,
        digits=True,
    ),
    kind(
        "br_cpf",
        "personal",
        gate=r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b|\bcpf\b" + GAP + r"\d",
        exact=alone(r"\d{3}\.\d{3}\.\d{3}-\d{2}") + "|" + after("cpf", r"\d{11}"),
        source="Receita Federal: two check digits",
        check=br_cpf,
        caseless=True,
        digits=True,
    ),
    kind(
        "in_aadhaar",
        "personal",
        gate=r"\b[2-9]\d{3} \d{4} \d{4}\b|\baadh?aar\b" + GAP + r"\d",
        exact=alone(r"(?<!\d )[2-9]\d{3} \d{4} \d{4}(?! \d)")
        + "|"
        + after("aadh?aar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}"),
        source="UIDAI: check digit by Verhoeff (1969)",
        check=in_aadhaar,
        caseless=True,
        digits=True,
    ),
)
"""Kinds that are a number."""


# Keys, tokens and passwords: known beginnings, and values given to a telling name.

_NAMES = (
    r"password|passwd|pwd|passphrase|secret|api[ _-]?key|access[ _-]?key|secret[ _-]?key"
    r"|auth[ _-]?token|access[ _-]?token|token|client[ _-]?secret|private[ _-]?key|passwort"
    r"|kennwort|contraseña|senha|mot de passe"
)
_PLACEHOLDER = re.compile(
    r"example|placeholder|change.?me|your|dummy|redacted|masked|x{4}|\*{3}|\.{3}|:/|12345678"
    r"|none$|null$|true$|false$|undefined$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Z_]+|%\w+%?|[\d.,:/-]+")
_ENOUGH_BITS = 2.5
_KNOWN = {
    # Beginning that a gate can see, the whole, and who gives it out.
    "aws_key": (r"A(?:KIA|SIA)[A-Z2-7]{16}", "Amazon Web Services, identifiers of IAM"),
    "github_token": (
        r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub, formats of its tokens (2021)",
    ),
    "gitlab_token": (r"gl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{20}", "GitLab, prefixes of its tokens"),
    "model_key": (
        r"sk-(?:ant-|proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{32}|hf_[A-Za-z]{34}|gsk_[A-Za-z0-9]{40}",
        "keys as OpenAI, Anthropic, OpenRouter, Hugging Face and Groq give them out",
    ),
    "slack_token": (
        r"xox[abeprs]-[A-Za-z0-9-]{10}|hooks\.slack\.com/services/T[A-Z0-9]{7}",
        "Slack, types of tokens",
    ),
    "stripe_key": (r"[rs]k_(?:live|test)_[A-Za-z0-9]{16}", "Stripe, API keys"),
    "google_key": (r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}", "Google Cloud, API keys"),
    "sendgrid_key": (r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SendGrid, API keys"),
    "package_token": (
        r"npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50}|dckr_pat_[A-Za-z0-9_-]{27}",
        "npm, PyPI and Docker Hub, tokens",
    ),
    "cloud_token": (
        r"dop_v1_[0-9a-f]{64}|shp(?:at|ca)_[0-9a-f]{32}|AccountKey=[A-Za-z0-9+/]{86}==",
        "DigitalOcean, Shopify and Azure Storage, tokens",
    ),
}


def _no_slug(key: str) -> bool:
    """Whether a key with dashes is none of words: it has digits."""
    return not key.startswith("sk-") or any(each.isdigit() for each in key)


def _unlike_words(value: str) -> bool:
    """Whether a value is a password and not a word, a placeholder or a piece of code.

    It has letters and digits or signs, and at least 2.5 bits a character.
    """
    if _PLACEHOLDER.search(value) or _CODE.fullmatch(value):
        return False
    letters = any(each.isalpha() for each in value)
    others = any(each.isdigit() or each in "!@#%^&*+=/~?|" for each in value.rstrip("!?.="))
    return letters and others and bits_per_character(value) >= _ENOUGH_BITS


SECRETS: tuple[Kind, ...] = (
    *(
        kind(
            name,
            "secret",
            gate=body,
            exact=rf"(?<![A-Za-z0-9])(?:{body})[\w+/=.-]*+",
            source=who,
            check=_no_slug,
        )
        for name, (body, who) in _KNOWN.items()
    ),
    kind(
        "private_key",
        "secret",
        gate=r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
        exact=r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----)[\s\S]){0,8000}+"
        r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?",
        source="RFC 7468",
    ),
    kind(
        "jwt",
        "secret",
        gate=r"\beyJ[A-Za-z0-9_-]{8,200}\.eyJ",
        exact=r"\beyJ[A-Za-z0-9_-]{8,200}\.eyJ[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)?",
        source="RFC 7519: a header that can be read",
        check=jwt,
    ),
    kind(
        "url_password",
        "secret",
        gate=r"://[a-z0-9_.-]{1,64}:[a-z0-9_.%!$&*+=~-]{3,64}@",
        exact=r"://[a-z0-9_.-]{1,64}:((?!pass(?:word)?@|x{3}|\$)[a-z0-9_.%!$&*+=~-]{3,64})@",
        source="RFC 3986, 3.2.1",
        caseless=True,
    ),
    kind(
        "bearer",
        "secret",
        gate=r"\b(?:bearer|basic) [a-z0-9._~+/-]{20}",
        exact=r"\b(?:bearer|basic) ([a-z0-9._~+/-]{20,}+=*+)",
        source="RFC 6750, RFC 7617",
        check=_unlike_words,
        caseless=True,
    ),
    kind(
        "assigned_secret",
        "secret",
        gate=rf"(?:{_NAMES})[\"']?\s{{0,3}}(?:=|:|is )",
        exact=rf"(?<![A-Za-z])(?:{_NAMES})[\"']?\s{{0,3}}(?::=|=>|=|:|is )\s{{0,3}}[\"'`]?"
        r"([^\s\"'`,;<>{}\[\]()$]{8,200}+)",
        source="ours: letters with digits or signs, at least 2.5 bits a character, behind a name "
        "for a secret",
        check=_unlike_words,
        caseless=True,
    ),
)
"""Kinds that open a door."""


# Personal and secret data that gives itself away by how it is written.

KINDS: tuple[Kind, ...] = (*SECRETS, *NUMBERS, *CONTACT)
"""Every kind; where two find the same, the earlier has it."""


_BEHIND = 64  # characters in front that are looked at
_NEAR = 80  # characters in front of the end of a gate in which a match mostly begins
_SIX = "six digits"


class Span(NamedTuple):
    """A place in a text, as characters."""

    start: int
    end: int
    kind: str
    """Id of the kind."""
    sort: Sort


class Scanner:
    """Looks for kinds of data in many texts at once.

    Args:
        kinds: What to look for.
        plain: Do without hyperscan.
    """

    def __init__(self, kinds: Sequence[Kind] = KINDS, *, plain: bool = False) -> None:
        self._kinds = tuple(kinds)
        first = {each.id: each.gate for each in kinds if not each.digits}
        # One coarse pattern for all numbers is much quicker than a pattern for each.
        self._first = Searcher(first | {_SIX: Pattern(r"\d(?:[ ./()-]{0,3}\d){5}")}, plain=plain)
        self._second = Searcher({each.id: each.gate for each in kinds if each.digits}, plain=plain)

    def rows(self, texts: Sequence[str | None]) -> dict[str, NDArray[np.bool_]]:
        """Which texts hold each kind, proven by its check.

        Returns:
            One array a kind, as long as ``texts``; false for None.
        """
        bits = self.bits(texts)
        return {each.id: (bits >> place & 1) == 1 for place, each in enumerate(self._kinds)}

    def bits(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """The same as bits of one whole number a text: bit k stands for the k-th kind."""
        found = np.zeros(len(texts), dtype=np.int64)
        first = self._first.ends(texts)
        places = np.flatnonzero(first.pop(_SIX))
        second = self._second.ends([texts[row] for row in places.tolist()])
        for place, each in enumerate(self._kinds):
            ends = second[each.id] if each.digits else first[each.id]
            if not ends.any():  # as mostly
                continue
            at = np.flatnonzero(ends)
            rows = places[at] if each.digits else at
            for row, end in zip(rows.tolist(), ends[at].tolist(), strict=True):
                if _holds(each, texts[row] or "", end):
                    found[row] |= 1 << place
        return found


def shared_scanner(*, plain: bool = False) -> Scanner:
    """A scanner for every kind, made once: that takes longer than going over some megabytes."""
    return _made_once(plain)


@cache
def _made_once(plain: bool) -> Scanner:
    return Scanner(plain=plain)


def spans(text: str, kinds: Sequence[Kind] = KINDS) -> tuple[Span, ...]:
    """Where a text holds personal or secret data, in the order of the text, without overlap.

    Where two kinds overlap the one that stands earlier in ``kinds`` has it.
    """
    kept: list[Span] = []
    for each in kinds:
        new = [span for span in _of_kind(each, text) if _is_free(span, kept)]
        kept = sorted([*kept, *new]) if new else kept
    return tuple(kept)


def _is_free(span: Span, kept: Sequence[Span]) -> bool:
    """Whether a span overlaps none of some others, which stand in the order of the text."""
    at = bisect_left(kept, (span.end,))
    return at == 0 or kept[at - 1].end <= span.start


def _holds(kind: Kind, text: str, gate: int) -> bool:
    """Whether a text holds a kind of data; mostly near where its gate ends, so there it begins.

    It begins behind a letter, so that no number is cut in two. The gate's end is told in bytes and
    so may lie too far behind: what isn't found from there is looked for from the beginning.
    """
    near = max(0, min(gate, len(text)) - _NEAR)
    while near and not text[near - 1].isalpha():
        near -= 1
    return any(True for _ in _of_kind(kind, text, near)) or (
        near > 0 and any(True for _ in _of_kind(kind, text))
    )


def _of_kind(kind: Kind, text: str, begin: int = 0) -> Iterator[Span]:
    for match in kind.exact.finditer(text, begin):
        group = match.lastindex or 0
        start, end = match.span(group)
        if kind.behind and not kind.behind.search(text, max(0, start - _BEHIND), start):
            continue
        if kind.trim is not None:
            end = start + len(kind.trim(text[start:end]))
            if end == start or text[end : end + 1].isalnum():
                continue
        if kind.check is None or kind.check(text[start:end]):
            yield Span(start, end, kind.id, kind.sort)


# Who is named in a text: a plain recogniser without a model, for a sample of texts.

NAME = "names by cues and census lists, 1"
"""What the recogniser calls itself; the number changes with what it says."""
SOURCE = "ours; first names of the US Census Bureau, 1990 (public domain)"
"""Where its rules and its list come from."""

_WORD = rf"[{UPPER}][\w'’-]{{1,30}}"
_INITIAL = rf"[{UPPER}]\.?"
_LINK = r"(?:van|von|de|der|den|del|della|di|da|dos|bin|al|el|la|le|ter|ten)"
_RECOGNISER_NAMES = rf"{_WORD}(?: (?:{_INITIAL} )?(?:{_LINK} ){{0,2}}{_WORD}){{0,2}}"
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
    rf"({_RECOGNISER_NAMES})(?!\w)"
)
_CAPITAL = re.compile(rf"(?<![\w@/.-]){_RECOGNISER_NAMES}(?![\w@/])")


class Named(NamedTuple):
    """A person's name in a text, as characters."""

    start: int
    end: int


def persons(text: str) -> tuple[Named, ...]:
    """Where persons are named, in the order of the text, without overlap.

    Returns:
        Nothing for a text without a capital.
    """
    found = [Named(*match.span(1)) for match in _CUED.finditer(text) if _somebody(match[1])]
    for match in _CAPITAL.finditer(text):
        if _listed(match[0]):
            span = Named(*match.span())
            if not any(span.start < other.end and other.start < span.end for other in found):
                found.append(span)
    return tuple(sorted(found))


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


# Hiding personal and secret data in what a report or the ledger shows.

_NUMBER = re.compile(r"\d(?:[ ./()-]?\d){4,40}+")
_TOKEN = re.compile(r"(?<![\w+/=-])(?=[\w+/=-]{0,400}?\d)[\w+/=-]{20,}+")
_LABELS = {"phone_us": "phone", "phone_national": "phone", "phone_said": "phone"}
_LABELS |= {"street_in_front": "street", "street_joined": "street", "post_box": "street"}
_PASSES = 8
_REACH = 4000  # characters looked at on either side of an excerpt, more than any span is long


class _Hidden(NamedTuple):
    start: int
    end: int
    label: str


def mask(text: str) -> str:
    """A text with what is personal or secret replaced by words for it.

    Masking twice changes nothing more. Meant for samples: it takes some passes over the text.
    """
    while True:
        hidden = tuple(_hidden(text))
        if not hidden:
            return text
        # Every pass takes something away that no label holds, so there is a last one.
        text = "".join(_pieces(text, hidden, 0, len(text)))


class Masker:
    """Masks several texts that belong together: the same value gets the same word in all of them.

    The first e-mail address is ``[email]``, another one ``[email 2]``, and so on, so that a text
    still says which is which. A new masker for every case: nothing can be followed across cases.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was hidden so far, each kind once."""
        return tuple(self._counts)

    def seen(self) -> int:
        """How many different values were hidden so far."""
        return len(self._numbers)

    def __call__(self, text: str) -> str:
        """The text with words for what is personal or secret; ``mask`` changes nothing more."""
        for _ in range(_PASSES):
            hidden = [
                one._replace(label=self._label(one.label, text[one.start : one.end]))
                for one in _hidden(text)
            ]
            if not hidden:
                return text
            text = "".join(_pieces(text, tuple(hidden), 0, len(text)))
        return mask(text)  # words without numbers always come to an end

    def _label(self, label: str, value: str) -> str:
        key = label, " ".join(value.casefold().split())
        if key not in self._numbers:
            self._counts[label] = self._counts.get(label, 0) + 1
            self._numbers[key] = self._counts[label]
        number = self._numbers[key]
        return label if number == 1 else f"{label} {number}"


def without_secrets(name: str) -> str:
    """A name of a prompt or a model without keys, tokens and addresses; its numbers stay.

    A prompt without a name is called by its text in some tools. Of a long text the beginning is
    given back, as no more of it was looked at.
    """
    near = name[:_REACH]
    hidden = tuple(
        _Hidden(one.start, one.end, _label(one.kind, one.sort))
        for one in sorted(spans(near), key=lambda span: span.start)
        if one.sort == "secret" or one.kind == "email"
    )
    return "".join(_pieces(near, hidden, 0, len(near)))


def excerpt(text: str, start: int, end: int, *, around: int = 60) -> str:
    """A masked piece of a text on one line, without any part of what it cuts through.

    Args:
        text: The whole text, however long.
        start: Where the piece begins that it is about.
        end: Where that ends.
        around: Characters shown before and behind.
    """
    low, high = max(0, start - around), min(len(text), end + around)
    offset = max(0, low - _REACH)
    near = text[offset : high + _REACH]
    pieces = "".join(_pieces(near, tuple(_hidden(near)), low - offset, high - offset))
    shown = mask(" ".join(pieces.split()))
    return ("… " if low else "") + shown + (" …" if high < len(text) else "")


def _pieces(text: str, hidden: tuple[_Hidden, ...], low: int, high: int) -> Iterator[str]:
    """Pieces of a text from one place to another, with labels for what is hidden."""
    at = low
    for start, end, label in hidden:
        if end <= low or start >= high:
            continue
        yield text[at:start]
        yield f"[{label}]"
        at = max(at, end)
    yield text[at:high]


def _hidden(text: str) -> Iterator[_Hidden]:
    """What is to be hidden, in the order of the text, without overlap."""
    found = [_Hidden(s.start, s.end, _label(s.kind, s.sort)) for s in spans(text)]
    found += [_Hidden(name.start, name.end, "name") for name in persons(text)]
    found += [_Hidden(*match.span(), "number") for match in _NUMBER.finditer(text)]
    found += [_Hidden(*match.span(), "token") for match in _TOKEN.finditer(text)]
    at = 0
    for each in sorted(found, key=lambda hidden: (hidden.start, -hidden.end)):
        if each.end <= at:
            continue
        yield each if each.start >= at else each._replace(start=at)
        at = each.end


def _label(kind: str, sort: str) -> str:
    return "secret" if sort == "secret" else _LABELS.get(kind, kind)
