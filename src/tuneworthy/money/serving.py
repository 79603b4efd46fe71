"""What tuning saves on the same traffic, against the best untuned way that may be used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuneworthy.model.base import TOKENS_PER_MTOK, Interval, State, months_to_reach
from tuneworthy.model.case import Amount, Case, Model, Price, Prices, Serving, in_use, price_of
from tuneworthy.model.dossier import (
    GROWTH,
    REQUESTS,
    Books,
    Comparison,
    Gpu,
    How,
    Inputs,
    Judged,
    Line,
    Reason,
    Runs,
    Saved,
    Term,
    Values,
    Way,
    cheapest,
    corners,
    likely,
    money,
)
from tuneworthy.stats.intervals import wilson

# Whether a way to serve the traffic may be used: sovereignty, then every target.

TARGETS = ("quality_below", "too_slow", "over_budget")
"""Reasons that rule a way out for missing a target, and not for where it runs."""

Verdict = tuple[State, Reason]


def judge(
    case: Case,
    way: Way,
    model: Model | None,
    price: Price | None,
    usd: Interval | None,
    sovereign: State,
    inputs: Inputs,
) -> tuple[State, tuple[Reason, ...]]:
    """Whether a way may be used, and why.

    A target nobody stated rules nothing out; one that was never measured leaves the way open.

    Returns:
        No with every reason against it; else unknown with what is open; else yes.
    """
    found = [
        *_where(way, sovereign),
        *_window(price, inputs),
        *_batch(case, way),
        *_quality(case, way, model),
        *_latency(case, way, model),
        *_budget(case, usd),
    ]
    states: tuple[State, ...] = ("no", "unknown")
    for state in states:
        reasons = tuple(reason for own, reason in found if own == state)
        if reasons:
            return state, reasons
    met = tuple(reason for _, reason in found)
    return "yes", met or (Reason("nothing_against"),)


def quality_of(case: Case, model: Model | None) -> tuple[float | None, int | None]:
    """A model's quality and the cases it was counted on; those of today for the model in use."""
    if model is None:
        return None, None
    if model.quality is None and model is in_use(case):
        return case.today.quality, case.today.cases
    return model.quality, model.cases


def _where(way: Way, sovereign: State) -> Iterator[Verdict]:
    """Where data may not leave, a third party can't serve."""
    if sovereign == "no" or way.runs == "own":
        return
    if sovereign == "yes" and way.runs == "third_party":
        yield "no", Reason("data_would_leave")
    elif way.runs == "unknown":
        if sovereign == "yes":
            yield "unknown", Reason("runs_unknown", {"model": way.model})
    else:
        yield "unknown", Reason("sovereignty_unknown")


def _window(price: Price | None, inputs: Inputs) -> Iterator[Verdict]:
    """A request that doesn't fit can't be answered."""
    names = ("economics.traffic.input_tokens", "economics.traffic.output_tokens")
    if price is None or price.context_tokens is None or not all(n in inputs for n in names):
        return
    least = sum(inputs[name].low for name in names)
    if least > price.context_tokens:
        numbers = {"tokens": least, "window": price.context_tokens}
        yield "no", Reason("window_short", numbers)


def _batch(case: Case, way: Way) -> Iterator[Verdict]:
    if way.how != "batched":
        return
    if case.targets.latency_p95_s is not None:
        yield "no", Reason("batch_waits", {"target": case.targets.latency_p95_s})
    elif case.economics.traffic.batchable == "unknown":
        yield "unknown", Reason("batchable_unknown")


def _quality(case: Case, way: Way, model: Model | None) -> Iterator[Verdict]:
    """The whole interval on one side of the target settles it."""
    target = case.targets.quality
    if target is None:
        return
    quality, cases = quality_of(case, model)
    numbers: dict[str, object] = {"target": target.at_least, "quality": quality, "cases": cases}
    if quality is None or not cases:
        yield "unknown", Reason("quality_unmeasured", {**numbers, "tuned": way.tuned})
        return
    low, high = wilson(quality * cases, cases)
    numbers |= {"low": low, "high": high}
    if low >= target.at_least:
        yield "yes", Reason("quality_met", numbers)
    elif high < target.at_least:
        yield "no", Reason("quality_below", numbers)
    else:
        yield "unknown", Reason("quality_open", numbers)


