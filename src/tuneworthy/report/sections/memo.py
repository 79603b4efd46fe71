"""The memo, on one page: the next step, its cost, whether it pays back, and what would change it.

Its reader decides, and knows nothing of this program. Each of the four questions has one row, in
words that need no glossary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tuneworthy.answers.facts import TARGETS
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.case import CaseDecision, defaults_sentence
from tuneworthy.model.dossier import (
    AskNow,
    Difference,
    Dossier,
    InvestmentResult,
    Phase,
    Plan,
    Step,
    TuningAnswer,
    Turn,
)
from tuneworthy.model.framework import TargetId
from tuneworthy.plan.section import find_decision, hours_text
from tuneworthy.report import blocks as b
from tuneworthy.report.sections import ways as table
from tuneworthy.report.sections.common import (
    count_text,
    dollars,
    duration,
    grounds_text,
    nothing_answered,
    parts_text,
    reach_text,
    strength_text,
    tally,
    unchecked_text,
)
from tuneworthy.report.sections.difference import difference as what_changed
from tuneworthy.report.sections.payback import (
    CHANCES,
    pays_back,
    rival_facts,
    still_fails,
)
from tuneworthy.report.sections.plan import work_text
from tuneworthy.report.sections.precedents import others_text
from tuneworthy.report.sections.record import review_day
from tuneworthy.report.sections.verdict import FIT, reasons
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    capital,
    cut,
    day,
    few,
    listing,
    plain,
    sentence,
    several,
    weekday,
)

_MOST_NAMED = 3  #: Of answers that changed.
_LONGEST_CLASH = 260  #: Characters of an objection that is quoted.
_MOST_CLASHES = 3  #: Objections that are quoted.


def byline(dossier: Dossier) -> str:
    """The line under the title: the program, the rules it used, and the day."""
    rules = plain(dossier.framework.name)
    says = f"Written by the program Tuneworthy, as of {weekday(dossier.as_of)}, by its {rules} rules."
    return f"{says} {defaults_sentence(dossier.defaults)}".rstrip()


def facts(dossier: Dossier) -> Iterator[b.Fact]:
    """The four questions, each in a row, and the decisions after them."""
    yield to_do(dossier)
    yield cost(dossier)
    yield from _decisions(dossier)
    yield pays_back(dossier)
    if dossier.verdict.answer != "no":
        yield from rival_facts(dossier)
    yield b.Fact("What would change the answer", "", _changes(dossier), "change")
    if dossier.challenges:
        clashes = f"Open objections: {tally(dossier.challenges)}."
    else:
        clashes = ""
    unchecked = "" if nothing_answered(dossier) else unchecked_text(dossier)
    beside = " ".join(filter(None, [unchecked, reach_text(dossier), clashes]))
    yield b.Fact(
        "How sure that is", _grounds(dossier), beside, "fit" if clashes else "why"
    )


def cost(dossier: Dossier) -> b.Fact:
    """The one ask: all that is spent up to the next decision, the day of that, and when how much."""
    label = "What it costs"
    plan = dossier.plan
    ask = dossier.ask
    if isinstance(plan, Unknown) or isinstance(ask, Unknown):
        todo = sentence(plan.ask) if isinstance(plan, Unknown) else ""
        return b.Fact(label, "Nothing yet.", todo, "money")
    decision = find_decision(plan)
    upto = f"up to the decision on {weekday(decision.end)}."
    says = [upto, _in_parts(dossier, plan)]
    if ask.high == "open":
        says.append("In dollars it isn’t known: nobody has said what an hour costs.")
    if plan.aim != "tune":
        says.append("None of it is for fine-tuning.")
    says += [
        sentence(item.says) for item in dossier.verdict.caveats if item.id == _ABOVE
    ]
    return b.Fact(label, f"{amount(ask)},", " ".join(filter(None, says)), "money")


def amount(ask: AskNow) -> str:
    """All that is asked for, without a day."""
    hours = f"{hours_text(ask.hours.low, ask.hours.high)} of work"
    if ask.high == "open":
        return capital(hours)
    return f"{dollars(Range(low=ask.low, high=ask.high))}, {hours} included"


_ABOVE = "ask_above_prize"


def _in_parts(dossier: Dossier, plan: Plan) -> str:
    """Say which part is spent in any case, and which only if the first try isn't enough."""
    certain, only_then = _split(plan)
    if not only_then:
        return ""
    if any(phase.usd.high == "open" for phase in (*certain, *only_then)):
        hours = [Range.total(p.hours for p in part) for part in (certain, only_then)]
        parts = [hours_text(each.low, each.high) for each in hours]
    else:
        parts = parts_text(
            [Range.total(p.usd for p in part) for part in (certain, only_then)]
        )
    spent, more = parts
    what = _first_try(dossier, certain)
    return f"{spent} of it is spent whatever comes, and {more} only if {what} isn’t enough."


