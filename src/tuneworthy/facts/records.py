"""The entries of the catalogue of outside facts, and the ones that are known on a day."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import Field, field_validator, model_validator

from tuneworthy.model.base import (
    FileRecord,
    Ident,
    Name,
    Natural,
    NonNegative,
    Strings,
    Text,
    Tri,
    wrong,
)
from tuneworthy.model.case import Price

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,59}$")]
Word = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}$")]
# a snapshot ends with its alias unless a page says otherwise
_SNAPSHOT = re.compile(r"-20\d{2}-?\d{2}-?\d{2}$")
UNCONFIRMED = " (one source, not confirmed)"
"""The words after a fact that neither its maker's page nor a second source confirms."""

NoEnd = Literal["none_published"]
"""Somebody read a page about ends, and it names no day."""

Method = Literal["supervised", "preference", "reinforcement"]
ServedBy = Literal["tokens", "hours", "shared"]


class OutsideFact(FileRecord):
    """A fact from others' pages, read on a day."""

    entry: Slug  #: Its name in its file, used once.
    #: An earlier entry that no longer counts from this one's day on.
    replaces: Slug | None = None
    says: Text = ""  #: The words of the page, and whatever else matters here.
    sources: tuple[Name, ...]
    confirmed: Tri = "unknown"
    """Whether its maker's own page, or two sources that don't copy each other, say so."""
    dated: date  #: The day on which it was looked up.

    @property
    def unsure(self) -> str:
        """The words behind it where it isn't confirmed; empty where it is."""
        return "" if self.confirmed == "yes" else UNCONFIRMED

    @field_validator("sources")
    @classmethod
    def _addresses(cls, value: Strings) -> Strings:
        if not value or not all(page.startswith("https://") for page in value):
            raise wrong("names no address", "give the https:// address of the page")
        return value


class DatedPrice(FileRecord):
    """USD for a million tokens of an untuned model, from a day on."""

    #: Always where there is none.
    from_: Annotated[date | None, Field(alias="from")] = None
    input: NonNegative
    output: NonNegative
    cached_input: NonNegative | None = None
    batch_input: NonNegative | None = None
    batch_output: NonNegative | None = None


class ModelFact(OutsideFact):
    """Facts about one or several models at one host."""

    #: ``host:name``, with every alias.
    models: Annotated[tuple[Name, ...], Field(min_length=1)]
    released: date | None = None  #: The release of the oldest of them that was found.
    window: Natural | None = None  #: Input tokens that it takes.
    reads: tuple[Literal["text", "image", "audio", "video"], ...] = ()
    effort: tuple[Word, ...] | None = None
    """Words of its endpoint for how long it may think: none where it takes none."""
    parameters_b: NonNegative | None = None  #: Billions of parameters, all of them.
    active_b: NonNegative | None = None  #: Those that work on one token.
    #: Millions of tokens that it was trained on.
    trained_mtok: NonNegative | None = None
    license: Word | None = None
    prices: tuple[DatedPrice, ...] = ()  #: Where the price list lacks them.
    #: The last day on which somebody new could start with it.
    new_until: date | None = None
    ends: date | NoEnd | None = None
    """The day from which it no longer answers; None where nobody looked."""
    ends_is: Literal["announced", "earliest", "done"] = "announced"
    train_until: date | NoEnd | None = None
    """The day from which no new job tunes it; where none is stated, the day it ends."""
    tunes_end: date | NoEnd | None = None  #: When models tuned on it end.
    #: Models that are named in its place, the cheapest first.
    successors: tuple[Name, ...] = ()
    successor_tunable: Tri = "unknown"

    @property
    def end(self) -> date | None:
        """The day when it ends; None where it is unknown."""
        return self.ends if isinstance(self.ends, date) else None

    @property
    def tuned_end(self) -> date | None:
        """The day when models tuned on it end; None where it is unknown."""
        return self.tunes_end if isinstance(self.tunes_end, date) else None

    @property
    def last_tuned_day(self) -> date | None:
        """The day from which no model tuned on it answers: as stated, or else the day it ends."""
        return self.end if self.tunes_end is None else self.tuned_end

    @property
    def untunable_from(self) -> date | None:
        """The day from which no new job tunes it: as stated, else the day when it ends."""
        if self.train_until is None:
            return self.end
        return self.train_until if isinstance(self.train_until, date) else None


