"""Keys, tokens and passwords: known beginnings, and values given to a telling name."""

from __future__ import annotations

import re

from tuneworthy.gather.personal import checks
from tuneworthy.gather.personal.kinds import Kind, kind

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
    return letters and others and checks.bits_per_character(value) >= _ENOUGH_BITS


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
        check=checks.jwt,
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