def _split(plan: Plan) -> tuple[list[Phase], list[Phase]]:
    """The phases up to the decision: those that come anyhow, and those after a try in vain."""
    asked = plan.phases[: plan.phases.index(find_decision(plan)) + 1]
    certain: list[Phase] = []
    only_then: list[Phase] = []
    tried = False
    for phase in asked:
        goes_on = phase.id in _AFTER_A_TRY or phase.id.startswith(_TRIED)
        if tried and goes_on:
            only_then.append(phase)
        else:
            certain.append(phase)
        tried = tried or phase.id.startswith(_TRIED)
    return certain, only_then


_AFTER_A_TRY = ("evaluation", "recall", "pilot")
"""Phases that lead to the next try: where the one before was enough, nobody needs them."""


def _first_try(dossier: Dossier, phases: Sequence[Phase]) -> str:
    """The name of the way that is tried first."""
    titles = {way.id: way.title for way in dossier.ways}
    advice = dossier.recommendation
    steps = () if isinstance(advice, Unknown) else advice.steps
    names = {f"{_TRIED}{step.option}": titles.get(step.way, "") for step in steps}
    first = next(phase for phase in phases if phase.id.startswith(_TRIED))
    return names.get(first.id) or "that"


# What to do.


def to_do(dossier: Dossier) -> b.Fact:
    """The first piece of work with its last day, and the work after it up to the decision."""
    label = "What to do now"
    plan = dossier.plan
    advice = dossier.recommendation
    if isinstance(plan, Unknown) or isinstance(advice, Unknown):
        ask = advice.ask if isinstance(advice, Unknown) else advice.says
        return b.Fact(label, sentence(ask), "", "plan")
    first, *others = _work(plan)
    until = _until(first, None, dossier)
    if first.id == "watch":
        what = "quality, speed, bill and traffic"
        because = advice.steps[0].because
        why = "" if because == dossier.verdict.because else sentence(because)
        says = f"Keep what runs today. Measure its {what} once more {until}."
        return b.Fact(label, says, why, "plan")
    if first.id == "settle":
        return b.Fact(
            label, f"Settle this contradiction {until}.", say_heaviest(dossier), "plan"
        )
    certain, only_then = _split(plan)
    beside = [phase for phase in others if phase.id.startswith(_MEANWHILE)]
    sure = [phase for phase in (first, *others) if phase in certain]
    sure = [phase for phase in sure if phase not in beside]
    main = _main_phase(sure, advice.steps[0])
    upto = sure[: sure.index(main) + 1]
    after = sure[sure.index(main) + 1 :]
    says = f"{capital(_dated(upto, None, dossier))}."
    then = []
    if len(after) > _MOST_DATED:
        what = listing([_phase_words(phase) for phase in after])
        then.append(f"Then {what}, all {_until(after[-1], main, dossier)}.")
    elif after:
        then.append(f"Then {_dated(after, main, dossier)}.")
    if only_then:
        what = _first_try(dossier, certain)
        later = _dated(only_then, (after or upto)[-1], dossier)
        then.append(f"Only if {what} isn’t enough, {later}.")
    then += [
        f"Meanwhile, {_phase_words(each)}, until {weekday(each.end)}."
        for each in beside
    ]
    return b.Fact(label, says, " ".join(then), "plan")


