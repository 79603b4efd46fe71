"""Whether tuning pays back: one answer for every surface, from simulated runs where there are any."""

from __future__ import annotations

from collections.abc import Mapping

from tuneworthy.answers.facts import ends
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, InvestmentResult, Simulation
from tuneworthy.model.ways import WayResult
from tuneworthy.money.terms import FAILURE
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import dollars, duration
from tuneworthy.ways.chances import LIKELY, POSSIBLE
from tuneworthy.words import sentence, share


def pays_back(dossier: Dossier) -> b.Fact:
    """When tuning has repaid itself if it works, how likely it works, and the amounts."""
    return b.Fact("Does tuning pay back?", *_pays_back(dossier), "money")


def _pays_back(dossier: Dossier) -> tuple[str, str]:
    money = dossier.investment
    if isinstance(money, Unknown):
        return "Not known.", sentence(f"to find out: {money.ask}")
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        by_rule = next(
            (gate for gate in dossier.verdict.gates if gate.id == "investment"), None
        )
        refused = by_rule is not None and by_rule.state == "no"
        if by_rule and refused:
            says = f" The rules say no without it: {by_rule.why}."
        else:
            says = ""
        return "Not known.", sentence(f"to find out: {point.ask}") + says
    drawn = money.simulation
    if isinstance(drawn, Unknown):
        return _pays_as_stated(money), _amounts(money)
    if drawn.p_works > 0 and _is_never_repaid(money, drawn):
        if money.one_off:
            within = "with this job"
        else:
            within = f"within {drawn.horizon_months} months"
        if money.contradicted:
            within += " with what is paid today"
        return f"No, not {within}, even if it works.", _amounts(money, never=True)
    if dossier.verdict.rule == "met":
        spent = f"Fine-tuning would take {dollars(money.upfront_usd)} up front."
        return "There is no gap to pay for: every target is met without it.", spent
    repaid = (_repaid(dossier, money), _closeness(money))
    beside = (_chance(dossier, drawn), _amounts(money))
    return " ".join(filter(None, repaid)), " ".join(filter(None, beside))


_CLOSE = 0.05  #: Of what it has to bring: nearer than that, the limit hangs on a few dollars.


def _closeness(money: InvestmentResult) -> str:
    """How close the benefit is to what the limit requires, where a small change would turn it."""
    bring = money.must_bring_usd
    brings = money.brings_usd
    if money.one_off or isinstance(bring, Unknown) or isinstance(brings, Unknown):
        return ""
    least, most = ends(bring)
    low, high = ends(brings)
    if least != most or low != high or least <= 0:
        return ""
    if abs(low / least - 1) > _CLOSE:
        return ""
    return (
        f"A few dollars decide: more than {dollars(bring)} per month is needed, "
        f"and {dollars(brings)} is stated."
    )


def _is_never_repaid(money: InvestmentResult, drawn: Simulation) -> bool:
    """Whether nine of ten runs in which tuning works don't repay it within the horizon."""
    soonest = money.break_even_months.p10
    if isinstance(soonest, Unknown):
        return False
    return soonest == "never" or ends(soonest)[0] > drawn.horizon_months


def _best_tuning(dossier: Dossier) -> WayResult | None:
    """The kind of tuning with the highest chance; None where none is left."""
    return next(
        (way for way in dossier.ways if way.kind == "tuning" and way.chances), None
    )


def _pays_as_stated(money: InvestmentResult) -> str:
    point = money.break_even_months.point
    if point == "never":
        return "No, never: each month costs more than it brings."
    word = {"yes": "Yes", "no": "Too late", "unknown": "Perhaps"}[money.justified]
    return f"{word}: after {duration(point)}, by the amounts that are stated."


def _repaid(dossier: Dossier, money: InvestmentResult) -> str:
    """When tuning has repaid itself if it works, compared with the limit where that is late."""
    drawn = money.simulation
    if isinstance(drawn, Unknown):
        return "Not known."
    if drawn.p_works == 0 and any(way.kind == "tuned" for way in dossier.ways):
        return "No: it was tried, and it doesn’t work."
    likely = _how_likely(dossier, drawn)
    if_so = "" if drawn.p_works == 1 else "if it works, "
    if money.one_off:
        return f"{likely}: {if_so}with the job."
    back = money.break_even_months
    if back.p50 == "never":
        return f"Hardly: {if_so}it isn’t repaid in most of the simulated runs."
    low = duration(back.p10)
    high = duration(back.p90)
    says = f"repaid after {duration(back.p50)}"
    if low != high:
        says += f" (80% range: {low.removesuffix(' months')} to {high})"
    if _is_late(money) and not isinstance(money.limit_months, Unknown):
        limit = duration(money.limit_months)
        return f"Too late: {if_so}{says}, and the limit is under {limit}."
    return f"{likely}: {if_so}{says}."


