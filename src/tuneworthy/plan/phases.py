"""Every phase of a plan: what it is called, what is done in it, what it takes, when it is done.

A phase is a function that adds itself to the plan and gives its id. To add one, write it here and
call it where it belongs: in ``tuning``, ``steps_to_verdict`` or ``keeping``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from tuneworthy.model.base import MONTHS_PER_QUARTER, Range, months_to_reach
from tuneworthy.model.dossier import (
    ApproachResult,
    DataNeed,
    GateResult,
    Part,
    QuestionResult,
    Recommendation,
)
from tuneworthy.model.framework import Outcome, either
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.money.terms import LACKING, LACKING_FIRST, CostPart
from tuneworthy.plan.context import PhaseCost, PlanContext, cost_of, said_by, spoken
from tuneworthy.verdict.gates import held, unsafe
from tuneworthy.verdict.options import OPTIONS
from tuneworthy.words import (
    count,
    day,
    listing,
    months,
    number,
    plain,
    quality,
    sentence,
    several,
    share,
)

Needs = tuple[str, ...]

WEEKS_PER_QUARTER = 13  #: 52 weeks by four.

_MOST_QUESTIONS = 5

# The order of the phases.


def tuning(
    plan: PlanContext, gates: Sequence[GateResult], simpler: Sequence[str], money: MoneyFindings
) -> None:
    """Preconditions, the first version, running it, and further goals.

    Nothing is trained, not even a pilot, before the data is reviewed and the service confirmed, and
    the bulk of the money waits for the pilot and for amounts that are settled.
    """
    unmet: dict[str, GateResult] = {gate.id: gate for gate in gates if gate.state != "yes"}
    stop = _alternatives(plan, unmet)
    evaluated = (_evaluation(plan, stop, part="first_version"),)
    if "need" in unmet:
        _need(plan, evaluated)
    _simpler_first(plan, simpler, evaluated)
    _settled(plan, unmet, stop)
    paid: Needs = (_pilot(plan, tuple(phase.id for phase in plan.phases)),)
    if "investment" in unmet and not stop:
        paid += (_money(plan, money),)
    trained = _training(plan, (_data(plan, paid),))
    launched = (_deployment(plan, (trained,)),)
    if plan.case.one_off:
        plan.say("job", plan.running("inference", "monitoring", "other"), launched, "first_version")
        return
    watched = (_monitoring(plan, launched),)
    plan.say("retraining", plan.running("retraining"), watched, "running")
    needs = launched
    for position, fit in enumerate(plan.fits[1:], start=1):
        as_before = any(fit.data.unit == earlier.data.unit for earlier in plan.fits[:position])
        needs = (_later_goal(plan, fit, needs, as_before=as_before),)


def steps_to_verdict(
    plan: PlanContext,
    outcome: Outcome,
    found: Recommendation,
    gates: Sequence[GateResult],
    needs: Needs = (),
) -> None:
    """The steps that would confirm a verdict other than to tune, or change it, and the decision.

    ``outcome`` is what an open verdict leans to. The recommended steps come in their order; for a
    candidate that is held up, what holds it up is settled.
    """
    before = len(plan.phases)
    advised = plan.framework.simpler_than_tuning(found.options)
    if found.steps[0].option in ("clear_reasons_against", "collect_data"):
        _clearing(plan, outcome, gates, needs)
        _trying(plan, outcome, advised, _cases(plan, needs))
    else:
        _trying(plan, outcome, advised, _cases(plan, needs))
        _clearing(plan, outcome, gates, needs)
    if len(plan.phases) == before:  # a framework may lead here with nothing left to do
        plan.say("watch", plan.rule.steps.watch, needs)
    plan.say("decide", plan.rule.steps.decide, tuple(phase.id for phase in plan.phases[before:]))


def _trying(plan: PlanContext, outcome: Outcome, advised: tuple[str, ...], needs: Needs) -> None:
    """What is advised, and the checks that it doesn't do."""
    _advised(plan, advised, needs)
    if outcome != "keep_optimizing_prompts":
        return
    done = {check for name in advised if name in OPTIONS for check in OPTIONS[name].checks}
    for name, check in plan.assessment.ceiling.checks.items():
        if check.state != "yes" and name not in done:
            _check(plan, name, needs)


