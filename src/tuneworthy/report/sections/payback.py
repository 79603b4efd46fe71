"""Whether tuning pays back: one answer for every surface, from simulated runs where there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Literal

from tuneworthy.answers.facts import ends
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Dossier, InvestmentResult, Simulation
from tuneworthy.model.ways import WayResult
from tuneworthy.money.terms import FAILURE
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.common import dollars, duration, period_words
from tuneworthy.ways.chances import LIKELY, POSSIBLE, chance_word
from tuneworthy.words import capital, count, listing, sentence, share, usd


def pays_back(dossier: Dossier) -> b.Fact:
    """How likely it is, and when it has repaid itself; beside it, what that is made of."""
    money = dossier.investment
    if isinstance(money, Unknown):
        return _fact("Not known.", sentence(f"to find out: {money.ask}"))
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        ask = sentence(f"to find out: {point.ask}")
        return _fact("Not known.", f"{ask}{_refusal(dossier)}")
    drawn = money.simulation
    if isinstance(drawn, Unknown):
        return _fact(_pays_as_stated(money), _amounts(dossier, money))
    if drawn.p_works > 0 and _is_never_repaid(money, drawn):
        answer = f"No, even if it works: {_never(money, drawn)}."
        amounts = f"{_amounts(dossier, money, never=True)} {_at_best(money, drawn)}"
        return _fact(answer, amounts.rstrip())
    if dossier.verdict.rule == "met":
        answer = "No, there is no gap to pay for: every target is met without it."
        return _fact(
            answer, f"Fine-tuning would take {dollars(money.upfront_usd)} up front."
        )
    odds = ""
    if _fault(dossier) == "late" and drawn.p_works < 1:
        # the answer says only that it is late
        odds = f"That it works is {_lower(_odds(dossier, drawn))}."
    parts = (odds, _closeness(money), _amounts(dossier, money), _say_rival(money))
    amounts = " ".join(part for part in parts if part)
    return _fact(_repaid(dossier, money, drawn), amounts)


def _fact(answer: str, amounts: str) -> b.Fact:
    return b.Fact("Does tuning pay back?", answer, amounts, "money")


def _fault(dossier: Dossier) -> Literal["never", "late", ""]:
    """The fault of the payback: it comes never, or after the limit; empty for none that is known."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.break_even_months.point, Unknown):
        return ""
    drawn = money.simulation
    if isinstance(drawn, Unknown):
        is_never = money.break_even_months.point == "never"
        is_late = money.justified == "no"
    else:
        is_never = _is_hardly_repaid(dossier, money, drawn)
        # a job has no month after which it is late
        has_limit = not money.one_off and not isinstance(money.limit_months, Unknown)
        is_late = has_limit and _is_late(money)
    if is_never:
        return "never"
    return "late" if is_late else ""


def _is_hardly_repaid(
    dossier: Dossier, money: InvestmentResult, drawn: Simulation
) -> bool:
    """Whether it was tried in vain, or isn't repaid in most of the runs in which it works."""
    if drawn.p_works == 0:
        return _was_tuned(dossier)
    mostly_never = not money.one_off and money.break_even_months.p50 == "never"
    return mostly_never or _is_never_repaid(money, drawn)


def _was_tuned(dossier: Dossier) -> bool:
    """Whether a tuned model is there already."""
    return any(way.kind == "tuned" for way in dossier.ways)


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _refusal(dossier: Dossier) -> str:
    """Why the rules say no although nobody knows when it is repaid; empty where they don't."""
    for gate in dossier.verdict.gates:
        if gate.id == "investment" and gate.state == "no":
            return f" The rules say no without it: {gate.why}."
    return ""


def _never(money: InvestmentResult, drawn: Simulation) -> str:
    """How few simulated runs in which it works repay it, and within which time."""
    if money.one_off:
        within = "with this job"
    else:
        within = f"within {drawn.horizon_months} months of going live"
    if money.contradicted:
        within += " at what is paid today"
    if drawn.draws == 1:  # every amount is known exactly
        return f"it isn’t repaid {within}"
    if drawn.p_never == 1:
        return f"none of {count(drawn.draws)} simulated runs repays it {within}"
    # of the runs in which it works; rounding may take the ratio above 1
    repaid = min(1.0, (1 - drawn.p_never) / drawn.p_works)
    many = f"only {share(repaid)}"
    if repaid < _ONE_IN_A_HUNDRED:
        many = "fewer than 1 in 100"
    return f"{many} of those simulated runs repay it {within}"


_ONE_IN_A_HUNDRED = 0.01  #: Below it a share of simulated runs isn't written out.


def _at_best(money: InvestmentResult, drawn: Simulation) -> str:
    """When it is repaid with every range at its best; empty where it isn't even then.

    Nine of ten simulated runs don't get there, so the answer stays no. A reader who divides the
    amounts does, and would take the answer for a mistake.
    """
    point = money.break_even_months.point
    if money.one_off or money.capped or isinstance(point, str | Unknown):
        return ""
    soonest, _ = ends(point)
    if soonest > drawn.horizon_months:
        return ""
    return f"Only with every range at its best is it repaid, after {duration(soonest)}."


