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
    advised_steps,
    count_text,
    dollars,
    duration,
    grounds_text,
    nothing_answered,
    parts_text,
    period_words,
    reach_text,
    strength_text,
    tally,
    unchecked_text,
)
from tuneworthy.report.sections.payback import (
    CHANCES,
    pays_back,
    rival_facts,
    still_fails,
)
from tuneworthy.report.sections.plan import work_text
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
    unique,
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
    yield _certainty(dossier)


def _certainty(dossier: Dossier) -> b.Fact:
    """The grounds of the answer; beside them, what could still change it and what contradicts it."""
    parts = []
    if not nothing_answered(dossier):
        parts.append(unchecked_text(dossier))
    parts.append(reach_text(dossier))
    link = "why"
    if dossier.challenges:
        parts.append(f"Open objections: {tally(dossier.challenges)}.")
        link = "fit"
    return b.Fact("How sure that is", _grounds(dossier), _joined(parts), link)


def _joined(sentences: Sequence[str]) -> str:
    """Sentences in one paragraph, without the empty ones."""
    return " ".join(text for text in sentences if text)


def cost(dossier: Dossier) -> b.Fact:
    """The one ask: all that is spent up to the next decision, the day of that, and when how much."""
    label = "What it costs"
    plan = dossier.plan
    ask = dossier.ask
    if isinstance(plan, Unknown) or isinstance(ask, Unknown):
        todo = sentence(plan.ask) if isinstance(plan, Unknown) else ""
        return b.Fact(label, "Nothing yet.", todo, "money")
    decision = find_decision(plan)
    says = [
        f"up to the decision on {weekday(decision.end)}.",
        _in_parts(dossier, plan),
    ]
    if ask.high == "open":
        says.append("In dollars it isn’t known: nobody has said what an hour costs.")
    if plan.aim != "tune":
        says.append("None of it is for fine-tuning.")
    caveats = dossier.verdict.caveats
    says += [sentence(caveat.says) for caveat in caveats if caveat.id == _ABOVE]
    return b.Fact(label, f"{amount(ask)},", _joined(says), "money")


def amount(ask: AskNow) -> str:
    """All that is asked for, without a day."""
    hours = f"{hours_text(ask.hours.low, ask.hours.high)} of work"
    if ask.high == "open":
        return capital(hours)
    return f"{dollars(Range(low=ask.low, high=ask.high))}, {hours} included"


_ABOVE = "ask_above_prize"  #: The caveat that more is asked for than tuning can bring.


def _in_parts(dossier: Dossier, plan: Plan) -> str:
    """Say which part is spent in any case, and which only if the first try isn't enough."""
    asked = _split(plan)
    if not asked.only_then:
        return ""
    phases = (*asked.certain, *asked.only_then)
    if any(phase.usd.high == "open" for phase in phases):  # then only hours are known
        spent = _hours_of(asked.certain)
        more = _hours_of(asked.only_then)
    else:
        certain_usd = Range.total(phase.usd for phase in asked.certain)
        more_usd = Range.total(phase.usd for phase in asked.only_then)
        spent, more = parts_text([certain_usd, more_usd])
    what = _first_try(dossier, asked.certain)
    return f"{spent} of it is spent whatever comes, and {more} only if {what} isn’t enough."


def _hours_of(phases: Sequence[Phase]) -> str:
    hours = Range.total(phase.hours for phase in phases)
    return hours_text(hours.low, hours.high)


class _AskedPhases(NamedTuple):
    """The phases up to the decision."""

    certain: list[Phase]  #: Those that come anyhow.
    only_then: list[Phase]  #: Those that come only after a try in vain.


def _split(plan: Plan) -> _AskedPhases:
    """Split the phases up to the decision by whether they come anyhow."""
    asked = _AskedPhases([], [])
    tried = False
    for phase in _up_to_decision(plan):
        is_try = phase.id.startswith(_TRIED)
        if tried and (is_try or phase.id in _AFTER_A_TRY):
            asked.only_then.append(phase)
        else:
            asked.certain.append(phase)
        tried = tried or is_try
    return asked


def _up_to_decision(plan: Plan) -> tuple[Phase, ...]:
    """The phases up to the first decision, that one included."""
    return plan.phases[: plan.phases.index(find_decision(plan)) + 1]


