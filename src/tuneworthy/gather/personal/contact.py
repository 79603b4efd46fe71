"""Ways to reach a person: mail, telephone, street and network addresses."""

from __future__ import annotations

import re

from tuneworthy.gather.personal import checks
from tuneworthy.gather.personal.kinds import GAP, UPPER, Kind, alone, kind

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
    numbers = checks.digits(text)
    return 7 <= len(numbers) <= 15 and len(set(numbers)) > 1 and not _DATE.match(text)


def _international(text: str) -> bool:
    """The same, its extension aside."""
    return _phone(re.split("[xe]", text, maxsplit=1, flags=re.IGNORECASE)[0])


def _national(text: str) -> bool:
    """Nine to twelve digits: fewer could be a date."""
    return 9 <= len(checks.digits(text)) <= 12 and _phone(text)


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
    if not checks.public_ip(text):
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