def _latency(case: Case, way: Way, model: Model | None) -> Iterator[Verdict]:
    target = case.targets.latency_p95_s
    if target is None or way.how == "batched":
        return
    latency = _latency_of(case, model)
    numbers = {"target": target, "latency": None if latency is None else latency.likely}
    state = "unknown" if latency is None else latency.at_most(target)
    because = {"yes": "fast_enough", "no": "too_slow", "unknown": "latency_open"}[state]
    yield state, Reason("latency_unmeasured" if latency is None else because, numbers)


def _latency_of(case: Case, model: Model | None) -> Amount | None:
    """What a model takes; that of today for the model in use."""
    if model is None:
        return None
    if model.latency_p95_s is None:
        return case.today.latency_p95_s if model is in_use(case) else None
    seconds = model.latency_p95_s
    return Amount(low=seconds, likely=seconds, high=seconds)


def _budget(case: Case, usd: Interval | None) -> Iterator[Verdict]:
    target = case.targets.usd_per_month
    if target is None or usd is None:
        return
    numbers = {"target": target, "low": usd.low, "high": usd.high}
    if usd.low > target:
        yield "no", Reason("over_budget", numbers)
    elif usd.high > target:
        yield "unknown", Reason("perhaps_over_budget", numbers)
    else:
        yield "yes", Reason("within_budget", numbers)


# Every way to serve a case's traffic, from its models, its prices and its serving.

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
        self.inputs: dict[str, Interval] = {}
        for name in (
            "requests_per_month",
            "input_tokens",
            "output_tokens",
            "tuned_input_tokens",
            "tuned_output_tokens",
        ):
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
            self.inputs[name] = Interval(amount.low, amount.likely, amount.high)

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


# The ends of a saving, and the volume from which it pays, over every pairing that can matter.

_MOST = 1e12  # a hundred calls a month for everybody on earth: only rounding asks for more
_NOTHING = 1e-15  # USD a request: below this no volume makes a difference


def pairings(rivals: tuple[Way, ...], tuned: Way, inputs: Inputs) -> Iterator[dict[str, float]]:
    """The pairings of the inputs' ends among which the least and the largest saving are.

    Every input moves a cost one way only. So what only the rivals read stands at the end that
    makes them cheapest while what only the tuned way reads stands at its dearest, and the other
    way round; what both read, and the traffic, is paired in every way.
    """
    theirs, its = {name for way in rivals for name in way.names}, set(tuned.names)
    shared = (theirs & its) | {REQUESTS, GROWTH}
    for values in corners(inputs, shared):
        for rivals_end, tuned_end in (("low", "high"), ("high", "low")):
            yield {
                **values,
                **{name: _end(name, inputs, rivals_end) for name in theirs - shared},
                **{name: _end(name, inputs, tuned_end) for name in its - shared},
            }


def _end(name: str, inputs: Inputs, end: str) -> float:
    """The value of an input at which costs are low, or high."""
    lowers = name.endswith((".requests_per_gpu_hour", ".utilisation"))
    spread = inputs[name]
    return spread.high if (end == "low") == lowers else spread.low


Besides = Callable[[float], tuple[float, float, float]]
"""Running costs beside the tuned serving, low, likely and high, from what that serving costs."""


def nothing_besides(serving_usd: float) -> tuple[float, float, float]:
    """No running costs, whatever the serving costs."""
    return 0.0, 0.0, 0.0 * serving_usd


def besides_of(books: Books, fixed: Interval | None, *, in_total: bool) -> Besides:
    """Where one total was stated, what is left of it beside the serving; else what is known."""
    if fixed is None:
        return nothing_besides
    if not in_total:
        return lambda _: (fixed.low, fixed.value, fixed.high)
    assert books.running is not None  # a total was stated
    whole = money(books.running, books.inputs)
    ends = (whole.low, whole.value, whole.high)

    def left(serving_usd: float) -> tuple[float, float, float]:
        low, middle, high = (max(end - serving_usd, 0.0) for end in ends)
        return low, middle, high

    return left


