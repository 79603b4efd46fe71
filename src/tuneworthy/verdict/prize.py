"""The most that tuning can bring over the life of a use case, and its data."""

from __future__ import annotations

import math
from typing import NamedTuple

from tuneworthy.answers.facts import CaseFacts, ends
from tuneworthy.model.base import Number, Unknown
from tuneworthy.model.dossier import DataNeed, InvestmentResult
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.ways.table import WayTable
from tuneworthy.words import count, counted, plain, usd

# what a supervised task usually takes, whatever the approach is called
_EXAMPLES = 1000
_PAIRS = 1000  # so many pairs of a better and a worse answer are data to tune on


class Prize(NamedTuple):
    """The most that tuning can bring after its costs, and the data it still needs."""

    #: All that can be saved or gained over the life, in USD; None if unknown.
    most: float | None
    most_is: str  #: The meaning of that number, in words.
    left_at_best: float | None  #: USD over the life; None where a benefit isn't known.
    #: The same with a stated saving that isn't capped by the bill.
    left_as_stated: float | None
    why_not: str  #: Why it can't come back; empty where it may.
    #: USD a month that it would have to bring more, to come back; else 0.
    lacks_a_month: float
    short_of_data: str  #: The data that is missing; empty where there is enough.
    data_there: str  #: The data that there is to learn from.
    #: How much of which data is usual; None where nothing is left to tune.
    need: DataNeed | None


def weigh_prize(facts: CaseFacts, table: WayTable, money: MoneyFindings) -> Prize:
    """Compute the most that tuning can bring over the life of the use case, and its missing data."""
    months = _months(facts)
    left = _left_at_best(facts, table, money, months)
    saving = facts.case.economics.monthly.api_savings_usd
    as_stated = left
    # a stated saving may be above the bill; this is the result if it were true all the same
    if left is not None and saving is not None:
        as_stated = left + (saving.high - (_most_saved(facts, money) or 0.0)) * months
    over = "for the job"
    if not facts.case.one_off:
        over = (
            f"over {counted(facts.case.economics.assumptions.horizon_months, 'month')}"
        )
    why = "" if left is None or left >= 0 else _say_loss(facts, money, over)
    most, most_is = _most_at_all(facts, money, months)
    short, there = weigh_data(facts, table)
    return Prize(
        most=most,
        most_is=f"{most_is} {over}",
        left_at_best=left,
        left_as_stated=as_stated,
        why_not=why,
        lacks_a_month=_lacks_a_month(left, _months_live(facts, table, months)),
        short_of_data=short,
        data_there=there,
        need=usual_data(facts, table),
    )


def _lacks_a_month(left: float | None, months_live: float) -> float:
    """USD per month that are missing for the money to come back; 0 where none are known to be."""
    if left is not None and left < 0 < months_live:
        return -left / months_live
    return 0.0


def _months(facts: CaseFacts) -> float:
    """The months of the computation; one for a job."""
    case = facts.case
    if case.one_off:
        return 1.0
    return float(case.economics.assumptions.horizon_months)


def _months_live(facts: CaseFacts, table: WayTable, months: float) -> float:
    """The months in which a tuned model is live, after the fewest weeks to build it."""
    weeks = table.tunings[0].weeks if table.tunings else None
    if facts.case.one_off or weeks is None:
        return months
    return max(0.0, months - weeks.low / _WEEKS_A_MONTH)


_WEEKS_A_MONTH = 52 / 12


def _most_at_all(
    facts: CaseFacts, money: MoneyFindings, months: float
) -> tuple[float | None, str]:
    """The most that can be saved or gained over the life, before any cost."""
    saved = _most_saved(facts, money)
    gained = facts.case.economics.monthly.quality_value_usd
    if saved is None:
        return None, ""
    if gained is None:
        return saved * months, "all that can be saved"
    return (saved + gained.high) * months, "all that can be saved and gained"


def _left_at_best(
    facts: CaseFacts, table: WayTable, money: MoneyFindings, months: float
) -> float | None:
    """USD left after all costs, in the best case; None where it is unknown."""
    case = facts.case
    upfront = _least(money.upfront)
    if upfront is None:
        return None
    saved = _most_saved(facts, money)
    gained = case.economics.monthly.quality_value_usd
    stated = gained is not None or case.economics.monthly.api_savings_usd is not None
    answers_fine = (
        "quality" in facts.limits or facts.state("success_with_prompts") == "yes"
    )
    only_cost = (
        set(table.gap.missed) <= {"cost"} and bool(facts.limits) and answers_fine
    )
    if not stated and not (only_cost and not table.gap.doubtful):
        return None  # nobody said what better or quicker answers are worth
    if saved is None and gained is None:
        return None
    a_month = _benefit_at_best(facts, money) - _running_at_best(money)
    return a_month * _months_live(facts, table, months) - upfront


