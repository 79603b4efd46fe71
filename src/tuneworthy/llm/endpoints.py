"""Endpoints with OpenAI-compatible chat completions, and the sources of their keys.

A key is bound to its host. A case file that names another address for a known provider never gets
that provider's key.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from tuneworthy.errors import CaseError
from tuneworthy.model.base import TOKENS_PER_MTOK, as_bytes, usd_per_request
from tuneworthy.model.case import Model, Price

if TYPE_CHECKING:
    from tuneworthy.model.lab import Reply, Request

LOCAL = "local"  #: Provider of the embedded model.
FAKE = "fake"  #: Provider of models that are functions of ours, for tests and trials.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"  # a part of a host's name between dots
_NUMBER = r"(?:[0-9]+|0x[0-9a-f]*)"
_HOST = re.compile(
    rf"\[[0-9a-f:.]+\]|[0-9]+(?:\.[0-9]+){{3}}|"
    rf"(?!(?:.*\.)?{_NUMBER}$){_LABEL}(?:\.{_LABEL})*"
)
"""The pattern of a host. A name may not end in a number, as some readers would take it for an IPv4
address."""
#: Hosts that are this machine.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SHORTEST_KEY = 8  # characters; a shorter key is a placeholder
_MOST_BACKSLASHES = 8  # before a character of JSON inside JSON


class Endpoint(NamedTuple):
    base_url: str
    #: Environment variable with the key; empty where none is needed.
    key_from: str = ""


_LISTED = json.loads(Path(__file__).with_name("endpoints.json").read_text("utf-8"))
PRESETS = {provider: Endpoint(*place) for provider, place in _LISTED.items()}
"""Providers by the first part of a model's id."""


class Secret:
    """A key. It isn't a text, so nothing prints, joins, pickles or serializes it by accident."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    def reveal(self) -> str:
        """The key itself, only for a header."""
        return self._key

    def hide(self, text: str) -> str:
        """Remove the key from a text, in case an answer repeats it, also with JSON's escapes.

        An answer may be JSON inside JSON, so each character may have several backslashes. A key of
        fewer than eight characters is a placeholder for a local server. It isn't removed, as it may
        be in many answers.
        """
        if len(self._key) < _SHORTEST_KEY:
            return text
        pattern = "".join(_spelt(character) for character in self._key)
        return re.sub(pattern, "***", text)


def _spelt(character: str) -> str:
    """A pattern for a character of a key as JSON may spell it."""
    plain = re.escape(character)
    code = f"u(?i:{ord(character):04x})"
    return rf"\\{{0,{_MOST_BACKSLASHES}}}(?:{plain}|{code})"


@dataclass(frozen=True, slots=True)
class Reached:
    """A model with its address and key."""

    provider: str
    name: str
    base_url: str
    key: Secret | None = field(default=None, repr=False)
    key_from: str = ""  #: Environment variable the key is read from, or would be.


def reach(model: Model) -> Reached:
    """Find the address and the key of a case's model.

    Its id is ``provider:name``; with an address of its own it may be anything. ``key`` is None
    where the environment has none, which is an error only where one is needed. An address that the
    environment names for a provider, as ``OPENAI_BASE_URL``, replaces the usual one and gets the
    provider's key, as in the provider's own libraries. An address in a case file never gets it.
    Raises CaseError if its address is unknown, or isn't safe to send to.
    """
    provider, _, name = model.id.partition(":")
    preset = PRESETS.get(provider) if name else None
    if model.base_url is not None:
        return _at_own_address(model, model.base_url.rstrip("/"), preset)
    if preset is not None:
        named = named_address(provider)
        if named:
            return _at_gateway(provider, name, preset, named)
        key = _key(preset.key_from)
        return Reached(provider, name, preset.base_url, key, preset.key_from)
    if provider in (LOCAL, FAKE) and name:
        return Reached(provider, name, "")
    fix = f"give it a base_url, or one of {', '.join(PRESETS)} in front of its name"
    raise CaseError(f'model "{model.id}" has no known address', fix=fix)


def _at_own_address(model: Model, base_url: str, preset: Endpoint | None) -> Reached:
    """A model at the address that the case file names, with a key of that address alone."""
    provider, _, name = model.id.partition(":")
    place = _safe_place(base_url)
    variable = key_variable(base_url)
    # the vendor's own address, which may have its key
    if preset is not None and place == _place(preset.base_url):
        variable = preset.key_from or variable
    if not name:  # an id without a provider
        provider = "other"
        name = model.id
    return Reached(provider, name, base_url, _key(variable), variable)


def named_address(provider: str) -> str:
    """The address that a user's environment names for a provider; empty for none.

    An address without a path gets the provider's usual path, as its own library would add it.
    OpenAI's library uses the address unchanged.
    """
    address = os.environ.get(f"{provider.upper()}_BASE_URL", "").strip().rstrip("/")
    if provider != "openai" and re.fullmatch(r"https?://[^/?#]+", address):
        address += urlsplit(PRESETS[provider].base_url).path
    return address


def _at_gateway(provider: str, name: str, preset: Endpoint, address: str) -> Reached:
    """A provider's model at the address that the environment names."""
    try:
        _safe_place(address)
    except CaseError as caught:
        where = f"{provider.upper()}_BASE_URL"
        raise CaseError(caught.what, where=where, fix=caught.fix) from None
    variable = key_variable(address)
    key = _key(variable)
    if key is None:  # a key for the address itself goes first
        variable = preset.key_from or variable
        key = _key(variable)
    return Reached(provider, name, address, key, variable)


