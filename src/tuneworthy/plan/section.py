"""The plan as a section of the dossier: its phases, what they come to, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

from tuneworthy.model.base import (
    DAYS_PER_MONTH,
    MONTHS_PER_QUARTER,
    Range,
    Unknown,
    months_to_reach,
)
from tuneworthy.model.case import Case
from tuneworthy.model.dossier import (
    Aim,
    ApproachResult,
    Assessment,
    DataNeed,
    Decision,
    InvestmentResult,
    Part,
    PartTotal,
    Plan,
    QuestionResult,
    Recommendation,
)
from tuneworthy.model.framework import Framework, Outcome, PlanRule, either
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.plan.context import (
    Calendar,
    Needs,
    NoPlanError,
    PhaseCost,
    PlanContext,
    cost_of,
    said,
)
from tuneworthy.verdict.conditions import Condition, unsafe
from tuneworthy.verdict.headline import OUTCOME_WORDS
from tuneworthy.verdict.judge import Judgement
from tuneworthy.words import (
    count,
    day,
    listing,
    months,
    months_later,
    months_range,
    number,
    plain,
    quality,
    sentence,
    several,
    share,
)

_FAR_MONTHS = 1200  #: A century: nobody names the day.


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """What a plan is made from: a case, and everything that was found about it."""

    case: Case
    framework: Framework  #: The one that it was judged by.
    assessment: Assessment  #: The answers.
    decision: Decision  #: What the rules came to.
    judgement: Judgement  #: Its steps come first in the plan.
    fits: Sequence[ApproachResult]  #: Approaches, the primary one first.
    conditions: Sequence[Condition]  #: What has to be so before a tuned model goes live.
    open_questions: Sequence[QuestionResult]  #: Open answers that can matter, the best first.
    money: MoneyFindings  #: When it pays.
    start: date  #: The day to begin.


def build_plan(judged: JudgedCase) -> Plan | Unknown:
    """Plan what the judgement asks for, or say what would make a plan possible.

    A pilot is planned up to a tuned model that is watched and kept fresh; any other answer up to
    the next decision. Hours and USD are the case's where it states them by category, else those
    of the framework's tables; hours without a rate leave the USD open.
    """
    if judged.framework.plan is None:
        return Unknown(ask="add a plan section to the framework, or let it extend one that has it")
    try:
        plan = _plan_context(judged, judged.framework.plan)
        aim = _fill(plan, judged)
    except NoPlanError as error:
        return Unknown(ask=error.ask)
    phases = tuple(plan.phases)
    by_part = {part: [phase for phase in phases if phase.part == part] for part in get_args(Part)}
    return Plan(
        aim=aim,
        start=plan.calendar.start,
        phases=phases,
        hours=Range.total(phase.hours for phase in phases),
        usd=Range.total(phase.usd for phase in phases),
        weeks=plan.calendar.weeks,
        parts={
            part: PartTotal(
                hours=Range.total(p.hours for p in group),
                usd=Range.total(p.usd for p in group),
                end=max(p.end for p in group),
            )
            for part, group in by_part.items()
            if group
        },
        notes=tuple(_notes(plan, judged)),
    )


def _plan_context(judged: JudgedCase, rule: PlanRule) -> PlanContext:
    stated_hours = judged.case.economics.hours_per_week
    hours_per_week = rule.hours_per_week if stated_hours is None else stated_hours.likely
    targets = judged.judgement.targets
    assert judged.money.model is not None  # whoever assessed the money has it
    return PlanContext(
        case=judged.case,
        framework=judged.framework,
        rule=rule,
        assessment=judged.assessment,
        fits=judged.fits,
        calendar=Calendar(judged.start, hours_per_week),
        money=judged.money.model,
        missed=[name for name, target in targets.items() if target.state == "missed"],
    )


def _fill(plan: PlanContext, judged: JudgedCase) -> Aim:
    """Add the phases that the answer asks for."""
    judgement = judged.judgement
    recommendation = judgement.recommendation
    if judgement.answer in ("pilot", "yes"):
        simpler = plan.framework.simpler_than_tuning(recommendation.options)
        tuning(plan, judged.conditions, simpler, judged.money)
        return "tune"
    if judgement.answer == "no":
        keeping(plan)
        return "confirm"
    outcome = judgement.outcome
    if outcome == "undecided":
        outcome = judged.decision.leaning
    first_step = recommendation.steps[0]
    answers_first: Needs = ()
    if first_step.option == "measure" and judged.open_questions:
        answers_first = questions(plan, judged.open_questions)
    steps_to_verdict(plan, outcome, recommendation, judged.conditions, answers_first)
    if outcome == "improve_rag_or_switch_model" or answers_first:
        return "confirm"
    return "change"


# Everything a reader has to know before believing the dates and the sums.


def _notes(plan: PlanContext, judged: JudgedCase) -> Iterator[str]:
    economics = plan.case.economics
    decision = judged.decision
    money = judged.money.result
    notes = said()["notes"]
    whose = "as stated"
    if economics.hours_per_week is None:
        whose = "the framework's figure; state economics.hours_per_week"
    yield notes["dates"].format(hours=number(plan.calendar.hours_per_week), whose=whose)
    if economics.hourly_rate_usd is None:
        yield notes["no_rate"]
    if decision.outcome == "undecided":
        yield notes["undecided"].format(outcome=OUTCOME_WORDS[decision.leaning])
    launch = next((phase.end for phase in plan.phases if phase.id == "deployment"), None)
    if launch is not None:
        yield from _notes_of_tuning(plan, notes, launch)
        if isinstance(money, InvestmentResult):
            yield from _pays_back(money, notes, launch)


def _notes_of_tuning(plan: PlanContext, notes: Mapping[str, str], launch: date) -> Iterator[str]:
    stated, lacks = plan.case.economics.upfront, plan.fits and plan.fits[0].missing
    if stated.hours is not None or stated.usd is not None:
        yield notes["in_total"]
    if (stated.hours or stated.usd or stated.by_category) and isinstance(lacks, int) and lacks > 0:
        unit = plan.fits[0].data.unit
        hours = plan.collected(unit, float(lacks), 0.0).hours
        work = hours_text(hours.low, hours.most)
        yield notes["lacking"].format(missing=count(lacks), unit=plain(unit), hours=work)
    for fit in plan.fits:
        if isinstance(fit.missing, Unknown):
            yield notes["uncounted"].format(
                unit=plain(fit.data.unit), goal=plain(fit.goal), need=count(fit.data.low)
            )
    until = plan.case.tuning.until
    if until and plan.calendar.start < until <= max(p.end for p in plan.phases):
        when = "ends_before" if until <= launch else "ends_after"
        yield notes[when].format(until=day(until), launch=day(launch))


def _pays_back(money: InvestmentResult, notes: Mapping[str, str], launch: date) -> Iterator[str]:
    point = money.break_even_months.point
    if isinstance(point, Unknown):
        return
    if isinstance(point, str):
        yield notes["never"]
        return
    low, high = (point.low, point.most) if isinstance(point, Range) else (point, point)
    by = None if money.one_off else _later(launch, high)
    back = f"after {months_range(low, high)}"
    if money.one_off:
        back = "with the job at best, never at worst" if math.isinf(high) else "with the job"
    yield notes["contradicted" if money.contradicted else "pays_back"].format(
        launch=day(launch), back=back, by=f", so by {day(by)}" if by else ""
    )


def _later(launch: date, months: float) -> date | None:
    if math.isinf(months) or months > _FAR_MONTHS:
        return None
    whole = math.floor(months + 1e-9)
    if launch.year + whole / 12 >= date.max.year - 1:
        return None
    days = max(0, math.ceil((months - whole) * DAYS_PER_MONTH - 1e-6))
    return months_later(launch, whole) + timedelta(days=days)


def hours_text(low: float, high: float | str) -> str:
    """Hours as ``18–36 hours``."""
    if isinstance(high, str):
        return f"{_hours(low)} hours or more"
    if high == 0:
        return "no hours"
    if high < 1:
        return several(max(1, round(high * 60)), "minute")
    least, most = _hours(low), _hours(high)
    if least == most:
        return f"{least} hour" if least == "1" else f"{least} hours"
    return f"{least}–{most} hours"


def _hours(value: float) -> str:
    return f"{round(value, 1):g}" if value < 20 else count(round(value))


# Which phases a plan has, in which order, and what their words leave open. What a phase is called,
# what is done in it, when it is done and what it takes stands in phases.toml. To add one, write it
# there and say it where it belongs: in tuning, steps_to_verdict or keeping.

WEEKS_PER_QUARTER = 13  #: 52 weeks by four.

_MOST_QUESTIONS = 5

# The order of the phases.


def tuning(
    plan: PlanContext, gates: Sequence[Condition], simpler: Sequence[str], money: MoneyFindings
) -> None:
    """Preconditions, the first version, running it, and further goals.

    Nothing is trained, not even a pilot, before the data is reviewed and the service confirmed, and
    the bulk of the money waits for the pilot and for amounts that are settled.
    """
    unmet: dict[str, Condition] = {gate.id: gate for gate in gates if gate.state != "yes"}
    stop = _alternatives(plan, unmet)
    evaluated = _evaluation(plan, stop, part="first_version")
    _simpler_first(plan, simpler, evaluated)
    _settled(plan, unmet, stop)
    paid = _pilot(plan)
    if "investment" in unmet and not stop:
        settle = sentence(money.settle or money.gate.why)
        paid += plan.say("money", settle=settle, done=money.settled_when)
    ready = "data" if plan.fits else "data_of_the_goal"
    words = _data_words(plan, plan.fits[0].data) if plan.fits else {}
    trained = plan.say("training", plan.say(ready, paid, **words))
    limits = listing(plan.limits)
    kept = f"it keeps to {limits}" if limits else "its latency and cost are on file"
    launched = plan.say("deployment", trained, kept=kept)
    if plan.case.one_off:
        plan.say("job", launched)
        return
    plan.say("retraining", plan.say("monitoring", launched))
    _later_goals(plan, launched)


def steps_to_verdict(
    plan: PlanContext,
    outcome: Outcome,
    recommendation: Recommendation,
    gates: Sequence[Condition],
    needs: Needs = (),
) -> None:
    """The steps that would confirm a verdict other than to tune, or change it, and the decision.

    ``outcome`` is what an open verdict leans to. The recommended steps come in their order; for a
    candidate that is held up, what holds it up is settled.
    """
    before = len(plan.phases)
    advised = plan.framework.simpler_than_tuning(recommendation.options)
    if recommendation.steps[0].option in ("clear_reasons_against", "collect_data"):
        _clearing(plan, outcome, gates, needs)
        _trying(plan, outcome, advised, _cases(plan, needs))
    else:
        _trying(plan, outcome, advised, _cases(plan, needs))
        _clearing(plan, outcome, gates, needs)
    if len(plan.phases) == before:  # a framework may lead here with nothing left to do
        plan.say("watch", needs)
    plan.say("decide", tuple(phase.id for phase in plan.phases[before:]))


def _trying(plan: PlanContext, outcome: Outcome, advised: tuple[str, ...], needs: Needs) -> None:
    """What is advised, and the checks that it doesn't do."""
    _advised(plan, advised, needs)
    if outcome != "keep_optimizing_prompts":
        return
    done = {check for name in advised for check in _DOES.get(name, ())}
    for name, check in plan.assessment.ceiling.checks.items():
        if check.state != "yes" and name not in done:
            _check(plan, name, needs)