def _say_rival(money: InvestmentResult) -> str:
    """Say that a model nobody ran may take the saving; its bill is among the objections."""
    if not money.but:
        return ""
    if money.one_off or isinstance(money.limit_months, Unknown):
        within = "with the job"
    else:
        within = f"in under {duration(money.limit_months)}"
    return f"If the untried rival is good enough, tuning isn’t repaid {within}."


_CLOSE = 0.05  #: Of what it has to bring: nearer than that, the limit hangs on a few dollars.


def still_fails(dossier: Dossier) -> str:
    """The fault of the payback that stays whatever turns the answer; empty where it may change."""
    if dossier.verdict.rule == "met":
        return ""  # there is no gap to pay for, and a new one may have another payback
    return _FAULTS[_fault(dossier)]


_FAULTS: Mapping[str, str] = {
    "never": "would still not pay back",
    "late": "would still pay back too late",
    "": "",
}


def _closeness(money: InvestmentResult) -> str:
    """How close the benefit is to what the limit requires, where a small change would turn it."""
    bring = money.must_bring_usd
    brings = money.brings_usd
    if money.one_off or isinstance(bring, Unknown) or isinstance(brings, Unknown):
        return ""
    least, most = ends(bring)
    low, high = ends(brings)
    is_exact = least == most and low == high  # a range hides a few dollars
    if not is_exact or least <= 0 or abs(low / least - 1) > _CLOSE:
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
    if isinstance(soonest, str):  # never
        return True
    months, _ = ends(soonest)
    return months > drawn.horizon_months


def _best_tuning(dossier: Dossier) -> WayResult | None:
    """The kind of tuning with the highest chance, which comes first; None where none is left."""
    for way in dossier.ways:
        if way.kind == "tuning" and way.chances:
            return way
    return None


def _pays_as_stated(money: InvestmentResult) -> str:
    """Whether it pays back by the stated amounts, where nothing was simulated."""
    point = money.break_even_months.point
    if point == "never":
        return "No, never: each month costs more than it brings."
    words = {"yes": "Yes", "no": "Too late", "unknown": "Perhaps"}
    word = words[money.justified]
    return (
        f"{word}: {duration(point)} after going live, by the amounts that are stated."
    )


def _repaid(dossier: Dossier, money: InvestmentResult, drawn: Simulation) -> str:
    """How likely it is repaid, and when; against the limit where it is late."""
    if drawn.p_works == 0 and _was_tuned(dossier):
        return "No: it was tried, and it doesn’t work."
    always_works = drawn.p_works == 1
    if_so = "It" if always_works else "If it works, it"
    if money.one_off:
        return f"{_odds(dossier, drawn)}. {if_so} is repaid with the job."
    back = money.break_even_months
    if back.p50 == "never":
        return f"Hardly. {if_so} isn’t repaid in most of the simulated runs."
    when = f"is repaid {duration(back.p50)} after going live"
    low = duration(back.p10)
    high = duration(back.p90)
    if low != high:
        when += f" (80% range: {low.removesuffix(' months')} to {high})"
    if not _is_late(money) or isinstance(money.limit_months, Unknown):
        return f"{_odds(dossier, drawn)}. {if_so} {when}."
    limit = f"the limit is under {duration(money.limit_months)}"
    # a stated saving above the bill leaves the rule on money open, and this counts the bill
    late = "Too late"
    if money.contradicted:
        grown = " and the stated growth" if _grown(money) else ""
        late = f"Too late by today’s bill{grown}"
    if always_works:
        return f"{late}. It {when}, and {limit}."
    return f"{late}: if it works, it {when}, and {limit}."


def _odds(dossier: Dossier, drawn: Simulation) -> str:
    """How likely tuning works, in a word and its number; by the targets where there are any."""
    if drawn.p_works == 1:
        return "Yes" if _was_tuned(dossier) else "Yes, assuming that it works"
    best = _best_tuning(dossier)
    if best is not None and best.chance_word in CHANCES:
        meets = "every missed target" if len(best.chances) > 1 else "the target"
        chance = CHANCES[best.chance_word]
        return f"{capital(best.chance_word)} ({chance} chance that it meets {meets})"
    word = capital(chance_word(drawn.p_works))
    for assumption in drawn.assumes:
        if assumption.endswith(_OF_FAILURE):
            return f"{word} ({assumption.removesuffix(_OF_FAILURE)})"
    return f"{word} ({share(drawn.p_works)} chance by the stated figures)"


_OF_FAILURE = f" ({FAILURE})"  # the end of the assumption that it may not work


CHANCES: Mapping[str, str] = {
    "likely": f"at least {share(LIKELY)}",
    "possible": f"{share(POSSIBLE)} to {share(LIKELY)}",
    "unlikely": f"under {share(POSSIBLE)}",
}
"""The words for chances, with their meaning."""


def _is_late(money: InvestmentResult) -> bool:
    """Whether it pays back later than the limit, even if tuning works."""
    return money.justified != "yes" and money.p_within_6_months == 0


