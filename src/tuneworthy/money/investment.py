"""The money of a case: its costs, its benefits, and whether they justify tuning."""

from __future__ import annotations

import math
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tuneworthy.facts.load import facts_on, serves_until
from tuneworthy.facts.records import Assumption
from tuneworthy.model.base import (
    DAYS_PER_MONTH,
    HOURS_PER_MONTH,
    MOST_USD,
    TOKENS_PER_MTOK,
    Interval,
    Number,
    Range,
    State,
    Unknown,
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
    DataNeed,
    GateResult,
    InformationValue,
    InvestmentResult,
    ServingResult,
)
from tuneworthy.model.framework import Framework
from tuneworthy.money.change import change_items
from tuneworthy.money.savings import (
    Savings,
    Stakes,
    call_range,
    compare,
    computed_steps,
    tuned_serving,
    tuned_tokens,
)
from tuneworthy.money.serving import ServingCost, ServingOption, Ways, serving_costs
from tuneworthy.money.terms import (
    DISCOUNT,
    FAILURE,
    GROWTH,
    LIFE,
    PRICE_FALL,
    RATE,
    REQUESTS,
    SAVINGS,
    CostModel,
    CostPart,
    Product,
    Recurrence,
    TrainingCost,
    at_ends,
    build_cost_model,
    call_usd,
    collecting_hours,
    likely,
    mtok_usd,
    recurrence_of,
    spread,
    usd_of,
)
from tuneworthy.money.tuned import (
    call_of_tuned,
    endpoint_fee,
    endpoint_text,
    training_asked,
    tuned_offers,
)
from tuneworthy.money.worth import more_cases
from tuneworthy.words import (
    capital,
    count,
    day,
    listing,
    months,
    months_range,
    plain,
    usd,
    usd_range,
)

if TYPE_CHECKING:
    from tuneworthy.money.simulate import Draws

#: Draws the money, from a seed.
Draw: TypeAlias = "Callable[[Stakes, int], Draws | None]"

_NO_HOURLY_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"


def draw(stakes: Stakes, seed: int) -> Draws | None:
    """Run ``simulate``, which is imported only when it is needed."""
    from tuneworthy.money.simulate import simulate

    return simulate(stakes, seed)


def draw_for_list(stakes: Stakes, seed: int) -> Draws | None:
    """Draw the numbers for a list. Details that no list shows are drawn again when they are read."""
    from tuneworthy.money.simulate import simulate

    return simulate(stakes, seed, in_full=False)


class RememberedDraws:
    """Remembers draws, as an answer seldom changes an amount; safe in threads."""

    _MOST = 256

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Draws | None] = OrderedDict()
        self._lock = Lock()

    def __call__(self, stakes: Stakes, seed: int) -> Draws | None:
        """The result of ``draw``, drawn or remembered."""
        key = repr((stakes, seed))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = draw(stakes, seed)
            self._kept.move_to_end(key)
            if len(self._kept) > self._MOST:
                self._kept.popitem(last=False)
            return self._kept[key]


class MoneyFindings(NamedTuple):
    """The money section of the dossier, and its gate."""

    result: InvestmentResult | Unknown
    gate: GateResult
    settle: str = ""  #: The step that would settle it.
    #: Every way to serve the traffic, the cheapest first.
    servings: tuple[ServingResult, ...] = ()
    rivals: tuple[ServingResult, ...] = ()  #: Hosted models that nobody listed.
    #: USD before the first version is live; None where nobody knows.
    upfront: Number | None = None
    #: USD a month that what runs today costs; None where nobody knows.
    bill: Amount | None = None
    model: CostModel | None = None  #: Every amount, as the plan splits it.


class TuningChance(NamedTuple):
    """The chance that tuning works here, and its source."""

    value: Interval  #: From 0 to 1.
    says: str  #: Where that is known from, as a clause.


@dataclass(frozen=True, slots=True)
class MoneyContext:
    """The inputs that the money of a case is computed from."""

    case: Case
    framework: Framework
    prices: Prices
    sovereign: State = "no"  #: Whether the data has to stay inside.
    #: The day it speaks for; without one no model's end is known.
    as_of: date | None = None
    seed: int = 0
    sampler: Draw | None = None  #: Draws the money in the place of ``draw``.
    fits: Sequence[ApproachResult] = ()  #: Approaches, the primary one first.
    #: How likely tuning works; None for the amounts alone.
    works: TuningChance | None = None

    @property
    def under_months(self) -> float:
        """Months within which it has to pay back; infinite without such a rule, and for a job."""
        rule = self.framework.break_even
        if rule is None:
            return math.inf
        return recurrence_of(self.case).limit_months(rule.under_months)