_AFTER_A_TRY = ("evaluation", "recall", "pilot")
"""Phases that lead to the next try: where the one before was enough, nobody needs them."""


def _first_try(dossier: Dossier, phases: Sequence[Phase]) -> str:
    """The name of the way that is tried first; ``that`` for one without a name."""
    titles = {way.id: way.title for way in dossier.ways}
    names = {
        f"{_TRIED}{step.option}": titles.get(step.way, "")
        for step in advised_steps(dossier)
    }
    for phase in phases:
        if phase.id.startswith(_TRIED):
            return names.get(phase.id) or "that"
    return "that"


# What to do.


def to_do(dossier: Dossier) -> b.Fact:
    """The first piece of work with its last day, and the work after it up to the decision."""
    plan = dossier.plan
    advice = dossier.recommendation
    if isinstance(plan, Unknown) or isinstance(advice, Unknown):
        ask = advice.ask if isinstance(advice, Unknown) else advice.says
        return _to_do_fact(sentence(ask))
    step, *_ = advice.steps
    first, *_ = _work(plan)
    until = _until(first, None, dossier)
    if first.id == "watch":
        what = "quality, speed, bill and traffic"
        says = f"Keep what runs today. Measure its {what} once more {until}."
        # the headline says the reason of the verdict already
        is_said = step.because == dossier.verdict.because
        return _to_do_fact(says, "" if is_said else sentence(step.because))
    if first.id == "settle":
        says = f"Settle this contradiction {until}."
        return _to_do_fact(says, say_heaviest(dossier))
    return _work_in_turn(dossier, plan, step)


def _to_do_fact(says: str, beside: str = "") -> b.Fact:
    return b.Fact("What to do now", says, beside, "plan")


def _work_in_turn(dossier: Dossier, plan: Plan, step: Step) -> b.Fact:
    """The work up to that of the first step, then the rest, and the work that goes on beside."""
    first, *others = _work(plan)
    asked = _split(plan)
    meanwhile = [phase for phase in others if phase.id.startswith(_MEANWHILE)]
    in_turn = [
        phase
        for phase in (first, *others)
        if phase in asked.certain and phase not in meanwhile
    ]
    main = _main_phase(in_turn, step)
    after_main = in_turn.index(main) + 1
    now = in_turn[:after_main]
    after = in_turn[after_main:]
    then = [_then_text(after, main, dossier)]
    if asked.only_then:
        what = _first_try(dossier, asked.certain)
        before = after[-1] if after else main
        later = _dated(asked.only_then, before, dossier)
        then.append(f"Only if {what} isn’t enough, {later}.")
    then += [
        f"Meanwhile, {_phase_words(phase)}, until {weekday(phase.end)}."
        for phase in meanwhile
    ]
    return _to_do_fact(f"{capital(_dated(now, None, dossier))}.", _joined(then))


def _then_text(phases: Sequence[Phase], before: Phase, dossier: Dossier) -> str:
    """The work after the first piece: each with its last day, or of many the last day alone."""
    if not phases:
        return ""
    if len(phases) <= _MOST_DATED:
        return f"Then {_dated(phases, before, dossier)}."
    what = listing([_phase_words(phase) for phase in phases])
    return f"Then {what}, all {_until(phases[-1], before, dossier)}."


_MOST_DATED = 2
"""The most phases after the first that have their days here; the fold has all days."""


def _until(phase: Phase, before: Phase | None, dossier: Dossier) -> str:
    """The last day of a phase; the day of the memo is called today.

    ``before`` is the phase whose day the text named last, so that a year isn't repeated.
    """
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
    """The phase of the first step, which other phases may prepare; the first phase without one."""
    # a step that tunes a way is done in the pilot
    phase_ids = (f"{_TRIED}{step.option}", "pilot" if step.way else step.option)
    for phase in work:
        if phase.id in phase_ids:
            return phase
    return work[0]


_MEANWHILE = "against_"  #: Begins the phases that go on beside all others.


def _work(plan: Plan) -> list[Phase]:
    """The phases up to the decision. One that only decides counts if it is the only one."""
    asked = _up_to_decision(plan)
    return [phase for phase in asked if phase.id != "decide"] or list(asked)