def _benefit_at_best(facts: CaseFacts, money: MoneyFindings) -> float:
    """USD per month that can be saved and gained at most."""
    gained = facts.case.economics.monthly.quality_value_usd
    return (_most_saved(facts, money) or 0.0) + (
        gained.high if gained is not None else 0.0
    )


def _running_at_best(money: MoneyFindings) -> float:
    """USD per month that running a tuned model costs at least."""
    if not isinstance(money.result, InvestmentResult):
        return 0.0
    return _least(money.result.ask_usd.run_month) or 0.0


def _say_loss(facts: CaseFacts, money: MoneyFindings, over: str) -> str:
    """Say that the money can't come back, with the amounts that show it."""
    brings = _benefit_at_best(facts, money)
    running = _running_at_best(money)
    every = facts.case.a_month
    if brings <= running:
        saved = _most_saved(facts, money) or 0.0
        parts = f" ({usd(saved)} saved on calls)" if 0 < saved < brings else ""
        most = "" if _is_one_amount(facts, saved) else "at most "
        return (
            f"even if it works, it costs {usd(running)}{every} to run and brings {most}"
            f"{usd(brings)}{parts}"
        )
    upfront = usd(_least(money.upfront) or 0.0)
    at_most = f"at most {usd(brings - running)}{every} remains"
    return f"even if it works, {at_most}, and {upfront} up front isn't repaid {over}"


def _is_one_amount(facts: CaseFacts, saved: float) -> bool:
    """Whether the benefit is a stated amount without a range, and no bill caps it."""
    monthly = facts.case.economics.monthly
    stated = [
        each for each in (monthly.api_savings_usd, monthly.quality_value_usd) if each
    ]
    saving = 0.0 if monthly.api_savings_usd is None else monthly.api_savings_usd.high
    return saved == saving and all(each.low == each.high for each in stated)


def _most_saved(facts: CaseFacts, money: MoneyFindings) -> float | None:
    """The most that can be saved per month; the bill limits it."""
    bill = facts.bill
    stated = facts.case.economics.monthly.api_savings_usd
    if stated is not None:
        if bill is not None:
            return min(stated.high, bill.high)
        return stated.high
    if isinstance(money.result, InvestmentResult):
        possible = money.result.possible_saving_usd
        if not isinstance(possible, Unknown):
            return max(0.0, ends(possible)[1])
    return bill.high if bill is not None else None


def _least(number: Number | None) -> float | None:
    if number is None or isinstance(number, Unknown):
        return None
    low, _ = ends(number)
    return low if math.isfinite(low) else None


def usual_data(facts: CaseFacts, table: WayTable) -> DataNeed | None:
    """The usual kind and amount of data for the remaining kinds of tuning; None without any.

    It is the smallest amount over the approach of every goal and the best kind of tuning.
    """
    if not table.tunings:
        return None
    if table.tunings[0].id == "reinforcement_tuning":
        least = facts.framework.threshold("examples_to_reinforce") or 0
        return DataNeed(low=round(least), high="open", unit="examples")
    approaches = facts.framework.approaches
    rules = [approaches[fit.approach] for fit in facts.fits]  # of every goal
    best = approaches.get(table.tunings[0].id)
    # distillation and the hybrid learn from the goals' kind of data
    if best is not None:
        rules.append(best)
    rule = min(rules, key=lambda rule: rule.data.low, default=None)
    if rule is None:
        return None
    unit = rule.data.unit
    if facts.case.usable_data(unit) is None:
        unit = "examples"
    # an approach may ask for more examples than a supervised task usually takes
    need = min(rule.data.low, _EXAMPLES) if unit == "examples" else rule.data.low
    return DataNeed(low=need, high="open", unit=unit)


def weigh_data(facts: CaseFacts, table: WayTable) -> tuple[str, str]:
    """Words for the missing data, empty where there is enough, and words for the existing data."""
    if not table.tunings:
        return "", ""
    if table.tunings[0].id == "thumb_tuning":
        return "", table.tunings[0].because
    usual = usual_data(facts, table)
    if usual is None:
        return "", "examples exist"
    pairs = facts.case.usable_data("preference_pairs") or 0
    enough = facts.case.usable_data("examples") or 0
    if pairs >= _PAIRS and (
        table.tunings[0].id == "preference_tuning" or enough < usual.low
    ):
        return "", f"{count(pairs)} preference pairs exist"
    unit = plain(usual.unit)
    reviewed = "reviewed " if usual.unit == "examples" else ""
    have = facts.case.usable_data(usual.unit)
    if have is None and not facts.limits:
        return "", "nobody has counted the examples"
    if have is None:
        return f"nobody has counted the {unit}: {count(usual.low)} are usual", ""
    if have < usual.low:
        return (
            f"{count(have)} {reviewed}{unit} exist, and {count(usual.low)} are usual",
            "",
        )
    return "", f"{count(have)} {reviewed}{unit} exist"