_MOST_DATED = (
    2  #: Of what follows; of more the last day alone is said, and all days are folded.
)


def _until(phase: Phase, before: Phase | None, dossier: Dossier) -> str:
    """The last day of a phase; the day of the memo is called today."""
    when = weekday(phase.end, after=None if before is None else before.end)
    return f"today ({when})" if phase.end == dossier.as_of else f"by {when}"


def _dated(phases: Sequence[Phase], before: Phase | None, dossier: Dossier) -> str:
    """Pieces of work in their order, each with its last day."""
    says = []
    for phase in phases:
        says.append(f"{_phase_words(phase)} {_until(phase, before, dossier)}")
        before = phase
    *first, last = says
    return f"{', '.join(first)}, then {last}" if first else last


def _main_phase(work: Sequence[Phase], step: Step) -> Phase:
    """The phase of the first step. Other phases may prepare it."""
    named = (f"{_TRIED}{step.option}", "pilot" if step.way else step.option)
    return next((phase for phase in work if phase.id in named), work[0])


_MEANWHILE = "against_"  #: Begins the phases that go on beside all others.


def _work(plan: Plan) -> list[Phase]:
    """The phases up to the decision. One that only decides counts if it is the only one."""
    decision = find_decision(plan)
    asked = plan.phases[: plan.phases.index(decision) + 1]
    return [phase for phase in asked if phase.id != "decide"] or list(asked)


_TRIED = "try_"


def _phase_words(phase: Phase) -> str:
    """A phase as a clause. Its title may be a verb and an object with a colon between."""
    return phase.title.replace(": ", " ")


# What is decided when.


def _decisions(dossier: Dossier) -> Iterator[b.Fact]:
    """Each decision with its day: the next one and, after a pilot, the one about going live."""
    plan = dossier.plan
    advice = dossier.recommendation
    if isinstance(plan, Unknown) or isinstance(advice, Unknown):
        return
    decision = find_decision(plan)
    says = _next_decision(dossier, plan, advice.steps)
    yield b.Fact(f"Decide on {weekday(decision.end)}", says, "", "plan")
    launch = next((phase for phase in plan.phases if phase.id == "deployment"), None)
    if plan.aim == "tune" and launch is not None and launch is not decision:
        others = [
            each
            for each in dossier.verdict.conditions
            if each != _money_condition(dossier)
        ]
        more = [f"Only once {listing(others)}."] if others else []
        if " to run" not in pays_back(dossier).beside:
            more += [_to_run(dossier.investment)]
        more += [_say_end(dossier, launch)]
        label = f"Decide on {weekday(launch.start)}"
        says = " ".join(filter(None, more))
        yield b.Fact(label, "Whether it goes live.", says, "plan")


def _say_end(dossier: Dossier, launch: Phase) -> str:
    """Say that the model in use ends before another one is live; empty where it doesn't."""
    ends = [way.ends for way in dossier.ways if way.state == "running"]
    first = min((end for end in ends if end is not None), default=None)
    if first is None or first > launch.end:
        return ""
    return (
        f"The model in use ends on {day(first)}, before a tuned one is live "
        f"({day(launch.end)}): name what answers in between."
    )


def next_decision(dossier: Dossier) -> b.Fact | None:
    """The next decision, and the result that would stop it; None without a plan."""
    return next(_decisions(dossier), None)


def _money_condition(dossier: Dossier) -> str:
    """The condition on money that has to hold before more than a pilot is spent; empty without one."""
    gates = {gate.id: gate.state for gate in dossier.verdict.gates}
    conditions = dossier.verdict.conditions
    is_open = bool(conditions) and gates.get("investment", "yes") != "yes"
    return conditions[-1] if is_open else ""  # money is the last of the conditions


