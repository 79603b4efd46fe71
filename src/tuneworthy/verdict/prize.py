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
    #: USD left at best if a stated saving above the bill were true.
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
    over = "for the job"
    if not facts.case.one_off:
        over = f"over {counted(round(months), 'month')}"
    why_not = "" if left is None or left >= 0 else _say_loss(facts, money, over)
    most = _most_at_all(facts, money, months)
    data = weigh_data(facts, table)
    return Prize(
        most=most.usd,
        most_is=f"{most.says} {over}",
        left_at_best=left,
        left_as_stated=_left_as_stated(facts, money, left, months),
        why_not=why_not,
        lacks_a_month=_lacks_a_month(left, _months_live(facts, table, months)),
        short_of_data=data.missing,
        data_there=data.existing,
        need=usual_data(facts, table),
    )


def _left_as_stated(
    facts: CaseFacts, money: MoneyFindings, left: float | None, months: float
) -> float | None:
    """USD left at best if the stated saving were true, even where it is above the bill.

    ``left`` is the same with the bill as the most that can be saved.
    """
    saving = facts.case.economics.monthly.api_savings_usd
    if left is None or saving is None:
        return left
    capped = _most_saved(facts, money) or 0.0
    return left + (saving.high - capped) * months


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
    best = table.best_tuning
    if facts.case.one_off or best is None or best.weeks is None:
        return months
    # it may take longer to build it than the use case lives
    return max(0.0, months - best.weeks.low / _WEEKS_A_MONTH)


_WEEKS_A_MONTH = 52 / 12


class _MostAtAll(NamedTuple):
    """The most that can be saved or gained over the life, before any cost."""

    usd: float | None  #: None where it is unknown.
    says: str  #: The meaning of the number, in words.


def _most_at_all(facts: CaseFacts, money: MoneyFindings, months: float) -> _MostAtAll:
    """The most that can be saved or gained over the life, before any cost."""
    saved = _most_saved(facts, money)
    gained = facts.case.economics.monthly.quality_value_usd
    if saved is None:
        return _MostAtAll(None, "")
    if gained is None:
        return _MostAtAll(saved * months, "all that can be saved")
    return _MostAtAll(
        (saved + gained.high) * months, "all that can be saved and gained"
    )


def _left_at_best(
    facts: CaseFacts, table: WayTable, money: MoneyFindings, months: float
) -> float | None:
    """USD left after all costs, in the best case; None where it is unknown."""
    upfront = _least(money.upfront)
    if upfront is None:
        return None
    monthly = facts.case.economics.monthly
    saved = _most_saved(facts, money)
    if saved is None and monthly.quality_value_usd is None:
        return None
    stated = (
        monthly.quality_value_usd is not None or monthly.api_savings_usd is not None
    )
    if not stated and not _saves_only_money(facts, table):
        return None  # nobody said what better or quicker answers are worth
    a_month = _benefit_at_best(facts, money) - _running_at_best(money)
    return a_month * _months_live(facts, table, months) - upfront


def _saves_only_money(facts: CaseFacts, table: WayTable) -> bool:
    """Whether the bill is all that tuning could improve, so that the bill is the whole benefit."""
    if not facts.limits or table.gap.doubtful:
        return False
    if not set(table.gap.missed) <= {"cost"}:
        return False
    return "quality" in facts.limits or facts.state("success_with_prompts") == "yes"


def _benefit_at_best(facts: CaseFacts, money: MoneyFindings) -> float:
    """USD per month that can be saved and gained at most; what is unknown counts as 0."""
    saved = _most_saved(facts, money) or 0.0
    gained = facts.case.economics.monthly.quality_value_usd
    return saved if gained is None else saved + gained.high