class _Place(NamedTuple):
    """An address without its path: where a key may be sent."""

    scheme: str
    host: str  #: In small letters.
    port: int | None  #: None for the scheme's own.


def _safe_place(base_url: str) -> _Place:
    """The place of an address; a CaseError for one that is neither encrypted nor local."""
    place = _place(base_url)
    if place.scheme != "https" and place.host not in LOOPBACK:
        fix = "use https, or an address on this machine"
        raise CaseError(f'address "{base_url[:80]}" is not encrypted', fix=fix)
    return place


def key_variable(base_url: str) -> str:
    """Name the environment variable with an address's key; a CaseError for an invalid address.

    It is the host in capitals: a dot becomes one underscore and a hyphen two, so that no two hosts
    share a key. An unusual port follows as ``_PORT_8443``. An IPv6 address begins with one more
    underscore, as no name does, and its dots become three.
    """
    place = _place(base_url)
    dot = "___" if place.host.startswith("[") else "_"
    spelt = place.host.removesuffix("]").replace("[", "_").replace(".", dot)
    name = spelt.upper().replace("-", "__").replace(":", "_")
    port = f"_PORT_{place.port}" if place.port else ""
    return f"TUNEWORTHY_KEY_{name}{port}"


def on_this_machine(base_url: str) -> bool:
    """Whether an address leads only to this machine."""
    return host_of(base_url) in LOOPBACK


def plain_address(base_url: str) -> str:
    """An address in small letters, without the scheme's own port; a CaseError for an invalid one."""
    place = _place(base_url)
    port = f":{place.port}" if place.port else ""
    return f"{place.scheme}://{place.host}{port}{urlsplit(base_url).path}"


def host_of(base_url: str) -> str:
    """The host of an address, in small letters; a CaseError for an invalid one."""
    return _place(base_url).host