_DOES: Mapping[str, tuple[str, ...]] = {
    "few_shot": ("few_shot",),
    "retrieved_examples": ("few_shot",),
    "prompt_optimisation": ("prompt_variations",),
    "other_model": ("foundation_models",),
    "better_retrieval": ("retrieval_optimised",),
}  #: Checks of the ceiling test that an option does.


def _clearing(
    plan: PlanContext, outcome: Outcome, gates: Sequence[Condition], needs: Needs
) -> None:
    """What holds a candidate up, and reasons against."""
    if outcome == "fine_tune_candidate":
        _conditions(plan, {gate.id: gate for gate in gates if gate.state != "yes"}, needs)
    if outcome in ("address_anti_indicators", "fine_tune_candidate"):
        for name in plan.framework.anti_indicators:
            if plan.assessment.state(name) == "yes":
                _CLEARED.get(name, _clear)(plan, name, needs)


def _conditions(plan: PlanContext, unmet: Mapping[str, Condition], needs: Needs) -> None:
    """What has to be settled before a candidate is more than that."""
    stop = _alternatives(plan, unmet) or needs
    _settled(plan, unmet, stop)
    if (
        plan.fits
        and plan.fits[0].feasible == "no"
        and plan.assessment.state("insufficient_data") != "yes"
    ):
        _collect(plan, "insufficient_data", stop)