def _clearing(
    plan: PlanContext, outcome: Outcome, gates: Sequence[GateResult], needs: Needs
) -> None:
    """What holds a candidate up, and reasons against."""
    if outcome == "fine_tune_candidate":
        _conditions(plan, {gate.id: gate for gate in gates if gate.state != "yes"}, needs)
    if outcome in ("address_anti_indicators", "fine_tune_candidate"):
        for name in plan.framework.anti_indicators:
            if plan.assessment.state(name) == "yes":
                _CLEARED.get(name, _clear)(plan, name, needs)


def _conditions(plan: PlanContext, unmet: Mapping[str, GateResult], needs: Needs) -> None:
    """What has to be settled before a candidate is more than that."""
    stop = _alternatives(plan, unmet) or needs
    _settled(plan, unmet, stop)
    if (
        plan.fits
        and plan.fits[0].feasible == "no"
        and plan.assessment.state("insufficient_data") != "yes"
    ):
        _collect(plan, "insufficient_data", stop)


def _settled(plan: PlanContext, unmet: Mapping[str, GateResult], needs: Needs) -> None:
    """The service, safety and the goal, as far as they are open."""
    _tuning_service(plan, needs)
    if "safety" in unmet:
        _safety(plan, needs)
    if not plan.fits:
        _goal(plan, needs)


def keeping(plan: PlanContext) -> None:
    """The present system meets every target: show it, and watch that it stays so."""
    needed = (_need(plan, _cases(plan, ())),)
    watched = (plan.say("watch", plan.rule.steps.watch, needed),)
    plan.say("decide", plan.rule.steps.decide, watched)


def _advised(plan: PlanContext, advised: tuple[str, ...], needs: Needs) -> None:
    """What is advised before any tuning; retrieval is counted before it is changed."""
    others = [name for name in advised if name != _RETRIEVAL]
    if advised[:1] != (_RETRIEVAL,):
        _simpler_first(plan, others, needs)
    if _RETRIEVAL in advised:
        options, recall = plan.framework.options, plan.case.today.retrieval_recall
        enough = plan.framework.threshold("retrieval_recall")
        variants = (n for n, option in options.items() if option.variant_of == _RETRIEVAL)
        kinds = tuple(name for name in variants if name not in plan.ruled_out)
        counted = needs
        if recall is None:
            beside = f", beside the {quality(enough)} that is enough" if enough else ""
            counted = (plan.say("recall", plan.rule.steps.recall, needs, beside=beside),)
        _retrieval(plan, counted, kinds, recall, enough)
    if advised[:1] == (_RETRIEVAL,):
        _simpler_first(plan, others, needs)


_RETRIEVAL = "better_retrieval"


def _cases(plan: PlanContext, needs: Needs) -> Needs:
    """An evaluation set where there is none: without one no comparison counts."""
    if plan.case.data.evaluation is not None:
        return needs
    return (*needs, _evaluation(plan, needs, part="steps"))


# What comes before a tuning.


def _alternatives(plan: PlanContext, unmet: Mapping[str, GateResult]) -> Needs:
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
    cost = plan.rule.steps.alternatives
    return (plan.say("alternatives", cost, first=first, second=second, pays=pays),)


