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


class Secret(str):
    """A key. It is never shown: not by print, not by repr, not in a traceback's values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The key itself, for a header and for nothing else."""
        return super().__str__()


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
    provider, _, name = model.id.partition(":")
    preset = PRESETS.get(provider) if name else None
    if model.base_url is None:
        if provider == LOCAL and name:
            return Reached(LOCAL, name, "")
        if preset is None:
            fix = f"give it a base_url, or one of {', '.join(PRESETS)} in front of its name"
            raise CaseError(f'model "{model.id}" is served nobody knows where', fix=fix)
        return Reached(provider, name, preset.base_url, _key(preset.key_from), preset.key_from)
    base_url = model.base_url.rstrip("/")
    _safe(base_url)
    variable = key_variable(base_url)
    if preset is not None and _host(base_url) == _host(preset.base_url):
        variable = preset.key_from or variable
    return Reached(
        provider if name else "other", name or model.id, base_url, _key(variable), variable
    )


def key_variable(base_url: str) -> str:
    """The environment variable that holds the key of an address: its host in capitals."""
    return "TUNEWORTHY_KEY_" + re.sub(r"[^A-Z0-9]+", "_", _host(base_url).upper()).strip("_")


def _host(base_url: str) -> str:
    return (urlsplit(base_url).hostname or "").lower()


def _safe(base_url: str) -> None:
    """No prompt goes over the open network unencrypted."""
    parts = urlsplit(base_url)
    loopback = _host(base_url) in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not loopback:
        fix = "use https, or an address on this machine"
        raise CaseError(f'address "{base_url[:80]}" is not encrypted', fix=fix)


def _key(variable: str) -> Secret | None:
    """A key from the environment, else from the system's keyring where that package is there."""
    if not variable:
        return None
    if found := os.environ.get(variable, "").strip():
        return Secret(found)
    try:
        import keyring
    except ImportError:
        return None
    try:
        found = keyring.get_password("tuneworthy", variable) or ""
    except Exception:  # noqa: BLE001  # a keyring without a desktop raises what it likes
        return None
    return Secret(found) if found else None