@dataclass(frozen=True)
class ReckonedAmounts:
    """The amounts of a case before any draw, and their results in one month."""

    model: CostModel
    ways: Ways
    savings: Savings | Unknown
    closed: ClosedForm | Payback

    @property
    def counted(self) -> Savings | None:
        """The saving that counts: the computed one, where none is stated."""
        return counted_saving(self.model, self.savings)

    @property
    def bill(self) -> Interval | None:
        """The bill of the way that runs today, in USD per month; None where it is unknown."""
        return self.ways.bill.usd if self.ways.bill else None

    @property
    def stated_bill(self) -> Amount | None:
        """The bill in the form of a case's statement."""
        bill = self.bill
        if bill is None:
            return None
        return Amount(
            low=min(bill.low, MOST_USD),
            likely=min(bill.value, MOST_USD),
            high=min(bill.high, MOST_USD),
        )

    @property
    def upfront(self) -> Number | None:
        """USD before the first version is live; None where it is unknown."""
        upfront = self.model.priced(self.model.upfront)
        return upfront.narrowed() if upfront else None

    @cached_property
    def servings(self) -> tuple[ServingResult, ...]:
        """Every way to serve the traffic, the cheapest first."""
        return tuple(map(_serving, self.ways.costs))

    @cached_property
    def rivals(self) -> tuple[ServingResult, ...]:
        """Hosted models that nobody listed."""
        return tuple(map(_serving, self.ways.rivals))

    @property
    def is_known(self) -> bool:
        """Whether anything is known about the money."""
        known = isinstance(self.closed, ClosedForm) or isinstance(self.savings, Savings)
        return bool(known or self.bill or self.ways.rivals)

    @property
    def break_even_months(self) -> Any:
        """Months to break-even by one month's amounts; None where nothing is known about the money."""
        if not self.is_known:
            return None
        if isinstance(self.closed, Payback):
            return Unknown(ask=self.closed.why)
        return _months(self.closed.months)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The amounts of a case, the simulated runs, and whether they pay back."""

    amounts: ReckonedAmounts
    draws: Draws | None
    payback: Payback


def counted_saving(model: CostModel, savings: Savings | Unknown) -> Savings | None:
    """The computed saving, unless one is stated: then None, as the stated one counts."""
    if isinstance(savings, Unknown) or model.savings:
        return None
    return savings


def assess_money(
    context: MoneyContext, amounts: ReckonedAmounts | None = None
) -> MoneyFindings:
    """Compute the costs, the ways to serve the traffic, the investment, and its simulated runs.

    ``amounts`` are those of the context, if they are known already.
    """
    amounts = amounts or reckon_amounts(context)
    reckoning = _draw_and_judge(context, amounts)
    payback = reckoning.payback
    return MoneyFindings(
        result=_result_or_ask(context, reckoning),
        gate=GateResult(id="investment", state=payback.state, why=payback.why),
        settle=payback.settle,
        servings=amounts.servings,
        rivals=amounts.rivals,
        upfront=amounts.upfront,
        bill=amounts.stated_bill,
        model=amounts.model,
    )


def reckon_amounts(context: MoneyContext) -> ReckonedAmounts:
    """The amounts of a case that depend neither on draws nor on the chance that tuning works."""
    case = context.case
    framework = context.framework
    margin = framework.threshold("margin_quality") or 0.0
    ways = serving_costs(
        case, context.prices, context.sovereign, context.as_of, margin=margin
    )
    offers = tuned_offers(context.as_of)
    premium = taken(facts_on(context.as_of).assumptions["hosted_premium"])
    serving = tuned_serving(case, ways, premium, offers)
    lacking = _lacking(case, framework, context.fits)
    training = _training_cost(case, context.fits, context.as_of)
    model = build_cost_model(
        case,
        framework,
        serving=serving.terms,
        more=serving.inputs,
        is_named=serving.is_named,
        lacking=lacking,
        training=training,
    )
    savings = compare(case, ways, model)
    counted = counted_saving(model, savings)
    bill = ways.bill.usd if ways.bill else None
    closed = closed_form(model, counted, bill, context.under_months)
    return ReckonedAmounts(model, ways, savings, closed)


def _draw_and_judge(context: MoneyContext, amounts: ReckonedAmounts) -> Reckoning:
    """Draw the uncertain amounts where they are known, and judge when it pays back."""
    closed = amounts.closed
    counted = amounts.counted
    draws = None
    if isinstance(closed, ClosedForm):
        stakes = stakes_of(context, amounts.model, counted, amounts.ways)
        sampler = context.sampler or draw
        draws = sampler(stakes, context.seed)
    payback = _payback(context, amounts.model, closed, draws)
    payback = _open_for_rival(
        payback, closed, counted, amounts.ways, amounts.model, context.under_months
    )
    return Reckoning(amounts, draws, payback)


def _result_or_ask(
    context: MoneyContext, reckoning: Reckoning
) -> InvestmentResult | Unknown:
    """The section with the worth of more cases; or what to state first."""
    if not reckoning.amounts.is_known:
        return Unknown(ask=_what_to_state(reckoning))
    return _result(context, reckoning)


def _worth_of_knowing(
    context: MoneyContext, draws: Draws | None, result: InvestmentResult
) -> tuple[InformationValue, ...]:
    """The worth of finding things out: by the simulated runs, and by more cases where they help."""
    worth = draws.details().worth if draws else ()
    today = context.case.today
    target = context.case.targets.quality
    if target is None or today.quality is None or not today.cases:
        return worth
    more = more_cases(result, today.quality, today.cases, target.at_least)
    return (more, *worth) if more else worth


def _what_to_state(reckoning: Reckoning) -> str:
    closed = reckoning.amounts.closed
    asks = [closed.why if isinstance(closed, Payback) else reckoning.payback.why]
    if RATE not in reckoning.amounts.model.inputs:
        asks.append(_NO_HOURLY_RATE)
    asks.append(_BILL)
    return "; ".join(dict.fromkeys(ask for ask in asks if ask))


def taken(fact: Assumption) -> Interval:
    """A fact that is assumed where a case doesn't state the amount."""
    return Interval(fact.low, fact.likely, fact.high)


