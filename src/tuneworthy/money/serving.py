"""Every way to serve the traffic: its cost per month, and whether it is admissible."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from tuneworthy.facts.load import end_day, facts_on
from tuneworthy.model.base import (
    DAYS_PER_MONTH,
    HOURS_PER_MONTH,
    TOKENS_PER_MTOK,
    Interval,
    State,
    every,
)
from tuneworthy.model.case import (
    Amount,
    Case,
    GpuServing,
    Model,
    Price,
    Prices,
    in_use,
    price_of,
)
from tuneworthy.model.dossier import How
from tuneworthy.money.terms import (
    BILL,
    REQUESTS,
    Inputs,
    Product,
    Sum,
    Values,
    corners,
    likely,
    stated,
    total,
)
from tuneworthy.money.tuned import TunedOffer, sold_by_its_service
from tuneworthy.stats.intervals import wilson
from tuneworthy.words import count, listing, number, quality, usd, usd_range
from tuneworthy.words import day as day_text

Runs = Literal["third_party", "own", "unknown"]
TUNED = "the tuned model"
_MOST_RIVALS = 3
_TRAFFIC = "economics.traffic"
_TOKENS = f"{_TRAFFIC}.input_tokens", f"{_TRAFFIC}.output_tokens"
_GPU = ("gpu_usd_per_hour", "requests_per_gpu_hour", "utilisation", "always_on_gpus")
_HOW: dict[str, str] = {
    "as_is": "as it is",
    "cached": "with the prompt cached",
    "batched": "in batches",
    "cached_batched": "with the prompt cached, in batches",
    "self_hosted": "self-hosted",
}


def serving_name(model: str, how: str) -> str:
    """A model and its serving in words: ``openai:gpt-6-luna in batches``."""
    return f"{model} {_HOW[how]}"


class CostLine(NamedTuple):
    """USD a month over requests a month, as numbers or as arrays with one for each draw."""

    floor: Any  #: The least that its requests cost a month.
    slope: Any  #: USD a request.
    fee: Any = 0.0  #: USD a month on top, at any number of requests.

    def usd(self, requests: float) -> float:
        """USD a month at so many requests; of numbers only."""
        return float(self.fee + max(self.floor, self.slope * requests))


class ServingOption(NamedTuple):
    """A way to serve the traffic; at most one of its prices is set."""

    model: str
    how: How
    tuned: bool
    runs: Runs
    request: Sum = ()  #: USD a request, for a price by tokens.
    gpu: tuple[str, ...] = ()
    """Inputs with the prices of your own GPUs, in the order of a case's ``serving``."""
    billed: bool = False  #: Whether its price is the stated bill.
    bill_for: str | None = None
    """The input with the number of requests of the bill; None when it is the same at any volume."""
    #: Where its price was looked up; empty when it is stated in the case.
    catalogue: str = ""
    #: The service that sells it at a price of the catalogue of facts, where it is tuned.
    tuned_at: str = ""
    #: USD a month of the endpoint that such a service sells, used or not.
    fee: float = 0.0
    months: float | None = None  #: Until its model ends, where that is known.
    then: ServingOption | None = None  #: The successor with a price, from then on.

    @property
    def name(self) -> str:
        """The model and its serving in words."""
        return serving_name(self.model, self.how)

    @property
    def falls(self) -> bool:
        """Whether its price may fall. The prices of your own machine and of a tuned model don't."""
        return not self.tuned and not self.gpu and self.runs != "own"

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs of its cost, except the number of requests."""
        bill: tuple[str, ...] = ()
        if self.billed:
            bill = (BILL,)
            if self.bill_for:
                bill = (BILL, self.bill_for)
        return (
            *(name for term in self.request for name in term.names),
            *bill,
            *self.gpu,
        )

    def line(self, values: Values) -> CostLine:
        """The option's cost as a line over the number of requests."""
        if self.gpu:
            usd_per_hour, requests_per_hour, utilisation, always_on = (
                values[name] for name in self.gpu
            )
            # GPUs that are always on are paid for; more of them once these are full.
            floor = always_on * HOURS_PER_MONTH * usd_per_hour
            return CostLine(floor, usd_per_hour / (requests_per_hour * utilisation))
        if not self.billed:
            return CostLine(0.0, total(self.request, values), self.fee)
        if self.bill_for is None:
            return CostLine(values[BILL], 0.0)
        return CostLine(0.0, values[BILL] / values[self.bill_for])

    def usd(self, values: Values) -> float:
        """USD a month for the requests among the values."""
        return self.line(values).usd(values[REQUESTS])