def _settled(plan: PlanContext, unmet: Mapping[str, Condition], needs: Needs) -> None:
    """The service, safety and the goal, as far as they are open."""
    _tuning_service(plan, needs)
    if "safety" in unmet:
        _safety(plan, needs)
    if not plan.fits:
        goals = [goal.title for goal in plan.framework.goals.values()]
        plan.say("goal", needs, known=listing(goals, "or"))


def keeping(plan: PlanContext) -> None:
    """The present system meets every target: show it, and watch that it stays so."""
    plan.say("decide", plan.say("watch", _need(plan, _cases(plan, ()))))


def _advised(plan: PlanContext, advised: tuple[str, ...], needs: Needs) -> None:
    """What is advised before any tuning; retrieval is counted before it is changed."""
    others = [name for name in advised if name != _RETRIEVAL]
    if advised[:1] != (_RETRIEVAL,):
        _simpler_first(plan, others, needs)
    if _RETRIEVAL in advised:
        options, recall = plan.framework.options, plan.case.today.retrieval_recall
        enough = plan.framework.threshold("retrieval_recall")
        variants = (n for n, option in options.items() if option.variant_of == _RETRIEVAL)
        kinds = tuple(variants)
        counted = needs
        if recall is None:
            beside = f", beside the {quality(enough)} that is enough" if enough else ""
            counted = plan.say("recall", needs, beside=beside)
        _retrieval(plan, counted, kinds, recall, enough)
    if advised[:1] == (_RETRIEVAL,):
        _simpler_first(plan, others, needs)