def _amounts(dossier: Dossier, money: InvestmentResult, *, never: bool = False) -> str:
    """Say what it takes up front, and what is left each month to repay that.

    ``never`` means that it isn't repaid even as traffic grows, so growth isn't worth a word.
    """
    every = period_words(money).every
    upfront = f"It takes {dollars(money.upfront_usd)} up front{_pilot_part(dossier)}"
    run = f"{dollars(money.ask_usd.run_month)} {every} to run"
    if money.capped:
        most = f"{dollars(money.possible_saving_usd)} {every}"
        growth = "" if never else _grown(money)
        return (
            f"{upfront} and {run}. Today at most {most} can be saved on calls{growth}."
        )
    _, high = ends(money.monthly_net_usd)
    if high > 0:
        return f"{upfront}, then {_leaves(money, every)}."
    brings = ""
    if not isinstance(money.brings_usd, Unknown):
        brings = f" ({_gain(money, money.brings_usd)})"
    return f"{upfront} and {run}, which is more than it brings{brings}."


def _pilot_part(dossier: Dossier) -> str:
    """Say which part of the whole is asked for now, for the pilot; empty without a pilot."""
    money = dossier.investment
    if dossier.verdict.answer != "pilot" or isinstance(money, Unknown):
        return ""
    pilot = money.ask_usd.pilot
    if isinstance(pilot, Unknown):
        return ""
    return f" ({dollars(pilot)} of it in the cost above)"


def _leaves(money: InvestmentResult, every: str) -> str:
    """Say what is left each month to repay it, and how it is computed where every part is known."""
    low, high = ends(money.monthly_net_usd)
    if low < 0 < high < inf:
        left = f"leaves {usd(high)} {every} at best and loses {usd(-low)} at worst"
    else:
        left = f"leaves {dollars(money.monthly_net_usd)} {every}"
    if isinstance(money.brings_usd, Unknown):
        return left
    run = dollars(money.ask_usd.run_month)
    return f"{left} ({_gain(money, money.brings_usd)}, less {run} to run)"


def _gain(money: InvestmentResult, brings: float | Range) -> str:
    """The stated gain by its lines: saved on calls, and for better answers."""
    low, high = ends(brings)
    better_low = 0.0
    better_high = 0.0
    if not isinstance(money.gained_usd, Unknown):
        better_low, better_high = ends(money.gained_usd)
    lines = []
    if high > better_high:
        saved = Range.between(low - better_low, high - better_high)
        lines.append(f"{dollars(saved)} saved on calls")
    if better_high > 0:
        lines.append(f"{dollars(money.gained_usd)} for better answers")
    both = "both " if len(lines) > 1 else ""
    return f"{listing(lines)}, {both}stated"


def _grown(money: InvestmentResult) -> str:
    """Say that more than today's bill can be saved only as traffic grows; empty without growth."""
    if isinstance(money.growth_per_month, Unknown):
        return ""
    low, high = ends(money.growth_per_month)
    if high <= 0:
        return ""
    growth = share(high) if low == high else f"{share(low)} to {share(high)}"
    return f", more only at the stated growth of {growth} a month"


def rival_text(dossier: Dossier) -> str:
    """The bill of the strongest rival, in a sentence; empty where no price is known."""
    for fact in rival_facts(dossier):  # there is one at most
        return f"{fact.label}: {fact.value} {fact.beside}".rstrip()
    return ""


def rival_facts(dossier: Dossier) -> Iterator[b.Fact]:
    """The bill of what rivals the tuned way most: no other way has to be tuned and run.

    A model nobody ran where one would take the saving; else the cheapest untuned way that is enough
    or may be. Nothing where no price is known, and where it is what runs today.
    """
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.computed, Unknown):
        return
    if money.but:
        yield b.Fact("Untried rival", sentence(money.but), "", "money")
        return
    running = {way.model for way in dossier.ways if way.state == "running"}
    # the case's own ways first, and the cheapest first among these
    for way in (*money.computed.servings, *money.computed.rivals):
        is_able = not way.tuned and way.admissible != "no"
        if not is_able or isinstance(way.usd_per_month, Unknown):
            continue
        if way.model not in running:  # the table of ways says what runs today
            bill = f"{dollars(way.usd_per_month)}{money.a_month}"
            says = f"{way.model} at {bill} for the same calls."
            why = "" if way.admissible == "yes" else sentence(way.why)
            yield b.Fact("Strongest rival, untuned", says, why, "money")
        return


OFTEN = 0.05  #: Of the simulated runs: what is worth a title.


def never_repaid(dossier: Dossier) -> str:
    """How many simulated runs never repay the money, failed ones included; empty for hardly any."""
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.simulation, Unknown):
        return ""
    drawn = money.simulation
    if _is_never_repaid(money, drawn):
        return ""  # the answer itself says so
    if drawn.p_never < OFTEN or drawn.p_works in (0, 1):
        return ""
    within = f"in {drawn.horizon_months} months"
    return (
        f"Failures counted, {share(drawn.p_never)} of all runs aren’t repaid {within}."
    )