_TRIED = "try_"  #: Begins the phases that try a way.


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
    if plan.aim != "tune":
        return
    for phase in plan.phases:
        if phase.id == "deployment" and phase is not decision:
            yield _launch_decision(dossier, phase)


def _launch_decision(dossier: Dossier, launch: Phase) -> b.Fact:
    """The decision about going live: its day, its conditions, and what it costs from then on."""
    parts = []
    money_condition = _money_condition(dossier)
    others = [each for each in dossier.verdict.conditions if each != money_condition]
    if others:
        parts.append(f"Only once {listing(others)}.")
    if " to run" not in pays_back(dossier).beside:  # else it is said there
        parts.append(_to_run(dossier.investment))
    parts.append(_say_end(dossier, launch))
    label = f"Decide on {weekday(launch.start)}"
    return b.Fact(label, "Whether it goes live.", _joined(parts), "plan")


def _say_end(dossier: Dossier, launch: Phase) -> str:
    """Say that the model in use ends before another one is live; empty where it doesn't."""
    ends = [
        way.ends
        for way in dossier.ways
        if way.state == "running" and way.ends is not None
    ]
    if not ends or min(ends) >= launch.end:
        return ""
    end = min(ends)
    verb = "ended" if end <= dossier.as_of else "ends"
    return (
        f"The model in use {verb} on {day(end)}, before a tuned one is live "
        f"({day(launch.end)}): name what answers in between."
    )


def next_decision(dossier: Dossier) -> b.Fact | None:
    """The next decision, and the result that would stop it; None without a plan."""
    for decision in _decisions(dossier):
        return decision
    return None


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
        return _after_pilot(dossier, steps)
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
    planned = {phase.id for phase in plan.phases}
    tried = [step for step in steps if f"{_TRIED}{step.option}" in planned]
    if not tried:
        return "Whether the answer still holds."
    return _decision_after_tries(dossier, steps, tried)


def _after_pilot(dossier: Dossier, steps: Sequence[Step]) -> str:
    """Say what a pilot has to show for tuning to go on, and what going on takes."""
    shown = _aim(dossier, steps)
    agreed = _money_condition(dossier)
    if agreed:
        shown += f", and {agreed}"
    return f"Go on with tuning if {shown}. Stop if not.{_going_on(dossier.investment)}"


def _decision_after_tries(
    dossier: Dossier, steps: Sequence[Step], tried: Sequence[Step]
) -> str:
    """Say when the ways that are tried are enough, and what follows if they aren't."""
    titles = {way.id: way.title for way in dossier.ways}
    aims = {step.stop_when for step in steps if step.way in titles}
    first, *_ = steps
    aim = first.stop_when if len(aims) == 1 else "every target is met"
    # a step may stand for a way that isn't in the table, as one that was tried before
    ways = listing([titles.get(step.way, step.title) for step in tried], "or")
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


def _going_on(money: InvestmentResult | Unknown) -> str:
    """Say what is spent from the pilot to going live; empty where that is unknown."""
    if isinstance(money, Unknown) or isinstance(money.ask_usd.build, Unknown):
        return ""
    return f" Going on takes another {dollars(money.ask_usd.build)}."


def _to_run(money: InvestmentResult | Unknown) -> str:
    """Say what is spent once the model is live; empty where that is unknown."""
    if isinstance(money, Unknown) or isinstance(money.ask_usd.run_month, Unknown):
        return ""
    every = period_words(money).run_every
    return f"From then on it takes {dollars(money.ask_usd.run_month)} {every} to run."


# What would change it.


def _changes(dossier: Dossier) -> str:
    """The facts that would turn the answer, and the answer then: a sentence for each."""
    turns = _turns_by_answer(dossier)
    if not turns:
        return _unchanged(dossier)
    says = [
        f"It becomes {_explained(answer)} {conditions}."
        for answer, conditions in _turned(turns, dossier).items()
    ]
    reachable = {*turns, dossier.verdict.answer}
    if "pilot" not in reachable and "yes" not in reachable:
        says.append("No single fact that was checked leads to tuning.")
    return " ".join(says)