def saving_range(
    sure: tuple[Way, ...], wide: tuple[Way, ...], tuned: Way, inputs: Inputs, besides: Besides
) -> Interval:
    """The saving beside the best of several ways, less what runs beside it, USD a month.

    The least is that beside the least favourable way. Beside the best of all it is never more than
    beside any one of those that count for sure.
    """
    values = likely(inputs)
    by_way = {way: list(_savings(way, tuned, inputs, besides)) for way in {*sure, *wide}}
    served = tuned.line(values).usd(values[REQUESTS])
    point = cheapest(sure, values, values[REQUESTS]) - served - besides(served)[1]
    least = min(min(by_way[way]) for way in wide)
    largest = min(max(by_way[way]) for way in sure)
    return Interval(min(point, least), point, max(point, largest))


def _savings(way: Way, tuned: Way, inputs: Inputs, besides: Besides) -> Iterator[float]:
    """The saving beside one way at every pairing, and where it bends between them."""
    requests = inputs[REQUESTS]
    for values in pairings((way,), tuned, inputs):
        lines = way.line(values), tuned.line(values)
        inside = [bend for bend in bends(lines) if requests.low < bend < requests.high]
        for volume in (values[REQUESTS], *inside):
            served = lines[1].usd(volume)
            for running in besides(served)[::2]:
                yield lines[0].usd(volume) - served - running


def bends(lines: Sequence[Line]) -> list[float]:
    """Volumes at which GPUs are full, or one way becomes cheaper than another, in order."""
    slopes = [line.slope for line in lines if line.slope > _NOTHING]
    return sorted({0.0, *(line.floor / slope for line in lines for slope in slopes)})


def volume_that_pays(
    baseline: tuple[Way, ...], tuned: Way, values: Values, fixed_usd: float
) -> float:
    """The fewest requests a month whose saving covers the fixed running costs.

    The saving is a chain of straight pieces over the volume: a hosted way costs so much a request,
    one's own GPUs cost a floor until they are full. Each piece is solved by itself.

    Returns:
        Requests a month; 0 when there is nothing to cover, ``math.inf`` when it never is.
    """
    lines = [way.line(values) for way in (*baseline, tuned)]
    kinks = bends(lines)

    def left(requests: float) -> float:
        """USD a month beyond the fixed costs."""
        saved = min(line.usd(requests) for line in lines[:-1]) - lines[-1].usd(requests)
        return saved - fixed_usd

    found = math.inf
    for start, end in zip(kinks, [*kinks[1:], 2 * kinks[-1] + 1.0], strict=True):
        here, there = left(start), left(end)
        if here >= 0:
            found = start
        elif there > here and (there >= 0 or start == kinks[-1]):
            found = start - here * (end - start) / (there - here)
        if found < math.inf:
            break
    return found if found <= _MOST else math.inf


# Where data may not leave: what stays inside is compared, and savings alone don't decide.


def stays_inside(case: Case, ways: tuple[Judged, ...], sovereign: State) -> tuple[State, Reason]:
    """Whether tuning is the best of what stays inside.

    Only serving is compared: the data stay inside either way, so no saving has to carry the work
    up front. An untuned way counts as good enough when its quality was measured against a target.

    Returns:
        Yes when no untuned way stays inside and may be used, or the tuned one is the cheapest; no
        when an untuned one is cheaper and meets every target; else unknown with what to ask.
    """
    if sovereign != "yes":
        return "unknown", Reason("no_sovereignty")
    untuned = [one for one in ways if not one.way.tuned]
    tuned = next((one for one in ways if one.way.tuned and one.admissible != "no"), None)
    if not untuned:
        return "unknown", Reason("inside_unlisted")
    left = [one for one in untuned if one.admissible != "no"]
    if tuned is None or tuned.way.runs != "own":
        return "unknown", Reason("inside_tuned_unknown", {"listed": tuned is not None})
    if not left:
        return "yes", Reason("inside_alone", {"model": tuned.way.model})
    if tuned.usd is None:
        return "unknown", tuned.reasons[0]
    return _among(case, left, tuned)


def _open_because(case: Case, one: Judged) -> Reason:
    if one.usd is None or one.admissible == "unknown":
        return one.reasons[0]
    return Reason("costs_overlap" if case.targets.quality else "no_quality_target")