def _tuning_service(plan: PlanContext, needs: Needs) -> None:
    """What has to be settled about the tuning service, where something has."""
    stated = plan.case.tuning
    ended = stated.until is not None and stated.until <= plan.calendar.start
    offered = plan.fits[0].offered_by if plan.fits else ()
    others = f"New work of this kind is taken by {listing(offered)}" if offered else ""
    steps = plan.rule.steps
    if ended or stated.available == "no":
        gone = "The service takes no work"
        if ended and stated.until:
            gone = f"The service ended on {day(stated.until)}"
        told = {"gone": gone, "others": others}
        plan.say("other_service", steps.other_service, needs, "steps", 0.0, id="service", **told)
    elif stated.service != "self_hosted" and stated.available != "yes":
        known = f" It is known to end on {day(stated.until)}." if stated.until else ""
        plan.say("service", steps.service, needs, known=known, others=others)


def _safety(plan: PlanContext, needs: Needs) -> None:
    steps, ends = said_by("reviewed"), said_by("on_file")
    _, names = unsafe(plan.case)
    told = {
        "title": "review the data" if "data_reviewed" in names else "name a process",
        "steps": "\n".join(steps[name] for name in names),
        "done": listing([ends[name] for name in names]),
    }
    plan.say("safety", plan.rule.steps.data_review, needs, "steps", 0.0, **told)


def _goal(plan: PlanContext, needs: Needs) -> None:
    known = listing([goal.title for goal in plan.framework.goals.values()], "or")
    plan.say("goal", plan.rule.steps.goal, needs, known=known)


def _evaluation(plan: PlanContext, needs: Needs, part: Part) -> str:
    """Held-out cases and the figure to beat, before anything is trained or changed."""
    kind = "none" if plan.case.data.evaluation is None else "there"
    both = 2 * plan.held_out
    first = said_by("cases")[kind].format(all=count(both), n=both, cases=plan.cases)
    named = "" if plan.quality else "Name the metric and the share that is good enough"
    target = f"the target ({plan.quality})" if plan.quality else "a target with its metric"
    cost = plan.priced(plan.upfront("evaluation").times(plan.rule.design_share))
    scored = said_by("scored").get(plan.case.goals[0], "") if plan.case.goals else ""
    return plan.say(
        "evaluation", cost, needs, part, first=first, named=named, target=target, scored=scored
    )


def _need(plan: PlanContext, needs: Needs) -> str:
    against = plan.targets or "quality, latency and cost, with a target for each"
    return plan.say("need", plan.rule.steps.targets, needs, against=against)


def _simpler_first(plan: PlanContext, options: Sequence[str], needs: Needs) -> None:
    """What would help and is simpler than tuning is tried before any training."""
    if not options:
        return
    rules = [plan.framework.options[name] for name in options]
    serving, answering = (
        [r for r in rules if ("quality" not in r.moves) == is_so] for is_so in (True, False)
    )
    each = "each" if len(answering) > 1 else "it"
    share = f"share right of {each} on the {plan.cases} cases, with its 95% interval,"
    wait = "bill and the wait of what changes only how the model is called"
    told = {
        "titles": listing([rule.title for rule in rules]),
        "run": f"Run {each} on the same {plan.cases} cases as the best prompt" * bool(answering),
        "compare": said_by("shown")["answering"] * bool(answering),
        "hold": said_by("shown")["serving"] * bool(serving),
        "counts": listing([share] * bool(answering) + [wait] * bool(serving), "and the"),
        "target": f"every target ({plan.targets})" if plan.targets else "the target",
    }
    plan.say("simpler", plan.options(options), needs, "steps", 0.0, **told)


# The first version.


def _pilot(plan: PlanContext, needs: Needs) -> str:
    part, least, examples = plan.rule.pilot_share, "", ""
    cost = plan.upfront("data_preparation").times(part) + plan.upfront("training").times(part)
    cost += plan.upfront("evaluation").times((1 - plan.rule.design_share) / 2)
    cost += plan.money.upfront_parts.get(LACKING_FIRST, CostPart())
    if plan.fits:
        fit = plan.fits[0]
        some = math.ceil(fit.data.low * part - 1e-9)
        least = f", at least {count(some)} {plain(fit.data.unit)}"
        if fit.data.unit != "documents":
            examples = f" --examples {some}" + " --dpo" * (fit.data.unit == "preference_pairs")
    told = {"share": share(part), "least": least, "examples": examples}
    return plan.say("pilot", plan.priced(cost), needs, "first_version", 0.0, **told)


