"""The money of a case: what it costs, what it brings, and whether that justifies it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tuneworthy.framework.load import services
from tuneworthy.model.base import (
    HOURS_PER_MONTH,
    TOKENS_PER_MTOK,
    Interval,
    Range,
    State,
    Unknown,
    break_even,
)
from tuneworthy.model.case import Amount, Case, Prices
from tuneworthy.model.dossier import (
    ApproachResult,
    AskUsd,
    BreakEven,
    ByTable,
    ChallengeResult,
    Computed,
    CostItem,
    Duration,
    GateResult,
    InvestmentResult,
    Number,
    ServingResult,
    Worth,
)
from tuneworthy.model.framework import Assumption, Framework
from tuneworthy.model.precedents import BaseRate
from tuneworthy.money.savings import (
    Savings,
    ServingComparison,
    Stakes,
    compare,
    computed_steps,
    tuned_serving,
)
from tuneworthy.money.serving import ServingCost, Ways, serving_costs
from tuneworthy.money.terms import (
    DISCOUNT,
    FAILURE,
    LIFE,
    PRICE_FALL,
    RATE,
    REQUESTS,
    SAVINGS,
    CostModel,
    Sum,
    build_cost_model,
    collecting_hours,
    likely,
)
from tuneworthy.money.worth import cases_what, more_cases
from tuneworthy.verdict.facts import DAYS_PER_MONTH, MOST_USD, serves_until
from tuneworthy.verdict.gates import held
from tuneworthy.words import count, day, months, months_range, plain, share, usd, usd_range

if TYPE_CHECKING:
    from tuneworthy.money.simulate import Draws

Draw: TypeAlias = "Callable[[Stakes, int], Draws | None]"  #: Draws the money, from a seed.

_NO_HOURLY_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"


def draw(stakes: Stakes, seed: int) -> Draws | None:
    """``simulate`` with a generator of its own."""
    import numpy as np  # needed only here

    from tuneworthy.money.simulate import simulate

    return simulate(stakes, np.random.default_rng(seed))


class RememberedDraws:
    """Draws what was not drawn before, as an answer seldom moves an amount; safe in threads."""

    _MOST = 256

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Draws | None] = OrderedDict()
        self._lock = Lock()

    def __call__(self, stakes: Stakes, seed: int) -> Draws | None:
        """What ``draw`` gives, drawn or remembered."""
        key = repr((stakes, seed))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = draw(stakes, seed)
            self._kept.move_to_end(key)
            if len(self._kept) > self._MOST:
                self._kept.popitem(last=False)
            return self._kept[key]


class MoneyFindings(NamedTuple):
    """What the money comes to: its section of the dossier, and its gate."""

    result: InvestmentResult | Unknown
    gate: GateResult
    settled_when: str  #: When an open gate is settled.
    servings: tuple[ServingResult, ...] = ()  #: Every way to serve the traffic, the cheapest first.
    upfront: Number | None = None  #: USD before the first version is live; None where nobody knows.
    bill: Amount | None = None  #: USD a month that what runs today costs; None where nobody knows.
    model: CostModel | None = None  #: Every amount, as the plan splits it.


def assess_money(
    case: Case,
    framework: Framework,
    sovereign: State,
    prices: Prices,
    seed: int,
    sampler: Draw | None = None,
    fits: Sequence[ApproachResult] = (),
    as_of: date | None = None,
    record: BaseRate | None = None,
) -> MoneyFindings:
    """Costs, ways to serve the traffic, the investment, and the same drawn many times."""
    ways = serving_costs(case, prices, sovereign, as_of)
    lacking = _lacking(case, framework, fits)
    facts = services().assumptions
    model = build_cost_model(
        case,
        framework,
        *tuned_serving(case, ways, taken(facts["hosted_premium"])),
        lacking,
        _compute(case, fits),
    )
    comparison = compare(case, ways, model, sovereign)
    bill = ways.bill.usd if ways.bill else None
    rule = framework.break_even
    under = math.inf if rule is None else rule.under_months
    closed, draws = closed_form(model, comparison, bill, under), None
    stakes = stakes_of(case, framework, model, comparison, ways)
    stakes = replace(stakes, **_taken_for(case, as_of, record))
    if isinstance(closed, ClosedForm):
        draws = (sampler or draw)(stakes, seed)
    payback = _payback(case, framework, closed, draws)
    payback = _undercut(payback, closed, comparison, ways, under)
    gate = _gate(payback, comparison, sovereign)
    asks = [payback.why, "" if RATE in model.inputs else _NO_HOURLY_RATE, _BILL]
    result: InvestmentResult | Unknown = Unknown(ask="; ".join(filter(None, dict.fromkeys(asks))))
    if isinstance(closed, ClosedForm) or isinstance(comparison.savings, Savings) or bill:
        result = _result(model, comparison, closed, draws, payback, framework, ways)
        hosted = case.tuning.service != "self_hosted"
        bounds = _bounds(model, comparison, ways, closed, framework, hosted=hosted)
        bounds |= {"justified": gate.state, "why": gate.why}  # the gate's answer, once
        result = result.model_copy(update=bounds)
        result = result.model_copy(update={"worth": (*_more_cases(case, result), *result.worth)})
    upfront = _amount(model, model.upfront)
    return MoneyFindings(
        result,
        GateResult(id="investment", state=gate.state, why=gate.why),
        gate.settled_when,
        tuple(map(_serving, comparison.costs)),
        None if upfront is None else upfront.narrowed(),
        _as_amount(bill) if bill else None,
        model,
    )


def _as_amount(bill: Interval) -> Amount:
    low, likely, high = (min(end, MOST_USD) for end in astuple(bill))
    return Amount(low=low, likely=likely, high=high)


def taken(fact: Assumption) -> Interval:
    """What is taken where a case doesn't say."""
    return Interval(fact.low, fact.likely, fact.high)