def _next_decision(dossier: Dossier, plan: Plan, steps: Sequence[Step]) -> str:
    """Say which question the work up to the next decision will settle."""
    decision = find_decision(plan)
    if decision.id == "pilot":
        agreed = _money_condition(dossier)
        shown = f"{_aim(dossier, steps)}{f', and {agreed}' if agreed else ''}"
        return (
            f"Go on with tuning if {shown}. Stop if not.{_going_on(dossier.investment)}"
        )
    if decision.id == "deployment":
        return "Send all calls to the tuned model, or go back."
    first, *_ = steps
    if decision.id == "adopt":
        return f"{capital(first.title)} for good, or go back."
    if first.option == "keep_prompt" and _misses_a_target(dossier):
        return "Whether targets, traffic or prices have changed enough to judge again."
    if first.option in _SETTLED_BY:
        return _SETTLED_BY[first.option]
    if dossier.verdict.rule == "moving":
        return (
            "Whether what counts as a good answer has settled. Tuning waits for that."
        )
    if any(step.option == "roll_out" for step in steps):
        return "Whether the tuned model goes live."
    planned = _ids(plan)
    tried = [step for step in steps if f"{_TRIED}{step.option}" in planned]
    if not tried:
        return "Whether the answer still holds."
    return _decision_after_tries(dossier, steps, tried)


def _decision_after_tries(
    dossier: Dossier, steps: Sequence[Step], tried: Sequence[Step]
) -> str:
    """Say when the ways that are tried are enough, and what follows if they aren't."""
    titles = {way.id: way.title for way in dossier.ways}
    aims = {step.stop_when for step in steps if step.way in titles}
    first, *_ = steps
    aim = first.stop_when if len(aims) == 1 else "every target is met"
    ways = listing([titles[step.way] for step in tried], "or")
    then = "decide again about what remains"
    for turn in dossier.verdict.turns:
        if turn.path == "ways":  # the turn for the case that all of them fail
            then = f"the answer becomes “{ANSWER_WORDS[turn.answer]}”"
            break
    return f"Whether {aim} with {ways}. If so, that is enough. If not, {then}."


_SETTLED_BY = {
    "keep_prompt": "Whether every target is still met. If so, keep it for longer.",
    "measure": "What is worth trying next, by what was measured.",
    "label": "What is worth trying next, by what was counted.",
    "settle": "Whether tuning is worth a pilot, once the statements agree.",
    "collect_data": "Whether to start a pilot, if there is enough to learn from by then.",
    "target": "Whether tuning is worth a pilot, compared with a target.",
}  #: The subject of the next decision, by the first step.


def _misses_a_target(dossier: Dossier) -> bool:
    return any(target.state == "missed" for target in dossier.targets.values())


def _aim(dossier: Dossier, steps: Sequence[Step]) -> str:
    """Say what a pilot has to show."""
    aims = [step.stop_when for step in steps if step.way]
    if dossier.verdict.rule == "no_target" or not aims:
        return "the tuned model meets the stated target on held-out cases"
    return aims[-1]


def _ids(plan: Plan) -> set[str]:
    return {phase.id for phase in plan.phases}


def _going_on(money: InvestmentResult | Unknown) -> str:
    """Say what is spent from the pilot to going live; empty where that is unknown."""
    if isinstance(money, Unknown) or isinstance(money.ask_usd.build, Unknown):
        return ""
    return f" Going on takes another {dollars(money.ask_usd.build)}."


def _to_run(money: InvestmentResult | Unknown) -> str:
    """Say what is spent once the model is live; empty where that is unknown."""
    if isinstance(money, Unknown) or isinstance(money.ask_usd.run_month, Unknown):
        return ""
    every = "for the job" if money.one_off else "per month"
    return f"From then on it takes {dollars(money.ask_usd.run_month)} {every} to run."


# Whether it pays back.


# What would change it.


def _changes(dossier: Dossier) -> str:
    """The facts that would turn the answer, and the answer then: a sentence for each."""
    then = _then(dossier)
    if not then:
        return _unchanged(dossier)
    says = [
        f"It becomes {_explained(answer)} {conditions}."
        for answer, conditions in _turned(then, dossier).items()
    ]
    if not {"pilot", "yes"} & {*then, dossier.verdict.answer}:
        says.append("No single fact that was checked leads to tuning.")
    return " ".join(says)


