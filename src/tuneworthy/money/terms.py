"""A case's statements about money as sums, with the framework's table where the case is silent."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from tuneworthy.framework.load import case_fields
from tuneworthy.model.base import (
    MONTHS_PER_QUARTER,
    FileRecord,
    Interval,
    Number,
    Range,
    Unknown,
    break_even,
    field_path,
)
from tuneworthy.model.case import AmountOf, Case
from tuneworthy.model.dossier import CostItem
from tuneworthy.model.framework import CostRow, CostTable, Framework, PlanRule, Span
from tuneworthy.words import (
    amount,
    count,
    counted,
    listing,
    number,
    plain,
    share,
    usd,
    usd_range,
)

RATE = "economics.hourly_rate_usd"
BILL = "today.usd_per_month"
REQUESTS = "economics.traffic.requests_per_month"
GROWTH = "economics.traffic.growth_per_month"
LIFE = "economics.assumptions.model_life_months"
PRICE_FALL = "economics.assumptions.price_fall_per_year"
DISCOUNT = "economics.assumptions.discount_per_year"
FAILURE = "economics.assumptions.failure_chance"
SAVINGS = "economics.monthly.api_savings_usd"
TRAINED = "plan.training_by_the_token.usd"
SERVED = "serving.usd_per_month"
SERVED_CALL = "serving.usd_per_call"
ENDPOINT = "serving.endpoint_usd_per_month"
PREMIUM = "serving.premium_of_a_hosted_tuned_model"

NO_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"

# How the money of a case recurs: month after month, or once, for a job that ends.


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What differs between work that goes on and a job that runs once."""

    repeats: bool  #: Whether there is a second month.
    a_month: str  #: The words behind the amount of a period.
    when: str  #: The period of an amount in the list of costs.
    left_out: frozenset[str]  #: Inputs that change nothing.
    never_ends: str  #: What is assumed without a life of the tuned model.
    drawn: str  #: How a saving is simulated.
    drawn_capped: str  #: The same for a saving above the bill.
    find_saving: str  #: What to do where the simulated runs don't pay back.

    def months(self, wanted: float) -> int | float:
        """The months that money counts for: as many as wanted; one for a job."""
        return wanted if self.repeats else 1

    def limit_months(self, under_months: float) -> float:
        """Months within which the money has to come back; infinite for a job, which has one."""
        return under_months if self.repeats else math.inf

    def months_to_repay(self, spent: float, left: float) -> float:
        """Months until ``left`` a period repays what was spent; infinite for never.

        A job repays it at once or never.
        """
        if self.repeats:
            return break_even(spent, left)
        return 1.0 if left >= spent else math.inf


MONTHLY = Recurrence(
    repeats=True,
    a_month=" per month",
    when="each month",
    left_out=frozenset(),
    never_ends="the tuned model never has to be tuned anew",
    drawn="month by month, with growth and the model's life,",
    drawn_capped="capped at each month's bill,",
    find_saving="find a saving within the month's bill, or state the growth that brings it",
)

ONCE = Recurrence(
    repeats=False,
    a_month="",
    when="for the job",
    # a job is over before traffic grows, a price falls or a model ends
    left_out=frozenset({GROWTH, LIFE, PRICE_FALL}),
    never_ends="the job runs once: nothing is trained again, and nothing comes after it",
    drawn="capped at its bill,",
    drawn_capped="capped at its bill,",
    find_saving="find a saving within the bill of the job",
)


def recurrence_of(case: Case) -> Recurrence:
    """How the money of a case recurs."""
    return ONCE if case.one_off else MONTHLY


# Amounts as sums of products.

Values = Mapping[str, Any]
"""Value of every input: a number, or an array with one number for each draw."""


Inputs = Mapping[str, Interval]
"""Inputs by the dotted path of their statement; ``table.…`` for those of the framework."""


def stated(case: Case) -> dict[str, Interval]:
    """Every stated amount that the money may depend on; for a job, only those that end with it."""
    amounts: dict[str, object] = {BILL: case.today.usd_per_month}

    def read(path: str, value: object) -> Iterator[tuple[str, Interval]]:
        if isinstance(value, AmountOf):
            yield path, value.interval
        elif isinstance(value, FileRecord):
            for name in type(value).model_fields:
                yield from read(f"{path}.{name}", getattr(value, name))

    for place, model in enumerate(case.models, start=1):
        amounts[f"models.{place}.serving"] = model.serving
    amounts["economics"] = case.economics
    inputs = dict(pair for path, value in amounts.items() for pair in read(path, value))
    left_out = recurrence_of(case).left_out
    return {name: amount for name, amount in inputs.items() if name not in left_out}