def stakes_of(
    context: MoneyContext, model: CostModel, counted: Savings | None, ways: Ways
) -> Stakes:
    """The amounts for the simulation; an assumed one has its fact with it."""
    case = context.case
    rule = context.framework.break_even
    inputs: dict[str, Interval] = {}
    says: dict[str, str] = {}
    for name, fact in _assumed_of(case, context.as_of).items():
        inputs[name] = taken(fact)
        says[name] = f"{fact.says} Read on {day(fact.dated)}"
    if context.works is not None:
        inputs[FAILURE] = Interval.certain(1) - context.works.value
        says[FAILURE] = context.works.says
    return Stakes(
        model=model,
        savings=counted,
        bill=ways.bill.option if ways.bill else None,
        horizon=int(model.recurrence.months(case.economics.assumptions.horizon_months)),
        under_months=None if rule is None else context.under_months,
        taken=inputs,
        says=says,
        pilots=case.tuning.pilot != "no",
        first_end=_months_to_the_end(context),
    )


def _assumed_of(case: Case, as_of: date | None) -> dict[str, Assumption]:
    """Facts that replace missing statements of the case, by the input that they give."""
    facts = facts_on(as_of).assumptions
    assumed = {
        DISCOUNT: facts["discount_per_year"],
        PRICE_FALL: facts["price_fall_per_year"],
    }
    if case.tuning.service != "self_hosted":
        assumed[LIFE] = facts["model_life_months"]
    left_out = recurrence_of(case).left_out
    return {name: fact for name, fact in assumed.items() if name not in left_out}


def _months_to_the_end(context: MoneyContext) -> float | None:
    """Months until the base model is switched off; None where it outlasts the case."""
    as_of = context.as_of
    until = serves_until(context.case, as_of)
    if until is None or as_of is None or not recurrence_of(context.case).repeats:
        return None
    if until <= as_of:
        return None  # one that has ended is tuned elsewhere
    return (until - as_of).days / DAYS_PER_MONTH


def _lacking(
    case: Case, framework: Framework, fits: Sequence[ApproachResult]
) -> tuple[Range, Range] | None:
    """Hours to collect the missing data of the first approach: for a pilot, and the rest.

    None without an approach, or where the framework doesn't say how much an hour collects.
    """
    rule = framework.plan
    if rule is None or not fits:
        return None
    need = fits[0].data
    have = case.usable_data(need.unit)
    first = collecting_hours(rule, need.unit, need.low * rule.pilot_share, have)
    whole = collecting_hours(rule, need.unit, need.low, have)
    if first is None or whole is None:
        return None
    return first, Range.between(whole.low - first.low, whole.most - first.most)


def _training_cost(
    case: Case, fits: Sequence[ApproachResult], as_of: date | None
) -> TrainingCost | Unknown | None:
    """The cost of training by tokens and prices for the first approach.

    None where it can't be computed: documents have unknown tokens, and the table is for small runs.
    """
    if not fits:
        return None
    primary, *_ = fits
    need = primary.data
    traffic = case.economics.traffic
    if need.unit == "documents":
        return Unknown(
            ask="state what training costs (economics.upfront.training.usd, beside the other "
            f"categories): it goes by the tokens of {count(need.low)} documents or more"
        )
    if traffic.input_tokens is None or traffic.output_tokens is None:
        return None
    facts = facts_on(as_of).assumptions
    is_pairs = need.unit == "preference_pairs"
    # A pair has two answers, each trained on with the question.
    texts = 2 if is_pairs else 1
    asked = training_asked(case, "preference" if is_pairs else "supervised", as_of)
    if asked is None:
        price = taken(facts["training_usd_per_mtok"])
        whose = ""
    else:
        price, seller = asked
        whose = f" at {seller}"
    if asked is None and any(model.kind == "tuned" for model in case.models):
        whose = " elsewhere, as no page names the price of this base"
    epochs = taken(facts["epochs"])
    size = _training_size(need, case.usable_data(need.unit) or 0)
    tokens = traffic.input_tokens.interval + traffic.output_tokens.interval
    cost = at_ends(
        lambda n, each, usd, passes: texts * n * each * usd * passes / TOKENS_PER_MTOK,
        size,
        tokens,
        price,
        epochs,
    )
    each = f"{spread(size, count)} examples × {spread(tokens, lambda n: count(texts * n))} tokens"
    by = f"{spread(epochs, count)} passes × {spread(price, mtok_usd)} a million tokens{whose}"
    return TrainingCost(cost, f"{each} × {by}", of_base=asked is not None)


def _training_size(need: DataNeed, have: int) -> Interval:
    """The examples to train on: from the fewest needed to the existing ones, as far as they help."""
    if not have:
        return Interval.certain(need.low)
    used = have
    if not isinstance(need.high, str):  # else it is open: more never hurts
        used = min(used, need.high)
    used = max(used, need.low)
    return Interval(need.low, used, used)


