"""Endpoints that speak OpenAI-compatible chat completions, and where their keys come from.

A key is bound to the host it was given for: a case file that names another address for a known
provider never gets that provider's key.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tuneworthy.domain.case import Model
from tuneworthy.domain.errors import CaseError

LOCAL = "local"
"""Provider of the embedded model."""
FAKE = "fake"
"""Provider of models that are functions of ours, for tests and trials."""
_HOST = re.compile(r"\[[0-9a-f:.]+\]|(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is reached."""

    base_url: str
    key_from: str = ""
    """Environment variable with the key; empty where none is needed."""


PRESETS: dict[str, Endpoint] = {
    "openai": Endpoint("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": Endpoint("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "google": Endpoint("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "together": Endpoint("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "openrouter": Endpoint("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "fireworks": Endpoint("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "mistral": Endpoint("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "groq": Endpoint("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "deepseek": Endpoint("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "ollama": Endpoint("http://127.0.0.1:11434/v1"),
    "vllm": Endpoint("http://127.0.0.1:8000/v1"),
    "llamacpp": Endpoint("http://127.0.0.1:8080/v1"),
}
"""Providers by the first half of a model's id."""


class Secret:
    """A key. It is no text, so nothing prints, joins, pickles or serialises it by accident."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    def reveal(self) -> str:
        """The key itself, for a header and for nothing else."""
        return self._key

    def hide(self, text: str) -> str:
        """A text without the key, where somebody's answer repeats it, also with JSON's escapes.

        An answer may be JSON inside of JSON, so that each character may have several backslashes.
        Placeholders of fewer than eight characters, as local servers take them, are no keys, and
        stand in many an answer.
        """
        if len(self._key) < _SHORTEST_KEY:
            return text
        spelt = (rf"\\{{0,8}}(?:{re.escape(c)}|u(?i:{ord(c):04x}))" for c in self._key)
        return re.sub("".join(spelt), "***", text)


@dataclass(frozen=True, slots=True)
class Reached:
    """A model with the place it is reached at."""

    provider: str
    name: str
    base_url: str
    key: Secret | None = field(default=None, repr=False)
    key_from: str = ""
    """Environment variable the key is read from, or would be."""


def reach(model: Model) -> Reached:
    """Where and how a model of a case is called.

    Args:
        model: Its id is ``provider:name``; with an address of its own it may be anything.

    Returns:
        The place. Without a key in the environment ``key`` is None, which is an error only where
        one is needed.

    Raises:
        CaseError: If nobody knows where it is served, or its address isn't safe to send to.
    """
    if model.published is not None:
        fix = "add the served model on its own, with kind: tuned"
        raise CaseError(f'model "{model.id}" is a published figure: nothing can be called', fix=fix)
    provider, _, name = model.id.partition(":")
    preset = PRESETS.get(provider) if name else None
    if model.base_url is None:
        if provider in (LOCAL, FAKE) and name:
            return Reached(provider, name, "")
        if preset is None:
            fix = f"give it a base_url, or one of {', '.join(PRESETS)} in front of its name"
            raise CaseError(f'model "{model.id}" is served nobody knows where', fix=fix)
        return Reached(provider, name, preset.base_url, _key(preset.key_from), preset.key_from)
    base_url = model.base_url.rstrip("/")
    place = _place(base_url)
    if place[0] != "https" and place[1] not in _LOOPBACK:
        fix = "use https, or an address on this machine"
        raise CaseError(f'address "{base_url[:80]}" is not encrypted', fix=fix)
    variable = key_variable(base_url)
    if preset is not None and place == _place(preset.base_url):
        variable = preset.key_from or variable
    return Reached(
        provider if name else "other", name or model.id, base_url, _key(variable), variable
    )


def key_variable(base_url: str) -> str:
    """The environment variable that holds the key of an address.

    It is the host in capitals: a dot becomes one underscore and a hyphen two, so that no two hosts
    share a key. A port that isn't the usual one follows as ``_PORT_8443``.

    Raises:
        CaseError: If it is no address.
    """
    _, host, port = _place(base_url)
    name = host.strip("[]").upper().replace("-", "__").replace(".", "_").replace(":", "_")
    return f"TUNEWORTHY_KEY_{name}" + (f"_PORT_{port}" if port else "")


def on_this_machine(base_url: str) -> bool:
    """Whether an address leads to this machine and nowhere else."""
    return _place(base_url)[1] in _LOOPBACK


def _place(base_url: str) -> tuple[str, str, int | None]:
    """Scheme, host, and the port if that isn't the scheme's own.

    What different readers of addresses could take for different hosts is refused.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.netloc.lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = host if port is None else host.removesuffix(f":{port}")
    if not base_url.isascii() or not base_url.isprintable() or not _HOST.fullmatch(plain):
        what = f'"{base_url[:80]}" is no address'
        raise CaseError(what, fix="write https://, a host in plain letters, and a path")
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, plain, None if port == usual else port


def _key(variable: str) -> Secret | None:
    """A key from the environment, else from the system's keyring where that package is there."""
    if not variable:
        return None
    found = os.environ.get(variable, "").strip() or _from_keyring(variable)
    if not found:
        return None
    if not found.isascii() or not found.isprintable():
        fix = "copy the key again"
        raise CaseError("holds characters that no key has", where=variable, fix=fix)
    return Secret(found)


def _from_keyring(variable: str) -> str:
    try:
        import keyring
    except ImportError:
        return ""
    try:
        return (keyring.get_password("tuneworthy", variable) or "").strip()
    except Exception:  # noqa: BLE001  # a keyring without a desktop raises what it likes
        return ""