class _Offer(FileRecord):
    models: tuple[Name, ...] = ()  #: By name; those of a size where there are none.
    from_b: NonNegative | None = None  #: Above so many billions of parameters.
    up_to_b: NonNegative | None = None
    says: Text = ""

    def covers(self, names: Collection[str], parameters_b: float | None) -> bool:
        """Whether the offer is for a model, by one of its names or its billions of parameters."""
        if self.models:
            return any(name in self.models for name in names)
        if self.from_b is None and self.up_to_b is None:
            return True
        if parameters_b is None:
            return False
        is_large_enough = self.from_b is None or parameters_b > self.from_b
        is_small_enough = self.up_to_b is None or parameters_b <= self.up_to_b
        return is_large_enough and is_small_enough


class TrainingOffer(_Offer):
    """Prices of a service for training."""

    method: Method = "supervised"
    weights: Literal["lora", "full"] = "lora"
    usd_per_mtok: NonNegative | None = None
    #: The high end, where a page names a range.
    most_usd_per_mtok: NonNegative | None = None
    usd_per_hour: NonNegative | None = None
    minimum_usd: NonNegative | None = None
    #: Whether its price is confirmed, where that differs from its entry.
    confirmed: Tri | None = None


class ServingTokens(FileRecord):
    """USD for a million tokens of a tuned model."""

    input: NonNegative
    output: NonNegative


class ServingOffer(_Offer):
    """One way in which a service serves a tuned model, with its price."""

    by: ServedBy  #: By the token alone, by the hour of an endpoint, or on one with others.
    usd_per_mtok: ServingTokens | None = None
    times_base: NonNegative | None = None  #: Of the price of the untuned model.
    usd_per_hour: NonNegative | None = None
    idle: Literal["paid", "scales_to_zero"] = "paid"
    adapters: Natural | None = None  #: The most that share an endpoint.
    #: Whether it is for trials alone, so that no traffic rests on it.
    trial: Tri = "no"


class ServiceFact(OutsideFact):
    """A service or a program that tunes models."""

    service: Name
    kind: Literal["hosted", "self_hosted"]  #: Run by a provider, or by the team itself.
    host: Word | None = None  #: The text before the names of its models.
    approaches: tuple[Ident, ...] = ()
    """Approaches that its own pages name. A missing one may be offered all the same."""
    #: Whether somebody can start with it now, or it is maintained.
    open_to_new: Tri = "unknown"
    until: date | None = None  #: The day on which new work ends, or ended.
    serves_until: date | None = None  #: The day from which it serves no tuned model.
    regions: tuple[Name, ...] = ()
    keeps: Text = ""  #: The files and prompts that it keeps, and for how long.
    keeps_days: Natural | None = None  #: Days it keeps a training file by itself.
    trains: tuple[TrainingOffer, ...] = ()
    serves: tuple[ServingOffer, ...] = ()


class TrainingPrice(NamedTuple):
    """A service's price for a million trained tokens of a base."""

    low: float
    most: float  #: The high end, where a page names a range.
    minimum_usd: float  #: Of a job.
    service: str
    confirmed: bool
    dated: date

    @classmethod
    def from_offer(cls, service: ServiceFact, offer: TrainingOffer) -> TrainingPrice:
        """The price of an offer for a million tokens; the caller made sure that it has one."""
        low = offer.usd_per_mtok or 0.0
        return cls(
            low=low,
            most=offer.most_usd_per_mtok or low,
            minimum_usd=offer.minimum_usd or 0.0,
            service=service.service,
            confirmed=(offer.confirmed or service.confirmed) == "yes",
            dated=service.dated,
        )

    @property
    def whose(self) -> str:
        """The service, and whether its price is confirmed."""
        return self.service if self.confirmed else f"{self.service}{UNCONFIRMED}"


class LimitsFact(OutsideFact):
    """Limits of a training file for a target of the export, and the models that it tunes."""

    targets: Annotated[tuple[Word, ...], Field(min_length=1)]
    least: Natural | None = None  #: Lines to train on.
    most: Natural | None = None
    most_in_all: Natural | None = None  #: Lines with those to validate on.
    most_validation: Natural | None = None
    most_tokens: Natural | None = None  #: Of a line.
    most_bytes: Natural | None = None  #: Of a file.
    advised: Natural | None = None  #: Lines to begin with.
    bases: tuple[Name, ...] = ()  #: Models that it tunes, the most sensible first.