class ServingCost(NamedTuple):
    """A serving option with its cost, and whether it is admissible."""

    option: ServingOption
    usd: Interval | None  #: USD a month; None where it has no price.
    admissible: State
    reasons: tuple[str, ...]  #: The reasons for it; a missing price comes first.
    misses_targets: bool = False
    """Whether only targets rule it out, and neither its place nor its window."""
    #: Whether it might be used if it could cost anything.
    but_for_budget: State = "unknown"


class _Check(NamedTuple):
    """The result of one check of a serving option."""

    state: State
    why: str
    is_target: bool = False
    is_budget: bool = False


class Ways(NamedTuple):
    """Every way to serve a case's traffic."""

    costs: tuple[ServingCost, ...]  #: The cheapest first, those without a price last.
    inputs: Inputs  #: The inputs that their costs depend on.
    bill: ServingCost | None
    """The way that runs today: at the stated or measured bill, else by traffic and prices."""
    rivals: tuple[ServingCost, ...] = ()
    """The cheapest unlisted models that nobody measured and that may see the data."""


def serving_costs(
    case: Case,
    prices: Prices,
    sovereign: State,
    as_of: date | None = None,
    *,
    margin: float = 0.0,
) -> Ways:
    """Every way to serve a case's traffic, and the inputs of their costs.

    ``margin`` is how much worse another model may be than today's, where no quality is stated.
    """
    options = _Options(case, prices, sovereign, as_of, margin)
    costs = sorted(options.every(), key=by_price)
    rivals: list[ServingCost] = []
    for name in unlisted(case, sovereign, as_of):
        if (name, None) in prices:
            rivals += options.rival(Model(id=name))
    able = [cost for cost in rivals if cost.usd is not None and cost.admissible != "no"]
    cheapest = sorted(able, key=by_price)[:_MOST_RIVALS]
    return Ways(tuple(costs), options.inputs, options.bill(costs), tuple(cheapest))


def unlisted(case: Case, sovereign: State, as_of: date | None) -> tuple[str, ...]:
    """Hosted models that a case doesn't list: successors, and small ones if data may leave.

    Each is named once, the successors first.
    """
    known = facts_on(as_of)
    candidates: list[str] = []
    for model in case.models:
        end = known.end_of(model.id, model.base_url)
        if end:
            candidates += end.successors
    if sovereign != "yes":
        candidates += known.rivals
    listed = {model.id for model in case.models}
    names: list[str] = []
    for name in candidates:
        if name not in listed and name not in names:
            names.append(name)
    return tuple(names)


def by_price(cost: ServingCost) -> float:
    """USD a month as a sort key; an option without a price comes last."""
    return math.inf if cost.usd is None else cost.usd.value