def _how_likely(dossier: Dossier, drawn: Simulation) -> str:
    if drawn.p_works == 1:
        return "Yes"
    best = _best_tuning(dossier)
    return _LIKELY_WORDS["" if best is None else best.chance_word]


_LIKELY_WORDS = {
    "likely": "Probably",
    "possible": "Perhaps",
    "unlikely": "Unlikely",
    "unknown": "Not known",
    "": "Not known",
}  #: Whether it pays back, by how likely tuning meets the targets.


def _chance(dossier: Dossier, drawn: Simulation) -> str:
    """How likely tuning works: by the target if there is one, else by published cases."""
    why = [text for text in drawn.assumes if text.endswith(_OF_FAILURE)]
    if drawn.p_works in (0, 1):
        return sentence(why[0].removesuffix(_OF_FAILURE)) if why else ""
    best = _best_tuning(dossier)
    if best is not None and best.chance_word in CHANCES:
        meets = "every target that is missed" if len(best.chances) > 1 else "the target"
        return (
            f"That it works means that it meets {meets}: {CHANCES[best.chance_word]}."
        )
    if why:
        assumed = why[0].removesuffix(_OF_FAILURE)
        return f"Whether it works isn’t known here. Assumed: {assumed}."
    return f"The stated chance that it works is {share(drawn.p_works)}."


_OF_FAILURE = f" ({FAILURE})"  # ends the assumption about whether it works


CHANCES: Mapping[str, str] = {
    "likely": f"likely ({share(LIKELY)} or more)",
    "possible": f"possible ({share(POSSIBLE)} to {share(LIKELY)})",
    "unlikely": f"unlikely (under {share(POSSIBLE)})",
}
"""The words for chances, with their meaning."""


def _is_late(money: InvestmentResult) -> bool:
    """Whether it pays back later than the limit, even if tuning works."""
    return money.justified != "yes" and money.p_within_6_months == 0


def _amounts(money: InvestmentResult, *, never: bool = False) -> str:
    """Say what has to be repaid, what is left to repay it, and the objection if there is one."""
    every = "of the job" if money.one_off else "per month"
    says = f"It takes {dollars(money.upfront_usd)} up front"
    _, high = ends(money.monthly_net_usd)
    run = f"{dollars(money.ask_usd.run_month)} {every}"
    if money.capped:
        most = dollars(money.possible_saving_usd)
        says += (
            f" and {run} to run. The calls cost little: today at most {most} {every} "
        )
        says += "can be saved" + ("" if never else ", and more only as traffic grows")
    elif high <= 0:
        says += f" and {run} to run, which is more than it brings"
    else:
        says += f". {_remains(money, every)}"
    return f"{says}. {sentence(money.but)}" if money.but else f"{says}."


def _remains(money: InvestmentResult, every: str) -> str:
    """Say what is left after running costs, and how it is computed where every part is known."""
    remains = f"{dollars(money.monthly_net_usd)} {every} remains to repay it"
    if isinstance(money.brings_usd, Unknown):
        return f"After running costs, {remains}"
    brings = f"It brings {dollars(money.brings_usd)} {every} by the stated figures"
    if not isinstance(money.gained_usd, Unknown):
        parts = ends(money.gained_usd)
        alike = parts == ends(money.brings_usd)
        gained = "all of it" if alike else dollars(money.gained_usd)
        if parts[1] <= 0:
            brings += ", saved on calls,"
        elif alike:
            brings += f" ({gained} by better answers)"
        else:
            brings += f" ({gained} by better answers, the rest saved on calls)"
    return f"{brings} and costs {dollars(money.ask_usd.run_month)} to run, so {remains}"


OFTEN = 0.05  #: Of the simulated runs: what is worth a title.


def never_repaid(dossier: Dossier) -> str:
    """How many simulated runs never repay the money, failed ones included; empty for hardly any."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.simulation, Unknown):
        return ""
    drawn = money.simulation
    if drawn.p_never < OFTEN or drawn.p_works in (0, 1):
        return ""
    within = f"in {drawn.horizon_months} months"
    return (
        f"Failures counted, {share(drawn.p_never)} of all runs aren’t repaid {within}."
    )
