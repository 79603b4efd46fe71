"""The phases of a plan, their order, and the details that fill the gaps in their words.

phases.toml holds the title of each phase, its steps, its end and its cost. To add a phase, write it
there and call ``say`` where it belongs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    ApproachResult,
    DataNeed,
    InvestmentResult,
    Part,
    QuestionResult,
    Step,
)
from tuneworthy.model.framework import Framework, TargetId, either
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
_MOST_QUESTIONS = 5  #: Questions that the steps of a phase spell out.


# The order of the phases, by answer.


def plan_keeping(plan: PlanContext) -> None:
    """Plan to leave everything unchanged, watch it, and look again."""
    watched = plan.say("watch", what="the prompt")
    plan.say("decide", watched)


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
    _launch(plan, plan.every_phase)


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
    tuning = [step for step in steps if is_tuning(plan.framework, step.option)]
    targets = [step for step in steps if step.option == "target"]
    for step in targets:  # whatever is scored needs a target first
        _say_as_it_is(plan, step, ())
    evaluated = _evaluation_where_lacking(plan, (), part="first_version")
    _settle_conditions(plan, unmet, ())
    if not plan.fits:
        goals = [goal.title for goal in plan.framework.goals.values()]
        plan.say("goal", known=listing(goals, "or"))
    for step in steps:
        if step not in tuning and step not in targets:
            _do_step(plan, step, evaluated)
    paid = _pilot(plan, tuning[0].command if tuning else "")
    if "investment" in unmet:
        paid += _settle_money(plan, unmet["investment"], money, paid)
    launched = _build(plan, paid)
    if not plan.case.one_off:
        _later_goals(plan, launched)


def _build(plan: PlanContext, needs: Needs) -> Needs:
    """Add the data, the training and the launch of the first version."""
    if plan.approach is None:
        data = plan.say("data_of_the_goal", needs)
    else:
        data = plan.say("data", needs, **_data_words(plan, plan.approach.data))
    return _launch(plan, plan.say("training", data))


def plan_steps(
    plan: PlanContext,
    steps: Sequence[Step],
    questions: Sequence[QuestionResult] = (),
) -> None:
    """Plan the recommended steps in their order, and the next decision.

    ``questions`` are open answers that decide. Requirements that still change have to settle before
    the decision.
    """
    first, *others = steps
    _do_step(plan, first, ())
    if questions:
        _ask_questions(plan, questions)
    for step in others:
        _do_step(plan, step, ())
    for name in plan.moving:
        _let_settle(plan, name)
    if not plan.phases:  # an organization's own steps may all be its own
        plan.say("watch", what="the prompt")
    plan.say("decide", plan.every_phase)


def find_unmet(conditions: Sequence[LiveCondition]) -> dict[str, LiveCondition]:
    """Conditions that aren't known to hold, by their ids."""
    return {each.id: each for each in conditions if each.state != "yes"}


def is_tuning(framework: Framework, name: str) -> bool:
    """Whether an approach or an option of the framework is a kind of tuning."""
    if name in framework.approaches:
        return True
    return name in framework.options and framework.options[name].kind == "tuning"


# Steps.


def _do_step(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Add the phase of a step, once. Steps that a later phase stands for have none here."""
    if step.option in _WITHOUT_A_PHASE or is_tuning(plan.framework, step.option):
        return
    if plan.has_phase(f"try_{step.option}"):
        return
    add_phase = _STEPS.get(step.option, _try)
    add_phase(plan, step, needs)


_WITHOUT_A_PHASE = ("keep_prompt", "roll_out")
"""Steps without a phase before the decision: a later plan has what follows it."""


def _try(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Try an option, or a listed model that nobody ran on these cases."""
    shown = phase_words()["shown"]
    option = plan.framework.options.get(step.option)
    if option is not None and option.errors is None:
        # it changes how calls are served and no answer, so a week of them shows its effect
        compare = ""
        hold = shown["serving"]
        counts = "bill and the wait of a week of requests"
    else:
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
        title=_say_try(step),
        because=step.because,
        compare=compare,
        hold=hold,
        counts=counts,
    )