class _Options:
    """Lists the serving options of a case, and records the inputs that they use."""

    def __init__(
        self,
        case: Case,
        prices: Prices,
        sovereign: State,
        as_of: date | None,
        margin: float,
    ) -> None:
        self.margin = margin
        self.case = case
        self.prices = prices
        self.sovereign = sovereign
        self.as_of = as_of
        self.traffic = case.economics.traffic
        self.inputs = stated(case)

    def every(self) -> Iterator[ServingCost]:
        """The cost of every way to serve each model of the case."""
        # people count the places of a list from 1, in every path that they read or write
        for place, model in enumerate(self.case.models, start=1):
            if not model.embedded:
                yield from self._costs_of(model, place)
        listed = any(model.kind == "tuned" for model in self.case.models)
        served = self.case.economics.serving != GpuServing()
        if not listed and served and self.case.tuning.service == "self_hosted":
            yield self._on_gpus(None, "economics.serving")

    def rival(self, model: Model) -> Iterator[ServingCost]:
        """A hosted model that the case doesn't list, served unchanged."""
        price = self.prices[model.id, None]
        option = self._option_by_tokens(model.id, "as_is", price, False, "third_party")
        if self._lacks(REQUESTS, *_TOKENS):
            return
        cost = self._cost(option, model, price)
        if cost.admissible != "no":
            why = ("nobody ran it on your cases",)
            cost = cost._replace(admissible="unknown", reasons=why)
        yield cost

    def bill(self, costs: Sequence[ServingCost]) -> ServingCost | None:
        """The cost per month of the way that runs today; None where it is unknown."""
        used = in_use(self.case)
        way = self._running_way(costs)
        if BILL not in self.inputs or (way is not None and way.option.billed):
            return way
        name = "what runs today"
        runs = self.case.today.api
        if used:
            name = used.id
            runs = self._runs(used)
        own = runs == "own"
        grows = REQUESTS in self.inputs and self.inputs[REQUESTS].low >= 1 and not own
        option = ServingOption(
            model=name,
            how="as_is",
            tuned=False,
            runs="own" if own else "unknown",
            billed=True,
            bill_for=REQUESTS if grows else None,
        )
        if used and REQUESTS in self.inputs:
            option = self._until(option, used)
        return ServingCost(option, self.inputs[BILL], "unknown", ())

    def _running_way(self, costs: Sequence[ServingCost]) -> ServingCost | None:
        """The cheapest priced way to run the present model unchanged, the first of ``costs``.

        A job that runs once may run as a batch, too.
        """
        used = in_use(self.case)
        if used is None:
            return None
        for cost in costs:
            if cost.option.model != used.id or cost.usd is None:
                continue
            if cost.option.how in ("as_is", "self_hosted"):
                return cost
            in_batch = cost.option.how == "batched" and cost.admissible != "no"
            if self.case.one_off and in_batch:
                return cost
        return None

    def _costs_of(self, model: Model, place: int) -> Iterator[ServingCost]:
        """Every way to serve a model of the case, which has a place in its list, from 1.

        By the first that is known: the price of its tokens, the GPUs that serve it, the bill, and
        what the service of its base asks.
        """
        runs = self._runs(model)
        price = price_of(model, self.prices)
        if price is not None:
            yield from self._costs_by_tokens(model, price, runs)
            return
        own = runs == "own"
        if own and (model.serving or self.case.economics.serving) != GpuServing():
            stated = model.serving is not None
            yield self._on_gpus(model, f"models.{place}.serving" if stated else "")
            return
        billed = self._option_by_bill(model, runs)
        if billed is not None:
            yield self._cost(billed, model)
            return
        sold = None if own else sold_by_its_service(model, self.as_of)
        if sold is not None:
            yield self._sold(model, sold, runs)
            return
        how: How = "as_is"
        where = f"models.{place}.usd_per_mtok"
        if own:
            how = "self_hosted"
            where = f"economics.serving, or {where}"
        option = ServingOption(model.id, how, model.kind == "tuned", runs)
        lacks = f"state what {model.id} costs ({where})"
        yield self._cost(option, model, lacks=lacks)

    def _costs_by_tokens(
        self, model: Model, price: Price, runs: Runs
    ) -> Iterator[ServingCost]:
        """A model at the price of its tokens, in every way in which it may be called."""
        tuned = model.kind == "tuned"
        lacks = self._lacks(REQUESTS, *self._tokens(tuned))
        for how in self._hows(price, tuned):
            option = self._option_by_tokens(model.id, how, price, tuned, runs)
            yield self._cost(self._until(option, model), model, price, lacks)

    def _sold(self, model: Model, sold: TunedOffer, runs: Runs) -> ServingCost:
        """A tuned model as the service of its base sells it, by the catalogue."""
        facts = facts_on(self.as_of)
        catalogue = f"the catalogue of {day_text(facts.dated)}"
        option = ServingOption(model.id, "as_is", True, runs, catalogue=catalogue)
        if sold.tokens is None:
            option = option._replace(tuned_at=sold.service, fee=sold.usd_per_month)
            return self._cost(option, model, lacks=self._lacks(REQUESTS))
        fact = facts.model(model.id)
        window = None if fact is None else fact.window
        price = Price(
            sold.tokens.input,
            sold.tokens.output,
            context_tokens=window,
            catalogue=catalogue,
        )
        option = self._option_by_tokens(model.id, "as_is", price, True, runs)
        option = option._replace(tuned_at=sold.service, fee=sold.usd_per_month)
        lacks = self._lacks(REQUESTS, *self._tokens(tuned=True))
        return self._cost(option, model, price, lacks)

    def _until(self, option: ServingOption, model: Model) -> ServingOption:
        """The option with the end of its model, and its successor."""
        day = end_day(model, self.as_of)
        # A tuned model is tuned again, and has no successor that it is compared with.
        if option.tuned or day is None or self.as_of is None:
            return option
        # Ended already: the successor runs from now on.
        months = max((day - self.as_of).days / DAYS_PER_MONTH, 0.0)
        return option._replace(months=months, then=self._successor(model))

    def _successor(self, model: Model) -> ServingOption | None:
        """The first successor of a model with a price; None where none has one."""
        end = facts_on(self.as_of).end_of(model.id, model.base_url)
        if not end:
            return None
        for name in end.successors:
            if (name, None) in self.prices:
                price = self.prices[name, None]
                return self._option_by_tokens(
                    name, "as_is", price, tuned=False, runs="third_party"
                )
        return None

    def _hows(self, price: Price, tuned: bool) -> Iterator[How]:
        """The ways in which a model may be called: with its cache, in batches, or both."""
        yield "as_is"
        today = self.traffic.cached_share or 0.0
        could = self.traffic.cacheable_share
        cached = price.cached_input is not None and could is not None and could > today
        batched = price.batch_input is not None and self.traffic.batchable != "no"
        if cached and not tuned:
            yield "cached"
        if batched and not tuned:
            yield "batched"
        if cached and batched and not tuned:
            yield "cached_batched"

    def _tokens(self, tuned: bool) -> list[str]:
        """The inputs with the tokens of a request, read and written.

        A tuned model has its own where the case states them, else those of today.
        """
        names = []
        for name in _TOKENS:
            own = name.replace("traffic.", "traffic.tuned_")
            names.append(own if tuned and own in self.inputs else name)
        return names

    def _option_by_tokens(
        self, model: str, how: How, price: Price, tuned: bool, runs: Runs
    ) -> ServingOption:
        """The option to serve a model by tokens, with caching or batches as ``how`` says."""
        tokens_in, tokens_out = self._tokens(tuned)
        rates = _rates(price, how, self._cached_share(how, tokens_in))
        return ServingOption(
            model,
            how,
            tuned,
            runs,
            request=(
                Product((tokens_in,), rates.input / TOKENS_PER_MTOK),
                Product((tokens_out,), rates.output / TOKENS_PER_MTOK),
            ),
            catalogue=price.catalogue,
        )

    def _cached_share(self, how: How, tokens_in: str) -> float:
        """The share of the input that is read from a cache; ``tokens_in`` is the input's name."""
        if tokens_in not in _TOKENS:
            return 0.0  # tuning takes away just the long prompt that was cached
        if "cached" in how:
            return self.traffic.cacheable_share or 0.0
        return self.traffic.cached_share or 0.0

    def _lacks(self, *names: str) -> str:
        lacking = [name for name in names if name not in self.inputs]
        return f"state {listing(lacking)}" if lacking else ""

    def _on_gpus(self, model: Model | None, path: str) -> ServingCost:
        """Serving on your own GPUs; None is an unlisted tuned model."""
        gpu = tuple(f"{path or 'economics.serving'}.{key}" for key in _GPU)
        if model is None:
            name = TUNED
            tuned = True
        else:
            name = model.id
            tuned = model.kind == "tuned"
        option = ServingOption(name, "self_hosted", tuned, "own", gpu=gpu)
        return self._cost(option, model, lacks=self._lacks(REQUESTS, *gpu))

    def _option_by_bill(self, model: Model, runs: Runs) -> ServingOption | None:
        """Today's way at its stated bill, where no price is known."""
        bill = self.case.today.usd_per_month
        if (
            bill is None
            or model is not in_use(self.case)
            or REQUESTS not in self.inputs
        ):
            return None
        if runs != "own" and self.inputs[REQUESTS].low < 1:
            return None  # a bill for no requests says nothing about one
        return ServingOption(
            model.id,
            "as_is",
            model.kind == "tuned",
            runs,
            billed=True,
            bill_for=None if runs == "own" else REQUESTS,
        )

    def _runs(self, model: Model) -> Runs:
        """Who runs a model: as stated with it, else as stated for today or for the tuning."""
        if model.runs != "unknown":
            return model.runs
        if model is in_use(self.case) and self.case.today.api != "unknown":
            return self.case.today.api
        if model.kind == "tuned":
            by_service: dict[str, Runs] = {
                "hosted": "third_party",
                "self_hosted": "own",
            }
            return by_service.get(self.case.tuning.service, "unknown")
        if (model.id, model.base_url) in self.prices:
            return "third_party"
        return "unknown"

    def _cost(
        self,
        option: ServingOption,
        model: Model | None,
        price: Price | None = None,
        lacks: str = "",
    ) -> ServingCost:
        """The cost of an option, and whether it is admissible; ``lacks`` is a missing price.

        A target that nobody stated rules nothing out; a figure that nobody measured leaves it open.
        A no has every reason against it, an unknown has the open questions, and otherwise it is a
        yes.
        """
        usd = None if lacks else self._usd(option)
        checks = [
            *_residency(option, self.sovereign),
            *_reading(self.case, model, self.as_of),
            *_window(price, self.inputs),
            *_batch(self.case, option, price),
            *_quality(self.case, option, model),
            *_as_good_as_today(self.case, model, self.margin),
            *_latency(self.case, option, model),
            *_budget(self.case, usd),
        ]
        state = _worst(checks)
        but_for_budget = _worst([check for check in checks if not check.is_budget])
        deciding = [check for check in checks if check.state == state]
        misses_targets = state == "no" and all(check.is_target for check in deciding)
        if but_for_budget == "unknown" and state != "unknown":
            # A larger budget would leave it open, so the open questions count too.
            deciding += [check for check in checks if check.state == "unknown"]
        reasons = [check.why for check in deciding]
        if not reasons:
            reasons = ["no stated target rules it out"]
        if lacks:
            reasons = [lacks, *reasons]
        return ServingCost(
            option=option,
            usd=usd,
            admissible=state,
            reasons=tuple(reasons),
            misses_targets=misses_targets,
            but_for_budget=but_for_budget,
        )

    def _usd(self, option: ServingOption) -> Interval:
        """USD a month of an option whose inputs are all known."""
        # Every input moves a cost one way only, so the ends lie at ends of the inputs.
        at_corners = corners(self.inputs, (*option.names, REQUESTS))
        ends = [option.usd(values) for values in at_corners]
        return Interval(min(ends), option.usd(likely(self.inputs)), max(ends))