def turns_facts(dossier: Dossier) -> b.Facts:
    """The same as a row for each answer, with its conditions; no row where nothing alone turns it."""
    then = _then(dossier)
    return b.facts(
        (capital(ANSWER_WORDS[answer]), sentence(conditions))
        for answer, conditions in _turned(then, dossier).items()
    )


def _then(dossier: Dossier) -> dict[TuningAnswer, list[Turn]]:
    """The changes that turn the answer, by the answer then."""
    then: dict[TuningAnswer, list[Turn]] = {}
    for turn in dossier.verdict.turns:
        then.setdefault(turn.answer, []).append(turn)
    if then and _is_target_lacking(dossier):
        then.setdefault("no", [])  # a target that is stated and met leads there
    return then


def _turned(
    then: Mapping[TuningAnswer, Sequence[Turn]], dossier: Dossier
) -> dict[TuningAnswer, str]:
    """The conditions of each other answer as a clause with *if*, those nearest to tuning on top."""
    clauses: dict[TuningAnswer, str] = {}
    for answer in sorted(then, key=_NEARNESS.__getitem__, reverse=True):
        conditions = _conditions(then[answer], dossier)
        if answer == "no" and _is_target_lacking(dossier):
            conditions = ", or if ".join(filter(None, [conditions, _BY_TARGET]))
        clauses[answer] = f"if {conditions}{_still_fails(then[answer], dossier)}"
    return clauses


_NEARNESS: Mapping[TuningAnswer, int] = {
    "no": 0,
    "open": 1,
    "not_yet": 1,  # neither is nearer to yes, as they wait for different things
    "pilot": 2,
    "yes": 3,
}
"""The closeness of each answer to tuning."""

_MEANINGS: Mapping[TuningAnswer, str] = {
    "no": "nothing to gain",
    "open": "something has to be found out",
    "not_yet": "something else comes first",
    "pilot": "a small trial comes next",
    "yes": "the tuned model goes live",
}  #: The meaning of each answer, in a few words.


def _explained(answer: TuningAnswer) -> str:
    """An answer in quotes, with its meaning."""
    return f"“{ANSWER_WORDS[answer]}” ({_MEANINGS[answer]})"


def _is_target_lacking(dossier: Dossier) -> bool:
    """Whether the next step is to state a target."""
    advice = dossier.recommendation
    return not isinstance(advice, Unknown) and advice.steps[0].option == "target"


_BY_TARGET = "a target is stated that what runs today meets"
"""What leads to no tuning where no target is stated yet, as a clause."""


def _still_fails(turns: Sequence[Turn], dossier: Dossier) -> str:
    """The fault that the money keeps where facts that aren't about it lead to tuning."""
    fails = still_fails(dossier)
    about_money = any(turn.path.startswith("economics.") for turn in turns)
    leads = {turn.answer for turn in turns} & {"pilot", "yes"}
    if not fails or about_money or not leads:
        return ""
    return f", though tuning {fails}"


def _conditions(turns: Sequence[Turn], dossier: Dossier) -> str:
    """Clauses joined by *or*. Answers that turn the verdict alike are joined, the longest list last."""
    alike: dict[str, list[Turn]] = {}
    clauses: dict[str, None] = {}
    for turn in turns:
        if _question(turn, dossier):
            alike.setdefault(turn.to, []).append(turn)
        else:
            clauses[_figure_clause(turn, dossier)] = None
    answers = [
        _answer_clause(same, dossier) for same in sorted(alike.values(), key=len)
    ]
    clauses |= dict.fromkeys(answers)
    return ", or if ".join(clauses)


def _question(turn: Turn, dossier: Dossier) -> str:
    """The question whose answer turns the verdict; empty for a figure or a way."""
    room, _, name = turn.path.partition(".")
    if room == "ceiling":
        return dossier.ceiling.checks[name].ask
    if room == "factors" and name in dossier.factors:
        return dossier.factors[name].ask
    return ""