class Product(NamedTuple):
    """A product of inputs and a constant."""

    names: tuple[str, ...]
    factor: float = 1.0
    says: str = ""  #: A description, where its inputs don't give one.

    def value(self, values: Values) -> Any:
        """The value of the product; an array where the values are arrays."""
        result: Any = 1.0
        for name in self.names:
            result = result * values[name]
        return result * self.factor

    def text(self, inputs: Inputs) -> str:
        """The calculation in words: ``60 h × $100``, with the subject where it isn't obvious."""
        intervals = self._intervals(inputs)
        if self.says:
            whole = at_ends(
                lambda *at: float(math.prod(at, start=self.factor)), *intervals
            )
            return f"{self.says} {spread(whole, usd)}"
        first, *_ = self.names
        factors = []
        for name, interval in zip(self.names, intervals, strict=True):
            factors.append(_factor(name, interval))
        product = " × ".join(factors)
        if first.endswith(("retraining_hours_per_quarter", "retraining.hours")):
            product += " / 3"
        subject = _subject_of(first)
        return f"{subject} {product}" if subject else product

    def _intervals(self, inputs: Inputs) -> list[Interval]:
        return [inputs[name] for name in self.names]


Sum = tuple[Product, ...]


def total(terms: Iterable[Product], values: Values) -> Any:
    """The sum of products; 0 for none."""
    return sum((term.value(values) for term in terms), 0.0)


def at_ends(rule: Callable[..., float], *spreads: Interval) -> Interval:
    """Apply a rule to the low ends, to the likely values, and to the high ends."""
    return Interval(
        rule(*(spread.low for spread in spreads)),
        rule(*(spread.value for spread in spreads)),
        rule(*(spread.high for spread in spreads)),
    )


def likely(inputs: Inputs) -> dict[str, float]:
    """The likeliest value of every input."""
    return {name: amount.value for name, amount in inputs.items()}


def corners(inputs: Inputs, names: Iterable[str]) -> Iterator[dict[str, float]]:
    """Every pairing of the ends of some inputs, the others at their likeliest: 2ⁿ for n ranges."""
    open_names = sorted(
        {name for name in names if name in inputs and inputs[name].varies}
    )
    ends = [(inputs[name].low, inputs[name].high) for name in open_names]
    for chosen in product(*ends):
        values = likely(inputs)
        values.update(zip(open_names, chosen, strict=True))
        yield values


# What tuning costs and brings.

_RETRAINED = ("data_preparation", "training")
"""Costs that are due again for the next base model; the test and the integration stay."""

LACKING = "missing_data"
LACKING_FIRST = "missing_data_of_the_pilot"
"""Categories of the upfront cost for data that are still missing."""


class TrainingCost(NamedTuple):
    """The cost of the compute for training."""

    usd: Interval
    how: str  #: How it is computed.
    of_base: bool
    """Whether it rests on the price of the base that would be tuned; else others' stand in."""


@dataclass(frozen=True, slots=True)
class CostPart:
    """A category of costs: its USD, and its hours of work."""

    usd: Sum = ()
    hours: Sum = ()
    source: str = ""  #: How it is computed, where its inputs don't tell.

    def times(self, share: float) -> CostPart:
        """A share of this category."""
        return CostPart(
            _multiply_terms(self.usd, share), _multiply_terms(self.hours, share)
        )

    def __add__(self, other: CostPart) -> CostPart:
        return CostPart((*self.usd, *other.usd), (*self.hours, *other.hours))


def usd_of(parts: Mapping[str, CostPart], but: str = "") -> Sum:
    """Categories of costs in one sum, without the one in ``but``."""
    return tuple(
        term for name, part in parts.items() if name != but for term in part.usd
    )


def _multiply_terms(terms: Sum, share: float) -> Sum:
    return tuple(term._replace(factor=term.factor * share) for term in terms if share)


