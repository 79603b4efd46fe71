"""The provider of a model in a log, and its price there, by the price list.

A log names a model as its maker's software does: with or without the provider, by an alias or by a
dated snapshot, after a route or a resource name. Each of these is looked up in the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from tuneworthy.llm.prices import (
    Amounts,
    ListedModel,
    amounts_for,
    find_model,
    provider_id,
    providers_with,
    rates_on,
)

_OWN = re.compile(
    r"ollama|vllm|lm[-_ ]?studio|llama[-_.]?cpp|llamafile|\btgi\b|\blocal\b|localhost",
    re.IGNORECASE,
)
"""Words for a model on your own machine, which has no list price."""
_KINDS = frozenset(
    {"chat", "completion", "responses", "messages", "models", "publishers"}
)
"""Parts before a name that say how it was called."""
_ARN = re.compile(r"arn:aws[\w-]*:bedrock:.*/", re.IGNORECASE)
_BATCH = re.compile(r"\bbatch\b", re.IGNORECASE)
_MANY = 4096


class ServedModel(NamedTuple):
    """A model at its provider."""

    provider: str
    name: str  #: As the log has it, without the provider.
    listed: ListedModel
    batch: bool  #: Whether calls of a batch are meant.

    @property
    def id(self) -> str:
        """Provider and name, as a case file writes it."""
        return f"{self.provider}:{self.name}"

    @property
    def key(self) -> str:
        """Provider and the list's name, equal for an alias and its snapshot."""
        return f"{self.provider}:{self.listed['id']}"

    def amounts(self, day: date, input_tokens: float) -> Amounts:
        """Prices of a request on a day."""
        return amounts_for(rates_on(self.listed, day, batch=self.batch), input_tokens)


@lru_cache(maxsize=_MANY)
def find_served(name: str, provider: str = "") -> ServedModel | None:
    """Find the model with a name, if one provider is likely; None where none or several are.

    ``provider`` is a provider, a route or a host in the log's words. Where the list doesn't know
    it, the maker of the named model is used.
    """
    before_slash, _, _ = name.partition("/")
    if not name or _OWN.search(f"{provider} {before_slash}"):
        return None
    batch = _BATCH.search(provider) is not None
    for place, bare in _readings(name, provider):
        if "://" in place:
            listed = find_model(bare, None, place)
        else:
            listed = find_model(bare, place, None)
        place_id = provider_id(place, bare)
        if listed is not None and place_id is not None:
            return ServedModel(place_id, bare, listed, batch)
    *_, bare = _bares(name)  # the name alone
    return _served_by_maker(bare, batch=batch)


def _served_by_maker(name: str, *, batch: bool) -> ServedModel | None:
    """The model at its maker, else at the only provider that lists it."""
    of_maker = find_model(name, None, None)
    maker = provider_id(None, name)
    if of_maker is not None and maker is not None:
        return ServedModel(maker, name, of_maker, batch)
    offers = providers_with(name)
    if len(offers) != 1:  # nobody knows at which of them it ran
        return None
    ((only_provider, model),) = offers
    return ServedModel(only_provider, name, model, batch)


def _readings(name: str, provider: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of a provider and a name that the log may mean, the likelier first."""
    bares = list(_bares(name))
    for place in _places(provider):
        for bare in bares:
            yield place, bare
    if _ARN.match(name):  # Amazon's name of a resource
        yield "bedrock", bares[-1]
    for sign in (":", "/"):
        first, _, rest = name.partition(sign)
        if rest and provider_id(first, rest) is not None:
            for bare in _bares(rest):
                yield first, bare


def _places(provider: str) -> tuple[str, ...]:
    """The provider as the list may know it; what has a dot may be a host, or a name."""
    if not provider:
        return ()
    if "://" in provider or "." not in provider:
        return (provider,)
    return (f"https://{provider}", provider)


def _bares(name: str) -> Iterator[str]:
    """Yield the name with fewer and fewer parts before it: ``a/b:c``, ``b:c``, ``c``."""
    rest = _ARN.sub("", name)
    while True:
        yield rest
        part = re.match(r"([^:/]+)([:/])", rest)
        if part is None or part.end() >= len(rest):
            return
        head = part[1].casefold()
        is_known = head in _KINDS or provider_id(head, "") is not None
        if part[2] == ":" and not is_known:
            return  # a version or a size stands behind the colon, as in llama3:8b
        rest = rest[part.end() :]
