"""Models that can be called, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneworthy.domain.canonical import json_text
from tuneworthy.report.layout import safe, table, wrapped
from tuneworthy.report.local_model import embedded_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneworthy.calls.served import Served


def models_text(known: Sequence[Served], own: Sequence[Served], inside: dict[str, Any]) -> str:
    """Endpoints and models for a terminal of 80 columns."""
    lines: list[str] = []
    if own:
        lines += ["Models of the case", *table([(safe(o.name), _state(o), _price(o)) for o in own])]
        lines.append("")
    lines += ["Endpoints known by name", *table([(o.name, _state(o)) for o in known]), ""]
    lines += ["Inside this program", *table([embedded_row(inside)]), ""]
    lines += wrapped(
        "Keys come from the environment or the keyring, and are never shown. Only endpoints on "
        "this machine were asked; nothing was sent anywhere else."
    )
    return "\n".join(lines) + "\n"


def models_dict(known: Sequence[Served], own: Sequence[Served], inside: dict[str, Any]) -> str:
    """The same as JSON."""
    return json_text({
        "models": [_record(each) for each in own],
        "endpoints": [_record(each) for each in known],
        "embedded": inside,
    })  # fmt: skip


def _record(one: Served) -> dict[str, Any]:
    price = one.price
    return {
        "name": one.name,
        "base_url": one.base_url or None,
        "state": one.state,
        "key_from": one.key_from or None,
        "usd_per_mtok": None if price is None else {"input": price.input, "output": price.output},
        "price_from": None if price is None else (price.catalogue or _without_catalogue(one)),
        "models": list(one.models),
        "why": one.why or None,
    }


def _without_catalogue(one: Served) -> str:
    return "runs on this machine" if one.state == "inside" else "stated in the case"


def _state(one: Served) -> str:
    served = safe(", ".join(one.models[:5])) + (", …" if len(one.models) > 5 else "")
    return {
        "key": f"reachable, key from {one.key_from}",
        "no_key": f"needs a key in {one.key_from}",
        "answers": "answers on this machine" + (f": {served}" if served else ""),
        "silent": f"does not answer at {safe(one.base_url)}",
        "open": f"called without a key; {one.key_from} would hold one",
        "inside": "runs inside this program",
        "published": "a published figure, no model to call",
        "unknown": safe(one.why),
    }[one.state]


def _price(one: Served) -> str:
    if one.state == "published":
        return ""
    if one.price is None:
        return "no price: state usd_per_mtok; 0 is a price"
    told = one.price.catalogue or _without_catalogue(one)
    return f"{one.price.input:g} in, {one.price.output:g} out, USD per million tokens ({told})"
