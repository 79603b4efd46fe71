"""The money of a case: what it costs, what it brings, and whether that justifies it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tuneworthy.model.base import Interval, State, Unknown, break_even
from tuneworthy.model.case import Case, Prices
from tuneworthy.model.dossier import (
    BreakEven,
    ByTable,
    ChallengeResult,
    Computed,
    Duration,
    GateResult,
    InvestmentResult,
    Number,
    ServingResult,
)
from tuneworthy.model.framework import Framework
from tuneworthy.money.savings import Savings, ServingComparison, compare, computed_steps
from tuneworthy.money.serving import ServingCost
from tuneworthy.money.terms import SAVINGS, CostModel, Sum, build_cost_model
from tuneworthy.words import months, months_range, usd

if TYPE_CHECKING:
    from tuneworthy.money.simulate import Draws

Draw: TypeAlias = "Callable[[CostModel, Savings | None, int, float | None, int], Draws | None]"
"""Draws the money: from the savings that count, horizon and limit in months, and a seed."""

_NO_HOURLY_RATE = "state what an hour of work costs (economics.hourly_rate_usd)"


def draw(
    model: CostModel, savings: Savings | None, horizon: int, under_months: float | None, seed: int
) -> Draws | None:
    """``simulate`` with a generator of its own."""
    import numpy as np  # needed only here

    from tuneworthy.money.simulate import simulate

    return simulate(model, savings, horizon, under_months, np.random.default_rng(seed))


class RememberedDraws:
    """Draws what was not drawn before, as an answer seldom moves an amount; safe in threads."""

    _MOST = 256

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Draws | None] = OrderedDict()
        self._lock = Lock()

    def __call__(
        self,
        model: CostModel,
        savings: Savings | None,
        horizon: int,
        under_months: float | None,
        seed: int,
    ) -> Draws | None:
        """What ``draw`` gives, drawn or remembered."""
        inputs = (model, savings, horizon, under_months, seed)
        key = repr(inputs)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = draw(*inputs)
            self._kept.move_to_end(key)
            if len(self._kept) > self._MOST:
                self._kept.popitem(last=False)
            return self._kept[key]


class MoneyFindings(NamedTuple):
    """What the money comes to: its section of the dossier, and its gate."""

    result: InvestmentResult | Unknown
    gate: GateResult
    settled_when: str
    """When an open gate is settled."""
    servings: tuple[ServingResult, ...] = ()
    """Every way to serve the traffic, the cheapest first."""
    upfront: Number | None = None
    """USD before the first version is live; None where nobody knows."""


def assess_money(
    case: Case,
    framework: Framework,
    sovereign: State,
    prices: Prices,
    seed: int,
    sampler: Draw | None = None,
) -> MoneyFindings:
    """Costs, ways to serve the traffic, the investment, and the same drawn many times."""
    model = build_cost_model(case, framework.costs)
    comparison = compare(case, prices, model, sovereign)
    closed, draws = closed_form(model, comparison), None
    if isinstance(closed, ClosedForm):
        horizon, rule = case.economics.assumptions.horizon_months, framework.break_even
        limit = None if rule is None else rule.under_months
        draws = (sampler or draw)(model, comparison.counted, horizon, limit, seed)
    payback = _payback(case, framework, closed, draws)
    gate = _gate(payback, comparison, sovereign)
    result: InvestmentResult | Unknown = Unknown(ask=payback.why)
    if isinstance(closed, ClosedForm) or isinstance(comparison.savings, Savings):
        result = _result(model, comparison, closed, draws, payback, framework)
    upfront = _amount(model, model.upfront)
    return MoneyFindings(
        result,
        GateResult(id="investment", state=gate.state, why=gate.why),
        gate.settled_when,
        tuple(map(_serving, comparison.costs)),
        None if upfront is None else upfront.narrowed(),
    )


def held_against(money: MoneyFindings, challenges: Sequence[ChallengeResult]) -> MoneyFindings:
    """The money; its gate is unknown where a stated amount stands in an open contradiction."""
    for item in challenges:
        amounts = any(path.startswith("economics.monthly") for path in item.between)
        if item.severity == "contradiction" and amounts and money.gate.state == "yes":
            why = f"as stated, {money.gate.why}; that is contradicted"
            gate = GateResult(id="investment", state="unknown", why=why)
            result = money.result
            if isinstance(result, InvestmentResult):
                result = result.model_copy(update={"justified": "unknown", "why": why})
            settled = f"it is settled: {item.settle}"
            return money._replace(result=result, gate=gate, settled_when=settled)
    return money


# The closed form: upfront / (savings + quality value - running costs).


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """The investment by one month's amounts; stated ones win, the table stands in for costs."""

    upfront: Interval
    """USD before the first version is live."""
    net: Interval
    """USD a month after running costs."""
    months: Interval
    """Months to break-even, from best to worst."""
    table_running: Interval | None
    """Running costs by the framework's own table, USD a month; None without an hourly rate."""
    table_months: Interval | None
    """Months to break-even with those."""
    assumed: tuple[str, ...]
    """Amounts nobody stated, taken from the table or computed."""