def turns_facts(dossier: Dossier) -> b.Facts:
    """A row for each other answer with its conditions; no row where nothing alone turns it."""
    turned = _turned(_turns_by_answer(dossier), dossier)
    return b.facts(
        (capital(ANSWER_WORDS[answer]), sentence(conditions))
        for answer, conditions in turned.items()
    )


def _turns_by_answer(dossier: Dossier) -> dict[TuningAnswer, list[Turn]]:
    """The changes that turn the answer, by the answer that follows."""
    turns: dict[TuningAnswer, list[Turn]] = {}
    for turn in dossier.verdict.turns:
        turns.setdefault(turn.answer, []).append(turn)
    if turns and _is_target_lacking(dossier):
        turns.setdefault("no", [])  # a target that is stated and met leads there
    return turns


def _turned(
    turns: Mapping[TuningAnswer, Sequence[Turn]], dossier: Dossier
) -> dict[TuningAnswer, str]:
    """The conditions of each other answer as a clause with *if*, those nearest to tuning on top."""
    nearest_first = sorted(turns, key=lambda answer: _NEARNESS[answer], reverse=True)
    clauses: dict[TuningAnswer, str] = {}
    for answer in nearest_first:
        conditions = _clauses(turns[answer], dossier)
        if answer == "no" and _is_target_lacking(dossier):
            conditions.append(_BY_TARGET)
        condition = ", or if ".join(conditions)
        clauses[answer] = f"if {condition}{_still_fails(turns[answer], dossier)}"
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
    return _first_option(dossier) == "target"


_BY_TARGET = "a target is stated that what runs today meets"
"""What leads to no tuning where no target is stated yet, as a clause."""


def _still_fails(turns: Sequence[Turn], dossier: Dossier) -> str:
    """The fault that the money keeps where facts that aren't about it lead to tuning."""
    fails = still_fails(dossier)
    about_money = any(turn.path.startswith("economics.") for turn in turns)
    leads_to_tuning = any(turn.answer in ("pilot", "yes") for turn in turns)
    if fails and leads_to_tuning and not about_money:
        return f", though tuning {fails}"
    return ""


def _clauses(turns: Sequence[Turn], dossier: Dossier) -> list[str]:
    """Each condition once. Answers that turn the verdict alike are joined, the longest list last."""
    figures: list[str] = []  # a figure may have several paths in the file
    answers: dict[str, list[Turn]] = {}  # by what the answer turns out to be
    for turn in turns:
        if _question(turn, dossier):
            answers.setdefault(turn.to, []).append(turn)
        else:
            figures.append(_figure_clause(turn, dossier))
    fewest_first = sorted(answers.values(), key=len)
    joined = [_answer_clause(similar, dossier) for similar in fewest_first]
    return [*unique(figures), *joined]


def _question(turn: Turn, dossier: Dossier) -> str:
    """The question whose answer turns the verdict; empty for a figure or a way."""
    room, _, name = turn.path.partition(".")
    if room == "ceiling":
        return dossier.ceiling.checks[name].ask
    if room == "factors" and name in dossier.factors:
        return dossier.factors[name].ask
    return ""


def _answer_clause(turns: Sequence[Turn], dossier: Dossier) -> str:
    """Say that one of some answers turns out to be another one; of many the titles are named."""
    if len(turns) > _MOST_ASKED:
        return _group_clause(turns, dossier)
    questions = [f"“{_question(turn, dossier)}”" for turn in turns]
    first, *_ = turns  # all turn out to be the same
    return f"the answer to {listing(questions, 'or')} turns out to be {first.to}"


def _group_clause(turns: Sequence[Turn], dossier: Dossier) -> str:
    """Say that one of many answers turns out to be another one, by what the answers are about.

    A title alone, as *few-shot examples*, doesn't say what a yes or a no to it means. So each
    group says it once: a check of prompting that wasn't done, a reason that doesn't hold.
    """
    first, *_ = turns  # all turn out to be the same
    groups: dict[str, list[str]] = {}
    for turn in turns:
        groups.setdefault(_group(turn, dossier), []).append(turn.what)
    clauses = []
    for group, titles in groups.items():
        becomes = (_CHECK_IS if group == "check" else _REASON_IS)[first.to]
        clauses.append(f"{_GROUP_WORDS[group]} ({listing(titles, 'or')}) {becomes}")
    return ", or if ".join(clauses)