def _answer_clause(turns: Sequence[Turn], dossier: Dossier) -> str:
    """That one of some answers turns out to be another one; of many the titles are named."""
    if len(turns) > _MOST_ASKED:
        return _group_clause(turns, dossier)
    questions = [f"“{_question(turn, dossier)}”" for turn in turns]
    return f"the answer to {listing(questions, 'or')}{_TURNS_OUT}{turns[0].to}"


def _group_clause(turns: Sequence[Turn], dossier: Dossier) -> str:
    """That one of many answers turns out to be another one, by what the answers are about.

    A title alone, as *few-shot examples*, doesn't say what a yes or a no to it means. So each
    group says it once: a check of prompting that wasn't done, a reason that doesn't hold.
    """
    groups: dict[str, list[str]] = {}
    for turn in turns:
        groups.setdefault(_group(turn, dossier), []).append(turn.what)
    return ", or if ".join(
        f"{_GROUP_WORDS[group]} ({listing(titles, 'or')}) {_TURNED[group, turns[0].to]}"
        for group, titles in groups.items()
    )


def _group(turn: Turn, dossier: Dossier) -> str:
    """The kind of question that an answer belongs to."""
    room, _, name = turn.path.partition(".")
    return "check" if room == "ceiling" else dossier.factors[name].kind


_GROUP_WORDS = {
    "check": "a check of the prompts",
    "indicator": "a reason for tuning",
    "anti_indicator": "a reason against tuning",
}

_TURNED = {
    ("check", "yes"): "was done after all",
    ("check", "no"): "wasn’t done",
    ("check", "unknown"): "is known to nobody",
    ("indicator", "yes"): "holds after all",
    ("indicator", "no"): "doesn’t hold",
    ("indicator", "unknown"): "is known to nobody",
    ("anti_indicator", "yes"): "holds after all",
    ("anti_indicator", "no"): "doesn’t hold",
    ("anti_indicator", "unknown"): "is known to nobody",
}


_TURNS_OUT = " turns out to be "


_MOST_ASKED = 2  #: Questions that are quoted; they are sentences.


def _figure_clause(turn: Turn, dossier: Dossier) -> str:
    """A figure or a way as a clause that a reader can check."""
    kinds = {kind.path: target for target, kind in TARGETS.items()}
    if turn.path == "ways":
        ways, are, _ = turn.what.rpartition(" are tried")
        if are:
            return f"{ways} are tried and aren’t enough"
        return (
            f"{turn.what.removesuffix(' is tried in vain')} is tried and isn’t enough"
        )
    if turn.path not in kinds or turn.to == "measured":
        return turn.what
    target = kinds[turn.path]
    missed = [
        kind.name
        for name, kind in TARGETS.items()
        if name != target and dossier.targets[name].state == "missed"
    ]
    goes = "meets" if turn.to == "met" else "misses"
    if missed and turn.to == "met":
        verb = "is" if len(missed) == 1 else "are"
        still = f", so that only {listing(missed)} {verb} missed"
    else:
        still = ""
    against = _against(dossier, target)
    again = "a new measurement" if against else "a measurement"
    says = f"{again} shows that what runs today {goes} the target for "
    return f"{says}{TARGETS[target].name}{against}{still}"


def _against(dossier: Dossier, target: TargetId) -> str:
    """The limit and today's figure in brackets; empty where one of them is unknown."""
    today = next((way for way in dossier.ways if way.state == "running"), None)
    if today is None:
        return ""
    return table.limit_and_figure(dossier, today, target)


def _unchanged(dossier: Dossier) -> str:
    """Say what would change the answer, for a case in which no single fact does."""
    if _is_target_lacking(dossier):
        return (
            f"It becomes {_explained('no')} if {_BY_TARGET}. "
            "Nothing else alone changes it."
        )
    advice = dossier.recommendation
    settles = not isinstance(advice, Unknown) and advice.steps[0].option == "settle"
    says = _NOTHING_ALONE
    if settles:
        says = "It depends on which side of the contradiction is right."
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.must_bring_usd, Unknown):
        return says
    gates = {gate.id: gate.state for gate in dossier.verdict.gates}
    too_little = dossier.verdict.rule == "refused" and gates.get("investment") == "no"
    return f"{says} {_must_bring(money)}" if settles or too_little else says