def held_against(
    money: MoneyFindings, challenges: Sequence[ChallengeResult]
) -> MoneyFindings:
    """The money with an unknown gate if a stated amount is in an open contradiction."""
    for item in challenges:
        amounts = any(path.startswith("economics.monthly") for path in item.between)
        if item.severity == "contradiction" and amounts and money.gate.state != "no":
            why = f"{money.gate.why}. A contradiction leaves this open"
            gate = GateResult(id="investment", state="unknown", why=why)
            result = money.result
            if isinstance(result, InvestmentResult):
                result = result.changed(justified="unknown", why=why, contradicted=True)
            return money._replace(result=result, gate=gate, settle=item.settle)
    return money


# The closed form: upfront / (savings + quality value - running costs).


class ClosedForm(NamedTuple):
    """The investment by one month's amounts: stated ones, else the table's costs."""

    upfront: Interval  #: USD before the first version is live.
    #: USD a month by statements; None where a saving is computed.
    brings: Interval | None
    gained: Interval  #: The part that better answers are worth, USD a month.
    net: Interval  #: USD a month after running costs.
    months: Interval  #: Months to break-even, from best to worst.
    stated: Interval  #: The stated saving, USD a month.
    possible: Interval | None
    """The part of a stated saving that the bill allows, USD a month; None where it allows all of
    it."""
    table_running: Interval | None
    """Running costs by the framework's own table, USD a month; None without an hourly rate."""
    table_months: Interval | None  #: Months to break-even with those.
    #: Amounts nobody stated, taken from the table or computed.
    assumed: tuple[str, ...]


class Payback(NamedTuple):
    """The result of the framework's break-even rule for the investment."""

    state: State
    why: str
    #: The step that would settle it; where it is empty, the reason says so.
    settle: str = ""
    but: str = ""  #: The sentence of its reason that objects to a payback in time.


def closed_form(
    model: CostModel,
    savings: Savings | None,
    bill: Interval | None = None,
    under_months: float = math.inf,
) -> ClosedForm | Payback:
    """The investment by one month's amounts, or what to state first.

    A saving that nobody stated is computed at today's volume, and counts. Other benefits have no
    default.
    """
    if not model.savings and not model.quality and savings is None:
        return Payback("unknown", _state_a_benefit(model, bill, under_months))
    running = savings.fixed if savings else model.priced(model.running)
    upfront = model.priced(model.upfront)
    if upfront is None or running is None:
        return Payback("unknown", model.lacks or _NO_HOURLY_RATE)
    quality = model.amount(model.quality)
    stated = model.amount(model.savings)
    benefits = (savings.usd if savings else stated) + quality
    if savings and savings.net is not None:
        net = savings.net + quality
    else:
        net = benefits - running
    possible = None
    if bill and not savings and (stated.value > bill.value or stated.high > bill.high):
        possible = at_ends(min, stated, bill)
    by_table = usd_of(model.table, "inference" if savings else "")
    table = model.priced(by_table) if model.table else None
    table_months = None
    if table:
        table_months = _months_to_repay(upfront, benefits - table, model.recurrence)
    return ClosedForm(
        upfront=upfront,
        brings=None if savings else benefits,
        gained=quality,
        net=net,
        months=_months_to_repay(upfront, net, model.recurrence),
        stated=stated,
        possible=possible,
        table_running=table,
        table_months=table_months,
        assumed=(*model.assumed, SAVINGS) if savings else model.assumed,
    )


def _state_a_benefit(
    model: CostModel, bill: Interval | None, under_months: float
) -> str:
    """The advice where nobody states a benefit: a saving, or the worth of better answers.

    A saving can't help where even the whole bill is less than tuning has to bring.
    """
    needed = must_bring(model, under_months)
    if bill is not None and needed is not None and bill.high < needed.low:
        return (
            f"it would have to bring over {usd(needed.low)}{model.a_month}, and the whole "
            f"bill is {usd_range(bill.low, bill.high)}: state what better answers are worth "
            "(economics.monthly.quality_value_usd)"
        )
    return f"state what it saves or is worth{model.a_month} (economics.monthly)"


def must_bring(model: CostModel, under_months: float) -> Interval | None:
    """USD per month that repay it in time, with running costs; None where hours lack a rate.

    For a job that runs once, the amount that the job has to bring.
    """
    upfront = model.priced(model.upfront)
    running = model.priced(model.running)
    if upfront is None or running is None:
        return None
    months = model.recurrence.months(under_months)
    return at_ends(lambda once, month: month + once / months, upfront, running)


def _months_to_repay(
    upfront: Interval, left: Interval, recurrence: Recurrence
) -> Interval:
    """Months until ``upfront`` is repaid, from the best pairing of the ends to the worst."""
    best_first = Interval(left.high, left.value, left.low)
    return at_ends(recurrence.months_to_repay, upfront, best_first)


# The framework's rule, each answer with its reason.

_WORTH = ("low", "medium", "high")  #: Strategic values, in order.


