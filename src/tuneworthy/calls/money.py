"""Money of calls: what a request can cost at most, what an answer cost, and whole picodollars."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal

from tuneworthy.domain.calls import Reply, Request
from tuneworthy.domain.prices import Price
from tuneworthy.domain.units import usd_per_request

PICO = 10**12
"""Picodollars of a dollar: sums of whole ones are exact."""
_MOST = 10**17  # 100,000 USD; sums of larger amounts would leave SQLite's whole numbers
_TOKENS_A_MESSAGE = 16  # what a chat template adds, generously
_TOKENS_OF_TOOLS = 1024  # what endpoints add to a prompt that brings tools or a schema


def pico(usd: float) -> int:
    """USD as whole picodollars, rounded up so that a cap is never passed by rounding.

    Raises:
        ValueError: If it is less than nothing or no number.
    """
    if not usd >= 0:
        raise ValueError("an amount of money is 0 or more")
    if usd >= _MOST // PICO:
        return _MOST
    return int((Decimal(repr(float(usd))) * PICO).to_integral_value(ROUND_CEILING))


def whole_cap(usd: float) -> int:
    """A cap in picodollars, exactly as it is written, and rounded down."""
    return math.floor(Decimal(repr(float(usd))) * PICO)


def most_input_tokens(request: Request) -> int:
    """The most tokens a request can have: none has less than one byte."""
    told = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
    extras = [text for text in (request.response_schema, request.grammar, request.tools) if text]
    told += sum(len(text.encode("utf-8", "surrogatepass")) for text in extras)
    told += _TOKENS_OF_TOOLS if extras else 0
    return told + _TOKENS_A_MESSAGE * (len(request.messages) + 1)


def most_usd(request: Request, price: Price) -> float | None:
    """The most a request can cost, in USD.

    Its input has no more tokens than bytes; its output has no more than it may have, or than the
    model's window where nobody says.

    Returns:
        None where nothing bounds the output.
    """
    written = price.context_tokens if request.max_tokens is None else request.max_tokens
    if written is None:
        return 0.0 if price.input == price.output == 0 else None
    return usd_per_request(
        input_tokens=most_input_tokens(request),
        output_tokens=written,
        usd_per_mtok_input=price.input,
        usd_per_mtok_output=price.output,
    )


def paid_usd(reply: Reply, price: Price, reserved: float) -> float:
    """What an answer cost by its endpoint's count of tokens; the most it could, without one."""
    usage = reply.usage
    cached = min(usage.cached_tokens, usage.input_tokens)
    rate = price.input if price.cached_input is None else price.cached_input
    plain = usd_per_request(
        input_tokens=usage.input_tokens - cached, output_tokens=usage.output_tokens,
        usd_per_mtok_input=price.input, usd_per_mtok_output=price.output,
    )  # fmt: skip
    counted = plain + cached * rate / 1e6
    wrote = bool(reply.text or reply.tool_calls)
    missing = not usage.input_tokens or (wrote and not usage.output_tokens)
    return max(counted, reserved) if missing else counted