def stakes_of(
    case: Case, framework: Framework, model: CostModel, comparison: ServingComparison, ways: Ways
) -> Stakes:
    """What is drawn."""
    rule = framework.break_even
    return Stakes(
        model=model,
        savings=comparison.counted,
        bill=ways.bill.option if ways.bill else None,
        bill_inputs={name: ways.inputs[name] for name in ways.bill.option.names}
        if ways.bill
        else {},
        horizon=case.economics.assumptions.horizon_months,
        under_months=None if rule is None else rule.under_months,
    )


def _taken_for(case: Case, as_of: date | None, record: BaseRate | None) -> dict[str, Any]:
    """What is taken because the case doesn't say, each with what carries it."""
    facts, stated = services().assumptions, case.economics.assumptions
    taken_ = {DISCOUNT: facts["discount_per_year"], PRICE_FALL: facts["price_fall_per_year"]}
    if case.tuning.service != "self_hosted":
        taken_[LIFE] = facts["model_life_months"]
    inputs = {name: taken(fact) for name, fact in taken_.items()}
    says = {name: f"{fact.says} Read on {day(fact.dated)}" for name, fact in taken_.items()}
    if stated.failure_chance is None and record is not None:
        inputs[FAILURE] = Interval(1 - record.high, 1 - record.rate, 1 - record.low)
        says[FAILURE] = (
            f"tuning works as often as it measured best in {record.of}: {record.won} of "
            f"{record.n}, {share(record.low)} to {share(record.high)}"
        )
    until, ends = serves_until(case), None
    if until is not None and as_of is not None and until > as_of:  # else it is tuned elsewhere
        ends = (until - as_of).days / DAYS_PER_MONTH
    return {
        "taken": inputs,
        "says": says,
        "pilots": case.tuning.pilot != "no",
        "first_end": ends,
    }


def _lacking(
    case: Case, framework: Framework, fits: Sequence[ApproachResult]
) -> tuple[Range, Range] | None:
    """Hours to collect what lacks of the first approach's data: for a pilot, and the rest."""
    rule = framework.plan
    if rule is None or not fits:
        return None
    need, have = fits[0].data, held(case, fits[0].data.unit)
    first = collecting_hours(rule, need.unit, need.low * rule.pilot_share, have)
    whole = collecting_hours(rule, need.unit, need.low, have)
    if first is None or whole is None:
        return None
    return first, Range.between(whole.low - first.low, whole.most - first.most)