class _TokenRates(NamedTuple):
    """USD for a million tokens."""

    input: float
    output: float


def _rates(price: Price, how: How, cached_share: float) -> _TokenRates:
    """The price of tokens with the discounts of a cache and of batches, as ``how`` says."""
    # Without a price of its own, what is cached costs as much as the rest.
    cached = price.input if price.cached_input is None else price.cached_input
    if "batched" not in how:
        usd_in = price.input * (1 - cached_share) + cached * cached_share
        return _TokenRates(usd_in, price.output)
    usd_in = price.batch_input or 0.0
    if how == "cached_batched":
        both = price.batch_cached_input
        if both is None:  # nobody says whether both discounts apply together
            both = min(cached, usd_in)
        usd_in = usd_in * (1 - cached_share) + cached_share * both
    return _TokenRates(usd_in, price.batch_output or 0.0)


def _worst(checks: Sequence[_Check]) -> State:
    return every(check.state for check in checks)


# Whether a way to serve may be used: where data may go, then every target.


def _residency(option: ServingOption, sovereign: State) -> Iterator[_Check]:
    """A third party can't serve where data may not leave."""
    if sovereign == "no" or option.runs == "own":
        return
    if sovereign == "unknown" and option.runs != "unknown":
        yield _Check("unknown", "ask whether data may go to a third party")
    elif sovereign == "yes" and option.runs == "third_party":
        yield _Check("no", "a third party runs it, and data may not leave")
    elif sovereign == "yes":
        yield _Check("unknown", f"say who runs {option.model} (runs)")