def _place(base_url: str) -> _Place:
    """The place of an address.

    An address that different readers could read as different hosts is refused by a CaseError.
    """
    if not base_url.isascii() or not base_url.isprintable():
        raise _not_an_address(base_url)
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise _not_an_address(base_url) from None
    # the whole of it, so that a user before the host is refused
    host = parts.netloc.lower()
    if port is not None:
        host = host.removesuffix(f":{port}")
    if not _HOST.fullmatch(host):
        raise _not_an_address(base_url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return _Place(parts.scheme, host, None if port == usual else port)


def _not_an_address(text: str) -> CaseError:
    what = f'"{text[:80]}" is not an address'
    fix = "write https://, a host in plain letters, and a path"
    return CaseError(what, fix=fix)


def _key(variable: str) -> Secret | None:
    """A key from the environment, else from the system's keyring if its package is installed."""
    if not variable:
        return None
    key = os.environ.get(variable, "").strip() or _from_keyring(variable)
    if not key:
        return None
    if not key.isascii() or not key.isprintable():
        fix = "copy the key again"
        raise CaseError("holds characters that no key has", where=variable, fix=fix)
    return Secret(key)


def _from_keyring(variable: str) -> str:
    try:
        import keyring

        return (keyring.get_password("tuneworthy", variable) or "").strip()
    except Exception:  # noqa: BLE001  # there is none, or one without a desktop raises what it likes
        return ""


TAKES_NO = "it takes no "  #: How the reason begins for which a model can't be asked in some way.


class CallError(Exception):
    """A call gave no answer; the message holds no key and no header."""


class NotSent(CallError):  # noqa: N818  # what happened, not whose fault it was
    """Nothing left this machine, so nothing was paid; ``again`` where another try may succeed soon."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


class Busy(CallError):  # noqa: N818  # the same
    """The endpoint answered that it is busy or broken: nothing was paid, and it can be tried again."""

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Refused(CallError):  # noqa: N818  # the same
    """The endpoint refused the request for good: nothing was paid.

    ``for_all``: it would refuse every request, as with a wrong key.
    """

    def __init__(self, why: str, *, for_all: bool = False) -> None:
        super().__init__(why)
        self.for_all = for_all


class NotTaken(Refused):
    """The endpoint doesn't take a parameter, whose name ``why`` begins with."""

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(f"{TAKES_NO}{parameter}: {why}")
        self.parameter = parameter


class Doubtful(CallError):  # noqa: N818  # the same
    """The request was sent, but no usable answer came: whether it was paid is unknown."""


class Transport(Protocol):
    """The only way to a model; tests use a fake."""

    async def send(self, request: Request) -> Reply:
        """Send a request once, without any retry.

        Raises NotSent if nothing left this machine; Busy if the endpoint asks to come again;
        Refused if it refuses for good; Doubtful if it was sent and the answer is missing, late or
        unreadable.
        """

    async def close(self) -> None:
        """Release everything that is open."""


Place = tuple[str, str]  #: Address and model.
PICO = 10**12  #: Picodollars of a dollar: sums of whole ones are exact.
_MOST = 10**17  # 100,000 USD; sums of larger amounts would leave SQLite's whole numbers
TOKENS_A_MESSAGE = 16  # what a chat template adds, generously
_TOKENS_OF_TOOLS = 1024  # what endpoints add to a prompt that brings tools or a schema


def pico(usd: float) -> int:
    """USD as whole picodollars, rounded up so that rounding never exceeds a cap.

    Raises ValueError if it is negative or not a number.
    """
    if not usd >= 0:  # also where it isn't a number
        raise ValueError("an amount of money is 0 or more")
    if usd >= _MOST // PICO:
        return _MOST
    # repr is what was written: 0.1, and not the binary number beside it
    exact = Decimal(repr(float(usd))) * PICO
    return int(exact.to_integral_value(ROUND_CEILING))


def whole_cap(usd: float) -> int:
    """A cap in picodollars, exactly as it is written, rounded down."""
    return math.floor(Decimal(repr(float(usd))) * PICO)


def most_input_tokens(request: Request) -> int:
    """The most tokens that a request can have: its bytes, as each token has at least one.

    What an endpoint adds comes on top.
    """
    forms = [request.response_schema, request.grammar, request.tools]
    forms += request.choices or ()
    form_bytes = sum([len(as_bytes(text)) for text in forms if text])
    message_bytes = sum([message.size for message in request.messages])
    # a chat template adds something to each message, and once more where the answer begins
    frames = TOKENS_A_MESSAGE * (len(request.messages) + 1)
    # one allowance for tools and for any form of the answer, even choices that are empty texts
    has_form = form_bytes > 0 or bool(request.choices)
    added = _TOKENS_OF_TOOLS if has_form else 0
    return message_bytes + form_bytes + added + frames


def most_usd(request: Request, price: Price, tokens: int | None = None) -> float | None:
    """The most that a request can cost, in USD; None where its output has no bound.

    Its input has at most as many tokens as bytes, or as ``tokens``. Its output has at most as many
    as it may have, or as the model's window where no limit is set.
    """
    written = request.max_tokens
    if written is None:
        written = price.context_tokens
    if written is None:
        return 0.0 if price.input == price.output == 0 else None
    if tokens is None:
        tokens = most_input_tokens(request)
    return _usd(price, tokens, written)


def _usd(price: Price, read: int, wrote: int) -> float:
    return usd_per_request(
        input_tokens=read,
        output_tokens=wrote,
        usd_per_mtok_input=price.input,
        usd_per_mtok_output=price.output,
    )


_TOKENS_ADDED = 32_768  # what a gateway may put before a prompt of ours
# tokens of thinking where it doesn't count as a part of the answer
_TOKENS_THOUGHT = 131_072


def miscount(reply: Reply, request: Request) -> str:
    """Say why an endpoint's count of tokens is impossible; empty where it is possible.

    An answer has at most as many tokens as it was allowed, or as it has bytes if an endpoint keeps
    no limit. Otherwise one number that is too large would spend a case's money for ever.
    """
    usage = reply.usage
    most_read = most_input_tokens(request) + _TOKENS_ADDED
    if usage.input_tokens > most_read:
        return _impossible(usage.input_tokens, "read", most_read)
    most_written = _most_output_tokens(reply, request)
    if usage.output_tokens > most_written:
        return _impossible(usage.output_tokens, "written", most_written)
    return ""


def _impossible(counted: int, done: str, most: int) -> str:
    return f"{counted} tokens {done} can't be: at most {most} are possible"


def _most_output_tokens(reply: Reply, request: Request) -> int:
    """The most tokens that an answer can have, with those of its thinking."""
    text_bytes = len(as_bytes(reply.text))
    for call in reply.tool_calls:
        text_bytes += sum(len(as_bytes(part)) for part in call)
    allowed = request.max_tokens or _TOKENS_THOUGHT
    most = TOKENS_A_MESSAGE + max(text_bytes, allowed)
    if reply.usage.reasoning_tokens:
        most = max(most, _TOKENS_THOUGHT)
    return most


def paid_usd(reply: Reply, price: Price, reserved: float) -> float:
    """Compute the cost of an answer by its endpoint's count of tokens.

    Where a count is missing, the most that it could cost counts: ``reserved``.
    """
    usage = reply.usage
    cached = min(usage.cached_tokens, usage.input_tokens)
    cached_rate = price.input if price.cached_input is None else price.cached_input
    plain = _usd(price, usage.input_tokens - cached, usage.output_tokens)
    counted = plain + cached * cached_rate / TOKENS_PER_MTOK
    has_answer = bool(reply.text or reply.tool_calls)
    lacks_count = not usage.input_tokens or (has_answer and not usage.output_tokens)
    return max(counted, reserved) if lacks_count else counted