def _compute(case: Case, fits: Sequence[ApproachResult]) -> Interval | Unknown | None:
    """What training costs by tokens and prices for the first approach; None where nobody can tell.

    Of documents nobody knows the tokens, and the table is for small runs.
    """
    if not fits:
        return None
    need, traffic = fits[0].data, case.economics.traffic
    if need.unit == "documents":
        return Unknown(
            ask="state what training costs (economics.upfront.training.usd, beside the other "
            f"categories): it goes by the tokens of {count(need.low)} documents or more"
        )
    if traffic.input_tokens is None or traffic.output_tokens is None:
        return None
    facts, have = services().assumptions, held(case, need.unit) or 0
    price, epochs = taken(facts["training_usd_per_mtok"]), taken(facts["epochs"])
    texts = 2 if need.unit == "preference_pairs" else 1
    some = max(min(have, math.inf if isinstance(need.high, str) else need.high), need.low)
    size = Interval(need.low, some, some) if have else Interval.certain(need.low)
    tokens = traffic.input_tokens.interval + traffic.output_tokens.interval
    ends = (
        getattr(size, e) * getattr(tokens, e) * getattr(price, e) * getattr(epochs, e)
        for e in ("low", "value", "high")
    )
    return Interval(*(texts * end / TOKENS_PER_MTOK for end in ends))


def held_against(money: MoneyFindings, challenges: Sequence[ChallengeResult]) -> MoneyFindings:
    """The money; its gate is unknown where a stated amount stands in an open contradiction."""
    for item in challenges:
        amounts = any(path.startswith("economics.monthly") for path in item.between)
        if item.severity == "contradiction" and amounts and money.gate.state != "no":
            why = f"as stated, {money.gate.why}; that is contradicted"
            gate = GateResult(id="investment", state="unknown", why=why)
            result = money.result
            if isinstance(result, InvestmentResult):
                result = result.model_copy(
                    update={"justified": "unknown", "why": why, "contradicted": True}
                )
            settled = f"it is settled: {item.settle}"
            return money._replace(result=result, gate=gate, settled_when=settled)
    return money


# The closed form: upfront / (savings + quality value - running costs).


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """The investment by one month's amounts; stated ones win, the table stands in for costs."""

    upfront: Interval  #: USD before the first version is live.
    net: Interval  #: USD a month after running costs.
    months: Interval  #: Months to break-even, from best to worst.
    stated: Interval  #: What is stated to be saved, USD a month.
    possible: Interval | None
    """What of a stated saving the bill allows, USD a month; None where it allows all of it."""
    table_running: Interval | None
    """Running costs by the framework's own table, USD a month; None without an hourly rate."""
    table_months: Interval | None  #: Months to break-even with those.
    assumed: tuple[str, ...]  #: Amounts nobody stated, taken from the table or computed.


class Payback(NamedTuple):
    """What the framework's break-even rule says of the investment."""

    state: State
    why: str
    settled_when: str = "the investment gate of the verdict is a yes or a no"
    """When an open one is settled."""


def closed_form(
    model: CostModel,
    comparison: ServingComparison,
    bill: Interval | None = None,
    under_months: float = math.inf,
) -> ClosedForm | Payback:
    """The investment by one month's amounts, or what to state first.

    A saving nobody stated is computed at today's volume; any other benefit has no default.
    """
    savings = comparison.counted
    if not model.savings and not model.quality and savings is None:
        why = "state what it saves or is worth a month (economics.monthly)"
        needed = must_bring(model, under_months)
        if bill is not None and needed is not None and bill.high < needed.low:
            why = (
                f"it would have to bring {usd(needed.low)} a month or more, and the whole bill is "
                f"{usd_range(bill.low, bill.high)}: state what better answers are worth "
                "(economics.monthly.quality_value_usd)"
            )
        settled = "economics.monthly says what it saves or is worth a month, and who said so"
        return Payback("unknown", why, settled)
    running = savings.fixed if savings else _amount(model, model.running)
    upfront = _amount(model, model.upfront)
    if upfront is None or running is None:
        settled = "economics.hourly_rate_usd is in the case file"
        return Payback("unknown", model.lacks or _NO_HOURLY_RATE, settled)
    quality, stated = model.amount(model.quality), model.amount(model.savings)
    benefits = (savings.usd if savings else stated) + quality
    net = savings.net + quality if savings and savings.net is not None else benefits - running
    table = _amount(model, model.table_besides if savings else model.table_running)
    return ClosedForm(
        upfront=upfront,
        net=net,
        months=_once(upfront, net) if model.one_off else _break_even(upfront, net),
        stated=stated,
        possible=None if savings or bill is None else _capped(stated, bill),
        table_running=table,
        table_months=_break_even(upfront, benefits - table) if table else None,
        assumed=(*model.assumed, SAVINGS) if savings else model.assumed,
    )


