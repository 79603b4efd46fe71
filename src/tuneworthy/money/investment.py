"""The money of a case: its amounts, each computed once, and whether they justify tuning."""

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
from tuneworthy.money.savings import (
    Savings,
    Stakes,
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
    NO_RATE,
    PRICE_FALL,
    RATE,
    REQUESTS,
    SAVINGS,
    CostModel,
    CostPart,
    TrainingCost,
    at_ends,
    build_cost_model,
    change_items,
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

_BILL = "state the bill (today.usd_per_month), or traffic and the models that serve it"


def draw(stakes: Stakes, seed: int) -> Draws | None:
    """Run ``simulate``, which is imported only when it is needed."""
    from tuneworthy.money.simulate import simulate

    return simulate(stakes, seed)


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
    settle: str  #: The step that would settle it.
    #: USD before the first version is live; None where nobody knows.
    upfront: Number | None
    model: CostModel  #: Every amount, as the plan splits it.


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


# The amounts of a case, each computed once.


@dataclass(frozen=True)
class CaseAmounts:
    """The amounts of a case before any draw, of one month or of a job.

    A saving that nobody stated is computed at today's volume, and counts. Other benefits have no
    default. What is below ``open`` is defined only where that is empty.
    """

    model: CostModel
    ways: Ways
    savings: Savings | Unknown  #: By traffic and prices.
    under_months: float  #: Months within which it has to pay back.

    @cached_property
    def counted(self) -> Savings | None:
        """The computed saving, unless one is stated: then None, as the stated one counts."""
        if isinstance(self.savings, Unknown) or self.model.savings:
            return None
        return self.savings

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
        low, middle, high = (
            min(end, MOST_USD) for end in (bill.low, bill.value, bill.high)
        )
        return Amount(low=low, likely=middle, high=high)

    @cached_property
    def upfront(self) -> Interval | None:
        """USD before the first version is live; None where it is unknown."""
        return self.model.priced(self.model.upfront)

    @property
    def upfront_usd(self) -> Number | None:
        """The same in the form of a dossier."""
        return self.upfront.narrowed() if self.upfront else None

    @cached_property
    def pilot(self) -> Interval | None:
        """The part of it that is paid before anybody knows whether tuning works."""
        terms = self.model.pilot.usd
        return self.model.priced(terms) if terms else None

    @cached_property
    def running(self) -> Interval | None:
        """USD a month that a tuned model takes, its serving included."""
        return self.model.priced(self.model.running)

    @cached_property
    def must_bring(self) -> Interval | None:
        """USD a month that repay it in time, with running costs; None where hours lack a rate.

        For a job that runs once, the amount that the job has to bring.
        """
        if self.upfront is None or self.running is None:
            return None
        within = self.model.recurrence.months(self.under_months)
        return at_ends(
            lambda once, month: month + once / within, self.upfront, self.running
        )

    @cached_property
    def servings(self) -> tuple[ServingResult, ...]:
        """Every way to serve the traffic, the cheapest first."""
        return tuple(map(_serving, self.ways.costs))

    @cached_property
    def rivals(self) -> tuple[ServingResult, ...]:
        """Hosted models that nobody listed."""
        return tuple(map(_serving, self.ways.rivals))

    @cached_property
    def open(self) -> str:
        """What to state before anybody can say when it pays back; empty where all is known."""
        model = self.model
        counted = self.counted
        if counted is None and not model.savings and not model.quality:
            return self._state_a_benefit()
        if self.upfront is None or self._besides is None:
            return model.lacks or NO_RATE
        return ""

    def _state_a_benefit(self) -> str:
        """A saving can't help where even the whole bill is less than tuning has to bring."""
        needed = self.must_bring
        bill = self.bill
        a_month = self.model.a_month
        if bill is not None and needed is not None and bill.high < needed.low:
            return (
                f"it would have to bring over {usd(needed.low)}{a_month}, and the whole bill is "
                f"{usd_range(bill.low, bill.high)}: state what better answers are worth "
                "(economics.monthly.quality_value_usd)"
            )
        return f"state what it saves or is worth{a_month} (economics.monthly)"

    @property
    def is_known(self) -> bool:
        """Whether anything is known about the money."""
        computed = isinstance(self.savings, Savings)
        return bool(not self.open or computed or self.bill or self.ways.rivals)

    @property
    def _besides(self) -> Interval | None:
        """Running costs beside the serving where a saving is computed, else all of them."""
        return self.counted.fixed if self.counted else self.running

    @cached_property
    def stated(self) -> Interval:
        """The stated saving, USD a month."""
        return self.model.amount(self.model.savings)

    @cached_property
    def possible(self) -> Interval | None:
        """The part of a stated saving that the bill allows; None where it allows all of it."""
        bill = self.bill
        stated = self.stated
        if bill is None or self.counted:
            return None
        if stated.value <= bill.value and stated.high <= bill.high:
            return None
        return at_ends(min, stated, bill)

    @cached_property
    def gained(self) -> Interval:
        """What better answers are worth, USD a month."""
        return self.model.amount(self.model.quality)

    @cached_property
    def brings(self) -> Interval:
        """USD a month before running costs."""
        saved = self.counted.usd if self.counted else self.stated
        return saved + self.gained

    @cached_property
    def net(self) -> Interval:
        """USD a month after running costs."""
        if self.counted and self.counted.net is not None:
            return self.counted.net + self.gained
        assert self._besides is not None  # nothing is open
        return self.brings - self._besides

    @cached_property
    def months(self) -> Interval:
        """Months to break-even, from the best pairing of the ends to the worst."""
        return self._months_to_repay(self.net)

    @cached_property
    def table_running(self) -> Interval | None:
        """Running costs by the framework's own table; None without an hourly rate or a table."""
        if not self.model.table:
            return None
        return self.model.priced(
            usd_of(self.model.table, "inference" if self.counted else "")
        )

    @property
    def table_months(self) -> Interval | None:
        """Months to break-even with those."""
        if not self.table_running:
            return None
        return self._months_to_repay(self.brings - self.table_running)

    def _months_to_repay(self, left: Interval) -> Interval:
        assert self.upfront is not None  # nothing is open
        best_first = Interval(left.high, left.value, left.low)
        return at_ends(self.model.recurrence.months_to_repay, self.upfront, best_first)

    @property
    def break_even_months(self) -> Any:
        """Months to break-even by one month's amounts; None where nothing is known about the money."""
        if not self.is_known:
            return None
        return Unknown(ask=self.open) if self.open else _months(self.months)

    @property
    def possible_saving(self) -> Number:
        """The most that tuning could save per month: computed, else stated, but at most the bill."""
        if self.counted:
            return self.counted.usd.narrowed()
        if self.bill is None:
            return Unknown(ask=_BILL)
        if not self.open and self.stated.high > 0:
            return (self.possible or self.stated).narrowed()
        return Range.between(0.0, self.bill.high)


def reckon_amounts(context: MoneyContext) -> CaseAmounts:
    """The amounts of a case that depend neither on draws nor on the chance that tuning works."""
    case = context.case
    framework = context.framework
    margin = framework.threshold("margin_quality") or 0.0
    ways = serving_costs(
        case, context.prices, context.sovereign, context.as_of, margin=margin
    )
    premium = taken(facts_on(context.as_of).assumptions["hosted_premium"])
    serving = tuned_serving(case, ways, premium, tuned_offers(context.as_of))
    model = build_cost_model(
        case,
        framework,
        serving=serving.terms,
        more=serving.inputs,
        is_named=serving.is_named,
        lacking=_lacking(case, framework, context.fits),
        training=_training_cost(case, context.fits, context.as_of),
    )
    return CaseAmounts(model, ways, compare(case, ways, model), context.under_months)


def assess_money(context: MoneyContext, amounts: CaseAmounts) -> MoneyFindings:
    """Draw the uncertain amounts where they are known, and judge when it pays back."""
    draws = None
    if not amounts.open:
        sampler = context.sampler or draw
        draws = sampler(stakes_of(context, amounts), context.seed)
    payback = _open_for_rival(_payback(context, amounts, draws), amounts)
    if amounts.is_known:
        result: InvestmentResult | Unknown = _result(context, amounts, draws, payback)
    else:
        asks = [amounts.open]
        if RATE not in amounts.model.inputs:
            asks.append(NO_RATE)
        result = Unknown(ask="; ".join(dict.fromkeys([*asks, _BILL])))
    return MoneyFindings(
        result=result,
        gate=GateResult(id="investment", state=payback.state, why=payback.why),
        settle=payback.settle,
        upfront=amounts.upfront_usd,
        model=amounts.model,
    )


def taken(fact: Assumption) -> Interval:
    """A fact that is assumed where a case doesn't state the amount."""
    return Interval(fact.low, fact.likely, fact.high)


def stakes_of(context: MoneyContext, amounts: CaseAmounts) -> Stakes:
    """The amounts for the simulation; an assumed one has its fact with it."""
    case = context.case
    inputs: dict[str, Interval] = {}
    says: dict[str, str] = {}
    for name, fact in _assumed_of(case, context.as_of).items():
        inputs[name] = taken(fact)
        says[name] = f"{fact.says} Read on {day(fact.dated)}"
    if context.works is not None:
        inputs[FAILURE] = Interval.certain(1) - context.works.value
        says[FAILURE] = context.works.says
    model = amounts.model
    bill = amounts.ways.bill
    rule = context.framework.break_even
    return Stakes(
        model=model,
        savings=amounts.counted,
        bill=bill.option if bill else None,
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


# The framework's rule, each answer with its reason.

_WORTH = ("low", "medium", "high")  #: Strategic values, in order.


class Payback(NamedTuple):
    """The result of the framework's break-even rule for the investment."""

    state: State
    why: str
    #: The step that would settle it; where it is empty, the reason says so.
    settle: str = ""
    but: str = ""  #: The sentence of its reason that objects to a payback in time.


def _payback(
    context: MoneyContext, amounts: CaseAmounts, draws: Draws | None
) -> Payback:
    """Judge the investment by the framework's break-even rule; a job has to pay for itself.

    Yes when every pairing of the ranges pays back in time; no when none does. Where the amounts
    can't decide, a strategic value that is too low does; otherwise it is unknown with the question
    to ask. The amounts know one month. Growth, the model's life and the chance that tuning fails
    are only in the simulated runs, so a yes that the median run contradicts is unknown.
    """
    lacks = _lacking_value(context)
    if amounts.open:
        return Payback("no", lacks) if lacks else Payback("unknown", amounts.open)
    carries = _carries_text(amounts)
    if context.framework.break_even is None:
        return Payback(
            "unknown",
            f"{carries}, and no rule judges that",
            "ask the budget owner when it has to have paid back",
        )
    limit = context.under_months
    low = amounts.months.low
    high = amounts.months.high
    takes = carries
    in_time = "with the job"
    asked = ""
    # A job has no months to count: it pays with the job or never.
    if amounts.model.recurrence.repeats:
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
            return _contradicted_by_runs(amounts, carries, in_time)
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


def _spent_text(amounts: CaseAmounts) -> str:
    assert amounts.upfront is not None  # nothing is open
    return usd_range(amounts.upfront.low, amounts.upfront.high)


def _carries_text(amounts: CaseAmounts) -> str:
    """Say what remains in a month to repay what is spent before."""
    remains = "nothing remains"
    if amounts.net.high > 0:
        left = usd_range(amounts.net.low, amounts.net.high)
        remains = f"{left}{amounts.model.a_month} remains"
    return f"after running costs {remains} to repay {_spent_text(amounts)}"


def _contradicted_by_runs(amounts: CaseAmounts, carries: str, in_time: str) -> Payback:
    """The result for a yes by one month's amounts that the median run contradicts."""
    model = amounts.model
    how = model.recurrence.drawn
    if amounts.possible is not None:
        carries = (
            f"the stated saving is {usd(amounts.stated.value)}{model.a_month}, but at most "
            f"{usd(amounts.possible.value)} is possible today"
        )
        how = model.recurrence.drawn_capped
    why = f"{carries}. {capital(how)} {_spent_text(amounts)} isn't repaid {in_time}"
    return Payback("unknown", why, settle=model.recurrence.find_saving)


def _open_for_rival(payback: Payback, amounts: CaseAmounts) -> Payback:
    """Open a yes by a saving that a model nobody ran could achieve without tuning."""
    ways = amounts.ways
    if payback.state != "yes" or not ways.rivals:
        return payback
    rival, *_ = ways.rivals  # the cheapest
    assert rival.usd is not None  # only priced ones are listed
    assert amounts.upfront is not None  # nothing is open
    # What tuning saves on calls today, and what is left of that beside the rival.
    if amounts.counted:
        saved = amounts.counted.usd.value
        left = rival.usd.value - amounts.counted.tuned.usd(likely(ways.inputs))
    else:
        saved = amounts.stated.value
        left = min(saved, rival.usd.value)
    if saved <= left:
        return payback
    still = amounts.net.value - saved + left
    recurrence = amounts.model.recurrence
    if recurrence.months_to_repay(amounts.upfront.value, still) < amounts.under_months:
        return payback
    bill = usd_range(rival.usd.low, rival.usd.high)
    but = (
        f"The same calls cost {bill}{recurrence.a_month} with {rival.option.model}, "
        "which would take away what tuning saves on calls, and nobody has run it here"
    )
    settle = f"run {rival.option.model} on the evaluation set: tuneworthy ceiling CASE"
    return Payback("unknown", f"{payback.why}. {but}", settle, but)


# The section of the dossier.


def _result(
    context: MoneyContext, amounts: CaseAmounts, draws: Draws | None, payback: Payback
) -> InvestmentResult:
    """The section. Figures that need a benefit are unknown where nobody states one."""
    rule = context.framework.break_even
    model = amounts.model
    known = None if amounts.open else amounts
    later = Unknown(ask=amounts.open or payback.why)
    lacks = model.lacks or NO_RATE
    upfront = amounts.upfront
    build = (
        at_ends(operator.sub, upfront, amounts.pilot)
        if upfront and amounts.pilot
        else None
    )
    in_time: Number | None = draws.in_time if draws else later
    no_rule = Unknown(
        ask="the framework has no break-even rule: add break_even.under_months"
    )
    no_table = lacks
    if not model.recurrence.repeats:
        no_table = "the table is for work that goes on"
    table_months = known.table_months if known else None
    brings: Number = later
    if known:
        brings = _COMPUTED if known.counted else known.brings.narrowed()
    result = InvestmentResult(
        bill_usd=_number_or_ask(amounts.bill, _BILL),
        possible_saving_usd=amounts.possible_saving,
        must_bring_usd=_number_or_ask(amounts.must_bring if rule else None, lacks),
        ask_usd=AskUsd(
            pilot=_number_or_ask(amounts.pilot, lacks),
            build=_number_or_ask(build, lacks),
            run_month=_number_or_ask(amounts.running, lacks),
        ),
        case_usd=_case_usd(model, context.framework),
        gain_usd=draws.gain_usd if draws else later,
        capped=known is not None and known.possible is not None,
        one_off=not model.recurrence.repeats,
        upfront_usd=_number_or_ask(upfront, lacks),
        brings_usd=brings,
        gained_usd=known.gained.narrowed() if known else later,
        growth_per_month=_number_or_ask(
            model.inputs.get(GROWTH),
            "state how traffic grows (economics.traffic.growth_per_month)",
        ),
        monthly_net_usd=known.net.narrowed() if known else later,
        break_even_months=_break_even_months(known, draws, later),
        limit_months=no_rule if rule is None else rule.under_months,
        p_within_6_months=no_rule if in_time is None else in_time,
        justified=payback.state,
        why=payback.why,
        but=payback.but,
        assumed=_assumed_costs(known),
        by_table=ByTable(
            ongoing_usd=_number_or_ask(
                known.table_running if known else None, no_table
            ),
            break_even_months=_months(table_months or Unknown(ask=no_table)),
        ),
        steps=(),
        computed=later,
        simulation=draws.simulation if draws else later,
    )
    waiting: dict[str, Callable[[], Any]] = {
        "items": lambda: tuple(_items(context, amounts)),
        "scenarios": lambda: draws.details().scenarios if draws else (),
        "worth": lambda: _worth_of_knowing(context.case, draws, result),
        "steps": lambda: _steps(known, context.framework) if known else (),
        "computed": lambda: _figures_by_traffic(amounts),
    }
    return result.postpone(waiting)


_COMPUTED = Unknown(ask="see computed: the saving is computed from traffic and prices")


def _assumed_costs(known: CaseAmounts | None) -> tuple[str, ...]:
    """Amounts nobody stated, taken from the table or computed."""
    if known is None:
        return ()
    return (*known.model.assumed, SAVINGS) if known.counted else known.model.assumed


def _break_even_months(
    known: CaseAmounts | None, draws: Draws | None, later: Unknown
) -> BreakEven:
    """Months by one month's amounts, and the 10th, 50th and 90th percentile of the runs."""
    point = _months(known.months) if known else later
    if draws is None:
        return BreakEven(point=point, p10=later, p50=later, p90=later)
    p10, p50, p90 = (_months(Interval.certain(months)) for months in draws.months)
    return BreakEven(point=point, p10=p10, p50=p50, p90=p90)


def _worth_of_knowing(
    case: Case, draws: Draws | None, result: InvestmentResult
) -> tuple[InformationValue, ...]:
    """The worth of finding things out: by the simulated runs, and by more cases where they help."""
    worth = draws.details().worth if draws else ()
    today = case.today
    target = case.targets.quality
    if target is None or today.quality is None or not today.cases:
        return worth
    more = more_cases(result, today.quality, today.cases, target.at_least)
    return (more, *worth) if more else worth


def _number_or_ask(amount: Interval | None, ask: str) -> Number:
    return Unknown(ask=ask) if amount is None else amount.narrowed()


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
        return Unknown(ask=model.lacks or NO_RATE)
    return design.value * rule.design_share / rule.evaluation_cases


_BY = {
    "table": "the framework's table",
    "plan": "computed",
    "serving": "traffic and prices",
}


def _items(context: MoneyContext, amounts: CaseAmounts) -> Iterator[CostItem]:
    """The parts of the costs, and the amounts outside their sum."""
    model = amounts.model
    month = model.recurrence.when
    yield from _category_items(model, "up front", model.upfront_parts)
    if amounts.pilot:
        yield CostItem(
            when="up front",
            what="of it a pilot",
            usd=amounts.pilot.narrowed(),
            source=model.pilot.source,
            in_sum=False,
        )
    yield from _category_items(model, month, model.running_parts)
    tuned = None if isinstance(amounts.savings, Unknown) else amounts.savings.tuned
    sold = [each.option for each in amounts.ways.costs if each.option.tuned_at]
    if tuned is not None and tuned.gpu:
        yield _idle(tuned, amounts.ways, month)
    elif sold:
        yield from (_fee(option) for option in sold if option.fee)
    elif (
        model.recurrence.repeats  # an endpoint is paid by the month
        and context.case.tuning.service != "self_hosted"
        and (tuned is None or tuned.runs != "own")
    ):
        yield _endpoint(context, amounts.ways)
    yield from change_items(context.case, context.framework)


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
        lacks = NO_RATE
        if name == "training" and model.lacks:
            lacks = model.lacks
        cost = _number_or_ask(model.priced(part.usd), lacks)
        yield CostItem(when=when, what=plain(name), usd=cost, source=source)


def _idle(tuned: ServingOption, ways: Ways, month: str) -> CostItem:
    """The cost of GPUs that are always on beyond what calls take."""
    values = likely(ways.inputs)
    hour, each, full, always = (values[name] for name in tuned.gpu)
    hours = always * HOURS_PER_MONTH - values[REQUESTS] / (each * full)
    return CostItem(
        when=month,
        what="of it idle GPUs",
        usd=max(hours, 0.0) * hour,
        source="traffic and economics.serving",
        in_sum=False,
    )


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
        text = endpoint_text(offers, None if call is None else call[0].value)
        says = f"{text}. Looked up on {day(facts.dated)}"
    return CostItem(
        when="each month",
        what="endpoint of its own",
        usd=fee.narrowed(),
        source=f"not in the sums, and only where hours are billed: {says}",
        in_sum=False,
    )


def _steps(amounts: CaseAmounts, framework: Framework) -> tuple[str, str, str, str]:
    """Lines from the amounts to the months until it is repaid, one for each ``StepId``.

    They have likely values. Where an amount is a range, the last line has the best and worst
    pairing.
    """
    model = amounts.model
    a_month = model.a_month
    counted = amounts.counted
    benefits = model.sum_text((*model.savings, *model.quality))
    running = f"Running costs{a_month}: {model.sum_text(model.running or ())}"
    if counted is not None:
        benefits = f"{usd(counted.usd.value)} saved on calls (computed below)"
        stated = model.text((*model.savings, *model.quality))
        if stated:
            benefits += f" + {stated}"
        besides = usd(counted.fixed.value if counted.fixed else 0.0)
        running = f"Running costs{a_month} beside serving: {besides} (below)"
    back = _break_even_text(amounts, framework)
    return (
        f"Up front: {model.sum_text(model.upfront or ())}",
        f"Benefits{a_month}: {benefits}",
        running,
        f"Left{a_month}: {spread(amounts.net, usd)}. Break-even: {back}",
    )


def _break_even_text(amounts: CaseAmounts, framework: Framework) -> str:
    """When it is repaid, by likely values, and for ranges over all pairings of their ends."""
    assert amounts.upfront is not None  # nothing is open
    point = amounts.months.value
    if not amounts.model.recurrence.repeats:
        if math.isinf(point):
            return "never, as less than that remains"
        return "with the job"
    if amounts.upfront.value <= 0:
        text = "at once, nothing is spent up front"
    elif math.isinf(point):
        text = "never, as nothing remains to repay it"
    else:
        spent = usd(amounts.upfront.value)
        left = usd(amounts.net.value)
        text = f"{spent} / {left} = {months(point)}"
    if amounts.months.low != amounts.months.high:
        ends = months_range(amounts.months.low, amounts.months.high)
        text += f", and {ends} over all pairings of the ranges"
    if framework.break_even is not None:
        text += f" (it has to be under {months(framework.break_even.under_months)})"
    return text


def _months(value: Interval | Unknown) -> Any:
    """Months, or a volume, in the form of a dossier: ``never`` where every end is infinite."""
    if isinstance(value, Unknown):
        return value
    return "never" if math.isinf(value.low) else value.narrowed()


def _figures_by_traffic(amounts: CaseAmounts) -> Computed | Unknown:
    """The figures by traffic and prices; or what to state first where there is no price."""
    savings = amounts.savings
    costs = amounts.ways.costs
    saved: Number
    if not isinstance(savings, Unknown):
        saved = savings.usd.narrowed()
        volume = _months(savings.volume)
        month = _months(savings.month)
        steps = tuple(computed_steps(savings, amounts.model))
    elif costs or amounts.ways.rivals:
        saved = volume = month = savings
        steps = ()
    else:
        return savings
    able = [
        cost
        for cost in costs
        if not cost.option.tuned and cost.usd is not None and cost.admissible != "no"
    ]
    # the cheapest admissible one; without one, the cheapest that isn't ruled out
    best = min(able, key=lambda cost: cost.admissible != "yes", default=None)
    return Computed(
        servings=amounts.servings,
        rivals=amounts.rivals,
        best_untuned=best.option.name if best else "none",
        savings_usd_per_month=saved,
        pays_from_requests_per_month=volume,
        pays_from_month=month,
        steps=steps,
    )


def _serving(cost: ServingCost) -> ServingResult:
    return ServingResult(
        model=cost.option.model,
        how=cost.option.how,
        tuned=cost.option.tuned,
        usd_per_month=_number_or_ask(cost.usd, cost.reasons[0]),
        admissible=cost.admissible,
        why="; ".join(cost.reasons),
    )