_NOTHING_ALONE = (
    "No single answer or figure: each was tried alone, and the answer stayed the same. "
    "Several at once weren’t tried."
)


def _must_bring(money: InvestmentResult) -> str:
    """Say how much tuning has to bring for the money to be back in time."""
    least = dollars(money.must_bring_usd)
    run = dollars(money.ask_usd.run_month)
    upfront = dollars(money.upfront_usd)
    if money.one_off or isinstance(money.limit_months, Unknown):
        return f"To pay back with the job, tuning has to bring {least} or more."
    limit = duration(money.limit_months)
    return (
        f"To pay back in {limit}, tuning has to bring "
        f"{least} or more per month: {run} to run it, and the rest to repay {upfront}."
    )


def _grounds(dossier: Dossier) -> str:
    """Say what the answer rests on, and whether these are statements or measurements."""
    if nothing_answered(dossier):
        return grounds_text(dossier)
    basis = dossier.verdict.basis
    said = basis.stated + basis.assumed
    parts = [f"{several(said, 'answer')} by the team"] if said else []
    if basis.measured:
        parts.append(several(basis.measured, "measurement"))
        return f"It rests on {listing(parts)}."
    return f"It rests on {listing(parts)}. Tuneworthy measured none of it."


# What stands beside the facts.


class Changes(NamedTuple):
    """The changes since the base, which is another dossier of the case."""

    says: str
    blocks: tuple[b.Block, ...]


def changes_since(difference: Difference) -> Changes:
    """Describe the changes since the base: a sentence, and blocks with all of them."""
    was = ANSWER_WORDS[difference.answer_before]
    now = ANSWER_WORDS[difference.answer_after]
    if was == now:
        moved = f"the answer stays “{now}”"
    else:
        moved = f"the answer was “{was}” and is “{now}”"
    named = [
        f"{change.title} ({change.before} → {change.after})"
        for change in difference.answers
    ]
    shown = named[:_MOST_NAMED]
    if len(named) > _MOST_NAMED:
        shown.append(f"{few(len(named) - _MOST_NAMED)} more")
    other = f" Answers that changed: {listing(shown)}." if named else ""
    says = f"Compared with the base, {moved}.{other}"
    return Changes(says, what_changed(difference).blocks)


def require(answer: TuningAnswer, required: TuningAnswer) -> str:
    """Say whether the answer is the one that a job requires."""
    needs = f"This check requires the answer “{ANSWER_WORDS[required]}”"
    if answer == required:
        return f"{needs}, and passes."
    return f"{needs}. The answer is “{ANSWER_WORDS[answer]}”, so it fails."


def warning(dossier: Dossier) -> list[str]:
    """The challenges, the most severe first.

    Where the first step settles the heaviest one, that one is left out, as the step says it.
    """
    advice = dossier.recommendation
    settles = not isinstance(advice, Unknown) and advice.steps[0].option == "settle"
    heaviest = say_heaviest(dossier)
    says = {
        cut(item.says, _LONGEST_CLASH): item.severity for item in dossier.challenges
    }
    first = [heaviest] if heaviest else []
    ordered = [*first, *(text for text in says if text != heaviest)]
    shown = [
        f"{b.SEVERITIES[says[text]][0]}: {text}"
        for text in (ordered[1:] if settles else ordered)
    ]
    left = len(shown) - _MOST_CLASHES
    if left > 0:
        shown = [*shown[:_MOST_CLASHES], sentence(f"{few(left)} more under “{FIT}”")]
    return shown


def say_heaviest(dossier: Dossier) -> str:
    """The most important contradiction: the one about the stated money, if there is one."""
    claims = [item for item in dossier.challenges if item.severity == "contradiction"]
    money = dossier.investment
    if not isinstance(money, Unknown) and money.contradicted:
        of_money = [item for item in claims if any(map(_is_economic, item.between))]
        claims = of_money or claims
    return cut(claims[0].says, _LONGEST_CLASH) if claims else ""