def _say_try(step: Step) -> str:
    """The title of a step with its verb."""
    if step.title.startswith(("run ", "switch ")):
        return step.title  # it has its verb
    if step.option == "private_endpoint":
        return f"ask for {step.title}"
    return f"try {step.title}"


def _try_retrieval(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Try every kind of better retrieval, after counting how often the passage is found."""
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
    short = "more often"
    if enough:
        short = f"for at least {quality(enough)} of the questions"
    plan.say(
        "retrieval",
        needs,
        plan.trying(step),
        id=f"try_{step.option}",
        title=step.title,
        kinds="\n".join([first, *_kinds_of_retrieval(plan, step.option)]),
        short=short,
    )


def _kinds_of_retrieval(plan: PlanContext, option: str) -> list[str]:
    """A line for each variant of an option; without variants, one on when the option helps."""
    options = plan.framework.options
    lines = []
    for name, variant in options.items():
        if variant.variant_of == option:
            says = options[option].kinds.get(name) or variant.helps_when
            lines.append(f"{plain(name)}: {says}")
    return lines or [sentence(options[option].helps_when)]


def _measure(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Measure today's figures that are unknown."""
    unknown = set[TargetId]()
    for name, target in plan.targets.items():
        if target.state == "unknown" and not isinstance(target.limit, Unknown):
            unknown.add(name)
    score = ""
    # a step about a way counts its quality; without a known gap, quality is what to begin with
    if step.way or "quality" in unknown or not unknown:
        needs = needs or _evaluation_where_lacking(plan, needs, part="steps")
        score = f"Score it on {plan.cases} held-out cases: `tuneworthy ceiling CASE`"
    logs = ""
    if unknown - {"quality"}:
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
    """Relax a target; the missed ones are named."""
    missed = f": {plan.criterion.name_targets(plan.missed)}" if plan.missed else ""
    plan.say("relax", needs, because=step.because, missed=missed)


def _collect(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Collect the missing data, up to the usual amount for its kind."""
    need = plan.lacking
    if need is None:
        least = math.ceil(plan.framework.threshold("few_examples") or 0.0)
        need = DataNeed(low=least, high="open", unit="examples")
    work = either(plan.rule.against, "insufficient_data")
    have = plan.case.usable_data(need.unit)
    words = _data_words(plan, need)
    kind = words["data"]
    if need.unit == "examples":
        kind = f"reviewed {kind}"
    if have is not None and have < need.low:
        lacking = f"{count(need.low - have)} more {kind}"
    else:
        lacking = f"{count(need.low)} {kind}"
    plan.say(
        "collect",
        needs,
        cost_of(work.hours) + plan.collected(need.unit, need.low, have),
        weeks=work.weeks,
        because=step.because,
        lacking=lacking,
        **words,
    )


def _clear(plan: PlanContext, step: Step, needs: Needs) -> None:
    """Remove an obstacle to training: changing requirements, a condition, or a limit on data."""
    # a step has no id of its obstacle, only its reason in words
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
    if plan.has_phase(f"against_{name}"):
        return
    work = either(plan.rule.against, name)
    steps_by_change = phase_words()["changing"]
    answer = plan.case.factors.get(name)
    if answer is not None and answer.changes in steps_by_change:
        steps = steps_by_change[answer.changes]
    else:  # nobody says what changes, so the steps for everything that may change are named
        steps = "\n".join(steps_by_change.values())
    lasting = "a week" if work.weeks == 1 else f"{number(work.weeks)} weeks"
    plan.say(f"against_{name}", (), work, steps=steps, lasting=lasting)


def _ask_questions(plan: PlanContext, open_questions: Sequence[QuestionResult]) -> None:
    """Answer the open questions, in the minutes that the framework states for them."""
    hours = sum(question.minutes for question in open_questions) / 60
    many = len(open_questions)
    asks = [question.ask for question in open_questions[:_MOST_QUESTIONS]]
    if many > _MOST_QUESTIONS:
        asks.append(f"And {several(many - _MOST_QUESTIONS, 'more question')}")
    plan.say(
        "questions",
        (),
        PhaseCost(Range.between(hours, hours)),
        which=_which_questions(plan, open_questions),
        asks="\n".join(asks),
        every="the open answer is"
        if many == 1
        else f"all {count(many)} open answers are",
    )


def _which_questions(
    plan: PlanContext, open_questions: Sequence[QuestionResult]
) -> str:
    """Name the open questions: a single one in full, a few by their titles, many by their number."""
    many = len(open_questions)
    if many == 1:
        return f"“{open_questions[0].ask}”"
    which = f"the {several(many, 'unanswered question')} of the checklist"
    if many <= _MOST_NAMED:
        names = listing([_title_of(plan, each.factor) for each in open_questions])
        which = f"{which} ({names})"
    return which


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
    once, _, _ = condition.once.partition(" (")
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
    names = unsafe(plan.case).names
    title = "review the data" if "data_reviewed" in names else "name a process"
    plan.say(
        "safety",
        needs,
        title=title,
        steps="\n".join(steps[name] for name in names),
        done=listing([ends[name] for name in names]),
    )


def _data_words(plan: PlanContext, need: DataNeed) -> dict[str, Any]:
    """Details of a phase that name the kind of data, its amount, and how to get it now and later."""
    have = plan.case.usable_data(need.unit)
    data = plain(need.unit)
    if have is None:
        there = f"nobody has counted the {data}: count them first"
    elif have < need.low:
        there = f"{count(have)} are there, {count(need.low - have)} are missing"
    else:
        there = f"{count(have)} are there: choose the best of them"
    if isinstance(need.high, str):  # open
        span = f"{count(need.low)} or more"
    else:
        span = f"{count(need.low)}–{count(need.high)}"
    gathered = phase_words()["gathered"]
    return {
        "needed": sentence(f"{span} {data} needed, {there}"),
        "low": count(need.low),
        "data": data,
        "how": gathered[need.unit],
        "kept": gathered["kept"],
    }


def _evaluation_where_lacking(plan: PlanContext, needs: Needs, part: Part) -> Needs:
    """Make held-out cases and measure the figure to beat, where there is no evaluation set.

    A plan has this phase once. Without an evaluation set, no comparison counts.
    """
    if plan.case.data.evaluation is not None:
        return needs
    if plan.has_phase("evaluation"):
        return (*needs, "evaluation")
    run = "Run the best prompt on them (`tuneworthy ceiling CASE`): that is the figure to beat"
    known = "the best prompt's share right on them is known with its 95% interval"
    if plan.scored:  # what was measured isn't measured again
        run = ""
        known = "what runs today was scored before"
    written = "Write down beforehand which margin counts as better, and when to stop"
    if plan.criterion_words:
        written = (
            f"Write down beforehand that it is go with {plan.criterion_words}, "
            "and when to stop"
        )
    named = "" if plan.quality else "Name the metric and the share that is good enough"
    evaluated = plan.say(
        "evaluation",
        needs,
        part=part,
        first=_say_draw(plan),
        scored=_say_scoring(plan),
        run=run,
        known=known,
        named=named,
        written=written,
    )
    return needs + evaluated


def _say_draw(plan: PlanContext) -> str:
    """The step that draws the cases of a new evaluation set."""
    whole_set = 2 * plan.held_out
    says: str = phase_words()["cases"]["none"]
    return says.format(
        all=count(whole_set),
        n=whole_set,
        cases=plan.cases,
        logs="" if plan.case.data.traces else "--from LOGS ",
    )


def _say_scoring(plan: PlanContext) -> str:
    """How outputs are scored for the primary goal; empty where the plan has no words for it."""
    goals = plan.case.goals
    if not goals:
        return ""
    return str(phase_words()["scored"].get(goals[0], ""))


# The first version.


def _pilot(plan: PlanContext, command: str) -> Needs:
    """Add the pilot, after all phases so far; ``command`` begins the tuning, empty without one.

    Where there is an evaluation set, the rest of its design is part of the pilot.
    """
    words = phase_words()
    upfront = dict(words["pilot"]["upfront"])
    cases_there = ""
    if plan.case.data.evaluation is not None:
        whole_set = count(2 * plan.held_out)
        cases_there = words["cases"]["there"].format(all=whole_set, cases=plan.cases)
        upfront["evaluation"] = "design and one comparison"
    least = ""
    options = ""
    if plan.approach is not None:
        fewest = _fewest_to_pilot(plan, plan.approach)
        least = f", at least {count(fewest)} {plain(plan.approach.data.unit)}"
        options = _PILOT_OPTIONS[plan.approach.data.unit].format(fewest=fewest)
    # a kind of tuning that no pilot runs is trained by hand from an exported file
    by = "_by_export" if command.startswith("tuneworthy export") else ""
    train = words["piloted"][f"train{by}"]
    return plan.say(
        "pilot",
        plan.every_phase,
        plan.upfront_shares(upfront),
        share=share(plan.rule.pilot_share),
        least=least,
        cases_there=cases_there,
        train=train.format(command=command, examples=options),
        compare=words["piloted"][f"compare{by}"],
    )


_PILOT_OPTIONS = {
    "examples": " --examples {fewest}",
    "preference_pairs": " --examples {fewest} --dpo",
    "documents": "",  # no option of it limits documents
}  #: Options of the command, by what the tuning learns from.


def _fewest_to_pilot(plan: PlanContext, approach: ApproachResult) -> int:
    """The fewest examples, pairs or documents that a pilot takes."""
    if approach.approach == REINFORCEMENT:
        return approach.data.low  # no service takes fewer
    # 100.00000001 is 100 with a rounding error
    return math.ceil(approach.data.low * plan.rule.pilot_share - 1e-9)


def _launch(plan: PlanContext, needs: Needs) -> Needs:
    """Add the launch and the upkeep; for a job, its one run. Returns the launch as a need."""
    limits = listing(plan.limits)
    kept = f"it keeps to {limits}" if limits else "its latency and cost are on file"
    launched = plan.say("deployment", needs, kept=kept)
    if plan.case.one_off:
        plan.say("job", launched)
        return launched
    monitored = plan.say("monitoring", launched)
    plan.say("retraining", monitored)
    return launched


def _later_goals(plan: PlanContext, needs: Needs) -> None:
    """Add the goals after the first one, each with its own data and comparison.

    The case states only the work up to its first version, so these take the framework's table.
    """
    first = plan.approach
    units = [first.data.unit] if first else []
    tuned = _goal_of_first_version(plan)
    for fit in plan.fits:
        if fit is tuned:
            continue
        need = fit.data
        words = _data_words(plan, need)
        if need.unit in units:  # the data of the first version, or of an earlier goal
            words |= {"how": "", "kept": ""}
        units.append(need.unit)
        cost = plan.collected(need.unit, need.low, plan.case.usable_data(need.unit))
        for row in ("data_preparation", "training", "evaluation"):
            cost += plan.table(row)
        title = f"{fit.priority} {plan.framework.goals[fit.goal].title}: {fit.title}"
        needs = plan.say(
            "later_goal", needs, cost, id=f"goal_{fit.goal}", title=title, **words
        )


def _goal_of_first_version(plan: PlanContext) -> ApproachResult | None:
    """The goal that the first version serves: that of its approach, else the primary one."""
    for fit in plan.fits:
        if plan.approach is not None and fit.approach == plan.approach.approach:
            return fit
    return plan.fits[0] if plan.fits else None
