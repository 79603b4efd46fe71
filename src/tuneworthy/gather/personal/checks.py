"""Check digits and other proofs that a number is what it looks like.

Each function takes a match as it was written, with its spaces and dashes, and says whether it
holds. The empty text holds for none.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import math
import re
from collections import Counter
from datetime import date

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