def _is_economic(path: str) -> bool:
    return path.startswith("economics.monthly")


def ways(dossier: Dossier) -> tuple[b.Block, ...]:
    """The ways against the targets, the meaning of its words, and why some should be tried."""
    shown = table.first_table(dossier, wide=True)
    says = [*_meanings(dossier, shown), *_reasons_to_try(dossier)]
    return (shown, b.Prose(" ".join(says), "small")) if says else (shown,)


def _meanings(dossier: Dossier, shown: b.Table) -> Iterator[str]:
    """Explain the words that the cells of a table use for quality and chances."""
    used = {str(cell) for row in shown.rows for cell in row}
    if any("." in str(cell) for cell in _quality_cells(shown)):
        yield "Quality is the share of answers that are right, with its 95% interval in brackets."
    payback = pays_back(dossier).value.lower()
    named = [
        f"{word} is {share}"
        for word, share in CHANCES.items()
        if word in used and f"{word} (" not in payback
    ]
    if named:
        yield f"Chances to meet a target: {listing(named)}."
    if "may help" in used:
        yield "“May help” means untried, without a target."


def _quality_cells(shown: b.Table) -> list[str | b.Cell]:
    """What the table says of quality, without the target; [] without its column."""
    places = [n for n, column in enumerate(shown.head) if column.title == "quality"]
    return [row[place] for row in shown.rows[1:] for place in places]


def _reasons_to_try(dossier: Dossier) -> Iterator[str]:
    """Why each step that tries an untuned way is recommended."""
    advice = dossier.recommendation
    steps = () if isinstance(advice, Unknown) else advice.steps
    tried = [
        way.id for way in dossier.ways if way.state != "untried" or way.kind == "tuning"
    ]
    for step in steps:
        if step.way and step.way not in tried:
            yield f"{capital(step.title)}: {step.because[:1].lower()}{step.because[1:]}"


def sign(dossier: Dossier) -> b.Facts:
    """The owner, the approver and the review; a missing one is left blank to fill in."""
    decision = dossier.decision or CaseDecision()
    if decision.signed is None:
        signed = ""
    else:
        signed = f"{decision.signed.by}, {day(decision.signed.on)}"
    ask = "" if isinstance(dossier.ask, Unknown) else amount(dossier.ask)
    review = "" if decision.review_on is None else day(decision.review_on)
    return b.facts(
        (
            ("Owner", decision.owner or ""),
            ("Approver", decision.approver or ""),
            ("Amount", ask),
            ("Signed, on", signed),
            (
                "Review on",
                review,
                "" if review else f"proposed: {day(review_day(dossier))}",
            ),
        ),
        "sign",
    )


def folds(dossier: Dossier) -> Iterator[b.Fold]:
    """Folds with the grounds of the memo: its costs, its reasons, and the challenges."""
    if not isinstance(dossier.plan, Unknown):
        yield b.fold("What it costs, step by step", _costs(dossier.plan))
    yield b.fold("Why", reasons(dossier), b.facts(_checklist(dossier)))
    if dossier.challenges:
        many = tally(dossier.challenges)
        yield b.fold(f"{FIT}: {many}", b.Claims(dossier.challenges))


def _costs(plan: Plan) -> b.Table:
    """The steps up to the decision, each with its last day and its work."""
    decision = find_decision(plan)
    asked = plan.phases[: plan.phases.index(decision) + 1]
    rows = [
        (capital(phase.title), day(phase.end), work_text(phase.hours, phase.usd))
        for phase in asked
    ]
    return b.table("Up to the decision", "Step | @Until | It takes", rows, quiet=True)


def _checklist(dossier: Dossier) -> Iterator[tuple[str, str]]:
    yield "The checklist’s count", count_text(dossier)
    yield "Its strength", strength_text(dossier)
    if not isinstance(dossier.precedents, Unknown):
        yield "Published cases", sentence(others_text(dossier.precedents))