def _capped(stated: Interval, bill: Interval) -> Interval | None:
    """A stated saving as far as the bill allows; None where that is all of it."""
    if stated.value <= bill.value and stated.high <= bill.high:
        return None
    return Interval(
        min(stated.low, bill.low), min(stated.value, bill.value), min(stated.high, bill.high)
    )


def must_bring(model: CostModel, under_months: float) -> Interval | None:
    """USD a month that pays it back in time, running costs too; None where hours lack a rate."""
    upfront, running = _amount(model, model.upfront), _amount(model, model.running)
    if upfront is None or running is None:
        return None
    ends = ("low", "value", "high")
    return Interval(*(getattr(running, e) + getattr(upfront, e) / under_months for e in ends))


def _amount(model: CostModel, terms: Sum | None) -> Interval | None:
    return None if terms is None else model.amount(terms)


def _break_even(upfront: Interval, net: Interval) -> Interval:
    """Months until ``upfront`` is back at ``net`` a month, from the best pairing to the worst."""
    return Interval(
        break_even(upfront.low, net.high),
        break_even(upfront.value, net.value),
        break_even(upfront.high, net.low),
    )


def _once(upfront: Interval, net: Interval) -> Interval:
    """The same for a job that runs once: it pays with the job, or never."""
    pays = [net.high >= upfront.low, net.value >= upfront.value, net.low >= upfront.high]
    return Interval(*(1.0 if each else math.inf for each in pays))


# The framework's rule, each answer with its reason.

_WORTH = ("low", "medium", "high")


def _payback(
    case: Case, framework: Framework, closed: ClosedForm | Payback, draws: Draws | None
) -> Payback:
    """The investment by the framework's break-even rule.

    Yes when every pairing of the ranges pays back in time and the strategic value is high enough;
    no when none does or the value isn't; unknown with what to ask otherwise. The closed form knows
    one month; growth, the model's life and the chance that tuning fails are in the draws alone, so
    a yes that the middle draw doesn't bear out is unknown.
    """
    if isinstance(closed, Payback):
        return closed
    rule, low, high = framework.break_even, closed.months.low, closed.months.high
    pays_back = f"pays back in {months_range(low, high)}"
    if rule is None:
        return Payback(
            "unknown",
            f"{pays_back}; no rule judges it",
            "the budget owner has written down in how many months it has to pay back",
        )
    under, value = months(rule.under_months), case.strategic_value
    if low >= rule.under_months:
        never = "never pays back as stated"
        return Payback("no", never if math.isinf(low) else f"{pays_back}, not under {under}")
    if value != "unknown" and _WORTH.index(value) < _WORTH.index(rule.strategic_value):
        wanted = f"strategic value is {value}, {rule.strategic_value} is asked for"
        return Payback("no", wanted)
    if high >= rule.under_months:
        return Payback(
            "unknown",
            f"{pays_back}: narrow the amounts; under {under} is asked for",
            f"every pairing of the amounts pays back in under {under}, or tuning is given up",
        )
    if value == "unknown":
        return Payback(
            "unknown",
            f"{pays_back}; ask how high the strategic value is",
            "strategic_value is in the case file, stated by the budget owner",
        )
    if draws is not None and draws.months[1] >= rule.under_months:
        middle = draws.months[1]
        when = "never" if math.isinf(middle) else f"in {months(middle)}"
        capped = closed.possible is not None
        how = "within the bill of each" if capped else "with growth and the model's life"
        return Payback(
            "unknown",
            f"{pays_back} by one month's amounts; month by month, {how}, {when}",
        )
    return Payback(
        "yes", f"if it works, {pays_back}, under {under}, and the strategic value is {value}"
    )