class CostModel(NamedTuple):
    """Costs and benefits of tuning as sums over the inputs of a case, in USD."""

    inputs: Inputs
    #: Before the first version is live; None when hours can't be priced.
    upfront: Sum | None
    upfront_parts: Mapping[str, CostPart]
    """The upfront cost by category; {} when nobody states it and the framework has no table."""
    pilot: CostPart  #: The part that is paid before anybody knows whether tuning works.
    #: The part of it that is paid again when the model has to be tuned anew.
    retraining: Sum
    retraining_is: str  #: How it is known what is paid again.
    running: Sum | None
    """The running costs per month with the tuned model's serving; None when hours can't be priced."""
    running_parts: Mapping[str, CostPart]  #: The same by category.
    running_besides: Sum | None
    """The running costs without the serving, if it is stated separately; else None."""
    savings: Sum  #: A month saved on calls, as stated; empty when nobody stated it.
    quality: Sum  #: The monthly worth of better answers; empty when nobody stated it.
    #: Running costs by the framework's table; empty without one.
    table: Mapping[str, CostPart]
    assumed: tuple[str, ...]  #: Costs nobody stated, taken from the table.
    recurrence: Recurrence = MONTHLY
    #: The value to state before the upfront cost can be known, unless it is the rate.
    lacks: str = ""

    @property
    def a_month(self) -> str:
        """The words behind a monthly amount; empty for a job, which is paid once."""
        return self.recurrence.a_month

    def amount(self, terms: Sum) -> Interval:
        """A sum at the low ends, at the likely values and at the high ends of its inputs.

        It is correct only where every input raises the sum, as hours, rates and amounts do.
        """
        inputs = dict[str, Interval]()
        for term in terms:
            inputs |= {name: self.inputs[name] for name in term.names}
        low = total(terms, {name: each.low for name, each in inputs.items()})
        value = total(terms, {name: each.value for name, each in inputs.items()})
        high = total(terms, {name: each.high for name, each in inputs.items()})
        return Interval(float(low), float(value), float(high))

    def priced(self, terms: Sum | None) -> Interval | None:
        """The amount; None where the terms are unknown, or hours have no rate."""
        if terms is not None and _has_inputs(terms, self.inputs):
            return self.amount(terms)
        return None

    def sum_text(self, terms: Sum) -> str:
        """Products and their sum; only the sum where it is a single amount."""
        value = spread(self.amount(terms), usd)
        line = self.text(terms)
        return value if not line or line == value else f"{line} = {value}"

    def text(self, terms: Sum) -> str:
        """Products joined by plus signs; empty for none."""
        return " + ".join(term.text(self.inputs) for term in terms)


def build_cost_model(
    case: Case,
    framework: Framework,
    serving: Sum = (),
    more: Inputs | None = None,
    is_named: bool = True,
    lacking: tuple[Range, Range] | None = None,
    training: TrainingCost | Unknown | None = None,
) -> CostModel:
    """Every amount of a case as sums over its inputs.

    A cost nobody stated comes from the framework's table, which takes an hourly rate; a benefit
    nobody stated is left out.

    Args:
        case: The case.
        framework: The framework with its tables.
        serving: What serving the tuned model costs by traffic and prices, in the table's place.
        more: The inputs of that.
        is_named: Whether the tuned model is; without one the table holds as long as it is lower.
        training: What its compute costs by tokens and prices, or what would tell; else the table.
        lacking: Hours to collect the data that lack for a pilot, and the rest of them.
    """
    builder = _Builder(case, framework, stated(case) | dict(more or {}))
    upfront = builder.upfront(lacking, training)
    parts = upfront.parts
    running, running_parts = builder.running(serving, is_named=is_named)
    recurrence = recurrence_of(case)
    table = builder.table("ongoing") if recurrence.repeats else {}
    in_parts = case.economics.monthly.ongoing_usd is None and running_parts
    return CostModel(
        upfront=builder.or_none(upfront.whole),
        upfront_parts=parts,
        pilot=builder.pilot(parts),
        retraining=usd_of({name: parts[name] for name in _RETRAINED if name in parts}),
        retraining_is=upfront.retraining_is,
        running=builder.or_none(running),
        running_parts=running_parts,
        running_besides=builder.or_none(
            usd_of(running_parts, "inference") if in_parts else None
        ),
        savings=builder.money(SAVINGS),
        quality=builder.money("economics.monthly.quality_value_usd"),
        table=table,
        inputs=builder.inputs,
        assumed=tuple(builder.assumed),
        recurrence=recurrence,
        lacks=builder.lacks,
    )