def _group(turn: Turn, dossier: Dossier) -> str:
    """The kind of question that an answer belongs to."""
    room, _, name = turn.path.partition(".")
    return "check" if room == "ceiling" else dossier.factors[name].kind


_GROUP_WORDS = {
    "check": "a check of the prompts",
    "indicator": "a reason for tuning",
    "anti_indicator": "a reason against tuning",
}

_UNKNOWN = "is known to nobody"
_CHECK_IS = {"yes": "was done after all", "no": "wasn’t done", "unknown": _UNKNOWN}
_REASON_IS = {"yes": "holds after all", "no": "doesn’t hold", "unknown": _UNKNOWN}


_MOST_ASKED = 2  #: Questions that are quoted; they are sentences.


def _figure_clause(turn: Turn, dossier: Dossier) -> str:
    """A figure or a way as a clause that a reader can check."""
    if turn.path == "ways":
        return _tried_clause(turn)
    for target, words in TARGETS.items():
        if turn.path == words.path and turn.to != "measured":
            return _target_clause(turn, dossier, target)
    return turn.what


def _tried_clause(turn: Turn) -> str:
    """Say that ways are tried and aren't enough, as one or as several of them."""
    ways, several_are, _ = turn.what.rpartition(" are tried")
    if several_are:
        return f"{ways} are tried and aren’t enough"
    way = turn.what.removesuffix(" is tried in vain")
    return f"{way} is tried and isn’t enough"


def _target_clause(turn: Turn, dossier: Dossier, target: TargetId) -> str:
    """Say that a measurement shows another state of a target, and which others stay missed."""
    against = _against(dossier, target)
    measurement = "a new measurement" if against else "a measurement"
    goes = "meets" if turn.to == "met" else "misses"
    clause = (
        f"{measurement} shows that what runs today {goes} the target for "
        f"{TARGETS[target].name}{against}"
    )
    missed = [
        words.name
        for name, words in TARGETS.items()
        if name != target and dossier.targets[name].state == "missed"
    ]
    if turn.to != "met" or not missed:
        return clause
    verb = "is" if len(missed) == 1 else "are"
    return f"{clause}, so that only {listing(missed)} {verb} missed"


def _against(dossier: Dossier, target: TargetId) -> str:
    """The limit and today's figure in brackets; empty where one of them is unknown."""
    for way in dossier.ways:
        if way.state == "running":
            return table.limit_and_figure(dossier, way, target)
    return ""


def _unchanged(dossier: Dossier) -> str:
    """Say what would change the answer, for a case in which no single fact does."""
    if _is_target_lacking(dossier):
        becomes = f"It becomes {_explained('no')} if {_BY_TARGET}."
        return f"{becomes} Nothing else alone changes it."
    settles = _first_option(dossier) == "settle"
    says = _NOTHING_ALONE
    if settles:
        says = "It depends on which side of the contradiction is right."
    money = dossier.investment
    if isinstance(money, Unknown) or isinstance(money.must_bring_usd, Unknown):
        return says
    gates = {gate.id: gate.state for gate in dossier.verdict.gates}
    too_little = dossier.verdict.rule == "refused" and gates.get("investment") == "no"
    if settles or too_little:  # then an amount of money decides
        return f"{says} {_must_bring(money)}"
    return says


def _first_option(dossier: Dossier) -> str:
    """The option of the first step; empty without a recommendation."""
    for step in advised_steps(dossier):
        return step.option
    return ""


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
    parts = []
    by_team = basis.stated + basis.assumed
    if by_team:
        parts.append(f"{several(by_team, 'answer')} by the team")
    if not basis.measured:
        return f"It rests on {listing(parts)}. Tuneworthy measured none of it."
    parts.append(several(basis.measured, "measurement"))
    return f"It rests on {listing(parts)}."


# What stands beside the facts.


def require(answer: TuningAnswer, required: TuningAnswer) -> str:
    """Say whether the answer is the one that a job requires."""
    needs = f"This check requires the answer “{ANSWER_WORDS[required]}”"
    if answer == required:
        return f"{needs}, and passes."
    return f"{needs}. The answer is “{ANSWER_WORDS[answer]}”, so it fails."