class Assumption(OutsideFact):
    """A range that is assumed where a case states nothing."""

    about: Ident
    low: float
    likely: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Assumption:
        if not self.low <= self.likely <= self.high:
            fix = "write low, likely and high in this order"
            raise wrong("has ends that cross", fix)
        return self


class Rivals(OutsideFact):
    """Models that a case doesn't list, to compare it with."""

    models: tuple[Name, ...]


F = TypeVar("F", bound=OutsideFact)


class FactsFile(FileRecord):
    """A file of outside facts. Any of its lists may be missing."""

    models: tuple[ModelFact, ...] = ()
    services: tuple[ServiceFact, ...] = ()
    limits: tuple[LimitsFact, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    rivals: tuple[Rivals, ...] = ()

    def joined(self, other: FactsFile) -> FactsFile:
        """These facts, followed by those of another file."""
        return FactsFile.model_construct(
            models=self.models + other.models,
            services=self.services + other.services,
            limits=self.limits + other.limits,
            assumptions=self.assumptions + other.assumptions,
            rivals=self.rivals + other.rivals,
        )

    @property
    def entries(self) -> tuple[OutsideFact, ...]:
        """All entries."""
        return (
            *self.models,
            *self.services,
            *self.limits,
            *self.assumptions,
            *self.rivals,
        )

    def known_on(self, day: date | None) -> KnownFacts:
        """The facts known on a day; all that are known now for None.

        Before the first look-up there was no catalogue, so an earlier day gets the facts of that
        look-up.
        """
        first = min((fact.dated for fact in self.entries), default=date.min)
        until = date.max if day is None else max(day, first)
        return KnownFacts(
            models=_entries_until(self.models, until),
            services=_entries_until(self.services, until),
            limits=_entries_until(self.limits, until),
            assumptions=_entries_until(self.assumptions, until),
            rivals=_entries_until(self.rivals, until),
        )


def _entries_until(entries: Sequence[F], until: date) -> tuple[F, ...]:
    """Entries up to a day, without those that a later one of them replaces."""
    known = [entry for entry in entries if entry.dated <= until]
    replaced = {entry.replaces for entry in known}
    return tuple(entry for entry in known if entry.entry not in replaced)


class KnownFacts:
    """The outside facts as they were known on a day."""

    def __init__(
        self,
        *,
        models: tuple[ModelFact, ...],
        services: tuple[ServiceFact, ...],
        limits: tuple[LimitsFact, ...],
        assumptions: tuple[Assumption, ...],
        rivals: tuple[Rivals, ...],
    ) -> None:
        self.models = models
        self.services = services
        self.limits = limits
        self.assumptions = {fact.about: fact for fact in assumptions}
        # The last entry counts, as later ones stand below.
        self.rivals: Strings = rivals[-1].models if rivals else ()

    @cached_property
    def dated(self) -> date:
        """The newest day of any look-up of a model, a service or a limit: the catalogue's age."""
        facts: list[OutsideFact] = [*self.models, *self.services, *self.limits]
        return max((fact.dated for fact in facts), default=date.min)

    @cached_property
    def _by_name(self) -> dict[str, ModelFact]:
        """The newest entry for each name; of two of one day, the later one in the list."""
        newest: dict[str, ModelFact] = {}
        for fact in sorted(self.models, key=lambda fact: fact.dated):
            for name in fact.models:
                newest[name] = fact
        return newest

    def model(self, name: str, base_url: str | None = None) -> ModelFact | None:
        """The facts about a model by its name; for a tuned one, about its base.

        None for a model at an address of its own: other hosts have other dates.
        """
        if base_url is not None:
            return None
        name = name.replace(":ft:", ":")
        # A tuned model's name goes on behind its base's, as openai:base:team:tuned.
        while ":" in name:
            fact = self._by_name.get(name) or self._by_name.get(_SNAPSHOT.sub("", name))
            if fact is not None:
                return fact
            name = name.rpartition(":")[0]
        return None

    def end_of(self, name: str, base_url: str | None = None) -> ModelFact | None:
        """The facts about a model if its end is known, else None."""
        fact = self.model(name, base_url)
        return fact if fact is not None and fact.end is not None else None

    def service(self, name: str) -> ServiceFact | None:
        """A service by its name, in its last entry; None for an unknown one."""
        for fact in reversed(self.services):
            if fact.service == name:
                return fact
        return None

    def limits_of(self, target: str) -> LimitsFact | None:
        """The limits of a target, in its last entry; None for an unknown one."""
        for fact in reversed(self.limits):
            if target in fact.targets:
                return fact
        return None

    def offered(
        self, approaches: Iterable[str], day: date, *, inside: bool
    ) -> dict[str, Strings]:
        """The services that offer each approach to new customers, by their pages.

        With ``inside``, programs that a team can run itself.
        """
        open_services: list[ServiceFact] = []
        for service in self.services:
            has_ended = service.until is not None and day >= service.until
            is_usable = service.kind == "self_hosted" or not inside
            if service.open_to_new == "yes" and not has_ended and is_usable:
                open_services.append(service)
        offered: dict[str, Strings] = {}
        for approach in approaches:
            able = [s.service for s in open_services if approach in s.approaches]
            offered[approach] = tuple(able)
        return offered

    def unread(self, model: str, media: Iterable[str]) -> Strings:
        """The media among some that a model is known not to read; () where nobody looked."""
        fact = self.model(model)
        if fact is None or not fact.reads:
            return ()
        return tuple(medium for medium in media if medium not in fact.reads)

    def live_bases(
        self, names: Iterable[str], day: date, *, for_days: int = 0
    ) -> Strings:
        """The models that can be tuned on a day and ``for_days`` after it; unknown ones may be."""
        # as a number, which has no end as a date has
        last = day.toordinal() + for_days
        live: list[str] = []
        for name in names:
            fact = self.model(name)
            untunable_from = None if fact is None else fact.untunable_from
            if untunable_from is None or untunable_from.toordinal() > last:
                live.append(name)
        return tuple(live)

    def tuner(self, model: str) -> ServiceFact | None:
        """The service that tunes a model at its own address, by the provider before its name."""
        host = model.partition(":")[0]
        closed = None
        for service in self.services:
            if service.host == host and service.kind == "hosted":
                # two services may share a host while only one of them is open
                if service.open_to_new != "no":
                    return service
                closed = closed or service
        return closed

    def training_price(self, model: str, method: Method) -> TrainingPrice | None:
        """The price of the service that tunes a model for an adapter; None where no page says it.

        The lowest of several prices.
        """
        service = self.tuner(model)
        if service is None:
            return None
        names, size = self._names_and_size(model)
        prices: list[TrainingPrice] = []
        for offer in service.trains:
            is_asked = offer.method == method and offer.weights == "lora"
            has_price = offer.usd_per_mtok is not None
            if is_asked and has_price and offer.covers(names, size):
                prices.append(TrainingPrice.from_offer(service, offer))
        return min(prices, key=lambda price: price.low, default=None)

    def served(self, service: ServiceFact, model: str) -> tuple[ServingOffer, ...]:
        """The ways in which a service serves models tuned on this one, those by the token first."""
        names, size = self._names_and_size(model)
        offers = [offer for offer in service.serves if offer.covers(names, size)]
        real = [offer for offer in offers if offer.trial != "yes"]
        # False comes before True
        return tuple(sorted(real, key=lambda offer: offer.by != "tokens"))

    def _names_and_size(self, model: str) -> tuple[set[str], float | None]:
        """Every name of a model, and its billions of parameters where they are known."""
        fact = self.model(model)
        if fact is None:
            return {model}, None
        return {model, *fact.models}, fact.parameters_b


def price_of_fact(fact: ModelFact, day: date) -> Price | None:
    """The price of an untuned model on a day; None where the catalogue lacks it."""
    # A price without a day holds from the beginning.
    rates = [rate for rate in fact.prices if (rate.from_ or date.min) <= day]
    if not rates:
        return None
    newest = max(rates, key=lambda rate: rate.from_ or date.min)
    return Price(
        input=newest.input,
        output=newest.output,
        cached_input=newest.cached_input,
        batch_input=newest.batch_input,
        batch_output=newest.batch_output,
        context_tokens=fact.window,
        catalogue=f"the catalogue of {fact.dated}",
    )