def collecting_hours(
    rule: PlanRule, unit: str, wanted: float, have: float | None
) -> Range | None:
    """Hours to prepare missing data; None where the framework has no yield for its kind.

    Where nobody has counted the data, nothing is missing at the lower end, and everything at the
    upper.
    """
    lacking = wanted if have is None else max(0.0, wanted - have)
    if lacking == 0:
        return Range.between(0.0, 0.0)
    for name, per_hour in rule.per_hour.items():
        if name == unit:
            fewest = 0.0 if have is None else lacking / per_hour.high
            return Range.between(fewest, lacking / per_hour.low)
    return None


_PAID_AGAIN = "data preparation and training are paid again"


class _Upfront(NamedTuple):
    """The cost up to the first version."""

    whole: Sum | None  #: None where nobody states it and there is no table.
    parts: dict[str, CostPart]
    retraining_is: str = _PAID_AGAIN
    """How it is known which part is paid again."""


class _Builder:
    """Collects the inputs while it builds sums of them."""

    def __init__(
        self, case: Case, framework: Framework, inputs: dict[str, Interval]
    ) -> None:
        self.economics = case.economics
        self.costs = framework.costs
        self.rule = framework.plan
        self.inputs = inputs
        self.assumed: list[str] = []
        self.lacks = ""
        self.recurrence = recurrence_of(case)

    def or_none(self, terms: Sum | None) -> Sum | None:
        """The sum if it can be priced, else None."""
        if terms is not None and _has_inputs(terms, self.inputs):
            return terms
        return None

    def money(self, name: str, factor: float = 1.0) -> Sum:
        """A stated amount of money; an empty sum without one."""
        return (Product((name,), factor),) if name in self.inputs else ()

    def work(self, name: str, factor: float = 1.0) -> CostPart:
        """Hours at the hourly rate, as a category."""
        if name not in self.inputs or self.inputs[name].high == 0:
            return CostPart()
        return CostPart((Product((name, RATE), factor),), (Product((name,), factor),))

    def effort(self, path: str, factor: float = 1.0) -> CostPart:
        """Hours at the rate, and money on top."""
        return self.work(f"{path}.hours", factor) + CostPart(
            self.money(f"{path}.usd", factor)
        )

    def rows(self, table: CostTable) -> dict[str, CostRow]:
        """The rows of one of the framework's two tables; {} without one."""
        rows = None if self.costs is None else getattr(self.costs, table)
        return {str(name): row for name, row in (rows or {}).items()}

    def table(self, table: CostTable) -> dict[str, CostPart]:
        """The costs of the framework's table; {} without one."""
        parts: dict[str, CostPart] = {}
        for name, row in self.rows(table).items():
            path = f"table.{table}.{name}"
            self._take_span(f"{path}.hours", row.hours)
            self._take_span(f"{path}.usd", row.usd)
            times_a_month = 1 / MONTHS_PER_QUARTER if row.every == "quarter" else 1
            parts[name] = self.effort(path, times_a_month)
        return parts

    def _take_span(self, path: str, span: Span | None) -> None:
        """Take a span of the table as an input, its middle as the likely value."""
        if span is not None:
            self.inputs[path] = Interval(span.low, _middle(span), span.high)

    def shares(self, table: CostTable, kind: str = "") -> dict[str, float]:
        """Each category's share of the table's hours or money, at the middle; in USD for ''."""
        rate = self.inputs[RATE].value if RATE in self.inputs else 0.0
        weights = {"hours": (1.0, 0.0), "usd": (0.0, 1.0), "": (rate, 1.0)}
        of_hours, of_usd = weights[kind]
        middles = {}
        for name, row in self.rows(table).items():
            months = MONTHS_PER_QUARTER if row.every == "quarter" else 1
            middle = _middle(row.hours) * of_hours + _middle(row.usd) * of_usd
            middles[name] = middle / months
        whole = sum(middles.values())
        if whole:
            return {n: middle / whole for n, middle in middles.items() if middle}
        return {}

    def upfront(
        self,
        lacking: tuple[Range, Range] | None,
        training: TrainingCost | Unknown | None,
    ) -> _Upfront:
        """The cost up to the first version: as stated by category or in sum, else by the table."""
        stated = self.economics.upfront
        path = "economics.upfront"
        if stated.by_category:
            parts = {name: self.effort(f"{path}.{name}") for name in stated.by_category}
            return _Upfront(usd_of(parts), parts)
        if stated.hours is not None or stated.usd is not None:
            return self._stated_in_sum(path)
        parts = self.table("upfront")
        if not parts:
            return _Upfront(None, {})
        self.assumed.append(path)
        if isinstance(training, Unknown):
            self.lacks = training.ask
            parts["training"] = CostPart((Product((TRAINED,)),))
            return _Upfront(None, parts)
        if training is not None and self._replaces_row(training, parts):
            self.inputs[TRAINED] = training.usd
            by_token = Product((TRAINED,), says="training by the token")
            parts["training"] = CostPart((by_token,), source=training.how)
        if lacking is not None:
            for_pilot, rest = lacking
            parts[LACKING_FIRST] = self._collecting(LACKING_FIRST, for_pilot)
            parts[LACKING] = self._collecting(LACKING, rest)
        return _Upfront(usd_of(parts), parts)

    def _replaces_row(
        self, training: TrainingCost, parts: Mapping[str, CostPart]
    ) -> bool:
        """Whether a computed cost of training replaces the table's: for a known base, or a larger one."""
        if training.of_base or "training" not in parts:
            return True
        by_table = self.rows("upfront")["training"].usd
        return by_table is None or training.usd.value > by_table.high

    def _collecting(self, name: str, hours: Range) -> CostPart:
        """The hours to collect missing data, as a category."""
        path = f"plan.{name}.hours"
        middle = (hours.low + hours.most) / 2
        self.inputs[path] = Interval(hours.low, middle, hours.most)
        return self.work(path)

    def _stated_in_sum(self, path: str) -> _Upfront:
        """Hours and money stated as one sum, split by the shares of the framework's table."""
        hours = self.work(f"{path}.hours")
        money = CostPart(self.money(f"{path}.usd"))
        parts = dict[str, CostPart]()
        for kind, whole in (("hours", hours), ("usd", money)):
            shares = self.shares("upfront", kind) or {_RETRAINED[0]: 1.0}
            for name, part in shares.items():
                parts[name] = parts.get(name, CostPart()) + whole.times(part)
        sums = (*hours.usd, *money.usd)
        if self.rows("upfront"):
            at_share = f"{_PAID_AGAIN}, at their share of the framework's table"
            return _Upfront(sums, parts, at_share)
        return _Upfront(
            sums,
            parts,
            "the whole upfront cost is paid again, because the share of data preparation and "
            "training isn't stated",
        )

    def pilot(self, parts: Mapping[str, CostPart]) -> CostPart:
        """The amount spent until the first comparison; nothing where the framework plans no pilot."""
        if self.rule is None:
            return CostPart()
        # The pilot takes the whole design of the test, and half of what remains for running it.
        tested = (1 + self.rule.design_share) / 2
        shares = {
            **dict.fromkeys(_RETRAINED, self.rule.pilot_share),
            "evaluation": tested,
            LACKING_FIRST: 1.0,
        }
        whole = CostPart()
        says = []
        for name, spent in shares.items():
            if name in parts and parts[name].usd:
                whole += parts[name].times(spent)
                says.append(f"{share(spent)} of {plain(name)}")
        return replace(whole, source=listing(says))

    def running(
        self, serving: Sum, *, is_named: bool
    ) -> tuple[Sum | None, dict[str, CostPart]]:
        """Running costs per month, and by category: stated as a total, in parts, or by the table."""
        monthly = self.economics.monthly
        if monthly.ongoing_usd is not None:
            whole = self.money("economics.monthly.ongoing_usd")
            if self.recurrence.repeats:
                return whole, self._split(whole)
            return whole, {"inference": CostPart(whole)}
        if monthly.ongoing is not None:
            parts = self._stated_running()
            return usd_of(parts), parts
        parts = self._running_by_table(serving, is_named=is_named)
        return (usd_of(parts) if parts else None), parts

    def _stated_running(self) -> dict[str, CostPart]:
        """The running costs that a case states by category, per month."""
        path = "economics.monthly.ongoing"
        retraining = CostPart()
        if self.recurrence.repeats:
            quarterly = f"{path}.retraining_hours_per_quarter"
            retraining = self.work(quarterly, 1 / MONTHS_PER_QUARTER)
        return {
            "inference": CostPart(self.money(f"{path}.inference_usd")),
            "other": CostPart(self.money(f"{path}.other_usd")),
            "monitoring": self.work(f"{path}.monitoring_hours"),
            "retraining": retraining,
        }

    def _running_by_table(self, serving: Sum, *, is_named: bool) -> dict[str, CostPart]:
        """The running costs by the framework's table, per month; {} without one.

        ``serving`` takes the place of the table's inference, if it is known or lower.
        """
        parts = self.table("ongoing")
        if not self.recurrence.repeats:
            # nothing is watched or trained again after a job
            parts = {name: part for name, part in parts.items() if name == "inference"}
        if not parts:
            return {}
        self.assumed.append("economics.monthly.ongoing_usd")
        if serving and (is_named or self._below(serving, parts)):
            parts["inference"] = CostPart(serving)
        return parts

    def _below(self, serving: Sum, parts: Mapping[str, CostPart]) -> bool:
        table = parts.get("inference", CostPart()).usd
        values = likely(self.inputs)
        return bool(total(serving, values) < total(table, values))

    def _split(self, whole: Sum) -> dict[str, CostPart]:
        """A total, split into categories as the framework's table splits its own.

        Without a table all of it is inference. A category with work gets hours by the hourly rate.
        """
        parts = {}
        rows = self.rows("ongoing")
        for name, part in (self.shares("ongoing") or {"inference": 1.0}).items():
            usd = _multiply_terms(whole, part)
            rate = self.inputs.get(RATE)
            works = (
                rate is not None
                and rate.value > 0
                and name in rows
                and rows[name].hours
            )
            parts[name] = CostPart(
                usd, _multiply_terms(usd, 1 / rate.value) if rate and works else ()
            )
        return parts