def _money(plan: PlanContext, money: MoneyFindings) -> str:
    settle = sentence(money.settle or money.gate.why)
    return plan.say("money", plan.rule.steps.money, settle=settle, done=money.settled_when)


def _data(plan: PlanContext, needs: Needs) -> str:
    cost = plan.upfront("data_preparation").times(1 - plan.rule.pilot_share)
    cost += plan.money.upfront_parts.get(LACKING, CostPart())
    told = {
        "steps": "Get ready what the approach to the named goal takes",
        "done": "the data the approach takes are counted, with duplicates, refusals and personal "
        "data taken out and none of them among the held-out cases",
    }
    if plan.fits:
        told = _data_words(plan, plan.fits[0].data)
    return plan.say("data", plan.priced(cost), needs, "first_version", 0.0, **told)


def _data_words(plan: PlanContext, need: DataNeed) -> dict[str, str]:
    """What data, how much, how to get it and go on getting it; and when they are ready."""
    have, low, high, data = held(plan.case, need.unit), need.low, need.high, plain(need.unit)
    if have is None:
        there = f"nobody has counted the {data}: count them first"
    elif have < low:
        there = f"{count(have)} are there, {count(low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    span = f"{count(low)} or more" if isinstance(high, str) else f"{count(low)}–{count(high)}"
    gathered = said_by("gathered")
    steps = (sentence(f"{span} {data} needed, {there}"), gathered[need.unit], gathered["kept"])
    return {
        "steps": "\n".join(steps),
        "done": f"{count(low)} usable {data} or more are counted after duplicates, refusals and "
        "personal data are out, none of them is among the held-out cases, and what people correct "
        "is being saved",
    }


def _training(plan: PlanContext, needs: Needs) -> str:
    reaches, beats = "beats the best prompt on", ""
    if plan.quality:
        reaches, beats = f"reaches {plan.quality} on", " and beats the best prompt there"
    cost = plan.upfront("training").times(1 - plan.rule.pilot_share)
    cost += plan.upfront("evaluation").times((1 - plan.rule.design_share) / 2)
    return plan.say(
        "training", plan.priced(cost), needs, "first_version", reaches=reaches, beats=beats
    )


def _deployment(plan: PlanContext, needs: Needs) -> str:
    limits = plan.limits
    kept = f"it keeps to {listing(limits)}" if limits else "its latency and cost are on file"
    cost = plan.priced(plan.upfront("deployment"))
    return plan.say("deployment", cost, needs, "first_version", kept=kept)


# Running it, and further goals.


def _monitoring(plan: PlanContext, needs: Needs) -> str:
    """The first quarter in production."""
    kept = f", none of them below {plan.quality}" if plan.quality else " beside that of the launch"
    cost = plan.running("inference", "monitoring", "other")
    return plan.say("monitoring", cost, needs, "running", WEEKS_PER_QUARTER, kept=kept)


def _later_goal(plan: PlanContext, fit: ApproachResult, needs: Needs, *, as_before: bool) -> str:
    """A goal after the primary one, with its own data and comparison.

    What a case states is the work up to its first version, so this takes the framework's table.
    """
    steps = _data_words(plan, fit.data)["steps"]
    goal = plan.framework.goals[fit.goal].title
    cost = plan.collected(fit.data.unit, fit.data.low, held(plan.case, fit.data.unit))
    for row in ("data_preparation", "training", "evaluation"):
        cost += plan.table(row)
    told = {
        "title": f"{fit.priority} {goal}: {fit.title}",
        "steps": steps.split("\n")[0] if as_before else steps,
    }
    return plan.say("later_goal", cost, needs, "later_goals", 0.0, id=f"goal_{fit.goal}", **told)