def _running_at_best(money: MoneyFindings) -> float:
    """USD per month that running a tuned model costs at least; 0 where that is unknown."""
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
    """Whether the benefit is a stated amount without a range, and no bill caps it.

    ``saved`` is the most that can be saved per month, in USD.
    """
    monthly = facts.case.economics.monthly
    saving = monthly.api_savings_usd
    gained = monthly.quality_value_usd
    if saved != (0.0 if saving is None else saving.high):
        return False
    stated = [amount for amount in (saving, gained) if amount is not None]
    return all(amount.low == amount.high for amount in stated)


def _most_saved(facts: CaseFacts, money: MoneyFindings) -> float | None:
    """The most that can be saved per month: as stated, else as computed; the bill limits it.

    None where nothing is stated, computed or billed.
    """
    bill = facts.bill
    stated = facts.case.economics.monthly.api_savings_usd
    if stated is not None:
        return stated.high if bill is None else min(stated.high, bill.high)
    if isinstance(money.result, InvestmentResult):
        possible = money.result.possible_saving_usd
        if not isinstance(possible, Unknown):
            _, most = ends(possible)
            return max(0.0, most)  # a tuned model that costs more saves nothing
    return None if bill is None else bill.high


def _least(number: Number | None) -> float | None:
    """The low end of a number; None where it is unknown or infinite."""
    if number is None or isinstance(number, Unknown):
        return None
    low, _ = ends(number)
    return low if math.isfinite(low) else None


def usual_data(facts: CaseFacts, table: WayTable) -> DataNeed | None:
    """The usual kind and amount of data for the remaining kinds of tuning; None without any.

    It is the smallest amount over the approach of every goal and the best kind of tuning.
    """
    best = table.best_tuning
    if best is None:
        return None
    if best.id == "reinforcement_tuning":
        least = facts.framework.threshold("examples_to_reinforce") or 0
        return DataNeed(low=round(least), high="open", unit="examples")
    approaches = facts.framework.approaches
    needs = [approaches[fit.approach].data for fit in facts.fits]  # one for every goal
    # distillation and the hybrid are none: they learn from the goals' kind of data
    if best.id in approaches:
        needs.append(approaches[best.id].data)
    if not needs:
        return None
    need = min(needs, key=lambda each: each.low)
    unit = need.unit
    if facts.case.usable_data(unit) is None:
        unit = "examples"
    least_of_unit = need.low
    if unit == "examples":
        # an approach may ask for more examples than a supervised task usually takes
        least_of_unit = min(need.low, _EXAMPLES)
    return DataNeed(low=least_of_unit, high="open", unit=unit)


class DataWords(NamedTuple):
    """The data to learn from, in words; one of the two is empty."""

    missing: str = ""
    existing: str = ""


def weigh_data(facts: CaseFacts, table: WayTable) -> DataWords:
    """Say which data is missing for the best kind of tuning, or which exists; both empty for none."""
    best = table.best_tuning
    if best is None:
        return DataWords()
    if best.id == "thumb_tuning":
        return DataWords(existing=best.because)  # it names the ratings
    usual = usual_data(facts, table)
    if usual is None:
        return DataWords(existing="examples exist")
    pairs = facts.case.usable_data("preference_pairs") or 0
    examples = facts.case.usable_data("examples") or 0
    learns_from_pairs = best.id == "preference_tuning" or examples < usual.low
    if pairs >= _PAIRS and learns_from_pairs:
        return DataWords(existing=f"{count(pairs)} preference pairs exist")
    unit = plain(usual.unit)
    have = facts.case.usable_data(usual.unit)
    if have is None:
        if not facts.limits:  # without a target data is no condition yet
            return DataWords(existing="nobody has counted the examples")
        says = f"nobody has counted the {unit}: {count(usual.low)} are usual"
        return DataWords(missing=says)
    reviewed = "reviewed " if usual.unit == "examples" else ""
    existing = f"{count(have)} {reviewed}{unit} exist"
    if have < usual.low:
        return DataWords(missing=f"{existing}, and {count(usual.low)} are usual")
    return DataWords(existing=existing)
