"""Numbers that name a person or an account, most of them with check digits."""

from __future__ import annotations

from tuneworthy.gather.personal import checks
from tuneworthy.gather.personal.kinds import GAP, Kind, after, alone, kind

_TAX_WORDS = "steuer-?id|steueridentifikationsnummer|steuernummer|idnr|tax id|tin"


def _to_length(text: str) -> str:
    """The part of a text that is as long as an IBAN of its country."""
    wanted, seen = checks.iban_length(text), 0
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
        check=checks.card,
        digits=True,
    ),
    kind(
        "iban",
        "personal",
        gate=r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11}",
        exact=r"(?<!\w)[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,29}",
        source="ISO 13616: the country's length, remainder by 97",
        check=checks.iban,
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
        check=checks.us_ssn,
        caseless=True,
        digits=True,
    ),
    kind(
        "uk_nino",
        "personal",
        gate=r"\b[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d]\b",
        exact=alone(r"[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]"),
        source="HMRC, manual NIM39110; no check digit",
        check=checks.uk_nino,
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
        check=checks.de_steuer_id,
        caseless=True,
        digits=True,
    ),
    kind(
        "fr_nir",
        "personal",
        gate=r"\b[12] ?\d{2} ?\d{2} ?\d[0-9ab] ?\d{3} ?\d{3} ?\d{2}\b",
        exact=alone(r"[12] ?\d{2} ?\d{2} ?\d[0-9AB] ?\d{3} ?\d{3} ?\d{2}"),
        source="INSEE: key of 97",
        check=checks.fr_nir,
        caseless=True,
        digits=True,
    ),
    kind(
        "es_dni",
        "personal",
        gate=r"\b(?:\d{8}|[xyz]-?\d{7})-?[a-z]\b",
        exact=alone(r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]"),
        source="Spanish Interior Ministry: letter by 23",
        check=checks.es_dni,
        caseless=True,
        digits=True,
    ),
    kind(
        "it_codice_fiscale",
        "personal",
        gate=r"[a-z]\d\d[a-ehlmprst]\d\d[a-z]\d{3}[a-z]\b",
        exact=alone(r"[a-z]{6}\d\d[a-ehlmprst]\d\d[a-z]\d{3}[a-z]"),
        source="Italian decree of 23 December 1976: check letter; not those changed for namesakes",
        check=checks.it_codice_fiscale,
        caseless=True,
    ),
    kind(
        "nl_bsn",
        "personal",
        gate=rf"\b(?:bsn|burgerservicenummer|sofinummer|sofi)\b{GAP}\d",
        exact=after("bsn|burgerservicenummer|sofinummer|sofi", r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}"),
        source="Dutch burgerservicenummer: weights divisible by 11, behind a word for it",
        check=checks.nl_bsn,
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
        check=checks.pl_pesel,
        caseless=True,
        digits=True,
    ),
    kind(
        "br_cpf",
        "personal",
        gate=r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b|\bcpf\b" + GAP + r"\d",
        exact=alone(r"\d{3}\.\d{3}\.\d{3}-\d{2}") + "|" + after("cpf", r"\d{11}"),
        source="Receita Federal: two check digits",
        check=checks.br_cpf,
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
        check=checks.in_aadhaar,
        caseless=True,
        digits=True,
    ),
)
"""Kinds that are a number."""