def _among(case: Case, left: list[Judged], tuned: Judged) -> tuple[State, Reason]:
    """The tuned way among the untuned ones that stay inside."""
    assert tuned.usd is not None  # the caller looked
    cheaper = [one for one in left if one.usd is not None and one.usd.high < tuned.usd.low]
    proven = [one for one in cheaper if one.admissible == "yes" and case.targets.quality]
    if proven:
        best = proven[0]
        numbers = {
            "model": best.way.model,
            "how": best.way.how,
            "usd": best.usd.value if best.usd else None,
            "tuned_usd": tuned.usd.value,
        }
        return "no", Reason("inside_cheaper", numbers)
    open_ways = [one for one in left if one.usd is None or one.usd.low < tuned.usd.high]
    if open_ways:
        first = open_ways[0]
        why = _open_because(case, first)
        return "unknown", Reason("inside_open", {"model": first.way.model, "why": why})
    return "yes", Reason("inside_cheapest", {"usd": tuned.usd.value})


# What tuning saves on the same traffic, against the best untuned way that may be used.

_RIVALS = 8  # the cheapest ones; dearer ones never change the answer but for wild ranges


def compare(case: Case, prices: Prices, books: Books, sovereign: State) -> Comparison:
    """Every way to serve the traffic, and what tuning saves beside the best untuned one.

    Args:
        case: Its models, traffic, targets and serving.
        prices: Prices that were looked up for models without a stated one.
        books: Its costs, for those that don't depend on traffic.
        sovereign: Whether data may not go to a third party.
    """
    listed = Ways(case, prices)
    priced = tuple(listed.every())
    growth = books.inputs.get(GROWTH)
    inputs = {**listed.inputs, **({GROWTH: growth} if growth else {})}
    judged = tuple(_judge(case, one, sovereign, inputs) for one in priced)
    ways = tuple(sorted(judged, key=lambda one: math.inf if one.usd is None else one.usd.value))
    state, why = stays_inside(case, ways, sovereign)
    return Comparison(
        ways=ways,
        saved=_saved(case, ways, inputs, books),
        stays_inside=state,
        inside_why=why,
        growth=growth,
    )


def _judge(case: Case, one: Priced, sovereign: State, inputs: Inputs) -> Judged:
    way, lacks, price, model = one
    usd = None if lacks else _cost(way, inputs)
    state, reasons = judge(case, way, model, price, usd, sovereign, inputs)
    return Judged(way, usd, state, (lacks, *reasons) if lacks else reasons)


def _cost(way: Way, inputs: Inputs) -> Interval:
    """USD a month at the ends of the inputs: every input moves a cost one way only."""
    found = [way.line(v).usd(v[REQUESTS]) for v in corners(inputs, (*way.names, REQUESTS))]
    values = likely(inputs)
    return Interval(min(found), way.line(values).usd(values[REQUESTS]), max(found))


def _saved(case: Case, ways: tuple[Judged, ...], inputs: Inputs, books: Books) -> Saved | Reason:
    """The saving, or the first thing that lacks."""
    if not ways:
        return Reason("no_model")
    tuned = [one for one in ways if one.way.tuned]
    if not tuned:
        return Reason("no_tuned_model", {"service": case.tuning.service})
    allowed = [one for one in tuned if one.admissible != "no"]
    if not allowed:
        return Reason("no_tuned_allowed", {"model": tuned[0].way.model})
    if allowed[0].usd is None:  # priced ones come first
        return allowed[0].reasons[0]
    untuned = [one for one in ways if not one.way.tuned]
    if not untuned:
        return Reason("no_untuned_model")
    unpriced = [one for one in untuned if one.usd is None and one.admissible != "no"]
    against, from_today = _baseline(case, [one for one in untuned if one.usd is not None])
    if not against.sure:
        return unpriced[0].reasons[0] if unpriced else Reason("nothing_untuned_allowed")
    return _compute(against, allowed[0], inputs, books, from_today=from_today)


@dataclass(frozen=True, slots=True)
class _Against:
    """Untuned ways to hold the tuned one against."""

    sure: tuple[Judged, ...]
    """Those whose cheapest is the baseline."""
    wide: tuple[Judged, ...]
    """The same and those that may turn out to be admissible."""