def _payback(
    context: MoneyContext,
    model: CostModel,
    closed: ClosedForm | Payback,
    draws: Draws | None,
) -> Payback:
    """Judge the investment by the framework's break-even rule; a job has to pay for itself.

    Yes when every pairing of the ranges pays back in time; no when none does. Where the amounts
    can't decide, a strategic value that is too low does; otherwise it is unknown with the question
    to ask. The closed form knows one month. Growth, the model's life and the chance that tuning
    fails are only in the simulated runs, so a yes that the median run contradicts is unknown.
    """
    lacks = _lacking_value(context)
    if isinstance(closed, Payback):
        return Payback("no", lacks) if lacks else closed
    carries = _carries_text(closed, model)
    if context.framework.break_even is None:
        return Payback(
            "unknown",
            f"{carries}, and no rule judges that",
            "ask the budget owner when it has to have paid back",
        )
    limit = context.under_months
    low = closed.months.low
    high = closed.months.high
    takes = carries
    in_time = "with the job"
    asked = ""
    # A job has no months to count: it pays with the job or never.
    if model.recurrence.repeats:
        takes = f"{carries}, which takes {months_range(low, high)}"
        in_time = f"in under {months(limit)}"
        asked = f" (it has to be under {months(limit)})"
    if low >= limit:
        return Payback("no", carries if math.isinf(low) else f"{takes}{asked}")
    if high >= limit and lacks:
        return Payback("no", f"{takes}{asked}, and {lacks}")
    if high >= limit:
        return Payback(
            "unknown",
            f"{carries}: narrow the amounts to see whether that is in time{asked}",
            "narrow the amounts, those first that the result hangs on most: "
            "tuneworthy show CASE money",
        )
    if draws is not None:
        _, median_months, _ = draws.months
        if median_months >= limit:
            spent = usd_range(closed.upfront.low, closed.upfront.high)
            late = f"{spent} isn't repaid {in_time}"
            return _contradicted_by_runs(closed, model, carries, late)
    return Payback("yes", f"if it works, {takes}")


def _lacking_value(context: MoneyContext) -> str:
    """Why the strategic value of the case is too low for the rule; empty where it isn't."""
    rule = context.framework.break_even
    value = context.case.strategic_value
    if rule is None or value == "unknown":
        return ""
    if _WORTH.index(value) >= _WORTH.index(rule.strategic_value):
        return ""
    return f"strategic value is {value} but has to be {rule.strategic_value}"


def _carries_text(closed: ClosedForm, model: CostModel) -> str:
    """Say what remains in a month to repay what is spent before."""
    remains = "nothing remains"
    if closed.net.high > 0:
        left = usd_range(closed.net.low, closed.net.high)
        remains = f"{left}{model.a_month} remains"
    spent = usd_range(closed.upfront.low, closed.upfront.high)
    return f"after running costs {remains} to repay {spent}"


def _contradicted_by_runs(
    closed: ClosedForm, model: CostModel, carries: str, late: str
) -> Payback:
    """The result for a yes by one month's amounts that the median run contradicts."""
    how = model.recurrence.drawn
    if closed.possible is not None:
        carries = f"the stated saving is {usd(closed.stated.value)}{model.a_month}, but at most "
        carries += f"{usd(closed.possible.value)} is possible today"
        how = model.recurrence.drawn_capped
    says = f"{carries}. {capital(how)} {late}"
    return Payback("unknown", says, settle=model.recurrence.find_saving)


def _open_for_rival(
    payback: Payback,
    closed: ClosedForm | Payback,
    counted: Savings | None,
    ways: Ways,
    model: CostModel,
    under: float,
) -> Payback:
    """Open a yes by a saving that a model nobody ran could achieve without tuning."""
    if payback.state != "yes" or isinstance(closed, Payback) or not ways.rivals:
        return payback
    rival, *_ = ways.rivals  # the cheapest
    assert rival.usd is not None  # only priced ones are listed
    # What tuning saves on calls today, and what is left of that beside the rival.
    if counted:
        saved = counted.usd.value
        left = rival.usd.value - counted.tuned.usd(likely(ways.inputs))
    else:
        saved = closed.stated.value
        left = min(saved, rival.usd.value)
    if saved <= left:
        return payback
    still = closed.net.value - saved + left
    if model.recurrence.months_to_repay(closed.upfront.value, still) < under:
        return payback
    bill = usd_range(rival.usd.low, rival.usd.high)
    but = (
        f"The same calls cost {bill}{model.a_month} with {rival.option.model}, "
        "which would take away what tuning saves on calls, and nobody has run it here"
    )
    settle = f"run {rival.option.model} on the evaluation set: tuneworthy ceiling CASE"
    return Payback("unknown", f"{payback.why}. {but}", settle, but)