_RETRIEVAL = "better_retrieval"


def _cases(plan: PlanContext, needs: Needs) -> Needs:
    """An evaluation set where there is none: without one no comparison counts."""
    if plan.case.data.evaluation is not None:
        return needs
    return needs + _evaluation(plan, needs, part="steps")


# What comes before a tuning.


def _alternatives(plan: PlanContext, unmet: Mapping[str, Condition]) -> Needs:
    """A reason not to tune at all comes first, and everything else waits for it."""
    names = ("strength", "investment")
    against = [unmet[name] for name in names if name in unmet and unmet[name].state == "no"]
    if not against:
        return ()
    pays, rule = "", plan.framework.break_even
    by_money = against[-1].id == "investment" and plan.assessment.state("data_sovereignty") != "yes"
    if rule is not None and by_money and plan.case.one_off:
        pays = ", and by believed amounts it pays back with the job"
    elif rule is not None and by_money:
        pays = f", and by believed amounts it pays back in under {months(rule.under_months)}"
    first, second, *_ = *(f"What speaks against tuning now: {gate.why}" for gate in against), ""
    return plan.say("alternatives", first=first, second=second, pays=pays)


def _tuning_service(plan: PlanContext, needs: Needs) -> None:
    """What has to be settled about the tuning service, where something has."""
    stated = plan.case.tuning
    ended = stated.until is not None and stated.until <= plan.calendar.start
    offered = plan.fits[0].offered_by if plan.fits else ()
    others = f"New work of this kind is taken by {listing(offered)}" if offered else ""
    if ended or stated.available == "no":
        gone = "The service takes no work"
        if ended and stated.until:
            gone = f"The service ended on {day(stated.until)}"
        plan.say("other_service", needs, gone=gone, others=others)
    elif stated.service != "self_hosted" and stated.available != "yes":
        known = f" It is known to end on {day(stated.until)}." if stated.until else ""
        plan.say("service", needs, known=known, others=others)


def _safety(plan: PlanContext, needs: Needs) -> None:
    steps, ends = said()["reviewed"], said()["on_file"]
    _, names = unsafe(plan.case)
    title = "review the data" if "data_reviewed" in names else "name a process"
    plan.say(
        "safety",
        needs,
        title=title,
        steps="\n".join(steps[name] for name in names),
        done=listing([ends[name] for name in names]),
    )


def _evaluation(plan: PlanContext, needs: Needs, part: Part) -> Needs:
    """Held-out cases and the figure to beat, before anything is trained or changed."""
    kind, both = "none" if plan.case.data.evaluation is None else "there", 2 * plan.held_out
    logs = "" if plan.case.data.traces else "--from LOGS "
    first = said()["cases"][kind].format(all=count(both), n=both, cases=plan.cases, logs=logs)
    named = "" if plan.quality else "Name the metric and the share that is good enough"
    scored = said()["scored"].get(plan.case.goals[0], "") if plan.case.goals else ""
    return plan.say("evaluation", needs, part=part, first=first, named=named, scored=scored)