def _gate(payback: Payback, comparison: ServingComparison, sovereign: State) -> Payback:
    """Where data may not leave, what stays inside is compared, and savings alone don't sink it."""
    if sovereign != "yes":
        return payback
    if comparison.inside != "unknown":
        return Payback(comparison.inside, comparison.inside_why)
    if payback.state != "no":
        return payback
    return Payback(
        "unknown",
        "savings don't carry it, and data may not leave: compare the options that keep it inside; "
        f"{comparison.inside_why}",
        "the options that keep the data inside are compared by cost, and one of them is chosen",
    )


def _undercut(
    payback: Payback,
    closed: ClosedForm | Payback,
    comparison: ServingComparison,
    ways: Ways,
    under: float,
) -> Payback:
    """A yes that rests on a saving is open where a model nobody ran would take the saving away."""
    if payback.state != "yes" or isinstance(closed, Payback) or not ways.rivals:
        return payback
    rival, saved = ways.rivals[0], closed.stated.value
    assert rival.usd is not None  # only priced ones are listed
    left = min(saved, rival.usd.value)
    if isinstance(comparison.counted, Savings):
        saved = comparison.counted.usd.value
        left = rival.usd.value - comparison.counted.tuned.usd(likely(ways.inputs))
    if saved <= left or break_even(closed.upfront.value, closed.net.value - saved + left) < under:
        return payback
    return Payback(
        "unknown",
        f"{payback.why}; but the same calls cost {usd(rival.usd.value)} a month with "
        f"{rival.option.model}, which would leave no such saving, and nobody has run it here",
        f"{rival.option.model} was run on the evaluation set",
    )


# The section of the dossier.


def _result(
    model: CostModel,
    comparison: ServingComparison,
    closed: ClosedForm | Payback,
    draws: Draws | None,
    payback: Payback,
    framework: Framework,
    ways: Ways,
) -> InvestmentResult:
    later: Any = Unknown(ask=payback.why)
    table_usd: Number = Unknown(ask=_NO_HOURLY_RATE)
    table_months: Duration = Unknown(ask=_NO_HOURLY_RATE)
    upfront = net = point = later
    steps: tuple[str, ...] = ()
    if isinstance(closed, ClosedForm):
        upfront, net, point = (
            closed.upfront.narrowed(),
            closed.net.narrowed(),
            _duration(closed.months),
        )
        steps = _steps(model, comparison, closed, framework)
        if closed.table_running is not None and closed.table_months is not None:
            table_usd, table_months = (
                closed.table_running.narrowed(),
                _duration(closed.table_months),
            )
    ends = [later] * 3
    if draws is not None:
        ends = [_duration(Interval.certain(months)) for months in draws.months]
    in_time = draws.in_time if draws else later
    if in_time is None:
        in_time = Unknown(ask="the framework has no break-even rule: add break_even.under_months")
    return InvestmentResult(
        upfront_usd=upfront,
        monthly_net_usd=net,
        break_even_months=BreakEven(point=point, p10=ends[0], p50=ends[1], p90=ends[2]),
        p_within_6_months=in_time,
        justified=payback.state,
        why=payback.why,
        assumed=closed.assumed if isinstance(closed, ClosedForm) else (),
        by_table=ByTable(ongoing_usd=table_usd, break_even_months=table_months),
        steps=steps,
        computed=_computed(comparison, model, ways.rivals),
        case_usd=later,
        gain_usd=draws.gain_usd if draws else later,
        scenarios=draws.scenarios if draws else (),
        worth=draws.worth if draws else (),
        bill_usd=later,
        possible_saving_usd=later,
        must_bring_usd=later,
        ask_usd=AskUsd(pilot=later, build=later, run_month=later),
        simulation=draws.simulation if draws else later,
    )