def _result(context: MoneyContext, reckoning: Reckoning) -> InvestmentResult:
    """The section. Figures that need a benefit are unknown where nobody states one."""
    framework = context.framework
    rule = framework.break_even
    amounts = reckoning.amounts
    model = amounts.model
    closed = amounts.closed
    draws = reckoning.draws
    payback = reckoning.payback
    counted = amounts.counted
    known = closed if isinstance(closed, ClosedForm) else None
    why_open = closed.why if isinstance(closed, Payback) else payback.why
    later = Unknown(ask=why_open)
    lacks = model.lacks or _NO_HOURLY_RATE
    pilot = model.priced(model.pilot.usd) if model.pilot.usd else None
    upfront = model.priced(model.upfront)
    running = model.priced(model.running)
    build = at_ends(operator.sub, upfront, pilot) if upfront and pilot else None
    no_rule = Unknown(
        ask="the framework has no break-even rule: add break_even.under_months"
    )
    in_time: Number | None = draws.in_time if draws else later
    no_table = lacks
    if not model.recurrence.repeats:
        no_table = "the table is for work that goes on"
    table = known.table_months if known else None
    result = InvestmentResult(
        bill_usd=_number_or_ask(amounts.bill, _BILL),
        possible_saving_usd=_possible_saving(counted, closed, amounts.bill),
        must_bring_usd=_number_or_ask(
            must_bring(model, rule.under_months) if rule else None, lacks
        ),
        ask_usd=AskUsd(
            pilot=_number_or_ask(pilot, lacks),
            build=_number_or_ask(build, lacks),
            run_month=_number_or_ask(running, lacks),
        ),
        case_usd=_case_usd(model, framework),
        gain_usd=draws.gain_usd if draws else later,
        capped=known is not None and known.possible is not None,
        one_off=not model.recurrence.repeats,
        upfront_usd=_number_or_ask(upfront, lacks),
        brings_usd=_number_or_ask(
            known.brings if known else None, why_open if not known else _COMPUTED
        ),
        gained_usd=_number_or_ask(known.gained if known else None, why_open),
        growth_per_month=_number_or_ask(
            model.inputs.get(GROWTH),
            "state how traffic grows (economics.traffic.growth_per_month)",
        ),
        monthly_net_usd=_number_or_ask(known.net if known else None, why_open),
        break_even_months=_break_even_months(known, draws, later),
        limit_months=no_rule if rule is None else rule.under_months,
        p_within_6_months=no_rule if in_time is None else in_time,
        justified=payback.state,
        why=payback.why,
        but=payback.but,
        assumed=known.assumed if known else (),
        by_table=ByTable(
            ongoing_usd=_number_or_ask(
                known.table_running if known else None, no_table
            ),
            break_even_months=_months(table or Unknown(ask=no_table)),
        ),
        steps=(),
        computed=later,
        simulation=draws.simulation if draws else later,
    )
    waiting: dict[str, Callable[[], Any]] = {
        "items": lambda: tuple(_items(context, model, amounts.savings, amounts.ways)),
        "scenarios": lambda: draws.details().scenarios if draws else (),
        "worth": lambda: _worth_of_knowing(context, draws, result),
        "steps": lambda: _steps(model, counted, known, framework) if known else (),
        "computed": lambda: _figures_by_traffic(amounts),
    }
    return result.postpone(waiting)


def _break_even_months(
    known: ClosedForm | None, draws: Draws | None, later: Unknown
) -> BreakEven:
    """Months by one month's amounts, and the 10th, 50th and 90th percentile of the runs."""
    point = _months(known.months if known else later)
    if draws is None:
        return BreakEven(point=point, p10=later, p50=later, p90=later)
    p10, p50, p90 = (_months(Interval.certain(months)) for months in draws.months)
    return BreakEven(point=point, p10=p10, p50=p50, p90=p90)


def _number_or_ask(amount: Interval | None, ask: str) -> Number:
    return Unknown(ask=ask) if amount is None else amount.narrowed()


_COMPUTED = "see computed: the saving is computed from traffic and prices"
_BILL = "state the bill (today.usd_per_month), or traffic and the models that serve it"


def _case_usd(model: CostModel, framework: Framework) -> Number:
    """The middle cost of labelling one more case: the cost of the test's design, by its cases."""
    rule = framework.plan
    part = model.upfront_parts.get("evaluation")
    if part is None or not part.usd:
        return Unknown(
            ask="state what the evaluation takes (economics.upfront.evaluation)"
        )
    design = model.priced(part.usd)
    if rule is None or design is None or not rule.evaluation_cases:
        return Unknown(ask=model.lacks or _NO_HOURLY_RATE)
    return design.value * rule.design_share / rule.evaluation_cases


_BY = {
    "table": "the framework's table",
    "plan": "computed",
    "serving": "traffic and prices",
}
_PROMPTS = 5  # prompts that a lab compares where the framework gives no number


def _items(
    context: MoneyContext, model: CostModel, savings: Savings | Unknown, ways: Ways
) -> Iterator[CostItem]:
    """The parts of the costs, and the amounts outside their sum."""
    case = context.case
    framework = context.framework
    month = model.recurrence.when
    yield from _category_items(model, "up front", model.upfront_parts)
    pilot = model.priced(model.pilot.usd)
    if model.pilot.usd and pilot:
        yield CostItem(
            when="up front",
            what="of it a pilot",
            usd=pilot.narrowed(),
            source=model.pilot.source,
            in_sum=False,
        )
    yield from _category_items(model, month, model.running_parts)
    tuned = None if isinstance(savings, Unknown) else savings.tuned
    if tuned is not None and tuned.gpu:
        values = likely(ways.inputs)
        hour, each, full, always = (values[name] for name in tuned.gpu)
        idle = (
            max(always * HOURS_PER_MONTH - values[REQUESTS] / (each * full), 0.0) * hour
        )
        source = "traffic and economics.serving"
        yield CostItem(
            when=month, what="of it idle GPUs", usd=idle, source=source, in_sum=False
        )
    elif sold := [cost.option for cost in ways.costs if cost.option.tuned_at]:
        yield from (_fee(option) for option in sold if option.fee)
    elif (
        model.recurrence.repeats  # an endpoint is paid by the month
        and case.tuning.service != "self_hosted"
        and (tuned is None or tuned.runs != "own")
    ):
        yield _endpoint(context, ways)
    check = framework.ceiling.get("prompt_variations")
    prompts = int((check.at_least if check else None) or _PROMPTS)
    cases = framework.plan.evaluation_cases if framework.plan else 0
    yield from _lab_items(case, ways, prompts, cases)
    yield from change_items(case, framework)