# What is due again: a change of what runs, and a move to another base.

_MOVED = ("training", "evaluation", "deployment")
"""Costs of a move to another base. The examples stay, but the tuned model has to be checked anew."""
_DAYS_PER_WEEK = 7


def forced_move(
    case: Case, framework: Framework, training_usd: float | None = None
) -> str:
    """Cost of tuning again on another base, that nobody chose, in words; empty where unknown.

    As ``$2,012–$4,012: 20–40 hours of tests and integration, $12 of training``.
    """
    priced = None
    if training_usd is not None:
        cost = Interval.certain(training_usd)
        priced = TrainingCost(cost, "by its tokens", of_base=True)
    model = build_cost_model(case, framework, training=priced)
    again = CostPart()
    for name in _MOVED:
        again += model.upfront_parts.get(name, CostPart())
    parts = []
    if again.hours and model.amount(again.hours).high:
        parts.append(f"{_hours(model.amount(again.hours))} of tests and integration")
    if training_usd is not None:
        parts.append(f"{usd(training_usd)} of training")
    detail = ", ".join(parts)
    whole = model.priced(again.usd) if again.usd else None
    if whole is None and detail:
        return f"{detail}. State economics.hourly_rate_usd to price the hours"
    if whole is None:
        return ""
    ends = usd_range(whole.low, whole.high)
    return f"{ends}: {detail}" if detail else ends