def _bounds(
    model: CostModel,
    comparison: ServingComparison,
    ways: Ways,
    closed: ClosedForm | Payback,
    framework: Framework,
    *,
    hosted: bool,
) -> dict[str, Any]:
    """What holds without any benefit: the bill and its bound, what is asked, what it must bring."""
    rule, bill = framework.break_even, ways.bill.usd if ways.bill else None
    ask = model.lacks or _NO_HOURLY_RATE
    needed = must_bring(model, rule.under_months) if rule else None
    pilot = model.priced(model.pilot.usd) if model.pilot.usd else None
    upfront, running = _amount(model, model.upfront), _amount(model, model.running)
    build = None
    if pilot is not None and upfront is not None:
        build = Interval(
            *(getattr(upfront, e) - getattr(pilot, e) for e in ("low", "value", "high"))
        )
    return {
        "capped": isinstance(closed, ClosedForm) and closed.possible is not None,
        "bill_usd": Unknown(ask=_BILL) if bill is None else bill.narrowed(),
        "possible_saving_usd": _possible(comparison, closed, bill),
        "must_bring_usd": needed.narrowed() if needed else Unknown(ask=ask),
        "ask_usd": AskUsd(
            pilot=pilot.narrowed() if pilot else Unknown(ask=ask),
            build=build.narrowed() if build else Unknown(ask=ask),
            run_month=running.narrowed() if running else Unknown(ask=ask),
        ),
        "upfront_usd": upfront.narrowed() if upfront else Unknown(ask=ask),
        "case_usd": _case_usd(model, framework),
        "items": tuple(_items(model, comparison, ways, hosted=hosted)),
    }


_BILL = "state the bill (today.usd_per_month), or traffic and the models that serve it"


def _case_usd(model: CostModel, framework: Framework) -> Number:
    """What one more case costs to label, at the middle: the design of the test, by its cases."""
    rule, part = framework.plan, model.upfront_parts.get("evaluation")
    design = model.priced(part.usd) if part else None
    if rule is None or design is None or not rule.evaluation_cases:
        return Unknown(ask=model.lacks or _NO_HOURLY_RATE)
    return design.value * rule.design_share / rule.evaluation_cases


_BY = {"table": "the framework's table", "plan": "computed", "serving": "traffic and prices"}


def _items(
    model: CostModel, comparison: ServingComparison, ways: Ways, *, hosted: bool
) -> Iterator[CostItem]:
    """What the costs are made of, and what no source tells."""
    for when, parts in (("up front", model.upfront_parts), ("each month", model.running_parts)):
        for name, part in parts.items():
            cost = model.priced(part.usd)
            if not part.usd:
                continue
            first = part.usd[0].names[0].split(".") if part.usd else [""]
            source = _BY.get(first[0], "stated")
            if first[0] == "economics" and len(first) == 3:
                source = "stated in one total, split as the framework's table"
            lacks = model.lacks if name == "training" and model.lacks else _NO_HOURLY_RATE
            usd_: Number = Unknown(ask=lacks) if cost is None else cost.narrowed()
            yield CostItem(when=when, what=plain(name), usd=usd_, source=source)
    tuned = comparison.savings.tuned if isinstance(comparison.savings, Savings) else None
    if tuned is not None and tuned.gpu:
        values = likely(ways.inputs)
        hour, each, full, always = (values[name] for name in tuned.gpu)
        idle = max(always * HOURS_PER_MONTH - values[REQUESTS] / (each * full), 0.0) * hour
        yield CostItem(
            when="each month",
            what="of it idle GPUs",
            usd=idle,
            source="traffic and economics.serving",
        )
    elif hosted and (tuned is None or tuned.runs != "own"):
        yield CostItem(
            when="each month",
            what="fee of a hosted endpoint",
            usd=Unknown(ask="ask the service: some bill a tuned model by the hour, used or not"),
            source="not in the sums",
        )
    yield CostItem(
        when="up front",
        what="calls of the lab and the judge",
        usd=Unknown(ask="ask for a quote, which is free: tuneworthy ceiling CASE --dry-run"),
        source="not in the sums",
    )


