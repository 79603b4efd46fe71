"""The phases of a plan, their order, and the details that fill the gaps in their words.

phases.toml holds the title of each phase, its steps, its end and its cost. To add a phase, write it
there and call ``say`` where it belongs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    DataNeed,
    InvestmentResult,
    Part,
    QuestionResult,
    Step,
)
from tuneworthy.model.framework import Framework, either
from tuneworthy.money.investment import MoneyFindings
from tuneworthy.plan.context import Needs, PhaseCost, PlanContext, cost_of, phase_words
from tuneworthy.verdict.situation import LiveCondition, unsafe
from tuneworthy.ways.results import draw_command
from tuneworthy.words import (
    capital,
    count,
    day,
    listing,
    number,
    plain,
    quality,
    sentence,
    several,
    share,
)

_RETRIEVAL = "better_retrieval"
_MOST_QUESTIONS = 5


# The order of the phases, by answer.


def plan_keeping(plan: PlanContext, what: str = "the prompt") -> None:
    """Plan to leave everything unchanged, watch it, and look again."""
    plan.say("decide", plan.say("watch", what=what))


REINFORCEMENT = "reinforcement_tuning"  #: Its number of examples is its own.


def plan_adopting(plan: PlanContext, step: Step) -> None:
    """Plan to send a small share of calls to another way, and watch it."""
    title = step.title.removeprefix("switch to ")
    folder = ""
    if step.option == "plain_classifier":
        folder = f"Write the folder that serves it: `{step.command}`"
    adopted = plan.say("adopt", (), plan.trying(step), way=title, folder=folder)
    plan.say("watch", adopted, what=title)


def plan_roll_out(
    plan: PlanContext, conditions: Sequence[LiveCondition], money: MoneyFindings
) -> None:
    """Plan the open conditions of a proven tuned model, its roll-out, and its upkeep."""
    unmet = find_unmet(conditions)
    _settle_conditions(plan, unmet, ())
    if "investment" in unmet:
        _settle_money(plan, unmet["investment"], money)
    _launch(plan, tuple(phase.id for phase in plan.phases))


def plan_pilot(
    plan: PlanContext,
    steps: Sequence[Step],
    conditions: Sequence[LiveCondition],
    money: MoneyFindings,
) -> None:
    """Plan the conditions, an evaluation set, ways to try meanwhile, the pilot, and the build.

    Nothing is trained, not even a pilot, before the data is reviewed and the service confirmed, and
    the bulk of the money waits for the pilot and for amounts that are settled.
    """
    unmet = find_unmet(conditions)
    beside = [step for step in steps if not is_tuning(plan.framework, step.option)]
    for step in [step for step in beside if step.option == "target"]:
        _STEPS[step.option](plan, step, ())
    evaluated = _evaluation_where_lacking(plan, (), part="first_version")
    _settle_conditions(plan, unmet, ())
    if not plan.fits:
        goals = [goal.title for goal in plan.framework.goals.values()]
        plan.say("goal", known=listing(goals, "or"))
    for step in [step for step in beside if step.option != "target"]:
        _do_step(plan, step, evaluated)
    tuning = [step for step in steps if is_tuning(plan.framework, step.option)]
    paid = _pilot(replace(plan, tuned_by=tuning[0].command if tuning else ""))
    if "investment" in unmet:
        paid += _settle_money(plan, unmet["investment"], money, paid)
    if plan.approach is None:
        ready = plan.say("data_of_the_goal", paid)
    else:
        ready = plan.say("data", paid, **_data_words(plan, plan.approach.data))
    launched = _launch(plan, plan.say("training", ready))
    if not plan.case.one_off:
        _later_goals(plan, launched)


def plan_steps(
    plan: PlanContext,
    steps: Sequence[Step],
    questions: Sequence[QuestionResult] = (),
) -> None:
    """Plan the recommended steps in their order, and the next decision.

    ``questions`` are open answers that decide. Requirements that still change have to settle before
    the decision.
    """
    for position, step in enumerate(steps):
        _do_step(plan, step, ())
        if position == 0 and questions:
            _ask_questions(plan, questions)
    for name in plan.moving:
        _let_settle(plan, name)
    if not plan.phases:  # an organization's own steps may all be its own
        plan.say("watch", what="the prompt")
    plan.say("decide", tuple(phase.id for phase in plan.phases))


def find_unmet(conditions: Sequence[LiveCondition]) -> dict[str, LiveCondition]:
    """Conditions that aren't known to hold, by their ids."""
    return {each.id: each for each in conditions if each.state != "yes"}