def _hours(hours: Interval) -> str:
    # Compared as they are shown: ends that differ less than that are one.
    ends = dict.fromkeys((amount(hours.low), amount(hours.high)))
    return f"{'–'.join(ends)} hours"


def change_items(case: Case, framework: Framework) -> Iterator[CostItem]:
    """The cost of one change of a prompt, and of a tuned model, with the days that each takes."""
    if case.one_off:
        return  # nobody changes a job afterwards
    prompts = [
        (rule.effort_hours, f"as for {rule.title}")
        for rule in framework.options.values()
        if rule.kind == "prompt" and rule.effort_hours is not None
    ]
    if prompts:
        span, says = min(prompts, key=lambda each: each[0].high)
        hours = Interval(span.low, _middle(span), span.high)
        yield _change(case, framework, "one change of the prompt", hours, says)
    ongoing = case.economics.monthly.ongoing
    stated = None if ongoing is None else ongoing.retraining_hours_per_quarter
    row = None if framework.costs is None else framework.costs.ongoing.get("retraining")
    if stated is not None:
        hours = stated.interval
        says = "as the case states for a quarter"
    elif row is not None and row.hours is not None:
        hours = Interval(row.hours.low, _middle(row.hours), row.hours.high)
        says = "as the framework's table has it for a quarter"
    else:
        return
    yield _change(case, framework, "one change of the tuned model", hours, says)