def _baseline(case: Case, priced: Iterable[Judged]) -> tuple[_Against, bool]:
    """Admissible ways; those still open where there is none; else what runs today."""
    by: dict[State, list[Judged]] = {"yes": [], "unknown": [], "no": []}
    for one in priced:
        by[one.admissible].append(one)
    if by["yes"]:
        return _Against(tuple(by["yes"]), (*by["yes"], *by["unknown"])), False
    if by["unknown"]:
        return _Against(tuple(by["unknown"]), tuple(by["unknown"])), False
    used = in_use(case)
    today = tuple(
        one
        for one in by["no"]
        if used is not None
        and one.way.model == used.id
        and one.way.how in ("as_is", "self_hosted")
        and all(reason.id in TARGETS for reason in one.reasons)
    )
    return _Against(today, today), True


def _compute(
    against: _Against, tuned: Judged, inputs: Inputs, books: Books, *, from_today: bool
) -> Saved:
    sure = tuple(one.way for one in against.sure[:_RIVALS])
    open_ones = [one.way for one in against.wide if one not in against.sure]
    wide = (*sure, *open_ones[:_RIVALS])
    values = likely(inputs)
    paired = list(pairings(wide, tuned.way, inputs))
    assert tuned.usd is not None  # only a priced one is chosen
    fixed, in_total = _fixed(books, tuned.usd)
    usd = saving_range(sure, wide, tuned.way, inputs, nothing_besides)
    besides, net = besides_of(books, fixed, in_total=in_total), None
    if in_total:
        net = saving_range(sure, wide, tuned.way, inputs, besides)
    volume: Interval | Reason = Reason("no_running_costs")
    month: Interval | Reason = volume
    if fixed is not None:
        likeliest = volume_that_pays(sure, tuned.way, values, fixed.value)
        each = [
            (v, volume_that_pays(ways, tuned.way, v, cost))
            for v in paired
            for ways, cost in zip(
                (sure, wide), besides(tuned.way.line(v).usd(v[REQUESTS]))[::2], strict=True
            )
        ]
        each.append((values, likeliest))
        volume = Interval(min(x for _, x in each), likeliest, max(x for _, x in each))
        month = _month(each, values, likeliest)
    best = min(against.sure, key=lambda one: one.usd.value if one.usd else math.inf)
    perhaps = [one for one in against.wide if one not in against.sure and _cheaper(one, best)]
    return Saved(
        inputs=inputs,
        baseline=sure,
        tuned=tuned.way,
        from_today=from_today,
        best=best,
        usd=usd,
        fixed=fixed,
        serving_in_total=in_total,
        net=net,
        volume=volume,
        month=month,
        cheaper_perhaps=perhaps[0] if perhaps else None,
    )


def _cheaper(one: Judged, other: Judged) -> bool:
    return one.usd is not None and other.usd is not None and one.usd.low < other.usd.value


def _fixed(books: Books, serving: Interval) -> tuple[Interval | None, bool]:
    """Running costs beside the serving, and whether the serving was taken out of one total."""
    if books.running_besides is not None:
        return money(books.running_besides, books.inputs), False
    if books.running is None:
        return None, False
    whole = money(books.running, books.inputs)
    return Interval(
        max(whole.low - serving.high, 0.0),
        max(whole.value - serving.value, 0.0),
        max(whole.high - serving.low, 0.0),
    ), True


def _month(
    each: list[tuple[dict[str, float], float]], values: Mapping[str, float], likeliest: float
) -> Interval | Reason:
    """Months until the growth gets to the volume, 0 for today, ``math.inf`` for never."""

    def months(at: Mapping[str, float], target: float) -> float:
        if target <= at[REQUESTS]:
            return 0.0
        if math.isinf(target):
            return math.inf
        found = months_to_reach(now=at[REQUESTS], target=target, growth_per_month=at[GROWTH])
        return math.inf if found is None else float(found)

    if GROWTH not in values:
        if all(target <= at[REQUESTS] for at, target in each):
            return Interval(0.0, 0.0, 0.0)
        if all(math.isinf(target) for _, target in each):
            return Interval(math.inf, math.inf, math.inf)
        return Reason("no_growth")
    found = [months(at, target) for at, target in each]
    return Interval(min(found), months(values, likeliest), max(found))