def _reading(case: Case, model: Model | None, as_of: date | None) -> Iterator[_Check]:
    """A model that can't read what requests hold can't answer them; what runs today does."""
    media = case.data.media
    if not media or model is None or model is in_use(case):
        return
    facts = facts_on(as_of)
    unread = facts.unread(model.id, media)
    fact = facts.model(model.id, model.base_url)
    if fact is None or not fact.reads:
        ask = f"ask whether it reads {listing(media)}, which requests hold (data.media)"
        yield _Check("unknown", ask)
    elif unread:
        lacks = listing(unread, "and no")
        yield _Check("no", f"it reads no {lacks}, which requests hold (data.media)")


def _window(price: Price | None, inputs: Inputs) -> Iterator[_Check]:
    """A request that exceeds the window can't be answered."""
    if (
        price is None
        or price.context_tokens is None
        or not all(n in inputs for n in _TOKENS)
    ):
        return
    least = sum(inputs[name].low for name in _TOKENS)
    if least > price.context_tokens:
        window = count(price.context_tokens)
        yield _Check("no", f"{count(least)} tokens don't fit its window of {window}")


def _batch(case: Case, option: ServingOption, price: Price | None) -> Iterator[_Check]:
    """Check whether answers may come in a batch."""
    if "batched" not in option.how:
        return
    if option.how == "cached_batched" and (
        price is None or price.batch_cached_input is None
    ):
        ask = "ask whether the provider takes both off: for what is cached, and for a batch"
        yield _Check("unknown", ask)
    wanted = case.targets.latency_p95_s
    # in a job nobody waits for an answer
    may_wait = case.economics.traffic.batchable == "unknown" and not case.one_off
    if wanted is not None:
        yield _Check("no", f"a batch takes hours, and {number(wanted)} s are wanted")
    elif may_wait:
        ask = "ask whether anybody waits for the answer (economics.traffic.batchable)"
        yield _Check("unknown", ask)