def _category_items(
    model: CostModel, when: str, parts: Mapping[str, CostPart]
) -> Iterator[CostItem]:
    """The priced categories of a cost, each with the source of its amount."""
    for name, part in parts.items():
        if not part.usd:
            continue
        first_term = part.usd[0]
        steps = first_term.names[0].split(".")
        room = steps[0]
        source = part.source or _BY.get(room, "stated")
        is_total = room == "economics" and len(steps) == 3  # else it names a category
        if is_total and len(parts) > 1:
            source = "stated in one total, split as the framework's table"
        lacks = _NO_HOURLY_RATE
        if name == "training" and model.lacks:
            lacks = model.lacks
        cost = _number_or_ask(model.priced(part.usd), lacks)
        yield CostItem(when=when, what=plain(name), usd=cost, source=source)


_QUOTED = "not in the sums: its quote counts the case's own prompts and cases"


def _lab_items(
    case: Case, ways: Ways, prompts: int, cases: int
) -> tuple[CostItem, CostItem]:
    """The calls of a lab and of its grader.

    Where the case's own files allow a quote, only the quote has a number: one number a quantity.
    """
    quotable = case.data.evaluation is not None and case.data.prompts is not None
    if not (quotable and case.models):
        return _lab_item(ways, prompts, cases), _judge_item(ways, prompts * cases)
    lab = Unknown(ask=_ASK_FOR_QUOTE)
    judge = Unknown(ask=f"{_ASK_FOR_QUOTE} --judge RUBRIC.md --judge-model MODEL")
    return (
        CostItem(when="up front", what=_LAB, usd=lab, source=_QUOTED, in_sum=False),
        CostItem(when="up front", what=_JUDGE, usd=judge, source=_QUOTED, in_sum=False),
    )


_LAB = "calls of a lab"
_JUDGE = "calls of a judge"
_ASK_FOR_QUOTE = "ask for a quote, which is free: tuneworthy ceiling CASE --dry-run"


def _lab_item(ways: Ways, prompts: int, cases: int) -> CostItem:
    """The calls of a lab with some prompts on some cases, at today's cost of a call."""
    lab = None
    source = "not in the sums"
    ask = _ASK_FOR_QUOTE
    if (
        ways.bill
        and ways.bill.option.runs != "own"
        and REQUESTS in ways.inputs
        and cases
    ):
        each_call = call_range(ways.bill.option, ways.inputs)
        lab = at_ends(lambda call: prompts * cases * call, each_call)
        source = (
            f"not in the sums: {count(prompts)} prompts on {count(cases)} cases at "
            f"{spread(each_call, call_usd)} a call, as today. Other models add to that"
        )
    else:
        ask += ". Or state traffic and the bill, or the tokens and the models that serve it"
    cost = _number_or_ask(lab, ask)
    return CostItem(when="up front", what=_LAB, usd=cost, source=source, in_sum=False)


def _fee(option: ServingOption) -> CostItem:
    """The cost of a tuned model's endpoint, which is a part of the cost of its serving."""
    hour = mtok_usd(option.fee / HOURS_PER_MONTH)
    return CostItem(
        when="each month",
        what="of it the endpoint",
        usd=option.fee,
        source=f"one endpoint at {hour} an hour, used or not: {option.tuned_at}, by {option.catalogue}",
        in_sum=False,
    )


def _endpoint(context: MoneyContext, ways: Ways) -> CostItem:
    """The fee of an endpoint, where a service bills hours; and the services that bill by the token."""
    facts = facts_on(context.as_of)
    offers = tuned_offers(context.as_of)
    fee = endpoint_fee(offers)
    if fee is None:
        fact = facts.assumptions["endpoint_usd_per_hour"]
        fee = at_ends(lambda hour: hour * HOURS_PER_MONTH, taken(fact))
        says = f"{fact.says.split('. ')[0]}. Read on {day(fact.dated)}"
    else:
        tokens = tuned_tokens(ways.inputs)
        call = None if tokens is None else call_of_tuned(context.case, offers, *tokens)
        each = None
        if call is not None:
            usd_a_call, _ = call
            each = usd_a_call.value
        says = f"{endpoint_text(offers, each)}. Looked up on {day(facts.dated)}"
    source = f"not in the sums, and only where hours are billed: {says}"
    what = "endpoint of its own"
    usd = fee.narrowed()
    return CostItem(when="each month", what=what, usd=usd, source=source, in_sum=False)


_JUDGED_TOKENS = 30  # a score and nothing else, as a judge is asked to answer


def _only_input(price: Product, ways: Ways) -> Interval:
    (name,) = price.names
    return ways.inputs[name]


def _judge_item(ways: Ways, answers: int) -> CostItem:
    """A judge's calls, where a model scores: it reads the call, its answer and a right one."""
    cost = None
    source = "not in the sums, and only where a model scores"
    by_tokens = _paid_by_tokens(ways)
    if by_tokens and all(name in ways.inputs for name in by_tokens.names):
        usd_in, usd_out = by_tokens.request
        tokens_in = _only_input(usd_in, ways)
        tokens_out = _only_input(usd_out, ways)
        judged = _JUDGED_TOKENS * usd_out.factor
        cost = at_ends(
            lambda read, written: (
                answers * ((read + 2 * written) * usd_in.factor + judged)
            ),
            tokens_in,
            tokens_out,
        )
        read = spread(tokens_in + tokens_out + tokens_out, count)
        prices = listing(
            [mtok_usd(of.factor * TOKENS_PER_MTOK) for of in by_tokens.request]
        )
        source += (
            f": {count(answers)} answers, {read} tokens in (the call, its answer and a right one) "
            f"and {_JUDGED_TOKENS} out at {prices} a million tokens ({by_tokens.name}). The "
            "rubric adds to that"
        )
    ask = "state the tokens of a call and the models that serve it (economics.traffic, models)"
    usd = _number_or_ask(cost, ask)
    return CostItem(when="up front", what=_JUDGE, usd=usd, source=source, in_sum=False)