# Steps to another verdict.


def questions(plan: PlanContext, open_questions: Sequence[QuestionResult]) -> str:
    """The open answers, found out at the minutes the framework gives them."""
    hours, many = sum(q.minutes for q in open_questions) / 60, len(open_questions)
    steps = [question.ask for question in open_questions[:_MOST_QUESTIONS]]
    if many > _MOST_QUESTIONS:
        steps.append(f"And {several(many - _MOST_QUESTIONS, 'more question')}")
    every = "the open answer is" if many == 1 else f"all {count(many)} open answers are"
    cost = PhaseCost(Range.between(hours, hours))
    return plan.say("questions", cost, asks="\n".join(steps), every=every)


def _check(plan: PlanContext, name: str, needs: Needs) -> str:
    """A check of the ceiling test that isn't known to be done."""
    rule, ask = plan.framework.ceiling[name], plan.framework.question(name)
    unknown = plan.assessment.state(name) == "unknown"
    told = {
        "title": rule.title,
        "ask": ask,
        "first": f"Find out whether it was done: {ask}" * unknown,
        "settle": plan.framework.filled(rule.settle, rule) if rule.settle else ask,
        "shown": said_by("shown").get(name, ""),
    }
    work = either(plan.rule.checks, name)
    return plan.say("check", work, needs, "steps", 0.0, id=f"check_{name}", **told)


def _retrieval(
    plan: PlanContext, needs: Needs, kinds: Needs, recall: float | None, enough: float | None
) -> str:
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
    told = "\n".join((first, *(steps or [sentence(better.helps_when)])))
    cost = plan.options(kinds or (_RETRIEVAL,))
    return plan.say("retrieval", cost, needs, kinds=told, short=short)


# Reasons against that hold, each cleared in its own way.


def _clear(plan: PlanContext, name: str, needs: Needs) -> None:
    """A reason against that takes no counting; one of a framework's own has no words here."""
    factor, ask = plan.framework.factors[name], plan.framework.question(name)
    work, own, missed = either(plan.rule.against, name), f"against_{name}", plan.missed
    words = own if spoken(own) else "against"
    if name == "success_with_prompts" and missed:
        words = "against_success_while_missed"
    known, answer = said_by("changing"), plan.case.factors.get(name)
    changes = str(answer.changes) if answer else ""
    told = {
        "missed": f"{listing(missed)} {'is' if len(missed) == 1 else 'are'} missed",
        "steps": "\n".join([known[changes]] if changes in known else known.values()),
        "title": factor.title,
        "ask": ask,
        "step": sentence(factor.means or factor.why or ask),
        "lasting": f"{number(work.weeks)} weeks" if work.weeks != 1 else "a week",
        "targets": plan.targets or "quality, latency, cost and privacy, with a target for each",
    }
    plan.say(words, work, needs, "steps", 0.0, id=own, **told)


def _collect(plan: PlanContext, name: str, needs: Needs) -> None:
    """Collect up to the need of the first goal that lacks data, or the framework's own number."""
    wanted = plan.framework.threshold("few_examples") or 0.0
    need = DataNeed(low=math.ceil(wanted), high="open", unit="examples")
    for fit in plan.fits:
        if fit.feasible != "yes":
            need = DataNeed(low=fit.data.low, high="open", unit=fit.data.unit)
            break
    work = either(plan.rule.against, name)
    cost = cost_of(work.hours) + plan.collected(need.unit, need.low, held(plan.case, need.unit))
    told = _data_words(plan, need)
    plan.say("collect", cost, needs, "steps", work.weeks, id=f"against_{name}", **told)


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
    enough = f"{count(limit)} requests or more" if limit else "enough requests to pay it back"
    plan.say(f"against_{name}", work, needs, "steps", weeks, first=first, enough=enough)


_CLEARED: dict[str, Callable[[PlanContext, str, Needs], None]] = {
    "insufficient_data": _collect,
    "low_volume": _volume,
}