def warning(dossier: Dossier) -> list[str]:
    """The challenges, the heaviest first.

    Where the first step settles the heaviest one, that one is left out, as the step says it.
    """
    heaviest = say_heaviest(dossier)
    severities = {
        cut(item.says, _LONGEST_CLASH): item.severity for item in dossier.challenges
    }
    texts = [text for text in severities if text != heaviest]
    if heaviest and _first_option(dossier) != "settle":
        texts.insert(0, heaviest)
    shown = []
    for text in texts[:_MOST_CLASHES]:
        name, _ = b.SEVERITIES[severities[text]]
        shown.append(f"{name}: {text}")
    left_out = len(texts) - _MOST_CLASHES
    if left_out > 0:
        shown.append(sentence(f"{few(left_out)} more under “{FIT}”"))
    return shown


def say_heaviest(dossier: Dossier) -> str:
    """The first contradiction, one about the stated money before others; empty for none."""
    claims = [item for item in dossier.challenges if item.severity == "contradiction"]
    money = dossier.investment
    if not isinstance(money, Unknown) and money.contradicted:
        of_money = [
            item
            for item in claims
            if any(path.startswith("economics.monthly") for path in item.between)
        ]
        claims = [*of_money, *claims]
    if not claims:
        return ""
    heaviest, *_ = claims
    return cut(heaviest.says, _LONGEST_CLASH)


def ways(dossier: Dossier) -> tuple[b.Block, ...]:
    """The ways against the targets, the meaning of its words, and why some should be tried."""
    shown = table.first_table(dossier, wide=True)
    says = [*_meanings(dossier, shown), *_reasons_to_try(dossier)]
    if not says:
        return (shown,)
    return shown, b.Prose(" ".join(says), "small")


def _meanings(dossier: Dossier, shown: b.Table) -> Iterator[str]:
    """Explain the words that the cells of a table use for quality and chances."""
    if any("." in str(cell) for cell in _quality_cells(shown)):  # a figure
        yield "Quality is the share of answers that are right, with its 95% interval in brackets."
    used = {str(cell) for row in shown.rows for cell in row}
    payback = pays_back(dossier).value.lower()  # it may explain a word already
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
    """The cells of the column on quality, without the target in the first row; [] without it."""
    for place, column in enumerate(shown.head):
        if column.title == "quality":
            return [row[place] for row in shown.rows[1:]]
    return []


def _reasons_to_try(dossier: Dossier) -> Iterator[str]:
    """Why each step that tries an untuned way is recommended."""
    known_or_tuned = {
        way.id for way in dossier.ways if way.state != "untried" or way.kind == "tuning"
    }
    for step in advised_steps(dossier):
        if step.way and step.way not in known_or_tuned:
            because = f"{step.because[:1].lower()}{step.because[1:]}"
            yield f"{capital(step.title)}: {because}"


def sign(dossier: Dossier) -> b.Facts:
    """The owner, the approver and the review; a missing one is left blank to fill in."""
    decision = dossier.decision or CaseDecision()
    ask = "" if isinstance(dossier.ask, Unknown) else amount(dossier.ask)
    signed = ""
    if decision.signed is not None:
        signed = f"{decision.signed.by}, {day(decision.signed.on)}"
    if decision.review_on is None:
        review = ""
        proposed = f"proposed: {day(review_day(dossier))}"
    else:
        review = day(decision.review_on)
        proposed = ""
    rows = (
        ("Owner", decision.owner or ""),
        ("Approver", decision.approver or ""),
        ("Amount", ask),
        ("Signed, on", signed),
        ("Review on", review, proposed),
    )
    return b.facts(rows, "sign")


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
    rows = [
        (capital(phase.title), day(phase.end), work_text(phase.hours, phase.usd))
        for phase in _up_to_decision(plan)
    ]
    return b.table("Up to the decision", "Step | @Until | It takes", rows, quiet=True)


def _checklist(dossier: Dossier) -> Iterator[tuple[str, str]]:
    yield "The checklist’s count", count_text(dossier)
    yield "Its strength", strength_text(dossier)