def _paid_by_tokens(ways: Ways) -> ServingOption | None:
    """The way that runs today, else the cheapest untuned one, if it is paid by tokens."""
    costs = [] if ways.bill is None else [ways.bill]
    costs += [cost for cost in ways.costs if not cost.option.tuned]
    costs += ways.rivals
    for cost in costs:
        # a price for tokens in, and one for tokens out
        if len(cost.option.request) == 2:
            return cost.option
    return None


def _possible_saving(
    counted: Savings | None, closed: ClosedForm | Payback, bill: Interval | None
) -> Number:
    """The most that tuning could save per month: computed, else stated, but at most the bill."""
    if counted:
        return counted.usd.narrowed()
    if bill is None:
        return Unknown(ask=_BILL)
    if isinstance(closed, ClosedForm) and closed.stated.high > 0:
        return (closed.possible or closed.stated).narrowed()
    return Range.between(0.0, bill.high)


def _steps(
    model: CostModel, savings: Savings | None, closed: ClosedForm, framework: Framework
) -> tuple[str, str, str, str]:
    """Lines from the amounts to the months until it is repaid, one for each ``StepId``.

    They have likely values. Where an amount is a range, the last line has the best and worst
    pairing.
    """
    benefits = model.sum_text((*model.savings, *model.quality))
    running = model.sum_text(model.running or ())
    if savings is not None:
        benefits = f"{usd(savings.usd.value)} saved on calls (computed below)"
        stated = model.text((*model.savings, *model.quality))
        if stated:
            benefits += f" + {stated}"
        running = usd(savings.fixed.value if savings.fixed else 0.0)
    back = _break_even_text(model, closed, framework)
    a_month = model.a_month
    if savings:
        running_line = f"Running costs{a_month} beside serving: {running} (below)"
    else:
        running_line = f"Running costs{a_month}: {running}"
    return (
        f"Up front: {model.sum_text(model.upfront or ())}",
        f"Benefits{a_month}: {benefits}",
        running_line,
        f"Left{a_month}: {spread(closed.net, usd)}. Break-even: {back}",
    )


def _break_even_text(model: CostModel, closed: ClosedForm, framework: Framework) -> str:
    """When it is repaid, by likely values, and for ranges over all pairings of their ends."""
    point = closed.months.value
    if not model.recurrence.repeats:
        if math.isinf(point):
            return "never, as less than that remains"
        return "with the job"
    if closed.upfront.value <= 0:
        text = "at once, nothing is spent up front"
    elif math.isinf(point):
        text = "never, as nothing remains to repay it"
    else:
        spent = usd(closed.upfront.value)
        left = usd(closed.net.value)
        text = f"{spent} / {left} = {months(point)}"
    if closed.months.low != closed.months.high:
        ends = months_range(closed.months.low, closed.months.high)
        text += f", and {ends} over all pairings of the ranges"
    if framework.break_even is not None:
        text += f" (it has to be under {months(framework.break_even.under_months)})"
    return text


def _months(value: Interval | Unknown) -> Any:
    """Months, or a volume, in the form of a dossier: ``never`` where every end is infinite."""
    if isinstance(value, Unknown):
        return value
    return "never" if math.isinf(value.low) else value.narrowed()


def _figures_by_traffic(amounts: ReckonedAmounts) -> Computed | Unknown:
    """The figures by traffic and prices; or what to state first where there is no price."""
    savings = amounts.savings
    ways = amounts.ways
    if not isinstance(savings, Unknown):
        saved: Number = savings.usd.narrowed()
        volume = _months(savings.volume)
        month = _months(savings.month)
        steps = tuple(computed_steps(savings, amounts.model))
    elif ways.costs or ways.rivals:
        saved = savings
        volume = savings
        month = savings
        steps = ()
    else:
        return savings
    return Computed(
        servings=amounts.servings,
        rivals=amounts.rivals,
        best_untuned=_best_untuned(ways.costs),
        savings_usd_per_month=saved,
        pays_from_requests_per_month=volume,
        pays_from_month=month,
        steps=steps,
    )


def _best_untuned(costs: Sequence[ServingCost]) -> str:
    """The cheapest admissible untuned way; without one, the cheapest that isn't ruled out."""
    known = [
        c
        for c in costs
        if not c.option.tuned and c.usd is not None and c.admissible != "no"
    ]
    if known:
        return min(known, key=lambda c: c.admissible != "yes").option.name
    return "none"


def _serving(cost: ServingCost) -> ServingResult:
    return ServingResult(
        model=cost.option.model,
        how=cost.option.how,
        tuned=cost.option.tuned,
        usd_per_month=_number_or_ask(cost.usd, cost.reasons[0]),
        admissible=cost.admissible,
        why="; ".join(cost.reasons),
    )