def _need(plan: PlanContext, needs: Needs) -> Needs:
    against = plan.targets or "quality, latency and cost, with a target for each"
    return plan.say("need", needs, against=against)


def _simpler_first(plan: PlanContext, options: Sequence[str], needs: Needs) -> None:
    """What would help and is simpler than tuning is tried before any training."""
    if not options:
        return
    rules = [plan.framework.options[name] for name in options]
    serving, answering = (
        [r for r in rules if (r.errors is None) == is_so] for is_so in (True, False)
    )
    each = "each" if len(answering) > 1 else "it"
    share = f"share right of {each} on the {plan.cases} cases, with its 95% interval,"
    wait = "bill and the wait of what changes only how the model is called"
    plan.say(
        "simpler",
        needs,
        plan.options(options),
        titles=listing([rule.title for rule in rules]),
        run=f"Run {each} on the same {plan.cases} cases as the best prompt" * bool(answering),
        compare=said()["shown"]["answering"] * bool(answering),
        hold=said()["shown"]["serving"] * bool(serving),
        counts=listing([share] * bool(answering) + [wait] * bool(serving), "and the"),
        target=f"every target ({plan.targets})" if plan.targets else "the target",
    )


# The first version.


def _pilot(plan: PlanContext) -> Needs:
    """It waits for all that comes before it."""
    part, least, examples = plan.rule.pilot_share, "", ""
    if plan.fits:
        need = plan.fits[0].data
        some = math.ceil(need.low * part - 1e-9)
        least = f", at least {count(some)} {plain(need.unit)}"
        if need.unit != "documents":
            examples = f" --examples {some}" + " --dpo" * (need.unit == "preference_pairs")
    before = tuple(phase.id for phase in plan.phases)
    return plan.say("pilot", before, share=share(part), least=least, examples=examples)


def _data_words(plan: PlanContext, need: DataNeed) -> dict[str, Any]:
    """What data, how much, how to get it and go on getting it."""
    have, low, high, data = plan.case.usable_data(need.unit), need.low, need.high, plain(need.unit)
    if have is None:
        there = f"nobody has counted the {data}: count them first"
    elif have < low:
        there = f"{count(have)} are there, {count(low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    span = f"{count(low)} or more" if isinstance(high, str) else f"{count(low)}–{count(high)}"
    needed, gathered = sentence(f"{span} {data} needed, {there}"), said()["gathered"]
    ways = {"how": gathered[need.unit], "kept": gathered["kept"]}
    return {"needed": needed, "low": count(low), "data": data, **ways}


def _later_goals(plan: PlanContext, needs: Needs) -> None:
    """The goals after the primary one, each with its own data and comparison.

    What a case states is the work up to its first version, so these take the framework's table.
    """
    units = [fit.data.unit for fit in plan.fits]
    for fit in plan.fits[1:]:
        need, words = fit.data, _data_words(plan, fit.data)
        if need.unit in units[: plan.fits.index(fit)]:
            words |= {"how": "", "kept": ""}  # as before
        cost = plan.collected(need.unit, need.low, plan.case.usable_data(need.unit))
        for row in ("data_preparation", "training", "evaluation"):
            cost += plan.table(row)
        title = f"{fit.priority} {plan.framework.goals[fit.goal].title}: {fit.title}"
        needs = plan.say("later_goal", needs, cost, id=f"goal_{fit.goal}", title=title, **words)


# Steps to another verdict.


def questions(plan: PlanContext, open_questions: Sequence[QuestionResult]) -> Needs:
    """The open answers, found out at the minutes the framework gives them."""
    hours, many = sum(q.minutes for q in open_questions) / 60, len(open_questions)
    steps = [question.ask for question in open_questions[:_MOST_QUESTIONS]]
    if many > _MOST_QUESTIONS:
        steps.append(f"And {several(many - _MOST_QUESTIONS, 'more question')}")
    every = "the open answer is" if many == 1 else f"all {count(many)} open answers are"
    cost = PhaseCost(Range.between(hours, hours))
    return plan.say("questions", (), cost, asks="\n".join(steps), every=every)


def _check(plan: PlanContext, name: str, needs: Needs) -> None:
    """A check of the ceiling test that isn't known to be done."""
    rule, ask = plan.framework.ceiling[name], plan.framework.question(name)
    unknown = plan.assessment.state(name) == "unknown"
    plan.say(
        "check",
        needs,
        either(plan.rule.checks, name),
        id=f"check_{name}",
        title=rule.title,
        ask=ask,
        first=f"Find out whether it was done: {ask}" * unknown,
        settle=plan.framework.filled(rule.settle, rule) if rule.settle else ask,
        shown=said()["shown"].get(name, ""),
    )


