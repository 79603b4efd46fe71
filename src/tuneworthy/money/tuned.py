"""Prices of services for serving a tuned model: by the token, by the hour, or on a shared endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

from tuneworthy.facts.load import facts_on
from tuneworthy.facts.records import (
    KnownFacts,
    Method,
    ServiceFact,
    ServingOffer,
    ServingTokens,
    price_of_fact,
)
from tuneworthy.model.base import HOURS_PER_MONTH, TOKENS_PER_MTOK, Interval
from tuneworthy.model.case import Case, Model, in_use
from tuneworthy.words import count, listing, usd, usd_range

_MOST_NAMED = 3  #: Services that a sentence names.


class TunedOffer(NamedTuple):
    """One way in which a service would serve a tuned model."""

    service: str
    base: str  #: ``host:name`` of the base; empty where the price goes by its size.
    #: USD for a million tokens; None where that isn't known.
    tokens: ServingTokens | None
    #: Of an endpoint of its own, used or not; 0 where there is none.
    usd_per_hour: float
    adapters: int  #: The most that share the endpoint; 1 for one of its own.
    idle_is_paid: bool

    @property
    def by_token(self) -> bool:
        """Whether only tokens are paid."""
        return self.usd_per_hour == 0

    @property
    def usd_per_month(self) -> float:
        """The fee of an endpoint that is always on, in USD per month."""
        return self.usd_per_hour * HOURS_PER_MONTH

    def usd_per_call(self, tokens_in: float, tokens_out: float) -> float:
        """The cost of a call's tokens; 0 where only hours are sold."""
        if self.tokens is None:
            return 0.0
        price = self.tokens.input * tokens_in + self.tokens.output * tokens_out
        return price / TOKENS_PER_MTOK


def tuned_offers(as_of: date | None) -> tuple[TunedOffer, ...]:
    """Every way in which a new customer can have a tuned model served on a day."""
    facts = facts_on(as_of)
    day = as_of or facts.dated
    offers: list[TunedOffer] = []
    for service in facts.services:
        if service.kind == "hosted" and _takes_work(service, day):
            for offer in service.serves:
                offers += _offers(facts, service, offer, day)
    return tuple(offers)


def _takes_work(service: ServiceFact, day: date) -> bool:
    """Whether a service takes new customers, and neither it nor its serving has ended."""
    ends = (service.until, service.serves_until)
    return service.open_to_new == "yes" and all(
        end is None or day < end for end in ends
    )


def _offers(
    facts: KnownFacts, service: ServiceFact, offer: ServingOffer, day: date
) -> Iterator[TunedOffer]:
    """The offers of one service to serve tuned models, one for each base; trials are left out."""
    if offer.trial == "yes":
        return
    hours = offer.usd_per_hour or 0.0
    # Without a price by the hour or the token, nothing can be compared.
    if not hours and offer.by != "tokens":
        return
    bases = facts.live_bases(offer.models, day)
    if not bases and not offer.models:
        # It names no bases: its price goes by the size of the model.
        bases = ("",)
    for base in bases:
        yield TunedOffer(
            service=service.service,
            base=base,
            tokens=offer.usd_per_mtok
            or _times_base(facts, base, offer.times_base, day),
            usd_per_hour=hours,
            adapters=(offer.adapters or 1) if offer.by == "shared" else 1,
            idle_is_paid=offer.idle == "paid",
        )


def _times_base(
    facts: KnownFacts, base: str, times: float | None, day: date
) -> ServingTokens | None:
    """The price of a tuned model that costs a multiple of its base; None where that isn't known."""
    fact = facts.model(base)
    price = None if fact is None else price_of_fact(fact, day)
    if price is None or times is None:
        return None
    return ServingTokens(input=price.input * times, output=price.output * times)


def sold_by_its_service(model: Model, as_of: date | None) -> TunedOffer | None:
    """How the service that tunes a model's base serves the tuned one, with its price.

    None at an address of its own, and where no page of the service names a price.
    """
    if model.kind != "tuned" or model.base_url is not None:
        return None
    facts = facts_on(as_of)
    day = as_of or facts.dated
    service = facts.tuner(model.id)
    if service is None or (service.serves_until and service.serves_until <= day):
        return None
    for offer in facts.served(service, model.id):  # by the token first
        if offer.by == "shared":
            # A shared machine needs other tuned models beside it.
            continue
        tokens = offer.usd_per_mtok or _times_base(
            facts, model.id, offer.times_base, day
        )
        if offer.by == "tokens" and tokens is None:
            return None
        return TunedOffer(
            service=service.service,
            base=model.id,
            tokens=tokens,
            usd_per_hour=offer.usd_per_hour or 0.0,
            adapters=1,
            idle_is_paid=offer.idle == "paid",
        )
    return None