class Payback(NamedTuple):
    """What the framework's break-even rule says of the investment."""

    state: State
    why: str
    settled_when: str = "the investment gate of the verdict is a yes or a no"
    """When an open one is settled."""


def closed_form(model: CostModel, comparison: ServingComparison) -> ClosedForm | Payback:
    """The investment by one month's amounts, or what to state first.

    A saving nobody stated is computed at today's volume; any other benefit has no default.
    """
    savings = comparison.counted
    if not model.savings and not model.quality and savings is None:
        return Payback(
            "unknown",
            "state what it saves or is worth a month (economics.monthly)",
            "economics.monthly says what it saves or is worth a month, and who said so",
        )
    running = savings.fixed if savings else _amount(model, model.running)
    upfront = _amount(model, model.upfront)
    if upfront is None or running is None:
        settled = "economics.hourly_rate_usd is in the case file"
        return Payback("unknown", _NO_HOURLY_RATE, settled)
    quality = model.amount(model.quality)
    benefits = (savings.usd if savings else model.amount(model.savings)) + quality
    net = savings.net + quality if savings and savings.net is not None else benefits - running
    table = _amount(model, model.table_besides if savings else model.table_running)
    return ClosedForm(
        upfront=upfront,
        net=net,
        months=_break_even(upfront, net),
        table_running=table,
        table_months=_break_even(upfront, benefits - table) if table else None,
        assumed=(*model.assumed, SAVINGS) if savings else model.assumed,
    )


def _amount(model: CostModel, terms: Sum | None) -> Interval | None:
    return None if terms is None else model.amount(terms)


def _break_even(upfront: Interval, net: Interval) -> Interval:
    """Months until ``upfront`` is back at ``net`` a month, from the best pairing to the worst."""
    return Interval(
        break_even(upfront.low, net.high),
        break_even(upfront.value, net.value),
        break_even(upfront.high, net.low),
    )


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
        return Payback(
            "unknown",
            f"{pays_back} by one month's amounts; month by month, with growth and the model's "
            f"life, {when}",
        )
    return Payback("yes", f"{pays_back}, under {under}, and the strategic value is {value}")


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


# The section of the dossier.


def _result(
    model: CostModel,
    comparison: ServingComparison,
    closed: ClosedForm | Payback,
    draws: Draws | None,
    payback: Payback,
    framework: Framework,
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
        computed=_computed(comparison, model),
        simulation=draws.simulation if draws else later,
    )


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


def _computed(comparison: ServingComparison, model: CostModel) -> Computed | Unknown:
    savings: Any = comparison.savings
    if not comparison.costs:
        return Unknown(ask=savings.ask)
    lacks = isinstance(savings, Unknown)
    return Computed(
        servings=tuple(map(_serving, comparison.costs)),
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