def _change(
    case: Case, framework: Framework, what: str, hours: Interval, says: str
) -> CostItem:
    """A row of costs for a change, shown beside the sums and not part of them."""
    rate = case.economics.hourly_rate_usd
    cost: Number = Unknown(ask=NO_RATE)
    if rate is not None:
        cost = at_ends(operator.mul, hours, rate.interval).narrowed()
    source = f"not in the sums: {_hours(hours)}{_days(case, framework, hours)}, {says}"
    return CostItem(
        when="each change", what=what, usd=cost, source=source, in_sum=False
    )


def _days(case: Case, framework: Framework, hours: Interval) -> str:
    """Days for these hours at the team's pace; empty where the pace is unknown."""
    stated = case.economics.hours_per_week
    pace = framework.plan.hours_per_week if framework.plan is not None else None
    if stated is not None:
        pace = stated.likely
    if not pace:
        return ""
    least = math.ceil(hours.low / pace * _DAYS_PER_WEEK)
    most = math.ceil(hours.high / pace * _DAYS_PER_WEEK)
    span = counted(most, "day")
    if least != most:
        span = f"{least}–{span}"
    return f", {span} at {amount(pace)} hours a week"


def _has_inputs(terms: Sum, inputs: Inputs) -> bool:
    return all(name in inputs for term in terms for name in term.names)


def _middle(span: Span | None) -> float:
    return 0.0 if span is None else (span.low + span.high) / 2


def _subject_of(path: str) -> str:
    """What an input is spent on, where its path names a category of costs; else empty.

    As ``table.ongoing.monitoring.hours``, ``economics.upfront.data.hours`` or
    ``economics.monthly.ongoing.monitoring_hours``.
    """
    match path.split("."):
        case ["table" | "plan", *_, category, _]:
            return plain(category)
        case [_, "upfront", category, _]:
            return plain(category)
        case [_, _, "ongoing", *_, amount]:
            category, *_ = amount.split("_")
            return plain(category)
    return ""


def label(path: str) -> str:
    """An input in words, such as ``hours of monitoring``, by its dotted path."""
    room, *_, last = path.split(".")
    field = case_fields().get(field_path(path))
    if field is not None:
        title = field.label or field.title
        if room == "models":
            _, place, *_ = path.split(".")
            return f"{title} (model {place})"
        return title
    of = {"hours": "hours of", "usd": "money for"}.get(last)
    if of is None:
        return plain(last)
    *_, category, _ = path.split(".")
    table = " (table)" if room == "table" else ""
    return f"{of} {plain(category)}{table}"


def call_usd(amount: float) -> str:
    """The price of a call with three significant digits: ``$0.0183``."""
    if amount == 0 or abs(amount) >= 1:
        return usd(amount)
    places = min(2 - math.floor(math.log10(abs(amount))), 15)
    text = f"{abs(amount):.{places}f}".rstrip("0").rstrip(".")
    if text == "0":
        return "next to $0"
    return f"-${text}" if amount < 0 else f"${text}"


def mtok_usd(usd_per_mtok: float) -> str:
    """A price for a million tokens: ``$2.50``."""
    if 0 < usd_per_mtok < 0.0001:
        return call_usd(usd_per_mtok)
    whole, _, cents = f"{usd_per_mtok:.4f}".rstrip("0").partition(".")
    return f"${whole}.{cents:0<2}"


def mtok_range(low: float, most: float) -> str:
    """A price for a million tokens, or a range of it: ``$0.48–$1.35``."""
    return "–".join(dict.fromkeys((mtok_usd(low), mtok_usd(most))))


def spread(at: Interval, write: Callable[[float], str]) -> str:
    """The likely value, followed by the ends where they differ: ``$168 ($120–$200)``."""
    middle, low, high = map(write, (at.value, at.low, at.high))
    if low == high:
        return middle
    return f"{middle} ({low}{' to ' if at.low < 0 else '–'}{high})"


def _factor(path: str, at: Interval) -> str:
    if path.endswith("usd"):
        return spread(at, usd)
    return (
        f"{spread(at, lambda value: number(value) if value < 1000 else count(value))} h"
    )