def _quality(
    case: Case, option: ServingOption, model: Model | None
) -> Iterator[_Check]:
    """The quality is settled if the whole interval is on one side of the target."""
    target = case.targets.quality
    if target is None:
        return
    value = None
    cases = None
    if model is not None:
        value = model.quality
        cases = model.cases
        used = in_use(case)
        if value is None and used and model.id == used.id:
            value = case.today.quality
            cases = case.today.cases
    if value is None:
        ask = "its quality was never measured: run it on the evaluation set"
        if option.tuned:
            ask = "nobody can measure its quality before it is tuned: a pilot tells"
        yield _Check("unknown", ask)
        return
    if not cases:
        ask = f"{quality(value)} right on an unknown number of cases: count them"
        yield _Check("unknown", ask)
        return
    low, high = wilson(value * cases, cases)
    text = (
        f"{quality(value)} right on {count(cases)} cases, {quality(low)} to {quality(high)} within "
        f"chance, {quality(target.at_least)} wanted"
    )
    if low >= target.at_least:
        yield _Check("yes", text)
    elif high < target.at_least:
        yield _Check("no", text, is_target=True)
    else:
        yield _Check("unknown", f"{text}: measure more cases")


def _as_good_as_today(
    case: Case, model: Model | None, margin: float
) -> Iterator[_Check]:
    """Without a quality target, another model has to be as good as today's, within the margin."""
    targets = case.targets
    today = case.today.quality
    if targets.quality is not None or (
        targets.latency_p95_s is None and targets.usd_per_month is None
    ):
        return
    if model is None or model is in_use(case) or not model.cases:
        return
    if model.quality is None or today is None:
        return
    _, high = wilson(model.quality * model.cases, model.cases)
    if high < today - margin:
        why = f"{quality(model.quality)} right, and today's is {quality(today)}"
        yield _Check("no", why, is_target=True)


def _latency(
    case: Case, option: ServingOption, model: Model | None
) -> Iterator[_Check]:
    """Check the latency of an option against the target."""
    target = case.targets.latency_p95_s
    if target is None or "batched" in option.how:
        return
    wanted = number(target)
    latency: Amount | None = None
    if model is not None and model.latency_p95_s is not None:
        own = model.latency_p95_s
        latency = Amount(low=own, likely=own, high=own)
    elif model is not None and model is in_use(case):
        latency = case.today.latency_p95_s
    if latency is None:
        yield _Check("unknown", f"measure how fast it answers: {wanted} s are wanted")
        return
    state = latency.at_most(target)
    seconds = number(latency.likely)
    if state == "unknown":
        yield _Check(
            state,
            f"the interval around {seconds} s still holds the {wanted} s wanted: time more of it",
        )
    else:
        yield _Check(state, f"{seconds} s, {wanted} s are wanted", is_target=True)


def _budget(case: Case, cost: Interval | None) -> Iterator[_Check]:
    """Check the cost of an option against the budget."""
    target = case.targets.usd_per_month
    a_month = case.a_month
    if target is None or cost is None:
        return
    if cost.low > target:
        yield _Check("no", f"over the budget of {usd(target)}{a_month}", True, True)
    elif cost.high > target:
        ends = usd_range(cost.low, cost.high)
        yield _Check(
            "unknown", f"{ends}{a_month}, {usd(target)} is the budget", is_budget=True
        )
    else:
        yield _Check("yes", f"within the budget of {usd(target)}{a_month}")