def is_tuning(framework: Framework, name: str) -> bool:
    """Whether an approach or an option of the framework is a kind of tuning."""
    option = framework.options.get(name)
    return name in framework.approaches or (
        option is not None and option.kind == "tuning"
    )


# Steps.


def _do_step(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Add the phase of a step. Keeping the present way, rolling out and piloting have none here."""
    if step.option in _WITHOUT_A_PHASE or is_tuning(plan.framework, step.option):
        return
    if any(phase.id == f"try_{step.option}" for phase in plan.phases):
        return
    _STEPS.get(step.option, _try)(plan, step, needs)


_WITHOUT_A_PHASE = (
    "keep_prompt",
    "roll_out",
)  # a later plan has what follows the decision


def _try(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Try an option, or a listed model that nobody ran on these cases."""
    option = plan.framework.options.get(step.option)
    serving = option is not None and option.errors is None
    shown = phase_words()["shown"]
    title = step.title
    if not title.startswith(("run ", "switch ")):
        if step.option == "private_endpoint":
            title = f"ask for {title}"
        else:
            title = f"try {title}"
    compare = ""
    hold = shown["serving"]
    counts = "bill and the wait of a week of requests"
    if not serving:
        needs = needs or _evaluation_where_lacking(plan, needs, part="steps")
        compare = shown["answering"].format(cases=plan.cases)
        hold = ""
        counts = (
            f"share right of it on {plan.cases} held-out cases, with its 95% interval,"
        )
    plan.say(
        "try",
        needs,
        plan.trying(step),
        id=f"try_{step.option}",
        title=title,
        because=step.because,
        compare=compare,
        hold=hold,
        counts=counts,
    )


def _try_retrieval(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Try every kind of better retrieval, after counting how often the passage is found."""
    options = plan.framework.options
    enough = plan.framework.threshold("retrieval_recall")
    recall = plan.case.today.retrieval_recall
    needs = needs or _evaluation_where_lacking(plan, needs, part="steps")
    if recall is None:
        beside = f", beside the {quality(enough)} that is enough" if enough else ""
        needs = plan.say("recall", needs, beside=beside)
        first = (
            "Go through these only if too few passages are found, on the same questions"
        )
    else:
        first = f"It is found for {quality(recall)} of the questions: try one kind at a time"
    better = options[step.option]
    variants = [
        name for name, option in options.items() if option.variant_of == step.option
    ]
    kinds = [
        f"{plain(name)}: {better.kinds.get(name) or options[name].helps_when}"
        for name in variants
    ]
    if enough:
        short = f"for at least {quality(enough)} of the questions"
    else:
        short = "more often"
    lines = "\n".join((first, *(kinds or [sentence(better.helps_when)])))
    plan.say(
        "retrieval",
        needs,
        plan.trying(step),
        id=f"try_{step.option}",
        title=step.title,
        kinds=lines,
        short=short,
    )


def _measure(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Measure today's figures that are unknown."""
    targets = plan.targets
    unknown = [
        name
        for name, target in targets.items()
        if target.state == "unknown" and not isinstance(target.limit, Unknown)
    ]
    score = ""
    if step.way or "quality" in unknown or not unknown:
        needs = needs or _evaluation_where_lacking(plan, needs, part="steps")
        score = f"Score it on {plan.cases} held-out cases: `tuneworthy ceiling CASE`"
    logs = ""
    if set(unknown) - {"quality"}:
        logs = "Read time, bill and who answers from the log: `tuneworthy measure CASE --from LOGS`"
    plan.say("measure", needs, because=step.because, score=score, logs=logs)


def _label(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Label enough cases to distinguish the figure from its target."""
    more = plan.held_out if plan.more_cases is None else plan.more_cases
    cost = plan.labelling(more)
    data = plan.case.data
    if data.evaluation is None:
        # no file holds the cases that were counted, so a whole set is drawn
        draw = f"Draw cases that nobody tuned on: `{draw_command(data)}`"
    else:
        draw = f"Draw cases that nobody tuned on: `{draw_command(data, more)}`"
        draw += ". Add its lines to the evaluation set"
    plan.say("label", needs, cost, more=count(more), because=step.because, draw=draw)


def _say_as_it_is(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Add a step that has a phase of its own name, with its reason as the only detail."""
    plan.say(step.option, needs, because=step.because)


def _relax(plan: PlanContext, step: Step, needs: Needs) -> None:
    missed = f": {plan.criterion.name_targets(plan.missed)}" if plan.missed else ""
    plan.say("relax", needs, because=step.because, missed=missed)


def _collect(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Collect the missing data, up to the usual amount for its kind."""
    need = plan.lacking or DataNeed(
        low=math.ceil(plan.framework.threshold("few_examples") or 0.0),
        high="open",
        unit="examples",
    )
    work = either(plan.rule.against, "insufficient_data")
    have = plan.case.usable_data(need.unit)
    cost = cost_of(work.hours) + plan.collected(need.unit, need.low, have)
    words = _data_words(plan, need)
    kind = words["data"]
    if need.unit == "examples":
        kind = f"reviewed {kind}"
    lacking = f"{count(need.low)} {kind}"
    if have is not None and have < need.low:
        lacking = f"{count(need.low - have)} more {kind}"
    plan.say(
        "collect",
        needs,
        cost,
        weeks=work.weeks,
        because=step.because,
        lacking=lacking,
        **words,
    )


def _clear(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Remove an obstacle to training: changing requirements, a condition, or a limit on data."""
    forbidding = [
        each for each in plan.conditions if sentence(each.why) == step.because
    ]
    if forbidding:
        _settle_conditions(plan, find_unmet(forbidding), needs)
    elif step.because != plan.because:
        plan.say("inside", needs, because=step.because)
    for name in plan.moving:
        _let_settle(plan, name)


_STEPS: Mapping[str, Callable[[PlanContext, Step, Needs], None]] = {
    _RETRIEVAL: _try_retrieval,
    "measure": _measure,
    "label": _label,
    "settle": _say_as_it_is,
    "target": _say_as_it_is,
    "relax_target": _relax,
    "collect_data": _collect,
    "clear_reasons_against": _clear,
}  #: Steps with a phase of their own; any other is tried.


def _let_settle(plan: PlanContext, name: str) -> None:
    """Wait until a reason against is over, alongside everything else; at most once in a plan."""
    if any(phase.id == f"against_{name}" for phase in plan.phases):
        return
    work = either(plan.rule.against, name)
    known = phase_words()["changing"]
    answer = plan.case.factors.get(name)
    changes = str(answer.changes) if answer else ""
    # where nobody says what changes, the steps for everything that may change are named
    plan.say(
        f"against_{name}",
        (),
        work,
        steps="\n".join([known[changes]] if changes in known else known.values()),
        lasting=f"{number(work.weeks)} weeks" if work.weeks != 1 else "a week",
    )


def _ask_questions(plan: PlanContext, open_questions: Sequence[QuestionResult]) -> None:
    """Answer the open questions, in the minutes that the framework states for them."""
    hours = sum(question.minutes for question in open_questions) / 60
    many = len(open_questions)
    steps = [question.ask for question in open_questions[:_MOST_QUESTIONS]]
    if many > _MOST_QUESTIONS:
        steps.append(f"And {several(many - _MOST_QUESTIONS, 'more question')}")
    every = "the open answer is" if many == 1 else f"all {count(many)} open answers are"
    cost = PhaseCost(Range.between(hours, hours))
    which = f"the {several(many, 'unanswered question')} of the checklist"
    if many == 1:
        which = f"“{open_questions[0].ask}”"
    elif many <= _MOST_NAMED:
        names = listing([_title_of(plan, each.factor) for each in open_questions])
        which = f"{which} ({names})"
    plan.say("questions", (), cost, which=which, asks="\n".join(steps), every=every)


_MOST_NAMED = 3  #: Questions whose titles a title of a phase holds.


def _title_of(plan: PlanContext, name: str) -> str:
    """The title of a question of the checklist."""
    asked = {**plan.framework.ceiling, **plan.framework.factors}
    return asked[name].title


# Conditions of a tuning.


def _settle_conditions(
    plan: PlanContext, unmet: Mapping[str, LiveCondition], needs: Needs
) -> None:
    """Settle the service and safety, as far as they are open."""
    if "feasibility" in unmet:
        _tuning_service(plan, unmet["feasibility"], needs)
    if "safety" in unmet:
        _safety(plan, needs)


def _settle_money(
    plan: PlanContext, condition: LiveCondition, money: MoneyFindings, needs: Needs = ()
) -> Needs:
    """Settle the amounts before most of the money is spent."""
    # the text in brackets is the first step already
    once, *_ = condition.once.partition(" (")
    done = f"{once}, and that is in the case file"
    if isinstance(money.result, InvestmentResult) and money.result.contradicted:
        done = "the statements about money don't contradict each other any more"
    settle = sentence(money.settle or condition.why)
    return plan.say("money", needs, settle=settle, done=done)


def _tuning_service(plan: PlanContext, condition: LiveCondition, needs: Needs) -> None:
    """Settle open points of the tuning service, where there are any."""
    stated = plan.case.tuning
    offered = plan.approach.offered_by if plan.approach else ()
    others = f"New work of this kind is taken by {listing(offered)}" if offered else ""
    if condition.state == "no":
        gone = capital(condition.why)
        plan.say("other_service", needs, gone=gone, others=others)
    else:
        known = f" It is known to end on {day(stated.until)}." if stated.until else ""
        plan.say("service", needs, known=known, others=others)


def _safety(plan: PlanContext, needs: Needs) -> None:
    """Add the phase that reviews the data, or names a process for safety."""
    steps = phase_words()["reviewed"]
    ends = phase_words()["on_file"]
    _, names = unsafe(plan.case)
    title = "review the data" if "data_reviewed" in names else "name a process"
    plan.say(
        "safety",
        needs,
        title=title,
        steps="\n".join(steps[name] for name in names),
        done=listing([ends[name] for name in names]),
    )


def _data_words(plan: PlanContext, need: DataNeed) -> dict[str, Any]:
    """Name the kind of data, its amount, and how to get it now and later."""
    have = plan.case.usable_data(need.unit)
    low = need.low
    high = need.high
    data = plain(need.unit)
    if have is None:
        there = f"nobody has counted the {data}: count them first"
    elif have < low:
        there = f"{count(have)} are there, {count(low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    if isinstance(high, str):
        span = f"{count(low)} or more"
    else:
        span = f"{count(low)}–{count(high)}"
    needed = sentence(f"{span} {data} needed, {there}")
    gathered = phase_words()["gathered"]
    ways = {"how": gathered[need.unit], "kept": gathered["kept"]}
    return {"needed": needed, "low": count(low), "data": data, **ways}


def _evaluation_where_lacking(plan: PlanContext, needs: Needs, part: Part) -> Needs:
    """Make held-out cases and measure the figure to beat, where there is no evaluation set.

    A plan has this phase once. Without an evaluation set, no comparison counts.
    """
    if plan.case.data.evaluation is not None:
        return needs
    if any(phase.id == "evaluation" for phase in plan.phases):
        return (*needs, "evaluation")
    run = "Run the best prompt on them (`tuneworthy ceiling CASE`): that is the figure to beat"
    known = "the best prompt's share right on them is known with its 95% interval"
    if plan.scored:  # what was measured isn't measured again
        run = ""
        known = "what runs today was scored before"
    words = phase_words()
    goals = plan.case.goals
    both = 2 * plan.held_out
    logs = "" if plan.case.data.traces else "--from LOGS "
    criterion = plan.criterion_words
    written = "Write down beforehand which margin counts as better, and when to stop"
    if criterion:
        written = (
            f"Write down beforehand that it is go with {criterion}, and when to stop"
        )
    named = "" if plan.quality else "Name the metric and the share that is good enough"
    return needs + plan.say(
        "evaluation",
        needs,
        part=part,
        first=words["cases"]["none"].format(
            all=count(both), n=both, cases=plan.cases, logs=logs
        ),
        scored=words["scored"].get(goals[0], "") if goals else "",
        run=run,
        known=known,
        named=named,
        written=written,
    )


# The first version.


def _pilot(plan: PlanContext) -> Needs:
    """Add the pilot, after all phases so far.

    Where there is an evaluation set, the rest of its design is part of the pilot.
    """
    part = plan.rule.pilot_share
    least = ""
    examples = ""
    if plan.approach:
        need = plan.approach.data
        some = math.ceil(need.low * part - 1e-9)
        if plan.approach.approach == REINFORCEMENT:
            some = need.low  # no service takes fewer
        least = f", at least {count(some)} {plain(need.unit)}"
        if need.unit != "documents":
            examples = f" --examples {some}"
        if need.unit == "preference_pairs":
            examples += " --dpo"
    cases_there = ""
    upfront = dict(phase_words()["pilot"]["upfront"])
    if plan.case.data.evaluation is not None:
        there = phase_words()["cases"]["there"]
        cases_there = there.format(all=count(2 * plan.held_out), cases=plan.cases)
        upfront["evaluation"] = "design and one comparison"
    return plan.say(
        "pilot",
        tuple(phase.id for phase in plan.phases),
        plan.upfront_shares(upfront),
        share=share(part),
        least=least,
        cases_there=cases_there,
        **_how_piloted(plan.tuned_by, examples),
    )


def _how_piloted(command: str, examples: str) -> dict[str, Any]:
    """How a pilot trains and is judged: by its own command, or by hand from an exported file."""
    words = phase_words()["piloted"]
    by = "_by_export" if command.startswith("tuneworthy export") else ""
    train = words[f"train{by}"].format(command=command, examples=examples)
    return {"train": train, "compare": words[f"compare{by}"]}


def _launch(plan: PlanContext, needs: Needs) -> Needs:
    """Add the launch and the upkeep; for a job, its one run."""
    limits = listing(plan.limits)
    kept = f"it keeps to {limits}" if limits else "its latency and cost are on file"
    launched = plan.say("deployment", needs, kept=kept)
    if plan.case.one_off:
        plan.say("job", launched)
        return launched
    plan.say("retraining", plan.say("monitoring", launched))
    return launched


def _later_goals(plan: PlanContext, needs: Needs) -> None:
    """Add the goals after the first one, each with its own data and comparison.

    The case states only the work up to its first version, so these take the framework's table.
    """
    first = plan.approach
    tuned = next(
        (fit for fit in plan.fits if first and fit.approach == first.approach), None
    )
    units = [first.data.unit] if first else []
    for fit in plan.fits:
        if fit is (tuned or plan.fits[0]):
            continue
        need = fit.data
        words = _data_words(plan, need)
        if need.unit in units:
            words |= {"how": "", "kept": ""}  # the words for a case without this
        units.append(need.unit)
        cost = plan.collected(need.unit, need.low, plan.case.usable_data(need.unit))
        for row in ("data_preparation", "training", "evaluation"):
            cost += plan.table(row)
        title = f"{fit.priority} {plan.framework.goals[fit.goal].title}: {fit.title}"
        needs = plan.say(
            "later_goal", needs, cost, id=f"goal_{fit.goal}", title=title, **words
        )