def training_asked(
    case: Case, method: Method, as_of: date | None
) -> tuple[Interval, str] | None:
    """USD for a million trained tokens of the bases that the case would tune, and whose price it is.

    None where the case names no base, or no page names a price of one.
    """
    facts = facts_on(as_of)
    asked = [
        facts.training_price(model.id, method)
        for model in case.models
        if model.kind == "tuned" and model.base_url is None
    ]
    prices = [price for price in asked if price is not None]
    if not prices:
        return None
    low = min(price.low for price in prices)
    high = max(price.most for price in prices)
    likely = median(price.low for price in prices)
    whose = dict.fromkeys(price.whose for price in prices)
    return Interval(low, likely, high), listing([*whose], "or")


def call_of_tuned(
    case: Case, offers: Sequence[TunedOffer], tokens_in: Interval, tokens_out: Interval
) -> tuple[Interval, str] | None:
    """USD a call of a tuned model that is billed by the token, and its source.

    The likely value is the price on the base of today's model if a service sells it, else the
    middle of all prices. None where no service is known to bill by the token.
    """
    sold = [offer for offer in offers if offer.by_token and offer.tokens is not None]
    if not sold:
        return None
    used = in_use(case)
    own = [offer for offer in sold if used is not None and offer.base == used.id]
    middles = [
        offer.usd_per_call(tokens_in.value, tokens_out.value) for offer in own or sold
    ]
    # The ends are over all offers, so the price on one base may lie beyond them.
    low = min(offer.usd_per_call(tokens_in.low, tokens_out.low) for offer in sold)
    high = max(offer.usd_per_call(tokens_in.high, tokens_out.high) for offer in sold)
    likely = min(max(median(middles), low), high)
    services = _services(sold)[:_MOST_NAMED]
    says = f"serving by the token ({listing(services, 'or')})"
    return Interval(low, likely, high), says


def endpoint_text(offers: Sequence[TunedOffer], usd_per_call: float | None) -> str:
    """The cost of a dedicated endpoint, services with a shared one, and when each is cheaper.

    Empty where no service sells a dedicated one. ``usd_per_call`` is by the token; None or 0 where
    unknown.
    """
    own = [offer for offer in offers if offer.usd_per_hour and offer.adapters == 1]
    if not own:
        return ""
    least = min(own, key=lambda offer: offer.usd_per_hour)
    sentences = [
        _dedicated_text(own),
        _sleeping_text(own),
        _shared_text(offers),
        _by_token_text(offers, least, usd_per_call),
    ]
    return ". ".join(sentence for sentence in sentences if sentence)


def _dedicated_text(own: Sequence[TunedOffer]) -> str:
    """The range of what dedicated endpoints cost an hour."""
    least = min(own, key=lambda offer: offer.usd_per_hour)
    most = max(own, key=lambda offer: offer.usd_per_hour)
    hours = _hourly(least)
    if least != most:
        hours = f"{hours} to {_hourly(most)}"
    return f"an endpoint of its own is billed by the hour, used or not: {hours}"


def _sleeping_text(own: Sequence[TunedOffer]) -> str:
    """The services whose dedicated endpoint costs nothing while idle; empty without any."""
    services = _services([offer for offer in own if not offer.idle_is_paid])
    if not services:
        return ""
    return f"{listing(services)} can shrink it to nothing while nobody calls"


def _shared_text(offers: Sequence[TunedOffer]) -> str:
    """The service on whose endpoint the most tuned models can be; empty without a shared one."""
    shared = [offer for offer in offers if offer.adapters > 1]
    if not shared:
        return ""
    best = max(shared, key=lambda offer: offer.adapters)
    each = usd(best.usd_per_month / best.adapters)
    return (
        f"Up to {best.adapters} tuned models share one at {best.service}, which then is "
        f"{each} each per month"
    )


def _by_token_text(
    offers: Sequence[TunedOffer], dedicated: TunedOffer, usd_per_call: float | None
) -> str:
    """The services that bill by the token, and the calls up to which that is cheaper."""
    services = _services([offer for offer in offers if offer.by_token])
    if not services:
        return ""
    text = f"{listing(services)} serve it by the token and ask no such fee"
    if usd_per_call:
        calls = dedicated.usd_per_month / usd_per_call
        text += f", which by their known prices costs less below {count(calls)} calls per month"
    return text


def _services(offers: Sequence[TunedOffer]) -> list[str]:
    """The names of the services, each once, in the order of the offers."""
    names: list[str] = []
    for offer in offers:
        if offer.service not in names:
            names.append(offer.service)
    return names


def endpoint_fee(offers: Sequence[TunedOffer]) -> Interval | None:
    """USD a month of a dedicated endpoint; None where no service sells one."""
    fees = [
        offer.usd_per_month
        for offer in offers
        if offer.usd_per_hour and offer.adapters == 1
    ]
    return Interval(min(fees), median(fees), max(fees)) if fees else None


def _hourly(offer: TunedOffer) -> str:
    return (
        f"{usd_range(offer.usd_per_hour, offer.usd_per_hour)} an hour ({offer.service})"
    )
