"""The worth of finding something out before a choice: an amount, more cases, or an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from tuneworthy.framework.rules import Rules
from tuneworthy.framework.tally import tally
from tuneworthy.model.base import State, Unknown
from tuneworthy.model.dossier import InformationValue, InvestmentResult, QuestionResult
from tuneworthy.words import count, usd

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEGREE = 4


def evppi(net: NDArray[Any], known: NDArray[Any]) -> float:
    """The value of one exact amount before a choice between acting and not acting.

    Expected value of partial perfect information from draws. The mean net value given the amount is
    a smooth curve through the draws, and a person who knows the amount acts only where the curve is
    above zero (the regression of Strong, Oakley and Brennan 2014, with a polynomial).

    Args:
        net: Net value of each draw, in USD; 0 is the value of not acting.
        known: The amount in each draw.

    Returns:
        USD, 0 or more: the expected gain over choosing now.
    """
    import numpy as np  # a decision draws before it asks what drawing is worth

    # amounts closer together than the smallest exact number can't be told apart
    if len(net) < _DEGREE + 2 or np.ptp(known) < np.finfo(float).tiny:
        return 0.0
    degree = min(_DEGREE, len(np.unique(known)) - 1)
    fitted = np.polynomial.Polynomial.fit(known, net, degree)(known)
    now = max(float(np.mean(fitted)), 0.0)
    return max(float(np.mean(np.maximum(fitted, 0.0))) - now, 0.0)


_GRID = [NormalDist().inv_cdf((n + 0.5) / 400) for n in range(400)]


def worth_of_cases(
    right: float,
    cases: float,
    target: float,
    more: float,
    *,
    gain_usd: float,
    loss_usd: float,
) -> float:
    """The value of more cases before the choice to tune (expected value of sample information).

    The untuned way's share right is uncertain by the cases it was counted on; more cases narrow it
    (normal, preposterior mean). Tuning brings ``gain_usd`` where the share is below the target, and
    costs ``loss_usd`` in vain where it isn't.

    Returns:
        USD, 0 or more, before what the cases cost.
    """
    if cases <= 0 or more <= 0:
        return 0.0
    # as if one more were right and one wrong, so that no share is certain
    middle = (right * cases + 1) / (cases + 2)
    # the standard deviation of a beta distribution
    sd = math.sqrt(middle * (1 - middle))
    known = cases + 3
    after = sd / math.sqrt(known + more)
    moves = math.sqrt(max(sd * sd / known - after * after, 0.0))

    def best(mean: float, spread: float) -> float:
        below = NormalDist(mean, spread).cdf(target)
        return max(below * gain_usd - (1 - below) * loss_usd, 0.0)

    now = best(middle, sd / math.sqrt(known))
    later = sum(best(middle + moves * z, after) for z in _GRID) / len(_GRID)
    # no more than a wrong choice can cost; the grid may be a little off
    most = min(gain_usd, loss_usd)
    return min(max(later - now, 0.0), most)


_STEPS = (50, 100, 200, 400, 800)


def at_stake(money: InvestmentResult | Unknown) -> tuple[float, float] | None:
    """USD that tuning brings if it is right, and USD that a pilot in vain costs, at its middle."""
    if isinstance(money, Unknown) or not isinstance(money.gain_usd, float):
        return None
    pilot = money.ask_usd.pilot
    if isinstance(pilot, Unknown):
        return None
    if isinstance(pilot, float):
        return money.gain_usd, pilot
    return money.gain_usd, (pilot.low + pilot.most) / 2


def more_cases(
    money: InvestmentResult | Unknown, right: float, cases: int, target: float
) -> InformationValue | None:
    """How many more cases are the best worth their labels, before the choice to tune.

    The expected net benefit of sampling: what they are worth less what it costs to label them.

    Args:
        money: What is at stake.
        right: Share of the cases that the best untuned way gets right.
        cases: How many it was counted on.
        target: The share that is wanted.

    Returns:
        The net benefit of the best number, 0 where even that isn't worth its labels; None where
        the money isn't known.
    """
    stake = at_stake(money)
    if stake is None or isinstance(money, Unknown) or cases <= 0:
        return None
    each = money.case_usd
    gain, lost = stake
    gain = max(gain, 0.0)
    if not isinstance(each, float):
        return None
    best_net = 0.0
    what = "more cases"
    for n in _STEPS:
        labels = n * each
        worth = worth_of_cases(right, cases, target, n, gain_usd=gain, loss_usd=lost)
        # of equal worths the larger number wins: it tells more for the same money
        if worth - labels > 0 and worth - labels >= best_net:
            best_net = worth - labels
            what = f"{count(n)} more cases, less the {usd(labels)} to label them"
    return InformationValue(kind="cases", what=what, usd=best_net)


def cases_worth(money: InvestmentResult | Unknown) -> InformationValue | None:
    """The value of more cases for a judged case with a counted quality; else None."""
    rows = () if isinstance(money, Unknown) else money.worth
    return next((row for row in rows if row.kind == "cases"), None)


def cases_note(money: InvestmentResult | Unknown) -> str:
    """The value of more cases in a sentence; empty without one."""
    cases = cases_worth(money)
    if cases is None:
        return ""
    if not cases.usd:
        return "Before you choose to tune, more cases aren't worth what it takes to label them."
    return f"Before you choose to tune, {cases.what}, are worth {usd(cases.usd)}."


def worth_text(question: QuestionResult) -> str:
    """The value of an answer, followed by a comma; empty where the money is unknown."""
    worth = question.worth_usd
    if isinstance(worth, Unknown) or not worth:
        return ""
    return f"worth up to {usd(worth)}, "


def by_worth(
    questions: Sequence[QuestionResult],
    states: Mapping[str, State],
    rules: Rules,
    at_stake: tuple[float, float] | None,
) -> tuple[QuestionResult, ...]:
    """Open questions with the worth of an answer, the highest per minute first.

    It is the expected value of perfect information about one answer at even chances: tuning brings
    its worth where the rules end at a candidate, and a pilot is lost where they don't. The order
    stays where no money is known, or tuning brings nothing.
    """
    if at_stake is None:
        return tuple(questions)
    gain, lost = at_stake
    if gain <= 0:
        return tuple(questions)

    def best(answers: Mapping[str, State]) -> float:
        share = tally(rules, answers).shares().get("fine_tune_candidate", 0.0)
        return max(share * gain - (1 - share) * lost, 0.0)

    now = best(states)
    priced = list[tuple[float, QuestionResult]]()
    for question in questions:
        after = [best({**states, question.factor: to}) for to in ("yes", "no")]
        worth = max(sum(after) / 2 - now, 0.0)
        priced.append((worth, question.model_copy(update={"worth_usd": worth})))

    def worth_a_minute(pair: tuple[float, QuestionResult]) -> float:
        worth, question = pair
        return worth / question.minutes

    priced.sort(key=worth_a_minute, reverse=True)  # equal ones keep their order
    return tuple(question for _, question in priced)