def _retrieval(
    plan: PlanContext, needs: Needs, kinds: Needs, recall: float | None, enough: float | None
) -> None:
    """Try every kind of better retrieval."""
    options = plan.framework.options
    better = options[_RETRIEVAL]
    steps = [
        f"{plain(name)}: {better.kinds.get(name) or options[name].helps_when}" for name in kinds
    ]
    short = "more often than before"
    if enough:
        short = f"for at least {quality(enough)} of the questions"
    first = (
        "Go through these only if too few passages are found, one at a time, on the same questions"
    )
    if recall is not None:
        first = f"It is found for {quality(recall)} of the questions: try one kind at a time"
    text = "\n".join((first, *(steps or [sentence(better.helps_when)])))
    cost = plan.options(kinds or (_RETRIEVAL,))
    plan.say("retrieval", needs, cost, kinds=text, short=short)


# Reasons against that hold, each cleared in its own way.


def _clear(plan: PlanContext, name: str, needs: Needs) -> None:
    """A reason against that takes no counting; one of a framework's own has no words here."""
    factor, ask = plan.framework.factors[name], plan.framework.question(name)
    work, own, missed = either(plan.rule.against, name), f"against_{name}", plan.missed
    words = own if own in said() else "against"
    if name == "success_with_prompts" and missed:
        words = "against_success_while_missed"
    known, answer = said()["changing"], plan.case.factors.get(name)
    changes = str(answer.changes) if answer else ""
    plan.say(
        words,
        needs,
        work,
        id=own,
        missed=f"{listing(missed)} {'is' if len(missed) == 1 else 'are'} missed",
        steps="\n".join([known[changes]] if changes in known else known.values()),
        title=factor.title,
        ask=ask,
        step=sentence(factor.means or factor.why or ask),
        lasting=f"{number(work.weeks)} weeks" if work.weeks != 1 else "a week",
        targets=plan.targets or "quality, latency, cost and privacy, with a target for each",
    )


def _collect(plan: PlanContext, name: str, needs: Needs) -> None:
    """Collect up to the need of the first goal that lacks data, or the framework's own number."""
    wanted = plan.framework.threshold("few_examples") or 0.0
    need = DataNeed(low=math.ceil(wanted), high="open", unit="examples")
    for fit in plan.fits:
        if fit.feasible != "yes":
            need = DataNeed(low=fit.data.low, high="open", unit=fit.data.unit)
            break
    work = either(plan.rule.against, name)
    cost = cost_of(work.hours) + plan.collected(
        need.unit, need.low, plan.case.usable_data(need.unit)
    )
    words = _data_words(plan, need)
    plan.say("collect", needs, cost, weeks=work.weeks, id=f"against_{name}", **words)


def _volume(plan: PlanContext, name: str, needs: Needs) -> None:
    """Until the stated growth gets there; the framework's wait where it never does."""
    traffic, limit = plan.case.economics.traffic, plan.framework.threshold("low_volume")
    now = traffic.requests_per_month.likely if traffic.requests_per_month else None
    growth = traffic.growth_per_month.likely if traffic.growth_per_month else 0.0
    work, weeks = either(plan.rule.against, name), 0.0
    if now is None:
        first = "Nobody has counted the requests: count them, and the growth"
    elif limit and now >= limit:
        first = f"{count(now)} requests a month are stated beside low volume: count them"
    else:
        reached = months_to_reach(now=now, target=limit or 0.0, growth_per_month=growth)
        first = f"{count(now)} requests a month today"
        if limit and reached:
            weeks = reached * WEEKS_PER_QUARTER / MONTHS_PER_QUARTER
            first += f"; at the stated growth {count(limit)} are reached in month {reached}"
        else:
            first += ": open it to more users, or wait with tuning"
            first += f"; {number(work.weeks)} weeks is the framework's figure" * (work.weeks > 0)
    enough = f"{count(limit)} requests or more" if limit else "enough requests to pay it back"
    plan.say(f"against_{name}", needs, work, weeks=weeks, first=first, enough=enough)


_CLEARED: dict[str, Callable[[PlanContext, str, Needs], None]] = {
    "insufficient_data": _collect,
    "low_volume": _volume,
}
