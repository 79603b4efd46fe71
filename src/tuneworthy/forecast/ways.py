"""Every way to serve a case's traffic, from its models, its prices and its serving."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.assessment import Reason
from tuneworthy.domain.books import REQUESTS, Spread, Term
from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.economics import Amount, Serving
from tuneworthy.domain.prices import Price, Prices, in_use, price_of
from tuneworthy.domain.serving import Gpu, How, Runs, Way
from tuneworthy.domain.units import TOKENS_PER_MTOK

TRAFFIC = "economics.traffic"
TUNED = "the tuned model"
_GPU = ("gpu_usd_per_hour", "requests_per_gpu_hour", "utilisation", "always_on_gpus")

Priced = tuple[Way, Reason | None, Price | None, Model | None]
"""A way, what lacks to price it, its price by tokens, and the model it serves."""


class Ways:
    """Lists the ways of a case, and takes the inputs they read down."""

    def __init__(self, case: Case, prices: Prices) -> None:
        """Take the traffic down."""
        self.case, self.prices = case, prices
        self.traffic = case.economics.traffic
        self.inputs: dict[str, Spread] = {}
        for name in ("requests_per_month", "input_tokens", "output_tokens",
                     "tuned_input_tokens", "tuned_output_tokens"):  # fmt: skip
            self._note(f"{TRAFFIC}.{name}", getattr(self.traffic, name))

    def every(self) -> Iterator[Priced]:
        """The ways, model by model in the order of the case; the implied tuned model last."""
        for position, model in enumerate(self.case.models):
            if model.published is None:  # a figure serves nobody
                yield from self._of(model, position)
        if not any(model.kind == "tuned" for model in self.case.callable_models):
            yield from self._implied()

    def _note(self, name: str, amount: Amount | None) -> None:
        if amount is not None:
            self.inputs[name] = Spread(amount.low, amount.likely, amount.high)

    def _of(self, model: Model, position: int) -> Iterator[Priced]:
        tuned, runs, price = model.kind == "tuned", self._runs(model), price_of(model, self.prices)
        if price is not None:
            for how in self._hows(price, tuned):
                way = self._by_tokens(model.id, how, price, tuned, runs)
                yield way, self._lacks_tokens(tuned), price, model
            return
        if runs == "own" and (model.serving or self.case.economics.serving) != Serving():
            room = "economics.serving" if model.serving is None else f"models.{position}.serving"
            yield (*self._on_gpus(model.id, tuned, room, model.serving), None, model)
            return
        way = Way(model.id, "self_hosted" if runs == "own" else "as_is", tuned, runs)
        billed = self._billed(model, way)
        if billed is not None:
            yield billed, None, None, model
        else:
            where = f"models.{position}.usd_per_mtok"
            numbers = {"model": model.id, "where": where, "own": runs == "own"}
            yield way, Reason("no_price", numbers), None, model

    def _hows(self, price: Price, tuned: bool) -> Iterator[How]:
        yield "as_is"
        today, could = self.traffic.cached_share or 0.0, self.traffic.cacheable_share
        if not tuned and price.cached_input is not None and could is not None and could > today:
            yield "cached"
        if not tuned and price.batch_input is not None and self.traffic.batchable != "no":
            yield "batched"

    def _names(self, tuned: bool) -> tuple[str, str]:
        """Inputs with the tokens of a request; the same as untuned where nobody says otherwise."""
        found = []
        for kind in ("input_tokens", "output_tokens"):
            own = f"{TRAFFIC}.tuned_{kind}"
            found.append(own if tuned and own in self.inputs else f"{TRAFFIC}.{kind}")
        return found[0], found[1]

    def _by_tokens(self, name: str, how: How, price: Price, tuned: bool, runs: Runs) -> Way:
        tokens_in, tokens_out = self._names(tuned)
        share = self.traffic.cached_share or 0.0
        if how == "cached":
            share = self.traffic.cacheable_share or 0.0
        if tokens_in != f"{TRAFFIC}.input_tokens":
            share = 0.0  # what was cached of the long prompt is what tuning takes away
        read = price.input if price.cached_input is None else price.cached_input
        usd_in, usd_out = price.input * (1 - share) + read * share, price.output
        if how == "batched":
            usd_in, usd_out = price.batch_input or 0.0, price.batch_output or 0.0
        request = (
            Term((tokens_in,), usd_in / TOKENS_PER_MTOK),
            Term((tokens_out,), usd_out / TOKENS_PER_MTOK),
        )
        return Way(name, how, tuned, runs, request=request, catalogue=price.catalogue)

    def _lacks_tokens(self, tuned: bool) -> Reason | None:
        lacking = tuple(name for name in (REQUESTS, *self._names(tuned)) if name not in self.inputs)
        return Reason("no_traffic", {"names": lacking}) if lacking else None

    def _on_gpus(
        self, name: str, tuned: bool, room: str, own: Serving | None
    ) -> tuple[Way, Reason | None]:
        serving = own or self.case.economics.serving
        for key in _GPU:
            self._note(f"{room}.{key}", getattr(serving, key))
        gpu = Gpu(*(f"{room}.{key}" for key in _GPU))
        lacking = tuple(name for name in (REQUESTS, *gpu.names) if name not in self.inputs)
        reason = Reason("no_traffic", {"names": lacking}) if lacking else None
        return Way(name, "self_hosted", tuned, "own", gpu=gpu), reason

    def _billed(self, model: Model, way: Way) -> Way | None:
        """What runs today at its stated bill, where no price is known."""
        bill = self.case.today.usd_per_month
        if bill is None or model is not in_use(self.case) or REQUESTS not in self.inputs:
            return None
        if way.runs != "own" and self.inputs[REQUESTS].low < 1:
            return None  # a bill for no requests says nothing about one
        per = None if way.runs == "own" else REQUESTS
        return Way(way.model, "as_is", way.tuned, way.runs, bill_usd=bill.likely, bill_for=per)

    def _implied(self) -> Iterator[Priced]:
        """The tuned model nobody listed, where it is said who would serve it."""
        if self.case.tuning.service == "self_hosted" and self.case.economics.serving != Serving():
            yield (*self._on_gpus(TUNED, True, "economics.serving", None), None, None)

    def _runs(self, model: Model) -> Runs:
        """Who runs a model: stated with it, else told by what is said of today or of the tuning."""
        if model.runs != "unknown":
            return model.runs
        if model.kind == "tuned":
            told: dict[str, Runs] = {"hosted": "third_party", "self_hosted": "own"}
            return told.get(self.case.tuning.service, "unknown")
        if model is in_use(self.case) and self.case.today.api != "unknown":
            return self.case.today.api
        return "third_party" if (model.id, model.base_url) in self.prices else "unknown"