def _more_cases(case: Case, money: InvestmentResult) -> Iterator[Worth]:
    """What more cases of the evaluation set are worth, where today's quality was counted."""
    today, target = case.today, case.targets.quality
    if target is None or today.quality is None or not today.cases:
        return
    if found := more_cases(money, today.quality, today.cases, target.at_least):
        more, labels, net = found
        what = cases_what(more, labels)
        yield Worth(what=what, usd=max(net, 0.0))


def _possible(
    comparison: ServingComparison, closed: ClosedForm | Payback, bill: Interval | None
) -> Number:
    """What tuning could save a month: as computed, else as stated, and never above the bill."""
    if isinstance(comparison.counted, Savings):
        return comparison.counted.usd.narrowed()
    if bill is None:
        return Unknown(ask=_BILL)
    if isinstance(closed, ClosedForm) and closed.stated.high > 0:
        return (closed.possible or closed.stated).narrowed()
    return Range.between(0.0, bill.high)


def _steps(
    model: CostModel, comparison: ServingComparison, closed: ClosedForm, framework: Framework
) -> tuple[str, str, str, str]:
    """From the amounts to the months until it has paid itself back, one line for each ``StepId``.

    Likely values; where an amount is a range, the last line has the best and the worst pairing.
    """
    savings = comparison.counted
    benefits = model.sum_text((*model.savings, *model.quality))
    running = model.sum_text(model.running or ())
    if savings is not None:
        benefits = f"{usd(savings.usd.value)} saved on calls (computed below)"
        if stated := model.text((*model.savings, *model.quality)):
            benefits += f" + {stated}"
        running = usd(savings.fixed.value if savings.fixed else 0.0)
    point, low, high = closed.months.value, closed.months.low, closed.months.high
    if closed.upfront.value <= 0:
        back = "at once, nothing is spent up front"
    elif math.isinf(point):
        back = "never, nothing is left to pay it back"
    else:
        back = f"{usd(closed.upfront.value)} / {usd(closed.net.value)} = {months(point)}"
    if low != high:
        ends = months_range(low, high)
        back += f"; from the best to the worst pairing of the ranges {ends}"
    if framework.break_even is not None:
        back += f" (under {months(framework.break_even.under_months)} is asked for)"
    return (
        f"Up front: {model.sum_text(model.upfront or ())}",
        f"Benefits a month: {benefits}",
        f"Running costs a month beside serving: {running} (below)"
        if savings is not None
        else f"Running costs a month: {running}",
        f"Left a month: {usd(closed.net.value)}. Break-even: {back}",
    )


def _duration(value: Interval | Unknown) -> Any:
    """Months, or a volume, as a dossier shows it: ``never`` where every end is infinite."""
    if isinstance(value, Unknown):
        return value
    return "never" if math.isinf(value.low) else value.narrowed()


def _computed(
    comparison: ServingComparison, model: CostModel, rivals: Sequence[ServingCost]
) -> Computed | Unknown:
    savings: Any = comparison.savings
    if not comparison.costs and not rivals:
        return Unknown(ask=savings.ask)
    lacks = isinstance(savings, Unknown)
    return Computed(
        servings=tuple(map(_serving, comparison.costs)),
        rivals=tuple(map(_serving, rivals)),
        best_untuned=_best_untuned(comparison.costs),
        savings_usd_per_month=savings if lacks else savings.usd.narrowed(),
        pays_from_requests_per_month=savings if lacks else _duration(savings.volume),
        pays_from_month=savings if lacks else _duration(savings.month),
        steps=tuple(computed_steps(comparison, model)),
    )


def _best_untuned(costs: tuple[ServingCost, ...]) -> str:
    """The cheapest that may be used; with none, the cheapest that isn't ruled out."""
    for state in ("yes", "unknown"):
        for cost in costs:
            if not cost.option.tuned and cost.usd is not None and cost.admissible == state:
                return cost.option.name
    return "none"


def _serving(cost: ServingCost) -> ServingResult:
    return ServingResult(
        model=cost.option.model,
        how=cost.option.how,
        tuned=cost.option.tuned,
        usd_per_month=Unknown(ask=cost.reasons[0]) if cost.usd is None else cost.usd.narrowed(),
        admissible=cost.admissible,
        why="; ".join(cost.reasons),
    )
